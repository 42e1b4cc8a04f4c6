//! Limits, lowered so that small inputs reach them: what is at a limit is accepted, and one more is not.

use std::num::NonZero;

use cornercast::diagnostic::Findings;
use cornercast::input::{Kind, check_stream};
use cornercast::limits::Limits;
use cornercast::tar::{END, EntryHeader, header_bytes};

/// The clauses that an input breaks.
fn found(kind: Kind, bytes: &[u8], limits: &Limits) -> Vec<&'static str> {
    let mut findings = Findings::new("input", 100);
    check_stream(kind, &mut &*bytes, limits, NonZero::<usize>::MIN, &mut findings).unwrap();
    findings.list().iter().map(|finding| finding.id).collect()
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

/// A path that breaks another clause, so that all of them are looked at.
#[test]
fn paths_that_are_not_plain() {
    let layer = files(&["a\u{1}bc"]);
    let set: [(&str, u64, Set); 2] = [
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
