//! The reference against bytes that other programs made: `fixtures/vectors/`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::num::NonZero;
use std::path::Path;

use cornercast::diagnostic::{Findings, Severity, Violation};
use cornercast::digest::Digest;
use cornercast::layer::{Comparison, LayerWriter, ListingKind, Tree, Walker, read_listing, write_line};
use cornercast::limits::Limits;
use cornercast::store::{Files, Listed, MARKER, check_store};
use cornercast::tar::{Entry, Profile, Reader, Sink};

const MERGED: &str = "sha256:514dc646aed8b5d23e47f04f879e99153ed0765b6a093b669ab22bbf010d9044";
const IMAGE: &str = "sha256:46492f040aa416cf5808ca56e5e24d35b35b2422b2c64b38a7d245ba52a604e0";

fn vector(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/vectors").join(name)).unwrap()
}

fn layers() -> [(Vec<u8>, Vec<u8>); 2] {
    ["layer-1", "layer-2"].map(|name| (vector(&format!("{name}.tar")), vector(&format!("{name}.listing"))))
}

/// The layers say what their listings say, byte for byte, in whatever pieces they come.
#[test]
fn the_listings_are_those_of_the_layers() {
    for (layer, listing) in layers() {
        for piece in [1, 511, 512, layer.len()] {
            let mut walker = Walker::new(Limits::FORMAT);
            let mut comparison = Comparison::new(listing.as_slice());
            for bytes in layer.chunks(piece) {
                walker.push(bytes);
                comparison.lines(walker.lines()).unwrap();
            }
            let (walk, last) = walker.finish();
            comparison.lines(&last).unwrap();
            assert_eq!(walk.violations, []);
            assert_eq!(comparison.finish().unwrap().divergence, None);
            assert_eq!((walk.listing, walk.listing_size), (Digest::of(&listing), listing.len() as u64));
            let mut written = Vec::new();
            walk.entries.iter().for_each(|entry| write_line(&mut written, &entry.path, &entry.node));
            assert_eq!(String::from_utf8(written), String::from_utf8(listing.clone()));
        }
    }
}

/// A listing that is read and written again is the same.
#[test]
fn the_listings_are_read_as_they_are_written() {
    for (name, kind) in [
        ("layer-1.listing", ListingKind::Layer),
        ("layer-2.listing", ListingKind::Layer),
        ("merged.listing", ListingKind::Rootfs),
    ] {
        let source = vector(name);
        let listing = read_listing(&source, kind, &Limits::FORMAT);
        assert_eq!(listing.violations, [], "{name}");
        let mut written = Vec::new();
        listing.entries.iter().for_each(|entry| write_line(&mut written, &entry.path, &entry.node));
        assert_eq!(String::from_utf8(written), String::from_utf8(source), "{name}");
    }
}

/// From the listing and the contents comes the layer, byte for byte.
#[test]
fn the_layers_are_made_again_from_their_listings() {
    for (layer, listing) in layers() {
        let contents = contents(&layer);
        let mut writer = LayerWriter::new(Vec::new());
        for entry in read_listing(&listing, ListingKind::Layer, &Limits::FORMAT).entries {
            let content = contents.get(&entry.path).map(Vec::as_slice).unwrap_or_default();
            writer.entry(&entry, &mut &*content).unwrap();
        }
        assert!(writer.finish().unwrap() == layer, "the layer that was written is another one");
    }
}

/// The files of a layer with their contents.
fn contents(layer: &[u8]) -> BTreeMap<String, Vec<u8>> {
    struct Contents {
        path: String,
        files: BTreeMap<String, Vec<u8>>,
    }
    impl Sink for Contents {
        fn entry(&mut self, entry: &Entry, _: &mut Vec<Violation>) {
            self.path = String::from_utf8(entry.path.clone()).unwrap();
        }
        fn data(&mut self, bytes: &[u8]) {
            self.files.entry(self.path.clone()).or_default().extend_from_slice(bytes);
        }
        fn end_of_entry(&mut self, _: &mut Vec<Violation>) {}
        fn passed_over(&mut self) {
            panic!("an entry of a good layer was passed over");
        }
    }
    let mut sink = Contents { path: String::new(), files: BTreeMap::new() };
    let mut reader = Reader::new(Profile::Layer, Limits::FORMAT);
    reader.push(layer, &mut sink);
    reader.finish();
    assert_eq!(reader.take_violations(), []);
    sink.files
}

/// The two listings merge to the third.
#[test]
fn the_listings_merge() {
    let mut tree = Tree::default();
    for (_, listing) in layers() {
        tree.merge(read_listing(&listing, ListingKind::Layer, &Limits::FORMAT).entries);
    }
    let mut merged = Vec::new();
    tree.for_each_line(|line| merged.extend_from_slice(line));
    assert_eq!(String::from_utf8(merged), String::from_utf8(vector("merged.listing")));
    let summary = tree.summary();
    assert_eq!(summary.digest.to_string(), MERGED);
    assert_eq!((summary.entries, summary.size, summary.bytes), (13, 816, vector("merged.listing").len() as u64));
}

/// The files as a store, without writing them.
struct Memory(BTreeMap<String, Vec<u8>>);

impl Files for Memory {
    fn list(&self) -> io::Result<Vec<Listed>> {
        Ok(self.0.keys().map(|path| Listed { path: path.clone(), irregular: None }).collect())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        let bytes = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(bytes.as_slice()))
    }
}

/// The image is accepted, with the one warning that its interpreter is missing.
#[test]
fn the_image_is_accepted() {
    let manifest = vector("manifest.json");
    assert_eq!(Digest::of(&manifest).to_string(), IMAGE);
    let mut files = BTreeMap::from([
        ("cornercast".to_owned(), MARKER.to_vec()),
        (format!("images/sha256/{}", Digest::of(&manifest).hex()), manifest),
    ]);
    for bytes in layers().into_iter().flat_map(|(layer, listing)| [layer, listing]) {
        files.insert(format!("blobs/sha256/{}", Digest::of(&bytes).hex()), bytes);
    }
    let mut findings = Findings::new("vectors", 10);
    check_store(&Memory(files), &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
    let found: Vec<_> = findings
        .list()
        .iter()
        .map(|finding| (finding.id, finding.severity, finding.location.pointer.as_deref()))
        .collect();
    assert_eq!(found, [("MAN-017", Severity::Warning, Some("/app/exec/0"))]);
}
