//! A reader of tar archives as others write them: takes the bytes in pieces, and says what is wrong (OCI-053 to
//! OCI-066, OCI-081, OCI-082).

use std::borrow::Cow;

use super::entry::{Entry, Sink};
use super::extensions::Extensions;
use super::header::{self, BLOCK, Header, Type, field, until_zero};
use super::violations::Violations;
use crate::clause::{self, Clause};
use crate::diagnostic::{Excerpt, Place, Violation};
use crate::limits::Limits;
use crate::shown::shown_bytes;

#[derive(Debug)]
enum State {
    Header,
    /// In the data of an extension header.
    Extension {
        kind: Type,
        start: u64,
        data: Vec<u8>,
        left: u64,
    },
    /// In the map of a sparse file, after which its data comes.
    Map {
        size: u64,
        seen: bool,
    },
    Data {
        left: u64,
        padding: u64,
        seen: bool,
    },
    Padding {
        left: u64,
    },
    /// After the block of zeros that ends the archive; the zero bytes so far.
    End(u64),
    /// Nothing more is read.
    Stopped,
}

/// A reader of one archive.
#[derive(Debug)]
pub(super) struct Reader {
    most_entries: u64,
    most_extension: u64,
    most_path: usize,
    most_components: usize,
    state: State,
    block: Vec<u8>,
    offset: u64,
    next: Extensions,
    entries: u64,
    /// Entries have been passed over, or reading has ended before the end.
    incomplete: bool,
    stopped: bool,
    violations: Violations,
}

impl Reader {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            most_entries: limits.oci_entries,
            most_extension: limits.oci_extension,
            most_path: limits.path,
            most_components: limits.path_components,
            state: State::Header,
            block: Vec::with_capacity(BLOCK),
            offset: 0,
            next: Extensions::default(),
            entries: 0,
            incomplete: false,
            stopped: false,
            violations: Violations::default(),
        }
    }

    /// Takes the next bytes of the archive in.
    pub(super) fn push(&mut self, mut input: &[u8], sink: &mut impl Sink) {
        while !input.is_empty() {
            let used = self.step(input, sink);
            self.offset += used as u64;
            input = input.get(used..).unwrap_or_default();
            if self.stopped {
                self.state = State::Stopped;
            }
        }
    }

    /// How many bytes can be read without reading what can be passed over.
    pub(super) fn wanted(&self) -> usize {
        match self.state {
            State::End(_) | State::Stopped => usize::MAX,
            _ => BLOCK - self.block.len() % BLOCK,
        }
    }

    /// How many of the next bytes are data that nobody looks at.
    pub(super) fn unread(&self) -> u64 {
        match self.state {
            State::Data { left, padding, .. } => left + padding,
            State::Padding { left } => left,
            _ => 0,
        }
    }

    /// The next `length` bytes are passed over, at most as many as [`Reader::unread`] says.
    pub(super) fn pass_over(&mut self, length: u64) {
        match &mut self.state {
            State::Data { left, padding, .. } => {
                let data = length.min(*left);
                *left -= data;
                *padding -= length - data;
                if *left == 0 {
                    self.state = match *padding {
                        0 => State::Header,
                        left => State::Padding { left },
                    };
                }
            }
            State::Padding { left } => *left -= length,
            _ => {}
        }
        self.offset += length;
    }

    /// The archive ends here. What is wrong with it, and whether all entries have been told.
    pub(super) fn finish(mut self) -> (Violations, bool) {
        let is_zero = self.block.iter().all(|byte| *byte == 0);
        let at = self.offset;
        match std::mem::replace(&mut self.state, State::Stopped) {
            State::Header if is_zero => {
                self.judge_pending(at);
                let after = if self.block.is_empty() { String::new() } else { format!(" but {}", self.block.len()) };
                self.report(
                    &clause::OCI_056,
                    at,
                    &[],
                    format!("the layer ends without the blocks of zero bytes{after}"),
                );
            }
            State::Header => {
                let message = format!("the layer ends after {} of the 512 bytes of a header", self.block.len());
                self.cut_off(message);
            }
            State::Extension { left, .. } => {
                self.cut_off(format!("the layer ends {left} bytes before the end of an extension header"));
            }
            State::Map { .. } => self.cut_off("the layer ends inside the map of a sparse file".to_owned()),
            State::Data { left, .. } => {
                self.cut_off(format!("the layer ends {left} bytes before the end of an entry's data"));
            }
            State::Padding { .. } => {
                let message = "the layer ends without the padding of its last entry".to_owned();
                self.report(&clause::OCI_056, at, &[], message);
            }
            State::End(zeros) if zeros < 2 * BLOCK as u64 => {
                let message = format!("the layer ends after {zeros} of the 1,024 zero bytes that end it");
                self.report(&clause::OCI_056, at, &[], message);
            }
            State::End(_) | State::Stopped => {}
        }
        (self.violations, !self.incomplete)
    }

    /// OCI-055
    fn cut_off(&mut self, message: String) {
        self.incomplete = true;
        self.report(&clause::OCI_055, self.offset, &[], message);
    }

    fn report(&mut self, clause: &'static Clause, start: u64, bytes: &[u8], message: impl Into<String>) {
        self.violations.report(clause, start, bytes, message);
    }

    /// The same of a field of the header at `start`.
    fn report_field(
        &mut self,
        clause: &'static Clause,
        header: &Header<'_>,
        start: u64,
        range: std::ops::Range<usize>,
        message: String,
    ) {
        let (bytes, start) = (header.field(range.clone()), start + range.start as u64);
        let mut place = Place::bytes(start..start + bytes.len() as u64).entry(shown_bytes(&header.path()));
        place.excerpt = Some(Excerpt::of_binary(start, bytes));
        self.violations.add(Violation::new(clause, place, message));
    }

    /// OCI-060
    fn judge_pending(&mut self, at: u64) {
        if let Some(start) = std::mem::take(&mut self.next).start {
            let message = "the archive ends after an extension header, before its entry";
            self.violations.add(Violation::new(&clause::OCI_060, Place::bytes(start..at), message));
        }
    }

    /// Uses some bytes of `input` and says how many.
    fn step(&mut self, input: &[u8], sink: &mut impl Sink) -> usize {
        match std::mem::replace(&mut self.state, State::Stopped) {
            State::Stopped => input.len(),
            State::Header => {
                self.state = State::Header;
                self.fill(input, |reader, block, at| reader.header(block, at, sink))
            }
            State::Extension { kind, start, mut data, left } => {
                let (part, used) = head(input, left);
                // The padding of the data is taken with it, and not kept.
                data.extend_from_slice(part);
                let left = left - used as u64;
                if left > 0 {
                    self.state = State::Extension { kind, start, data, left };
                } else {
                    let length = data.len();
                    self.extension(kind, start, data);
                    self.pad(length as u64);
                }
                used
            }
            State::Map { size, seen } => {
                self.state = State::Map { size, seen };
                self.fill(input, |reader, block, _| {
                    if block.get(field::MAP_GOES_ON).is_none_or(|byte| *byte == 0) {
                        reader.begin_data(size, seen);
                    }
                })
            }
            State::Data { left, padding, seen } => {
                let (part, used) = head(input, left);
                if seen {
                    sink.data(part);
                }
                let left = left - used as u64;
                self.state = match (left, padding) {
                    (0, 0) => State::Header,
                    (0, padding) => State::Padding { left: padding },
                    (left, padding) => State::Data { left, padding, seen },
                };
                used
            }
            State::Padding { left } => {
                let (_, used) = head(input, left);
                let left = left - used as u64;
                self.state = if left > 0 { State::Padding { left } } else { State::Header };
                used
            }
            State::End(zeros) => {
                match input.iter().position(|byte| *byte != 0) {
                    None => self.state = State::End(zeros + input.len() as u64),
                    // OCI-057
                    Some(at) => {
                        let start = self.offset + at as u64;
                        // One byte: more of them need not have come yet.
                        let shown = input.get(at..at + 1).unwrap_or_default();
                        let message = format!("data stands {} bytes after where the layer ends", zeros + at as u64);
                        self.report(&clause::OCI_057, start, shown, message);
                    }
                }
                input.len()
            }
        }
    }

    /// Collects a block; `take` gets it and its offset.
    fn fill(&mut self, input: &[u8], take: impl FnOnce(&mut Self, &[u8; BLOCK], u64)) -> usize {
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

    /// The padding after so many bytes of data.
    fn pad(&mut self, length: u64) {
        let left = length.wrapping_neg() % BLOCK as u64;
        self.state = if left > 0 { State::Padding { left } } else { State::Header };
    }

    fn begin_data(&mut self, size: u64, seen: bool) {
        let padding = size.wrapping_neg() % BLOCK as u64;
        self.state = if size > 0 { State::Data { left: size, padding, seen } } else { State::Header };
    }

    fn extension(&mut self, kind: Type, start: u64, data: Vec<u8>) {
        if !self.next.take(kind, start, data, &mut self.violations) {
            self.stop();
        }
    }

    fn stop(&mut self) {
        self.incomplete = true;
        self.stopped = true;
    }

    fn header(&mut self, block: &[u8; BLOCK], at: u64, sink: &mut impl Sink) {
        if block.iter().all(|byte| *byte == 0) {
            self.judge_pending(at);
            self.state = State::End(BLOCK as u64);
            return;
        }
        let header = Header(block);
        // OCI-053
        if !header.checksum_is_right() {
            let shown = header.field(field::CHECKSUM).to_vec();
            let message = format!(
                "the checksum of a header is \"{}\", not the sum of its bytes",
                shown_bytes(until_zero(&shown))
            );
            self.report(&clause::OCI_053, at + field::CHECKSUM.start as u64, &shown, message);
            return self.stop();
        }
        let kind = header.entry_type();
        if !kind.is_extension() {
            self.entries += 1;
            // OCI-081
            if self.entries > self.most_entries {
                let message = format!("the layer has more than {} entries", self.most_entries);
                self.report(&clause::OCI_081, at, &[], message);
                return self.stop();
            }
        }
        let Some(given) = self.numbers(&header, at) else { return self.stop() };
        if kind.is_extension() {
            // OCI-059
            if given > self.most_extension {
                let message =
                    format!("an extension header has {given} bytes of data; at most {} are read", self.most_extension);
                self.report_field(&clause::OCI_059, &header, at, field::SIZE, message);
                return self.stop();
            }
            self.state = State::Extension { kind, start: at, data: Vec::new(), left: given };
            if given == 0 {
                self.state = State::Header;
                self.extension(kind, at, Vec::new());
            }
            return;
        }
        let next = std::mem::take(&mut self.next);
        let size = if kind.has_data() { next.size.unwrap_or(given) } else { 0 };
        let can_judge = self.can_judge(&header, at, kind, &next);
        if can_judge {
            self.sizes(&header, at, kind, given, next.size);
        }
        let seen = can_judge && self.entry(&header, at, kind, size, &next, sink);
        self.incomplete |= !seen;
        if kind == Type::Sparse && header.byte(field::SPARSE_GOES_ON) != 0 {
            self.state = State::Map { size, seen };
        } else {
            self.begin_data(size, seen);
        }
    }

    /// OCI-054. The size, if that is a number.
    fn numbers(&mut self, header: &Header<'_>, at: u64) -> Option<u64> {
        for (range, name) in [(field::MODE, "mode"), (field::UID, "uid"), (field::GID, "gid"), (field::MTIME, "mtime")]
        {
            if header::number(header.field(range.clone())).is_none() {
                let shown = shown_bytes(until_zero(header.field(range.clone())));
                self.report_field(
                    &clause::OCI_054,
                    header,
                    at,
                    range,
                    format!("`{name}` is \"{shown}\", not a number"),
                );
            }
        }
        let size = header::number(header.field(field::SIZE));
        let usable = size.and_then(|size| u64::try_from(size).ok()).filter(|size| *size <= header::MAX_SIZE);
        if usable.is_none() {
            let message = match size {
                Some(size) => format!("the size is {size}, not a number from 0 to {}", header::MAX_SIZE),
                None => {
                    let shown = shown_bytes(until_zero(header.field(field::SIZE)));
                    format!("`size` is \"{shown}\", not a number")
                }
            };
            self.report_field(&clause::OCI_054, header, at, field::SIZE, message);
        }
        usable
    }

    /// OCI-063, OCI-066
    fn sizes(&mut self, header: &Header<'_>, at: u64, kind: Type, given: u64, record: Option<u64>) {
        if let Some(record) = record
            && given != 0
            && given != record
        {
            let message = format!("the size is {given} in the header and {record} in a record");
            self.report_field(&clause::OCI_063, header, at, field::SIZE, message);
        } else if !kind.has_data() && record.unwrap_or(given) != 0 {
            let message = format!("the size is {}, and no data belongs to such an entry", record.unwrap_or(given));
            self.report_field(&clause::OCI_066, header, at, field::SIZE, message);
        }
    }

    /// OCI-064. Whether an entry is of a known type and has records that can be read.
    fn can_judge(&mut self, header: &Header<'_>, at: u64, kind: Type, next: &Extensions) -> bool {
        if next.is_broken {
            return false;
        }
        if kind == Type::Unknown {
            let message = format!("the entry is of the type \"{}\"", shown_bytes(&[header.byte(field::TYPE)]));
            self.report_field(&clause::OCI_064, header, at, field::TYPE..field::TYPE + 1, message);
        }
        kind != Type::Unknown
    }

    /// Tells an entry, if nothing keeps it from being judged.
    fn entry(
        &mut self,
        header: &Header<'_>,
        at: u64,
        kind: Type,
        size: u64,
        next: &Extensions,
        sink: &mut impl Sink,
    ) -> bool {
        let named = |record: &'_ Option<Vec<u8>>, long: &Option<Vec<u8>>| record.clone().or_else(|| long.clone());
        let path: Cow<'_, [u8]> =
            named(&next.path, &next.long_path).map_or_else(|| Cow::Owned(header.path()), Cow::Owned);
        let target: Cow<'_, [u8]> =
            named(&next.target, &next.long_target).map_or_else(|| Cow::Owned(header.target()), Cow::Owned);
        let place = Place::bytes(at..at + BLOCK as u64).entry(shown_bytes(&path));
        let mut report = |clause, message: String| self.violations.add(Violation::new(clause, place.clone(), message));
        // OCI-061
        for (what, record, long) in [("path", &next.path, &next.long_path), ("target", &next.target, &next.long_target)]
        {
            if let (Some(record), Some(long)) = (record, long)
                && record != long
            {
                let message = format!(
                    "the {what} is \"{}\" in a record and \"{}\" in a header of GNU tar",
                    shown_bytes(record),
                    shown_bytes(long)
                );
                report(&clause::OCI_061, message);
            }
        }
        // OCI-065
        let is_sparse = kind == Type::Sparse || next.is_sparse;
        if is_sparse {
            report(&clause::OCI_065, "the file is sparse".to_owned());
        }
        // OCI-082
        for (what, bytes) in [("path", &path), ("target", &target)] {
            if bytes.len() > self.most_path {
                let message = format!("the {what} has {} bytes; the limit is {}", bytes.len(), self.most_path);
                report(&clause::OCI_082, message);
                return false;
            }
            let components = bytes.split(|byte| *byte == b'/').filter(|component| !component.is_empty()).count();
            if components > self.most_components {
                let message = format!("the {what} has {components} components; the limit is {}", self.most_components);
                report(&clause::OCI_082, message);
                return false;
            }
        }
        let is_directory = kind == Type::File && path.ends_with(b"/");
        let kind = match kind {
            _ if is_directory => Type::Directory,
            Type::Sparse => Type::File,
            kind => kind,
        };
        let mode = header::number(header.field(field::MODE)).unwrap_or_default();
        let entry = Entry {
            start: at,
            kind,
            path: &path,
            target: &target,
            mode: u32::try_from(mode & 0o7777).unwrap_or_default(),
            size,
            is_sparse,
        };
        sink.entry(&entry, &mut self.violations)
    }
}

/// At most `left` bytes of `input`, and how many.
fn head(input: &[u8], left: u64) -> (&[u8], usize) {
    let used = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
    (input.get(..used).unwrap_or_default(), used)
}
