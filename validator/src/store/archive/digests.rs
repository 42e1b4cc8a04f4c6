//! The digests of an archive's blobs, which can be computed beside the check that waits for them.

use crate::diagnostic::Violation;
use crate::digest::{Digest, Hasher};
use crate::limits::Limits;
use crate::tar::{self, Profile, Reader, Sink};

/// A blob that has been hashed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hashed {
    /// Where its entry begins in the archive.
    pub(super) start: u64,
    /// Its length and digest.
    pub(super) seen: (u64, Digest),
}

/// Hashes the blobs of an archive that comes in pieces.
pub(super) struct Digests {
    reader: Reader,
    sink: Blobs,
}

#[derive(Default)]
struct Blobs {
    /// Where the entry of the blob that is coming begins, and its hash.
    current: Option<(u64, Hasher)>,
    done: Vec<Hashed>,
}

impl Digests {
    pub(super) fn new(limits: Limits) -> Self {
        Self { reader: Reader::new(Profile::Archive, limits), sink: Blobs::default() }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.reader.push(bytes, &mut self.sink);
        // The check says what is wrong.
        self.reader.take_violations();
    }

    /// The blobs that are complete and have not been taken, in the order of the archive.
    pub(super) fn take(&mut self) -> Vec<Hashed> {
        std::mem::take(&mut self.sink.done)
    }
}

impl Sink for Blobs {
    fn entry(&mut self, entry: &tar::Entry, _: &mut Vec<Violation>) {
        self.current = entry.path.starts_with(b"blobs/").then(|| (entry.start, Hasher::default()));
    }

    fn data(&mut self, bytes: &[u8]) {
        if let Some((_, hasher)) = &mut self.current {
            hasher.update(bytes);
        }
    }

    fn end_of_entry(&mut self, _: &mut Vec<Violation>) {
        if let Some((start, hasher)) = self.current.take() {
            self.done.push(Hashed { start, seen: (hasher.size(), hasher.finish()) });
        }
    }

    fn passed_over(&mut self) {}
}
