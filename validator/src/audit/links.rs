//! Where symbolic links lead inside a merged tree.
//!
//! Each link is followed once, and what comes of it is remembered: an image can have a million links through each other.

use std::collections::{BTreeSet, HashMap};

use schemars::JsonSchema;
use serde::Serialize;

use crate::layer::{Node, Tree};
use crate::limits::Limits;

/// A symbolic link that leads where links usually do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OddLink {
    /// Its path.
    pub path: String,
    /// Where it leads, as it is.
    pub target: String,
    /// What is odd.
    pub odd: BTreeSet<Oddity>,
}

/// What is odd about a symbolic link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Oddity {
    /// On the way there is a `..` in the root: seen from outside of the tree, it leads outside.
    Outside,
    /// Nothing is there.
    Dangling,
    /// It leads back to itself, or through more links than a path may.
    Loop,
    /// It leads into `/proc`, `/dev` or `/sys`, which are the engine's.
    System,
}

/// Where the engine mounts what is its own.
const SYSTEM: [&str; 3] = ["proc", "dev", "sys"];

/// What comes of following a link.
#[derive(Debug, Clone)]
struct Followed {
    /// The path that it leads to, without symbolic links; empty for the root.
    place: Result<String, Oddity>,
    /// Whether there is a `..` in the root on the way.
    outside: bool,
    /// How many links are passed, itself included.
    links: usize,
}

/// A link that is being followed.
struct Way<'t> {
    link: &'t str,
    /// Components that are still to go, the next one last.
    todo: Vec<&'t str>,
    at: String,
    outside: bool,
    links: usize,
}

impl<'t> Way<'t> {
    fn from(link: &'t str, target: &'t str) -> Self {
        let parent = if target.starts_with('/') { "" } else { link.rsplit_once('/').map_or("", |(parent, _)| parent) };
        Self { link, todo: target.split('/').rev().collect(), at: parent.to_owned(), outside: false, links: 1 }
    }

    fn up(&mut self) {
        self.outside |= self.at.is_empty();
        self.at.truncate(self.at.rfind('/').unwrap_or(0));
    }

    fn down(&mut self, component: &str) {
        if !self.at.is_empty() {
            self.at.push('/');
        }
        self.at.push_str(component);
    }

    fn ends(&self, place: Result<String, Oddity>) -> Followed {
        Followed { place, outside: self.outside, links: self.links }
    }

    /// Whether nothing is left of the path, not even a `/`: only then it may lead to a file.
    fn is_last(&self) -> bool {
        self.todo.is_empty()
    }
}

/// The symbolic links of a tree.
pub(super) struct Links<'t> {
    tree: &'t Tree,
    most: usize,
    /// What is known; `None` of those that are being followed.
    known: HashMap<&'t str, Option<Followed>>,
}

impl<'t> Links<'t> {
    pub(super) fn of(tree: &'t Tree, limits: &Limits) -> Self {
        Self { tree, most: limits.links_followed, known: HashMap::new() }
    }

    /// The links that are odd, in the order of a listing.
    pub(super) fn odd(mut self) -> Vec<OddLink> {
        let mut out = Vec::new();
        for (path, entry) in self.tree.iter() {
            let Node::Symlink { target, .. } = &entry.node else { continue };
            let followed = self.follow(path, target);
            let mut odd: BTreeSet<Oddity> = followed.place.err().into_iter().collect();
            if followed.outside {
                odd.insert(Oddity::Outside);
            }
            if !odd.is_empty() {
                out.push(OddLink { path: path.to_owned(), target: target.clone(), odd });
            }
        }
        out
    }

    /// Follows a link, and all those on its way. The ways are on a list and not on the stack: they can be long.
    fn follow(&mut self, link: &'t str, target: &'t str) -> Followed {
        if let Some(Some(known)) = self.known.get(link) {
            return known.clone();
        }
        let mut last = Way::from(link, target).ends(Err(Oddity::Loop));
        let mut ways = vec![Way::from(link, target)];
        self.known.insert(link, None);
        while let Some(mut way) = ways.pop() {
            match self.go(&mut way) {
                Gone::Through(link, target) => {
                    self.known.insert(link, None);
                    ways.extend([way, Way::from(link, target)]);
                }
                Gone::To(followed) => {
                    self.known.insert(way.link, Some(followed.clone()));
                    last = followed;
                }
            }
        }
        last
    }

    /// Goes on until the end, or until a link that has to be followed first.
    fn go(&self, way: &mut Way<'t>) -> Gone<'t> {
        while let Some(component) = way.todo.pop() {
            match component {
                "" | "." => continue,
                ".." => {
                    way.up();
                    continue;
                }
                _ => way.down(component),
            }
            if SYSTEM.contains(&way.at.split('/').next().unwrap_or_default()) {
                return Gone::To(way.ends(Err(Oddity::System)));
            }
            let Some((link, entry)) = self.tree.get_key_value(&way.at) else {
                return Gone::To(way.ends(Err(Oddity::Dangling)));
            };
            match &entry.node {
                Node::Symlink { target, .. } => match self.known.get(link) {
                    None => {
                        way.todo.push(component);
                        way.at.truncate(way.at.rfind('/').unwrap_or(0));
                        return Gone::Through(link, target);
                    }
                    Some(None) => return Gone::To(way.ends(Err(Oddity::Loop))),
                    Some(Some(followed)) => {
                        way.outside |= followed.outside;
                        way.links = way.links.saturating_add(followed.links);
                        if way.links > self.most {
                            return Gone::To(way.ends(Err(Oddity::Loop)));
                        }
                        match &followed.place {
                            Ok(place) => way.at.clone_from(place),
                            Err(odd) => return Gone::To(way.ends(Err(*odd))),
                        }
                        if !way.is_last() && !self.is_directory(&way.at) {
                            return Gone::To(way.ends(Err(Oddity::Dangling)));
                        }
                    }
                },
                Node::Dir { .. } => {}
                _ if way.is_last() => {}
                _ => return Gone::To(way.ends(Err(Oddity::Dangling))),
            }
        }
        let place = std::mem::take(&mut way.at);
        Gone::To(way.ends(Ok(place)))
    }

    fn is_directory(&self, path: &str) -> bool {
        path.is_empty() || self.tree.get(path).is_some_and(|entry| matches!(entry.node, Node::Dir { .. }))
    }
}

/// How far a way has been gone.
enum Gone<'t> {
    /// Until this link and its target, which have to be followed first.
    Through(&'t str, &'t str),
    /// To the end.
    To(Followed),
}
