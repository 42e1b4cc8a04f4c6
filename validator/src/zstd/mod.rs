//! Zstandard as transport: one frame, within bounds, nothing else.

mod blocks;

use std::io::{self, BufRead, Chain, Cursor, Read};

use self::blocks::Counted;
use crate::clause;
use crate::diagnostic::{Excerpt, Place, Violation};
use crate::limits::Limits;

/// The magic number of a frame.
pub const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// What a frame header says (RFC 8878, section 3.1.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Its length in bytes, magic number included.
    pub(crate) length: usize,
    pub(crate) window: u64,
    content_size: Option<u64>,
    pub(crate) dictionary: u64,
    checksum: bool,
    /// The window descriptor, or the smallest one that holds a single segment's content.
    window_descriptor: u8,
}

/// Decodes one frame and says what is wrong with it.
///
/// The decoder never gives more than the caller reads, so the caller sets the bound.
///
/// ```
/// use std::io::Read;
/// use cornercast::limits::Limits;
/// use cornercast::zstd::Decoder;
///
/// let mut frame = zstd::encode_all(&b"hello"[..], 3)?;
/// frame.push(0);
/// let mut decoder = Decoder::new(&frame[..], &Limits::FORMAT);
/// let mut decoded = Vec::new();
/// decoder.read_to_end(&mut decoded)?;
/// assert_eq!(decoded, b"hello");
/// assert_eq!(decoder.violations()[0].clause.id, "STO-019");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Decoder<R: BufRead> {
    state: State<R>,
    header: Option<FrameHeader>,
    decoded: u64,
    violations: Vec<Violation>,
}

type Source<R> = Chain<Cursor<Vec<u8>>, Counted<R>>;

enum State<R: BufRead> {
    Start(Counted<R>),
    Frame(Box<zstd::stream::read::Decoder<'static, Source<R>>>),
    End,
}

impl<R: BufRead> Decoder<R> {
    /// A decoder of the frame that `input` holds.
    pub fn new(input: R, limits: &Limits) -> Self {
        let mut decoder =
            Self { state: State::Start(Counted::new(input)), header: None, decoded: 0, violations: Vec::new() };
        decoder.begin(limits);
        decoder
    }

    /// What is wrong with the frame, as far as it has been read.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// The violations, taken out.
    pub fn take_violations(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.violations)
    }

    fn report(&mut self, clause: &'static clause::Clause, bytes: std::ops::Range<u64>, shown: &[u8], message: String) {
        let mut place = Place::bytes(bytes.clone());
        if !shown.is_empty() {
            place.excerpt = Some(Excerpt::of_binary(bytes.start, shown));
        }
        self.violations.push(Violation::new(clause, place, message));
    }

    /// Reads the frame header; ends at once if the frame cannot be decoded within bounds.
    fn begin(&mut self, limits: &Limits) {
        let State::Start(mut input) = std::mem::replace(&mut self.state, State::End) else { return };
        let mut head = Vec::new();
        if let Err(error) = (&mut input).take(18).read_to_end(&mut head) {
            input.failed = Some(error.kind());
        }
        // STO-018
        if head.get(..4) != Some(&MAGIC) {
            let message = "the file does not begin with a Zstandard frame".to_owned();
            self.report(
                &clause::STO_018,
                0..head.len().min(4) as u64,
                head.get(..head.len().min(4)).unwrap_or_default(),
                message,
            );
            return;
        }
        let Some(header) = FrameHeader::read(&head) else {
            // STO-024
            let message = "the frame header is incomplete or uses its reserved bit".to_owned();
            self.report(&clause::STO_024, 0..head.len() as u64, &head, message);
            return;
        };
        let bytes = 4..header.length as u64;
        let shown = head.get(4..header.length).unwrap_or_default().to_vec();
        // STO-020
        if header.window > limits.zstd_window {
            let message = format!("the window has {} bytes; the limit is {}", header.window, limits.zstd_window);
            self.report(&clause::STO_020, bytes.clone(), &shown, message);
        }
        // STO-021
        if header.dictionary != 0 {
            let message = format!("the frame names the dictionary {}", header.dictionary);
            self.report(&clause::STO_021, bytes, &shown, message);
        }
        self.header = Some(header);
        if !self.violations.is_empty() {
            return;
        }
        // The library gets a header without content size, which is judged here, so that a wrong one
        // cannot be taken for damage.
        let mut rewritten = MAGIC.to_vec();
        rewritten.push(if header.checksum { 0b100 } else { 0 });
        rewritten.push(header.window_descriptor);
        let behind = head.get(header.length..).unwrap_or_default();
        let usable = input.blocks_begin(behind);
        rewritten.extend_from_slice(behind.get(..usable).unwrap_or_default());
        let source = Cursor::new(rewritten).chain(input);
        let Ok(decoder) = zstd::stream::read::Decoder::with_buffer(source) else { return };
        self.state = State::Frame(Box::new(decoder.single_frame()));
    }

    /// The frame has been decoded: what follows, and its content size.
    fn end(&mut self) {
        let State::Frame(decoder) = std::mem::replace(&mut self.state, State::End) else { return };
        let (mut rewritten, mut input) = decoder.finish().into_inner();
        // What the library did not take of the rewritten head follows the frame, too.
        let mut rest = Vec::new();
        let _ = rewritten.read_to_end(&mut rest);
        let start = input.at - rest.len() as u64;
        let _ = (&mut input).take(16).read_to_end(&mut rest);
        // STO-019
        if !rest.is_empty() {
            let message = "something follows the Zstandard frame".to_owned();
            self.report(&clause::STO_019, start..start + rest.len() as u64, &rest, message);
        }
        // STO-022
        if let Some(FrameHeader { content_size: Some(size), length, .. }) = self.header
            && size != self.decoded
        {
            let message = format!("the frame header gives {size} bytes of content; there are {}", self.decoded);
            self.report(&clause::STO_022, 4..length as u64, &[], message);
        }
    }

    /// Decoding failed.
    fn fail(&mut self, error: &io::Error) -> io::Result<()> {
        let State::Frame(decoder) = std::mem::replace(&mut self.state, State::End) else { return Ok(()) };
        let (_, input) = decoder.finish().into_inner();
        if let Some(kind) = input.failed {
            return Err(kind.into());
        }
        if let Some(header) = input.empty_block() {
            let message = "a compressed block has no bytes".to_owned();
            self.report(&clause::STO_024, header..header + 3, &[], message);
            return Ok(());
        }
        let text = error.to_string();
        let (clause, message) = if text.contains("checksum") {
            (&clause::STO_023, "the checksum of the frame is not that of its content".to_owned())
        } else if error.kind() == io::ErrorKind::UnexpectedEof {
            (&clause::STO_024, format!("the frame ends after {} bytes, before its last block or checksum", input.at))
        } else {
            (&clause::STO_024, format!("the frame cannot be decoded: {text}"))
        };
        self.report(clause, input.at..input.at, &[], message);
        Ok(())
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let State::Frame(decoder) = &mut self.state else { return Ok(0) };
        if buffer.is_empty() {
            return Ok(0);
        }
        match decoder.read(buffer) {
            Ok(0) => {
                self.end();
                Ok(0)
            }
            Ok(read) => {
                self.decoded += read as u64;
                Ok(read)
            }
            Err(error) => {
                self.fail(&error)?;
                Ok(0)
            }
        }
    }
}

impl FrameHeader {
    pub(crate) fn read(head: &[u8]) -> Option<Self> {
        let descriptor = *head.get(4)?;
        // The reserved bit; the unused bit above it can have any value.
        if descriptor & 0b1000 != 0 {
            return None;
        }
        let mut at = 5;
        let mut take = |length: usize| {
            let bytes = head.get(at..at + length)?;
            at += length;
            Some(bytes.iter().rev().fold(0_u64, |value, byte| value * 256 + u64::from(*byte)))
        };
        let single_segment = descriptor & 0b10_0000 != 0;
        let window_byte = if single_segment { None } else { Some(take(1)?) };
        let dictionary = take([0, 1, 2, 4].get(usize::from(descriptor & 0b11)).copied()?)?;
        let size_length = match (descriptor >> 6, single_segment) {
            (0, false) => 0,
            (0, true) => 1,
            (1, _) => 2,
            (2, _) => 4,
            _ => 8,
        };
        let content_size = match size_length {
            0 => None,
            2 => Some(take(2)? + 256),
            length => Some(take(length)?),
        };
        let window = match (window_byte, content_size) {
            (Some(byte), _) => window_of(u8::try_from(byte).ok()?),
            (None, size) => size?,
        };
        let window_descriptor = match window_byte {
            Some(byte) => u8::try_from(byte).ok()?,
            None => (0..=u8::MAX).find(|descriptor| window_of(*descriptor) >= window).unwrap_or(u8::MAX),
        };
        let checksum = descriptor & 0b100 != 0;
        Some(Self { length: at, window, content_size, dictionary, checksum, window_descriptor })
    }
}

fn window_of(descriptor: u8) -> u64 {
    let base = 1_u64 << (10 + (descriptor >> 3));
    base + base / 8 * u64::from(descriptor & 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_frame_is_known_at_its_end() {
        let frame = zstd::encode_all(&b"content"[..], 3).unwrap();
        let source = [frame, b"more".to_vec()].concat();
        let mut decoder = Decoder::new(&source[..], &Limits::FORMAT);
        assert_eq!(decoder.violations(), []);
        let mut content = Vec::new();
        decoder.read_to_end(&mut content).unwrap();
        assert_eq!(content, b"content");
        let ids = |violations: &[Violation]| violations.iter().map(|violation| violation.clause.id).collect::<Vec<_>>();
        assert_eq!(ids(decoder.violations()), ["STO-019"]);
        assert_eq!(ids(&decoder.take_violations()), ["STO-019"]);
        assert_eq!(decoder.violations(), []);
    }
}
