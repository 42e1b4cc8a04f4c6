//! The listings of an archive, each of which stands before its layer.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use crate::digest::Digest;
use crate::layer::{Compared, Comparison, Divergence, Entry, Walk, Walker, write_line};
use crate::limits::Limits;

/// A listing that has come.
pub(super) enum Listing {
    /// It is the one that its descriptor names, and has not been looked into: if the walk of its layer writes
    /// the same, there is nothing wrong with it.
    Unread(Source),
    /// It has no violations.
    Clean(Arc<Vec<Entry>>),
    /// It is another one, or has violations; or its layer is being walked beside it.
    Flawed,
}

/// The bytes of a listing, which are given up as they are read.
#[derive(Default)]
pub(super) struct Source {
    blocks: VecDeque<Vec<u8>>,
    /// Bytes of the first block that have been read.
    read: usize,
    /// Bytes that have been added.
    size: u64,
}

/// Bytes of a block.
const BLOCK: usize = 256 << 10;

impl Source {
    /// The listing that consists of `entries`.
    fn of(entries: &[Entry]) -> Self {
        let mut source = Self::default();
        let mut line = Vec::new();
        for Entry { path, node } in entries {
            line.clear();
            write_line(&mut line, path, node);
            source.push(&line);
        }
        source
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            match self.blocks.back_mut() {
                Some(block) if block.len() < BLOCK => {
                    let (now, later) = bytes.split_at(bytes.len().min(BLOCK - block.len()));
                    block.extend_from_slice(now);
                    bytes = later;
                }
                // Allocated as a whole, so that the system gets it back as a whole.
                _ => self.blocks.push_back(Vec::with_capacity(BLOCK)),
            }
        }
    }

    /// The bytes that have not been read.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        // Reading from memory does not fail.
        let _ = self.read_to_end(&mut out);
        out
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(block) = self.blocks.front() else { return Ok(0) };
        let read = block.get(self.read..).unwrap_or_default().read(buffer)?;
        self.read += read;
        if self.read == block.len() {
            self.blocks.pop_front();
            self.read = 0;
        }
        Ok(read)
    }
}

/// The bytes of the listing that consists of `entries`.
pub(super) fn bytes_of(entries: &[Entry]) -> Vec<u8> {
    Source::of(entries).into_bytes()
}

/// A layer that is being walked, beside its listing if that is there.
pub(super) struct Walking {
    walker: Walker,
    /// The listing, which has the digest that the layer's descriptor gives: while both agree, so has what the walk
    /// writes, and it need not be hashed.
    comparison: Option<Comparison<Source>>,
    digest: Digest,
    /// Whether the listing has not been looked into.
    is_unread: bool,
}

/// A layer that has been walked.
pub(super) struct Walked {
    pub(super) walk: Walk,
    pub(super) divergence: Option<Divergence>,
    /// The bytes of the listing, if it was unread and turned out to be different from what the walk wrote.
    pub(super) listing: Option<Vec<u8>>,
}

impl Walking {
    /// A walk beside `listing`, which has this digest, and is taken out of there if it is unread.
    pub(super) fn new(listing: Option<&mut Listing>, digest: Digest, limits: &Limits) -> Self {
        let mut is_unread = false;
        let source = listing.and_then(|listing| match listing {
            Listing::Clean(entries) => Some(Source::of(entries)),
            Listing::Unread(source) => {
                is_unread = true;
                let source = std::mem::take(source);
                *listing = Listing::Flawed;
                Some(source)
            }
            Listing::Flawed => None,
        });
        let (walker, comparison) = (Walker::new(limits.clone()), source.map(Comparison::new));
        let walker = if comparison.is_some() { walker.without_digest() } else { walker };
        Self { walker, comparison, digest, is_unread }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.walker.push(bytes);
        if let Some(comparison) = &mut self.comparison {
            // Reading from memory does not fail.
            let _ = comparison.lines(self.walker.lines());
        }
    }

    pub(super) fn finish(self) -> Walked {
        let (mut walk, lines) = self.walker.finish();
        let compared = self.comparison.and_then(|mut comparison| {
            comparison.lines(&lines).ok()?;
            comparison.finish().ok()
        });
        let Some(Compared { divergence, agreed, beyond, listing }) = compared else {
            return Walked { walk, divergence: None, listing: None };
        };
        walk.listing = match divergence {
            None => self.digest,
            Some(_) => Digest::of(&bytes_of(&walk.entries)),
        };
        let differs = divergence.is_some() || !walk.violations.is_empty();
        let listing = (self.is_unread && differs).then(|| {
            // Where both agree, the entries that were walked give the bytes that the comparison took.
            let mut bytes = bytes_of(&walk.entries);
            bytes.truncate(usize::try_from(agreed).unwrap_or(usize::MAX));
            bytes.extend_from_slice(&beyond);
            bytes.extend_from_slice(&listing.into_bytes());
            bytes
        });
        Walked { walk, divergence, listing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So the blocks that have been read can be given back one by one.
    #[test]
    fn a_long_listing_stands_in_many_blocks() {
        let bytes: Vec<u8> = (0..2 * BLOCK + 5).map(|at| (at / 7) as u8).collect();
        for size in [1000, BLOCK, BLOCK + 1, bytes.len()] {
            let mut source = Source::default();
            bytes.chunks(size).for_each(|piece| source.push(piece));
            assert_eq!(source.size(), bytes.len() as u64);
            assert!(source.blocks.iter().map(Vec::len).eq([BLOCK, BLOCK, 5]), "{size}");
            let mut begin = vec![0; BLOCK + 1];
            source.read_exact(&mut begin).unwrap();
            assert_eq!(source.blocks.len(), 2);
            assert!([begin, source.into_bytes()].concat() == bytes);
        }
    }
}
