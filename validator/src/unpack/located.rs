//! The files of a store or an archive, where they are on the disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::build::Content;
use crate::diagnostic::Violation;
use crate::digest::Digest;
use crate::limits::Limits;
use crate::shown::quoted;
use crate::store::{FileKind, Files, Folder, Listed, classify, open_regular, path_of};
use crate::tar::{self, Profile, Reader, Sink};

/// The files of a store or archive by what they are. Nothing of them has been read or checked.
#[derive(Debug, Clone, Default)]
pub struct ImageFiles {
    /// Where each is.
    pub files: BTreeMap<FileKind, Content>,
    /// What stands in the place of a file, but is none.
    pub irregular: Vec<Listed>,
}

impl ImageFiles {
    /// The files of the store in the directory `path`.
    ///
    /// # Errors
    ///
    /// Errors of the file system.
    pub fn of_store(path: &Path) -> io::Result<Self> {
        let (regular, irregular): (Vec<Listed>, Vec<Listed>) =
            Folder(path.to_owned()).list()?.into_iter().partition(|file| file.irregular.is_none());
        let files = regular.into_iter().filter_map(|file| {
            Some((classify(&file.path, &Limits::FORMAT).ok()?, Content::File(path.join(file.path))))
        });
        Ok(Self { files: files.collect(), irregular })
    }

    /// The files of the archive in the file `path`, which is not compressed: parts of it.
    ///
    /// # Errors
    ///
    /// Errors of the file system.
    pub fn of_archive(path: &Path) -> io::Result<Self> {
        let mut index = Index { source: path.to_owned(), files: BTreeMap::new(), is_archive: None };
        let mut reader = Reader::new(Profile::Archive, Limits::FORMAT);
        let mut file = File::open(path)?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                read => reader.push(buffer.get(..read).unwrap_or_default(), &mut index),
            }
            // What is in a file is read when it is needed.
            let skipped = i64::try_from(reader.skip_data()).map_err(io::Error::other)?;
            if skipped > 0 {
                file.seek(SeekFrom::Current(skipped))?;
            }
        }
        Ok(Self { files: index.files, irregular: Vec::new() })
    }

    /// Whether there is the file that says what this is.
    #[must_use]
    pub fn has_marker(&self) -> bool {
        self.files.contains_key(&FileKind::Marker)
    }

    /// The ids of the images, ascending.
    #[must_use]
    pub fn images(&self) -> Vec<Digest> {
        let id = |kind: &FileKind| match kind {
            FileKind::Manifest(id) => Some(*id),
            _ => None,
        };
        self.files.keys().filter_map(id).collect()
    }
}

impl Files for ImageFiles {
    fn list(&self) -> io::Result<Vec<Listed>> {
        let regular = self.files.keys().map(|kind| Listed { path: path_of(kind), irregular: None });
        Ok(regular.chain(self.irregular.iter().cloned()).collect())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        let content = classify(path, &Limits::FORMAT).ok().and_then(|kind| self.files.get(&kind));
        let opened: io::Result<Box<dyn Read + Send>> = match content {
            Some(Content::File(path)) => open_regular(path).map(|file| Box::new(file) as _),
            Some(content) => content.open(),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "it is missing")),
        };
        opened.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", quoted(path))))
    }
}

/// What the entry of an archive is, as a validator finds it. `is_archive` is whether the first entry was the marker, once
/// there has been one: without it nothing is there (STO-025).
pub(super) fn kind_of(entry: &tar::Entry, is_archive: &mut Option<bool>, limits: &Limits) -> Option<FileKind> {
    // What is no regular file is not there (STO-026).
    let path = std::str::from_utf8(&entry.path).ok().filter(|_| entry.header.typeflag() == b'0');
    let kind = path.and_then(|path| classify(path, limits).ok());
    let is_archive = *is_archive.get_or_insert(kind == Some(FileKind::Marker));
    kind.filter(|_| is_archive)
}

/// Remembers where the files of an archive are, as a validator finds them.
struct Index {
    source: PathBuf,
    files: BTreeMap<FileKind, Content>,
    /// Whether the first entry is the marker, when there was one (STO-025).
    is_archive: Option<bool>,
}

impl Sink for Index {
    fn entry(&mut self, entry: &tar::Entry, _: &mut Vec<Violation>) {
        if let Some(kind) = kind_of(entry, &mut self.is_archive, &Limits::FORMAT) {
            let offset = entry.header.offset() + tar::BLOCK as u64;
            // Of a path that stands twice the first one counts (STO-030).
            self.files.entry(kind).or_insert_with(|| Content::Part(self.source.clone(), offset, entry.size));
        }
    }

    fn data(&mut self, _: &[u8]) {}

    fn end_of_entry(&mut self, _: &mut Vec<Violation>) {}

    fn passed_over(&mut self) {}
}
