//! Inputs that are made when a case is run.

use std::io::{self, Read};

use crate::case::{Part, Recipe};
use crate::fixtures::tar::Tar;

/// The bytes of a recipe, one after the other, without holding them.
pub struct Bytes<'a> {
    parts: std::slice::Iter<'a, Part>,
    part: Option<&'a Part>,
    repetition: u64,
    piece: Vec<u8>,
    at: usize,
}

impl<'a> Bytes<'a> {
    /// The bytes of `recipe`.
    #[must_use]
    pub fn new(recipe: &'a Recipe) -> Self {
        Self { parts: recipe.parts.iter(), part: None, repetition: 0, piece: Vec::new(), at: 0 }
    }

    /// Makes the next piece; `false` at the end.
    fn next_piece(&mut self) -> bool {
        while self.part.is_none_or(|part| self.repetition >= part.times) {
            let Some(part) = self.parts.next() else { return false };
            self.part = Some(part);
            self.repetition = 0;
        }
        let Some(part) = self.part else { return false };
        let varies =
            part.tar.is_some() || part.text.as_ref().is_some_and(|text| text.contains("{n}") || text.contains("{c}"));
        if varies || self.repetition == 0 {
            self.piece = piece(part, self.repetition);
        }
        self.at = 0;
        self.repetition += 1;
        true
    }
}

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            if self.at >= self.piece.len() && !self.next_piece() {
                break;
            }
            let rest = self.piece.get(self.at..).unwrap_or_default();
            let room = buffer.get_mut(filled..).unwrap_or_default();
            let take = rest.len().min(room.len());
            if let (Some(to), Some(from)) = (room.get_mut(..take), rest.get(..take)) {
                to.copy_from_slice(from);
            }
            filled += take;
            self.at += take;
        }
        Ok(filled)
    }
}

fn piece(part: &Part, repetition: u64) -> Vec<u8> {
    let number = format!("{repetition:07}");
    if let Some(path) = &part.tar {
        return Tar::new().file(&path.replace("{n}", &number), b"").bytes();
    }
    if let Some(text) = &part.text {
        return text.replace("{n}", &number).replace("{c}", &colliding(repetition)).into_bytes();
    }
    let digits: Vec<u32> = part.hex.iter().flat_map(|hex| hex.chars()).filter_map(|digit| digit.to_digit(16)).collect();
    digits
        .chunks_exact(2)
        .filter_map(|pair| u8::try_from(pair.iter().fold(0, |byte, digit| byte * 16 + digit)).ok())
        .collect()
}

/// 31 · 'A' + 'a' is 31 · 'B' + 'B'.
fn colliding(number: u64) -> String {
    (0..15).rev().map(|digit| if number >> digit & 1 == 0 { "Aa" } else { "BB" }).collect()
}
