//! A check of a whole store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, BufReader, Read};

use super::image::{Manifests, WalkFacts, judge_blob, judge_content, judge_listing, judge_manifests};
use super::layout::{FileKind, SignatureSet, classify, path_of};
use super::signatures::{Folder, check_index, check_marker};
use crate::clause;
use crate::diagnostic::{Findings, Place, Violation};
use crate::digest::{Digest, Hasher};
use crate::layer::{ListingKind, Tree, Walker, read_listing};
use crate::limits::Limits;
use crate::manifest::{self, Outline, check_interpreter, check_rootfs, exec_file};
use crate::shown::shown;
use crate::zstd::Decoder;

/// The files of a store, wherever they are.
pub trait Files {
    /// Everything below the root of the store that is no directory.
    ///
    /// # Errors
    ///
    /// Errors of the file system.
    fn list(&self) -> io::Result<Vec<Listed>>;

    /// A regular file.
    ///
    /// # Errors
    ///
    /// Errors of the file system.
    fn open(&self, path: &str) -> io::Result<Box<dyn Read + '_>>;
}

/// A file of a store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its path from the root of the store.
    pub path: String,
    /// What it is, if it is no regular file: `a symbolic link` and so on.
    pub irregular: Option<&'static str>,
}

/// Checks a store and all images in it, and adds what is wrong to `findings`.
///
/// # Errors
///
/// Errors of the file system, which leave the check incomplete.
pub fn check_store(files: &dyn Files, limits: &Limits, findings: &mut Findings) -> io::Result<()> {
    let mut listed = files.list()?;
    listed.sort();
    let mut store = Store {
        files,
        limits,
        findings,
        kinds: BTreeMap::new(),
        irregular: BTreeSet::new(),
        manifests: Manifests::new(),
        checked: HashMap::new(),
        walks: HashMap::new(),
    };
    if !store.marker(&listed)? {
        return Ok(());
    }
    store.layout(&listed);
    store.read_manifests()?;
    store.signatures()?;
    let judged = judge_manifests(&store.manifests);
    store.findings.extend(judged);
    let manifests = std::mem::take(&mut store.manifests);
    for (id, outline) in &manifests {
        store.image(*id, outline)?;
    }
    store.unreached()
}

/// What a blob turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blob {
    /// It is not there.
    Missing,
    /// It has another length than its descriptor says, or cannot be decoded.
    Damaged,
    /// It has the right length, but is not the one that its descriptor names.
    Other,
    /// It is the one that its descriptor names.
    Named,
    /// The same, but it has violations of its own.
    Flawed,
}

/// Blobs that have been read, by digest and size of their descriptors.
type Checked = HashMap<(Digest, u64), Blob>;

struct Store<'a> {
    files: &'a dyn Files,
    limits: &'a Limits,
    findings: &'a mut Findings,
    kinds: BTreeMap<FileKind, String>,
    /// What stands in the place of a file of the layout, but is no file.
    irregular: BTreeSet<FileKind>,
    manifests: Manifests,
    checked: Checked,
    walks: HashMap<Digest, WalkFacts>,
}

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

impl Store<'_> {
    /// STO-003, STO-004, STO-005, STO-009, STO-010
    fn layout(&mut self, listed: &[Listed]) {
        for Listed { path, irregular } in listed {
            let mut report = |clause, message| {
                self.findings.add(Violation::new(clause, Place::default().file(shown(path)), message))
            };
            if let Some(irregular) = irregular {
                report(&clause::STO_003, format!("it is {irregular}"));
                self.irregular.extend(classify(path, self.limits));
                continue;
            }
            match classify(path, self.limits) {
                Ok(kind) => {
                    self.kinds.insert(kind, path.clone());
                }
                Err(Some((clause, message))) => report(clause, message),
                Err(None) => report(&clause::STO_004, "the layout does not give this path".to_owned()),
            }
        }
    }

    /// STO-001, STO-002. Whether the store is of a version that can be judged.
    fn marker(&mut self, listed: &[Listed]) -> io::Result<bool> {
        let marker = listed.iter().find(|file| file.path == "cornercast");
        if marker.is_none_or(|marker| marker.irregular.is_some()) {
            if marker.is_none() {
                let message = "the store has no file `cornercast`";
                self.findings.add(Violation::new(&clause::STO_001, Place::default(), message));
            }
            return Ok(true);
        }
        let source = self.read_document("cornercast", self.limits.document)?;
        let violations = check_marker(&source, self.limits);
        let known = !violations.iter().any(|violation| violation.clause == &clause::CNF_001);
        self.findings.extend(violations.into_iter().map(|violation| violation.in_file("cornercast")));
        Ok(known)
    }

    /// At most one byte more than `limit` of a file.
    fn read_document(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut source = Vec::new();
        self.files.open(path)?.take(limit + 1).read_to_end(&mut source)?;
        Ok(source)
    }

    fn read_manifests(&mut self) -> io::Result<()> {
        let ids: Vec<Digest> = self
            .kinds
            .keys()
            .filter_map(|kind| match kind {
                FileKind::Manifest(id) => Some(*id),
                _ => None,
            })
            .collect();
        for id in ids {
            let path = path_of(&FileKind::Manifest(id));
            let source = self.read_document(&path, self.limits.manifest)?;
            let (outline, violations) = manifest::check(&source, self.limits);
            self.findings.extend(violations.into_iter().map(|violation| violation.in_file(&path)));
            if source.len() as u64 <= self.limits.manifest {
                let judged = judge_content(&path, id, Digest::of(&source));
                let is_named = judged.is_none();
                self.findings.extend(judged);
                if let Some(outline) = outline.filter(|_| is_named) {
                    self.manifests.insert(id, outline);
                }
            }
        }
        Ok(())
    }

    /// STO-006 for envelopes, STO-011 to STO-017
    fn signatures(&mut self) -> io::Result<()> {
        let mut folders: BTreeMap<(SignatureSet, Digest), Folder> = BTreeMap::new();
        let kinds: Vec<FileKind> = self.kinds.keys().cloned().collect();
        for kind in kinds {
            let path = path_of(&kind);
            match kind {
                FileKind::Index(set, image) => {
                    let source = self.read_document(&path, self.limits.document)?;
                    let (index, violations) = check_index(&source, Some(set), self.limits);
                    let folder = folders.entry((set, image)).or_default();
                    folder.index = violations.is_empty().then_some(index);
                    self.findings.extend(violations.into_iter().map(|violation| violation.in_file(&path)));
                }
                FileKind::Envelope(set, image, digest) => {
                    let content = self.hash(&path)?;
                    folders.entry((set, image)).or_default().envelopes.insert(digest, content);
                    self.findings.extend(judge_content(&path, digest, content.1));
                }
                FileKind::Proof(set, image, digest) => {
                    let content = self.hash(&path)?;
                    folders.entry((set, image)).or_default().proofs.insert(digest, content);
                }
                _ => {}
            }
        }
        for ((set, image), folder) in folders {
            self.findings.extend(folder.judge(set, image, self.limits));
        }
        Ok(())
    }

    fn hash(&self, path: &str) -> io::Result<(u64, Digest)> {
        let mut hasher = Hasher::default();
        copy(&mut self.files.open(path)?, &mut |bytes| hasher.update(bytes))?;
        Ok((hasher.size(), hasher.finish()))
    }

    fn image(&mut self, id: Digest, outline: &Outline) -> io::Result<()> {
        let manifest_path = path_of(&FileKind::Manifest(id));
        // STO-007
        let mut missing = BTreeSet::new();
        for (digest, _, pointer) in outline.descriptors() {
            let there = [FileKind::Blob(digest), FileKind::Packed(digest)]
                .iter()
                .any(|kind| self.kinds.contains_key(kind) || self.irregular.contains(kind));
            if !there && missing.insert(digest) {
                let place = outline.place(&pointer).file(manifest_path.clone());
                self.findings.add(Violation::new(&clause::STO_007, place, format!("the blob {digest} is missing")));
            }
        }
        for (_, attachment) in &outline.attachments {
            self.blob(attachment.digest, attachment.size, &mut |_| {})?;
        }
        let tree = self.merge(outline)?;
        let exec = tree.as_ref().and_then(|tree| exec_file(outline, tree, self.limits));
        let mut head = None;
        for (index, layer) in &outline.layers {
            let wanted = exec.as_ref().filter(|exec| exec.layer == *index).map(|exec| exec.path.clone());
            let found = self.layer(layer, wanted)?;
            head = found.or(head);
        }
        let Some(tree) = tree else { return Ok(()) };
        let judged = check_rootfs(outline, &tree, self.limits);
        let judged =
            judged.into_iter().chain(head.and_then(|head| check_interpreter(outline, &head, &tree, self.limits)));
        self.findings.extend(judged.map(|violation| violation.in_file(&manifest_path)));
        Ok(())
    }

    /// The merged tree, if all listings are there and without violations.
    fn merge(&mut self, outline: &Outline) -> io::Result<Option<Tree>> {
        let mut tree = outline.all_layers.then(Tree::default);
        for (_, layer) in &outline.layers {
            let key = (layer.listing.digest, layer.listing.size);
            let is_new = !self.checked.contains_key(&key);
            let (blob, source) = self.listing(key)?;
            if !matches!(blob, Blob::Named | Blob::Other) {
                tree = None;
                continue;
            }
            let listing = read_listing(&source, ListingKind::Layer, self.limits);
            let clean = listing.violations.is_empty() && blob == Blob::Named;
            if !listing.violations.is_empty() {
                self.checked.insert(key, Blob::Flawed);
            }
            if is_new {
                let path = path_of(&FileKind::Blob(layer.listing.digest));
                self.findings.extend(listing.violations.into_iter().map(|violation| violation.in_file(&path)));
            }
            match &mut tree {
                Some(tree) if clean => tree.merge(listing.entries),
                _ => tree = None,
            }
        }
        Ok(tree)
    }

    /// A listing, if its descriptor keeps the limit.
    fn listing(&mut self, (digest, size): (Digest, u64)) -> io::Result<(Blob, Vec<u8>)> {
        let mut source = Vec::new();
        if size > self.limits.listing {
            return Ok((Blob::Missing, source));
        }
        let blob = self.blob(digest, size, &mut |bytes| source.extend_from_slice(bytes))?;
        Ok((blob, source))
    }

    /// Walks a layer, once; the head of the file `wanted`.
    fn layer(&mut self, layer: &manifest::Layer, wanted: Option<String>) -> io::Result<Option<Vec<u8>>> {
        let listing = (layer.listing.digest, layer.listing.size);
        let is_clean = self.checked.get(&listing) == Some(&Blob::Named);
        let is_new = !self.walks.contains_key(&layer.digest);
        let mut head = None;
        if is_new || wanted.is_some() {
            let mut walker = Walker::new(self.limits.clone());
            if let Some(wanted) = wanted {
                walker = walker.keeping_head(wanted);
            }
            if is_clean {
                walker = walker.expecting(self.listing(listing)?.1);
            }
            let blob = self.blob(layer.digest, layer.size, &mut |bytes| walker.push(bytes))?;
            let mut walk = walker.finish();
            // A layer that is another one or has violations is not looked into.
            head = walk.head.take().filter(|_| blob == Blob::Named && walk.violations.is_empty());
            if is_new && matches!(blob, Blob::Named | Blob::Other) {
                let path = path_of(&FileKind::Blob(layer.digest));
                let facts = WalkFacts::new(&walk, blob == Blob::Named);
                self.findings.extend(walk.violations.into_iter().map(|violation| violation.in_file(&path)));
                self.walks.insert(layer.digest, facts);
            }
        }
        if is_clean && let Some(facts) = self.walks.get(&layer.digest) {
            let judged = judge_listing(facts, listing.0);
            self.findings.extend(judged);
        }
        Ok(head)
    }

    /// Reads a blob from everywhere it is; `take` gets its bytes once.
    fn blob(&mut self, digest: Digest, size: u64, take: &mut dyn FnMut(&[u8])) -> io::Result<Blob> {
        let known = self.checked.get(&(digest, size)).copied();
        let mut found: Option<Blob> = None;
        for kind in [FileKind::Blob(digest), FileKind::Packed(digest)] {
            if !self.kinds.contains_key(&kind) || (known.is_some() && found.is_some()) {
                continue;
            }
            let path = path_of(&kind);
            let mut nothing = |_: &[u8]| {};
            let taker: &mut dyn FnMut(&[u8]) = if found.is_none() { &mut *take } else { &mut nothing };
            let (seen, violations) = self.read_blob(&kind, &path, size, taker)?;
            let mut judged = violations.is_empty().then(|| judge_blob(&path, (digest, size), seen)).flatten();
            // The bytes of the place are those of the blob, and none of the file that holds its frame.
            if let (Some(violation), FileKind::Packed(_)) = (&mut judged, &kind) {
                violation.place.bytes = None;
            }
            let blob = match &judged {
                _ if !violations.is_empty() => Blob::Damaged,
                None => Blob::Named,
                Some(violation) if violation.clause == &clause::NAM_029 => Blob::Other,
                Some(_) => Blob::Damaged,
            };
            if known.is_none() {
                self.findings.extend(violations.into_iter().map(|violation| violation.in_file(&path)));
                self.findings.extend(judged);
            }
            // The first place gives the bytes; the second one can only spoil the verdict.
            found = Some(match found {
                Some(Blob::Named) if blob != Blob::Named => Blob::Damaged,
                Some(first) => first,
                None => blob,
            });
        }
        let blob = known.or(found).unwrap_or(Blob::Missing);
        self.checked.entry((digest, size)).or_insert(blob);
        Ok(blob)
    }

    /// The length and digest of a blob, at most one byte more than `size`, and what is wrong with its frame.
    fn read_blob(
        &self,
        kind: &FileKind,
        path: &str,
        size: u64,
        take: &mut dyn FnMut(&[u8]),
    ) -> io::Result<((u64, Digest), Vec<Violation>)> {
        let mut hasher = Hasher::default();
        let file = self.files.open(path)?;
        let mut violations = Vec::new();
        let mut both = |bytes: &[u8]| {
            hasher.update(bytes);
            take(bytes);
        };
        if matches!(kind, FileKind::Blob(_)) {
            copy(&mut file.take(size.saturating_add(1)), &mut both)?;
        } else {
            let mut decoder = Decoder::new(BufReader::with_capacity(CHUNK, file), self.limits);
            copy(&mut (&mut decoder).take(size.saturating_add(1)), &mut both)?;
            violations = decoder.take_violations();
        }
        Ok(((hasher.size(), hasher.finish()), violations))
    }

    /// STO-006 for blobs that no manifest reaches. One that is packed has no descriptor to bound its
    /// decoding, so it is not read.
    fn unreached(&mut self) -> io::Result<()> {
        let reached: BTreeSet<Digest> = self.checked.keys().map(|(digest, _)| *digest).collect();
        let kinds: Vec<FileKind> = self.kinds.keys().cloned().collect();
        for kind in kinds {
            let FileKind::Blob(digest) = kind else { continue };
            if !reached.contains(&digest) {
                let path = path_of(&kind);
                let (_, content) = self.hash(&path)?;
                self.findings.extend(judge_content(&path, digest, content));
            }
        }
        Ok(())
    }
}

/// Reads `from` to its end.
fn copy(from: &mut dyn Read, take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        take(buffer.get(..read).unwrap_or_default());
    }
}
