//! The tree that layers merge to (OCI-073, OCI-074, OCI-075, OCI-080).

use std::collections::BTreeMap;
use std::ops::Bound;

use super::layer::{Below, Change, Content, Item, Layer};
use super::path::{join, parent};
use super::violations::Violations;
use crate::clause;
use crate::diagnostic::Violation;
use crate::shown::shown_bytes;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Directory,
    File { mode: u32, content: Content },
    Symlink(Box<[u8]>),
    Special,
}

/// A tree: everything but its root.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: BTreeMap<Box<[u8]>, Node>,
}

impl Tree {
    /// What stands at a clean path, no link followed.
    pub(super) fn get(&self, path: &[u8]) -> Option<&Node> {
        if path.is_empty() { Some(&Node::Directory) } else { self.nodes.get(path) }
    }

    fn below(&self, path: &[u8]) -> Below {
        match self.get(path) {
            None => Below::Nothing,
            Some(Node::Directory) => Below::Directory,
            Some(_) => Below::Other,
        }
    }

    /// Removes everything below `path`.
    fn clear(&mut self, path: &[u8]) {
        if path.is_empty() {
            self.nodes.clear();
            return;
        }
        let (first, last) = (join(path, b""), [path, b"0"].concat());
        let below: Vec<Box<[u8]>> = self
            .nodes
            .range::<[u8], _>((Bound::Included(first.as_slice()), Bound::Excluded(last.as_slice())))
            .map(|(path, _)| path.clone())
            .collect();
        for path in below {
            self.nodes.remove(&path);
        }
    }

    fn remove(&mut self, path: &[u8]) {
        if let Some(Node::Directory) = self.nodes.remove(path) {
            self.clear(path);
        }
    }

    /// What is wrong with a layer that is applied to this tree.
    pub(super) fn judge(&self, layer: &Layer, out: &mut Violations) {
        if layer.complete {
            layer.judge_links(&|path| Some(self.below(path)), out);
        }
        let mut has_orphan = false;
        for item in layer.items.iter().filter(|item| !item.is_blocked) {
            // OCI-073: a link of this tree in the way, which the layer does not replace.
            let mut above = parent(&item.path);
            let mut link = None;
            while let Some(path) = above.filter(|path| !path.is_empty()) {
                if let (None, Some(Node::Symlink(target))) = (layer.get(path), self.get(path)) {
                    link = Some((path, target));
                }
                above = parent(path);
            }
            if let Some((path, target)) = link {
                let message = format!(
                    "the entry stands below \"{}\", which lower layers have as a symbolic link to \"{}\"",
                    shown_bytes(path),
                    shown_bytes(target)
                );
                out.add(Violation::new(&clause::OCI_073, item.place(), message));
                continue;
            }
            // OCI-080
            let directory = parent(&item.path).filter(|directory| !directory.is_empty());
            if let Some(directory) = directory.filter(|_| !has_orphan)
                && layer.get(directory).is_none()
                && self.get(directory) != Some(&Node::Directory)
            {
                has_orphan = true;
                let message = format!("no layer has the directory \"{}\" of the entry", shown_bytes(directory));
                out.add(Violation::new(&clause::OCI_080, item.place(), message));
            }
        }
    }

    /// Applies a layer.
    pub(super) fn apply(&mut self, layer: &Layer) {
        for item in &layer.items {
            if item.change == Change::Opaque {
                self.clear(parent(&item.path).unwrap_or_default());
            }
        }
        for item in &layer.items {
            if let Change::Whiteout(hidden) = &item.change {
                self.remove(hidden);
            }
        }
        for item in layer.items.iter().filter(|item| !item.is_marker() && !item.path.is_empty()) {
            self.put(item);
        }
    }

    fn put(&mut self, item: &Item) {
        let node = match &item.change {
            Change::Directory => Node::Directory,
            Change::File { mode, content } => Node::File { mode: *mode, content: content.clone() },
            Change::Symlink(target) => Node::Symlink(target.clone()),
            Change::Hardlink(target) => match target.as_ref().and_then(|target| self.get(target)) {
                None | Some(Node::Directory) => return,
                Some(other) => other.clone(),
            },
            Change::Special | Change::Whiteout(_) | Change::Opaque => Node::Special,
        };
        if !self.make_parents(&item.path) {
            return;
        }
        if node != Node::Directory || self.get(&item.path) != Some(&Node::Directory) {
            self.remove(&item.path);
        }
        self.nodes.insert(item.path.clone(), node);
    }

    /// Makes the directories above `path`; `false` if something else stands in their place.
    fn make_parents(&mut self, path: &[u8]) -> bool {
        let Some(directory) = parent(path).filter(|directory| !directory.is_empty()) else { return true };
        match self.get(directory) {
            Some(node) => *node == Node::Directory,
            None => {
                let is_made = self.make_parents(directory);
                if is_made {
                    self.nodes.insert(directory.into(), Node::Directory);
                }
                is_made
            }
        }
    }

    /// What a path leads to, links followed inside the root, `most` in all.
    pub(super) fn resolve(&self, path: &[u8], most: usize) -> Option<&Node> {
        let mut todo: Vec<Vec<u8>> = components(path);
        let mut here: Vec<u8> = Vec::new();
        let mut links = 0;
        while let Some(component) = todo.pop() {
            if component == b".." {
                here = parent(&here).unwrap_or_default().to_vec();
                continue;
            }
            let next = join(&here, &component);
            match self.get(&next)? {
                Node::Symlink(target) => {
                    links += 1;
                    if links > most {
                        return None;
                    }
                    if target.starts_with(b"/") {
                        here.clear();
                    }
                    todo.extend(components(target));
                }
                Node::Directory => here = next,
                other if todo.is_empty() => return Some(other),
                _ => return None,
            }
        }
        self.get(&here)
    }
}

/// The components of a path, last first, without those that mean nothing.
pub(super) fn components(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    let mut parts: Vec<Vec<u8>> = parts.map(<[u8]>::to_vec).collect();
    parts.reverse();
    parts
}

#[cfg(test)]
mod tests {
    use super::super::layer::Walker;
    use super::*;
    use crate::limits::Limits;
    use crate::tar::{END, EntryHeader, header_bytes};

    /// A layer of files, directories (`d/`), symbolic links (`l -> t`) and hard links (`h = t`).
    fn layer(entries: &[&str]) -> Layer {
        let mut walker = Walker::new(&Limits::FORMAT);
        for entry in entries {
            let (typeflag, path, target) = match (entry.split_once(" -> "), entry.split_once(" = ")) {
                (Some((path, target)), _) => (b'2', path, target),
                (_, Some((path, target))) => (b'1', path, target),
                _ if entry.ends_with('/') => (b'5', *entry, ""),
                _ => (b'0', *entry, ""),
            };
            walker.push(&header_bytes(&EntryHeader { typeflag, path, target, mode: 0o755, ..EntryHeader::default() }));
        }
        walker.push(&END);
        walker.finish(false).0
    }

    fn merged(layers: &[&[&str]]) -> Tree {
        let mut tree = Tree::default();
        layers.iter().for_each(|entries| tree.apply(&layer(entries)));
        tree
    }

    /// What is in the merged tree, sorted, written as for [`layer`].
    fn entries(layers: &[&[&str]]) -> Vec<String> {
        let nodes = merged(layers).nodes.into_iter();
        let entry = |(path, node): (Box<[u8]>, Node)| {
            let path = String::from_utf8_lossy(&path).into_owned();
            match node {
                Node::Directory => path + "/",
                Node::File { .. } => path,
                Node::Symlink(target) => format!("{path} -> {}", String::from_utf8_lossy(&target)),
                Node::Special => path + " is special",
            }
        };
        nodes.map(entry).collect()
    }

    #[test]
    fn an_opaque_directory_hides_what_lower_layers_have_in_it() {
        let lower = ["d/", "d/a", "d/e/", "d/e/b", "d0", "f/", "f/c"];
        assert_eq!(entries(&[&lower, &["d/.wh..wh..opq", "d/x", "f/y"]]), ["d/", "d/x", "d0", "f/", "f/c", "f/y"]);
        assert_eq!(entries(&[&lower, &["x", ".wh..wh..opq"]]), ["x"]);
    }

    #[test]
    fn a_whiteout_hides_a_path_and_everything_below_it() {
        let lower = ["d/", "d/a", "d/e/", "d/e/b", "d0", "f"];
        assert_eq!(entries(&[&lower, &["./", ".wh.d", ".wh.f", ".wh.none"]]), ["d0"]);
        assert_eq!(entries(&[&lower, &[".wh.d", "d/x", ".wh.f", "f"]]), ["d/", "d/x", "d0", "f"]);
    }

    #[test]
    fn only_a_directory_keeps_what_is_below_it() {
        let lower = ["d/", "d/a"];
        assert_eq!(entries(&[&lower, &["d/"]]), ["d/", "d/a"]);
        assert_eq!(entries(&[&lower, &["d"]]), ["d"]);
        assert_eq!(entries(&[&lower, &["d -> x"]]), ["d -> x"]);
        assert_eq!(entries(&[&["d"], &["d/"]]), ["d/"]);
    }

    #[test]
    fn directories_are_made_but_not_of_something_else() {
        assert_eq!(entries(&[&["a/b/c"]]), ["a/", "a/b/", "a/b/c"]);
        assert_eq!(entries(&[&["a"], &["a/b/c"]]), ["a"]);
        assert_eq!(entries(&[&["a -> b", "b/"], &["a/c"]]), ["a -> b", "b/"]);
    }

    #[test]
    fn a_hard_link_is_what_it_leads_to() {
        assert_eq!(entries(&[&["a", "l -> a", "b = a", "c = l"]]), ["a", "b", "c -> a", "l -> a"]);
        assert_eq!(entries(&[&["d/"], &["a = d", "b = none"]]), ["d/"]);
    }

    #[test]
    fn links_are_followed_inside_the_root() {
        let tree = merged(&[&["d/", "d/f", "one -> d/f", "two -> one", "d/up -> ../../d/up2", "d/up2 -> /one"]]);
        let is_file = |path: &str, most| matches!(tree.resolve(path.as_bytes(), most), Some(Node::File { .. }));
        for (path, links) in [("d/f", 0), ("/one", 1), ("two", 2), ("d/up", 3), ("d/../d/./f", 0), ("../d/f", 0)] {
            assert!(is_file(path, links), "{path}");
            assert!(links == 0 || !is_file(path, links - 1), "{path}");
        }
        for path in ["none", "d", "", "d/f/x", "one/..", "d/none/../f"] {
            assert!(!is_file(path, 9), "{path}");
        }
        assert_eq!(tree.resolve(b"d/..", 0), Some(&Node::Directory));
    }
}
