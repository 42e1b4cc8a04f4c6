//! Stores and archives that are read in other ways than from files, and archives that are written.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use cornercast::diagnostic::Findings;
use cornercast::digest::Digest;
use cornercast::input::{Kind, check_directory, check_stream};
use cornercast::limits::Limits;
use cornercast::store::{ArchiveChecker, ArchiveWriter, FileKind, Files, Listed, MARKER, path_of};
use cornercast::tar::{END, EntryHeader, header_bytes};

use super::images;
use super::kinds::Faulty;

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(path)
}

/// A store whose files are interrupted, and may fail at their end.
struct Interrupted<'a> {
    store: super::Store<'a>,
    contents: BTreeMap<String, Vec<u8>>,
    error: Option<io::ErrorKind>,
}

impl Files for Interrupted<'_> {
    fn list(&self) -> io::Result<Vec<Listed>> {
        self.store.list()
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        // The marker is read first; that it fails is no matter of other files.
        let error = self.error.filter(|_| path.starts_with("blobs/"));
        Ok(Box::new(Faulty { good: &self.contents[path], was_interrupted: false, error }))
    }
}

#[test]
fn reading_may_be_interrupted_but_not_fail() {
    let denied = Some(io::ErrorKind::PermissionDenied);
    let root = fixture("STO-001/accepted-marker/store");
    let archive = fs::read(fixture("STO-025/accepted-marker-first/image.ccast")).unwrap();
    let jobs = NonZero::<usize>::MIN;
    for error in [None, denied] {
        let store = super::Store::plain(&root);
        let paths = store.list().unwrap().into_iter().map(|file| file.path);
        let contents = paths.map(|path| (path.clone(), fs::read(root.join(path)).unwrap())).collect();
        let files = Interrupted { store, contents, error };
        let mut findings = Findings::new("input", 100);
        let result = check_directory(Kind::Store, &files, &Limits::FORMAT, jobs, &mut findings);
        assert_eq!(result.err().map(|error| error.kind()), error, "{:?}", findings.list());
        let mut findings = Findings::new("input", 100);
        let mut input = Faulty { good: &archive, was_interrupted: false, error };
        let result = check_stream(Kind::Archive, &mut input, &Limits::FORMAT, jobs, &mut findings);
        assert_eq!(result.err().map(|error| error.kind()), error, "{:?}", findings.list());
        assert_eq!(findings.list(), []);
    }
}

/// Archives are judged in pieces as they are as a whole.
#[test]
fn archives_in_pieces() {
    let mut count = 0;
    for (folder, case) in super::cases().filter(|(_, case)| case.kind == "archive") {
        let Some(input) = &case.input else { continue };
        let archive = fs::read(folder.join(input)).unwrap();
        if archive.starts_with(b"\x28\xB5\x2F\xFD") || archive.len() > 20_000 {
            continue;
        }
        let mut findings = Findings::new("input", 100);
        check_stream(Kind::Archive, &mut &*archive, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
        let whole: Vec<_> = findings.list().iter().map(|finding| (finding.id, finding.message.clone())).collect();
        for size in [300, archive.len().max(1)] {
            let mut checker = ArchiveChecker::new(Limits::FORMAT);
            let mut found = Vec::new();
            for piece in archive.chunks(size) {
                if !checker.gave_up() {
                    checker.push(piece);
                    found.extend(checker.take_violations());
                }
            }
            found.extend(checker.finish());
            let found: Vec<_> = found.into_iter().map(|found| (found.clause.id, found.message)).collect();
            assert_eq!(found, whole, "{} in pieces of {size}", folder.display());
        }
        count += 1;
    }
    assert!(count > 100, "{count} archives");
}

#[test]
fn archives_are_written() {
    let kind = FileKind::Manifest(Digest::of(b""));
    let entry = |path: &str, content: &[u8]| {
        let size = content.len() as u64;
        let header = header_bytes(&EntryHeader { typeflag: b'0', path, mode: 0o644, size, ..EntryHeader::default() });
        [header, content.to_vec(), vec![0; 512 - content.len()]].concat()
    };
    let mut writer = ArchiveWriter::new(Vec::new()).unwrap();
    writer.file(&kind, 3, &mut &b"abc"[..]).unwrap();
    let path = format!("images/sha256/{}", Digest::of(b"").hex());
    let wanted = [entry("cornercast", MARKER), entry(&path, b"abc"), END.to_vec()].concat();
    assert_eq!(writer.finish().unwrap(), wanted);
    for size in [2, 4] {
        let mut writer = ArchiveWriter::new(Vec::new()).unwrap();
        let error = writer.file(&kind, size, &mut &b"abc"[..]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}

/// What is at a limit is read to its end, in a folder and in an archive.
#[test]
fn limits() {
    let root = fixture("STO-001/accepted-marker/store");
    let store = super::Store::plain(&root);
    let archive = fs::read(fixture("STO-025/accepted-marker-first/image.ccast")).unwrap();
    let length_in = |folder: &str| {
        let files = fs::read_dir(root.join(folder)).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).collect::<Vec<_>>()
    };
    let manifest = length_in("images/sha256")[0];
    let listing = *length_in("blobs/sha256").iter().min().unwrap();
    let marker = MARKER.len() as u64;
    type Set = fn(&mut Limits, u64);
    let set: [(&str, u64, Set); 3] = [
        ("MAN-001", manifest, |limits, limit| limits.manifest = limit),
        ("LST-014", listing, |limits, limit| limits.listing = limit),
        ("JSN-005", marker, |limits, limit| limits.document = limit),
    ];
    let jobs = NonZero::<usize>::MIN;
    for (clause, at, set) in set {
        for limit in [at, at - 1] {
            let mut limits = Limits::FORMAT;
            set(&mut limits, limit);
            // The place of what is too long is its first byte beyond the limit.
            let beyond = (limit < at).then_some((limit, limit + 1));
            for is_store in [true, false] {
                let mut findings = Findings::new("input", 100);
                if is_store {
                    check_directory(Kind::Store, &store, &limits, jobs, &mut findings).unwrap();
                } else {
                    check_stream(Kind::Archive, &mut &*archive, &limits, jobs, &mut findings).unwrap();
                }
                let found = findings.list().iter().find(|finding| finding.id == clause);
                assert_eq!(found.is_some(), beyond.is_some(), "{clause} {is_store} {limit}: {:?}", findings.list());
                if clause != "LST-014" {
                    let bytes = found.and_then(|finding| finding.location.bytes);
                    assert_eq!(bytes.map(|bytes| (bytes.start, bytes.end)), beyond, "{clause} {is_store}");
                }
                if beyond.is_none() {
                    assert_eq!(findings.list(), [], "{clause}");
                }
            }
        }
    }
}

/// A store whose files are interrupted before each read; one of them fails at its end.
struct Slow {
    store: images::Store,
    fails: Option<String>,
}

struct SlowFile<'a> {
    rest: &'a [u8],
    was_interrupted: bool,
    fails: bool,
}

impl Read for SlowFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.was_interrupted = !self.was_interrupted;
        match self.rest {
            _ if self.was_interrupted => Err(io::ErrorKind::Interrupted.into()),
            [] if self.fails => Err(io::ErrorKind::PermissionDenied.into()),
            _ => self.rest.read(buffer),
        }
    }
}

impl Files for Slow {
    fn list(&self) -> io::Result<Vec<Listed>> {
        self.store.list()
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        let fails = self.fails.as_deref() == Some(path);
        Ok(Box::new(SlowFile { rest: &self.store.0[path], was_interrupted: false, fails }))
    }
}

/// Whatever a file is read for, that may be interrupted, but not fail.
#[test]
fn every_file_of_a_store_is_read_to_its_end() {
    let layer = images::layer(vec![images::file("a", 0o644)]);
    let mut files = images::files(&[("1.0.0", &[&layer])]);
    // One that no manifest names.
    files.push((path_of(&FileKind::Blob(Digest::of(b"x"))), b"x".to_vec()));
    let paths = files.iter().map(|(path, _)| Some(path.clone()));
    for fails in paths.chain([None]) {
        let expected = fails.as_ref().map(|_| io::ErrorKind::PermissionDenied);
        let slow = Slow { store: images::Store(files.iter().cloned().collect()), fails };
        let mut findings = Findings::new("input", 100);
        let result = check_directory(Kind::Store, &slow, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings);
        assert_eq!(result.map_err(|error| error.kind()).err(), expected, "{:?}", slow.fails);
        assert_eq!(findings.list(), []);
    }
}
