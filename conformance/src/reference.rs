//! The reference validator on a case in memory.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::num::NonZero;

use cornercast::diagnostic::{Diagnostic, Findings};
use cornercast::input::{Kind, check_directory_to, check_file_to, check_stream};
use cornercast::limits::Limits;
use cornercast::oci::Pass;
use cornercast::store::{Extent, Files, Listed, Standing, check_archive_to};

use crate::case::{Case, Expected};
use crate::fixtures::Fixture;
use crate::recipe::Bytes;

/// Findings that are kept for one case.
const MAX_FINDINGS: usize = 100;

/// What the reference finds in a case, with the clauses `off` switched off.
///
/// # Errors
///
/// Errors of reading the input; `InvalidInput` if the case names an unknown kind.
pub fn check(fixture: &Fixture, off: &[&str]) -> io::Result<Vec<Diagnostic>> {
    check_to(Extent::Whole, fixture, off)
}

/// The same as far as `extent` says, of an input whose kind has digests.
///
/// # Errors
///
/// Errors of reading the input; `InvalidInput` if the case names an unknown kind.
pub fn check_to(extent: Extent, fixture: &Fixture, off: &[&str]) -> io::Result<Vec<Diagnostic>> {
    let Case { kind, input, recipe, .. } = &fixture.case;
    let name = input.as_deref().unwrap_or("recipe");
    let mut findings = Findings::new(name, MAX_FINDINGS).without(off.iter().map(|id| (*id).to_owned()));
    let kind = Kind::by_name(kind).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, kind.clone()))?;
    let limits = Limits::FORMAT;
    let pass = Pass::new(extent, NonZero::<usize>::MIN);
    match (recipe, kind) {
        (Some(recipe), kind) if kind.needs_file() => {
            let mut bytes = Vec::new();
            Bytes::new(recipe).read_to_end(&mut bytes)?;
            check_file_to(pass, kind, &bytes, &limits, &mut findings)?;
        }
        (Some(recipe), Kind::Archive) => {
            check_archive_to(extent, &mut Bytes::new(recipe), &limits, NonZero::<usize>::MIN, &mut findings)?
        }
        (Some(recipe), _) => {
            check_stream(kind, &mut Bytes::new(recipe), &limits, NonZero::<usize>::MIN, &mut findings)?
        }
        (None, kind) if kind.is_directory() => {
            let memory = Memory { folder: name, files: &fixture.files, case: &fixture.case };
            check_directory_to(pass, kind, &memory, &limits, &mut findings)?;
        }
        (None, kind) if kind.needs_file() => {
            let bytes = fixture.files.get(name).cloned().unwrap_or_default();
            check_file_to(pass, kind, &bytes, &limits, &mut findings)?;
        }
        (None, Kind::Archive) => {
            let bytes = fixture.files.get(name).map(Vec::as_slice).unwrap_or_default();
            check_archive_to(extent, &mut &*bytes, &limits, NonZero::<usize>::MIN, &mut findings)?;
        }
        (None, _) => {
            let bytes = fixture.files.get(name).map(Vec::as_slice).unwrap_or_default();
            check_stream(kind, &mut &*bytes, &limits, NonZero::<usize>::MIN, &mut findings)?;
        }
    }
    Ok(findings.list().to_vec())
}

/// A finding as a case expects it: with the places that `like` gives.
#[must_use]
pub fn as_expected(diagnostic: &Diagnostic, like: &Expected) -> Expected {
    let location = &diagnostic.location;
    let inner: Vec<&String> = location.chain.iter().skip(1).collect();
    let last = inner.last().map(|last| (*last).clone());
    let file = inner.first().map(|first| (*first).clone());
    Expected {
        id: diagnostic.id.to_owned(),
        file: like.file.is_some().then_some(file).flatten(),
        entry: like.entry.is_some().then_some(last).flatten(),
        pointer: like.pointer.is_some().then(|| location.pointer.clone()).flatten(),
        offset: like.offset.is_some().then(|| location.bytes.map(|bytes| bytes.start)).flatten(),
    }
}

/// The files of a directory in memory.
struct Memory<'a> {
    folder: &'a str,
    files: &'a BTreeMap<String, Vec<u8>>,
    case: &'a Case,
}

impl Files for Memory<'_> {
    fn list(&self) -> io::Result<Vec<Listed>> {
        let paths = self.files.keys().filter_map(|path| path.strip_prefix(self.folder)?.strip_prefix('/'));
        let files = paths.map(|path| Listed { path: path.to_owned(), irregular: None });
        let links =
            self.case.links.keys().map(|path| Listed { path: path.clone(), irregular: Some("a symbolic link") });
        Ok(files.chain(links).collect())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        let bytes = self.files.get(&format!("{}/{path}", self.folder)).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(bytes.as_slice()))
    }

    fn look(&self, path: &[u8]) -> io::Result<Option<Standing>> {
        let path = String::from_utf8_lossy(path).into_owned();
        if let Some(target) = self.case.links.get(&path) {
            return Ok(Some(Standing::Symlink(target.clone().into_bytes())));
        }
        if self.files.contains_key(&format!("{}/{path}", self.folder)) {
            return Ok(Some(Standing::File { is_executable: self.case.executables.contains(&path) }));
        }
        let below = if path.is_empty() { String::new() } else { format!("{path}/") };
        let is_directory = self.list()?.iter().any(|listed| listed.path.starts_with(&below));
        Ok(is_directory.then_some(Standing::Directory))
    }
}
