//! The clauses that hold for the entries of a layer and for the lines of a listing alike.
//!
//! Memory beyond the entries themselves is for one path only, since the order is depth first.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use super::candidate::{Broken, Candidate, Field, Kind};
use super::entry::{Entry, Node};
use super::path::{self, WHITEOUT};
use crate::clause;
use crate::digest::Digest;
use crate::limits::Limits;
use crate::shown::{quoted, shown};

/// A directory on the path to the entry that is being judged.
#[derive(Debug, Default)]
struct Open {
    name: String,
    /// The name of the last entry in it that is no directory, and what that is.
    last_leaf: String,
    leaf_kind: Option<&'static str>,
    whiteouts: BTreeSet<String>,
    /// Whether it or a directory above is opaque.
    opaque: bool,
}

/// Whiteouts and other entries by path, once the order is broken.
type Index = HashMap<(bool, String), usize>;

/// Judges entries in their order and keeps them.
#[derive(Debug)]
pub(super) struct Checker {
    limits: Limits,
    entries: Vec<Entry>,
    /// Where each of them begins.
    starts: Vec<u64>,
    /// The directories from the root to the parent of the last entry, and that entry if it is one.
    open: Vec<Open>,
    /// The path of the last of them.
    open_path: String,
    /// Path and rank of the last entry.
    last: Option<(String, u8)>,
    /// An entry has been passed over, so that a missing one may not be missing.
    gaps: bool,
    /// All entries, once the order is broken and they cannot be searched by it.
    unordered: Option<Index>,
}

/// Ranks of siblings (LAY-047). Opaque markers never get here.
const RANK_WHITEOUT: u8 = 1;
const RANK_OTHER: u8 = 2;

impl Checker {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            entries: Vec::new(),
            starts: Vec::new(),
            open: vec![Open::default()],
            open_path: String::new(),
            last: None,
            gaps: false,
            unordered: None,
        }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// An entry by its number, and where it begins.
    pub(super) fn entry(&self, index: usize) -> Option<(&Entry, u64)> {
        Some((self.entries.get(index)?, *self.starts.get(index)?))
    }

    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// An entry could not be judged.
    pub(super) fn passed_over(&mut self) {
        self.gaps = true;
    }

    /// The digest of the file that was kept last.
    pub(super) fn set_sha256(&mut self, digest: Digest) {
        if let Some(Entry { node: Node::File { sha256, .. }, .. }) = self.entries.last_mut() {
            *sha256 = digest;
        }
    }

    /// Judges a candidate that begins at `start` and keeps the entry; says whether it was kept.
    pub(super) fn judge(&mut self, candidate: Candidate, start: u64, out: &mut Vec<Broken>) -> bool {
        let mut report = |clause, field, message| out.push(Broken::new(clause, field, message));
        // LAY-041
        if path::is_root(&candidate.path) {
            report(&clause::LAY_041, Field::Path, "the entry is the root directory itself".to_owned());
            self.passed_over();
            return false;
        }
        let clear = path::judge(&candidate.path, &self.limits, |clause, message| {
            report(clause, Field::Path, message);
        });
        let sound_target = candidate.judge_values(&self.limits, out);
        if !clear {
            self.passed_over();
            return false;
        }
        self.judge_order(&candidate, out);
        let is_link = candidate.kind == Kind::Hardlink && sound_target;
        let linked = if is_link { self.judge_hardlink(&candidate, out) } else { None };
        let entry = candidate.entry(linked);
        if let Some(index) = &mut self.unordered {
            index.entry((entry.node == Node::Whiteout, entry.path.clone())).or_insert(self.entries.len());
        }
        self.entries.push(entry);
        self.starts.push(start);
        true
    }

    /// LAY-046, LAY-047, LAY-048, LAY-067, LAY-068
    fn judge_order(&mut self, candidate: &Candidate, out: &mut Vec<Broken>) {
        let path = &candidate.path;
        let rank = if candidate.kind == Kind::Whiteout { RANK_WHITEOUT } else { RANK_OTHER };
        let order =
            self.last.as_ref().map_or(Ordering::Less, |(last, last_rank)| compare(last, *last_rank, path, rank));
        if order == Ordering::Greater {
            self.index_entries();
        }
        let is_whiteout = candidate.kind == Kind::Whiteout;
        let is_known =
            |whiteout| self.unordered.as_ref().is_some_and(|index| index.contains_key(&(whiteout, path.clone())));
        let (repeated, hidden) = (is_known(is_whiteout), is_known(!is_whiteout));
        if order == Ordering::Equal || repeated {
            let message = format!("the path {} stands twice", quoted(path));
            let broken = Broken::new(&clause::LAY_048, Field::Path, message);
            out.push(broken.and(self.find(path, rank), "it stands here first"));
        } else if order == Ordering::Greater {
            let last = self.last.as_ref().map_or("", |(last, _)| last);
            let message = format!("the path {} stands after {}, not before it", quoted(path), quoted(last));
            let broken = Broken::new(&clause::LAY_047, Field::Path, message);
            out.push(broken.and(self.entries.len().checked_sub(1), "the entry before it is here"));
        }
        let (directory, name) = path::split_last(path);
        if directory != self.open_path {
            self.open_parents(path, directory, order, out);
        }
        let is_hidden = |parent: &Open| !is_whiteout && parent.whiteouts.contains(name);
        let hidden = hidden || self.open.last().is_some_and(is_hidden);
        let other_rank = if is_whiteout { RANK_OTHER } else { RANK_WHITEOUT };
        let other = if hidden { self.find(path, other_rank) } else { None };
        let Some(parent) = self.open.last_mut() else { return };
        match candidate.kind {
            Kind::Whiteout => {
                if parent.opaque {
                    let message = format!("the whiteout of {} lies below an opaque directory", quoted(path));
                    out.push(Broken::new(&clause::LAY_068, Field::Path, message));
                }
                if hidden {
                    out.push(both(path).and(other, "the other one is here"));
                }
                parent.whiteouts.insert(name.to_owned());
            }
            kind => {
                if hidden {
                    out.push(both(path).and(other, "the other one is here"));
                }
                if kind == Kind::Dir {
                    if candidate.opaque && parent.opaque {
                        out.push(nested_opaque(path));
                    }
                    let opaque = parent.opaque || candidate.opaque;
                    self.open.push(Open { name: name.to_owned(), opaque, ..Open::default() });
                } else {
                    let what = match kind {
                        Kind::Symlink => "a symbolic link",
                        Kind::Hardlink => "a hard link",
                        _ => "a file",
                    };
                    name.clone_into(&mut parent.last_leaf);
                    parent.leaf_kind = Some(what);
                }
            }
        }
        if candidate.kind == Kind::Dir {
            path.clone_into(&mut self.open_path);
        }
        let (last, last_rank) = self.last.get_or_insert_default();
        path.clone_into(last);
        *last_rank = rank;
    }

    /// Goes up to the directory that the entry `path` and the last one have in common, then down (LAY-046).
    fn open_parents(&mut self, path: &str, directory: &str, order: Ordering, out: &mut Vec<Broken>) {
        let parents = || directory.split('/').filter(|component| !component.is_empty());
        let common = self.open.iter().skip(1).zip(parents()).take_while(|(open, name)| open.name == *name).count();
        self.open.truncate(common + 1);
        for missing in parents().skip(common) {
            let parent = self.open.last();
            let leaf = parent.and_then(|parent| Some((&parent.last_leaf, parent.leaf_kind?)));
            let leaf = leaf.filter(|(leaf, _)| *leaf == missing);
            if order != Ordering::Greater && (leaf.is_some() || !self.gaps) {
                let message = match leaf {
                    Some((leaf, kind)) => {
                        format!("the parent {} of {} is {kind}, not a directory", quoted(leaf), quoted(path))
                    }
                    None => {
                        format!(
                            "the parent directory {} of {} has no entry before it in this layer",
                            quoted(directory),
                            quoted(path)
                        )
                    }
                };
                // One is enough for everything below that directory.
                if parent.is_some() && out.last().is_none_or(|broken| broken.clause != &clause::LAY_046) {
                    out.push(Broken::new(&clause::LAY_046, Field::Path, message));
                }
            }
            let opaque = parent.is_some_and(|parent| parent.opaque);
            self.open.push(Open { name: missing.to_owned(), opaque, ..Open::default() });
        }
        directory.clone_into(&mut self.open_path);
    }

    /// An opaque marker in the directory `directory`; its path is the clear path of an entry.
    pub(super) fn judge_opaque_marker(&mut self, directory: &str, out: &mut Vec<Broken>) {
        let mut report = |clause, message| out.push(Broken::new(clause, Field::Path, message));
        let is_last = self.entries.last().is_some_and(|last| last.path == directory);
        if let (true, Some(Entry { node: Node::Dir { opaque, .. }, .. })) = (is_last, self.entries.last_mut()) {
            if *opaque {
                report(&clause::LAY_048, format!("the opaque marker of {} stands twice", quoted(directory)));
                return;
            }
            *opaque = true;
            let above = self.open.len().checked_sub(2).and_then(|above| self.open.get(above));
            if above.is_some_and(|above| above.opaque) {
                out.push(nested_opaque(directory));
            }
            if let Some(open) = self.open.last_mut() {
                open.opaque = true;
            }
            return;
        }
        let known = self.open.iter().skip(1).map(|open| open.name.as_str()).collect::<Vec<_>>().join("/");
        let inside = known == directory || known.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
        let earlier = matches!(self.found(directory), Some((_, Entry { node: Node::Dir { .. }, .. })));
        if inside || earlier {
            report(
                &clause::LAY_047,
                format!("the opaque marker of {} is not the first entry in it", quoted(directory)),
            );
        } else if !self.gaps {
            report(
                &clause::LAY_046,
                format!(
                    "the parent directory {} of an opaque marker has no entry before it in this layer",
                    quoted(directory)
                ),
            );
        }
    }

    /// LAY-053 to LAY-055, LST-013. Size and digest of the file that is linked to.
    fn judge_hardlink(&self, candidate: &Candidate, out: &mut Vec<Broken>) -> Option<(u64, Digest)> {
        let target = candidate.target();
        let found = self.found(&target);
        let other = found.map(|(index, _)| index);
        let Some((_, Entry { node: Node::File { attributes, size, sha256 }, .. })) = found else {
            if !self.gaps || found.is_some() {
                let what = match found {
                    Some((_, entry)) => format!("is {}", entry.node.type_name()),
                    None => "is no earlier entry of this layer".to_owned(),
                };
                let message = format!("the target {} of the hard link {what}", quoted(&target));
                out.push(Broken::new(&clause::LAY_053, Field::Target, message).and(other, "the target is here"));
            }
            return None;
        };
        let mine = candidate.attributes();
        for (name, field, mine, theirs) in [
            ("mode", Field::Mode, u64::from(mine.mode), u64::from(attributes.mode)),
            ("uid", Field::Uid, u64::from(mine.uid), u64::from(attributes.uid)),
            ("gid", Field::Gid, u64::from(mine.gid), u64::from(attributes.gid)),
            ("mtime", Field::Mtime, mine.mtime, attributes.mtime),
        ] {
            if mine != theirs {
                let (mine, theirs) = if name == "mode" {
                    (format!("0{mine:03o}"), format!("0{theirs:03o}"))
                } else {
                    (mine.to_string(), theirs.to_string())
                };
                let message =
                    format!("the hard link has the {name} {mine}, and its file {} has {theirs}", quoted(&target));
                out.push(Broken::new(&clause::LAY_054, field, message).and(other, "its file is here"));
            }
        }
        if mine.xattrs != attributes.xattrs {
            let message = format!("the hard link has other extended attributes than its file {}", quoted(&target));
            out.push(Broken::new(&clause::LAY_055, Field::Path, message).and(other, "its file is here"));
        }
        if let Some(digest) = candidate.sha256 {
            if u64::try_from(candidate.size) != Ok(*size) {
                let message = format!(
                    "the hard link has the size {}, and its file {} has {size}",
                    candidate.size,
                    quoted(&target)
                );
                out.push(Broken::new(&clause::LST_013, Field::Size, message).and(other, "its file is here"));
            }
            if digest != *sha256 {
                let message = format!("the hard link has another sha256 than its file {}", quoted(&target));
                out.push(Broken::new(&clause::LST_013, Field::Sha256, message).and(other, "its file is here"));
            }
        }
        Some((*size, *sha256))
    }

    /// The entry with the path `path` that is no whiteout, and its number.
    fn found(&self, path: &str) -> Option<(usize, &Entry)> {
        let index = self.find(path, RANK_OTHER)?;
        Some((index, self.entries.get(index)?))
    }

    /// The number of the entry with the path `path` and that rank.
    fn find(&self, path: &str, rank: u8) -> Option<usize> {
        if let Some(index) = &self.unordered {
            return index.get(&(rank == RANK_WHITEOUT, path.to_owned())).copied();
        }
        let found = self.entries.binary_search_by(|entry| {
            let own = if entry.node == Node::Whiteout { RANK_WHITEOUT } else { RANK_OTHER };
            compare(&entry.path, own, path, rank)
        });
        found.ok()
    }

    /// From here on entries are found by name, since they cannot be found by order.
    fn index_entries(&mut self) {
        let entries = &self.entries;
        self.unordered.get_or_insert_with(|| {
            let mut index = Index::new();
            for (at, entry) in entries.iter().enumerate() {
                index.entry((entry.node == Node::Whiteout, entry.path.clone())).or_insert(at);
            }
            index
        });
    }
}

fn both(path: &str) -> Broken {
    let message = format!("the layer has a whiteout of {} and an entry with that path", quoted(path));
    Broken::new(&clause::LAY_067, Field::Path, message)
}

fn nested_opaque(path: &str) -> Broken {
    let message = format!("the opaque directory {} lies below another opaque one", quoted(path));
    Broken::new(&clause::LAY_068, Field::Path, message)
}

/// The order of entries (LAY-047): components as bytes, the last one by its rank first.
fn compare(a: &str, a_rank: u8, b: &str, b_rank: u8) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let common = a.get(..same).unwrap_or_default();
    let start = common.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    // The first component in which they can differ, its rank, and whether it is the last one.
    let component = |path: &[u8], rank: u8| -> (u8, usize, bool) {
        let rest = path.get(start..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'/');
        (if end.is_some() { RANK_OTHER } else { rank }, start + end.unwrap_or(rest.len()), end.is_none())
    };
    let (a_rank, a_end, a_last) = component(a, a_rank);
    let (b_rank, b_end, b_last) = component(b, b_rank);
    let by_bytes = || a.get(start..a_end).cmp(&b.get(start..b_end));
    a_rank.cmp(&b_rank).then_with(by_bytes).then_with(|| b_last.cmp(&a_last))
}

/// Why the name that a whiteout hides is none that a path can have (LAY-065).
pub(super) fn judge_hidden(name: &str) -> Option<String> {
    let bad = name.is_empty() || matches!(name, "." | "..") || name.starts_with(WHITEOUT);
    bad.then(|| format!("the whiteout `.wh.{}` hides {}, which no entry can be called", shown(name), quoted(name)))
}
