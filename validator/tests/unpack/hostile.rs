//! Images that are wrong: nothing of them is left, and nothing outside is touched.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::path::Path;

use cornercast::diagnostic::Findings;
use cornercast::layer::{ListingKind, Tree, Walker, read_listing, write_line};
use cornercast::limits::Limits;
use cornercast::store::{check_store, path_of};
use cornercast::unpack::{UnpackError, unpack};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tar::{EntryType, Header};

use super::disk::{Canary, entries, expected};
use super::image::{Sample, Store, image, mode};
use super::random::layers;
use super::{cases, options, owner, unpack_to};

/// An image is unpacked if `check` finds nothing wrong with it, and then becomes what its listings say.
fn try_image(store: &Store, canary: &Canary) -> Result<bool, TestCaseError> {
    let (limits, jobs) = (Limits::FORMAT, NonZero::<usize>::MIN);
    let mut findings = Findings::new("image", 1000);
    check_store(store, &limits, jobs, &mut findings).unwrap();
    let unpacked = unpack(store, store.id, "image", &canary.target(), &options(false));
    canary.check(unpacked.is_ok());
    match unpacked {
        Ok(unpacked) => {
            prop_assert_eq!(findings.errors, 0, "{:?}", findings.list());
            let tree = tree(store);
            prop_assert_eq!(entries(&canary.target()), expected(&tree, &unpacked, owner()));
            fs::remove_dir_all(canary.target()).unwrap();
            Ok(true)
        }
        Err(UnpackError::Rejected(found)) => {
            let ids = |findings: &Findings| findings.list().iter().map(|finding| finding.id).collect::<Vec<_>>();
            prop_assert_eq!(ids(&found), ids(&findings));
            Ok(false)
        }
        Err(error) => Err(TestCaseError::fail(format!("{error} ({:?})", findings.list()))),
    }
}

/// What the layers of a valid image merge to.
pub(crate) fn tree(store: &Store) -> Tree {
    let manifest = &store.files[&path_of(&cornercast::store::FileKind::Manifest(store.id))];
    let manifest: cornercast::manifest::Manifest = serde_json::from_slice(manifest).unwrap();
    let mut tree = Tree::default();
    for layer in &manifest.layers {
        let listing = &store.files[&path_of(&cornercast::store::FileKind::Blob(layer.listing.digest))];
        tree.merge(read_listing(listing, ListingKind::Layer, &Limits::FORMAT).entries);
    }
    tree
}

/// An image of layers with the listings that a walk finds in them, valid or not.
fn walked(layers: &[Vec<u8>]) -> Store {
    let mut tree = Tree::default();
    let with_listings = layers.iter().map(|layer| {
        let mut walker = Walker::new(Limits::FORMAT);
        walker.push(layer);
        let (walk, _) = walker.finish();
        let mut listing = Vec::new();
        for entry in &walk.entries {
            write_line(&mut listing, &entry.path, &entry.node);
        }
        tree.merge(walk.entries);
        (layer.clone(), listing)
    });
    let with_listings: Vec<(Vec<u8>, Vec<u8>)> = with_listings.collect();
    Store::new(&with_listings, &tree)
}

/// An entry that leads, or tries to lead, out of the tree, or is something that no tree may have.
#[derive(Debug, Clone)]
struct Evil {
    kind: u8,
    path: String,
    target: String,
    content: Vec<u8>,
    /// The path and target stand in a PAX header.
    pax: bool,
}

impl Evil {
    fn write(&self, out: &mut Vec<u8>) {
        if self.pax {
            let mut body = Vec::new();
            for (keyword, value) in [("linkpath", &self.target), ("path", &self.path)] {
                let rest = keyword.len() + value.len() + 3;
                let length =
                    (1..5).map(|digits| rest + digits).find(|length| length.to_string().len() + rest == *length);
                body.extend_from_slice(format!("{} {keyword}={value}\n", length.unwrap()).as_bytes());
            }
            block(out, b'x', "PaxHeader", "", &body);
        }
        let (path, target) = if self.pax { ("stub", "stub") } else { (self.path.as_str(), self.target.as_str()) };
        block(out, self.kind, path, target, &self.content);
    }
}

/// A header with its checksum, and data; names that do not fit are cut.
fn block(out: &mut Vec<u8>, kind: u8, path: &str, target: &str, data: &[u8]) {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::new(kind));
    header.set_mode(if kind == b'2' { 0o777 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(data.len() as u64);
    let raw = header.as_mut_bytes();
    let name = &path.as_bytes()[..path.len().min(100)];
    raw[..name.len()].copy_from_slice(name);
    let target = &target.as_bytes()[..target.len().min(100)];
    raw[157..157 + target.len()].copy_from_slice(target);
    raw[329..345].copy_from_slice(b"0000000\x000000000\0");
    seal(raw);
    out.extend_from_slice(raw);
    out.extend_from_slice(data);
    out.resize(out.len().next_multiple_of(512), 0);
}

/// Gives a header its checksum.
fn seal(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

const PATHS: [&str; 26] = [
    "../canary/file",
    "canary",
    "../target/x",
    "/tmp/x",
    "d/../../canary/file",
    "d/..",
    "..",
    ".",
    "./x",
    "/",
    "",
    "d//x",
    "l/file",
    "l/x",
    "l",
    "d/l/file",
    "d",
    "d/",
    "f",
    "f/x",
    ".wh...",
    ".wh.",
    ".wh..wh..opq",
    "d/.wh..wh..opq",
    ".wh..wh.plnk",
    ".wh.d",
];
const TARGETS: [&str; 9] =
    ["", "../canary", "../canary/file", "/", "d", "f", "d/l", "../../../../../../../../../../dev/shm", "l"];

fn evil() -> impl Strategy<Value = Evil> {
    let kind = select(b"0123456725151KLxgSV\0".to_vec());
    let content = prop_oneof![3 => Just(Vec::new()), 1 => vec(any::<u8>(), 1..600)];
    (kind, select(PATHS.to_vec()), select(TARGETS.to_vec()), content, prop::bool::weighted(0.2)).prop_map(
        |(kind, path, target, content, pax)| {
            let content = if matches!(kind, b'1' | b'2' | b'5') { Vec::new() } else { content };
            Evil { kind, path: path.to_owned(), target: target.to_owned(), content, pax }
        },
    )
}

/// Directories, links and files as a layer has them, and then what is evil: everything that others fell for.
pub(crate) fn evil_layer() -> impl Strategy<Value = Vec<u8>> {
    (vec(evil(), 1..5), prop::bool::weighted(0.5)).prop_map(|(evil, is_sorted)| {
        let mut evil = evil;
        if is_sorted {
            evil.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
        }
        let mut out = Vec::new();
        for evil in evil {
            evil.write(&mut out);
        }
        out.extend_from_slice(&[0; 1024]);
        out
    })
}

/// A change of a blob.
#[derive(Debug, Clone)]
enum Change {
    Byte(Index, u8),
    /// A byte of the header that stands in this block, which gets its checksum.
    Header(Index, usize, u8),
    /// A field of the header, at this offset.
    Field(Index, usize, &'static str),
    Cut(Index),
    Remove(Index),
    Double(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let field = prop_oneof![
        (Just(0), select(PATHS.to_vec())),
        (Just(157), select(TARGETS.to_vec())),
        (Just(156), select(vec!["0", "1", "2", "3", "5", "6", "x"])),
        (Just(124), select(vec!["00000000000", "00000000001", "00000001000", "77777777777"])),
        (Just(100), select(vec!["0007777", "0004755", "0000000"])),
    ];
    prop_oneof![
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        2 => (any::<Index>(), 0..512_usize, any::<u8>()).prop_map(|(at, offset, byte)| Change::Header(at, offset, byte)),
        3 => (any::<Index>(), field).prop_map(|(at, (offset, value))| Change::Field(at, offset, value)),
        1 => any::<Index>().prop_map(Change::Cut),
        1 => any::<Index>().prop_map(Change::Remove),
        1 => any::<Index>().prop_map(Change::Double),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let blocks = bytes.len() / 512;
        if blocks == 0 {
            return;
        }
        let start = |at: &Index| at.index(blocks) * 512;
        match self {
            Self::Byte(at, byte) => *at.get_mut(bytes) ^= byte,
            Self::Header(at, offset, byte) => {
                let header = &mut bytes[start(at)..start(at) + 512];
                header[*offset] ^= byte;
                seal(header);
            }
            Self::Field(at, offset, value) => {
                let header = &mut bytes[start(at)..start(at) + 512];
                header[*offset..offset + value.len()].copy_from_slice(value.as_bytes());
                if matches!(offset, 0 | 157) {
                    header[offset + value.len()..offset + 100].fill(0);
                }
                seal(header);
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Remove(at) => drop(bytes.drain(start(at)..start(at) + 512)),
            Self::Double(at) => {
                let block = bytes[start(at)..start(at) + 512].to_vec();
                let at = start(at);
                bytes.splice(at..at, block);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(150))]

    /// A layer of evil entries above one that has what they want to go through.
    #[test]
    fn evil_entries_do_nothing(layer in evil_layer()) {
        let lower = Sample::default()
            .dir("d", mode(0o755)).symlink("d/l", "../../canary").file("f", mode(0o644), b"f").symlink("l", "../canary");
        let canary = Canary::new();
        try_image(&walked(&[lower.layer(), layer.clone()]), &canary)?;
        // The same in one layer.
        let mut both = lower.layer();
        both.truncate(both.len() - 1024);
        both.extend_from_slice(&layer);
        try_image(&walked(&[both]), &canary)?;
    }

    /// A changed layer, with its digest and with the listing that it has now, or the one that it had.
    #[test]
    fn changed_layers_do_nothing(layers in layers(), pick in any::<Index>(), changes in vec(change(), 1..4), is_listed in any::<bool>()) {
        if layers.is_empty() {
            return Ok(());
        }
        let mut bytes: Vec<Vec<u8>> = layers.iter().map(Sample::layer).collect();
        let changed = pick.get_mut(&mut bytes);
        for change in &changes {
            change.apply(changed);
        }
        let canary = Canary::new();
        let store = if is_listed {
            walked(&bytes)
        } else {
            let listings = layers.iter().map(Sample::listing);
            Store::new(&bytes.into_iter().zip(listings).collect::<Vec<_>>(), &super::image::merged(&layers))
        };
        try_image(&store, &canary)?;
    }

    /// A changed file of the store, whose digest does not change; the manifest also under its new name.
    #[test]
    fn changed_files_do_nothing(layers in layers(), pick in any::<Index>(), changes in vec(change(), 1..3), is_removed in prop::bool::weighted(0.1)) {
        let mut store = image(&layers);
        let paths: Vec<String> = store.files.keys().cloned().collect();
        let path = pick.get(&paths);
        let manifest = path_of(&cornercast::store::FileKind::Manifest(store.id));
        if is_removed {
            store.files.remove(path);
            if *path == manifest {
                return Ok(());
            }
        } else {
            let bytes = store.files.get_mut(path).unwrap();
            for change in &changes {
                match change {
                    Change::Byte(at, byte) if !bytes.is_empty() => *at.get_mut(bytes) ^= byte,
                    Change::Cut(at) if !bytes.is_empty() => bytes.truncate(at.index(bytes.len())),
                    _ => bytes.push(b'\n'),
                }
            }
            if *path == manifest {
                let bytes = store.files.remove(&manifest).unwrap();
                store.id = cornercast::digest::Digest::of(&bytes);
                store.files.insert(path_of(&cornercast::store::FileKind::Manifest(store.id)), bytes);
            }
        }
        try_image(&store, &Canary::new())?;
    }

    /// A changed listing, with its digest.
    #[test]
    fn changed_listings_do_nothing(layers in layers(), pick in any::<Index>(), changes in vec((any::<Index>(), any::<u8>()), 1..3)) {
        if layers.is_empty() {
            return Ok(());
        }
        let mut blobs: Vec<(Vec<u8>, Vec<u8>)> = layers.iter().map(|layer| (layer.layer(), layer.listing())).collect();
        let listing = &mut pick.get_mut(&mut blobs).1;
        for (at, byte) in &changes {
            // Within the letters, so that much of it remains a listing.
            let byte_there = at.get_mut(listing);
            *byte_there = if byte_there.is_ascii_digit() { b'0' + byte % 10 } else { byte_there.wrapping_add(byte % 3) };
        }
        let mut tree = Tree::default();
        for (_, listing) in &blobs {
            tree.merge(read_listing(listing, ListingKind::Layer, &Limits::FORMAT).entries);
        }
        try_image(&Store::new(&blobs, &tree), &Canary::new())?;
    }
}

/// Each layer and listing of the corpus that is rejected makes an image that is rejected.
#[test]
fn the_corpus_does_nothing() {
    let fixtures = super::command::fixtures();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let canary = Canary::new();
    for clause in fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for case in fs::read_dir(clause).unwrap().map(|entry| entry.unwrap().path()) {
            let Ok(text) = fs::read(case.join("case.json")) else { continue };
            let fields: serde_json::Value = serde_json::from_slice(&text).unwrap();
            let (Some(input), Some("rejected")) = (fields["input"].as_str(), fields["expect"]["verdict"].as_str())
            else {
                continue;
            };
            let bytes = || fs::read(case.join(input)).unwrap();
            let store = match fields["as"].as_str() {
                Some("layer") => walked(&[bytes()]),
                Some("listing") => {
                    let tree = read_listing(&bytes(), ListingKind::Layer, &Limits::FORMAT).entries;
                    let mut merged = Tree::default();
                    merged.merge(tree);
                    Store::new(&[(Sample::default().dir("d", mode(0o755)).layer(), bytes())], &merged)
                }
                Some("store") if fields.get("links").is_none() => {
                    let Some(store) = only_image(&case.join(input)) else { continue };
                    store
                }
                _ => continue,
            };
            let kind = if fields["as"] == "layer" {
                "layer"
            } else if fields["as"] == "store" {
                "store"
            } else {
                "listing"
            };
            let unpacked = unpack_to(&store, &canary.target());
            if kind == "store" && unpacked.is_ok() {
                // What is wrong is not in the image.
                fs::remove_dir_all(canary.target()).unwrap();
                continue;
            }
            assert!(matches!(unpacked, Err(UnpackError::Rejected(_))), "{}: {unpacked:?}", case.display());
            canary.check(false);
            *counts.entry(kind).or_default() += 1;
        }
    }
    assert!(counts["layer"] > 300 && counts["listing"] > 200 && counts["store"] > 50, "{counts:?}");
}

/// A store of the corpus, if it has one image.
fn only_image(folder: &Path) -> Option<Store> {
    let mut files = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    let mut ids = files.keys().filter_map(|path| path.strip_prefix("images/sha256/"));
    let id = cornercast::digest::Digest::parse(&format!("sha256:{}", ids.next()?))?;
    if ids.next().is_some() {
        return None;
    }
    Some(Store { id, files })
}
