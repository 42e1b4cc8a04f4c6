//! A blob of a store: as it stands, or decoded.

use std::io::{self, BufReader, Read, Take};

use super::directory::Files;
use super::layout::{FileKind, path_of};
use crate::diagnostic::Violation;
use crate::limits::Limits;
use crate::zstd::Decoder;

/// Compressed bytes read at once.
const CHUNK: usize = 256 << 10;

type File<'a> = Box<dyn Read + Send + 'a>;

/// A blob that is read, no further than one byte beyond its size.
pub(crate) enum Stored<'a> {
    Plain(Take<File<'a>>),
    Packed(Box<Take<Decoder<BufReader<File<'a>>>>>),
}

impl<'a> Stored<'a> {
    /// Opens the blob that the file `kind` holds.
    pub(crate) fn open(files: &'a dyn Files, kind: &FileKind, size: u64, limits: &Limits) -> io::Result<Self> {
        let file = files.open(&path_of(kind))?;
        let most = size.saturating_add(1);
        Ok(if matches!(kind, FileKind::Packed(_)) {
            let decoder = Decoder::new(BufReader::with_capacity(CHUNK, file), limits);
            Self::Packed(Box::new(decoder.take(most)))
        } else {
            Self::Plain(file.take(most))
        })
    }

    /// What is wrong with the frame that holds the blob, as far as it has been read.
    pub(crate) fn frame(self) -> Vec<Violation> {
        match self {
            Self::Plain(_) => Vec::new(),
            Self::Packed(decoder) => decoder.into_inner().take_violations(),
        }
    }
}

impl Read for Stored<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Packed(decoder) => decoder.read(buffer),
        }
    }
}
