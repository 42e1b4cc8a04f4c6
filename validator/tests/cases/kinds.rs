//! Kinds of input: their names, how an input is recognised, and what a stream of each kind reads.

use std::fs;
use std::io::{self, Read, Write as _};
use std::num::NonZero;

use cornercast::diagnostic::Findings;
use cornercast::digest::Digest;
use cornercast::input::{Kind, check_stream, recognise};
use cornercast::layer::{Node, Walker};
use cornercast::limits::Limits;
use cornercast::tar::{END, EntryHeader, header_bytes};
use flate2::Compression;
use flate2::write::GzEncoder;

#[test]
fn names() {
    for (name, kind) in Kind::ALL {
        assert_eq!(kind.name(), name);
        assert_eq!(Kind::by_name(name), Some(kind));
    }
    assert_eq!(Kind::by_name("image"), None);
}

fn archive(path: &str) -> Vec<u8> {
    header_bytes(&EntryHeader { typeflag: b'0', path, mode: 0o644, ..EntryHeader::default() })
        .into_iter()
        .chain(END)
        .collect()
}

#[test]
fn archives_are_recognised() {
    let mut almost = archive("a");
    almost[257] = b'U';
    let mut late = vec![0; 512];
    late.push(1);
    let mut early = vec![0; 512];
    early[511] = 1;
    let archives: [(&str, &[u8], Option<Kind>); 13] = [
        ("Zstandard", b"\x28\xB5\x2F\xFD", Some(Kind::Archive)),
        ("three bytes of Zstandard", b"\x28\xB5\x2F", None),
        ("gzip", b"\x1F\x8B\x08", Some(Kind::OciLayer)),
        ("half of gzip", b"\x1F", None),
        ("a store", &archive("cornercast"), Some(Kind::Archive)),
        ("a name that goes on", &archive("cornercasts"), Some(Kind::Layer)),
        ("a file", &archive("a"), Some(Kind::Layer)),
        ("another magic number", &almost, None),
        ("an image layout", &archive("oci-layout"), Some(Kind::OciArchive)),
        ("an image that was saved", &archive("manifest.json"), Some(Kind::DockerArchive)),
        ("an archive without entries", &late, Some(Kind::Layer)),
        ("a block that is not all zero", &early, None),
        ("zeros that are no block", &[0; 511], None),
    ];
    for (what, head, expected) in archives {
        assert_eq!(recognise(head), expected, "{what}");
    }
}

#[test]
fn documents_are_recognised() {
    let documents: [(&str, Option<Kind>); 27] = [
        ("", None),
        (" \n", None),
        ("[]", None),
        ("a", None),
        ("{", Some(Kind::Manifest)),
        ("{}", Some(Kind::Manifest)),
        ("\u{FEFF} \n{}", Some(Kind::Manifest)),
        (r#"{"cornercast":"1.0","kind":"store"}"#, Some(Kind::Marker)),
        (r#"{"kind":"store","layers":[]}"#, Some(Kind::Manifest)),
        (r#"{"kind":"stores"}"#, Some(Kind::Manifest)),
        (r#"{"files":[],"kind":"signatures"}"#, Some(Kind::Index)),
        (r#"{"files":[],"kind":"attestations"}"#, Some(Kind::Index)),
        (r#"{"files":[],"kind":"image"}"#, Some(Kind::Manifest)),
        (r#"{"kind":"signatures"}"#, Some(Kind::Manifest)),
        ("{\"path\":\"a\"}", Some(Kind::Listing)),
        ("{\"type\":\"file\"}\n{}", Some(Kind::Listing)),
        ("{\"type\":\"file\"}\n\n{}", Some(Kind::Manifest)),
        ("{\"payload\":\"e30=\",\"payloadType\":\"a\"}", Some(Kind::Envelope)),
        ("{\"payload\":\"e30", Some(Kind::Envelope)),
        ("{\n  \"rules\": []\n}", Some(Kind::Policy)),
        ("{\"authority\":\"example.com\"}", Some(Kind::State)),
        ("{\"keys\":{},\"root\":{}}", Some(Kind::Keyring)),
        ("{\n \"serial\": 1}", Some(Kind::Catalog)),
        ("{\"body\":{},\"image\":{},\"issued\":\"\"}", Some(Kind::Attestation)),
        ("{\"image\":{},\"issued\":\"\"}", Some(Kind::Release)),
        ("{\"image\":{}}", Some(Kind::Manifest)),
        ("c2sp.org/tlog-proof@v1\nindex 0\n", Some(Kind::Proof)),
    ];
    for (text, expected) in documents {
        assert_eq!(recognise(text.as_bytes()), expected, "{text}");
    }
    assert_eq!(recognise(b"{\"kind\":\"image\"}\n{}"), Some(Kind::Manifest));
    assert_eq!(recognise(b"{\"type\":\"file\"}"), Some(Kind::Manifest));
    assert_eq!(recognise(b"{\"kind\":\"store\"}\n"), Some(Kind::Marker));
}

/// An input that is interrupted once, and fails after `good`.
pub(super) struct Faulty<'a> {
    pub(super) good: &'a [u8],
    pub(super) was_interrupted: bool,
    pub(super) error: Option<io::ErrorKind>,
}

impl Read for Faulty<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.was_interrupted {
            self.was_interrupted = true;
            return Err(io::ErrorKind::Interrupted.into());
        }
        match (self.good, self.error) {
            ([], Some(error)) => Err(error.into()),
            _ => self.good.read(buffer),
        }
    }
}

#[test]
fn streams_may_be_interrupted() {
    let layer = archive("a");
    let mut compressed = GzEncoder::new(Vec::new(), Compression::fast());
    compressed.write_all(&layer).unwrap();
    let compressed = compressed.finish().unwrap();
    for (kind, bytes) in [(Kind::Layer, &layer), (Kind::OciLayer, &layer), (Kind::OciLayer, &compressed)] {
        for error in [None, Some(io::ErrorKind::PermissionDenied)] {
            let mut findings = Findings::new("input", 100);
            let mut input = Faulty { good: bytes, was_interrupted: false, error };
            let result = check_stream(kind, &mut input, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings);
            assert_eq!(result.err().map(|error| error.kind()), error, "{kind:?}");
            if error.is_none() {
                assert_eq!(findings.count(), 0, "{kind:?}: {:?}", findings.list());
            }
        }
    }
}

/// Of a layer that ends early, the rest is not read.
#[test]
fn what_comes_after_a_layer_that_cannot_be_read_is_left() {
    let mut findings = Findings::new("input", 100);
    let mut input = io::repeat(b'a').take(1 << 30);
    check_stream(Kind::Layer, &mut input, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
    assert!(input.limit() > 1 << 29, "{} bytes were left", input.limit());
}

/// A layer is read in pieces, and the last one counts as well.
#[test]
fn long_layers_are_read_to_their_end() {
    let size = 1 << 20;
    let header = EntryHeader { typeflag: b'0', path: "a", mode: 0o644, size, ..EntryHeader::default() };
    let mut layer = [header_bytes(&header), vec![1; size as usize], END.to_vec()].concat();
    for (last, expected) in [(0, 0), (1, 1)] {
        *layer.last_mut().unwrap() = last;
        for kind in [Kind::Layer, Kind::OciLayer] {
            let mut findings = Findings::new("input", 100);
            check_stream(kind, &mut &*layer, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
            assert_eq!(findings.count(), expected, "{kind:?}: {:?}", findings.list());
        }
    }
}

/// The data of a file that breaks a clause is not that of the file before it.
#[test]
fn data_belongs_to_its_own_entry() {
    let file = |path: &str| {
        let header = EntryHeader { typeflag: b'0', path, mode: 0o644, size: 1, ..EntryHeader::default() };
        [header_bytes(&header), path.as_bytes()[..1].to_vec(), vec![0; 511]].concat()
    };
    let mut walker = Walker::new(Limits::FORMAT);
    walker.push(&[file("a"), file("b/../c"), END.to_vec()].concat());
    let (walk, _) = walker.finish();
    let digests = walk.entries.iter().map(|entry| match &entry.node {
        Node::File { sha256, .. } => (&*entry.path, *sha256),
        other => panic!("{other:?}"),
    });
    assert_eq!(digests.collect::<Vec<_>>(), [("a", Digest::of(b"a"))]);
    assert_eq!(walk.violations.len(), 1);
}

/// However the pieces are cut, the same is found.
#[test]
fn layers_in_pieces() {
    let layers = super::cases().filter(|(_, case)| case.kind == "layer");
    let layers = layers.filter_map(|(folder, case)| fs::read(folder.join(case.input?)).ok());
    for layer in layers.filter(|layer| layer.len() < 5000) {
        let found = |size: usize| {
            let mut walker = Walker::new(Limits::FORMAT);
            for piece in layer.chunks(size) {
                walker.push(piece);
            }
            let (walk, _) = walker.finish();
            let found = walk.violations.into_iter().map(|found| (found.clause.id, found.message, found.place.bytes));
            (walk.entries, found.collect::<Vec<_>>(), walk.listing)
        };
        let whole = found(layer.len().max(1));
        for size in [100, 512, 700] {
            assert_eq!(found(size), whole);
        }
    }
}

/// A header of records that fills its blocks has no padding, and its entry is missed where the archive ends.
#[test]
fn an_archive_that_ends_after_records() {
    let xattrs = [("user.a".to_owned(), vec![b'x'; 512 - "512 SCHILY.xattr.user.a=\n".len()])];
    let header = header_bytes(&EntryHeader { typeflag: b'0', path: "a", xattrs: &xattrs, ..EntryHeader::default() });
    assert_eq!(header.len(), 3 * 512);
    assert_eq!(header[1023], b'\n');
    let mut findings = Findings::new("input", 100);
    check_stream(Kind::Layer, &mut &header[..1024], &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
    let messages: Vec<&str> = findings.list().iter().map(|finding| &*finding.message).collect();
    assert_eq!(messages, ["the archive ends between a PAX header and its entry"]);
}

/// After two headers in a row with a wrong checksum nothing more is read.
#[test]
fn damaged_headers() {
    let good = archive("a")[..512].to_vec();
    let mut bad = good.clone();
    bad[0] = b'b';
    for (headers, expected) in [(vec![&bad, &bad, &bad, &bad], 2), (vec![&bad, &good, &bad, &bad, &bad], 3)] {
        let layer: Vec<u8> = headers.into_iter().flatten().copied().chain(END).collect();
        let mut findings = Findings::new("input", 100);
        check_stream(Kind::Layer, &mut &*layer, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
        let wrong = findings.list().iter().filter(|finding| finding.id == "LAY-010").count();
        assert_eq!(wrong, expected, "{:?}", findings.list());
    }
}
