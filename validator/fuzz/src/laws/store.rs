//! Stores in memory: the files are the entries of a tar archive, whatever else it is.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::num::NonZero;

use cornercast::diagnostic::{Diagnostic, Findings};
use cornercast::limits::Limits;
use cornercast::store::{Files, Listed, check_store};
use cornercast::tar::Profile;

use super::pieces::InPieces;
use super::tar;

/// What holds of any bytes.
pub fn hold(bytes: &[u8]) {
    let files = Memory::of_tar(bytes);
    let whole = check(&files);
    let otherwise = check_with(&Otherwise(&files), NonZero::new(3).expect("three is not zero"));
    assert_eq!(whole.list(), otherwise.list(), "order, pieces or threads change what is found");
    for finding in whole.list() {
        place(finding, &files);
    }
    assert_eq!(whole.count(), whole.list().len() as u64, "more findings than there are places");
    let ids = whole.list().iter().map(|finding| finding.id.to_owned());
    let mut off = Findings::new("store", MOST).without(ids);
    check_store(&files, &Limits::FORMAT, NonZero::<usize>::MIN, &mut off).expect("memory does not fail");
    assert_eq!(off.count(), 0, "a clause that is switched off is not found");
}

const MOST: usize = 100_000;

/// What is found in a store.
pub fn check(files: &dyn Files) -> Findings {
    check_with(files, NonZero::<usize>::MIN)
}

fn check_with(files: &dyn Files, jobs: NonZero<usize>) -> Findings {
    let mut findings = Findings::new("store", MOST);
    check_store(files, &Limits::FORMAT, jobs, &mut findings).expect("memory does not fail");
    findings
}

/// A place lies inside the file that it names.
fn place(finding: &Diagnostic, files: &Memory) {
    let file = finding.location.chain.get(1).and_then(|path| files.files.get(path));
    let (Some(bytes), Some(file)) = (finding.location.bytes, file) else { return };
    assert!(bytes.start <= bytes.end && bytes.end <= file.len() as u64, "{} bytes: {finding:#?}", file.len());
}

/// A store in memory.
pub struct Memory {
    files: BTreeMap<String, Vec<u8>>,
    irregular: Vec<String>,
}

impl Memory {
    /// A store with these files, and with symbolic links at the paths `irregular`.
    pub fn new(files: BTreeMap<String, Vec<u8>>, irregular: Vec<String>) -> Self {
        Self { files, irregular }
    }

    /// The store whose files, and links in their places, are the entries of an archive.
    fn of_tar(bytes: &[u8]) -> Self {
        let read = tar::read(Profile::Archive, [bytes]);
        let mut store = Self::new(BTreeMap::new(), Vec::new());
        for file in read.entries(bytes) {
            let path = String::from_utf8_lossy(&file.path).into_owned();
            if file.typeflag == b'0' {
                store.files.insert(path, file.data.clone());
            } else if !store.irregular.contains(&path) {
                store.irregular.push(path);
            }
        }
        store.irregular.retain(|path| !store.files.contains_key(path));
        store
    }
}

impl Files for Memory {
    fn list(&self) -> io::Result<Vec<Listed>> {
        let files = self.files.keys().map(|path| Listed { path: path.clone(), irregular: None });
        let others =
            self.irregular.iter().map(|path| Listed { path: path.clone(), irregular: Some("a symbolic link") });
        Ok(files.chain(others).collect())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(self.files.get(path).ok_or(io::ErrorKind::NotFound)?.as_slice()))
    }
}

/// The same store, listed the other way round, and its files in pieces.
struct Otherwise<'a>(&'a Memory);

impl Files for Otherwise<'_> {
    fn list(&self) -> io::Result<Vec<Listed>> {
        self.0.list().map(|mut listed| {
            listed.reverse();
            listed
        })
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(InPieces::new(self.0.files.get(path).ok_or(io::ErrorKind::NotFound)?)))
    }
}
