//! The order of an archive's entries (STO-029).

use std::collections::BTreeSet;

use super::layout::{FileKind, SignatureSet, path_of};
use crate::digest::Digest;

/// Where an entry stands in the order of an archive (STO-029).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Position {
    Marker,
    Keyring(Vec<u8>, u64),
    Catalog(Vec<u8>),
    Image(Digest, InImage),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum InImage {
    Manifest,
    /// The index, or an envelope and whether it is its proof.
    Evidence(SignatureSet, Option<(Digest, bool)>),
    Attachment(usize),
    Layer(usize, bool),
}

/// Where a file stands, by the paths before it and by what manifests say of a blob; `None` if it belongs to none of them
/// (STO-031).
pub(super) fn position_of(
    kind: &FileKind,
    seen: &BTreeSet<String>,
    of_blob: impl FnOnce(Digest) -> Option<Position>,
) -> Option<Position> {
    let evidence = |set: SignatureSet, image: Digest, file| {
        let is_known = seen.contains(&path_of(&FileKind::Manifest(image)));
        is_known.then_some(Position::Image(image, InImage::Evidence(set, file)))
    };
    match kind {
        FileKind::Marker => Some(Position::Marker),
        FileKind::Keyring { authority, number } => Some(Position::Keyring(authority.clone().into_bytes(), *number)),
        FileKind::Catalog(name) => Some(Position::Catalog(name.clone().into_bytes())),
        FileKind::Manifest(id) => Some(Position::Image(*id, InImage::Manifest)),
        FileKind::Index(set, image) => evidence(*set, *image, None),
        FileKind::Envelope(set, image, digest) => evidence(*set, *image, Some((*digest, false))),
        FileKind::Proof(set, image, digest) => evidence(*set, *image, Some((*digest, true))),
        FileKind::Blob(digest) => of_blob(*digest),
        // These have no place in an archive (STO-028).
        FileKind::Packed(_) | FileKind::Torrent(_) => None,
    }
}
