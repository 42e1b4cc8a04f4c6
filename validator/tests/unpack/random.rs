//! Random images, in which the layers often say something about the same paths.

use std::collections::{BTreeMap, BTreeSet};

use cornercast::digest::Digest;
use cornercast::layer::{Attributes, Entry, Node, Xattrs, join};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::image::Sample;

/// What stands in a directory.
#[derive(Debug, Clone)]
enum Item {
    File(Attributes, Vec<u8>),
    /// A link to one of the files before it, if there is one.
    Hardlink(Index),
    Symlink(u32, u32, u64, String),
    Dir(Attributes, bool, BTreeSet<String>, BTreeMap<String, Item>),
}

/// Puts what stands in `directory` behind the entries so far.
fn add(
    sample: &mut Sample,
    directory: &str,
    opaque: bool,
    whiteouts: &BTreeSet<String>,
    items: &BTreeMap<String, Item>,
) {
    for name in whiteouts.iter().filter(|name| !opaque && !items.contains_key(*name)) {
        sample.entries.push(Entry { path: join(directory, name), node: Node::Whiteout });
    }
    for (name, item) in items {
        let path = join(directory, name);
        match item {
            Item::File(attributes, content) => {
                let (size, sha256) = (content.len() as u64, Digest::of(content));
                let node = Node::File { attributes: attributes.clone(), size, sha256 };
                sample.entries.push(Entry { path: path.clone(), node });
                sample.contents.insert(path, content.clone());
            }
            Item::Hardlink(pick) => {
                let files = sample.entries.iter().filter(|entry| matches!(entry.node, Node::File { .. }));
                let files: Vec<&Entry> = files.collect();
                if files.is_empty() {
                    continue;
                }
                let Entry { path: target, node } = files[pick.index(files.len())].clone();
                if let Node::File { attributes, size, sha256 } = node {
                    sample.entries.push(Entry { path, node: Node::Hardlink { attributes, size, sha256, target } });
                }
            }
            Item::Symlink(uid, gid, mtime, target) => {
                let node = Node::Symlink { uid: *uid, gid: *gid, mtime: *mtime, target: target.clone() };
                sample.entries.push(Entry { path, node });
            }
            Item::Dir(attributes, mark, whiteouts, below) => {
                let mark = *mark && !opaque;
                let node = Node::Dir { attributes: attributes.clone(), opaque: mark };
                sample.entries.push(Entry { path: path.clone(), node });
                add(sample, &path, opaque || mark, whiteouts, below);
            }
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-d]",
        2 => select(vec!["...".to_owned(), "é".repeat(127), "n".repeat(255), "a b\\".to_owned(), "-rf".to_owned()]),
    ]
}

fn id() -> impl Strategy<Value = u32> {
    prop_oneof![2 => Just(0), 2 => 0..70_000_u32, 1 => select(vec![u32::MAX - 1, 65_534])]
}

fn mtime() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0..2_000_000_000_u64, 1 => select(vec![0, 1 << 31, (1 << 33) - 1])]
}

fn xattrs() -> impl Strategy<Value = Xattrs> {
    btree_map("user\\.[a-z]{1,12}", vec(any::<u8>(), 1..120), 0..2)
}

fn attributes() -> impl Strategy<Value = Attributes> {
    (0..0o10000_u32, id(), id(), mtime(), xattrs()).prop_map(|(mode, uid, gid, mtime, xattrs)| Attributes {
        mode,
        uid,
        gid,
        mtime,
        xattrs,
    })
}

fn file() -> impl Strategy<Value = Item> {
    let content = prop_oneof![vec(any::<u8>(), 0..20), vec(any::<u8>(), 500..530)];
    (attributes(), content, prop::bool::weighted(0.2)).prop_map(|(mut attributes, content, capable)| {
        if capable {
            let value = [&[1, 0, 0, 2][..], &[0; 16]].concat();
            attributes.xattrs.insert("security.capability".to_owned(), value);
        }
        Item::File(attributes, content)
    })
}

fn item() -> impl Strategy<Value = Item> {
    let target = prop_oneof![2 => "[a-d./]{1,9}", 1 => select(vec!["../canary/file".to_owned(), "/etc".to_owned()])];
    let leaf = prop_oneof![
        3 => file(),
        1 => any::<Index>().prop_map(Item::Hardlink),
        1 => (id(), id(), mtime(), target).prop_map(|(uid, gid, mtime, target)| Item::Symlink(uid, gid, mtime, target)),
    ];
    leaf.prop_recursive(3, 10, 4, |item| {
        (attributes(), prop::bool::weighted(0.2), btree_set(name(), 0..2), btree_map(name(), item, 0..4))
            .prop_map(|(attributes, opaque, whiteouts, below)| Item::Dir(attributes, opaque, whiteouts, below))
    })
}

/// A layer with at least one entry.
fn sample() -> impl Strategy<Value = Sample> {
    (btree_set(name(), 0..3), btree_map(name(), item(), 1..5))
        .prop_map(|(whiteouts, items)| {
            let mut sample = Sample::default();
            add(&mut sample, "", false, &whiteouts, &items);
            sample
        })
        .prop_filter("a link without a file", |sample| !sample.entries.is_empty())
}

/// Layers, lowest first.
pub(crate) fn layers() -> impl Strategy<Value = Vec<Sample>> {
    vec(sample(), 0..4)
}
