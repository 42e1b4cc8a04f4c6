//! The reader: takes the bytes of an archive in pieces of any size, does no I/O, and never fails.

use super::entry::Entry;
use super::header::{self, BLOCK, Header, field, is_zero};
use super::pax::{self, Record};
use crate::clause;
use crate::diagnostic::{Excerpt, Place, Violation};
use crate::limits::Limits;

/// What kind of archive is being read; they differ in a few clauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// A layer.
    Layer,
    /// An archive of a store's files (`.ccast`).
    Archive,
}

impl Profile {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Layer => "layer",
            Self::Archive => "archive",
        }
    }
}

/// What the reader tells about an archive.
pub trait Sink {
    /// An entry begins.
    fn entry(&mut self, entry: &Entry, out: &mut Vec<Violation>);
    /// Some of the data of the entry that began last.
    fn data(&mut self, bytes: &[u8]);
    /// The entry that began last is complete.
    fn end_of_entry(&mut self, out: &mut Vec<Violation>);
    /// An entry has been passed over, since a violation makes it impossible to judge.
    fn passed_over(&mut self);
    /// Whether the reader has to give the archive up here.
    fn is_done(&self) -> bool {
        false
    }
}

#[derive(Debug)]
enum State {
    Header,
    /// In the body of a PAX header.
    Pax {
        header: Box<Header>,
        body: Vec<u8>,
        left: u64,
    },
    /// In the data of an entry; `seen` tells whether the sink knows of it.
    Data {
        left: u64,
        padding: u64,
        seen: bool,
    },
    /// In the padding after data or a PAX body.
    Padding {
        left: u64,
        seen: bool,
    },
    /// After the first zero block.
    FirstZero,
    /// After both: whatever follows is too much.
    End,
    /// Nothing more can be read.
    GaveUp,
}

/// A reader of one archive.
///
/// ```
/// use cornercast::limits::Limits;
/// use cornercast::tar::{Entry, Profile, Reader, Sink};
///
/// struct Paths(Vec<String>);
/// impl Sink for Paths {
///     fn entry(&mut self, entry: &Entry, _: &mut Vec<cornercast::diagnostic::Violation>) {
///         self.0.push(String::from_utf8_lossy(&entry.path).into_owned());
///     }
///     fn data(&mut self, _: &[u8]) {}
///     fn end_of_entry(&mut self, _: &mut Vec<cornercast::diagnostic::Violation>) {}
///     fn passed_over(&mut self) {}
/// }
///
/// let mut paths = Paths(Vec::new());
/// let mut reader = Reader::new(Profile::Layer, Limits::FORMAT);
/// reader.push(&[0; 1024], &mut paths);
/// reader.finish();
/// assert_eq!(reader.take_violations()[0].clause.id, "LAY-001");
/// ```
#[derive(Debug)]
pub struct Reader {
    profile: Profile,
    limits: Limits,
    state: State,
    block: Vec<u8>,
    offset: u64,
    /// The PAX header that waits for its entry: where it begins, and its records if they are well formed.
    pax: Option<(u64, Option<Vec<Record>>)>,
    entries: u64,
    bad_checksums: u32,
    violations: Vec<Violation>,
}

impl Reader {
    /// A reader at the first byte of an archive.
    #[must_use]
    pub fn new(profile: Profile, limits: Limits) -> Self {
        Self {
            profile,
            limits,
            state: State::Header,
            block: Vec::with_capacity(BLOCK),
            offset: 0,
            pax: None,
            entries: 0,
            bad_checksums: 0,
            violations: Vec::new(),
        }
    }

    /// Whether nothing more can be read, so that the bytes that follow do not matter.
    #[must_use]
    pub fn gave_up(&self) -> bool {
        matches!(self.state, State::GaveUp)
    }

    /// Gives the archive up: the bytes that follow are not looked at.
    pub fn give_up(&mut self) {
        self.state = State::GaveUp;
    }

    /// The violations found since this was asked last, in the order of the archive.
    pub fn take_violations(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.violations)
    }

    /// Takes the next bytes of the archive in.
    pub fn push(&mut self, mut input: &[u8], sink: &mut impl Sink) {
        while !input.is_empty() {
            let used = self.step(input, sink);
            self.offset += used as u64;
            input = input.get(used..).unwrap_or_default();
            if sink.is_done() {
                self.give_up();
            }
        }
    }

    /// Goes on behind the data of the entry that it is in, all but its last byte, of which a sink then sees nothing: how
    /// many bytes these are.
    pub fn skip_data(&mut self) -> u64 {
        let State::Data { left, .. } = &mut self.state else { return 0 };
        let skipped = left.saturating_sub(1);
        *left -= skipped;
        self.offset += skipped;
        skipped
    }

    /// The archive ends here.
    pub fn finish(&mut self) {
        let state = std::mem::replace(&mut self.state, State::GaveUp);
        let whole = self.block.is_empty() && self.pax.is_none();
        let zero_tail = self.pax.is_none() && !self.block.is_empty() && self.block.iter().all(|byte| *byte == 0);
        match state {
            State::Header if whole || zero_tail => {
                if self.entries == 0 {
                    self.judge_empty(self.offset);
                } else {
                    let message =
                        format!("the layer ends after {} of the 1,024 zero bytes that end it", self.block.len());
                    self.end_violation(message);
                }
            }
            State::FirstZero if self.is_empty_layer() => self.judge_empty(self.offset),
            State::FirstZero => {
                let message =
                    format!("the layer ends after {} of the 1,024 zero bytes that end it", 512 + self.block.len());
                self.end_violation(message);
            }
            State::Header | State::Pax { .. } | State::Data { .. } | State::Padding { .. } => {
                if matches!(state, State::Padding { .. }) {
                    self.judge_padding(self.offset);
                }
                // LAY-004
                let message = match state {
                    State::Header if self.block.is_empty() => {
                        "the archive ends between a PAX header and its entry".to_owned()
                    }
                    State::Header => {
                        format!("the archive ends after {} of the 512 bytes of a header", self.block.len())
                    }
                    State::Pax { left, .. } => format!("the archive ends {left} bytes before the end of a PAX header"),
                    State::Data { left, .. } => {
                        format!("the archive ends {left} bytes before the end of an entry's data")
                    }
                    _ => "the archive ends inside the padding of an entry".to_owned(),
                };
                let place = Place::bytes(self.offset..self.offset);
                self.violations.push(Violation::new(&clause::LAY_004, place, message));
            }
            State::End => {
                let rest = std::mem::take(&mut self.block);
                self.judge_end(&rest, self.offset);
            }
            State::GaveUp => {}
        }
    }

    fn is_empty_layer(&self) -> bool {
        self.entries == 0 && self.profile == Profile::Layer
    }

    /// LAY-001
    fn judge_empty(&mut self, end: u64) {
        if self.is_empty_layer() {
            let place = Place::bytes(0..end);
            self.violations.push(Violation::new(&clause::LAY_001, place, "the layer has no entry"));
        }
    }

    /// LAY-003, or LAY-001 alone; `rest` is the block after the end, as far as there is one.
    fn judge_end(&mut self, rest: &[u8], end: u64) {
        if self.is_empty_layer() {
            self.judge_empty(end);
        } else if !rest.is_empty() {
            let start = end - rest.len() as u64;
            let mut place = Place::bytes(start..end);
            place.excerpt = Some(Excerpt::of_binary(start, rest));
            let what = if is_zero(rest) { "zero bytes" } else { "data" };
            let message = format!("{what} after the two zero blocks that end the {}", self.profile.name());
            self.violations.push(Violation::new(&clause::LAY_003, place, message));
        }
    }

    /// LAY-005, for the padding that has been collected, which ends here.
    fn judge_padding(&mut self, end: u64) {
        let padding = std::mem::take(&mut self.block);
        if !is_zero(&padding) {
            let start = end - padding.len() as u64;
            let mut place = Place::bytes(start..end);
            place.excerpt = Some(Excerpt::of_binary(start, &padding));
            let message = "the padding after the data is not zero";
            self.violations.push(Violation::new(&clause::LAY_005, place, message));
        }
    }

    /// LAY-002
    fn end_violation(&mut self, message: String) {
        let message = message.replace("the layer", &format!("the {}", self.profile.name()));
        let place = Place::bytes(self.offset..self.offset);
        self.violations.push(Violation::new(&clause::LAY_002, place, message));
    }

    /// Uses some bytes of `input` and says how many.
    fn step(&mut self, input: &[u8], sink: &mut impl Sink) -> usize {
        match std::mem::replace(&mut self.state, State::GaveUp) {
            State::GaveUp => input.len(),
            State::End => {
                self.state = State::End;
                self.fill_block(input, |reader, block, at| {
                    reader.judge_end(block, at + BLOCK as u64);
                    reader.give_up();
                })
            }
            State::Header => {
                self.state = State::Header;
                self.fill_block(input, |reader, block, at| reader.header(block, at, sink))
            }
            State::FirstZero => {
                self.state = State::FirstZero;
                self.fill_block(input, |reader, block, at| {
                    if is_zero(block) {
                        reader.state = State::End;
                    } else if reader.is_empty_layer() {
                        reader.judge_empty(at + BLOCK as u64);
                        reader.give_up();
                    } else {
                        reader.give_up();
                        let place = Header::new(*block, at).place(0..BLOCK);
                        let message = format!(
                            "the {} goes on after one zero block, where a second one ends it",
                            reader.profile.name()
                        );
                        reader.violations.push(Violation::new(&clause::LAY_002, place, message));
                    }
                })
            }
            State::Pax { header, mut body, left } => {
                let (part, used) = head(input, left);
                body.extend_from_slice(part);
                let left = left - used as u64;
                if left > 0 {
                    self.state = State::Pax { header, body, left };
                } else {
                    self.pax_body(&header, &body);
                }
                used
            }
            State::Data { left, padding, seen } => {
                let (part, used) = head(input, left);
                if seen {
                    sink.data(part);
                }
                let left = left - used as u64;
                if left > 0 {
                    self.state = State::Data { left, padding, seen };
                } else {
                    self.begin_padding(padding, seen, sink);
                }
                used
            }
            State::Padding { left, seen } => {
                let (part, used) = head(input, left);
                let left = left - used as u64;
                // Padding that is whole and right need not be collected.
                if left > 0 || !self.block.is_empty() || !is_zero(part) {
                    self.block.extend_from_slice(part);
                }
                if left > 0 {
                    self.state = State::Padding { left, seen };
                } else {
                    self.judge_padding(self.offset + used as u64);
                    self.end_of_data(seen, sink);
                }
                used
            }
        }
    }

    /// Collects a block; `take` gets it and its offset.
    fn fill_block(&mut self, input: &[u8], take: impl FnOnce(&mut Self, &[u8; BLOCK], u64)) -> usize {
        // Most blocks are whole: they are looked at where they are.
        if let (true, Some(block)) = (self.block.is_empty(), input.first_chunk()) {
            take(self, block, self.offset);
            return BLOCK;
        }
        let (part, used) = head(input, (BLOCK - self.block.len()) as u64);
        self.block.extend_from_slice(part);
        if let Ok(block) = <[u8; BLOCK]>::try_from(self.block.as_slice()) {
            self.block.clear();
            let at = self.offset + used as u64 - BLOCK as u64;
            take(self, &block, at);
        }
        used
    }

    fn header(&mut self, block: &[u8; BLOCK], at: u64, sink: &mut impl Sink) {
        if is_zero(block) {
            self.state = State::FirstZero;
            self.judge_pending_pax(at, "the end of the archive");
            return;
        }
        self.entries += 1;
        let header = Header::new(*block, at);
        let size = header.octal(field::SIZE);
        if !header.judge_checksum(&mut self.violations) {
            self.bad_checksums += 1;
            // A damaged PAX header takes its entry with it.
            self.pax = (header.typeflag() == b'x').then_some((at, None));
            sink.passed_over();
            match size {
                Some(size) if self.bad_checksums < 2 => self.begin_data(size, false, sink),
                _ => self.give_up(),
            }
            return;
        }
        self.bad_checksums = 0;
        if header.typeflag() != b'x' && matches!(self.pax, Some((_, None))) {
            // LAY-010, LAY-026: its PAX header could not be read.
            self.pax = None;
            self.pass_over(size, sink);
            return;
        }
        header.judge_form(&mut self.violations);
        match header.typeflag() {
            b'x' => self.pax_header(header),
            b'0' | b'1' | b'2' | b'5' => self.entry(header, sink),
            other => {
                // LAY-007
                let message = format!("the entry is {}", header::type_name(other));
                self.violations.push(Violation::new(&clause::LAY_007, header.place(field::TYPEFLAG), message));
                self.pax = None;
                self.pass_over(size, sink);
            }
        }
    }

    /// Goes on after an entry that is not judged, by the size in its header.
    fn pass_over(&mut self, size: Option<u64>, sink: &mut impl Sink) {
        sink.passed_over();
        match size {
            Some(size) => self.begin_data(size, false, sink),
            None => self.give_up(),
        }
    }

    /// LAY-023
    fn judge_pending_pax(&mut self, at: u64, what: &str) {
        if let Some((start, _)) = self.pax.take() {
            let message = format!("the PAX header is followed by {what}, not by its entry");
            self.violations.push(Violation::new(&clause::LAY_023, Place::bytes(start..at), message));
        }
    }

    fn pax_header(&mut self, header: Header) {
        self.judge_pending_pax(header.offset(), "another PAX header");
        header.judge_pax_header(&mut self.violations);
        match header.octal(field::SIZE) {
            None => self.give_up(),
            Some(size) if size > self.limits.pax_body => {
                // LAY-025
                let message = format!("the PAX header has {size} bytes; the limit is {}", self.limits.pax_body);
                self.violations.push(Violation::new(&clause::LAY_025, header.place(field::SIZE), message));
                self.give_up();
            }
            Some(0) => self.pax_body(&header, &[]),
            Some(size) => self.state = State::Pax { header: Box::new(header), body: Vec::new(), left: size },
        }
    }

    fn pax_body(&mut self, header: &Header, body: &[u8]) {
        let start = header.offset();
        let records = pax::read_body(body, start + BLOCK as u64, self.profile, &mut self.violations);
        self.pax = Some((start, records));
        let left = padding_of(body.len() as u64);
        self.state = if left > 0 { State::Padding { left, seen: false } } else { State::Header };
    }

    fn entry(&mut self, header: Header, sink: &mut impl Sink) {
        let (start, records) = match self.pax.take() {
            Some((start, Some(records))) => (start, records),
            _ => (header.offset(), Vec::new()),
        };
        let has_size_field = header.octal(field::SIZE).is_some();
        let size_record = records.iter().rfind(|record| record.key == b"size");
        let known_size = size_record.map_or(has_size_field, |record| pax::decimal(&record.value).is_some());
        let entry = Entry::new(header, start, records, &mut self.violations);
        let size = entry.size;
        // LAY-017
        if entry.header.typeflag() != b'0' && size > 0 {
            let message = format!("the entry is no file, but its header gives it {size} bytes of data");
            self.violations.push(Violation::new(&clause::LAY_017, entry.header.place(field::SIZE), message));
        }
        // LAY-022
        let too_large = size > self.limits.file;
        if too_large {
            let message = format!("the file has {size} bytes; the limit is {}", self.limits.file);
            self.violations.push(Violation::new(&clause::LAY_022, entry.header.place(field::SIZE), message));
        }
        sink.entry(&entry, &mut self.violations);
        if known_size && !too_large && !sink.is_done() {
            self.begin_data(size, true, sink);
        } else {
            self.give_up();
        }
    }

    fn begin_data(&mut self, size: u64, seen: bool, sink: &mut impl Sink) {
        let padding = padding_of(size);
        if size > 0 {
            self.state = State::Data { left: size, padding, seen };
        } else {
            self.begin_padding(padding, seen, sink);
        }
    }

    fn begin_padding(&mut self, left: u64, seen: bool, sink: &mut impl Sink) {
        if left > 0 {
            self.state = State::Padding { left, seen };
        } else {
            self.end_of_data(seen, sink);
        }
    }

    fn end_of_data(&mut self, seen: bool, sink: &mut impl Sink) {
        self.state = State::Header;
        if seen {
            sink.end_of_entry(&mut self.violations);
        }
    }
}

/// The first `most` bytes of `input`, and how many there are.
fn head(input: &[u8], most: u64) -> (&[u8], usize) {
    let used = usize::try_from(most).unwrap_or(usize::MAX).min(input.len());
    (input.get(..used).unwrap_or_default(), used)
}

fn padding_of(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}
