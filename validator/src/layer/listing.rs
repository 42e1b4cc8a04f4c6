//! Reading listings.

use std::ops::Range;

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};

use super::candidate::{Broken, Candidate, Field, Kind};
use super::check::{Checker, judge_hidden};
use super::entry::Entry;
use super::path::is_root;
use crate::clause::{self, Clause};
use crate::diagnostic::{Place, Violation};
use crate::digest::Digest;
use crate::json::{self, Form, Member, Value};
use crate::limits::Limits;
use crate::shown::{quoted, shown};
use crate::suggestion::closest;

/// What a listing lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingKind {
    /// A layer.
    Layer,
    /// What the layers of an image merge to.
    Rootfs,
}

/// What the reader made of a listing.
#[derive(Debug)]
pub struct Listing {
    /// The entries, as far as they could be read.
    pub entries: Vec<Entry>,
    /// What is wrong, in the order of the listing.
    pub violations: Vec<Violation>,
}

/// Violations of one listing that are kept.
const MAX_VIOLATIONS: usize = 10_000;

/// Reads a listing.
///
/// The caller has checked its size (LST-014).
///
/// ```
/// use cornercast::layer::{ListingKind, read_listing};
/// use cornercast::limits::Limits;
///
/// let listing = br#"{"gid":0,"mode":493,"mtime":0,"path":"bin/","type":"dir","uid":0}
/// "#;
/// let listing = read_listing(listing, ListingKind::Layer, &Limits::FORMAT);
/// assert_eq!(listing.violations[0].clause.id, "LST-007");
/// ```
#[must_use]
pub fn read_listing(source: &[u8], kind: ListingKind, limits: &Limits) -> Listing {
    let mut reader = ListingReader {
        kind,
        limits,
        source,
        numbers: Vec::new(),
        line: &[],
        at: 0,
        number: 0,
        checker: Checker::new(limits.clone()),
        violations: Vec::new(),
    };
    let mut at = 0;
    let (clause, most) = match kind {
        ListingKind::Layer => (&clause::LAY_006, limits.layer_lines),
        ListingKind::Rootfs => (&clause::LST_020, limits.rootfs_lines),
    };
    while at < source.len() && reader.violations.len() < MAX_VIOLATIONS {
        let rest = source.get(at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n');
        let line = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
        (reader.line, reader.at) = (line, at);
        reader.number += 1;
        if reader.number > most {
            reader.report(clause, 0..line.len(), format!("the listing has more than {most} lines"));
            break;
        }
        reader.judge_line();
        // LST-001
        if length.is_none() {
            reader.report(
                &clause::LST_001,
                line.len()..line.len(),
                "the last line does not end with a newline".to_owned(),
            );
        }
        at += line.len() + 1;
    }
    // LAY-001
    if source.is_empty() && kind == ListingKind::Layer {
        reader.report(&clause::LAY_001, 0..0, "the listing has no line".to_owned());
    }
    Listing { entries: reader.checker.into_entries(), violations: reader.violations }
}

struct ListingReader<'a> {
    kind: ListingKind,
    limits: &'a Limits,
    source: &'a [u8],
    /// The numbers of the lines of the entries that are kept.
    numbers: Vec<u32>,
    /// The line that is being read, where it begins, and its number.
    line: &'a [u8],
    at: usize,
    number: u64,
    checker: Checker,
    violations: Vec<Violation>,
}

/// The JSON type of a member.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Integer,
    String,
    Boolean,
    Strings,
}

/// The members that a line can have, with their types.
const MEMBERS: [(&str, Type); 11] = [
    ("gid", Type::Integer),
    ("mode", Type::Integer),
    ("mtime", Type::Integer),
    ("opaque", Type::Boolean),
    ("path", Type::String),
    ("sha256", Type::String),
    ("size", Type::Integer),
    ("target", Type::String),
    ("type", Type::String),
    ("uid", Type::Integer),
    ("xattrs", Type::Strings),
];

/// The members that a line of a type has to have, and those that it can have besides.
fn members_of(kind: Kind) -> (&'static [&'static str], &'static [&'static str]) {
    match kind {
        Kind::File => (&["gid", "mode", "mtime", "path", "sha256", "size", "type", "uid"], &["xattrs"]),
        Kind::Hardlink => (&["gid", "mode", "mtime", "path", "sha256", "size", "target", "type", "uid"], &["xattrs"]),
        Kind::Dir => (&["gid", "mode", "mtime", "path", "type", "uid"], &["opaque", "xattrs"]),
        Kind::Symlink => (&["gid", "mtime", "path", "target", "type", "uid"], &[]),
        Kind::Whiteout => (&["path", "type"], &[]),
    }
}

/// The types of lines.
const TYPES: [&str; 5] = ["dir", "file", "hardlink", "symlink", "whiteout"];

impl ListingReader<'_> {
    /// The place of bytes of the line.
    fn place(&self, range: Range<usize>) -> Place {
        // An empty listing has no line; its place is where the first one would be.
        place_in(self.line, self.at, self.number.max(1), range)
    }

    /// The place of the line of an entry.
    fn place_of(&self, index: usize) -> Option<Place> {
        let (entry, start) = self.checker.entry(index)?;
        let start = usize::try_from(start).ok()?;
        let line = self.source.get(start..)?.split(|byte| *byte == b'\n').next()?;
        let number = u64::from(*self.numbers.get(index)?);
        Some(place_in(line, start, number, 0..line.len()).entry(shown(&entry.path)))
    }

    fn report(&mut self, clause: &'static Clause, range: Range<usize>, message: String) {
        let place = self.place(range);
        self.violations.push(Violation::new(clause, place, message));
    }

    fn judge_line(&mut self) {
        let line = self.line;
        // LST-002
        if line.is_empty() {
            self.report(&clause::LST_002, 0..0, "the line is empty".to_owned());
            return;
        }
        // LST-015
        if line.len() > self.limits.line {
            let message = format!("the line has {} bytes; the limit is {}", line.len(), self.limits.line);
            self.report(&clause::LST_015, 0..line.len(), message);
            self.checker.passed_over();
            return;
        }
        let document = json::read(line, Form::Canonical, self.limits);
        for mut violation in document.violations {
            for place in violation.related.iter_mut().map(|(_, place)| place).chain([&mut violation.place]) {
                let bytes = place.bytes.clone().unwrap_or_default();
                let offset = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
                *place = self.place(offset(bytes.start)..offset(bytes.end));
            }
            self.violations.push(violation);
        }
        match document.root {
            Some(root) if matches!(root.value, Value::Object(_)) => self.members(root.members()),
            _ => self.checker.passed_over(),
        }
    }

    fn members(&mut self, members: &[Member]) {
        let before = self.violations.len();
        let path = member(members, "path").and_then(|member| member.node.as_str()).unwrap_or_default().to_owned();
        let mut located = Located { reader: self, members, path: &path };
        let Some(kind) = located.kind() else {
            self.checker.passed_over();
            return;
        };
        located.judge_members(kind);
        let Some(candidate) = located.candidate(kind) else {
            self.checker.passed_over();
            return;
        };
        let mut broken = Vec::new();
        if self.checker.judge(candidate, self.at as u64, &mut broken) {
            self.numbers.push(u32::try_from(self.number).unwrap_or(u32::MAX));
        }
        let located = Located { reader: self, members, path: &path };
        let violations: Vec<Violation> = broken.into_iter().map(|broken| located.broken(broken)).collect();
        self.violations.extend(violations);
        if let Some(found) = self.violations.get_mut(before..) {
            found.sort_by_key(|violation| violation.place.bytes.as_ref().map_or(0, |bytes| bytes.start));
        }
    }
}

/// The place of bytes of the line `line`, which begins at `at` and is line number `number`.
fn place_in(line: &[u8], at: usize, number: u64, range: Range<usize>) -> Place {
    let mut place = Place::bytes(range.start as u64..range.end as u64).text_excerpt(line).shifted(at as u64);
    if let Some(excerpt) = &mut place.excerpt {
        excerpt.in_line(number);
    }
    place
}

fn member<'a>(members: &'a [Member], name: &str) -> Option<&'a Member> {
    members.iter().find(|member| member.name == name)
}

/// A line whose members are being read.
struct Located<'a, 'b> {
    reader: &'a mut ListingReader<'b>,
    members: &'a [Member],
    path: &'a str,
}

impl Located<'_, '_> {
    fn place(&self, name: Option<&str>) -> Place {
        let found = name.and_then(|name| member(self.members, name));
        let range = found.map_or(0..self.reader.line.len(), |member| member.node.bytes.clone());
        let mut place = self.reader.place(range);
        place.pointer = found.map(|member| format!("/{}", member.name));
        place.entry = (!self.path.is_empty()).then(|| shown(self.path));
        place
    }

    fn report(&mut self, clause: &'static Clause, name: Option<&str>, message: String) {
        let place = self.place(name);
        self.reader.violations.push(Violation::new(clause, place, message));
    }

    /// The violation that was reported last suggests what is close to `name` among `known`.
    fn suggest<'a>(&mut self, name: &str, known: impl IntoIterator<Item = &'a str>) {
        if let Some(close) = closest(name, known)
            && let Some(last) = self.reader.violations.last_mut()
        {
            last.help = Some(format!("did you mean `{close}`?"));
        }
    }

    fn broken(&self, broken: Broken) -> Violation {
        let name = match &broken.field {
            Field::Path => "path",
            Field::Mode => "mode",
            Field::Uid => "uid",
            Field::Gid => "gid",
            Field::Mtime => "mtime",
            Field::Size => "size",
            Field::Sha256 => "sha256",
            Field::Target => "target",
            Field::Xattr(_) => "xattrs",
        };
        let violation = Violation::new(broken.clause, self.place(Some(name)), broken.message);
        match broken.other.and_then(|(index, what)| Some((self.reader.place_of(index)?, what))) {
            Some((place, what)) => violation.and(place, what),
            None => violation,
        }
    }

    /// LST-003
    fn kind(&mut self) -> Option<Kind> {
        let Some(member) = member(self.members, "type") else {
            self.report(&clause::LST_004, None, "the line has no member `type`".to_owned());
            return None;
        };
        let kind = match member.node.as_str() {
            Some("file") => Kind::File,
            Some("hardlink") => Kind::Hardlink,
            Some("dir") => Kind::Dir,
            Some("symlink") => Kind::Symlink,
            Some("whiteout") => Kind::Whiteout,
            Some(other) => {
                self.report(&clause::LST_003, Some("type"), format!("the type {} is not defined", quoted(other)));
                self.suggest(other, TYPES);
                return None;
            }
            None => {
                if member.node.value != Value::Invalid {
                    let message = format!("`type` is {}, not a string", member.node.value.type_name());
                    self.report(&clause::LST_006, Some("type"), message);
                }
                return None;
            }
        };
        // LST-021
        if kind == Kind::Whiteout && self.reader.kind == ListingKind::Rootfs {
            self.report(&clause::LST_021, Some("type"), "the merged listing has a whiteout".to_owned());
            return None;
        }
        Some(kind)
    }

    /// LST-004, LST-005, LST-006
    fn judge_members(&mut self, kind: Kind) {
        let (required, optional) = members_of(kind);
        for name in required {
            if member(self.members, name).is_none() {
                self.report(&clause::LST_004, None, format!("the line has no member `{name}`"));
            }
        }
        for Member { name, node, .. } in self.members {
            // LST-022 is the only clause that judges this member there.
            if name == "opaque" && self.reader.kind == ListingKind::Rootfs {
                continue;
            }
            if !required.contains(&name.as_str()) && !optional.contains(&name.as_str()) {
                let message = format!("a line of the type `{}` has no member `{}`", kind.name(), shown(name));
                self.report(&clause::LST_005, Some(name), message);
                self.suggest(name, required.iter().chain(optional).copied());
                continue;
            }
            let expected = MEMBERS.iter().find(|(known, _)| known == name).map(|(_, expected)| *expected);
            let (right, wanted) = match expected {
                Some(Type::Integer) => (matches!(node.value, Value::Integer(_)), "an integer"),
                Some(Type::Boolean) => (matches!(node.value, Value::Boolean(_)), "a boolean"),
                Some(Type::Strings) => {
                    let strings = node
                        .members()
                        .iter()
                        .all(|member| matches!(member.node.value, Value::String(_) | Value::Invalid));
                    (matches!(node.value, Value::Object(_)) && strings, "an object of strings")
                }
                _ => (matches!(node.value, Value::String(_)), "a string"),
            };
            if !right && node.value != Value::Invalid {
                // Of an object it is the values that are wrong.
                let is_object = matches!(node.value, Value::Object(_));
                let seen = if is_object && expected == Some(Type::Strings) {
                    "an object with other values"
                } else {
                    node.value.type_name()
                };
                self.report(&clause::LST_006, Some(name), format!("`{}` is {seen}, not {wanted}", shown(name)));
            }
        }
    }

    fn string(&self, name: &str) -> Option<&str> {
        member(self.members, name)?.node.as_str()
    }

    fn integer(&self, name: &str) -> i64 {
        member(self.members, name).and_then(|member| member.node.as_integer()).unwrap_or_default()
    }

    /// What the line says, if it has a path: LST-007 to LST-012, LST-022.
    fn candidate(&mut self, kind: Kind) -> Option<Candidate> {
        let path = self.string("path")?.to_owned();
        // LST-007
        let clean = match path.strip_suffix('/') {
            Some(clean) if !is_root(&path) => {
                self.report(&clause::LST_007, Some("path"), format!("the path {} ends in `/`", quoted(&path)));
                clean.to_owned()
            }
            _ => path,
        };
        // LAY-065
        let name = clean.rsplit('/').next().unwrap_or_default();
        if kind == Kind::Whiteout
            && !is_root(&clean)
            && let Some(message) = judge_hidden(name)
        {
            self.report(&clause::LAY_065, Some("path"), message);
            return None;
        }
        let mut candidate = Candidate::new(kind, clean);
        candidate.mode = if kind == Kind::Symlink { 0o777 } else { self.integer("mode") };
        candidate.uid = self.integer("uid");
        candidate.gid = self.integer("gid");
        candidate.mtime = self.integer("mtime");
        candidate.size = self.integer("size");
        let complete = |names: &[&str]| {
            names
                .iter()
                .all(|name| member(self.members, name).is_some_and(|member| member.node.value != Value::Invalid))
        };
        let whole = complete(members_of(kind).0);
        if matches!(kind, Kind::Hardlink | Kind::Symlink) {
            candidate.target = self.string("target")?.as_bytes().to_vec();
        }
        if matches!(kind, Kind::File | Kind::Hardlink) {
            candidate.sha256 = self.sha256();
            self.judge_empty_file(&candidate);
        }
        let opaque = member(self.members, "opaque").map(|member| &member.node.value);
        if let Some(opaque) = opaque.filter(|opaque| **opaque != Value::Invalid) {
            candidate.opaque = *opaque == Value::Boolean(true) && self.reader.kind == ListingKind::Layer;
            self.judge_opaque(opaque);
        }
        if kind != Kind::Symlink {
            candidate.xattrs = self.xattrs();
        }
        if !whole && kind == Kind::Hardlink {
            return None;
        }
        Some(candidate)
    }

    /// LST-008
    fn sha256(&mut self) -> Option<Digest> {
        let hex = self.string("sha256")?.to_owned();
        let digest = Digest::from_hex(&hex);
        if digest.is_none() {
            let message =
                format!("{} is not 64 hexadecimal digits in lower case{}", quoted(&hex), crate::digest::flaw(&hex));
            self.report(&clause::LST_008, Some("sha256"), message);
        }
        digest
    }

    /// LST-012
    fn judge_empty_file(&mut self, candidate: &Candidate) {
        let size_is_known = member(self.members, "size").is_some_and(|member| member.node.as_integer() == Some(0));
        if candidate.kind == Kind::File
            && size_is_known
            && candidate.sha256.is_some_and(|digest| digest != Digest::of(b""))
        {
            let message = "the file is empty, but its sha256 is not that of the empty string".to_owned();
            self.report(&clause::LST_012, Some("sha256"), message);
        }
    }

    /// LST-009, LST-022
    fn judge_opaque(&mut self, opaque: &Value) {
        if self.reader.kind == ListingKind::Rootfs {
            let message = "a directory of the merged listing has the member `opaque`".to_owned();
            self.report(&clause::LST_022, Some("opaque"), message);
        } else if *opaque == Value::Boolean(false) {
            self.report(&clause::LST_009, Some("opaque"), "`opaque` is false".to_owned());
        }
    }

    /// LST-010, LST-011
    fn xattrs(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let Some(Member { node, .. }) = member(self.members, "xattrs") else { return Vec::new() };
        if matches!(&node.value, Value::Object(members) if members.is_empty()) {
            self.report(&clause::LST_010, Some("xattrs"), "`xattrs` is empty".to_owned());
        }
        let mut xattrs = Vec::new();
        for member in node.members() {
            let Some(text) = member.node.as_str() else { continue };
            match STANDARD.decode(text) {
                Ok(value) => xattrs.push((member.name.clone().into_bytes(), value)),
                Err(error) => {
                    let message =
                        format!("the value of `{}` is not base64: {}", shown(&member.name), flaw(text, error));
                    self.report(&clause::LST_011, Some("xattrs"), message);
                }
            }
        }
        xattrs
    }
}

/// Why `text` is not base64.
fn flaw(text: &str, error: DecodeError) -> String {
    match error {
        DecodeError::InvalidByte(at, _) => {
            let character = text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or_default();
            format!("it has the character {}", quoted(&character.to_string()))
        }
        DecodeError::InvalidLength(_) => format!("its {} characters are not groups of four", text.len()),
        DecodeError::InvalidLastSymbol { .. } => "the unused bits of its last character are not zero".to_owned(),
        DecodeError::InvalidPadding => "its padding with `=` is missing or wrong".to_owned(),
    }
}
