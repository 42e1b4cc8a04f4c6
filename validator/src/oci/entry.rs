//! An entry of an archive as the reader tells it.

use super::header::Type;
use super::violations::Violations;

/// An entry that can be judged.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// Where its header begins.
    pub(super) start: u64,
    pub(super) kind: Type,
    pub(super) path: &'a [u8],
    pub(super) target: &'a [u8],
    pub(super) mode: u32,
    /// Bytes of data that follow.
    pub(super) size: u64,
    pub(super) is_sparse: bool,
}

/// What the reader tells about an archive.
pub(super) trait Sink {
    /// An entry begins. Whether it could be judged.
    fn entry(&mut self, entry: &Entry<'_>, out: &mut Violations) -> bool;
    /// Some of the data of the entry that began last.
    fn data(&mut self, bytes: &[u8]);
}
