//! The entries of a layer of others, and what they say together (OCI-067 to OCI-080).

use std::io::{self, Read};
use std::sync::Arc;

use super::entry::{Entry, Sink};
use super::header::{BLOCK, Type};
use super::keep::{KeepLayer, Splitter};
use super::path::{self, Clean, clean, depth_first, is_below, leads_out};
use super::stored::{Stored, is_damage};
use super::tar::Reader;
use super::violations::Violations;
use crate::clause::{self, Clause};
use crate::diagnostic::{Findings, Place, Violation};
use crate::limits::Limits;
use crate::shown::shown_bytes;

/// What an entry does at its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Directory,
    File {
        mode: u32,
        content: Content,
    },
    Symlink(Box<[u8]>),
    /// To a clean path; `None` if that would lead above the root.
    Hardlink(Option<Box<[u8]>>),
    Special,
    /// Removes what the layers below have at this path.
    Whiteout(Box<[u8]>),
    /// Removes what they have in the directory.
    Opaque,
}

/// What is kept of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Content {
    #[default]
    Unread,
    Read(Arc<[u8]>),
    TooLong,
}

/// An entry of a layer.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) path: Box<[u8]>,
    pub(super) change: Change,
    /// Where its header begins.
    pub(super) start: u64,
    /// It stands below something that is no directory, in the same layer.
    pub(super) is_blocked: bool,
}

impl Item {
    pub(super) fn place(&self) -> Place {
        Place::bytes(self.start..self.start + BLOCK as u64).entry(shown_bytes(&self.path))
    }

    /// Whether it only removes something.
    pub(super) fn is_marker(&self) -> bool {
        matches!(self.change, Change::Whiteout(_) | Change::Opaque)
    }
}

/// The files whose content is kept.
const KEPT: [&[u8]; 2] = [b"etc/passwd", b"etc/group"];

/// Reads a layer.
pub(super) struct Walker<'a> {
    reader: Reader,
    collector: Collector<'a>,
}

/// A layer that has been read.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// The entries, in the order of the archive.
    pub(super) items: Vec<Item>,
    /// Their numbers, in depth-first order of their paths; of equal paths, in the order of the archive.
    pub(super) order: Vec<usize>,
    /// All entries are there.
    pub(super) complete: bool,
}

struct Collector<'a> {
    items: Vec<Item>,
    /// The content of the last entry, if it is kept.
    content: Option<Vec<u8>>,
    most_content: u64,
    /// Who wants the layer as well.
    kept: Option<Splitter<'a>>,
}

impl<'a> Walker<'a> {
    pub(super) fn new(limits: &Limits) -> Self {
        let collector = Collector { items: Vec::new(), content: None, most_content: limits.oci_passwd, kept: None };
        Self { reader: Reader::new(limits), collector }
    }

    /// Gives what is pushed to `to` as well.
    pub(super) fn keep(&mut self, to: Box<dyn KeepLayer + 'a>) {
        self.collector.kept = Some(Splitter::new(to));
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.reader.push(bytes, &mut self.collector);
        if let Some(kept) = &mut self.collector.kept {
            kept.piece(bytes);
        }
    }

    /// The layer, and what is wrong with it by itself; `alone` if no tree is known that it is applied to.
    pub(super) fn finish(mut self, alone: bool) -> (Layer, Vec<Violation>) {
        self.collector.keep();
        let (mut violations, complete) = self.reader.finish();
        let items = self.collector.items;
        let mut order: Vec<usize> = (0..items.len()).collect();
        let at = |index: &usize| items.get(*index).map_or(&[][..], |item| &item.path);
        order.sort_by(|a, b| depth_first(at(a), at(b)).then(a.cmp(b)));
        let mut layer = Layer { items, order, complete };
        layer.judge_paths(&mut violations);
        if alone && complete {
            layer.judge_links(&|_| None, &mut violations);
        }
        (layer, violations.into_sorted())
    }
}

impl Sink for Collector<'_> {
    fn entry(&mut self, entry: &Entry<'_>, out: &mut Violations) -> bool {
        self.keep();
        let place = Place::bytes(entry.start..entry.start + BLOCK as u64).entry(shown_bytes(entry.path));
        let mut report = |clause: &'static Clause, message: String| {
            out.add(Violation::new(clause, place.clone(), message));
        };
        // OCI-067, OCI-068
        let Some(Clean { path, is_odd }) = clean(entry.path) else {
            report(&clause::OCI_067, "the path leads above the root".to_owned());
            return false;
        };
        if is_odd {
            let what = if entry.path.starts_with(b"/") { "is absolute" } else { "has `..`" };
            report(&clause::OCI_068, format!("the path {what}"));
        }
        // OCI-069
        if path.is_empty() && entry.kind != Type::Directory {
            report(&clause::OCI_069, "the root is no directory".to_owned());
            return false;
        }
        let directory = path::parent(&path).unwrap_or_default();
        let name = path::name(&path);
        let hidden = name.strip_prefix(b".wh.");
        // OCI-077
        if let Some(hidden @ (b"" | b"." | b"..")) = hidden {
            let message = format!("the whiteout hides \"{}\", which is no name", shown_bytes(hidden));
            report(&clause::OCI_077, message);
            return false;
        }
        // OCI-078
        if directory.split(|byte| *byte == b'/').any(|component| component.starts_with(b".wh.")) {
            report(&clause::OCI_078, "a directory in the path is called like a whiteout".to_owned());
            return false;
        }
        let change = if let Some(hidden) = hidden {
            if hidden.starts_with(b".wh.") && hidden != b".wh..opq" {
                let message = format!("\"{}\" means nothing to most engines", shown_bytes(name));
                report(&clause::OCI_078, message);
                return false;
            }
            // OCI-079
            if entry.kind != Type::File || entry.size > 0 {
                let what = if entry.kind == Type::File { "is not empty" } else { "is no file" };
                report(&clause::OCI_079, format!("the whiteout {what}"));
            }
            if hidden == b".wh..opq" { Change::Opaque } else { Change::Whiteout(path::join(directory, hidden).into()) }
        } else {
            match entry.kind {
                Type::Directory => Change::Directory,
                Type::Symlink => Change::Symlink(entry.target.into()),
                Type::Hardlink => {
                    let target = clean(entry.target).map(|target| target.path.into_boxed_slice());
                    // OCI-076
                    if target.is_none() {
                        let message = format!("the target \"{}\" leads above the root", shown_bytes(entry.target));
                        report(&clause::OCI_076, message);
                    }
                    Change::Hardlink(target)
                }
                Type::File => Change::File { mode: entry.mode, content: self.begin(&path, entry.size) },
                _ => Change::Special,
            }
        };
        self.items.push(Item { path: path.into(), change, start: entry.start, is_blocked: false });
        if let Some(kept) = &mut self.kept {
            kept.entry(entry);
        }
        true
    }

    fn data(&mut self, bytes: &[u8]) {
        if let Some(content) = &mut self.content {
            content.extend_from_slice(bytes);
        }
        if let Some(kept) = &mut self.kept {
            kept.data(bytes);
        }
    }
}

impl Collector<'_> {
    /// Begins to keep the content of a file, if it is one that is needed.
    fn begin(&mut self, path: &[u8], size: u64) -> Content {
        if !KEPT.contains(&path) {
            return Content::Unread;
        }
        if size > self.most_content {
            return Content::TooLong;
        }
        self.content = Some(Vec::new());
        Content::Unread
    }

    /// Puts the content of the last file to it.
    fn keep(&mut self) {
        let Some(bytes) = self.content.take() else { return };
        if let Some(Item { change: Change::File { content, .. }, .. }) = self.items.last_mut() {
            *content = Content::Read(bytes.into());
        }
    }
}

impl Layer {
    /// The last entry at `path`, and its number.
    pub(super) fn get(&self, path: &[u8]) -> Option<(usize, &Item)> {
        let at = |index: &usize| self.items.get(*index).map_or(&[][..], |item| &item.path);
        let end = self.order.partition_point(|index| depth_first(at(index), path).is_le());
        let index = *self.order.get(end.checked_sub(1)?)?;
        self.items.get(index).filter(|item| *item.path == *path).map(|item| (index, item))
    }

    /// OCI-070 to OCI-073, as far as one layer shows it.
    fn judge_paths(&mut self, out: &mut Violations) {
        // The entries that lead to the current one, each the last at its path.
        let mut above: Vec<usize> = Vec::new();
        let mut blocked = Vec::new();
        for (at, index) in self.order.iter().enumerate() {
            let Some(item) = self.items.get(*index) else { continue };
            let before = at.checked_sub(1).and_then(|at| self.order.get(at)).and_then(|index| self.items.get(*index));
            // OCI-070
            if let Some(first) = before.filter(|before| before.path == item.path) {
                let violation = Violation::new(&clause::OCI_070, item.place(), "the path has been there before");
                out.add(violation.and(first.place(), "the one before is here"));
            }
            while above
                .last()
                .and_then(|last| self.items.get(*last))
                .is_some_and(|last| !is_below(&item.path, &last.path))
            {
                above.pop();
            }
            let barrier =
                above.iter().filter_map(|index| self.items.get(*index)).find(|item| item.change != Change::Directory);
            if let Some(barrier) = barrier {
                let (clause, what) = match &barrier.change {
                    // OCI-072, OCI-073
                    Change::Symlink(target) if leads_out(&barrier.path, target) => {
                        (&clause::OCI_072, format!("a symbolic link to \"{}\"", shown_bytes(target)))
                    }
                    Change::Symlink(target) => {
                        (&clause::OCI_073, format!("a symbolic link to \"{}\"", shown_bytes(target)))
                    }
                    // OCI-071
                    _ => (&clause::OCI_071, "no directory".to_owned()),
                };
                let message = format!("the entry stands below \"{}\", which is {what}", shown_bytes(&barrier.path));
                out.add(
                    Violation::new(clause, item.place(), message).and(barrier.place(), "this is the entry above it"),
                );
                blocked.push(*index);
            }
            if !item.is_marker() {
                above.push(*index);
            }
        }
        for index in blocked {
            if let Some(item) = self.items.get_mut(index) {
                item.is_blocked = true;
            }
        }
    }

    /// OCI-074, OCI-075: hard links. `below` says what the tree below has at a path: whether it is a directory, or
    /// nothing if that is not known.
    pub(super) fn judge_links(&self, below: &dyn Fn(&[u8]) -> Option<Below>, out: &mut Violations) {
        for (index, item) in self.items.iter().enumerate() {
            let Change::Hardlink(Some(target)) = &item.change else { continue };
            let shown = shown_bytes(target);
            let own = self.get(target).filter(|(_, other)| !other.is_marker());
            let mut report = |clause, message: String| out.add(Violation::new(clause, item.place(), message));
            match (own, below(target)) {
                _ if *target == item.path => report(&clause::OCI_074, "the hard link leads to itself".to_owned()),
                _ if target.is_empty() => report(&clause::OCI_074, "the hard link leads to the root".to_owned()),
                (Some((_, other)), _) if other.change == Change::Directory => {
                    report(&clause::OCI_074, format!("the hard link leads to the directory \"{shown}\""));
                }
                (Some((at, _)), _) if at < index => {}
                (Some(_), _) => report(&clause::OCI_075, format!("\"{shown}\" stands after the hard link to it")),
                (None, Some(Below::Nothing)) => {
                    report(&clause::OCI_074, format!("the hard link leads to \"{shown}\", which is not there"));
                }
                (None, Some(Below::Directory)) => {
                    report(&clause::OCI_074, format!("the hard link leads to the directory \"{shown}\""));
                }
                (None, Some(Below::Other) | None) => {
                    report(&clause::OCI_075, format!("the hard link leads to \"{shown}\", which another layer has"));
                }
            }
        }
    }
}

/// Checks a layer alone, compressed as it looks, and adds what is wrong to `findings`.
///
/// # Errors
///
/// Errors of `input`, which leave the check incomplete.
pub fn check_layer(input: &mut (dyn Read + Send), limits: &Limits, findings: &mut Findings) -> io::Result<()> {
    let mut stored = Stored::open(Box::new(input), "", None, limits)?;
    let mut walker = Walker::new(limits);
    let mut buffer = vec![0; CHUNK];
    loop {
        match stored.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => walker.push(buffer.get(..read).unwrap_or_default()),
            Err(error) => return Err(error),
        }
    }
    let (_, violations) = stored.verdict();
    let whole = !violations.iter().any(is_damage);
    findings.extend(violations);
    if whole {
        findings.extend(walker.finish(true).1);
    }
    Ok(())
}

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// What the tree below a layer has at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Below {
    Nothing,
    Directory,
    Other,
}
