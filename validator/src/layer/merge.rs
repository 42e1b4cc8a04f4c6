//! What the layers of an image merge to.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::entry::{Attributes, Entry, Node};
use super::line::{write_file_line, write_line};
use super::path::{depth_first, is_below};
use crate::digest::{Digest, Hasher};

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
    layers: Vec<Arc<Vec<Entry>>>,
    /// What is left of the layers, depth first.
    order: Vec<At>,
    /// Digest and length of the merged listing, while it is that of the only layer.
    listing: Option<(Digest, u64)>,
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy)]
struct At {
    layer: u32,
    entry: u32,
}

/// An entry of a tree, and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeEntry<'a> {
    /// What it is. A hard link still has the target that its layer gives it, and a directory is opaque if it
    /// is in its layer.
    pub node: &'a Node,
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

impl Tree {
    /// How many entries the tree has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether nothing has been merged in.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.layers.is_empty()
    }

    /// Whether the tree has no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The entry at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<TreeEntry<'_>> {
        let at = self.find(path)?;
        Some(TreeEntry { node: &self.entry(at)?.node, layer: at.layer as usize })
    }

    /// The entry at `path`, with the path as the tree holds it.
    #[must_use]
    pub fn get_key_value(&self, path: &str) -> Option<(&str, TreeEntry<'_>)> {
        let at = self.find(path)?;
        let Entry { path, node } = self.entry(at)?;
        Some((path, TreeEntry { node, layer: at.layer as usize }))
    }

    /// The entries as the layers have them, with their paths, in the order of a listing.
    pub fn iter(&self) -> impl Iterator<Item = (&str, TreeEntry<'_>)> {
        self.order.iter().filter_map(|at| {
            let Entry { path, node } = self.entry(*at)?;
            Some((path.as_str(), TreeEntry { node, layer: at.layer as usize }))
        })
    }

    /// The file at `path`, or the one that the hard link there leads to: its layer and its number among
    /// the entries of that layer, both counted from 0.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<(usize, usize)> {
        let at = self.find(path)?;
        match &self.entry(at)?.node {
            Node::File { .. } => Some((at.layer as usize, at.entry as usize)),
            Node::Hardlink { target, .. } => {
                // The file may be hidden by a higher layer, so it is looked for in its own.
                let layer = self.layers.get(at.layer as usize)?;
                let is_target = |entry: &Entry| entry.node != Node::Whiteout && entry.path == *target;
                Some((at.layer as usize, layer.get(..at.entry as usize)?.iter().position(is_target)?))
            }
            _ => None,
        }
    }

    fn find(&self, path: &str) -> Option<At> {
        let found = self.order.binary_search_by(|at| depth_first(self.path(*at), path)).ok()?;
        self.order.get(found).copied()
    }

    fn entry(&self, at: At) -> Option<&Entry> {
        self.layers.get(at.layer as usize)?.get(at.entry as usize)
    }

    fn path(&self, at: At) -> &str {
        self.entry(at).map_or("", |entry| &entry.path)
    }

    /// The tree of the lowest layer, whose listing has this digest and length in bytes.
    ///
    /// If nothing in the layer hides anything, the merged listing is that of the layer.
    #[must_use]
    pub fn of_layer(layer: impl Into<Arc<Vec<Entry>>>, listing: Digest, size: u64) -> Self {
        let layer = layer.into();
        let hides = |entry: &Entry| matches!(entry.node, Node::Whiteout | Node::Dir { opaque: true, .. });
        let is_same = !layer.iter().any(hides);
        let mut tree = Self::default();
        tree.merge(layer);
        tree.listing = is_same.then_some((listing, size));
        tree
    }

    /// Merges the next layer in.
    pub fn merge(&mut self, layer: impl Into<Arc<Vec<Entry>>>) {
        let layer = layer.into();
        self.listing = None;
        let number = u32::try_from(self.layers.len()).unwrap_or(u32::MAX);
        // Steps 1 and 2
        let mut hidden = Vec::new();
        for Entry { path, node } in layer.iter() {
            match node {
                Node::Dir { opaque: true, .. } => hidden.push(self.below(path)),
                Node::Whiteout => {
                    let below = self.below(path);
                    let itself = usize::from(self.find(path).is_some());
                    hidden.push(below.start - itself..below.end);
                }
                _ => {}
            }
        }
        self.remove(hidden);
        // Step 3
        let mut merged = Vec::with_capacity(self.order.len() + layer.len());
        let mut rest = self.order.as_slice();
        for index in depth_first_order(&layer) {
            let Some(Entry { path, node }) = layer.get(index as usize) else { continue };
            let (before, from_here) = split_while(rest, |at| depth_first(self.path(*at), path) == Ordering::Less);
            merged.extend_from_slice(before);
            rest = from_here;
            let old = rest.first().and_then(|at| self.entry(*at)).filter(|old| old.path == *path);
            let keeps_children =
                matches!(node, Node::Dir { .. }) && old.is_some_and(|old| matches!(old.node, Node::Dir { .. }));
            rest = rest.get(usize::from(old.is_some())..).unwrap_or_default();
            if !keeps_children {
                rest = split_while(rest, |at| is_below(self.path(*at), path)).1;
            }
            merged.push(At { layer: number, entry: index });
        }
        merged.extend_from_slice(rest);
        self.order = merged;
        self.layers.push(layer);
    }

    /// The places in the order of everything below `path`.
    fn below(&self, path: &str) -> Range<usize> {
        let start = self.order.partition_point(|at| depth_first(self.path(*at), path) != Ordering::Greater);
        let rest = self.order.get(start..).unwrap_or_default();
        start..start + rest.partition_point(|at| is_below(self.path(*at), path))
    }

    fn remove(&mut self, mut places: Vec<Range<usize>>) {
        if places.is_empty() {
            return;
        }
        places.sort_by_key(|range| range.start);
        let mut places = places.into_iter().peekable();
        let mut index = 0;
        self.order.retain(|_| {
            while places.next_if(|range| range.end <= index).is_some() {}
            let is_hidden = places.peek().is_some_and(|range| range.contains(&index));
            index += 1;
            !is_hidden
        });
    }

    /// The entries of the merged listing in order, hard links among what is left of their groups.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        let groups = self.groups();
        self.order.iter().filter_map(move |at| {
            let Entry { path, node } = self.entry(*at)?;
            let node = match (content(node), self.first_of_group(&groups, *at)) {
                (Some((attributes, size, sha256)), Some(first)) if first != path => {
                    Node::Hardlink { attributes: attributes.clone(), size, sha256, target: first.to_owned() }
                }
                (Some((attributes, size, sha256)), _) => Node::File { attributes: attributes.clone(), size, sha256 },
                (None, _) => merged(node).into_owned(),
            };
            Some(Entry { path: path.clone(), node })
        })
    }

    /// Where each of these [`entries`](Self::entries) comes from: its layer, and its number among the entries of
    /// that layer, both counted from 0.
    pub fn origins(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.order.iter().map(|at| (at.layer as usize, at.entry as usize))
    }

    /// For each group of linked names, by the layer and path of its file, the first one that is left.
    fn groups(&self) -> Groups<'_> {
        let mut groups: Groups<'_> = self
            .order
            .iter()
            .filter_map(|at| match &self.entry(*at)?.node {
                Node::Hardlink { target, .. } => Some(((at.layer, target.as_str()), "")),
                _ => None,
            })
            .collect();
        if groups.is_empty() {
            return groups;
        }
        for at in &self.order {
            let Some(entry) = self.entry(*at) else { continue };
            if let Some(first) = groups.get_mut(&(at.layer, group(entry))).filter(|first| first.is_empty()) {
                *first = &entry.path;
            }
        }
        groups
    }

    /// The first name that is left of the group of the entry at `at`, if it has one.
    fn first_of_group<'a>(&'a self, groups: &Groups<'a>, at: At) -> Option<&'a str> {
        if groups.is_empty() {
            return None;
        }
        groups.get(&(at.layer, group(self.entry(at)?))).copied()
    }

    /// Calls `line` with each line of the merged listing, its newline included.
    pub fn for_each_line(&self, mut line: impl FnMut(&[u8])) {
        let groups = self.groups();
        let mut buffer = Vec::new();
        for at in &self.order {
            let Some(Entry { path, node }) = self.entry(*at) else { continue };
            buffer.clear();
            match content(node) {
                Some((attributes, size, sha256)) => {
                    let target = self.first_of_group(&groups, *at).filter(|first| first != path);
                    write_file_line(&mut buffer, path, attributes, size, sha256, target);
                }
                None => write_line(&mut buffer, path, &merged(node)),
            }
            line(&buffer);
        }
    }

    /// The digest and the numbers of the merged listing.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let (digest, bytes) = self.listing.unwrap_or_else(|| self.hash_lines());
        let groups = self.groups();
        let mut size = 0_u64;
        for at in &self.order {
            let Some(Entry { path, node }) = self.entry(*at) else { continue };
            if let Some((_, bytes, _)) = content(node)
                && self.first_of_group(&groups, *at).is_none_or(|first| first == path)
            {
                size = size.saturating_add(bytes);
            }
        }
        Summary { entries: self.order.len() as u64, size, bytes, digest }
    }

    fn hash_lines(&self) -> (Digest, u64) {
        let mut hasher = Hasher::default();
        self.for_each_line(|line| hasher.update(line));
        let size = hasher.size();
        (hasher.finish(), size)
    }
}

/// Names of files by the layer and path of the file in a group of linked names.
type Groups<'a> = HashMap<(u32, &'a str), &'a str>;

/// The path of the file that a name leads to, in its layer.
fn group(entry: &Entry) -> &str {
    match &entry.node {
        Node::Hardlink { target, .. } => target,
        _ => &entry.path,
    }
}

/// What the names of a file have in common.
fn content(node: &Node) -> Option<(&Attributes, u64, Digest)> {
    match node {
        Node::File { attributes, size, sha256 } | Node::Hardlink { attributes, size, sha256, .. } => {
            Some((attributes, *size, *sha256))
        }
        _ => None,
    }
}

/// An entry as the merged tree has it: no directory is opaque there.
fn merged(node: &Node) -> Cow<'_, Node> {
    match node {
        Node::Dir { attributes, opaque: true } => {
            Cow::Owned(Node::Dir { attributes: attributes.clone(), opaque: false })
        }
        _ => Cow::Borrowed(node),
    }
}

/// The numbers of the entries of a layer that are no whiteouts, sorted by their paths, as they mostly are.
fn depth_first_order(layer: &[Entry]) -> Vec<u32> {
    let path = |index: &u32| layer.get(*index as usize).map_or("", |entry| entry.path.as_str());
    let compare = |a: &u32, b: &u32| depth_first(path(a), path(b));
    let entries = (0..).zip(layer).filter(|(_, entry)| entry.node != Node::Whiteout);
    let mut order: Vec<u32> = entries.map(|(index, _)| index).collect();
    if !order.is_sorted_by(|a, b| compare(a, b) == Ordering::Less) {
        order.sort_by(compare);
    }
    order
}

/// Splits `places` after the first ones for which `belongs` is true; a few of them are looked at when
/// there are a few, so that merging a small layer into a large tree is quick.
fn split_while(places: &[At], belongs: impl Fn(&At) -> bool) -> (&[At], &[At]) {
    let mut step = 1;
    while places.get(step - 1).is_some_and(&belongs) {
        step *= 2;
    }
    let (from, to) = (step / 2, (step - 1).min(places.len()));
    let between = places.get(from..to).unwrap_or_default();
    places.split_at(from + between.partition_point(belongs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, node: Node) -> Entry {
        Entry { path: path.to_owned(), node }
    }

    fn dir(path: &str) -> Entry {
        entry(path, Node::Dir { attributes: Attributes::default(), opaque: false })
    }

    fn symlink(path: &str, target: &str) -> Entry {
        entry(path, Node::Symlink { uid: 0, gid: 0, mtime: 0, target: target.to_owned() })
    }

    #[test]
    fn a_tree_grows_and_shrinks() {
        let mut tree = Tree::default();
        assert_eq!((tree.is_new(), tree.is_empty(), tree.len()), (true, true, 0));
        tree.merge(vec![dir("a"), dir("a/b")]);
        assert_eq!((tree.is_new(), tree.is_empty(), tree.len()), (false, false, 2));
        tree.merge(vec![entry("a", Node::Whiteout)]);
        assert_eq!((tree.is_new(), tree.is_empty(), tree.len()), (false, true, 0));
    }

    #[test]
    fn a_layer_that_is_out_of_order_is_sorted() {
        let mut tree = Tree::default();
        tree.merge(vec![dir("b"), dir("a"), entry("c", Node::Whiteout), dir("a/x")]);
        let paths: Vec<&str> = tree.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["a", "a/x", "b"]);
        let mut tree = Tree::default();
        tree.merge(vec![dir("c"), dir("b"), dir("a")]);
        let entries: Vec<Entry> = tree.entries().collect();
        assert_eq!(entries, [dir("a"), dir("b"), dir("c")]);
    }

    #[test]
    fn entries_come_from_layers() {
        let mut tree = Tree::default();
        tree.merge(vec![dir("a"), dir("b"), dir("c")]);
        tree.merge(vec![entry("a", Node::Whiteout), symlink("b", "c"), dir("d")]);
        let origins: Vec<(usize, usize)> = tree.origins().collect();
        assert_eq!(origins, [(1, 1), (0, 2), (1, 2)]);
    }
}
