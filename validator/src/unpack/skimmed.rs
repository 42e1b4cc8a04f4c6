//! The documents of an archive that is read once, from its beginning to its end.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};

use super::located::kind_of;
use crate::diagnostic::Violation;
use crate::limits::Limits;
use crate::shown::quoted;
use crate::store::{FileKind, Files, Listed, classify, path_of};
use crate::tar::{self, Profile, Reader, Sink};

/// Bytes that the documents of an archive can have together, with what it takes to know of each file.
const MOST: usize = 256 << 20;

/// What it takes to know of a file, in bytes, roughly.
const KNOWING: usize = 256;

/// The files of an archive by what they are, as a validator finds them: of documents their content, of blobs that they are
/// there. An archive that is not compressed is written to it, and not kept.
///
/// ```
/// use std::io::Write;
///
/// use cornercast::limits::Limits;
/// use cornercast::store::Files;
/// use cornercast::unpack::Skimmed;
///
/// let mut skimmed = Skimmed::new(Limits::FORMAT);
/// skimmed.write_all(&[0; 1024]).unwrap();
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
    /// What can be kept, in bytes.
    most: usize,
    files: BTreeMap<FileKind, Vec<u8>>,
    /// The document that is being read.
    current: Option<(FileKind, Vec<u8>)>,
    /// What is kept, in bytes.
    kept: usize,
    /// Whether the first entry is the marker, when there was one (STO-025).
    is_archive: Option<bool>,
}

impl Skimmed {
    /// At the first byte of an archive that is not compressed.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self::with_most(MOST, limits)
    }

    fn with_most(most: usize, limits: Limits) -> Self {
        let index =
            Index { limits: limits.clone(), most, files: BTreeMap::new(), current: None, kept: 0, is_archive: None };
        Self { reader: Reader::new(Profile::Archive, limits), index }
    }

    /// The archive ends here.
    ///
    /// # Errors
    ///
    /// If its documents are too long.
    pub fn finish(self) -> io::Result<impl Files + use<>> {
        self.index.room()?;
        let mut index = self.index;
        // The last one may be cut off.
        index.files.extend(index.current.take());
        Ok(index)
    }
}

/// What is wrong with the archive is for those who check it.
impl Write for Skimmed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.reader.push(bytes, &mut self.index);
        self.reader.take_violations();
        self.index.room()?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Index {
    fn room(&self) -> io::Result<()> {
        if self.kept <= self.most {
            return Ok(());
        }
        let message = format!(
            "its documents have more than {} bytes together; decode it with `zstd -d`, and it is read where it stands",
            self.most
        );
        Err(io::Error::new(io::ErrorKind::InvalidData, message))
    }
}

impl Sink for Index {
    fn entry(&mut self, entry: &tar::Entry, _: &mut Vec<Violation>) {
        self.current = None;
        let kind = kind_of(entry, &mut self.is_archive, &self.limits);
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
            && self.kept <= self.most
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::tar::{EntryHeader, header_bytes};

    #[test]
    fn documents_have_a_limit_together() {
        let header = header_bytes(&EntryHeader {
            typeflag: b'0',
            path: "cornercast",
            mode: 0o644,
            size: 3,
            ..EntryHeader::default()
        });
        let archive = [&*header, &[b'm'; 512]].concat();
        let with = |most| {
            let mut skimmed = Skimmed::with_most(most, Limits::FORMAT);
            skimmed.write_all(&archive).and_then(|()| skimmed.finish().map(drop))
        };
        with(KNOWING + 3).unwrap();
        assert_eq!(with(KNOWING + 2).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
