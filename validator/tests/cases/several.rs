//! Inputs with more than one defect, which are no conformance cases: what one run says of them, and in which order.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::num::NonZero;
use std::path::Path;

use cornercast::clause;
use cornercast::diagnostic::{Findings, Location, Place, Violation};
use cornercast::input::{Kind, check_stream};
use cornercast::limits::Limits;
use cornercast::tar::{END, EntryHeader, header_bytes};

/// What is found in an input: id, place and message, one a line.
pub(super) fn found(kind: Kind, bytes: &[u8]) -> String {
    let mut findings = Findings::new("input", 20);
    check_stream(kind, &mut &*bytes, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
    let mut out = String::new();
    // Of very many the first few are enough.
    let shown = if findings.count() > 100 { 3 } else { 20 };
    for finding in findings.list().iter().take(shown) {
        let Location { chain, pointer, bytes, line, column, .. } = &finding.location;
        let bytes = bytes.map_or_else(String::new, |bytes| format!("{}..{}", bytes.start, bytes.end));
        let line = line.zip(*column).map_or_else(String::new, |(line, column)| format!(" ({line}:{column})"));
        let inner: String = chain.iter().skip(1).map(|link| format!(" {link}")).collect();
        let pointer = pointer.as_deref().unwrap_or_default();
        writeln!(out, "{} {bytes}{line}{inner} {pointer} {}", finding.id, finding.message).unwrap();
        if let Some(excerpt) = &finding.excerpt {
            writeln!(out, "    {}: {}", excerpt.start, excerpt.bytes.escape_ascii()).unwrap();
        }
        for related in &finding.related {
            let bytes = related.location.bytes.map_or((0, 0), |bytes| (bytes.start, bytes.end));
            writeln!(out, "    {}..{} {}", bytes.0, bytes.1, related.message).unwrap();
        }
    }
    writeln!(out, "{} errors, {} warnings", findings.errors, findings.warnings).unwrap();
    out
}

#[test]
fn in_json() {
    let nulls = |count| format!("[{}]", vec!["null"; count].join(","));
    let documents: [(Kind, Vec<u8>); 15] = [
        (
            Kind::Strict,
            b"{\"a\":\"\xFF\", \"b\":\"\x80\x80\", \"c\":\"\xFF\xFE\xFD\xFC\xFB\xFA\xF9\xF8\xF7\xF6\"}".to_vec(),
        ),
        (Kind::Strict, b"{\"a\":\"\xF0\x9F\x98\xFF\xFF\xFF\xFF\xFF\"}\xFF".to_vec()),
        (Kind::Strict, b"\xEF\xBB\xBF[null, -0, 1.5]".to_vec()),
        (Kind::Strict, b"\xEF\xBB\xBF\xEF\xBB\xBF{}".to_vec()),
        (Kind::Strict, br#"{"a": {"b": 1, "b": 2, "b": 3, "c": null}, "a": -0, "\ud800": 1, "\ud800": 2}"#.to_vec()),
        (
            Kind::Canonical,
            b"{ \"b\": \"\\u0041\", \"a\": [ 1.0 , \"\\/\" ],\n\"c\": {\"z\": 1, \"y\": 2, \"x\": 3} }\n".to_vec(),
        ),
        (Kind::Canonical, br#"{"a":"\ud83d\ude00\ud83d","b":"\ud83d\u0041","c":"\ude00\ud83d\ude00"}"#.to_vec()),
        (Kind::Canonical, "{\"é\u{0}\":\"\\u0000\",\"zß\":\"é\\u00e9\"} ".into()),
        (Kind::Strict, br#"{"a":"\udc00\udc00"}"#.to_vec()),
        (Kind::Strict, br#"{"a":"\u00"#.to_vec()),
        (Kind::Strict, nulls(1001).into_bytes()),
        (Kind::Strict, b"\xFFa".repeat(1001)),
        (Kind::Strict, format!("{{\"a\":{}}}", nulls(999)).into_bytes()),
        (Kind::Strict, format!("{{\"a\":{}}} x", "[".repeat(16)).into_bytes()),
        (
            Kind::Strict,
            "{\"日本語日本語日本語日本語日本語日本語日本語\":1,\"a\":\"日本語日本語日本語日本語日本語\",\"a\":null}"
                .into(),
        ),
    ];
    let found: Vec<String> = documents.iter().map(|(kind, document)| found(*kind, document)).collect();
    insta::assert_snapshot!(found.join("\n"));
}

/// A document has no more than 1,000 violations and a listing 10,000, and a second place belongs to its own violation only.
#[test]
fn no_more_than_so_many() {
    let of = |nulls: usize, rest: &str| {
        let document = format!("{{\"a\":[{}],{rest}", vec!["null"; nulls].join(","));
        let mut findings = Findings::new("input", 2000);
        check_stream(Kind::Strict, &mut document.as_bytes(), &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings)
            .unwrap();
        let last = findings.list().last().unwrap();
        (findings.count(), last.id, last.related.len())
    };
    assert_eq!(of(998, "\"b\":1,\"b\":2}"), (999, "JSN-008", 1));
    assert_eq!(of(1000, "\"b\":1,\"b\":2}"), (1000, "JSN-015", 0));
    assert_eq!(of(999, "x"), (1000, "JSN-003", 0));
    assert_eq!(of(1000, "x"), (1000, "JSN-015", 0));
    for lines in [9999, 10_000, 10_001] {
        let mut findings = Findings::new("input", 1);
        let listing = "[]\n".repeat(lines);
        check_stream(Kind::Listing, &mut listing.as_bytes(), &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings)
            .unwrap();
        assert_eq!(findings.count(), lines.min(10_000) as u64);
    }
}

/// What is kept of the findings of one input.
#[test]
fn findings_are_kept() {
    let violation = |message: &str| Violation::new(&clause::JSN_003, Place::default(), message);
    let mut findings = Findings::new("name", 2);
    findings.extend(["one", "two", "three"].map(violation));
    findings.interrupted(violation("stopped"));
    let kept: Vec<&str> = findings.list().iter().map(|finding| &*finding.message).collect();
    assert_eq!((findings.input(), findings.count(), kept), ("name", 3, vec!["one", "two", "stopped"]));
    let prints: Vec<&str> = findings.list().iter().map(|finding| &*finding.fingerprint).collect();
    assert!(prints.iter().all(|print| print.len() == 16 && print.bytes().all(|byte| byte.is_ascii_hexdigit())));
    assert!(prints[0] != prints[1] && prints[1] != prints[2]);
}

#[test]
fn in_references() {
    let references = [
        "A-.-b.1/c//D:01.2.3+x@md5:x",
        "example.com/a:099999999999999999999.0.0",
        "example.com/a:9007199254740992.9007199254740993.0-9007199254740994",
        "example.com/a:1.0.0-09007199254740992.0.00",
        "example.com/a:1.0.0-a.9007199254740992.b",
        "example.com/a:0-",
        "localhost:Stable@sha256:",
        ":@",
        "a@b:c@d",
    ];
    let found: Vec<String> = references.iter().map(|text| found(Kind::Reference, text.as_bytes())).collect();
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn in_manifests() {
    let wrong = r#"{"app":{"arguments":[],"environment":{"A=":"x","CORNERCAST_A":"b"},"exec":["bin/x",""],"extra":1,"isolation":{"isolators":{"a":1,"cornercast/network":{"value":"x"}},"level":"x"},"mounts":[{"name":"A","path":"a"},{"name":"A","path":"a"}],"ports":[{"name":"","port":0,"protocol":"x"},{"name":"","port":70000,"protocol":"tcp"}],"stop":{"graceSeconds":-1,"signal":"x"},"user":{"gid":-1,"supplementaryGids":[3,2,2,-1],"uid":1.5},"workingDirectory":"/"},"base":{"image":"sha256:x","layers":0,"name":"x","version":"1"},"cornercast":"1.0","created":"x","kind":"x","layers":[{},{"digest":"md5:x","listing":{"digest":1,"size":-1},"size":0}],"name":"A/b//c","platform":{"architecture":"vax","os":"plan9","variant":"x"},"rootfs":[],"version":"01.2+x"}"#;
    let most = serde_json::json!({"cornercast": "1.0", "layers": vec![0; 1500]});
    let manifests =
        [wrong.to_owned(), "{\"cornercast\":\"1.0\"}".to_owned(), most.to_string(), "{\"cornercast\":1}".to_owned()];
    let mut found: Vec<String> =
        manifests.iter().map(|manifest| self::found(Kind::Manifest, manifest.as_bytes())).collect();
    let mut findings = Findings::new("input", 1000);
    check_stream(Kind::Manifest, &mut wrong.as_bytes(), &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
    found.extend(findings.list().iter().skip(20).map(|finding| format!("{} {}", finding.id, finding.message)));
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn in_listings() {
    let lines = [
        "{\"gid\":0,\"mode\":99999,\"mtime\":-1,\"path\":\"b/\",\"type\":\"dir\",\"uid\":-1}",
        "",
        "{\"path\":\"a\",\"type\":\"whiteout\"}",
        "{ \"path\":\"a\",\"type\":\"whiteout\"}",
        "{\"path\":\"a\",\"type\":\"fifo\"}",
        "[]",
        "{\"gid\":0,\"mode\":420,\"mtime\":0,\"path\":\"é/日本/x\",\"sha256\":\"0\",\"size\":0,\"target\":\"\",\"type\":\"hardlink\",\"uid\":0,\"xattrs\":{\"a\":\"!\",\"b\":\"\"}}",
        "{\"gid\":0,\"mtime\":0,\"path\":\"a\",\"target\":\"\",\"type\":\"symlink\",\"uid\":0,\"xattrs\":{}}",
        "{\"gid\":0,\"mode\":493,\"mtime\":0,\"opaque\":true,\"path\":\"a/b\",\"type\":\"dir\",\"uid\":0",
    ];
    // Two directories that replace, one below the other, and one that only says that it does not.
    let dir = |path: &str, opaque: bool| {
        format!(
            "{{\"gid\":0,\"mode\":493,\"mtime\":0,\"opaque\":{opaque},\"path\":\"{path}\",\"type\":\"dir\",\"uid\":0}}\n"
        )
    };
    let opaque = [dir("a", true), dir("a/b", false), dir("a/b/c", true)].concat();
    let listings = [lines.join("\n"), opaque];
    let kinds = [Kind::Listing, Kind::Rootfs];
    let found: Vec<String> = listings.iter().flat_map(|text| kinds.map(|kind| found(kind, text.as_bytes()))).collect();
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn in_archives() {
    let entry = |typeflag, path, target, mode| {
        header_bytes(&EntryHeader { typeflag, path, target, mode, uid: u32::MAX, mtime: 9, ..EntryHeader::default() })
    };
    let xattrs = [("trusted.a".to_owned(), Vec::new()), ("user.b".to_owned(), b"b".to_vec())];
    let header = EntryHeader {
        typeflag: b'0',
        path: "c/.wh.d",
        size: 3,
        mode: 0o644,
        xattrs: &xattrs,
        ..EntryHeader::default()
    };
    let mut many = [
        entry(b'5', "b/", "", 0o755),
        entry(b'2', "b/x", "", 0o644),
        entry(b'1', "a", "nothing", 0o7777),
        entry(b'0', "a", "", 0o644),
        header_bytes(&header),
        [b"abc".to_vec(), vec![1; 509]].concat(),
        entry(b'5', "é\u{7F}/../", "", 0o755),
    ]
    .concat();
    many.extend([END.to_vec(), vec![7; 20]].concat());
    let mut damaged = entry(b'5', "b/", "", 0o755);
    damaged.extend(entry(b'0', "c", "", 0o644));
    // The name of the directory, so that its header has a wrong checksum.
    damaged[1024] ^= 1;
    damaged.extend(&entry(b'3', "d", "", 0o644)[..700]);
    // What lies in directories that have no entry.
    let mut without = [
        entry(b'0', "a/b", "", 0o644),
        entry(b'0', "a/c", "", 0o644),
        entry(b'0', "a/.wh..wh..opq", "", 0),
        entry(b'5', "d/", "", 0o755),
        entry(b'0', "d/.wh..wh..opq", "", 0),
        entry(b'5', "d/x/y/", "", 0o755),
        entry(b'0', "d/x/y/.wh..wh..opq", "", 0),
        entry(b'0', "/.wh..wh..opq", "", 0),
    ]
    .concat();
    without.extend(END);
    // A record without its length.
    let path = "a".repeat(101);
    let mut record = entry(b'0', &path, "", 0o644);
    record[512] = b'x';
    record.extend(END);
    let found = [
        found(Kind::Layer, &record),
        found(Kind::Layer, &[0; 1024]),
        found(Kind::Layer, &[vec![0; 512], vec![7; 512]].concat()),
        found(Kind::Layer, &without),
        found(Kind::Layer, &many),
        found(Kind::Layer, &damaged),
        found(Kind::Archive, &many),
        found(Kind::Layer, &many[..many.len() - 1044 - 512]),
        found(Kind::Layer, &[0; 100]),
    ];
    insta::assert_snapshot!(found.join("\n"));
}

/// What is wrong before the place where a frame is cut off is said, whichever of its threads sees it first.
#[test]
fn in_an_archive_that_is_cut_off() {
    let case = "../fixtures/NAM-029/rejected-in-archive-layer-flipped/image.ccast";
    let archive = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(case)).unwrap();
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(&archive).unwrap();
    let frame = encoder.finish().unwrap();
    // Without the end of its checksum the frame still gives the archive.
    let cut = frame.len() - 2;
    for jobs in [1, 2, 3] {
        let mut findings = Findings::new("input", 20);
        let jobs = NonZero::new(jobs).unwrap();
        check_stream(Kind::Archive, &mut &frame[..cut], &Limits::FORMAT, jobs, &mut findings).unwrap();
        let ids: Vec<&str> = findings.list().iter().map(|finding| finding.id).collect();
        assert_eq!(ids, ["NAM-029", "STO-024"], "{jobs} threads");
    }
}

/// The excerpts of what is wrong with Zstandard frames, and where the places end.
#[test]
fn in_frames() {
    let clauses = ["STO-018", "STO-019", "STO-020", "STO-021", "STO-022", "STO-023", "STO-024", "STO-025"];
    insta::assert_snapshot!(found_in_cases(Kind::Archive, &clauses));
}

/// What is found in the cases of a kind and of some clauses.
pub(super) fn found_in_cases(kind: Kind, clauses: &[&str]) -> String {
    let mut found = Vec::new();
    for (folder, case) in super::cases() {
        let is_wanted = case.kind == kind.name() && clauses.iter().any(|clause| super::is_of(&folder, clause));
        if let (true, Some(input)) = (is_wanted, &case.input) {
            let bytes = fs::read(folder.join(input)).unwrap();
            let name = folder.file_name().unwrap().display().to_string();
            let text = self::found(kind, &bytes);
            if !text.starts_with("0 errors, 0 warnings") {
                found.push(format!("{name}\n{text}"));
            }
        }
    }
    found.join("\n")
}
