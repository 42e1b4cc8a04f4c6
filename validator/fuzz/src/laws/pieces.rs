//! The same bytes, cut into pieces.

use std::io::{self, BufRead, Read};

/// Cuts `bytes` where the bytes themselves say, so that a run can be repeated: pieces of one byte, of
/// about a block, and of more.
pub fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut sizes = sizes(bytes);
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at(sizes.next()?.min(rest.len()));
        rest = after;
        Some(piece)
    })
}

/// The lengths of the pieces of `bytes`, without end.
fn sizes(bytes: &[u8]) -> impl Iterator<Item = usize> + use<> {
    let mut state = bytes
        .iter()
        .rev()
        .take(64)
        .fold(bytes.len() as u64, |state, byte| state.wrapping_mul(0x100_0000_01B3) ^ u64::from(*byte));
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = (state >> 33) as usize;
        match random % 8 {
            0 => 1,
            1 => 2 + random / 8 % 16,
            2 => 511,
            3 => 512,
            4 => 513,
            _ => 1 + random / 8 % 4096,
        }
    })
}

/// A reader that gives [`pieces`], one with each call.
pub struct InPieces<'a> {
    rest: &'a [u8],
    sizes: Box<dyn Iterator<Item = usize> + Send>,
    piece: usize,
}

impl<'a> InPieces<'a> {
    /// A reader of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, sizes: Box::new(sizes(bytes)), piece: 0 }
    }
}

impl Read for InPieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for InPieces<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.piece == 0 {
            self.piece = self.sizes.next().unwrap_or(1);
        }
        Ok(&self.rest[..self.piece.min(self.rest.len())])
    }

    fn consume(&mut self, amount: usize) {
        self.rest = &self.rest[amount..];
        self.piece -= amount;
    }
}
