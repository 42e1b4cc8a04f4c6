//! A layer's listing beside the one that its manifest names, line by line, while the layer is walked.

use std::io::{self, Read};

/// Compares lines with a listing that is read as they come.
///
/// ```
/// use cornercast::layer::Comparison;
///
/// let mut comparison = Comparison::new(&b"one\ntwo\n"[..]);
/// comparison.lines(b"one\n")?;
/// comparison.lines(b"three\n")?;
/// assert_eq!(comparison.finish()?.divergence.unwrap().offset, 4);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Comparison<R> {
    listing: R,
    /// Bytes in which both agree.
    at: u64,
    buffer: Vec<u8>,
    divergence: Option<Divergence>,
}

/// The first line in which two listings differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Where the line begins in both.
    pub offset: u64,
    /// The line that the layer has there, without newline; `None` after its last.
    pub layer: Option<String>,
}

/// What became of a comparison.
#[derive(Debug)]
pub struct Compared<R> {
    /// Where the two part.
    pub divergence: Option<Divergence>,
    /// Bytes from the beginning in which they were found to agree, up to the end of a line.
    pub agreed: u64,
    /// Bytes after these that have been read.
    pub beyond: Vec<u8>,
    /// The rest of the listing.
    pub listing: R,
}

impl<R: Read> Comparison<R> {
    /// A comparison with the listing that `listing` gives.
    pub fn new(listing: R) -> Self {
        Self { listing, at: 0, buffer: Vec::new(), divergence: None }
    }

    /// Compares the next whole lines.
    ///
    /// # Errors
    ///
    /// Errors of reading the listing.
    pub fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.divergence.is_some() || lines.is_empty() {
            return Ok(());
        }
        self.buffer.clear();
        let wanted = lines.len() as u64;
        (&mut self.listing).take(wanted).read_to_end(&mut self.buffer)?;
        if self.buffer == lines {
            self.at += wanted;
            return Ok(());
        }
        let same = lines.iter().zip(&self.buffer).take_while(|(line, listed)| line == listed).count();
        let before = lines.get(..same).unwrap_or_default();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let line = lines.get(start..).and_then(|rest| rest.split(|byte| *byte == b'\n').next());
        self.divergence = Some(Divergence {
            offset: self.at + start as u64,
            layer: line.map(|line| String::from_utf8_lossy(line).into_owned()),
        });
        Ok(())
    }

    /// There are no more lines.
    ///
    /// # Errors
    ///
    /// Errors of reading the listing.
    pub fn finish(mut self) -> io::Result<Compared<R>> {
        if self.divergence.is_none() {
            self.buffer.clear();
            if (&mut self.listing).take(1).read_to_end(&mut self.buffer)? > 0 {
                self.divergence = Some(Divergence { offset: self.at, layer: None });
            }
        }
        Ok(Compared { divergence: self.divergence, agreed: self.at, beyond: self.buffer, listing: self.listing })
    }
}
