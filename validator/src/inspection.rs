//! What an image holds and what each layer does to it, from the manifest and the listings alone.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::layer::{Entry, Node, Summary, Tree};
use crate::manifest::Manifest;

/// What `cornercast inspect --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// The image id.
    pub image: Digest,
    /// The manifest. Members that hold their default are left out, as in the image.
    pub manifest: Manifest,
    /// What the merged tree consists of.
    pub counts: Counts,
    /// What each layer does to the tree, lowest first.
    pub layers: Vec<LayerEffect>,
    /// Files that claim to sign the image. They are counted and not verified.
    pub signatures: u64,
    /// Files that claim to attest something of the image. They are counted and not verified.
    pub attestations: u64,
    /// The merged tree in the order of its listing, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<Vec<TreeLine>>,
}

/// Entries of the merged tree by type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Directories.
    pub directories: u64,
    /// Files, each counted under its first name.
    pub files: u64,
    /// Further names of files.
    pub hardlinks: u64,
    /// Symbolic links.
    pub symlinks: u64,
}

/// What a layer does to the tree below it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LayerEffect {
    /// Lines of its listing. What is not added, changed or repeated is a whiteout.
    pub entries: u64,
    /// Paths that were not there.
    pub added: Amount,
    /// Paths that were there, with anything about them different.
    pub changed: Amount,
    /// Paths that were there exactly so.
    pub repeated: Amount,
    /// Paths that are no longer there.
    pub removed: u64,
    /// Bytes of files of lower layers that no path leads to any more.
    pub hidden: u64,
}

/// Entries, and the bytes of the files among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Amount {
    /// How many.
    pub entries: u64,
    /// Bytes of the files. Further names of a file count nothing.
    pub size: u64,
}

/// An entry of the merged tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TreeLine {
    /// Its path.
    pub path: String,
    /// `dir`, `file`, `hardlink` or `symlink`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its mode; a symbolic link has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of the file; for a directory, of all files below. Further names of a file count nothing.
    pub size: u64,
    /// Entries below a directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<u64>,
    /// Where a link leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl TreeLine {
    /// How deep it is: 1 for an entry of the root.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.path.split('/').count()
    }
}

/// Takes the listings of an image, lowest first, and says what each does.
#[derive(Debug, Default)]
pub struct Inspector {
    tree: Tree,
    /// Bytes of the files that can be reached.
    size: u64,
    layers: Vec<LayerEffect>,
}

impl Inspector {
    /// Takes the entries of the next layer.
    pub fn layer(&mut self, entries: Vec<Entry>) {
        let mut effect = LayerEffect { entries: entries.len() as u64, ..LayerEffect::default() };
        let before = self.tree.len() as u64;
        for entry in &entries {
            let amount = match (self.tree.get(&entry.path), &entry.node) {
                (_, Node::Whiteout) => continue,
                (None, _) => &mut effect.added,
                (Some(old), node) if is_same(old.node, node) => &mut effect.repeated,
                (Some(_), _) => &mut effect.changed,
            };
            amount.entries += 1;
            if let Node::File { size, .. } = entry.node {
                amount.size = amount.size.saturating_add(size);
            }
        }
        self.tree.merge(entries);
        effect.removed = (before + effect.added.entries).saturating_sub(self.tree.len() as u64);
        let own = [effect.added, effect.changed, effect.repeated].iter().map(|amount| amount.size).sum::<u64>();
        let after = reachable(&self.tree);
        effect.hidden = self.size.saturating_add(own).saturating_sub(after);
        self.size = after;
        self.layers.push(effect);
    }

    /// The digest and the numbers of the tree that the layers merge to.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.tree.summary()
    }

    /// Everything that is known, the tree down to `depth` if there is one. Signatures are left at 0.
    #[must_use]
    pub fn finish(self, image: Digest, manifest: Manifest, depth: Option<usize>) -> Inspection {
        let lines = tree_lines(&self.tree);
        let mut counts = Counts::default();
        for line in &lines {
            *match line.kind.as_str() {
                "dir" => &mut counts.directories,
                "file" => &mut counts.files,
                "hardlink" => &mut counts.hardlinks,
                _ => &mut counts.symlinks,
            } += 1;
        }
        let tree = depth.map(|depth| lines.into_iter().filter(|line| line.depth() <= depth).collect());
        Inspection { image, manifest, counts, layers: self.layers, signatures: 0, attestations: 0, tree }
    }
}

/// Whether a layer repeats what is there; that a directory is opaque says nothing of the directory itself.
fn is_same(old: &Node, new: &Node) -> bool {
    match (old, new) {
        (Node::Dir { attributes: old, .. }, Node::Dir { attributes: new, .. }) => old == new,
        (old, new) => old == new,
    }
}

/// Bytes of the files of a tree, each counted once.
fn reachable(tree: &Tree) -> u64 {
    let mut lost_first_names = HashSet::new();
    let mut size = 0_u64;
    for (_, entry) in tree.iter() {
        match &entry.node {
            Node::File { size: file, .. } => size = size.saturating_add(*file),
            Node::Hardlink { target, size: file, .. } => {
                let first = tree.get(target).filter(|first| first.layer == entry.layer);
                let is_counted = first.is_some_and(|first| matches!(first.node, Node::File { .. }));
                if !is_counted && lost_first_names.insert((entry.layer, target)) {
                    size = size.saturating_add(*file);
                }
            }
            _ => {}
        }
    }
    size
}

/// The entries of a tree, with the totals of directories.
fn tree_lines(tree: &Tree) -> Vec<TreeLine> {
    let mut lines: Vec<TreeLine> = Vec::with_capacity(tree.len());
    // The directories that the entry is in, as indices.
    let mut open: Vec<usize> = Vec::new();
    for Entry { path, node } in tree.entries() {
        let line = tree_line(path, &node);
        open.truncate(line.depth() - 1);
        let size = if matches!(node, Node::File { .. }) { line.size } else { 0 };
        for index in &open {
            if let Some(directory) = lines.get_mut(*index) {
                directory.size = directory.size.saturating_add(size);
                directory.below = directory.below.map(|below| below + 1);
            }
        }
        if line.below.is_some() {
            open.push(lines.len());
        }
        lines.push(line);
    }
    lines
}

fn tree_line(path: String, node: &Node) -> TreeLine {
    let (uid, gid) = match node {
        Node::Symlink { uid, gid, .. } => (*uid, *gid),
        other => other.attributes().map_or((0, 0), |attributes| (attributes.uid, attributes.gid)),
    };
    let mode = node.attributes().map(|attributes| attributes.mode);
    let (kind, size, below, target) = match node {
        Node::File { size, .. } => ("file", *size, None, None),
        Node::Hardlink { size, target, .. } => ("hardlink", *size, None, Some(target.clone())),
        Node::Symlink { target, .. } => ("symlink", 0, None, Some(target.clone())),
        Node::Dir { .. } | Node::Whiteout => ("dir", 0, Some(0), None),
    };
    TreeLine { path, kind: kind.to_owned(), mode, uid, gid, size, below, target }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Attributes;

    fn entry(path: &str, node: Node) -> Entry {
        Entry { path: path.to_owned(), node }
    }

    fn dir(path: &str) -> Entry {
        entry(path, Node::Dir { attributes: Attributes::default(), opaque: false })
    }

    fn file(path: &str, size: u64) -> Entry {
        let sha256 = Digest::of(&size.to_be_bytes());
        entry(path, Node::File { attributes: Attributes::default(), size, sha256 })
    }

    fn link(path: &str, target: &str, size: u64) -> Entry {
        let (sha256, target) = (Digest::of(&size.to_be_bytes()), target.to_owned());
        entry(path, Node::Hardlink { attributes: Attributes::default(), size, sha256, target })
    }

    #[test]
    fn layers_add_change_repeat_and_remove() {
        let mut inspector = Inspector::default();
        inspector.layer(vec![dir("a"), file("a/gone", 5), file("a/new", 7), file("a/same", 11)]);
        inspector.layer(vec![
            dir("a"),
            entry("a/gone", Node::Whiteout),
            file("a/more", 13),
            file("a/new", 17),
            file("a/same", 11),
        ]);
        let amount = |entries, size| Amount { entries, size };
        let expected = LayerEffect {
            entries: 5,
            added: amount(1, 13),
            changed: amount(1, 17),
            repeated: amount(2, 11),
            removed: 1,
            hidden: 5 + 7 + 11,
        };
        assert_eq!(inspector.layers[1], expected);
        assert_eq!(inspector.summary().size, 13 + 17 + 11);
    }

    /// A file is hidden once all its names are.
    #[test]
    fn a_linked_file_is_hidden_with_its_last_name() {
        let mut inspector = Inspector::default();
        inspector.layer(vec![file("a", 5), link("b", "a", 5), link("c", "a", 5)]);
        inspector.layer(vec![entry("a", Node::Whiteout)]);
        inspector.layer(vec![entry("b", Node::Whiteout), entry("c", Node::Whiteout)]);
        let hidden: Vec<u64> = inspector.layers.iter().map(|layer| layer.hidden).collect();
        assert_eq!(hidden, [0, 0, 5]);
    }

    #[test]
    fn directories_have_totals() {
        let mut tree = Tree::default();
        tree.merge(vec![
            dir("a"),
            dir("a/b"),
            file("a/b/c", 5),
            link("a/b/d", "a/b/c", 5),
            file("a/e", 7),
            file("f", 1),
        ]);
        let totals: Vec<(String, u64, Option<u64>)> =
            tree_lines(&tree).into_iter().map(|line| (line.path, line.size, line.below)).collect();
        assert_eq!(totals[0], ("a".to_owned(), 12, Some(4)));
        assert_eq!(totals[1], ("a/b".to_owned(), 5, Some(2)));
    }
}
