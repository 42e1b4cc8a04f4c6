//! Mutants: an input with a few changes.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::mend::{entries, mend_checksums, mend_digests};

const BLOCK: usize = 512;

/// A change of some bytes.
#[derive(Debug, Clone)]
pub enum Change {
    FlipBit(Index, u8),
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Delete(Index, usize),
    /// A piece stands a second time, somewhere else.
    Repeat(Index, usize, Index),
    SwapBlocks(Index, Index),
    /// Entries of a tar archive, with their PAX headers and data.
    SwapEntries(Index, Index),
    RemoveEntry(Index),
    SwapLines(Index, Index),
    RemoveBlock(Index),
    RemoveLine(Index),
    /// A number gets another value with as many digits.
    Number(Index, u64),
    Truncate(Index),
    MendChecksums,
    MendDigests,
}

/// Up to `most` changes; at the end checksums, or checksums and digests, are often right again.
pub fn changes(most: usize) -> impl Strategy<Value = Vec<Change>> {
    let telling = b"\0\n \"\\,:{}[]/.=0179aAx-_\x7F\x80\xFF".to_vec();
    let byte = prop_oneof![select(telling), any::<u8>()];
    let change = prop_oneof![
        4 => (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Change::FlipBit(at, bit)),
        4 => (any::<Index>(), byte.clone()).prop_map(|(at, byte)| Change::Set(at, byte)),
        2 => (any::<Index>(), vec(byte, 1..6)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        2 => (any::<Index>(), 1..6_usize).prop_map(|(at, length)| Change::Delete(at, length)),
        1 => (any::<Index>(), 1..700_usize, any::<Index>()).prop_map(|(at, length, to)| Change::Repeat(at, length, to)),
        2 => (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Change::SwapBlocks(a, b)),
        2 => (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Change::SwapEntries(a, b)),
        2 => any::<Index>().prop_map(Change::RemoveEntry),
        2 => (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Change::SwapLines(a, b)),
        1 => any::<Index>().prop_map(Change::RemoveBlock),
        1 => any::<Index>().prop_map(Change::RemoveLine),
        4 => (any::<Index>(), any::<u64>()).prop_map(|(at, value)| Change::Number(at, value)),
        1 => any::<Index>().prop_map(Change::Truncate),
    ];
    let mend = select(vec![vec![], vec![Change::MendChecksums], vec![Change::MendChecksums, Change::MendDigests]]);
    (vec(change, 1..=most), mend).prop_map(|(changes, mend)| [changes, mend].concat())
}

/// `bytes` with the changes made, one after the other.
pub fn mutant(bytes: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes {
        if !bytes.is_empty() {
            change.apply(&mut bytes);
        }
    }
    bytes
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        match self {
            Self::FlipBit(at, bit) => *spot(bytes, at) ^= 1 << bit,
            Self::Set(at, byte) => *spot(bytes, at) = *byte,
            Self::Insert(at, inserted) => {
                _ = bytes.splice(at.index(length)..at.index(length), inserted.iter().copied())
            }
            Self::Delete(at, count) => {
                let at = at.index(length);
                bytes.drain(at..(at + count).min(length));
            }
            Self::Repeat(at, count, to) => {
                let (at, to) = (at.index(length), to.index(length));
                let piece = bytes[at..(at + count).min(length)].to_vec();
                bytes.splice(to..to, piece);
            }
            Self::SwapBlocks(a, b) => {
                let blocks: Vec<&[u8]> = bytes.chunks(BLOCK).collect();
                *bytes = swapped(blocks, a, b).concat();
            }
            Self::SwapEntries(a, b) => {
                let entries = entries(bytes);
                if entries.len() > 1 {
                    let (a, b) = (a.get(&entries), b.get(&entries));
                    let (a, b) = if a.start <= b.start { (a, b) } else { (b, a) };
                    let (first, second) = (bytes[a.clone()].to_vec(), bytes[b.clone()].to_vec());
                    bytes.splice(b.clone(), first);
                    bytes.splice(a.clone(), second);
                }
            }
            Self::RemoveEntry(at) => {
                let entries = entries(bytes);
                if !entries.is_empty() {
                    bytes.drain(at.get(&entries).clone());
                }
            }
            Self::SwapLines(a, b) => {
                let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
                *bytes = swapped(lines, a, b).concat();
            }
            Self::RemoveBlock(at) => {
                let at = at.index(length) / BLOCK * BLOCK;
                bytes.drain(at..(at + BLOCK).min(length));
            }
            Self::RemoveLine(at) => {
                let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
                lines.remove(at.index(lines.len()));
                *bytes = lines.concat();
            }
            Self::Number(at, value) => number(bytes, at, *value),
            Self::Truncate(at) => bytes.truncate(at.index(length)),
            Self::MendChecksums => mend_checksums(bytes),
            Self::MendDigests => mend_digests(bytes),
        }
    }
}

/// Any byte, or one of those that are not zero: tar archives are made of zeros.
fn spot<'a>(bytes: &'a mut [u8], at: &Index) -> &'a mut u8 {
    let telling: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    let at = if at.index(2) == 0 || telling.is_empty() { at.index(bytes.len()) } else { *at.get(&telling) };
    &mut bytes[at]
}

fn swapped<'a>(mut pieces: Vec<&'a [u8]>, a: &Index, b: &Index) -> Vec<&'a [u8]> {
    let (a, b) = (a.index(pieces.len()), b.index(pieces.len()));
    pieces.swap(a, b);
    pieces
}

/// Writes `value` over one of the numbers, with as many digits.
fn number(bytes: &mut [u8], at: &Index, value: u64) {
    let is_start = |at: usize| bytes[at].is_ascii_digit() && (at == 0 || !bytes[at - 1].is_ascii_digit());
    let starts: Vec<usize> = (0..bytes.len()).filter(|at| is_start(*at)).collect();
    if starts.is_empty() {
        return;
    }
    let start = starts[at.index(starts.len())];
    let count = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let base = if bytes[start..start + count].iter().all(|digit| *digit < b'8') { 8 } else { 10 };
    let mut rest = value;
    for digit in bytes[start..start + count].iter_mut().rev() {
        *digit = b'0' + (rest % base) as u8;
        rest /= base;
    }
}
