//! Laws of what `inspect` says about layers: what is counted adds up to the merged tree.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use cornercast::digest::Digest;
use cornercast::inspection::Inspector;
use cornercast::layer::{Attributes, Entry, Node};
use cornercast::manifest::Manifest;
use proptest::prelude::*;

fn node() -> impl Strategy<Value = Node> {
    let file = (0_u64..4).prop_map(|size| Node::File {
        attributes: Attributes::default(),
        size,
        sha256: Digest::of(&size.to_be_bytes()),
    });
    let dir = any::<bool>().prop_map(|opaque| Node::Dir { attributes: Attributes::default(), opaque });
    prop_oneof![4 => file, 3 => dir, 2 => Just(Node::Whiteout)]
}

/// Entries of a layer, and with luck two more names of its first file, one of which sorts before it.
fn layer() -> impl Strategy<Value = Vec<Entry>> {
    let path = prop::collection::vec(prop::sample::select(&["b", "c", "d"][..]), 1..4)
        .prop_map(|components| components.join("/"));
    (prop::collection::btree_map(path, node(), 1..10), any::<bool>()).prop_map(|(nodes, linked)| {
        let mut entries: Vec<Entry> = nodes.into_iter().map(|(path, node)| Entry { path, node }).collect();
        let first = entries.iter().find(|entry| matches!(entry.node, Node::File { .. })).cloned();
        if let (true, Some(Entry { path: target, node: Node::File { attributes, size, sha256 } })) = (linked, first) {
            for name in ["a", "z"] {
                let node = Node::Hardlink { attributes: attributes.clone(), size, sha256, target: target.clone() };
                entries.push(Entry { path: name.to_owned(), node });
            }
        }
        entries
    })
}

/// A manifest, of which nothing is looked at here.
fn manifest() -> Manifest {
    let digest = Digest::of(b"").to_string();
    let text = format!(
        r#"{{"cornercast":"1.0","kind":"image","layers":[],"name":"example.com/a","platform":{{"architecture":"amd64","os":"linux"}},"rootfs":{{"digest":"{digest}","entries":0,"size":0}},"version":"1.0.0"}}"#
    );
    serde_json::from_str(&text).unwrap()
}

proptest! {
    #[test]
    fn counts_add_up_to_the_merged_tree(layers in prop::collection::vec(layer(), 1..5)) {
        let contents: u64 = layers
            .iter()
            .flatten()
            .map(|entry| if let Node::File { size, .. } = entry.node { size } else { 0 })
            .sum();
        let mut inspector = Inspector::default();
        for layer in layers {
            inspector.layer(layer);
        }
        let summary = inspector.summary();
        let inspection = inspector.finish(Digest::of(b""), manifest(), Some(usize::MAX));
        let sum = |count: fn(&cornercast::inspection::LayerEffect) -> u64| inspection.layers.iter().map(count).sum::<u64>();
        prop_assert_eq!(sum(|layer| layer.added.entries) - sum(|layer| layer.removed), summary.entries);
        prop_assert_eq!(contents - sum(|layer| layer.hidden), summary.size);
        let counts = inspection.counts;
        prop_assert_eq!(counts.directories + counts.files + counts.hardlinks + counts.symlinks, summary.entries);
        let lines = inspection.tree.unwrap();
        let files: u64 = lines.iter().filter(|line| line.kind == "file").map(|line| line.size).sum();
        prop_assert_eq!(files, summary.size);
    }
}
