//! Archives: their order, their ends, and what is told while they come.

use std::io::{self, Read};
use std::num::NonZero;

use cornercast::diagnostic::{Findings, Violation};
use cornercast::digest::Digest;
use cornercast::input::{Kind, check_stream};
use cornercast::limits::Limits;
use cornercast::store::{ArchiveChecker, FileKind, MARKER, path_of};
use cornercast::tar::{END, EntryHeader, header_bytes};

use super::images::{changed, check_archive, entries, file, files, ids, layer, other};

/// What is wrong with an archive is said in its order, and what is missing if it has come to its end.
#[test]
fn archives_are_judged_in_their_order() {
    let mut wrong = layer(vec![file("a", 0o644)]);
    let content = changed(&wrong.archive.named);
    wrong.archive = other(&wrong.archive, content);
    let mut missing = layer(vec![file("b", 0o644)]);
    missing.archive.stored = None;
    let files = files(&[("1.0.0", &[&wrong, &missing])]);
    let found = |files: &[(String, Vec<u8>)], end: &[u8]| {
        let found = check_archive(&[&entries(files), end].concat(), &Limits::FORMAT);
        found.iter().map(|found| found.id).collect::<Vec<_>>()
    };
    assert_eq!(found(&files, &END), ["NAM-029", "STO-007"]);
    let unknown = ("unknown".to_owned(), Vec::new());
    assert_eq!(
        found(&[files.as_slice(), std::slice::from_ref(&unknown)].concat(), &END),
        ["NAM-029", "STO-028", "STO-007"]
    );
    let (before, after) = files.split_at(3);
    assert_eq!(found(&[before, &[unknown], after].concat(), &END), ["STO-028", "NAM-029", "STO-007"]);
    assert_eq!(found(&files, &[]), ["NAM-029", "LAY-002", "STO-007"]);
    assert_eq!(found(&files, &[1; 100]), ["NAM-029", "LAY-004"]);
}

/// A listing is looked into at the end of its layer, which shows most times that this is not needed.
#[test]
fn listings_are_judged_with_their_layers() {
    let flawed = layer(vec![file("b", 0o644), file("a", 0o644)]);
    let files = files(&[("1.0.0", &[&flawed])]);
    let (path, archive) = &files[3];
    let size = archive.len() as u64;
    let header = EntryHeader { typeflag: b'0', path, mode: 0o600, size, ..EntryHeader::default() };
    let archive = [entries(&files[..3]), header_bytes(&header), archive.clone(), END.to_vec()].concat();
    let found: Vec<_> = check_archive(&archive, &Limits::FORMAT).iter().map(|found| found.id).collect();
    assert_eq!(found, ["STO-026", "LAY-047", "LAY-047"]);
}

/// A blob that no manifest names is superfluous, unless a manifest that has come cannot be understood.
#[test]
fn blobs_are_superfluous_if_all_manifests_are_known() {
    let layer = layer(vec![file("a", 0o644)]);
    let mut files = files(&[("1.0.0", &[&layer])]);
    let found =
        |files: &[(String, Vec<u8>)]| ids(&check_archive(&[entries(files), END.to_vec()].concat(), &Limits::FORMAT));
    let superfluous = (path_of(&FileKind::Blob(Digest::of(b"x"))), b"x".to_vec());
    files.push(superfluous);
    assert_eq!(found(&files), ["STO-031"]);
    // Another order of layer and listing is told whatever the manifest is.
    files.swap(2, 3);
    assert_eq!(found(&files), ["STO-029", "STO-031"]);
    let named = |mut files: Vec<(String, Vec<u8>)>, manifest: Vec<u8>| {
        files[1] = (path_of(&FileKind::Manifest(Digest::of(&manifest))), manifest);
        files
    };
    let text = String::from_utf8(files[1].1.clone()).unwrap();
    let flawed = text.replace("1.0.0", "1").into_bytes();
    let found_of_flawed = found(&named(files.clone(), flawed));
    assert!(!found_of_flawed.contains(&"STO-031") && found_of_flawed.contains(&"STO-029"), "{found_of_flawed:?}");
    files[1].1.push(b'\n');
    let found_of_other = found(&files);
    assert!(!found_of_other.contains(&"STO-031") && found_of_other.contains(&"STO-006"), "{found_of_other:?}");
}

/// An archive begins with its marker, and nothing else is said of a file that does not.
#[test]
fn archives_begin_with_their_marker() {
    let files = files(&[("1.0.0", &[&layer(vec![file("a", 0o644)])])]);
    let archive = [entries(&files), END.to_vec()].concat();
    let before = |header: &EntryHeader<'_>| [header_bytes(header), archive.clone(), vec![7; 9]].concat();
    let plain = EntryHeader { typeflag: b'0', path: "a", mode: 0o644, ..EntryHeader::default() };
    assert_eq!(ids(&check_archive(&before(&plain), &Limits::FORMAT)), ["STO-025"]);
    let mut unreadable = before(&plain);
    unreadable[0] = b'b';
    assert_eq!(ids(&check_archive(&unreadable, &Limits::FORMAT)), ["LAY-010"]);
}

/// What is wrong is told while the archive comes, and when nothing more of it is wanted.
#[test]
fn violations_come_with_the_archive() {
    let archive = entries(&[("cornercast".to_owned(), MARKER.to_vec()), ("unknown".to_owned(), Vec::new())]);
    let mut checker = ArchiveChecker::new(Limits::FORMAT);
    checker.push(&archive);
    let ids = |found: Vec<Violation>| found.iter().map(|found| found.clause.id).collect::<Vec<_>>();
    assert_eq!(ids(checker.take_violations()), ["STO-028"]);
    assert_eq!(ids(checker.take_violations()), [""; 0]);
    assert!(!checker.gave_up());
    assert_eq!(ids(checker.finish()), ["LAY-002"]);
    let mut checker = ArchiveChecker::new(Limits::FORMAT);
    checker.push(&archive[1024..]);
    assert!(checker.gave_up());
    assert_eq!(ids(checker.finish()), ["STO-025"]);
    // Of a file that is none, the rest is left.
    let mut input = archive[1024..].chain(io::repeat(0)).take(1 << 30);
    let mut findings = Findings::new("input", 100);
    check_stream(Kind::Archive, &mut input, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
    assert!(input.limit() > 1 << 29, "{} bytes were left", input.limit());
}
