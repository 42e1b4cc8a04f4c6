//! A check of a whole archive in one pass.

mod checker;
mod digests;
mod images;
mod listings;
mod named;
mod reading;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

pub use self::checker::ArchiveChecker;
use self::listings::{Listing, Source, Walked, Walking};
use self::named::{Kind, Named, Role};
pub use self::reading::{check_archive, check_archive_to};
use self::verdicts::{Verdict, Waiting};
use super::extent::Extent;
use super::image::{Manifests, WalkFacts, judge_blob, judge_content, with_descriptor};
use super::layout::{FileKind, SignatureSet, classify};
use super::order::{Position, position_of};
use super::signatures::{Folder, check_index, check_marker};
use super::trusted;
use crate::clause::{self, Clause};
use crate::diagnostic::{Place, Violation};
use crate::digest::{Digest, Hasher};
use crate::layer::Tree;
use crate::limits::Limits;
use crate::manifest::{self, Layer};
use crate::shown::shown_bytes;
use crate::tar::{self, Part, Sink};

/// What is done with the data of the entry that is being read.
enum Current {
    Nothing,
    /// A document that is read whole, if it is not too long.
    Document(FileKind, Vec<u8>),
    /// The size that its descriptor gives, and what has come.
    Listing(Digest, u64, Source),
    Layer(Layer, Box<Walking>),
    /// A blob that is hashed only, elsewhere; the size that a descriptor gives, if one is known.
    Blob(Digest, Option<u64>),
}

/// How far the current image's listings have been merged.
struct Progress {
    tree: Tree,
    next: usize,
}

struct ArchiveSink {
    limits: Limits,
    extent: Extent,
    /// Where the current entry begins, and its path.
    start: u64,
    path: String,
    current: Current,
    hasher: Hasher,
    first: bool,
    not_an_archive: bool,
    seen: BTreeSet<String>,
    last: Option<Position>,
    manifests: Manifests,
    current_image: Option<Digest>,
    progress: Option<Progress>,
    listings: HashMap<Digest, Listing>,
    /// The listing that came last, while it has not been looked into.
    unread: Option<Digest>,
    walks: HashMap<Digest, WalkFacts>,
    named: Named,
    /// What `exec` resolved to when the layer came: the layer, and the number of the entry in it (MAN-017).
    programs: HashSet<(Digest, usize)>,
    folders: BTreeMap<(SignatureSet, Digest), Folder>,
    /// Verdicts that wait for digests, each with the number of violations before it among those of this time.
    later: Vec<(usize, Verdict)>,
    /// No manifest read so far has a violation.
    all_clean: bool,
    /// Nothing more is read.
    stopped: bool,
}

impl Sink for ArchiveSink {
    fn entry(&mut self, entry: &tar::Entry, out: &mut Vec<Violation>) {
        self.current = Current::Nothing;
        self.hasher = Hasher::default();
        let place =
            Place::bytes(entry.start..entry.header.offset() + tar::BLOCK as u64).entry(shown_bytes(&entry.path));
        let first = std::mem::replace(&mut self.first, false);
        // STO-025
        if first && entry.path != b"cornercast" {
            let message = format!("the first entry is \"{}\", not `cornercast`", shown_bytes(&entry.path));
            out.push(Violation::new(&clause::STO_025, place, message));
            self.not_an_archive = true;
            return;
        }
        if !self.is_layer_of_unread(&entry.path) {
            self.read_unread(out);
        }
        if !judge_attributes(entry, out) {
            return;
        }
        let mut report = |clause: &'static Clause, message: String| {
            out.push(Violation::new(clause, entry.place_of(Part::Path).entry(shown_bytes(&entry.path)), message));
        };
        // STO-028; a path that is not UTF-8 has replacement characters here, which the layout gives nowhere.
        let path = String::from_utf8_lossy(&entry.path);
        let kind = match classify(&path, &self.limits) {
            Ok(FileKind::Packed(_) | FileKind::Torrent(_)) => {
                report(&clause::STO_028, "a compressed blob or torrent stands in stores only".to_owned());
                return;
            }
            Ok(kind) => kind,
            Err(Some((clause, message))) => {
                report(clause, message);
                return;
            }
            Err(None) => {
                report(&clause::STO_028, "no file of an archive has this path".to_owned());
                return;
            }
        };
        // STO-030
        if !self.seen.insert(path.clone().into_owned()) {
            report(&clause::STO_030, format!("the path \"{}\" stands twice", shown_bytes(&entry.path)));
            return;
        }
        self.start = entry.start;
        self.path = path.into_owned();
        if let FileKind::Manifest(id) = &kind {
            self.end_image(out);
            self.current_image = Some(*id);
        }
        self.judge_position(&kind, place, out);
        self.current = match kind {
            FileKind::Blob(digest) => {
                self.named.comes(digest, entry.size);
                match self.named.role(digest) {
                    // NAM-028: what is longer than its descriptor says is not read.
                    Some(Role { size, .. }) if entry.size > size => {
                        out.extend(self.judge_blob(&self.path, (digest, size), (entry.size, digest)));
                        self.stopped = true;
                        Current::Nothing
                    }
                    role => self.begin(digest, role),
                }
            }
            // Compressed blobs and torrents stand in no archive (STO-028).
            _ => Current::Document(kind, Vec::new()),
        };
    }

    fn data(&mut self, bytes: &[u8]) {
        match &mut self.current {
            Current::Nothing => return,
            Current::Document(kind, source) => {
                let limit = match kind {
                    FileKind::Manifest(_) => self.limits.manifest,
                    kind => trusted::limit(kind, &self.limits).unwrap_or(self.limits.document),
                };
                // One byte more than the limit tells that it is exceeded.
                let room = usize::try_from(limit + 1).unwrap_or(usize::MAX).saturating_sub(source.len());
                source.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
            }
            // It is no longer than its descriptor says.
            Current::Listing(_, _, source) => source.push(bytes),
            Current::Layer(_, walking) => return walking.push(bytes),
            Current::Blob(..) => return,
        }
        self.hasher.update(bytes);
    }

    fn end_of_entry(&mut self, out: &mut Vec<Violation>) {
        let seen = (self.hasher.size(), std::mem::take(&mut self.hasher).finish());
        let path = std::mem::take(&mut self.path);
        match std::mem::replace(&mut self.current, Current::Nothing) {
            Current::Nothing => {}
            Current::Document(kind, source) => self.document(&kind, &path, &source, seen, out),
            Current::Listing(digest, size, source) => {
                let judged = self.judge_blob(&path, (digest, size), seen);
                let is_named = judged.is_none();
                out.extend(judged);
                if is_named {
                    self.listings.insert(digest, Listing::Unread(source));
                    self.unread = Some(digest);
                } else if source.size() == size {
                    self.read_listing(digest, &source.into_bytes(), false, out);
                } else {
                    self.listings.insert(digest, Listing::Flawed);
                    self.advance();
                }
            }
            Current::Layer(layer, walking) => self.end_layer(layer, *walking, path, out),
            Current::Blob(digest, size) => {
                let named_by = size.and_then(|size| self.named.named_by(digest, size));
                let waiting = Waiting { start: self.start, path, digest, size, named_by };
                self.later.push((out.len(), Verdict::Blob(waiting, Vec::new())));
            }
        }
    }

    fn is_done(&self) -> bool {
        self.stopped || self.not_an_archive
    }

    fn passed_over(&mut self) {
        if std::mem::replace(&mut self.first, false) {
            self.not_an_archive = true;
        }
    }
}

/// STO-026. Whether the entry is a file.
fn judge_attributes(entry: &tar::Entry, out: &mut Vec<Violation>) -> bool {
    let mut report = |part, message: String| {
        let place = entry.place_of(part).entry(shown_bytes(&entry.path));
        out.push(Violation::new(&clause::STO_026, place, message));
    };
    if entry.header.typeflag() != b'0' {
        report(Part::Path, "the entry is no regular file".to_owned());
        return false;
    }
    if entry.mode != 0o644 {
        report(Part::Mode, format!("the mode is 0{:03o}, not 0644", entry.mode));
    }
    for (part, name, value) in
        [(Part::Uid, "uid", entry.uid), (Part::Gid, "gid", entry.gid), (Part::Mtime, "mtime", entry.mtime)]
    {
        if value != 0 {
            report(part, format!("the {name} is {value}, not 0"));
        }
    }
    true
}

impl ArchiveSink {
    fn new(limits: Limits, extent: Extent) -> Self {
        Self {
            limits,
            extent,
            start: 0,
            path: String::new(),
            current: Current::Nothing,
            hasher: Hasher::default(),
            first: true,
            not_an_archive: false,
            seen: BTreeSet::new(),
            last: None,
            manifests: Manifests::new(),
            current_image: None,
            progress: None,
            listings: HashMap::new(),
            unread: None,
            walks: HashMap::new(),
            named: Named::default(),
            programs: HashSet::new(),
            folders: BTreeMap::new(),
            later: Vec::new(),
            all_clean: true,
            stopped: false,
        }
    }

    /// Whether an entry is the layer whose listing came last and has not been looked into.
    fn is_layer_of_unread(&self, path: &[u8]) -> bool {
        let kind = std::str::from_utf8(path).ok().and_then(|path| classify(path, &self.limits).ok());
        match (kind, self.unread) {
            (Some(FileKind::Blob(digest)), Some(unread)) => {
                let role = self.named.role(digest).filter(|role| role.kind == Kind::Layer);
                role.and_then(|role| role.layer).is_some_and(|layer| layer.listing.digest == unread)
            }
            _ => false,
        }
    }

    /// NAM-028 or NAM-029: a blob against the descriptor that names it.
    fn judge_blob(&self, path: &str, wanted: (Digest, u64), seen: (u64, Digest)) -> Option<Violation> {
        let named_by = self.named.named_by(wanted.0, wanted.1);
        let manifest = named_by.and_then(|id| self.manifests.get_key_value(&id));
        judge_blob(path, wanted, seen).map(|violation| with_descriptor(violation, wanted, manifest))
    }

    fn end_layer(&mut self, layer: Layer, walking: Walking, path: String, out: &mut Vec<Violation>) {
        let Walked { mut walk, divergence, listing } = walking.finish();
        let facts = WalkFacts::new(&walk, divergence, true);
        if self.unread == Some(layer.listing.digest) {
            self.unread = None;
            match listing {
                Some(source) => self.read_listing(layer.listing.digest, &source, true, out),
                // A walk without violations writes a listing without violations.
                None => {
                    let entries = Arc::new(std::mem::take(&mut walk.entries));
                    self.listings.insert(layer.listing.digest, Listing::Clean(entries));
                    self.advance();
                }
            }
        }
        self.walks.insert(layer.digest, facts);
        let program = self.program().filter(|(of, _)| *of == layer.digest);
        self.programs.extend(program);
        let (digest, size) = (layer.digest, layer.size);
        let named_by = self.named.named_by(digest, size);
        let waiting = Waiting { start: self.start, path, digest, size: Some(size), named_by };
        self.later.push((out.len(), Verdict::Blob(waiting, walk.violations)));
    }

    /// What is done with a blob that has this role.
    fn begin(&mut self, digest: Digest, role: Option<Role>) -> Current {
        let size = role.map(|role| role.size);
        match role {
            _ if self.extent == Extent::Digests => Current::Blob(digest, size),
            Some(Role { kind: Kind::Listing, size, .. }) if size <= self.limits.listing => {
                Current::Listing(digest, size, Source::default())
            }
            Some(Role { kind: Kind::Layer, layer: Some(layer), .. }) => {
                let digest = layer.listing.digest;
                let listing = self.listings.get_mut(&digest);
                Current::Layer(layer, Box::new(Walking::new(listing, digest, &self.limits)))
            }
            _ => Current::Blob(digest, size),
        }
    }

    fn document(&mut self, kind: &FileKind, path: &str, source: &[u8], seen: (u64, Digest), out: &mut Vec<Violation>) {
        let violations = match kind {
            FileKind::Manifest(id) => {
                let (outline, violations) = manifest::check(source, &self.limits);
                let judged = judge_content(path, *id, seen.1);
                self.all_clean &= violations.is_empty() && judged.is_none();
                if let Some(outline) = outline.filter(|_| judged.is_none()) {
                    self.progress = outline.all_layers.then(|| Progress { tree: Tree::default(), next: 0 });
                    self.named.learn(*id, &outline);
                    self.manifests.insert(*id, outline);
                    self.advance();
                }
                violations.into_iter().chain(judged).collect()
            }
            FileKind::Index(set, image) => {
                let (index, violations) = check_index(source, Some(*set), &self.limits);
                let folder = self.folders.entry((*set, *image)).or_default();
                folder.index = violations.is_empty().then_some(index);
                violations
            }
            FileKind::Envelope(set, image, digest) => {
                out.extend(judge_content(path, *digest, seen.1));
                self.folders.entry((*set, *image)).or_default().envelopes.insert(*digest, seen);
                trusted::judge(kind, source, &self.limits)
            }
            FileKind::Proof(set, image, digest) => {
                self.folders.entry((*set, *image)).or_default().proofs.insert(*digest, seen);
                trusted::judge(kind, source, &self.limits)
            }
            FileKind::Keyring { .. } | FileKind::Catalog(_) => trusted::judge(kind, source, &self.limits),
            _ => {
                let violations = check_marker(source, &self.limits);
                self.stopped |= violations.iter().any(|violation| violation.clause == &clause::CNF_001);
                violations
            }
        };
        out.extend(violations.into_iter().map(|violation| violation.in_file(path)));
    }

    /// STO-029, STO-031
    fn judge_position(&mut self, kind: &FileKind, place: Place, out: &mut Vec<Violation>) {
        let position = position_of(kind, &self.seen, |digest| self.named.position(digest));
        if position.is_none() && matches!(kind, FileKind::Blob(_)) && !self.all_clean {
            // A manifest with a violation may have been meant to name it.
            return;
        }
        match position {
            None => {
                let message = "no manifest earlier in the archive names this blob";
                out.push(Violation::new(&clause::STO_031, place, message));
            }
            Some(position) if self.last.as_ref().is_some_and(|last| position < *last) => {
                let message = "the entry is not where the order of an archive puts it";
                out.push(Violation::new(&clause::STO_029, place, message));
            }
            position => self.last = position,
        }
    }
}
