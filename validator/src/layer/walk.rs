//! From a layer to its listing, in one pass.

use std::collections::BTreeMap;

use super::candidate::{Broken, Candidate, Field, Kind};
use super::check::{Checker, judge_hidden};
use super::entry::Entry;
use super::interpreter::{Heads, Interpreters};
use super::line::write_line;
use super::path::{self, OPAQUE, WHITEOUT, is_root};
use crate::clause;
use crate::diagnostic::{Place, Violation};
use crate::digest::{Digest, Hasher};
use crate::limits::Limits;
use crate::shown::{quoted, shown, shown_bytes};
use crate::tar::{self, Profile, Reader, Sink};

/// Walks a layer that comes in pieces.
///
/// ```
/// use cornercast::layer::Walker;
/// use cornercast::limits::Limits;
///
/// let mut walker = Walker::new(Limits::FORMAT);
/// walker.push(&[0; 1024]);
/// let (walk, _) = walker.finish();
/// assert_eq!(walk.violations[0].clause.id, "LAY-001");
/// ```
///
/// Whoever wants the contents of the files, too, gives what takes them ([`Walker::with_contents`]).
#[derive(Debug)]
pub struct Walker<C = ()> {
    reader: Reader,
    sink: LayerSink<C>,
    violations: Vec<Violation>,
}

/// Takes the contents of a layer's files while it is walked. Nothing is known of the layer as a whole then:
/// only at its end is it clear whether it is the one that is meant, and valid.
pub trait Contents {
    /// A file begins: its number among the entries of the layer, counted from 0, and the entry, whose digest
    /// is not known yet. The one before it ends here, if nothing said so.
    fn begin(&mut self, number: usize, entry: &Entry);

    /// The next bytes of that file.
    fn data(&mut self, bytes: &[u8]);

    /// The file has ended, and this is the digest of its bytes.
    fn end(&mut self, sha256: Digest);
}

/// Nobody wants the contents.
impl Contents for () {
    fn begin(&mut self, _: usize, _: &Entry) {}

    fn data(&mut self, _: &[u8]) {}

    fn end(&mut self, _: Digest) {}
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
    /// The interpreters that the files name.
    pub interpreters: Interpreters,
}

/// Violations of one layer that are kept.
const MAX_VIOLATIONS: usize = 10_000;

impl Walker {
    /// A walker at the first byte of a layer.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self::with_contents(limits, ())
    }
}

impl<C: Contents> Walker<C> {
    /// The same, with what takes the contents of the files.
    #[must_use]
    pub fn with_contents(limits: Limits, contents: C) -> Self {
        let sink = LayerSink {
            checker: Checker::new(limits.clone()),
            limits: limits.clone(),
            count: 0,
            written: 0,
            lines: Vec::new(),
            listing: Hasher::default(),
            leaves_digest: false,
            file: None,
            heads: Heads::default(),
            full: false,
            contents,
        };
        Self { reader: Reader::new(Profile::Layer, limits), sink, violations: Vec::new() }
    }

    /// The same, leaving the digest of the listing to the caller, who has the [`lines`](Self::lines): that
    /// of the [`Walk`] is then the one of no line.
    #[must_use]
    pub fn without_digest(mut self) -> Self {
        self.sink.leaves_digest = true;
        self
    }

    /// Takes the next bytes of the layer in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.sink.hash_lines();
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

    /// The lines of the layer's listing that the bytes of the last [`push`](Self::push) completed.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        &self.sink.lines
    }

    /// What takes the contents.
    pub fn contents(&mut self) -> &mut C {
        &mut self.sink.contents
    }

    /// The layer ends here: what was found, and the lines that this completed.
    #[must_use]
    pub fn finish(mut self) -> (Walk, Vec<u8>) {
        self.sink.hash_lines();
        self.reader.finish();
        self.violations.extend(self.reader.take_violations());
        let mut sink = self.sink;
        sink.write_lines(sink.checker.entries().len());
        let lines = sink.lines.clone();
        sink.hash_lines();
        let walk = Walk {
            entries: sink.checker.into_entries(),
            violations: self.violations,
            listing_size: sink.listing.size(),
            listing: sink.listing.finish(),
            interpreters: sink.heads.finish(),
        };
        (walk, lines)
    }

    /// Whether nothing more will be read, so that the bytes that follow do not matter.
    #[must_use]
    pub fn gave_up(&self) -> bool {
        self.reader.gave_up()
    }
}

#[derive(Debug)]
struct LayerSink<C> {
    limits: Limits,
    checker: Checker,
    /// Entries that have a line in the listing.
    count: u64,
    /// Entries whose line has been written.
    written: usize,
    /// Lines that have been written, but not hashed.
    lines: Vec<u8>,
    listing: Hasher,
    leaves_digest: bool,
    /// The hash of the file whose data is coming.
    file: Option<Hasher>,
    heads: Heads,
    /// There are more entries than a layer can have.
    full: bool,
    contents: C,
}

impl<C: Contents> Sink for LayerSink<C> {
    fn entry(&mut self, entry: &tar::Entry, out: &mut Vec<Violation>) {
        self.file = None;
        if self.full {
            return;
        }
        let mut broken = Vec::new();
        let kept = self.judge(entry, &mut broken, out);
        if !broken.is_empty() {
            let shown_path = shown_bytes(&entry.path);
            let checker = &self.checker;
            out.extend(broken.into_iter().map(|broken| locate(broken, entry, &shown_path, checker)));
        }
        if kept && entry.header.typeflag() == b'0' {
            self.file = Some(Hasher::default());
            self.heads.begin();
            let number = self.checker.entries().len().saturating_sub(1);
            if let Some(entry) = self.checker.entries().get(number) {
                self.contents.begin(number, entry);
            }
        }
        // A directory's line waits for its opaque marker, a file's for its digest.
        self.write_lines(self.checker.entries().len().saturating_sub(1));
    }

    fn data(&mut self, bytes: &[u8]) {
        let Some(file) = &mut self.file else { return };
        file.update(bytes);
        self.contents.data(bytes);
        self.heads.data(bytes, self.limits.interpreter_head);
    }

    fn end_of_entry(&mut self, _: &mut Vec<Violation>) {
        if let Some(file) = self.file.take() {
            let sha256 = file.finish();
            self.checker.set_sha256(sha256);
            self.contents.end(sha256);
            self.heads.end(self.checker.entries().len().saturating_sub(1));
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

impl<C: Contents> LayerSink<C> {
    /// Judges an entry; says whether the checker kept it.
    fn judge(&mut self, entry: &tar::Entry, broken: &mut Vec<Broken>, out: &mut Vec<Violation>) -> bool {
        let mut report = |clause, field, message: String| broken.push(Broken::new(clause, field, message));
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
            let what = if typeflag == b'5' { "the directory" } else { "the entry" };
            let does = if typeflag == b'5' { "does not end" } else { "is no directory, but ends" };
            report(&clause::LAY_042, Field::Path, format!("{what} {} {does} in `/`", quoted(written)));
        }
        let path = written.strip_suffix('/').unwrap_or(written);
        // What stands before the last component, with its `/`.
        let name = path::split_last(path).1;
        let directory = path.strip_suffix(name).unwrap_or_default();
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
                    broken.push(Broken::new(&clause::LAY_065, Field::Path, message));
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
        self.count += 1;
        if self.count > self.limits.layer_lines {
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
        self.checker.judge(candidate, entry.header.offset(), broken)
    }

    /// The place of an opaque marker in `directory`, which ends in `/` or is the root.
    fn judge_opaque(&mut self, directory: &str, broken: &mut Vec<Broken>) {
        let mut report = |clause, message: String| broken.push(Broken::new(clause, Field::Path, message));
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
                let shown = if field == Field::Mode { format!("0{value:03o}") } else { value.to_string() };
                let message = format!("the marker has the {name} {shown}, not 0");
                broken.push(Broken::new(&clause::LAY_066, field, message));
            }
        }
        if let Some((name, _)) = entry.xattrs().next() {
            let message = format!("the marker has the extended attribute `{}`", shown_bytes(name));
            broken.push(Broken::new(&clause::LAY_066, Field::Xattr(name.to_vec()), message));
        }
    }

    /// Writes the lines of the entries up to `end`.
    fn write_lines(&mut self, end: usize) {
        for entry in self.checker.entries().get(self.written..end).unwrap_or_default() {
            write_line(&mut self.lines, &entry.path, &entry.node);
        }
        self.written = self.written.max(end);
    }

    fn hash_lines(&mut self) {
        if !self.leaves_digest {
            self.listing.update(&self.lines);
        }
        self.lines.clear();
    }
}

fn entry_place(entry: &tar::Entry) -> Place {
    let end = entry.header.offset() + tar::BLOCK as u64;
    Place::bytes(entry.start..end).entry(shown_bytes(&entry.path))
}

/// The violation of a broken clause, at the header field or record that holds the value.
fn locate(broken: Broken, entry: &tar::Entry, shown_path: &str, checker: &Checker) -> Violation {
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
    let violation = Violation::new(broken.clause, place.entry(shown_path), broken.message);
    match broken.other.and_then(|(index, what)| Some((checker.entry(index)?, what))) {
        Some(((entry, start), what)) => {
            violation.and(Place::bytes(start..start + tar::BLOCK as u64).entry(shown(&entry.path)), what)
        }
        None => violation,
    }
}
