//! What the manifests of an archive name, looked up by digest: an archive can have as many of both as it likes.

use std::collections::{BTreeSet, HashMap};

use crate::clause;
use crate::diagnostic::Violation;
use crate::digest::Digest;
use crate::manifest::{Layer, Outline};
use crate::store::image::{Manifests, judge_blob, with_descriptor};
use crate::store::layout::{FileKind, path_of};
use crate::store::order::{InImage, Position};

/// What a descriptor says that a blob is. What comes first counts where several say different things (STO-034).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Listing,
    Layer,
    Attachment,
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Self::Listing => "a listing",
            Self::Layer => "a layer",
            Self::Attachment => "an attachment",
        }
    }
}

/// The first descriptor of its kind that names a blob.
#[derive(Debug, Clone, Copy)]
pub(super) struct Role {
    pub(super) kind: Kind,
    /// The length that it gives.
    pub(super) size: u64,
    /// The layer that it is a part of, for layers and listings.
    pub(super) layer: Option<Layer>,
}

/// A blob that a manifest names.
struct Blob {
    role: Role,
    /// Where it is first needed.
    position: Position,
}

/// A blob that has come.
struct Came {
    /// What it was taken for, if a manifest before it names it.
    kind: Option<Kind>,
    length: u64,
    /// The length that it has been judged by.
    judged: Option<u64>,
}

/// What the manifests that were read so far name, and the blobs that have come.
#[derive(Default)]
pub(super) struct Named {
    blobs: HashMap<Digest, Blob>,
    /// The first manifest with a descriptor of this digest and size.
    descriptors: HashMap<(Digest, u64), Digest>,
    came: HashMap<Digest, Came>,
}

impl Named {
    /// Takes note of what a manifest names.
    pub(super) fn learn(&mut self, id: Digest, outline: &Outline) {
        for (index, attachment) in &outline.attachments {
            let role = Role { kind: Kind::Attachment, size: attachment.size, layer: None };
            self.insert(id, attachment.digest, role, InImage::Attachment(*index));
        }
        for (index, layer) in &outline.layers {
            let role = |kind, size| Role { kind, size, layer: Some(*layer) };
            let listing = layer.listing;
            self.insert(id, listing.digest, role(Kind::Listing, listing.size), InImage::Layer(*index, false));
            self.insert(id, layer.digest, role(Kind::Layer, layer.size), InImage::Layer(*index, true));
        }
    }

    fn insert(&mut self, id: Digest, digest: Digest, role: Role, place: InImage) {
        self.descriptors.entry((digest, role.size)).or_insert(id);
        let known = self.blobs.entry(digest).or_insert_with(|| Blob { role, position: Position::Image(id, place) });
        if role.kind < known.role.kind {
            known.role = role;
        }
    }

    /// What a blob is.
    pub(super) fn role(&self, digest: Digest) -> Option<Role> {
        self.blobs.get(&digest).map(|blob| blob.role)
    }

    /// Where a blob stands (STO-029).
    pub(super) fn position(&self, digest: Digest) -> Option<Position> {
        self.blobs.get(&digest).map(|blob| blob.position.clone())
    }

    /// The first manifest that has a descriptor of this digest and size.
    pub(super) fn named_by(&self, digest: Digest, size: u64) -> Option<Digest> {
        self.descriptors.get(&(digest, size)).copied()
    }

    /// Takes note of a blob that comes now.
    pub(super) fn comes(&mut self, digest: Digest, length: u64) {
        let role = self.role(digest);
        let came = Came { kind: role.map(|role| role.kind), length, judged: role.map(|role| role.size) };
        self.came.insert(digest, came);
    }

    /// STO-034
    pub(super) fn judge_kinds(&self, manifests: &Manifests, out: &mut Vec<Violation>) {
        for (id, outline) in manifests {
            for (index, layer) in &outline.layers {
                for (digest, kind) in [(layer.listing.digest, Kind::Listing), (layer.digest, Kind::Layer)] {
                    let Some(came) = self.came.get(&digest).and_then(|came| came.kind) else { continue };
                    if came == kind {
                        continue;
                    }
                    let member = if kind == Kind::Listing { "/listing" } else { "" };
                    let place = outline.place(&format!("/layers/{index}{member}"));
                    let message = format!("the blob {digest} is {} here, but came as {}", kind.words(), came.words());
                    let file = path_of(&FileKind::Manifest(*id));
                    out.push(Violation::new(&clause::STO_034, place.file(file), message));
                }
            }
        }
    }

    /// NAM-028 by the descriptors that a blob was not judged by when it came.
    pub(super) fn judge_lengths(&self, manifests: &Manifests, out: &mut Vec<Violation>) {
        let mut done = BTreeSet::new();
        for (id, outline) in manifests {
            for (digest, size, _) in outline.descriptors() {
                let Some(came) = self.came.get(&digest).filter(|came| came.judged.is_some_and(|judged| judged != size))
                else {
                    continue;
                };
                if done.insert((digest, size)) {
                    let path = path_of(&FileKind::Blob(digest));
                    let judged = judge_blob(&path, (digest, size), (came.length, digest));
                    out.extend(judged.map(|violation| with_descriptor(violation, (digest, size), [(id, outline)])));
                }
            }
        }
    }
}
