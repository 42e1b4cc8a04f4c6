//! Reading blobs and layers, several at once: each is hashed as it is stored, and a layer is decoded, hashed and walked.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZero;

use super::digest::Hasher;
use super::keep::Pass;
use super::layer::{Layer, Walker};
use super::stored::{Compression, HEAD, Stored, is_damage};
use crate::diagnostic::Violation;
use crate::limits::Limits;
use crate::store::lanes::{self, Lane, Sink, Source};
use crate::store::{Extent, Files};

/// A layer by its file and how it is compressed; as it looks, if nothing says so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) path: String,
    pub(super) compression: Option<Compression>,
}

/// A layer that has been read, with the digest of the archive that it is.
pub(super) struct Walked {
    pub(super) layer: Layer,
    pub(super) decoded: String,
    /// It could be decoded to its end.
    pub(super) whole: bool,
    violations: Vec<Violation>,
}

impl Walked {
    /// What is wrong with it, once.
    pub(super) fn take_violations(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.violations)
    }
}

/// A blob that has been read: its length, its digest if that can be computed, and the layer that it is.
pub(super) struct Read {
    pub(super) seen: (u64, Option<String>),
    pub(super) layer: Option<(Key, Walked)>,
}

/// A blob that is read.
pub(super) struct Reading<'a> {
    path: String,
    /// What names it.
    digest: String,
    layer: Option<Key>,
    extent: Extent,
    /// The first bytes of a layer that is not looked into.
    head: Vec<u8>,
    stored: Option<Stored<'a>>,
    /// Of the blob if it is no layer, else of what it decodes to.
    hasher: Hasher,
    walker: Walker<'a>,
}

impl<'a> Reading<'a> {
    /// A blob that is only hashed.
    pub(super) fn of_blob(path: &str, digest: &str, limits: &Limits) -> Self {
        let (hasher, walker) = (Hasher::new(digest), Walker::new(limits));
        let (path, digest, extent) = (path.to_owned(), digest.to_owned(), Extent::Digests);
        Self { path, digest, layer: None, extent, head: Vec::new(), stored: None, hasher, walker }
    }

    /// A layer, which is only hashed if `pass` says so; `digest` is empty if nothing names its blob.
    pub(super) fn of_layer(pass: Pass<'a>, layer: Key, digest: &str, limits: &Limits) -> Self {
        let path = layer.path.clone();
        let (hasher, mut walker) = (Hasher::new("sha256:"), Walker::new(limits));
        let (digest, extent) = (digest.to_owned(), pass.extent);
        if let Some(kept) = pass.keep.and_then(|keep| keep.layer(&path)) {
            walker.keep(kept);
        }
        Self { path, digest, layer: Some(layer), extent, head: Vec::new(), stored: None, hasher, walker }
    }

    fn lane<'b>(&'b mut self, files: &'a dyn Files, limits: &'b Limits) -> Lane<'b> {
        let Self { path, digest, layer, extent, head, stored, hasher, walker } = self;
        let hash: Sink<'b> = Box::new(move |bytes| hasher.update(bytes));
        let opened = layer.as_ref().filter(|_| *extent == Extent::Whole);
        let Some(Key { compression, .. }) = opened else {
            let mut input = None;
            let source: Source<'b> = Box::new(move |buffer| {
                if input.is_none() {
                    input = Some(files.open(path)?);
                }
                input.as_mut().map_or(Ok(0), |input| input.read(buffer))
            });
            let begin: Sink<'b> = Box::new(move |bytes| {
                let missing = HEAD.saturating_sub(head.len());
                head.extend(bytes.iter().take(missing));
            });
            return Lane::new(source, [hash, begin]);
        };
        let source: Source<'b> = Box::new(move |buffer| {
            if stored.is_none() {
                *stored = Some(Stored::open(files.open(path)?, digest, *compression, limits)?);
            }
            stored.as_mut().map_or(Ok(0), |stored| io::Read::read(stored, buffer))
        });
        Lane::new(source, [hash, Box::new(move |bytes| walker.push(bytes))])
    }

    fn finish(self) -> (String, Read) {
        let (length, decoded) = self.hasher.finish();
        let Some(key) = self.layer else { return (self.path, Read { seen: (length, decoded), layer: None }) };
        let Some(stored) = self.stored else {
            let seen = (length, decoded.clone());
            let whole = self.extent == Extent::Digests && Compression::of_head(&self.head) == Compression::Plain;
            let (mut layer, _) = self.walker.finish(false);
            layer.complete = false;
            let walked = Walked { layer, decoded: decoded.unwrap_or_default(), whole, violations: Vec::new() };
            return (self.path, Read { seen, layer: Some((key, walked)) });
        };
        let ((length, digest), mut violations) = stored.verdict();
        // A plain layer is hashed once.
        let seen = (length, digest.or_else(|| decoded.clone().filter(|_| self.digest.starts_with("sha256:"))));
        let whole = !violations.iter().any(is_damage);
        let (layer, wrong) = self.walker.finish(false);
        if whole {
            violations.extend(wrong);
        }
        let violations = violations.into_iter().map(|violation| violation.in_file(&self.path)).collect();
        let walked = Walked { layer, decoded: decoded.unwrap_or_default(), whole, violations };
        (self.path, Read { seen, layer: Some((key, walked)) })
    }
}

/// Reads with `jobs` threads; what has been read comes with its file, in the order of `readings`.
///
/// # Errors
///
/// The first error of reading one of them.
pub(super) fn run<'a>(
    mut readings: Vec<Reading<'a>>,
    files: &'a dyn Files,
    limits: &Limits,
    jobs: NonZero<usize>,
) -> io::Result<Vec<(String, Read)>> {
    let lanes = readings.iter_mut().map(|reading| reading.lane(files, limits)).collect();
    if let Some(error) = lanes::run(lanes, jobs).into_iter().flatten().next() {
        return Err(error);
    }
    Ok(readings.into_iter().map(Reading::finish).collect())
}

/// The layers that have been walked.
pub(super) type Layers = BTreeMap<Key, Walked>;
