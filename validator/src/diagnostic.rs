//! What a reader says about its input.

use std::collections::BTreeSet;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::clause::Clause;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A clause with SHOULD is broken: reported, accepted.
    Warning,
    /// A clause with MUST is broken, or the input is unsupported: rejected.
    Error,
}

/// Violations that are kept for one JSON document; more say nothing new.
pub(crate) const MAX_VIOLATIONS: usize = 1000;

/// A broken clause as a reader sees it, with its place inside the bytes that the reader was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The clause that is broken.
    pub clause: &'static Clause,
    /// What is wrong, with the value seen: one sentence without a full stop.
    pub message: String,
    /// What to do, where the place knows better than the clause.
    pub help: Option<String>,
    /// Where it is.
    pub place: Place,
    /// Other places that help to understand it, each with what is there.
    pub related: Vec<(String, Place)>,
}

/// A place inside one sequence of bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The file of a store or archive.
    pub file: Option<String>,
    /// The path of the tar entry or listing line.
    pub entry: Option<String>,
    /// The JSON pointer (RFC 6901) of the value.
    pub pointer: Option<String>,
    /// The bytes, counted from the first byte of the document or blob.
    pub bytes: Option<Range<u64>>,
    /// A few of these bytes, to show them.
    pub excerpt: Option<Excerpt>,
}

/// Bytes around a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// Where the first byte stands.
    pub start: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether they are text.
    pub text: bool,
    /// Line of the first byte of the place and its column in characters, both from 1, for text.
    pub line_column: Option<(u64, u64)>,
    /// The same of the byte after the place.
    pub end: Option<(u64, u64)>,
    /// Whether its line begins before it.
    pub begins_late: bool,
    /// Whether its line goes on after it.
    pub ends_early: bool,
}

impl Violation {
    /// A violation of `clause` at `place`.
    pub fn new(clause: &'static Clause, place: Place, message: impl Into<String>) -> Self {
        Self { clause, message: message.into(), help: None, place, related: Vec::new() }
    }

    /// The same in the file `path` of a store or archive.
    #[must_use]
    pub fn in_file(mut self, path: &str) -> Self {
        self.place.file = Some(path.to_owned());
        for (_, place) in &mut self.related {
            place.file.get_or_insert_with(|| path.to_owned());
        }
        self
    }

    /// The same with another place that helps to understand it, and what is there.
    #[must_use]
    pub fn and(mut self, place: Place, message: impl Into<String>) -> Self {
        self.related.push((message.into(), place));
        self
    }

    /// The same with another remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Place {
    /// The bytes `range`.
    #[must_use]
    pub fn bytes(range: Range<u64>) -> Self {
        Self { bytes: Some(range), ..Self::default() }
    }

    /// The value at `pointer`, which stands in `range`.
    pub fn value(pointer: impl Into<String>, range: Range<u64>) -> Self {
        Self { pointer: Some(pointer.into()), bytes: Some(range), ..Self::default() }
    }

    /// The same inside the entry `path`.
    #[must_use]
    pub fn entry(mut self, path: impl Into<String>) -> Self {
        self.entry = Some(path.into());
        self
    }

    /// The same in the file `path` of a store or archive.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// The same `offset` bytes later, for a reader that was given a part of a larger document.
    #[must_use]
    pub fn shifted(mut self, offset: u64) -> Self {
        if let Some(range) = &mut self.bytes {
            *range = range.start.saturating_add(offset)..range.end.saturating_add(offset);
        }
        if let Some(excerpt) = &mut self.excerpt {
            excerpt.start = excerpt.start.saturating_add(offset);
        }
        self
    }

    /// The same with an excerpt of `source`, a text in which the place's bytes are.
    #[must_use]
    pub fn text_excerpt(mut self, source: &[u8]) -> Self {
        if let Some(range) = &self.bytes {
            self.excerpt = Excerpt::of_text(source, range);
        }
        self
    }
}

impl Excerpt {
    /// Bytes kept before and after the place.
    const AROUND: usize = 48;
    /// Bytes of the place itself that are kept.
    const INSIDE: usize = 64;

    /// An excerpt of the text `source` around `range`, not beyond its line.
    fn of_text(source: &[u8], range: &Range<u64>) -> Option<Self> {
        let start = usize::try_from(range.start).ok()?.min(source.len());
        let end = usize::try_from(range.end).ok()?.clamp(start, source.len());
        let (before, inside) = (source.get(..start)?, source.get(start..end)?);
        let line_start = start_of_line(before);
        let mut from = line_start.max(start.saturating_sub(Self::AROUND));
        while from < start && source.get(from).is_some_and(|byte| byte & 0xC0 == 0x80) {
            from += 1;
        }
        let mut to = end.min(start + Self::INSIDE).saturating_add(Self::AROUND).min(source.len());
        if let Some(newline) = source.get(start..to)?.iter().position(|byte| *byte == b'\n') {
            to = start + newline;
        }
        while to > start && source.get(to).is_some_and(|byte| byte & 0xC0 == 0x80) {
            to -= 1;
        }
        let (line, column) = (newlines(before) + 1, characters(source.get(line_start..start)?) + 1);
        let end = match start_of_line(inside) {
            0 => (line, column + characters(inside)),
            last => (line + newlines(inside), characters(inside.get(last..)?) + 1),
        };
        Some(Self {
            start: from as u64,
            bytes: source.get(from..to)?.to_vec(),
            text: true,
            line_column: Some((line, column)),
            end: Some(end),
            begins_late: from > line_start,
            ends_early: to < source.len() && source.get(to) != Some(&b'\n'),
        })
    }

    /// The same in the line `line` of a larger text, for a reader that was given that line alone.
    pub(crate) fn in_line(&mut self, line: u64) {
        for (own, _) in self.line_column.iter_mut().chain(&mut self.end) {
            *own = line;
        }
    }

    /// An excerpt of binary data: the bytes themselves.
    #[must_use]
    pub fn of_binary(start: u64, bytes: &[u8]) -> Self {
        let bytes = bytes.iter().take(Self::INSIDE).copied().collect();
        Self { start, bytes, text: false, line_column: None, end: None, begins_late: false, ends_early: false }
    }
}

/// Where the last line of `text` begins.
fn start_of_line(text: &[u8]) -> usize {
    text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

fn newlines(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// The characters of `text`; a byte order mark, which no editor counts, is none.
fn characters(text: &[u8]) -> u64 {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    text.iter().filter(|byte| **byte & 0xC0 != 0x80).count() as u64
}

/// A finding, complete with its place in the input: what reports are made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Diagnostic {
    /// The id of the broken clause.
    #[schemars(regex(pattern = r"^[A-Z]{3}-[0-9]{3}$"))]
    pub id: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong, with the value seen.
    pub message: String,
    /// Where it is.
    pub location: Location,
    /// Other places that belong to it.
    pub related: Vec<Related>,
    /// What to do.
    pub help: String,
    /// Where the clause can be read; absent while the book has no public address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The same for the same finding in another run: 16 hexadecimal digits.
    pub fingerprint: String,
    /// Bytes to show.
    #[serde(skip)]
    pub excerpt: Option<Excerpt>,
}

/// Where a finding is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Location {
    /// From the outermost file to the innermost entry: the input, the blob in it, the entry in that.
    pub chain: Vec<String>,
    /// The JSON pointer (RFC 6901) of the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The bytes, counted from the first byte of the innermost file or blob of the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<ByteRange>,
    /// The line, from 1, for text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The column in characters, from 1, for text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// The line of the character after the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_line: Option<u64>,
    /// The column of the character after the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_column: Option<u64>,
    /// Whether the second element of the chain is a file of a store or archive.
    #[serde(skip)]
    pub in_store: bool,
}

/// Bytes from `start` up to but not including `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ByteRange {
    /// The first byte.
    pub start: u64,
    /// The byte after the last one.
    pub end: u64,
}

/// Another place that belongs to a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Related {
    /// What is there.
    pub message: String,
    /// Where it is.
    pub location: Location,
    /// Bytes to show.
    #[serde(skip)]
    pub excerpt: Option<Excerpt>,
}

/// Collects the findings of one input, in its order.
#[derive(Debug)]
pub struct Findings {
    list: Vec<Diagnostic>,
    input: String,
    off: BTreeSet<String>,
    max: usize,
    /// Errors seen, the ones beyond `max` included.
    pub errors: u64,
    /// Warnings seen, the ones beyond `max` included.
    pub warnings: u64,
}

impl Findings {
    /// Findings of the input `name`, of which at most `max` are kept.
    pub fn new(name: impl Into<String>, max: usize) -> Self {
        Self { list: Vec::new(), input: name.into(), off: BTreeSet::new(), max, errors: 0, warnings: 0 }
    }

    /// The same with the clauses `ids` switched off, which a test of the rules needs.
    #[must_use]
    pub fn without(mut self, ids: impl IntoIterator<Item = String>) -> Self {
        self.off.extend(ids);
        self
    }

    /// Adds a violation.
    pub fn add(&mut self, violation: Violation) {
        if self.off.contains(violation.clause.id) {
            return;
        }
        match violation.clause.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        if self.list.len() < self.max {
            self.push(violation);
        }
    }

    /// Adds the notice that says why the input could not be checked, or not to its end; it is kept
    /// whatever the maximum, and is no violation that counts.
    pub fn interrupted(&mut self, notice: Violation) {
        self.push(notice);
    }

    fn push(&mut self, violation: Violation) {
        let Violation { clause, message, help, place, related } = violation;
        let location = located(&self.input, &place);
        let related = related.into_iter().map(|(message, place)| Related {
            message,
            location: located(&self.input, &place),
            excerpt: place.excerpt,
        });
        self.list.push(Diagnostic {
            id: clause.id,
            severity: clause.severity,
            fingerprint: fingerprint(clause.id, &location, &message),
            message,
            location,
            related: related.collect(),
            help: help.unwrap_or_else(|| clause.help.to_owned()),
            url: crate::catalogue::url(clause.id),
            excerpt: place.excerpt,
        });
    }

    /// Adds violations.
    pub fn extend(&mut self, violations: impl IntoIterator<Item = Violation>) {
        for violation in violations {
            self.add(violation);
        }
    }

    /// How many findings there have been, the ones beyond the maximum included.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.errors + self.warnings
    }

    /// The name of the input.
    #[must_use]
    pub fn input(&self) -> &str {
        &self.input
    }

    /// The findings that were kept.
    #[must_use]
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }
}

/// A place as one of the input `input`.
fn located(input: &str, place: &Place) -> Location {
    let chain = [Some(input), place.file.as_deref(), place.entry.as_deref()];
    let begin = place.excerpt.as_ref().and_then(|excerpt| excerpt.line_column);
    let end = place.excerpt.as_ref().and_then(|excerpt| excerpt.end);
    Location {
        chain: chain.into_iter().flatten().map(str::to_owned).collect(),
        pointer: place.pointer.clone(),
        bytes: place.bytes.as_ref().map(|range| ByteRange { start: range.start, end: range.end }),
        line: begin.map(|(line, _)| line),
        column: begin.map(|(_, column)| column),
        end_line: end.map(|(line, _)| line),
        end_column: end.map(|(_, column)| column),
        in_store: place.file.is_some(),
    }
}

/// The same for the same finding, wherever the input lies.
fn fingerprint(id: &str, location: &Location, message: &str) -> String {
    let mut hash = Sha256::new();
    let inner = location.chain.iter().skip(1).map(String::as_str);
    for part in [id, message, location.pointer.as_deref().unwrap_or("")].into_iter().chain(inner) {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    crate::digest::hex(&hash.finalize())[..16].to_owned()
}
