//! The two readers of an archive: one that looks into it, and one that hashes its blobs.

use super::ArchiveSink;
use super::digests::{Digests, Hashed};
use super::verdicts::{Verdict, Verdicts};
use crate::clause;
use crate::diagnostic::Violation;
use crate::limits::Limits;
use crate::store::Extent;
use crate::tar::{Profile, Reader};

/// Checks an archive that comes in pieces.
///
/// ```
/// use cornercast::limits::Limits;
/// use cornercast::store::ArchiveChecker;
///
/// let mut checker = ArchiveChecker::new(Limits::FORMAT);
/// checker.push(&[0; 1024]);
/// assert_eq!(checker.finish()[0].clause.id, "STO-025");
/// ```
pub struct ArchiveChecker {
    digests: Digests,
    checking: Checking,
}

impl ArchiveChecker {
    /// A checker at the first byte of an archive.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { digests: Digests::new(limits.clone()), checking: Checking::new(limits, Extent::Whole) }
    }

    /// Takes the next bytes of the archive in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.digests.push(bytes);
        self.checking.push(bytes);
        self.checking.digests(self.digests.take());
    }

    /// Whether nothing more will be read, so that the bytes that follow do not matter.
    #[must_use]
    pub fn gave_up(&self) -> bool {
        self.checking.gave_up()
    }

    /// The violations found since this was asked last, in the order of the archive.
    ///
    /// There are none before the first entry is known, since nothing else is said of what is no archive.
    pub fn take_violations(&mut self) -> Vec<Violation> {
        self.checking.take_violations()
    }

    /// The archive ends here. The violations that have not been taken.
    #[must_use]
    pub fn finish(self) -> Vec<Violation> {
        self.checking.finish()
    }
}

/// A check of an archive that is told the digests of its blobs, perhaps later than it comes to them.
pub(super) struct Checking {
    reader: Reader,
    sink: ArchiveSink,
    verdicts: Verdicts,
}

impl Checking {
    pub(super) fn new(limits: Limits, extent: Extent) -> Self {
        let sink = ArchiveSink::new(limits.clone(), extent);
        Self { reader: Reader::new(Profile::Archive, limits), sink, verdicts: Verdicts::default() }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.reader.gave_up() {
            return;
        }
        self.reader.push(bytes, &mut self.sink);
        let found = self.reader.take_violations();
        self.collect(found);
    }

    /// Takes in what has been found, and between it what is known later.
    fn collect(&mut self, found: Vec<Violation>) {
        let mut later = self.sink.later.drain(..).peekable();
        for (index, violation) in found.into_iter().enumerate() {
            while let Some((_, verdict)) = later.next_if(|(at, _)| *at <= index) {
                self.verdicts.add(verdict);
            }
            self.verdicts.add(Verdict::Found(violation));
        }
        for (_, verdict) in later {
            self.verdicts.add(verdict);
        }
    }

    /// Digests of blobs in the order of the archive.
    pub(super) fn digests(&mut self, digests: Vec<Hashed>) {
        self.verdicts.digests(digests);
    }

    pub(super) fn gave_up(&self) -> bool {
        self.reader.gave_up()
    }

    pub(super) fn take_violations(&mut self) -> Vec<Violation> {
        if self.sink.first {
            return Vec::new();
        }
        self.verdicts.settle(&mut self.sink.walks, &self.sink.manifests);
        let mut found = self.verdicts.take();
        // If the archive does not begin with its marker, that is all that is said of it.
        if found.iter().any(|violation| violation.clause == &clause::STO_025) {
            found.retain(|violation| violation.clause == &clause::STO_025);
        }
        found
    }

    /// The archive ends here, and all digests have come.
    pub(super) fn finish(mut self) -> Vec<Violation> {
        let mut whole = !self.reader.gave_up();
        self.reader.finish();
        let last = self.reader.take_violations();
        whole &= !last.iter().any(|violation| violation.clause == &clause::LAY_004);
        self.collect(last);
        let mut found = Vec::new();
        self.sink.end(whole, &mut found);
        self.collect(found);
        self.verdicts.settle(&mut self.sink.walks, &self.sink.manifests);
        let mut found = Vec::new();
        self.sink.judge_whole(whole, &mut found);
        self.collect(found);
        self.sink.first = false;
        self.take_violations()
    }
}
