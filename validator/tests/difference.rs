//! Laws of differences between trees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};

use cornercast::difference::{Attribute, Change, between_trees};
use cornercast::digest::Digest;
use cornercast::layer::{Attributes, Entry, Node, Tree, Xattrs};
use proptest::prelude::*;

fn attributes() -> impl Strategy<Value = Attributes> {
    let xattrs = prop_oneof![Just(Xattrs::new()), Just(Xattrs::from([("user.a".to_owned(), vec![1])]))];
    (prop_oneof![Just(0o644), Just(0o755)], 0_u32..2, 0_u32..2, 0_u64..2, xattrs)
        .prop_map(|(mode, uid, gid, mtime, xattrs)| Attributes { mode, uid, gid, mtime, xattrs })
}

fn node() -> impl Strategy<Value = Node> {
    let file = (attributes(), 0_u8..3).prop_map(|(attributes, content)| Node::File {
        attributes,
        size: u64::from(content),
        sha256: Digest::of(&vec![0; content.into()]),
    });
    let dir = attributes().prop_map(|attributes| Node::Dir { attributes, opaque: false });
    let symlink = (0_u32..2, "[ab]").prop_map(|(uid, target)| Node::Symlink { uid, gid: 0, mtime: 0, target });
    prop_oneof![3 => file, 3 => dir, 1 => symlink]
}

/// Trees of few names, some of which sort otherwise as strings than as components.
fn tree() -> impl Strategy<Value = Tree> {
    let path = prop::collection::vec(prop::sample::select(&["a", "a.", "a0", "b"][..]), 1..4)
        .prop_map(|components| components.join("/"));
    (prop::collection::btree_map(path, node(), 0..12), any::<bool>()).prop_map(|(nodes, linked)| {
        let mut entries: Vec<Entry> = nodes.into_iter().map(|(path, node)| Entry { path, node }).collect();
        let first = entries.iter().find(|entry| matches!(entry.node, Node::File { .. })).cloned();
        if let (true, Some(Entry { path, node: Node::File { attributes, size, sha256 } })) = (linked, first) {
            let node = Node::Hardlink { attributes, size, sha256, target: path };
            entries.push(Entry { path: "c".to_owned(), node });
        }
        let mut tree = Tree::default();
        tree.merge(entries);
        tree
    })
}

fn between(a: &Tree, b: &Tree) -> Vec<Change> {
    between_trees(a.entries(), b.entries(), &BTreeSet::new())
}

fn mirrored(change: Change) -> Change {
    match change {
        Change::Added { after } => Change::Removed { before: after },
        Change::Removed { before } => Change::Added { after: before },
        Change::Changed { attributes, before, after } => Change::Changed { attributes, before: after, after: before },
    }
}

fn nodes(tree: &Tree) -> BTreeMap<String, Node> {
    tree.entries().map(|entry| (entry.path, entry.node)).collect()
}

proptest! {
    #[test]
    fn a_tree_does_not_differ_from_itself(a in tree()) {
        prop_assert_eq!(between(&a, &a), []);
    }

    #[test]
    fn the_other_way_round_is_the_mirror(a in tree(), b in tree()) {
        let mirror: Vec<Change> = between(&b, &a).into_iter().map(mirrored).collect();
        prop_assert_eq!(between(&a, &b), mirror);
    }

    /// A difference says everything: applied to one tree it gives the other.
    #[test]
    fn a_difference_leads_from_one_tree_to_the_other(a in tree(), b in tree()) {
        let mut nodes_of_a = nodes(&a);
        for change in between(&a, &b) {
            match change {
                Change::Added { after } => prop_assert_eq!(nodes_of_a.insert(after.path, after.node), None),
                Change::Removed { before } => prop_assert_eq!(nodes_of_a.remove(&before.path), Some(before.node)),
                Change::Changed { before, after, .. } => {
                    prop_assert_eq!(nodes_of_a.insert(after.path, after.node), Some(before.node));
                }
            }
        }
        prop_assert_eq!(nodes_of_a, nodes(&b));
    }

    /// What is ignored is not among the attributes, and everything else still is.
    #[test]
    fn ignoring_hides_nothing_else(a in tree(), b in tree()) {
        let ignored = BTreeSet::from([Attribute::Mtime, Attribute::Owner]);
        let expected: Vec<Change> = between(&a, &b)
            .into_iter()
            .filter_map(|change| match change {
                Change::Changed { mut attributes, before, after } => {
                    attributes.retain(|attribute| !ignored.contains(attribute));
                    (!attributes.is_empty()).then_some(Change::Changed { attributes, before, after })
                }
                other => Some(other),
            })
            .collect();
        prop_assert_eq!(between_trees(a.entries(), b.entries(), &ignored), expected);
    }
}
