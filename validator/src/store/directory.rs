//! A check of a whole store.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{self, Read};
use std::num::NonZero;
use std::sync::Arc;

use super::blob::Stored;
use super::extent::Extent;
use super::files::{Files, Listed};
use super::image::{Manifests, WalkFacts, judge_blob, judge_content, judge_listing, judge_manifests, with_descriptor};
use super::layout::{FileKind, SignatureSet, classify, path_of};
use super::signatures::{Folder, check_index, check_marker};
use super::trusted;
use super::walks::{Planned, Walked, walk_layers};
use crate::clause;
use crate::diagnostic::{Findings, Place, Violation};
use crate::digest::{Digest, Hasher};
use crate::layer::{Entry, ListingKind, Tree, read_listing};
use crate::limits::Limits;
use crate::manifest::{self, Outline, check_interpreter, check_rootfs, exec_file};
use crate::shown::shown;

/// Checks a store and all images in it with `jobs` threads, and adds what is wrong to `findings`. The
/// number of threads changes nothing that is found.
///
/// # Errors
///
/// Errors of the file system, which leave the check incomplete.
pub fn check_store(
    files: &dyn Files,
    limits: &Limits,
    jobs: NonZero<usize>,
    findings: &mut Findings,
) -> io::Result<()> {
    check_store_to(Extent::Whole, files, limits, jobs, findings)
}

/// The same as far as `extent` says.
///
/// # Errors
///
/// Errors of the file system, which leave the check incomplete.
pub fn check_store_to(
    extent: Extent,
    files: &dyn Files,
    limits: &Limits,
    jobs: NonZero<usize>,
    findings: &mut Findings,
) -> io::Result<()> {
    let mut listed = files.list()?;
    listed.sort();
    let mut store = Store {
        files,
        limits,
        jobs,
        extent,
        findings,
        kinds: BTreeMap::new(),
        irregular: BTreeSet::new(),
        manifests: Arc::default(),
        image: None,
        checked: HashMap::new(),
        listings: HashSet::new(),
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
    let manifests = Arc::clone(&store.manifests);
    for (id, outline) in manifests.iter() {
        store.image = Some(*id);
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
    jobs: NonZero<usize>,
    extent: Extent,
    findings: &'a mut Findings,
    kinds: BTreeMap<FileKind, String>,
    /// What stands in the place of a file of the layout, but is no file.
    irregular: BTreeSet<FileKind>,
    manifests: Arc<Manifests>,
    /// The image whose blobs are being judged.
    image: Option<Digest>,
    checked: Checked,
    /// Listings that have been judged, by digest and size of their descriptors.
    listings: HashSet<(Digest, u64)>,
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
                report(&clause::STO_003, format!("the file is {irregular}, not a regular file"));
                self.irregular.extend(classify(path, self.limits));
                continue;
            }
            match classify(path, self.limits) {
                Ok(kind) => {
                    self.kinds.insert(kind, path.clone());
                }
                Err(Some((clause, message))) => report(clause, message),
                Err(None) if is_of_layout(path) => {}
                Err(None) => report(&clause::STO_004, "no file of a store has this path".to_owned()),
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
        let mut manifests = Manifests::new();
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
                    manifests.insert(id, outline);
                }
            }
        }
        self.manifests = Arc::new(manifests);
        Ok(())
    }

    /// STO-006 for envelopes, STO-011 to STO-017, STO-032, STO-033
    fn signatures(&mut self) -> io::Result<()> {
        let mut folders: BTreeMap<(SignatureSet, Digest), Folder> = BTreeMap::new();
        let kinds: Vec<FileKind> = self.kinds.keys().cloned().collect();
        for kind in kinds {
            let path = path_of(&kind);
            match kind.clone() {
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
                    self.trusted(&FileKind::Envelope(set, image, digest), &path)?;
                }
                FileKind::Proof(set, image, digest) => {
                    let content = self.hash(&path)?;
                    folders.entry((set, image)).or_default().proofs.insert(digest, content);
                    self.trusted(&FileKind::Proof(set, image, digest), &path)?;
                }
                FileKind::Keyring { .. } | FileKind::Catalog(_) => self.trusted(&kind, &path)?,
                _ => {}
            }
        }
        for ((set, image), folder) in folders {
            self.findings.extend(folder.judge(set, image, self.limits));
        }
        Ok(())
    }

    /// Judges a document about trust by itself and by its place.
    fn trusted(&mut self, kind: &FileKind, path: &str) -> io::Result<()> {
        let Some(limit) = trusted::limit(kind, self.limits) else { return Ok(()) };
        let source = self.read_document(path, limit)?;
        let violations = trusted::judge(kind, &source, self.limits);
        self.findings.extend(violations.into_iter().map(|violation| violation.in_file(path)));
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
            self.blob((attachment.digest, attachment.size), &mut |_| {})?;
        }
        if self.extent == Extent::Digests {
            for (_, layer) in &outline.layers {
                self.blob((layer.digest, layer.size), &mut |_| {})?;
                self.blob((layer.listing.digest, layer.listing.size), &mut |_| {})?;
            }
            return Ok(());
        }
        let mut walked = self.walk(outline)?;
        let tree = self.merge(outline, &mut walked)?;
        for (_, layer) in &outline.layers {
            self.layer(layer, walked.remove(&layer.digest))?;
        }
        let Some(tree) = tree else { return Ok(()) };
        let exec = exec_file(outline, &tree, self.limits);
        let interpreter = exec.and_then(|exec| {
            let (_, layer) = outline.layers.get(exec.layer)?;
            // A layer that is another one or has violations is not looked into.
            let facts = self.walks.get(&layer.digest).filter(|facts| facts.clean)?;
            facts.interpreters.get(exec.entry)
        });
        let interpreter = interpreter.and_then(|found| check_interpreter(outline, found, &tree, self.limits));
        let judged = check_rootfs(outline, &tree, self.limits).into_iter().chain(interpreter);
        self.findings.extend(judged.map(|violation| violation.in_file(&manifest_path)));
        Ok(())
    }

    /// Walks the layers of an image that have not been walked yet.
    fn walk(&self, outline: &Outline) -> io::Result<BTreeMap<Digest, Walked>> {
        let mut planned = BTreeMap::new();
        for (_, layer) in &outline.layers {
            if let Some(kind) = self.copies(layer.digest).into_iter().next()
                && !self.walks.contains_key(&layer.digest)
            {
                // What stands in two places is read as a whole, to compare both.
                let listing = match self.copies(layer.listing.digest).as_slice() {
                    [listing] if layer.listing.size <= self.limits.listing => Some(listing.clone()),
                    _ => None,
                };
                planned.entry(layer.digest).or_insert(Planned { layer: *layer, kind, listing });
            }
        }
        walk_layers(self.files, planned.into_values().collect(), self.limits, self.jobs)
    }

    /// The merged tree, if all listings are there and without violations.
    fn merge(&mut self, outline: &Outline, walked: &mut BTreeMap<Digest, Walked>) -> io::Result<Option<Tree>> {
        let mut tree = outline.all_layers.then(Tree::default);
        for (_, layer) in &outline.layers {
            let key = (layer.listing.digest, layer.listing.size);
            let confirmed = walked.get_mut(&layer.digest).and_then(|walked| walked.confirmed(layer));
            let entries = match confirmed {
                Some(entries) => {
                    self.checked.entry(key).or_insert(Blob::Named);
                    Some(entries)
                }
                None => self.read_listing(key)?,
            };
            tree = match (tree, entries) {
                (Some(tree), Some(entries)) if tree.is_new() => Some(Tree::of_layer(entries, key.0, key.1)),
                (Some(mut tree), Some(entries)) => {
                    tree.merge(entries);
                    Some(tree)
                }
                _ => None,
            };
        }
        Ok(tree)
    }

    /// The entries of a listing, if it is the one that its descriptor names and has no violations.
    fn read_listing(&mut self, key: (Digest, u64)) -> io::Result<Option<Vec<Entry>>> {
        let (blob, source) = self.listing(key)?;
        if !matches!(blob, Blob::Named | Blob::Other) {
            return Ok(None);
        }
        let listing = read_listing(&source, ListingKind::Layer, self.limits);
        let clean = listing.violations.is_empty() && blob == Blob::Named;
        if !listing.violations.is_empty() {
            self.checked.insert(key, Blob::Flawed);
        }
        if self.listings.insert(key) {
            let path = path_of(&FileKind::Blob(key.0));
            self.findings.extend(listing.violations.into_iter().map(|violation| violation.in_file(&path)));
        }
        Ok(clean.then_some(listing.entries))
    }

    /// A listing, if its descriptor keeps the limit.
    fn listing(&mut self, (digest, size): (Digest, u64)) -> io::Result<(Blob, Vec<u8>)> {
        let mut source = Vec::new();
        if size > self.limits.listing {
            return Ok((Blob::Missing, source));
        }
        let blob = self.blob((digest, size), &mut |bytes| source.extend_from_slice(bytes))?;
        Ok((blob, source))
    }

    /// Judges a layer, which may have been walked for this image.
    fn layer(&mut self, layer: &manifest::Layer, walked: Option<Walked>) -> io::Result<()> {
        if let Some(Walked { kind, seen, frame, walk, divergence, .. }) = walked {
            let mut copies = vec![(kind, seen, frame)];
            for kind in self.copies(layer.digest).into_iter().skip(1) {
                let (seen, frame) = self.read_copy(&kind, layer.size, &mut |_| {})?;
                copies.push((kind, seen, frame));
            }
            let blob = self.settle((layer.digest, layer.size), copies);
            if matches!(blob, Blob::Named | Blob::Other) {
                let path = path_of(&FileKind::Blob(layer.digest));
                let facts = WalkFacts::new(&walk, divergence, blob == Blob::Named);
                self.findings.extend(walk.violations.into_iter().map(|violation| violation.in_file(&path)));
                self.walks.insert(layer.digest, facts);
            }
        } else {
            // Another descriptor of a layer that is known, which may give another size.
            self.blob((layer.digest, layer.size), &mut |_| {})?;
        }
        let listing = (layer.listing.digest, layer.listing.size);
        if self.checked.get(&listing) != Some(&Blob::Named) {
            return Ok(());
        }
        let wrong = self.walks.get(&layer.digest).filter(|facts| facts.clean && facts.listing != listing.0).cloned();
        if let Some(facts) = wrong {
            let source = self.listing(listing)?.1;
            self.findings.add(judge_listing(&facts, listing.0, &source));
        }
        Ok(())
    }

    /// Where a blob stands.
    fn copies(&self, digest: Digest) -> Vec<FileKind> {
        let mut kinds = vec![FileKind::Blob(digest), FileKind::Packed(digest)];
        kinds.truncate(if self.extent == Extent::Digests { 1 } else { 2 });
        kinds.into_iter().filter(|kind| self.kinds.contains_key(kind)).collect()
    }

    /// Reads a blob from everywhere it is; `take` gets its bytes once.
    fn blob(&mut self, (digest, size): (Digest, u64), take: &mut dyn FnMut(&[u8])) -> io::Result<Blob> {
        let is_known = self.checked.contains_key(&(digest, size));
        let mut copies = Vec::new();
        for (index, kind) in self.copies(digest).into_iter().take(if is_known { 1 } else { 2 }).enumerate() {
            let mut nothing = |_: &[u8]| {};
            let taker: &mut dyn FnMut(&[u8]) = if index == 0 { &mut *take } else { &mut nothing };
            let (seen, frame) = self.read_copy(&kind, size, taker)?;
            copies.push((kind, seen, frame));
        }
        Ok(self.settle((digest, size), copies))
    }

    /// What a blob is, by what was seen of its copies; says what is wrong the first time.
    fn settle(&mut self, key: (Digest, u64), copies: Vec<(FileKind, (u64, Digest), Vec<Violation>)>) -> Blob {
        if let Some(known) = self.checked.get(&key) {
            return *known;
        }
        let mut found: Option<Blob> = None;
        for (kind, seen, frame) in copies {
            let path = path_of(&kind);
            let mut judged = frame.is_empty().then(|| judge_blob(&path, key, seen)).flatten();
            // The bytes of the place are those of the blob, and none of the file that holds its frame.
            if let (Some(violation), FileKind::Packed(_)) = (&mut judged, &kind) {
                violation.place.bytes = None;
            }
            let blob = match &judged {
                _ if !frame.is_empty() => Blob::Damaged,
                None => Blob::Named,
                Some(violation) if violation.clause == &clause::NAM_029 => Blob::Other,
                Some(_) => Blob::Damaged,
            };
            self.findings.extend(frame.into_iter().map(|violation| violation.in_file(&path)));
            let image = self.image.and_then(|id| self.manifests.get_key_value(&id));
            self.findings.extend(judged.map(|violation| with_descriptor(violation, key, image)));
            // The first place gives the bytes; the second one can only spoil the verdict.
            found = Some(match found {
                Some(Blob::Named) if blob != Blob::Named => Blob::Damaged,
                Some(first) => first,
                None => blob,
            });
        }
        let blob = found.unwrap_or(Blob::Missing);
        self.checked.insert(key, blob);
        blob
    }

    /// The length and digest of a blob, at most one byte more than `size`, and what is wrong with its frame.
    fn read_copy(
        &self,
        kind: &FileKind,
        size: u64,
        take: &mut dyn FnMut(&[u8]),
    ) -> io::Result<((u64, Digest), Vec<Violation>)> {
        let mut hasher = Hasher::default();
        let mut stored = Stored::open(self.files, kind, size, self.limits)?;
        copy(&mut stored, &mut |bytes| {
            hasher.update(bytes);
            take(bytes);
        })?;
        Ok(((hasher.size(), hasher.finish()), stored.frame()))
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

/// Whether a store has this file if it is an OCI image layout as well.
fn is_of_layout(path: &str) -> bool {
    matches!(path, "oci-layout" | "index.json")
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
