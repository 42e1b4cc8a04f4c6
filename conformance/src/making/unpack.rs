//! The reference as an unpacker.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::num::NonZero;
use std::path::Path;

use cornercast::diagnostic::Violation;
use cornercast::digest::Digest;
use cornercast::input::Kind;
use cornercast::limits::Limits;
use cornercast::store::{Files, Listed};
use cornercast::tar::{Entry, Profile, Reader, Sink};
use cornercast::unpack::{Options, Owner, UnpackError};
use cornercast::zstd::{Decoder, MAGIC};

use super::{Failure, Order};
use crate::builtin;

/// Unpacks a store or an archive with one image; an archive is judged as a whole before.
pub(super) fn unpack(order: &Order<'_>) -> Result<(), Failure> {
    let files = match Kind::by_name(order.kind) {
        Some(Kind::Store) => Memory::read_store(order.input),
        Some(kind @ Kind::Archive) => {
            let findings = builtin::findings(order.input, kind).map_err(Failure::Error)?;
            if findings.errors > 0 {
                return Err(Failure::Refused("the archive is not valid".to_owned()));
            }
            Memory::read_archive(order.input)
        }
        _ => return Err(Failure::Unknown),
    };
    let files = files.map_err(Failure::Error)?;
    let mut images = files.0.keys().filter_map(|path| path.strip_prefix("images/sha256/"));
    let image = match (images.next().and_then(|hex| Digest::parse(&format!("sha256:{hex}"))), images.next()) {
        (Some(image), None) => image,
        _ => return Err(Failure::Refused("there is not one image".to_owned())),
    };
    let options = Options {
        owner: Owner::Image,
        verify: true,
        jobs: NonZero::<usize>::MIN,
        limits: Limits::FORMAT,
        on_read: None,
    };
    match cornercast::unpack::unpack(&files, image, "the image", order.output, &options) {
        Ok(_) => Ok(()),
        Err(UnpackError::Rejected(findings)) => {
            let first = findings.list().first().map(|finding| finding.message.clone());
            Err(Failure::Refused(first.unwrap_or_default()))
        }
        Err(error) => Err(Failure::Error(io::Error::other(error.to_string()))),
    }
}

/// The files of a store or archive, which are small in cases.
#[derive(Default)]
struct Memory(BTreeMap<String, Vec<u8>>);

impl Memory {
    fn read_store(folder: &Path) -> io::Result<Self> {
        let mut files = Self::default();
        let mut folders = vec![folder.to_owned()];
        while let Some(at) = folders.pop() {
            for entry in fs::read_dir(at)? {
                let path = entry?.path();
                let metadata = fs::symlink_metadata(&path)?;
                if metadata.is_dir() {
                    folders.push(path);
                } else if metadata.is_file() {
                    let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
                    files.0.insert(name, fs::read(path)?);
                }
            }
        }
        Ok(files)
    }

    fn read_archive(path: &Path) -> io::Result<Self> {
        let mut bytes = fs::read(path)?;
        if bytes.starts_with(&MAGIC) {
            bytes.clear();
            Decoder::new(BufReader::new(File::open(path)?), &Limits::FORMAT).read_to_end(&mut bytes)?;
        }
        let mut reading = Reading::default();
        Reader::new(Profile::Archive, Limits::FORMAT).push(&bytes, &mut reading);
        Ok(reading.files)
    }
}

impl Files for Memory {
    fn list(&self) -> io::Result<Vec<Listed>> {
        Ok(self.0.keys().map(|path| Listed { path: path.clone(), irregular: None }).collect())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        let bytes = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(bytes.as_slice()))
    }
}

/// Takes the files of an archive.
#[derive(Default)]
struct Reading {
    files: Memory,
    path: String,
}

impl Sink for Reading {
    fn entry(&mut self, entry: &Entry, _: &mut Vec<Violation>) {
        self.path = String::from_utf8_lossy(&entry.path).into_owned();
        self.files.0.insert(self.path.clone(), Vec::new());
    }

    fn data(&mut self, bytes: &[u8]) {
        self.files.0.entry(self.path.clone()).or_default().extend_from_slice(bytes);
    }

    fn end_of_entry(&mut self, _: &mut Vec<Violation>) {}

    fn passed_over(&mut self) {}
}
