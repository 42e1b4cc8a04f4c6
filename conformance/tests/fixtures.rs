//! The cases against the reference, and the folder `fixtures/` against the code that makes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cornercast::diagnostic::Severity;
use cornercast_conformance::case::Verdict;
use cornercast_conformance::fixtures::{self, Fixture};
use cornercast_conformance::reference;

/// Set this to write what the code makes instead of comparing.
const BLESS: &str = "CORNERCAST_BLESS";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The cases of inputs that are checked, of the chapter in the variable CORNERCAST_CHAPTER (`LAY`, say), or all.
fn checked() -> impl Iterator<Item = Fixture> {
    cases().into_iter().filter(|fixture| fixture.case.operation.is_check())
}

/// The cases of that chapter, or all.
fn cases() -> Vec<Fixture> {
    let chapter = std::env::var("CORNERCAST_CHAPTER").unwrap_or_default();
    fixtures::all().into_iter().filter(|fixture| fixture.folder.starts_with(&chapter)).collect()
}

/// Traceability 5: exactly the expected findings at the expected places.
#[test]
fn the_reference_finds_what_each_case_expects() {
    let mut wrong = Vec::new();
    for fixture in checked() {
        let found = reference::check(&fixture, &[]).unwrap();
        let expect = &fixture.case.expect;
        let rejects = found.iter().any(|finding| finding.severity == Severity::Error);
        let places: Vec<_> = found
            .iter()
            .enumerate()
            .map(|(at, finding)| {
                reference::as_expected(
                    finding,
                    expect.findings.get(at).unwrap_or(&expect.findings.first().cloned().unwrap_or_default()),
                )
            })
            .collect();
        if rejects != (expect.verdict == Verdict::Rejected) || places != expect.findings {
            let seen: Vec<String> = found
                .iter()
                .map(|finding| format!("    {} {} at {:?}", finding.id, finding.message, finding.location))
                .collect();
            wrong.push(format!(
                "{}\n  expected {:?}\n  found {places:?}\n{}",
                fixture.folder,
                expect.findings,
                seen.join("\n")
            ));
        }
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Traceability 6: with its rule off, a case is accepted: it fails for that clause and no other.
#[test]
fn every_rejection_rests_on_one_clause() {
    for fixture in checked() {
        for expected in &fixture.case.expect.findings {
            let left = reference::check(&fixture, &[&expected.id]).unwrap();
            assert!(left.is_empty(), "{}: with {} switched off, this is left: {left:#?}", fixture.folder, expected.id);
        }
    }
}

/// No two cases have the same folder.
#[test]
fn folders_are_distinct() {
    let mut seen = BTreeSet::new();
    for fixture in cases() {
        assert!(seen.insert(fixture.folder.clone()), "two cases are called {}", fixture.folder);
    }
}

/// Traceability 7: the folder holds what the code makes, byte for byte.
#[test]
fn the_folder_is_fresh() {
    let mut wanted: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    for Fixture { folder, case, files } in fixtures::all() {
        let folder = root().join("fixtures").join(folder);
        let mut text = serde_json::to_string_pretty(&case).unwrap();
        text.push('\n');
        wanted.insert(folder.join("case.json"), text.into_bytes());
        for (path, bytes) in files {
            wanted.insert(folder.join(path), bytes);
        }
    }
    let mut there = BTreeMap::new();
    for chapter in fs::read_dir(root().join("fixtures")).unwrap() {
        let path = chapter.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && (name == "good" || name.as_bytes().get(3) == Some(&b'-')) {
            read_all(&path, &mut there);
        }
    }
    if std::env::var_os(BLESS).is_some() {
        for path in there.keys().filter(|path| !wanted.contains_key(*path)) {
            fs::remove_file(path).unwrap();
            // Folders that become empty go as well.
            let mut folder = path.parent();
            while let Some(empty) = folder.filter(|folder| fs::remove_dir(folder).is_ok()) {
                folder = empty.parent();
            }
        }
        for (path, bytes) in wanted.iter().filter(|(path, bytes)| there.get(*path) != Some(bytes)) {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        return;
    }
    for (path, bytes) in &wanted {
        assert_eq!(there.get(path), Some(bytes), "{} is stale; run the tests with {BLESS}=1", path.display());
    }
    for path in there.keys() {
        assert!(wanted.contains_key(path), "{} belongs to no case; remove it", path.display());
    }
}

fn read_all(folder: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else {
            into.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}
