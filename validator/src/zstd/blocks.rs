//! What the library reads of a frame: in pieces of one size, and block by block.

use std::io::{self, BufRead, Read};

/// Bytes that the library is given at once.
const PIECE: u64 = 64 << 10;

/// Counts what is read, follows the blocks, and remembers why reading failed.
///
/// The library is given pieces of [`PIECE`] bytes, however few `inner` gives at once: how much of a damaged
/// frame it decodes, and where it says that the damage is, depends on them. It is given nothing from a
/// compressed block without bytes on, which it would pass over, though RFC 8878 has none.
pub(super) struct Counted<R> {
    inner: R,
    piece: Vec<u8>,
    /// How much of the piece has been taken.
    taken: usize,
    pub(super) at: u64,
    pub(super) failed: Option<io::ErrorKind>,
    blocks: Option<Blocks>,
}

impl<R: BufRead> Counted<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, piece: Vec::new(), taken: 0, at: 0, failed: None, blocks: None }
    }

    /// The frame header has been read, and `head` behind it; says how much of that the library may have.
    pub(super) fn blocks_begin(&mut self, head: &[u8]) -> usize {
        let mut blocks = Blocks { at: self.at - head.len() as u64, ..Blocks::default() };
        let usable = blocks.follow(head);
        self.piece.drain(..self.taken);
        self.taken = 0;
        let rest = blocks.follow(&self.piece);
        self.piece.truncate(rest);
        self.blocks = Some(blocks);
        usable
    }

    /// Where the header of the compressed block without bytes begins, if there is one.
    pub(super) fn empty_block(&self) -> Option<u64> {
        self.blocks.as_ref().and_then(|blocks| blocks.empty)
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken >= self.piece.len() {
            self.piece.clear();
            self.taken = 0;
            if self.empty_block().is_none() {
                let read = self.inner.by_ref().take(PIECE).read_to_end(&mut self.piece);
                read.inspect_err(|error| self.failed = Some(error.kind()))?;
                if let Some(blocks) = &mut self.blocks {
                    let usable = blocks.follow(&self.piece);
                    self.piece.truncate(usable);
                }
            }
            if self.piece.is_empty() && self.empty_block().is_some() {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        Ok(self.piece.get(self.taken..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.taken += amount;
        self.at += amount as u64;
    }
}

/// Follows the blocks of a frame (RFC 8878, section 3.1.1.2) by their headers.
#[derive(Debug, Default)]
struct Blocks {
    /// Where the next byte stands.
    at: u64,
    /// The bytes of a header that have come, little-endian, and how many.
    header: u32,
    length: u32,
    /// Bytes of content before the next header.
    content: u64,
    /// The last block has begun.
    last: bool,
    /// Where the compressed block without bytes begins.
    empty: Option<u64>,
}

impl Blocks {
    /// Takes the next bytes in; says how many of them there are before the header of a compressed block without
    /// bytes is complete.
    fn follow(&mut self, mut bytes: &[u8]) -> usize {
        let all = bytes.len();
        if self.empty.is_some() {
            return 0;
        }
        while !self.last {
            let skip = usize::try_from(self.content).unwrap_or(usize::MAX).min(bytes.len());
            self.content -= skip as u64;
            self.at += skip as u64;
            bytes = bytes.get(skip..).unwrap_or_default();
            let Some((byte, rest)) = bytes.split_first() else { break };
            bytes = rest;
            self.header |= u32::from(*byte) << (8 * self.length);
            self.length += 1;
            self.at += 1;
            if self.length == 3 {
                let (kind, size) = ((self.header >> 1) & 3, self.header >> 3);
                self.last = self.header & 1 == 1;
                // A block of type 1 repeats one byte; the library knows what to say of type 3.
                self.content = if kind == 1 { 1 } else { u64::from(size) };
                if kind == 2 && size == 0 {
                    self.empty = Some(self.at - 3);
                    return all - bytes.len() - 1;
                }
                (self.header, self.length) = (0, 0);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: u32 = 0;
    const REPEATED: u32 = 1;
    const COMPRESSED: u32 = 2;

    fn header(kind: u32, size: u32, is_last: bool) -> Vec<u8> {
        (size << 3 | kind << 1 | u32::from(is_last)).to_le_bytes()[..3].to_vec()
    }

    /// Where an empty block begins, and how many bytes come before the end of its header, however the pieces are cut.
    fn followed(bytes: &[u8]) -> (Option<u64>, usize) {
        let found = [1, 2, 5, bytes.len()].map(|size| {
            let mut blocks = Blocks { at: 100, ..Blocks::default() };
            let usable = bytes.chunks(size).map(|piece| blocks.follow(piece)).sum::<usize>();
            (blocks.empty, usable)
        });
        assert!(found.iter().all(|each| *each == found[0]), "{found:?}");
        found[0]
    }

    #[test]
    fn blocks_are_followed_to_an_empty_one() {
        let before = [header(RAW, 5, false), vec![4; 5], header(REPEATED, 900, false), vec![4], header(RAW, 0, false)];
        let before = [before.concat(), header(COMPRESSED, 3, false), vec![4, 0, 0]].concat();
        for is_last in [false, true] {
            let bytes = [before.clone(), header(COMPRESSED, 0, is_last), vec![0; 9]].concat();
            assert_eq!(followed(&bytes), (Some(100 + before.len() as u64), before.len() + 2));
        }
        assert_eq!(followed(&before), (None, before.len()));
    }

    /// What follows the last block only looks like one.
    #[test]
    fn nothing_is_followed_behind_the_last_block() {
        for last in [header(RAW, 2, true), header(COMPRESSED, 2, true)] {
            let bytes = [last, vec![4; 2], header(COMPRESSED, 0, false), vec![0; 9]].concat();
            assert_eq!(followed(&bytes), (None, bytes.len()));
        }
    }
}
