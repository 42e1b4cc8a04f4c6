//! Walking the layers of an image, several at once, each beside its listing.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::num::NonZero;
use std::sync::{Mutex, PoisonError};

use super::blob::Stored;
use super::files::Files;
use super::lanes::{self, Lane};
use super::layout::FileKind;
use crate::diagnostic::Violation;
use crate::digest::{Digest, Hasher};
use crate::layer::{Compared, Comparison, Divergence, Entry, Walk, Walker};
use crate::limits::Limits;
use crate::manifest::Layer;

/// A layer that has to be walked.
pub(super) struct Planned {
    pub(super) layer: Layer,
    /// The file that holds it.
    pub(super) kind: FileKind,
    /// The file that holds its listing.
    pub(super) listing: Option<FileKind>,
}

/// A layer that has been walked.
pub(super) struct Walked {
    /// The file that held it.
    pub(super) kind: FileKind,
    /// Its length, at most one byte more than its descriptor says, and its digest.
    pub(super) seen: (u64, Digest),
    /// What is wrong with the frame that held it.
    pub(super) frame: Vec<Violation>,
    pub(super) walk: Walk,
    pub(super) divergence: Option<Divergence>,
    /// The listing has been read to its end, nothing is wrong with its frame, and it is the layer's.
    is_same: bool,
}

impl Walked {
    /// The entries, once, if what has been walked is without violations and its listing is the one that `layer`
    /// names.
    ///
    /// A walk without violations writes a listing without violations, so that the listing need not be
    /// judged by itself, whichever layer it was.
    pub(super) fn confirmed(&mut self, layer: &Layer) -> Option<Vec<Entry>> {
        let same = self.is_same
            && self.walk.violations.is_empty()
            && (self.walk.listing, self.walk.listing_size) == (layer.listing.digest, layer.listing.size);
        self.is_same = false;
        same.then(|| std::mem::take(&mut self.walk.entries))
    }
}

/// Walks layers with `jobs` threads.
///
/// # Errors
///
/// The first error of reading one of them, in their order.
pub(super) fn walk_layers(
    files: &dyn Files,
    planned: Vec<Planned>,
    limits: &Limits,
    jobs: NonZero<usize>,
) -> io::Result<BTreeMap<Digest, Walked>> {
    let mut readings: Vec<Reading<'_>> = planned.into_iter().map(|planned| Reading::new(planned, limits)).collect();
    let lanes = readings.iter_mut().map(|reading| reading.lane(files, limits)).collect();
    let errors = lanes::run(lanes, jobs);
    let mut out = BTreeMap::new();
    for (reading, error) in readings.into_iter().zip(errors) {
        if let Some(error) = error {
            return Err(error);
        }
        let (digest, walked) = reading.finish(files, limits)?;
        out.insert(digest, walked);
    }
    Ok(out)
}

struct Reading<'a> {
    planned: Planned,
    source: Option<Stored<'a>>,
    hashing: Hashing<'a>,
    walker: Walker,
    /// Lines that the walk has written and nobody has taken.
    lines: Mutex<Vec<u8>>,
}

/// What is hashed: the layer, and the lines of its walk, so that the walk has no more to do than this.
struct Hashing<'a> {
    layer: Hasher,
    lines: Hasher,
    listing: Listing<'a>,
}

/// The listing beside a layer.
enum Listing<'a> {
    /// It is opened when there is a line to compare.
    Closed(FileKind, u64),
    Open(Comparison<Stored<'a>>),
    /// There is none, or it could not be read.
    Absent(Option<io::Error>),
}

impl<'a> Reading<'a> {
    fn new(mut planned: Planned, limits: &Limits) -> Self {
        let size = planned.layer.listing.size;
        let listing = planned.listing.take().map_or(Listing::Absent(None), |kind| Listing::Closed(kind, size));
        let hashing = Hashing { layer: Hasher::default(), lines: Hasher::default(), listing };
        let walker = Walker::new(limits.clone()).without_digest();
        Self { planned, source: None, hashing, walker, lines: Mutex::default() }
    }

    fn lane<'b>(&'b mut self, files: &'a dyn Files, limits: &'b Limits) -> Lane<'b> {
        let Self { planned, source, hashing, walker, lines } = self;
        let lines = &*lines;
        Lane::new(
            Box::new(move |buffer| {
                if source.is_none() {
                    *source = Some(Stored::open(files, &planned.kind, planned.layer.size, limits)?);
                }
                source.as_mut().map_or(Ok(0), |source| source.read(buffer))
            }),
            [
                Box::new(move |bytes| {
                    hashing.layer.update(bytes);
                    let lines = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
                    hashing.lines(&lines, files, limits);
                }),
                Box::new(move |bytes| {
                    walker.push(bytes);
                    lines.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(walker.lines());
                }),
            ],
        )
    }

    fn finish(self, files: &'a dyn Files, limits: &Limits) -> io::Result<(Digest, Walked)> {
        let Self { planned, source, mut hashing, walker, lines } = self;
        let (mut walk, last) = walker.finish();
        for lines in [lines.into_inner().unwrap_or_else(PoisonError::into_inner), last] {
            hashing.lines(&lines, files, limits);
        }
        let Hashing { layer, lines, listing } = hashing;
        let (divergence, is_same) = match listing {
            Listing::Open(comparison) => {
                let Compared { divergence, listing, .. } = comparison.finish()?;
                let is_same = divergence.is_none() && listing.frame().is_empty();
                (divergence, is_same)
            }
            Listing::Absent(Some(error)) => return Err(error),
            Listing::Closed(..) | Listing::Absent(None) => (None, false),
        };
        (walk.listing_size, walk.listing) = (lines.size(), lines.finish());
        let seen = (layer.size(), layer.finish());
        let frame = source.map(Stored::frame).unwrap_or_default();
        let digest = planned.layer.digest;
        Ok((digest, Walked { kind: planned.kind, seen, frame, walk, divergence, is_same }))
    }
}

impl<'a> Hashing<'a> {
    fn lines(&mut self, lines: &[u8], files: &'a dyn Files, limits: &Limits) {
        self.lines.update(lines);
        if let Err(error) = self.compare(lines, files, limits) {
            self.listing = Listing::Absent(Some(error));
        }
    }

    fn compare(&mut self, lines: &[u8], files: &'a dyn Files, limits: &Limits) -> io::Result<()> {
        if let (Listing::Closed(kind, size), false) = (&self.listing, lines.is_empty()) {
            self.listing = Listing::Open(Comparison::new(Stored::open(files, kind, *size, limits)?));
        }
        match &mut self.listing {
            Listing::Open(comparison) => comparison.lines(lines),
            Listing::Closed(..) | Listing::Absent(_) => Ok(()),
        }
    }
}
