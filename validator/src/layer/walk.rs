//! From a layer to its listing, in one pass.

use std::collections::BTreeMap;

use super::candidate::{Broken, Candidate, Field, Kind};
use super::check::{Checker, judge_hidden};
use super::entry::Entry;
use super::listing::write_line;
use super::path::{self, OPAQUE, WHITEOUT, is_root};
use crate::clause;
use crate::diagnostic::{Place, Violation};
use crate::digest::{Digest, Hasher};
use crate::limits::Limits;
use crate::shown::{quoted, shown_bytes};
use crate::tar::{self, Profile, Reader, Sink};

/// Walks a layer that comes in pieces.
///
/// ```
/// use cornercast::layer::Walker;
/// use cornercast::limits::Limits;
///
/// let mut walker = Walker::new(Limits::FORMAT);
/// walker.push(&[0; 1024]);
/// let walk = walker.finish();
/// assert_eq!(walk.violations[0].clause.id, "LAY-001");
/// ```
#[derive(Debug)]
pub struct Walker {
    reader: Reader,
    sink: LayerSink,
    violations: Vec<Violation>,
}

/// What a walk found.
#[derive(Debug)]
pub struct Walk {
    /// The entries, as far as they could be read.
    pub entries: Vec<Entry>,
    /// What is wrong, in the order of the layer.
    pub violations: Vec<Violation>,
    /// Digest of the layer's listing; meaningful if there are no violations.
    pub listing: Digest,
    /// Size of the layer's listing in bytes.
    pub listing_size: u64,
    /// Where the layer's listing and the one that was expected part.
    pub divergence: Option<Divergence>,
    /// The first bytes of the file that was asked for.
    pub head: Option<Vec<u8>>,
}

/// The first line in which two listings differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Where the line begins in the listing that was expected.
    pub offset: u64,
    /// The line that the layer has there, without newline; `None` after its last.
    pub layer: Option<String>,
    /// The line that was expected, without newline; `None` after its last.
    pub expected: Option<String>,
}

/// Violations of one layer that are kept.
const MAX_VIOLATIONS: usize = 10_000;

impl Walker {
    /// A walker at the first byte of a layer.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let sink = LayerSink {
            checker: Checker::new(limits.clone()),
            limits: limits.clone(),
            lines: 0,
            written: 0,
            line: Vec::new(),
            listing: Hasher::default(),
            expected: None,
            file: None,
            wanted: None,
            head: None,
            full: false,
        };
        Self { reader: Reader::new(Profile::Layer, limits), sink, violations: Vec::new() }
    }

    /// The same, comparing the layer's listing with `listing` as it goes.
    #[must_use]
    pub fn expecting(mut self, listing: Vec<u8>) -> Self {
        self.sink.expected = Some(Expected { listing, at: 0, divergence: None });
        self
    }

    /// The same, keeping the first bytes of the file `path` (MAN-017).
    #[must_use]
    pub fn keeping_head(mut self, path: String) -> Self {
        self.sink.wanted = Some(path);
        self
    }

    /// Takes the next bytes of the layer in.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.reader.gave_up() {
            return;
        }
        self.reader.push(bytes, &mut self.sink);
        let found = self.reader.take_violations();
        self.violations.extend(found);
        if self.violations.len() >= MAX_VIOLATIONS {
            self.violations.truncate(MAX_VIOLATIONS);
            self.reader.give_up();
        }
    }

    /// Whether nothing more will be read, so that the bytes that follow do not matter.
    #[must_use]
    pub fn gave_up(&self) -> bool {
        self.reader.gave_up()
    }

    /// The layer ends here.
    #[must_use]
    pub fn finish(mut self) -> Walk {
        self.reader.finish();
        self.violations.extend(self.reader.take_violations());
        let mut sink = self.sink;
        sink.write_lines(sink.checker.entries().len());
        let divergence = sink.expected.and_then(Expected::finish);
        Walk {
            entries: sink.checker.into_entries(),
            violations: self.violations,
            listing_size: sink.listing.size(),
            listing: sink.listing.finish(),
            divergence,
            head: sink.head,
        }
    }
}

#[derive(Debug)]
struct LayerSink {
    limits: Limits,
    checker: Checker,
    /// Entries that have a line in the listing.
    lines: u64,
    /// Entries whose line has been written.
    written: usize,
    line: Vec<u8>,
    listing: Hasher,
    expected: Option<Expected>,
    /// The hash of the file whose data is coming.
    file: Option<Hasher>,
    wanted: Option<String>,
    head: Option<Vec<u8>>,
    /// There are more entries than a layer can have.
    full: bool,
}

impl Sink for LayerSink {
    fn entry(&mut self, entry: tar::Entry, out: &mut Vec<Violation>) {
        self.file = None;
        if self.full {
            return;
        }
        let mut broken = Vec::new();
        let shown_path = shown_bytes(&entry.path);
        let kept = self.judge(&entry, &mut broken, out);
        out.extend(broken.into_iter().map(|broken| locate(broken, &entry, &shown_path)));
        if kept && entry.header.typeflag() == b'0' {
            self.file = Some(Hasher::default());
            let is_wanted = self
                .wanted
                .as_ref()
                .is_some_and(|wanted| self.checker.entries().last().is_some_and(|last| last.path == *wanted));
            self.head = if is_wanted { Some(Vec::new()) } else { self.head.take() };
        }
        // A directory's line waits for its opaque marker, a file's for its digest.
        self.write_lines(self.checker.entries().len().saturating_sub(1));
    }

    fn data(&mut self, bytes: &[u8]) {
        let Some(file) = &mut self.file else { return };
        file.update(bytes);
        let Some(head) = &mut self.head else { return };
        let is_wanted = self.checker.entries().last().map(|last| &last.path) == self.wanted.as_ref();
        let room = self.limits.interpreter_head.saturating_sub(head.len());
        if is_wanted && room > 0 {
            head.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        }
    }

    fn end_of_entry(&mut self, _: &mut Vec<Violation>) {
        if let Some(file) = self.file.take() {
            self.checker.set_sha256(file.finish());
        }
    }

    fn is_done(&self) -> bool {
        self.full
    }

    fn passed_over(&mut self) {
        self.file = None;
        self.checker.passed_over();
    }
}

impl LayerSink {
    /// Judges an entry; says whether the checker kept it.
    fn judge(&mut self, entry: &tar::Entry, broken: &mut Vec<Broken>, out: &mut Vec<Violation>) -> bool {
        let mut report = |clause, field, message: String| broken.push(Broken { clause, field, message });
        // LAY-036
        let Ok(written) = std::str::from_utf8(&entry.path) else {
            let message = format!("the path \"{}\" is not UTF-8", shown_bytes(&entry.path));
            report(&clause::LAY_036, Field::Path, message);
            self.passed_over();
            return false;
        };
        let typeflag = entry.header.typeflag();
        let root = is_root(written);
        // LAY-042
        if !root && written.ends_with('/') != (typeflag == b'5') {
            let what = if typeflag == b'5' { "the directory" } else { "the entry, which is no directory," };
            let does = if typeflag == b'5' { "does not end" } else { "ends" };
            report(&clause::LAY_042, Field::Path, format!("{what} {} {does} in `/`", quoted(written)));
        }
        let path = written.strip_suffix('/').unwrap_or(written);
        // What stands before the last component, with its `/`.
        let (directory, name) = path.split_at(path.rfind('/').map_or(0, |slash| slash + 1));
        if typeflag == b'0' && name == OPAQUE {
            self.judge_marker(entry, broken);
            self.judge_opaque(directory, broken);
            return false;
        }
        let mut candidate = match (typeflag, name.strip_prefix(WHITEOUT)) {
            (b'0', Some(hidden)) => {
                self.judge_marker(entry, broken);
                // LAY-065
                if let Some(message) = judge_hidden(hidden) {
                    broken.push(Broken { clause: &clause::LAY_065, field: Field::Path, message });
                    self.passed_over();
                    return false;
                }
                Candidate::new(Kind::Whiteout, format!("{directory}{hidden}"))
            }
            (b'0', None) => Candidate::new(Kind::File, path.to_owned()),
            (b'1', _) => Candidate::new(Kind::Hardlink, path.to_owned()),
            (b'2', _) => Candidate::new(Kind::Symlink, path.to_owned()),
            _ => Candidate::new(Kind::Dir, path.to_owned()),
        };
        // LAY-006
        self.lines += 1;
        if self.lines > self.limits.layer_lines {
            let message = format!("the layer has more than {} entries", self.limits.layer_lines);
            out.push(Violation::new(&clause::LAY_006, entry_place(entry), message));
            self.full = true;
            return false;
        }
        if candidate.kind != Kind::Whiteout {
            let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
            candidate.mode = number(entry.mode);
            candidate.uid = number(entry.uid);
            candidate.gid = number(entry.gid);
            candidate.mtime = number(entry.mtime);
            if typeflag == b'0' && entry.size <= self.limits.file {
                candidate.size = number(entry.size);
            }
            candidate.target.clone_from(&entry.target);
            // Of records with the same keyword the last one counts.
            let xattrs: BTreeMap<&[u8], &[u8]> = entry.xattrs().collect();
            candidate.xattrs = xattrs.into_iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        }
        self.checker.judge(candidate, broken)
    }

    /// The place of an opaque marker in `directory`, which ends in `/` or is the root.
    fn judge_opaque(&mut self, directory: &str, broken: &mut Vec<Broken>) {
        let mut report = |clause, message: String| broken.push(Broken { clause, field: Field::Path, message });
        let clear = match directory {
            "" => {
                // LAY-069
                report(&clause::LAY_069, "an opaque marker stands in the root".to_owned());
                return;
            }
            "/" => {
                // LAY-038
                report(&clause::LAY_038, format!("the path {} begins with `/`", quoted(&format!("/{OPAQUE}"))));
                false
            }
            _ => path::judge(directory.strip_suffix('/').unwrap_or(directory), &self.limits, report),
        };
        if clear {
            self.checker.judge_opaque_marker(directory.trim_end_matches('/'), broken);
        } else {
            self.passed_over();
        }
    }

    /// LAY-066
    fn judge_marker(&self, entry: &tar::Entry, broken: &mut Vec<Broken>) {
        for (field, name, value) in [
            (Field::Size, "size", entry.size),
            (Field::Mode, "mode", entry.mode),
            (Field::Uid, "uid", entry.uid),
            (Field::Gid, "gid", entry.gid),
            (Field::Mtime, "mtime", entry.mtime),
        ] {
            if value != 0 {
                let message = format!("the marker has the {name} {value}");
                broken.push(Broken { clause: &clause::LAY_066, field, message });
            }
        }
        if let Some((name, _)) = entry.xattrs().next() {
            let message = format!("the marker has the extended attribute `{}`", shown_bytes(name));
            broken.push(Broken { clause: &clause::LAY_066, field: Field::Xattr(name.to_vec()), message });
        }
    }

    /// Writes the lines of the entries up to `end`.
    fn write_lines(&mut self, end: usize) {
        for entry in self.checker.entries().get(self.written..end).unwrap_or_default() {
            self.line.clear();
            write_line(&mut self.line, &entry.path, &entry.node);
            self.listing.update(&self.line);
            if let Some(expected) = &mut self.expected {
                expected.compare(&self.line);
            }
        }
        self.written = self.written.max(end);
    }
}

/// A listing that the layer's is compared with.
#[derive(Debug)]
struct Expected {
    listing: Vec<u8>,
    at: usize,
    divergence: Option<Divergence>,
}

impl Expected {
    fn compare(&mut self, line: &[u8]) {
        if self.divergence.is_some() {
            return;
        }
        let rest = self.listing.get(self.at..).unwrap_or_default();
        if rest.starts_with(line) {
            self.at += line.len();
        } else {
            self.divergence = Some(Divergence {
                offset: self.at as u64,
                layer: Some(without_newline(line)),
                expected: (!rest.is_empty()).then(|| without_newline(rest)),
            });
        }
    }

    fn finish(self) -> Option<Divergence> {
        let rest = self.listing.get(self.at..).unwrap_or_default();
        if self.divergence.is_none() && !rest.is_empty() {
            let expected = Some(without_newline(rest));
            return Some(Divergence { offset: self.at as u64, layer: None, expected });
        }
        self.divergence
    }
}

/// The first line of `bytes`.
fn without_newline(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}

fn entry_place(entry: &tar::Entry) -> Place {
    let end = entry.header.offset() + tar::BLOCK as u64;
    Place::bytes(entry.start..end).entry(shown_bytes(&entry.path))
}

/// The violation of a broken clause, at the header field or record that holds the value.
fn locate(broken: Broken, entry: &tar::Entry, shown_path: &str) -> Violation {
    let place = entry.place_of(match &broken.field {
        Field::Path | Field::Sha256 => tar::Part::Path,
        Field::Mode => tar::Part::Mode,
        Field::Uid => tar::Part::Uid,
        Field::Gid => tar::Part::Gid,
        Field::Mtime => tar::Part::Mtime,
        Field::Size => tar::Part::Size,
        Field::Target => tar::Part::Target,
        Field::Xattr(name) => tar::Part::Xattr(name),
    });
    Violation::new(broken.clause, place.entry(shown_path), broken.message)
}
