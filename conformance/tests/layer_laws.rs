//! Laws of layers and listings, on random trees.
//!
//! `PROPTEST_RNG_SEED` makes a run again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use cornercast::diagnostic::Violation;
use cornercast::digest::Digest;
use cornercast::layer::{
    Attributes, Entry, LayerWriter, ListingKind, Node, Walk, Walker, Xattrs, join, read_listing, write_line,
};
use cornercast::limits::Limits;
use cornercast_conformance::fixtures::tar::{Tar, field};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What stands in a directory.
#[derive(Debug, Clone)]
enum Item {
    File(Attributes, Vec<u8>),
    /// A link to one of the files before it, if there is one.
    Hardlink(Index),
    Symlink(u32, u32, u64, String),
    Dir(Attributes, bool, BTreeSet<String>, BTreeMap<String, Item>),
}

/// The root: its whiteouts and what stands in it.
type Root = (BTreeSet<String>, BTreeMap<String, Item>);

/// Entries of a layer in their order, and the contents of the files by path.
#[derive(Debug, Clone, Default)]
struct Sample {
    entries: Vec<Entry>,
    contents: BTreeMap<String, Vec<u8>>,
}

impl Sample {
    /// Puts what stands in `directory` behind the entries so far.
    fn add(&mut self, directory: &str, opaque: bool, whiteouts: &BTreeSet<String>, items: &BTreeMap<String, Item>) {
        for name in whiteouts.iter().filter(|name| !opaque && !items.contains_key(*name)) {
            self.entries.push(Entry { path: join(directory, name), node: Node::Whiteout });
        }
        for (name, item) in items {
            let path = join(directory, name);
            match item {
                Item::File(attributes, content) => {
                    let (size, sha256) = (content.len() as u64, Digest::of(content));
                    let node = Node::File { attributes: attributes.clone(), size, sha256 };
                    self.entries.push(Entry { path: path.clone(), node });
                    self.contents.insert(path, content.clone());
                }
                Item::Hardlink(pick) => self.entries.extend(self.link(path, pick)),
                Item::Symlink(uid, gid, mtime, target) => {
                    let node = Node::Symlink { uid: *uid, gid: *gid, mtime: *mtime, target: target.clone() };
                    self.entries.push(Entry { path, node });
                }
                Item::Dir(attributes, mark, whiteouts, below) => {
                    let mark = *mark && !opaque;
                    let node = Node::Dir { attributes: attributes.clone(), opaque: mark };
                    self.entries.push(Entry { path: path.clone(), node });
                    self.add(&path, opaque || mark, whiteouts, below);
                }
            }
        }
    }

    /// A hard link to one of the files so far.
    fn link(&self, path: String, pick: &Index) -> Option<Entry> {
        let is_file = |entry: &&Entry| matches!(entry.node, Node::File { .. });
        let files: Vec<&Entry> = self.entries.iter().filter(is_file).collect();
        let Node::File { attributes, size, sha256 } = &files.get(pick.index(files.len().max(1)))?.node else {
            return None;
        };
        let target = files[pick.index(files.len())].path.clone();
        let node = Node::Hardlink { attributes: attributes.clone(), size: *size, sha256: *sha256, target };
        Some(Entry { path, node })
    }

    /// The same without the extended attributes that have a newline in their value.
    fn without_newlines(mut self) -> Self {
        for entry in &mut self.entries {
            if let Node::File { attributes, .. } | Node::Hardlink { attributes, .. } | Node::Dir { attributes, .. } =
                &mut entry.node
            {
                attributes.xattrs.retain(|_, value| !value.contains(&b'\n'));
            }
        }
        self
    }

    fn layer(&self) -> Vec<u8> {
        let mut writer = LayerWriter::new(Vec::new());
        for entry in &self.entries {
            let content = self.contents.get(&entry.path).map(Vec::as_slice).unwrap_or_default();
            writer.entry(entry, &mut &*content).unwrap();
        }
        writer.finish().unwrap()
    }

    fn listing(&self) -> Vec<u8> {
        let mut listing = Vec::new();
        for Entry { path, node } in &self.entries {
            write_line(&mut listing, path, node);
        }
        listing
    }
}

fn name() -> impl Strategy<Value = String> {
    let names = prop_oneof![
        6 => "[a-e]{1,3}",
        2 => "[ -.0-~]{1,12}",
        1 => "[a-z]{95,140}",
        1 => "[aéß漢字\u{1F600}e\u{301}]{1,40}",
        1 => select(vec!["...".to_owned(), ".wh".to_owned(), "é".repeat(127), "n".repeat(255)]),
    ];
    names.prop_filter("no name of a path", |name| {
        !matches!(name.as_str(), "." | "..") && !name.starts_with(".wh.") && name.len() <= 255
    })
}

fn id() -> impl Strategy<Value = u32> {
    let limits = select(vec![0, 0o7_777_777, 0o10_000_000, u32::MAX - 1]);
    prop_oneof![3 => 0..70_000_u32, 1 => limits, 1 => 0..u32::MAX]
}

fn mtime() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0..2_000_000_000_u64, 1 => select(vec![0, (1 << 33) - 1]), 1 => 0..1_u64 << 33]
}

fn xattrs() -> impl Strategy<Value = Xattrs> {
    // Bytes that mean something in a PAX record are frequent.
    let byte = prop_oneof![select(b"\n= 0123456789path\0".to_vec()), any::<u8>()];
    let names = "user\\.[!-<>-~]{1,12}".prop_filter("overlay", |name| !name.starts_with("user.overlay."));
    btree_map(names, vec(byte, 1..120), 0..3)
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
    let content = prop_oneof![vec(any::<u8>(), 0..20), vec(any::<u8>(), 500..530), vec(any::<u8>(), 1023..1026)];
    (attributes(), content, any::<bool>()).prop_map(|(mut attributes, content, capable)| {
        if capable && attributes.mode & 0o111 == 0o111 {
            let value = [&[1, 0, 0, 2][..], &[0; 16]].concat();
            attributes.xattrs.insert("security.capability".to_owned(), value);
        }
        Item::File(attributes, content)
    })
}

fn item() -> impl Strategy<Value = Item> {
    let target = prop_oneof!["[a-z./]{1,20}", "[a-zé漢]{90,130}"];
    let leaf = prop_oneof![
        3 => file(),
        1 => any::<Index>().prop_map(Item::Hardlink),
        1 => (id(), id(), mtime(), target).prop_map(|(uid, gid, mtime, target)| Item::Symlink(uid, gid, mtime, target)),
    ];
    leaf.prop_recursive(4, 12, 4, |item| {
        (attributes(), prop::bool::weighted(0.2), btree_set(name(), 0..2), btree_map(name(), item, 0..4))
            .prop_map(|(attributes, opaque, whiteouts, below)| Item::Dir(attributes, opaque, whiteouts, below))
    })
}

/// A layer with at least one entry.
fn sample() -> impl Strategy<Value = Sample> {
    let root = (btree_set(name(), 0..3), btree_map(name(), item(), 1..5));
    root.prop_map(|(whiteouts, items): Root| {
        let mut sample = Sample::default();
        sample.add("", false, &whiteouts, &items);
        sample
    })
    .prop_filter("a link without a file", |sample| !sample.entries.is_empty())
}

fn walk(layer: &[u8]) -> Walk {
    let mut walker = Walker::new(Limits::FORMAT);
    walker.push(layer);
    walker.finish().0
}

/// Entries, violations and digest of a walk, to compare.
fn outcome(walk: Walk) -> (Vec<Entry>, Vec<Violation>, Digest, u64) {
    (walk.entries, walk.violations, walk.listing, walk.listing_size)
}

fn ids(walk: &Walk) -> Vec<&'static str> {
    walk.violations.iter().map(|violation| violation.clause.id).collect()
}

/// The bytes of a valid layer that are no data of a file.
fn outside_data(layer: &[u8]) -> Vec<usize> {
    let mut outside = Vec::new();
    let mut at = 0;
    while at < layer.len() {
        let block = &layer[at..at + 512];
        let octal = block[124..135].iter().try_fold(0, |size, digit| match digit {
            b'0'..=b'7' => Some(size * 8 + usize::from(digit - b'0')),
            _ => None,
        });
        let size = octal.unwrap_or(0);
        outside.extend(at..at + 512);
        let (data, end) = (at + 512, at + 512 + size.next_multiple_of(512));
        if block[156] == b'0' {
            outside.extend(data + size..end);
        } else {
            outside.extend(data..end);
        }
        at = end;
    }
    outside
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(60))]

    /// A layer and its entries determine each other.
    #[test]
    fn writing_and_walking_are_inverse(sample in sample()) {
        let layer = sample.layer();
        let walk = walk(&layer);
        prop_assert_eq!(&walk.violations, &[]);
        prop_assert_eq!(&walk.entries, &sample.entries);
        let again = Sample { entries: walk.entries, contents: sample.contents.clone() };
        prop_assert_eq!(again.layer(), layer);
    }

    /// The listing that a walk computes is the one that lists the entries, and reads as them.
    #[test]
    fn layer_and_listing_say_the_same(sample in sample()) {
        let (walk, listing) = (walk(&sample.layer()), sample.listing());
        prop_assert_eq!(walk.listing, Digest::of(&listing));
        prop_assert_eq!(walk.listing_size, listing.len() as u64);
        let read = read_listing(&listing, ListingKind::Layer, &Limits::FORMAT);
        prop_assert_eq!(read.violations, &[]);
        prop_assert_eq!(read.entries, sample.entries);
    }

    /// How the bytes come does not matter, for whole layers and for damaged ones.
    #[test]
    fn chunks_do_not_matter(
        sample in sample(),
        sizes in vec(1..700_usize, 1..20),
        damage in vec((any::<Index>(), any::<u8>()), 0..4),
        cut in any::<Index>(),
        truncated in any::<bool>(),
    ) {
        let mut layer = sample.layer();
        for (at, byte) in &damage {
            *at.get_mut(&mut layer) ^= byte;
        }
        if truncated {
            layer.truncate(cut.index(layer.len()));
        } else {
            layer.extend(damage.iter().map(|(_, byte)| byte));
        }
        let mut walker = Walker::new(Limits::FORMAT);
        let mut rest = layer.as_slice();
        for size in sizes.iter().cycle() {
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            walker.push(chunk);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(outcome(walker.finish().0), outcome(walk(&layer)));
    }

    /// No other bytes mean the same: a flipped bit is a violation or another listing.
    #[test]
    fn every_bit_counts(sample in sample(), flips in vec((any::<Index>(), 0..8_u32), 12)) {
        let layer = sample.layer();
        let listing = walk(&layer).listing;
        let outside = outside_data(&layer);
        for (at, bit) in flips {
            let at = *at.get(&outside);
            let mut flipped = layer.clone();
            flipped[at] ^= 1 << bit;
            let walk = walk(&flipped);
            prop_assert!(!walk.violations.is_empty() || walk.listing != listing, "bit {} of the byte {}", bit, at);
        }
    }

    /// Another reader of tar archives sees the same entries.
    ///
    /// It takes a newline for the end of a record, so no value has one here.
    #[test]
    fn another_reader_agrees(sample in sample().prop_map(Sample::without_newlines)) {
        let layer = sample.layer();
        let mut archive = tar::Archive::new(layer.as_slice());
        let mut seen = archive.entries().unwrap();
        for Entry { path, node } in &sample.entries {
            let mut entry = seen.next().unwrap().unwrap();
            let (kind, path, size, target) = match node {
                Node::File { size, .. } => (tar::EntryType::Regular, path.clone(), *size, None),
                Node::Hardlink { target, .. } => (tar::EntryType::Link, path.clone(), 0, Some(target)),
                Node::Symlink { target, .. } => (tar::EntryType::Symlink, path.clone(), 0, Some(target)),
                Node::Dir { .. } => (tar::EntryType::Directory, format!("{path}/"), 0, None),
                Node::Whiteout => {
                    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
                    (tar::EntryType::Regular, join(directory, &format!(".wh.{name}")), 0, None)
                }
            };
            prop_assert_eq!(entry.header().entry_type(), kind);
            prop_assert_eq!(entry.path_bytes().into_owned(), path.clone().into_bytes());
            prop_assert_eq!(entry.size(), size);
            let link = entry.link_name_bytes().map(|link| link.into_owned());
            prop_assert_eq!(link, target.map(|target| target.clone().into_bytes()));
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let expected = sample.contents.get(&path).cloned().unwrap_or_default();
            prop_assert_eq!(content, expected);
            if let Node::Dir { opaque: true, .. } = node {
                let marker = seen.next().unwrap().unwrap();
                prop_assert_eq!(marker.path_bytes().into_owned(), format!("{path}.wh..wh..opq").into_bytes());
            }
        }
        prop_assert!(seen.next().is_none());
    }
}

/// The law of the flipped bit for one bit of each byte of a small layer with everything in it.
#[test]
fn every_byte_of_a_small_layer_counts() {
    let attributes = |name: &str| Attributes {
        mode: 0o755,
        uid: 4_000_000_000,
        xattrs: Xattrs::from([(name.to_owned(), b"1\n=2".to_vec())]),
        ..Attributes::default()
    };
    let (size, sha256) = (3, Digest::of(b"hi\n"));
    let file = Node::File { attributes: attributes("user.a"), size, sha256 };
    let link = Node::Hardlink { attributes: attributes("user.a"), size, sha256, target: "d/é".to_owned() };
    let symlink = Node::Symlink { uid: 1, gid: 2, mtime: 3, target: "t".repeat(101) };
    let entries = [
        ("w", Node::Whiteout),
        ("d", Node::Dir { attributes: attributes("user.d"), opaque: true }),
        ("d/é", file),
        ("l", link),
        ("s", symlink),
    ];
    let entries = entries.into_iter().map(|(path, node)| Entry { path: path.to_owned(), node }).collect();
    let sample = Sample { entries, contents: BTreeMap::from([("d/é".to_owned(), b"hi\n".to_vec())]) };
    let layer = sample.layer();
    let whole = walk(&layer);
    assert_eq!(whole.violations, []);
    for at in outside_data(&layer) {
        let mut flipped = layer.clone();
        flipped[at] ^= 1 << (at % 7);
        let walk = walk(&flipped);
        assert!(!walk.violations.is_empty() || walk.listing != whole.listing, "the byte {at}");
    }
}

/// Defects that are two violations at once, and so are no fixtures.
#[test]
fn some_defects_are_two_violations() {
    let damaged = |tar: Tar| tar.spoil(0, b"-");
    let three = damaged(damaged(damaged(Tar::new().file("a", b"")).file("b", b"")).file("c", b"")).end();
    assert_eq!(ids(&walk(&three)), ["LAY-010", "LAY-010"], "nothing is read after two damaged headers");
    let late = Tar::new().file("a", b"").marker(".wh.a").end();
    assert_eq!(ids(&walk(&late)), ["LAY-047", "LAY-067"], "a whiteout after the entry that it hides");
    let origin = Tar::new().pax(&[("SCHILY.xattr.user.overlay.origin", b"")]).dir("a/").end();
    assert_eq!(ids(&walk(&origin)), ["LAY-058", "LAY-060"], "an empty attribute of an overlay file system");
    let foreign = Tar::new().file("a", b"").set(field::MAGIC, b"ustar  \0").set(field::UNAME, b"root").end();
    assert_eq!(ids(&walk(&foreign)), ["LAY-008", "LAY-014"], "a header of GNU tar");
}
