//! What is said of an archive, in its order, where some of it waits for the digests of blobs.

use std::collections::{HashMap, VecDeque};

use super::digests::Hashed;
use crate::diagnostic::Violation;
use crate::digest::Digest;
use crate::store::image::{Manifests, WalkFacts, judge_blob, judge_content, with_descriptor};

/// Something to be said of an archive.
pub(super) enum Verdict {
    /// This.
    Found(Violation),
    /// What is wrong inside a blob, unless its length is, and whether it is the one that is meant.
    Blob(Waiting, Vec<Violation>),
    /// What holds if the layer turned out to be the one that is meant.
    OfLayer(Digest, Violation),
}

/// A blob whose digest is awaited.
pub(super) struct Waiting {
    /// Where its entry begins in the archive.
    pub(super) start: u64,
    pub(super) path: String,
    pub(super) digest: Digest,
    /// The size that its descriptor gives, if there is one.
    pub(super) size: Option<u64>,
    /// The first manifest with that descriptor, of those that stand before the blob.
    pub(super) named_by: Option<Digest>,
}

impl Waiting {
    fn judge(&self, seen: (u64, Digest), manifests: &Manifests) -> Option<Violation> {
        match self.size {
            Some(size) => {
                let wanted = (self.digest, size);
                let judged = judge_blob(&self.path, wanted, seen);
                let manifest = self.named_by.and_then(|id| manifests.get_key_value(&id));
                judged.map(|violation| with_descriptor(violation, wanted, manifest))
            }
            None => judge_content(&self.path, self.digest, seen.1),
        }
    }
}

/// Verdicts in the order of the archive.
#[derive(Default)]
pub(super) struct Verdicts {
    waiting: VecDeque<Verdict>,
    digests: VecDeque<Hashed>,
    settled: Vec<Violation>,
}

impl Verdicts {
    pub(super) fn add(&mut self, verdict: Verdict) {
        self.waiting.push_back(verdict);
    }

    /// Digests of blobs in the order of the archive.
    pub(super) fn digests(&mut self, digests: Vec<Hashed>) {
        self.digests.extend(digests);
    }

    /// Settles the verdicts up to the first one whose digest has not come. A layer in `walks` that is
    /// another one is not clean.
    pub(super) fn settle(&mut self, walks: &mut HashMap<Digest, WalkFacts>, manifests: &Manifests) {
        while let Some(verdict) = self.waiting.pop_front() {
            match verdict {
                Verdict::Found(violation) => self.settled.push(violation),
                Verdict::OfLayer(layer, violation) => {
                    if walks.get(&layer).is_some_and(|facts| facts.clean) {
                        self.settled.push(violation);
                    }
                }
                Verdict::Blob(waiting, found) => {
                    let Some(seen) = self.digest(waiting.start) else {
                        self.waiting.push_front(Verdict::Blob(waiting, found));
                        return;
                    };
                    let judged = waiting.judge(seen, manifests);
                    if let Some(facts) = walks.get_mut(&waiting.digest) {
                        facts.clean &= judged.is_none();
                    }
                    if waiting.size.is_none_or(|size| seen.0 == size) {
                        self.settled.extend(found.into_iter().map(|violation| violation.in_file(&waiting.path)));
                    }
                    self.settled.extend(judged);
                }
            }
        }
    }

    /// The length and digest of the blob whose entry begins at `start`, if they have come.
    fn digest(&mut self, start: u64) -> Option<(u64, Digest)> {
        while self.digests.front()?.start < start {
            self.digests.pop_front();
        }
        self.digests.pop_front().map(|hashed| hashed.seen)
    }

    /// The violations that have been settled and not taken.
    pub(super) fn take(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.settled)
    }
}
