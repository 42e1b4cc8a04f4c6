//! What a reader says about its input.

mod place;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use place::{Excerpt, Place};

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
