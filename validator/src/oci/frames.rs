//! Zstandard as others write it: one or more frames, skippable ones among them (OCI-047 to OCI-051).

use std::io::{self, BufRead, Read};

use zstd::stream::raw::{DParameter, Decoder as Frame, InBuffer, Operation, OutBuffer};

use crate::clause::{self, Clause};
use crate::diagnostic::{Excerpt, Place, Violation};
use crate::limits::Limits;
use crate::zstd::{FrameHeader, MAGIC};

/// The longest header of a frame.
const HEADER: usize = 18;

/// Whether a frame can begin with these bytes.
pub(super) fn is_frame(head: &[u8]) -> bool {
    head.starts_with(&MAGIC) || is_skippable(head)
}

fn is_skippable(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..])
}

/// Decodes all frames and says what is wrong with them.
pub(super) struct Decoder<R> {
    input: Input<R>,
    state: State,
    frame: Frame<'static>,
    frames: u64,
    /// Where the frame begins.
    start: u64,
    /// Where the frame begins for which OCI-051 is reported.
    other: Option<u64>,
    /// Skippable frames.
    skipped: u64,
    has_large_window: bool,
    most_window: u64,
    recommended_window: u64,
    violations: Vec<Violation>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Data,
    End,
}

/// The input, of which some bytes may have been read ahead.
struct Input<R> {
    inner: R,
    /// What has been read ahead, from `used` on.
    ahead: Vec<u8>,
    used: usize,
    /// Bytes of the input that have been used.
    at: u64,
}

impl<R: BufRead> Input<R> {
    /// Reads ahead until there are `length` bytes, if the input has them, and gives them.
    fn peek(&mut self, length: usize) -> io::Result<Vec<u8>> {
        self.ahead.drain(..self.used);
        self.used = 0;
        let missing = length.saturating_sub(self.ahead.len());
        (&mut self.inner).take(missing as u64).read_to_end(&mut self.ahead)?;
        Ok(self.ahead.iter().take(length).copied().collect())
    }

    /// The bytes that come next, first those that have been read ahead; none at the end.
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.ahead.get(self.used..) {
            Some(ahead @ [_, ..]) => Ok(ahead),
            _ => self.inner.fill_buf(),
        }
    }

    /// Uses bytes that [`Input::fill_buf`] gave.
    fn consume(&mut self, used: usize) {
        if self.used == self.ahead.len() {
            self.inner.consume(used);
        } else {
            self.used += used;
        }
        self.at += used as u64;
    }
}

/// Reading ends here; what is wrong has been said.
struct Stop;

impl<R: BufRead> Decoder<R> {
    pub(super) fn new(input: R, limits: &Limits) -> io::Result<Self> {
        let mut frame = Frame::new()?;
        frame.set_parameter(DParameter::WindowLogMax(limits.oci_zstd_window.ilog2()))?;
        Ok(Self {
            input: Input { inner: input, ahead: Vec::new(), used: 0, at: 0 },
            state: State::Header,
            frame,
            frames: 0,
            start: 0,
            other: None,
            skipped: 0,
            has_large_window: false,
            most_window: limits.oci_zstd_window,
            recommended_window: limits.zstd_window,
            violations: Vec::new(),
        })
    }

    /// The input, and what is wrong with the frames.
    pub(super) fn finish(mut self) -> (R, Vec<Violation>) {
        // OCI-051
        if let Some(other) = self.other {
            let skippable = match self.skipped {
                0 => String::new(),
                some => format!(", {some} of them skippable"),
            };
            let message = format!("the layer has {} Zstandard frames{skippable}", self.frames);
            self.violations.push(Violation::new(&clause::OCI_051, Place::bytes(other..other), message));
        }
        self.violations.sort_by_key(|violation| violation.place.bytes.as_ref().map_or(0, |bytes| bytes.start));
        (self.input.inner, self.violations)
    }

    fn report(&mut self, clause: &'static Clause, start: u64, bytes: &[u8], message: String) -> Stop {
        let mut place = Place::bytes(start..start + bytes.len() as u64);
        place.excerpt = (!bytes.is_empty()).then(|| Excerpt::of_binary(start, bytes));
        self.violations.push(Violation::new(clause, place, message));
        Stop
    }

    /// Begins the next frame; `false` at the end.
    fn begin(&mut self) -> io::Result<Result<bool, Stop>> {
        let start = self.input.at;
        let head = self.input.peek(HEADER)?;
        if head.is_empty() {
            return Ok(Ok(false));
        }
        if !is_frame(&head) {
            // OCI-047; that a layer begins with a frame has been seen before.
            let shown = head.get(..head.len().min(16)).unwrap_or_default();
            let message = "something follows the last Zstandard frame".to_owned();
            return Ok(Err(self.report(&clause::OCI_047, start, shown, message)));
        }
        self.frames += 1;
        self.start = start;
        if self.frames > 1 || is_skippable(&head) {
            self.other.get_or_insert(start);
        }
        if is_skippable(&head) {
            self.skipped += 1;
            return Ok(self.skippable(&head)?.map(|()| true));
        }
        let Some(header) = FrameHeader::read(&head) else {
            let message = "the header of a frame is incomplete or uses its reserved bit".to_owned();
            return Ok(Err(self.report(&clause::OCI_048, start, &head, message)));
        };
        let shown = head.get(4..header.length).unwrap_or_default();
        if header.dictionary != 0 {
            let message = format!("a frame names the dictionary {}", header.dictionary);
            return Ok(Err(self.report(&clause::OCI_048, start + 4, shown, message)));
        }
        if header.window > self.most_window {
            let message =
                format!("the window of a frame has {} bytes; at most {} are read", header.window, self.most_window);
            return Ok(Err(self.report(&clause::OCI_050, start + 4, shown, message)));
        }
        // OCI-049
        if header.window > self.recommended_window && !self.has_large_window {
            self.has_large_window = true;
            let message = format!(
                "the window of a frame has {} bytes; decoders need not have more than {}",
                header.window, self.recommended_window
            );
            self.report(&clause::OCI_049, start + 4, shown, message);
        }
        self.frame.reinit()?;
        self.state = State::Data;
        Ok(Ok(true))
    }

    /// Passes over a skippable frame.
    fn skippable(&mut self, head: &[u8]) -> io::Result<Result<(), Stop>> {
        self.input.consume(head.len().min(8));
        let Some([a, b, c, d]) = head.get(4..8).and_then(|size| <[u8; 4]>::try_from(size).ok()) else {
            return Ok(Err(self.truncated()));
        };
        let mut left = u64::from(u32::from_le_bytes([a, b, c, d]));
        while left > 0 {
            let there = self.input.fill_buf()?.len();
            if there == 0 {
                return Ok(Err(self.truncated()));
            }
            let used = there.min(usize::try_from(left).unwrap_or(usize::MAX));
            self.input.consume(used);
            left -= used as u64;
        }
        Ok(Ok(()))
    }

    /// OCI-048
    fn truncated(&mut self) -> Stop {
        let message = "the layer ends inside a Zstandard frame".to_owned();
        self.report(&clause::OCI_048, self.input.at, &[], message)
    }

    /// Decodes some of a frame; nothing at its end.
    fn data(&mut self, buffer: &mut [u8]) -> io::Result<Result<usize, Stop>> {
        loop {
            let bytes = self.input.fill_buf()?;
            let is_over = bytes.is_empty();
            let mut input = InBuffer::around(bytes);
            let mut output = OutBuffer::around(buffer);
            let status = self.frame.run(&mut input, &mut output);
            let (used, made) = (input.pos(), output.pos());
            self.input.consume(used);
            match status {
                Err(error) => {
                    let error = match error.to_string() {
                        // What the library says of a frame that gives its content size.
                        text if text.contains("buffer is too small") => "its content is longer than it says".to_owned(),
                        text => text,
                    };
                    let message = format!("the frame that begins here cannot be decoded: {error}");
                    return Ok(Err(self.report(&clause::OCI_048, self.start, &[], message)));
                }
                Ok(0) => {
                    self.state = State::Header;
                    return Ok(Ok(made));
                }
                Ok(_) if made > 0 => return Ok(Ok(made)),
                Ok(_) if is_over => return Ok(Err(self.truncated())),
                Ok(_) => {}
            }
        }
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let step = match self.state {
                State::End => return Ok(0),
                State::Header => self.begin()?.map(|goes_on| {
                    if !goes_on {
                        self.state = State::End;
                    }
                }),
                State::Data => match self.data(buffer)? {
                    Ok(0) => Ok(()),
                    Ok(made) => return Ok(made),
                    Err(stop) => Err(stop),
                },
            };
            if step.is_err() {
                self.state = State::End;
            }
        }
    }
}
