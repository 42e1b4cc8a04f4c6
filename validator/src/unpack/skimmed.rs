//! The documents of an archive that is read once, from its beginning to its end.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

use crate::diagnostic::Violation;
use crate::limits::Limits;
use crate::shown::quoted;
use crate::store::{FileKind, Files, Listed, classify, path_of};
use crate::tar::{self, Profile, Reader, Sink};

/// What the documents of an archive can have together, in bytes, with what it takes to know of a file.
const MOST: usize = 256 << 20;

/// What it takes to know of a file, in bytes, roughly.
const KNOWING: usize = 256;

/// The files of an archive by what they are, as a validator finds them: of documents their content, of blobs that they are
/// there. What is in the archive need not be kept for that.
///
/// ```
/// use cornercast::limits::Limits;
/// use cornercast::store::Files;
/// use cornercast::unpack::Skimmed;
///
/// let mut skimmed = Skimmed::new(Limits::FORMAT);
/// skimmed.push(&[0; 1024]);
/// assert!(skimmed.finish().unwrap().list().unwrap().is_empty());
/// ```
#[derive(Debug)]
pub struct Skimmed {
    reader: Reader,
    index: Index,
}

#[derive(Debug)]
struct Index {
    limits: Limits,
    files: BTreeMap<FileKind, Vec<u8>>,
    /// The document that is being read.
    current: Option<(FileKind, Vec<u8>)>,
    /// What all of them have together.
    kept: usize,
    /// Whether the first entry is the marker, when there was one (STO-025).
    is_archive: Option<bool>,
}

impl Skimmed {
    /// At the first byte of an archive that is not compressed.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let index = Index { limits: limits.clone(), files: BTreeMap::new(), current: None, kept: 0, is_archive: None };
        Self { reader: Reader::new(Profile::Archive, limits), index }
    }

    /// Takes the next bytes of the archive in.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.index.kept <= MOST {
            self.reader.push(bytes, &mut self.index);
            // What is wrong with an archive is for those who check it.
            self.reader.take_violations();
        }
    }

    /// The archive ends here.
    ///
    /// # Errors
    ///
    /// If its documents are too long.
    pub fn finish(self) -> io::Result<impl Files + use<>> {
        if self.index.kept > MOST {
            let message = format!("its documents have more than {MOST} bytes together; make a store of it");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let mut index = self.index;
        // The last one may be cut off.
        index.files.extend(index.current.take());
        Ok(index)
    }
}

impl Sink for Index {
    fn entry(&mut self, entry: &tar::Entry, _: &mut Vec<Violation>) {
        self.current = None;
        // What is no regular file is not there (STO-026).
        let path = std::str::from_utf8(&entry.path).ok().filter(|_| entry.header.typeflag() == b'0');
        let kind = path.and_then(|path| classify(path, &self.limits).ok());
        if !*self.is_archive.get_or_insert(kind == Some(FileKind::Marker)) {
            return;
        }
        // Of a path that stands twice the first one counts (STO-030).
        if let Some(kind) = kind.filter(|kind| !self.files.contains_key(kind)) {
            self.kept += KNOWING;
            self.files.insert(kind.clone(), Vec::new());
            let is_document = !matches!(kind, FileKind::Blob(_) | FileKind::Packed(_) | FileKind::Torrent(_));
            self.current = is_document.then(|| (kind, Vec::new()));
        }
    }

    fn data(&mut self, bytes: &[u8]) {
        if let Some((_, source)) = &mut self.current
            && self.kept <= MOST
        {
            // Whoever reads a document reads one byte more than it can have.
            let most = usize::try_from(self.limits.envelope.max(self.limits.document)).unwrap_or(usize::MAX);
            let room = most.saturating_add(1).saturating_sub(source.len());
            let kept = bytes.get(..room).unwrap_or(bytes);
            source.extend_from_slice(kept);
            self.kept += kept.len();
        }
    }

    fn end_of_entry(&mut self, _: &mut Vec<Violation>) {
        if let Some((kind, source)) = self.current.take() {
            self.files.insert(kind, source);
        }
    }

    fn passed_over(&mut self) {
        self.current = None;
    }
}

impl Files for Index {
    fn list(&self) -> io::Result<Vec<Listed>> {
        Ok(self.files.keys().map(|kind| Listed { path: path_of(kind), irregular: None }).collect())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        let content = classify(path, &self.limits).ok().and_then(|kind| self.files.get(&kind));
        let content = content
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{}: it is missing", quoted(path))))?;
        Ok(Box::new(Cursor::new(content)))
    }
}
