//! How far a check goes.

/// How far a check of an image goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Extent {
    /// Everything is judged.
    #[default]
    Whole,
    /// Documents, and the lengths and digests of blobs as they are stored. Layers and listings are hashed and not
    /// looked into; what is stored compressed under the digest of its content is not read.
    Digests,
}
