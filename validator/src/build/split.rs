//! Archives whose files have been taken out of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::tree::Content;
use crate::digest::Digest;

/// An archive that has holes where it had the data of its files, which stand in files of their own.
#[derive(Debug)]
pub struct SplitArchive {
    /// The archive, with zero bytes for the data that stand elsewhere.
    pub frame: PathBuf,
    /// Where the files are, each called by the place of its data in the archive, in decimal.
    pub folder: PathBuf,
    /// Their sizes, in bytes, and digests, by that place; at least one byte each.
    pub files: BTreeMap<u64, (u64, Digest)>,
}

impl SplitArchive {
    /// Where the `size` bytes of data are that stood at `at`; nothing if they are only a part of a file, or there is
    /// one among them.
    pub(super) fn content(&self, at: u64, size: u64) -> Option<Content> {
        if let Some((_, digest)) = self.files.get(&at).filter(|(known, _)| *known == size) {
            return Some(Content::Kept(self.folder.join(at.to_string()), *digest));
        }
        let end = at.saturating_add(size);
        let last = self.files.range(..end).next_back();
        let is_apart = size == 0 || last.is_none_or(|(start, (length, _))| start.saturating_add(*length) <= at);
        is_apart.then(|| Content::Part(self.frame.clone(), at, size))
    }
}
