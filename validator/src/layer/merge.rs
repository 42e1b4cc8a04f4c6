//! What the layers of an image merge to.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::entry::{Attributes, Entry, Node};
use super::listing::write_line;
use crate::digest::{Digest, Hasher};
use crate::limits::Limits;
use crate::shown::shown;

/// A tree that layers are merged into.
///
/// ```
/// use cornercast::layer::{Attributes, Entry, Node, Tree};
///
/// let dir = Entry { path: "srv".to_owned(), node: Node::Dir { attributes: Attributes::default(), opaque: false } };
/// let gone = Entry { path: "srv".to_owned(), node: Node::Whiteout };
///
/// let mut tree = Tree::default();
/// tree.merge(vec![dir]);
/// assert_eq!(tree.len(), 1);
/// tree.merge(vec![gone]);
/// assert!(tree.is_empty());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// By path with `/` replaced by U+0000, so that the order is depth first.
    nodes: BTreeMap<String, TreeEntry>,
    layers: usize,
}

/// An entry of a tree, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// What it is. A hard link still has the target that its layer gives it.
    pub node: Node,
    /// The layer that it comes from, counted from 0.
    pub layer: usize,
}

/// The digest and the numbers of a merged listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// SHA-256 of the merged listing (LST-017).
    pub digest: Digest,
    /// Its lines (LST-018).
    pub entries: u64,
    /// Sum of the sizes of its files (LST-019).
    pub size: u64,
    /// Its length in bytes (LST-014).
    pub bytes: u64,
}

/// What a path resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved<'a> {
    /// The root.
    Root,
    /// An entry that is no symbolic link.
    Entry {
        /// Its path.
        path: String,
        /// The entry.
        entry: &'a TreeEntry,
    },
    /// Nothing, for this reason.
    Nothing(String),
}

/// A step of resolving a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A directory was searched.
    Searched(Attributes),
    /// A symbolic link was followed.
    Followed(String),
}

impl Tree {
    /// How many entries the tree has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether the tree has no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The entry at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&TreeEntry> {
        self.nodes.get(&key(path))
    }

    /// Merges the next layer in.
    pub fn merge(&mut self, layer: Vec<Entry>) {
        // Step 1
        for entry in &layer {
            if matches!(entry.node, Node::Dir { opaque: true, .. }) {
                self.remove_below(&key(&entry.path));
            }
        }
        // Step 2
        for entry in &layer {
            if entry.node == Node::Whiteout {
                let key = key(&entry.path);
                self.remove_below(&key);
                self.nodes.remove(&key);
            }
        }
        // Step 3
        for Entry { path, node } in layer {
            let node = match node {
                Node::Whiteout => continue,
                Node::Dir { attributes, .. } => Node::Dir { attributes, opaque: false },
                other => other,
            };
            let key = key(&path);
            let keeps_children = matches!(node, Node::Dir { .. })
                && self.nodes.get(&key).is_some_and(|old| matches!(old.node, Node::Dir { .. }));
            if !keeps_children {
                self.remove_below(&key);
            }
            self.nodes.insert(key, TreeEntry { node, layer: self.layers });
        }
        self.layers += 1;
    }

    fn remove_below(&mut self, key: &str) {
        let (from, to) = (format!("{key}\0"), format!("{key}\u{1}"));
        // Most entries have nothing below them.
        let doomed: Vec<String> = self.nodes.range(from..to).map(|(key, _)| key.clone()).collect();
        for key in doomed {
            self.nodes.remove(&key);
        }
    }

    /// The entries of the merged listing in order, hard links among what is left of their groups.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        let groups = self.groups();
        self.nodes.iter().map(move |(key, entry)| {
            let path = path(key);
            let node = match (&entry.node, group(entry, &path)) {
                (
                    Node::File { attributes, size, sha256 } | Node::Hardlink { attributes, size, sha256, .. },
                    Some(group),
                ) => match groups.get(&group) {
                    Some(first) if *first != path => Node::Hardlink {
                        attributes: attributes.clone(),
                        size: *size,
                        sha256: *sha256,
                        target: first.clone(),
                    },
                    _ => Node::File { attributes: attributes.clone(), size: *size, sha256: *sha256 },
                },
                (node, _) => node.clone(),
            };
            Entry { path, node }
        })
    }

    /// For each group of linked names, the first one that is left.
    fn groups(&self) -> HashMap<(usize, String), String> {
        let linked: HashSet<(usize, String)> = self
            .nodes
            .values()
            .filter_map(|entry| match &entry.node {
                Node::Hardlink { target, .. } => Some((entry.layer, target.clone())),
                _ => None,
            })
            .collect();
        let mut groups = HashMap::new();
        for (key, entry) in &self.nodes {
            let path = path(key);
            if let Some(group) = group(entry, &path)
                && linked.contains(&group)
            {
                groups.entry(group).or_insert(path);
            }
        }
        groups
    }

    /// Calls `line` with each line of the merged listing, its newline included.
    pub fn for_each_line(&self, mut line: impl FnMut(&[u8])) {
        let mut buffer = Vec::new();
        for entry in self.entries() {
            buffer.clear();
            write_line(&mut buffer, &entry.path, &entry.node);
            line(&buffer);
        }
    }

    /// The digest and the numbers of the merged listing.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut hasher = Hasher::default();
        let (mut entries, mut size) = (0, 0_u64);
        let mut buffer = Vec::new();
        for entry in self.entries() {
            buffer.clear();
            write_line(&mut buffer, &entry.path, &entry.node);
            hasher.update(&buffer);
            entries += 1;
            if let Node::File { size: file, .. } = entry.node {
                size = size.saturating_add(file);
            }
        }
        Summary { entries, size, bytes: hasher.size(), digest: hasher.finish() }
    }

    /// Resolves an absolute path inside the tree, as the manifest chapter says, and tells the steps.
    #[must_use]
    pub fn resolve(&self, absolute: &str, limits: &Limits) -> (Resolved<'_>, Vec<Step>) {
        let mut steps = vec![Step::Searched(Attributes { mode: 0o755, ..Attributes::default() })];
        let mut todo: Vec<String> = reversed(absolute);
        let mut at: Vec<String> = Vec::new();
        let mut followed = 0;
        while let Some(component) = todo.pop() {
            if component.is_empty() || component == "." {
                continue;
            }
            if component == ".." {
                at.pop();
                continue;
            }
            at.push(component);
            let here = at.join("/");
            let Some(entry) = self.get(&here) else {
                return (Resolved::Nothing(format!("`/{}` does not exist", shown(&here))), steps);
            };
            match &entry.node {
                Node::Symlink { target, .. } => {
                    followed += 1;
                    if followed > limits.links_followed {
                        let reason = format!("more than {} symbolic links are passed", limits.links_followed);
                        return (Resolved::Nothing(reason), steps);
                    }
                    steps.push(Step::Followed(here));
                    at.pop();
                    if target.starts_with('/') {
                        at.clear();
                    }
                    todo.extend(reversed(target));
                }
                Node::Dir { attributes, .. } => {
                    if todo.iter().any(|component| !component.is_empty() && component != ".") {
                        steps.push(Step::Searched(attributes.clone()));
                    }
                }
                other => {
                    if todo.iter().any(|component| !component.is_empty() && component != ".") {
                        let reason = format!("`/{}` is {}, not a directory", shown(&here), other.type_name());
                        return (Resolved::Nothing(reason), steps);
                    }
                }
            }
        }
        let path = at.join("/");
        match self.get(&path) {
            Some(entry) => (Resolved::Entry { path, entry }, steps),
            None => (Resolved::Root, steps),
        }
    }
}

fn key(path: &str) -> String {
    path.replace('/', "\0")
}

fn path(key: &str) -> String {
    key.replace('\0', "/")
}

/// The group that an entry belongs to: its layer and the path of the file there.
fn group(entry: &TreeEntry, path: &str) -> Option<(usize, String)> {
    match &entry.node {
        Node::File { .. } => Some((entry.layer, path.to_owned())),
        Node::Hardlink { target, .. } => Some((entry.layer, target.clone())),
        _ => None,
    }
}

fn reversed(path: &str) -> Vec<String> {
    path.split('/').rev().map(str::to_owned).collect()
}
