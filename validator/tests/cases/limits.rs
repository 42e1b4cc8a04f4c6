//! Limits, lowered so that small inputs reach them: what is at a limit is accepted, and one more is not.

use std::fs;
use std::num::NonZero;
use std::path::Path;

use cornercast::diagnostic::Findings;
use cornercast::input::{Kind, check_directory, check_stream};
use cornercast::limits::Limits;
use cornercast::store::Files as _;
use cornercast::tar::{END, EntryHeader, header_bytes};

fn findings(kind: Kind, bytes: &[u8], limits: &Limits) -> Findings {
    let mut findings = Findings::new("input", 100);
    check_stream(kind, &mut &*bytes, limits, NonZero::<usize>::MIN, &mut findings).unwrap();
    findings
}

/// The clauses that an input breaks.
fn found(kind: Kind, bytes: &[u8], limits: &Limits) -> Vec<&'static str> {
    findings(kind, bytes, limits).list().iter().map(|finding| finding.id).collect()
}

/// Sets a limit.
type Set = fn(&mut Limits, u64);

/// What `set` sets to `at` is kept by the input; set to one less, it breaks `clause`.
fn at_limit(kind: Kind, bytes: &[u8], clause: &str, at: u64, set: Set) {
    for (limit, expected) in [(at, vec![]), (at - 1, vec![clause])] {
        let mut limits = Limits::FORMAT;
        set(&mut limits, limit);
        assert_eq!(found(kind, bytes, &limits), expected, "{clause} with a limit of {limit}");
    }
}

/// Empty files with these names, as entries.
fn files(names: &[&str]) -> Vec<u8> {
    let headers = names
        .iter()
        .map(|path| header_bytes(&EntryHeader { typeflag: b'0', path, mode: 0o644, ..EntryHeader::default() }));
    headers.flatten().chain(END).collect()
}

fn line(path: &str) -> String {
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    format!(
        "{{\"gid\":0,\"mode\":420,\"mtime\":0,\"path\":\"{path}\",\"sha256\":\"{EMPTY}\",\"size\":0,\"type\":\"file\",\"uid\":0}}\n"
    )
}

#[test]
fn entries_of_layers() {
    let layer = files(&["a", "b", "c"]);
    at_limit(Kind::Layer, &layer, "LAY-006", 3, |limits, limit| limits.layer_lines = limit);
    // The place is the whole header of the entry that is too many, and what follows is not looked at.
    let long = [files(&["a", &"b".repeat(150)]), vec![7; 1 << 20]].concat();
    let limits = Limits { layer_lines: 1, ..Limits::FORMAT };
    let findings = findings(Kind::Layer, &long, &limits);
    let [finding] = findings.list() else { panic!("{:?}", findings.list()) };
    assert_eq!(finding.id, "LAY-006");
    assert_eq!(finding.location.bytes.map(|bytes| (bytes.start, bytes.end)), Some((512, 2048)));
    assert_eq!(finding.location.chain.last().map(String::len), Some(83), "{:?}", finding.location.chain);
    at_limit(Kind::OciLayer, &layer, "OCI-081", 3, |limits, limit| limits.oci_entries = limit);
}

#[test]
fn listings() {
    let listing = [line("a"), line("b"), line("c")].concat();
    let bytes = listing.as_bytes();
    at_limit(Kind::Listing, bytes, "LAY-006", 3, |limits, limit| limits.layer_lines = limit);
    at_limit(Kind::Rootfs, bytes, "LST-020", 3, |limits, limit| limits.rootfs_lines = limit);
    at_limit(Kind::Listing, bytes, "LST-014", bytes.len() as u64, |limits, limit| limits.listing = limit);
    let one = line("a");
    let length = one.len() as u64 - 1;
    at_limit(Kind::Listing, one.as_bytes(), "LST-015", length, |limits, limit| limits.line = limit as usize);
}

#[test]
fn extended_attributes() {
    let xattrs = [("user.a".to_owned(), b"1234".to_vec()), ("user.b".to_owned(), b"5".to_vec())];
    let header = EntryHeader { typeflag: b'0', path: "a", mode: 0o644, xattrs: &xattrs, ..EntryHeader::default() };
    let layer: Vec<u8> = header_bytes(&header).into_iter().chain(END).collect();
    at_limit(Kind::Layer, &layer, "LAY-057", 2, |limits, limit| limits.xattrs = limit as usize);
    at_limit(Kind::Layer, &layer, "LAY-061", 5, |limits, limit| limits.xattr_values = limit as usize);
}

#[test]
fn extension_headers() {
    // 150 characters, and `160 path=` and a newline.
    let long = files(&[&"d".repeat(150)]);
    at_limit(Kind::Layer, &long, "LAY-025", 160, |limits, limit| limits.pax_body = limit);
}

/// What is written at the edges of a field, or of a block, can be read.
#[test]
fn headers_at_their_edges() {
    // `512 SCHILY.xattr.user.a=` and a newline are a block with these.
    let xattrs = [("user.a".to_owned(), vec![b'x'; 487])];
    let plain = EntryHeader { typeflag: b'0', path: "a", mode: 0o644, ..EntryHeader::default() };
    for header in [
        EntryHeader { uid: 0o7_777_777, gid: 0o7_777_777, ..plain },
        EntryHeader { uid: 0o10_000_000, gid: 0o10_000_000, ..plain },
        EntryHeader { xattrs: &xattrs, ..plain },
    ] {
        let layer: Vec<u8> = header_bytes(&header).into_iter().chain(END).collect();
        assert_eq!(found(Kind::Layer, &layer, &Limits::FORMAT), [""; 0], "{header:?}");
    }
}

#[test]
fn hidden_files() {
    at_limit(Kind::Layer, &files(&[".abc"]), "LAY-045", 4, |limits, limit| limits.component = limit as usize);
}

/// A path that breaks another clause, so that all of them are looked at.
#[test]
fn paths_that_are_not_plain() {
    let layer = files(&["a\u{1}bc"]);
    let set: [(&str, u64, Set); 3] = [
        ("LAY-044", 1, |limits, limit| limits.path_components = limit as usize),
        ("LAY-043", 4, |limits, limit| limits.path = limit as usize),
        ("LAY-045", 4, |limits, limit| limits.component = limit as usize),
    ];
    for (clause, at, set) in set {
        for (limit, is_broken) in [(at, false), (at - 1, true)] {
            let mut limits = Limits::FORMAT;
            set(&mut limits, limit);
            let found = found(Kind::Layer, &layer, &limits);
            assert_eq!(found.contains(&clause), is_broken, "{clause} with a limit of {limit}: {found:?}");
            assert_eq!(found.len(), 1 + usize::from(is_broken), "{found:?}");
        }
    }
}

#[test]
fn manifests() {
    let case = "../fixtures/MAN-022/accepted-loader/manifest.json";
    let manifest = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(case)).unwrap();
    let kind = Kind::Manifest;
    at_limit(kind, &manifest, "MAN-001", manifest.len() as u64, |limits, limit| limits.manifest = limit);
    // `/usr/bin/api`
    at_limit(kind, &manifest, "MAN-021", 12, |limits, limit| limits.argument = limit as usize);
    // `LD_PRELOAD=x`
    at_limit(kind, &manifest, "MAN-023", 10, |limits, limit| limits.environment_name = limit as usize);
    at_limit(kind, &manifest, "MAN-025", 12, |limits, limit| limits.environment_variable = limit as usize);
    at_limit(kind, &manifest, "MAN-048", 1, |limits, limit| limits.layers = limit as usize);
    at_limit(kind, &manifest, "MAN-049", 4096, |limits, limit| limits.layer = limit);
    at_limit(kind, &manifest, "MAN-050", 4096, |limits, limit| limits.layers_total = limit);
    at_limit(kind, &manifest, "MAN-031", 1, |limits, limit| limits.ports = limit as usize);
    at_limit(kind, &manifest, "MAN-037", 1, |limits, limit| limits.mounts = limit as usize);
    at_limit(kind, &manifest, "MAN-030", 30, |limits, limit| limits.grace_seconds = limit as i64);
    at_limit(kind, &manifest, "MAN-008", 2, |limits, limit| limits.array = limit as usize);
    at_limit(kind, &manifest, "NAM-008", 25, |limits, limit| limits.name = limit as usize);
    at_limit(kind, &manifest, "NAM-011", 5, |limits, limit| limits.version = limit as usize);
}

/// The first byte that is too many is the place.
#[test]
fn documents() {
    let documents: [(Kind, &[u8], &str, Set); 14] = [
        (Kind::Marker, b"{\"a\":1}", "JSN-005", |limits, limit| limits.document = limit),
        (Kind::Index, b"{\"a\":1}", "JSN-005", |limits, limit| limits.document = limit),
        (Kind::Manifest, b"{\"a\":1}", "MAN-001", |limits, limit| limits.manifest = limit),
        (Kind::Strict, b"{\"a\": 1}", "JSN-005", |limits, limit| limits.document = limit),
        (Kind::Canonical, b"{\"a\":1}", "JSN-005", |limits, limit| limits.document = limit),
        (Kind::Listing, b"\n", "LST-014", |limits, limit| limits.listing = limit),
        (Kind::Envelope, b"{\"a\":1}", "SIG-005", |limits, limit| limits.envelope = limit),
        (Kind::Envelope, b"{\"a\":1}", "SIG-006", |limits, limit| limits.envelope_other = limit),
        (Kind::Release, b"{\"a\":1}", "JSN-005", |limits, limit| limits.document = limit),
        (Kind::Keyring, b"{\"a\":1}", "JSN-005", |limits, limit| limits.document = limit),
        (Kind::Catalog, b"{\"a\":1}", "JSN-005", |limits, limit| limits.envelope = limit),
        (Kind::Policy, b"{\"a\": 1}", "JSN-005", |limits, limit| limits.document = limit),
        (Kind::State, b"{\"a\":1}", "POL-031", |limits, limit| limits.state = limit),
        (Kind::Proof, b"c2sp\n", "LOG-001", |limits, limit| limits.log_proof = limit),
    ];
    for (kind, bytes, clause, set) in documents {
        let length = bytes.len() as u64;
        for (limit, expected) in [(length, false), (length - 1, true), (0, true)] {
            let mut limits = Limits::FORMAT;
            set(&mut limits, limit);
            let findings = findings(kind, bytes, &limits);
            assert_eq!(findings.list().iter().any(|finding| finding.id == clause), expected, "{kind:?} of {limit}");
            if let (true, [finding]) = (expected, findings.list()) {
                assert_eq!(finding.location.bytes.map(|bytes| (bytes.start, bytes.end)), Some((limit, limit + 1)));
            }
        }
    }
}

/// A case with a folder as input, accepted, whose longest document has one byte more than it may have.
#[test]
fn documents_of_other_images() {
    let manifest = "manifest.json";
    for (case, kind, documents) in [
        ("OCI-001/accepted-there/layout", Kind::OciLayout, vec!["oci-layout", "index.json", "blobs/sha256/"]),
        ("OCI-090/accepted-image/images", Kind::DockerLayout, vec![manifest, ".json"]),
    ] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(case);
        let files = super::Store::plain(&root);
        let check = |limit: u64| {
            let limits = Limits { oci_document: limit, ..Limits::FORMAT };
            let mut findings = Findings::new("input", 100);
            check_directory(kind, &files, &limits, NonZero::<usize>::MIN, &mut findings).unwrap();
            findings
        };
        let listed = files.list().unwrap();
        let of_documents = listed.iter().filter(|file| documents.iter().any(|part| file.path.contains(part)));
        let contents = of_documents.map(|file| (fs::read(root.join(&file.path)).unwrap(), file.path.clone()));
        // A layer begins with a name.
        let lengths = contents.filter(|(content, _)| matches!(content.first(), Some(b'{' | b'[')));
        let (longest, path) = lengths.map(|(content, path)| (content.len() as u64, path)).max().unwrap();
        assert_eq!(check(longest).list(), [], "{case}");
        let findings = check(longest - 1);
        let [finding] = findings.list() else { panic!("{case}: {:?}", findings.list()) };
        assert_eq!(finding.id, "OCI-013", "{case}");
        assert_eq!(finding.location.chain.last(), Some(&path));
        assert_eq!(finding.location.bytes.map(|bytes| (bytes.start, bytes.end)), Some((longest - 1, longest)));
    }
}

/// The data of a PAX header.
#[test]
fn extensions_of_other_layers() {
    // 150 characters, and `162 path=` and a newline.
    let pax = files(&[&"d".repeat(150)]);
    at_limit(Kind::OciLayer, &pax, "OCI-059", 160, |limits, limit| limits.oci_extension = limit);
}

#[test]
fn the_limits_of_the_format() {
    let limits = Limits::FORMAT.by_clause();
    let lines = limits.iter().map(|(id, value)| format!("{id} {value}"));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}
