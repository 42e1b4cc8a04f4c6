//! The conformance cases as they lie in `fixtures/`: each gives exactly the findings that it expects.
//!
//! The suite does the same with the code that makes them. This test does not need that code, so it is built in
//! seconds: it is what mutation testing (`validator/mutants/run`) tries first. Recipes are left to the suite.
//!
//! `CORNERCAST_FIRST=LAY,STO` tries the cases of these chapters first, and ends all at the first case that differs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod archives;
mod images;
mod kinds;
mod limits;
mod manifests;
mod oci;
mod oci_digests;
mod oci_layers;
mod oci_layouts;
mod parts;
mod several;
mod stores;
mod trusted;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;

use cornercast::clause;
use cornercast::diagnostic::{Diagnostic, Findings, Severity};
use cornercast::input::{Kind, check_directory, check_file, check_stream};
use cornercast::limits::Limits;
use cornercast::store::{Files, Listed, Standing};
use serde::Deserialize;
use serde_json::Value;

/// What this test needs of a `case.json`.
#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    input: Option<String>,
    #[serde(default)]
    links: BTreeMap<String, String>,
    #[serde(default)]
    executables: BTreeSet<String>,
    #[serde(rename = "as")]
    kind: String,
    expect: Expectation,
}

#[derive(Deserialize)]
struct Expectation {
    #[serde(default)]
    findings: Vec<Expected>,
}

impl Expectation {
    fn is(&self, found: &Findings) -> bool {
        self.findings.len() == found.list().len()
            && self.findings.iter().zip(found.list()).all(|(expected, found)| *expected == expected.as_given(found))
    }
}

/// A finding; a case gives some of the places.
#[derive(Debug, PartialEq, Deserialize)]
struct Expected {
    id: String,
    file: Option<String>,
    entry: Option<String>,
    pointer: Option<String>,
    offset: Option<u64>,
}

impl Expected {
    /// A finding with the places that `self` gives.
    fn as_given(&self, found: &Diagnostic) -> Self {
        let location = &found.location;
        let inner = location.chain.get(1..).unwrap_or_default();
        Self {
            id: found.id.to_owned(),
            file: self.file.as_ref().and(inner.first().cloned()),
            entry: self.entry.as_ref().and(inner.last().cloned()),
            pointer: self.pointer.as_ref().and(location.pointer.clone()),
            offset: self.offset.and(location.bytes.map(|bytes| bytes.start)),
        }
    }
}

#[test]
fn each_case_gives_what_it_expects() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for (folder, case, found) in checked() {
        if !case.expect.is(found) {
            wrong.push(format!("{}: {:#?}", folder.display(), found.list()));
        }
        let errors = found.list().iter().filter(|found| found.severity == Severity::Error).count() as u64;
        assert_eq!((found.errors, found.count()), (errors, found.list().len() as u64), "{}", folder.display());
        count += 1;
        assert!(wrong.len() < 10, "10 of {count} cases differ, and perhaps more:\n{}", wrong.join("\n"));
    }
    assert!(count > 3000, "{count} cases");
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// The cases with an input, their folders, and what is found in them, sorted.
fn checked() -> &'static [(PathBuf, Case, Findings)] {
    static CHECKED: OnceLock<Vec<(PathBuf, Case, Findings)>> = OnceLock::new();
    CHECKED.get_or_init(|| {
        let first = env::var("CORNERCAST_FIRST").ok();
        let mut cases: Vec<(PathBuf, Case)> = cases().collect();
        if let Some(first) = &first {
            cases.sort_by_key(|(folder, _)| !first.split(',').any(|chapter| is_of(folder, chapter)));
        }
        let checked = cases.into_iter().filter_map(|(folder, case)| {
            let found = check(&case, &folder.join(case.input.as_ref()?));
            if first.is_some() && !case.expect.is(&found) {
                eprintln!("{}: {:#?}", folder.display(), found.list());
                process::exit(1);
            }
            Some((folder, case, found))
        });
        let mut checked: Vec<_> = checked.collect();
        checked.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        checked
    })
}

/// Whether a clause of `chapter` has the folder.
fn is_of(folder: &Path, chapter: &str) -> bool {
    let clause = folder.parent().and_then(Path::file_name).and_then(OsStr::to_str);
    clause.is_some_and(|clause| clause.starts_with(chapter))
}

/// The cases of validators and their folders, sorted.
fn cases() -> impl Iterator<Item = (PathBuf, Case)> {
    let cases = all_cases().filter(|(_, case)| case["role"] == "validate");
    cases.map(|(folder, case)| (folder, serde_json::from_value(case).unwrap()))
}

/// The documents of all cases and their folders, sorted.
fn all_cases() -> impl Iterator<Item = (PathBuf, Value)> {
    let clauses = folders(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures"));
    // Beside the clauses stand folders without cases.
    let folders = clauses.into_iter().flat_map(|clause| folders(&clause));
    folders.filter(|folder| folder.join("case.json").is_file()).map(|folder| {
        let case = serde_json::from_slice(&fs::read(folder.join("case.json")).unwrap()).unwrap();
        (folder, case)
    })
}

/// Each wording of each clause once, the help where it is not the clause's own, and what is said of second
/// places: what people read.
#[test]
fn wordings() {
    let own: BTreeSet<&str> = clause::all().map(|clause| clause.help).collect();
    let mut wordings = BTreeMap::new();
    for (_, _, found) in checked() {
        for found in found.list() {
            let help = if own.contains(&*found.help) { String::new() } else { format!(" ({})", found.help) };
            let second: String = found.related.iter().map(|related| format!(" [{}]", related.message)).collect();
            let text = format!("{}{help}{second}", found.message);
            wordings.entry((found.id, shape(&text))).or_insert_with(|| format!("{} {text}", found.id));
        }
    }
    insta::assert_snapshot!(wordings.into_values().collect::<Vec<_>>().join("\n"));
}

/// A text without the values in it: digests, digits, and what stands in quotes.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    let mut quote = None;
    for word in text.split(' ') {
        let is_digest = quote.is_none() && word.starts_with("sha256:");
        for character in word.chars().filter(|_| !is_digest) {
            match quote {
                Some(end) if character == end => quote = None,
                Some(_) => {}
                None if matches!(character, '"' | '`') => quote = Some(character),
                None if character.is_ascii_digit() => {}
                None => shape.push(character),
            }
        }
    }
    shape
}

/// The folders in `folder`, sorted.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_dir());
    paths.sort();
    paths
}

fn check(case: &Case, input: &Path) -> Findings {
    let mut findings = Findings::new("input", 100);
    let kind = Kind::by_name(&case.kind).unwrap();
    let (limits, jobs) = (Limits::FORMAT, NonZero::<usize>::MIN);
    if kind.is_directory() {
        check_directory(
            kind,
            &Store { root: input, links: &case.links, executables: &case.executables },
            &limits,
            jobs,
            &mut findings,
        )
        .unwrap();
    } else if kind.needs_file() {
        check_file(kind, &fs::read(input).unwrap(), &limits, jobs, &mut findings).unwrap();
    } else {
        check_stream(kind, &mut fs::File::open(input).unwrap(), &limits, jobs, &mut findings).unwrap();
    }
    findings
}

/// A store in a folder, with links that a working copy would not keep.
struct Store<'a> {
    root: &'a Path,
    links: &'a BTreeMap<String, String>,
    executables: &'a BTreeSet<String>,
}

impl<'a> Store<'a> {
    /// One without links and programs.
    fn plain(root: &'a Path) -> Self {
        static LINKS: BTreeMap<String, String> = BTreeMap::new();
        static EXECUTABLES: BTreeSet<String> = BTreeSet::new();
        Self { root, links: &LINKS, executables: &EXECUTABLES }
    }
}

impl Files for Store<'_> {
    fn list(&self) -> io::Result<Vec<Listed>> {
        let links = self.links.keys().map(|path| Listed { path: path.clone(), irregular: Some("a symbolic link") });
        let mut listed: Vec<Listed> = links.collect();
        let mut open = vec![self.root.to_owned()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let path = path.strip_prefix(self.root).unwrap().to_str().unwrap().to_owned();
                    listed.push(Listed { path, irregular: None });
                }
            }
        }
        Ok(listed)
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(fs::File::open(self.root.join(path))?))
    }

    fn look(&self, path: &[u8]) -> io::Result<Option<Standing>> {
        let path = std::str::from_utf8(path).unwrap();
        let below = self.links.keys().any(|link| link.starts_with(&format!("{path}/")));
        let there = self.root.join(path);
        Ok(if let Some(target) = self.links.get(path) {
            Some(Standing::Symlink(target.clone().into_bytes()))
        } else if there.is_file() {
            Some(Standing::File { is_executable: self.executables.contains(path) })
        } else {
            (below || there.is_dir()).then_some(Standing::Directory)
        })
    }
}
