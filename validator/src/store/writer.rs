//! Writing the files of a store as an archive.

use std::io::{self, Read, Write};

use super::layout::{FileKind, path_of};
use crate::tar::{END, EntryHeader, header_bytes, padding};

/// The content of the marker.
pub const MARKER: &[u8] = br#"{"cornercast":"1.0","kind":"store"}"#;

/// Writes an archive file by file; the caller keeps the order (STO-029).
///
/// ```
/// use cornercast::store::{ArchiveWriter, ArchiveChecker};
/// use cornercast::limits::Limits;
///
/// let archive = ArchiveWriter::new(Vec::new())?.finish()?;
/// let mut checker = ArchiveChecker::new(Limits::FORMAT);
/// checker.push(&archive);
/// assert!(checker.finish().is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct ArchiveWriter<W> {
    out: W,
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins an archive with its marker.
    ///
    /// # Errors
    ///
    /// Errors of `out`.
    pub fn new(out: W) -> io::Result<Self> {
        let mut writer = Self { out };
        writer.file(&FileKind::Marker, MARKER.len() as u64, &mut &*MARKER)?;
        Ok(writer)
    }

    /// Writes a file of `size` bytes.
    ///
    /// # Errors
    ///
    /// Errors of `out` and `content`; `InvalidData` if `content` has another size.
    pub fn file(&mut self, kind: &FileKind, size: u64, content: &mut dyn Read) -> io::Result<()> {
        let path = path_of(kind);
        self.out.write_all(&header_bytes(&EntryHeader {
            typeflag: b'0',
            path: &path,
            mode: 0o644,
            size,
            ..EntryHeader::default()
        }))?;
        let written = io::copy(&mut content.take(size.saturating_add(1)), &mut self.out)?;
        if written != size {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("`{path}` has not {size} bytes")));
        }
        self.out.write_all(&vec![0; padding(size)])
    }

    /// Writes the end of the archive and gives `out` back.
    ///
    /// # Errors
    ///
    /// Errors of `out`.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&END)?;
        Ok(self.out)
    }
}
