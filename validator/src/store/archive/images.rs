//! What needs several files of an archive: the merged tree of an image, and what is missing at the end.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::image::{judge_listing, judge_manifests};
use super::super::layout::{FileKind, path_of};
use super::listings::{Listing, bytes_of};
use super::verdicts::Verdict;
use super::{ArchiveSink, Current, Progress};
use crate::clause;
use crate::diagnostic::{Place, Violation};
use crate::digest::Digest;
use crate::layer::{ListingKind, Tree, read_listing};
use crate::manifest::{ListingDescriptor, check_interpreter, check_rootfs, exec_file};

impl ArchiveSink {
    /// Merges the listings of the current image that have come.
    pub(super) fn advance(&mut self) {
        let Some(outline) = self.current_image.and_then(|id| self.manifests.get(&id)) else { return };
        while let Some(progress) = &mut self.progress {
            let Some((_, layer)) = outline.layers.get(progress.next) else { return };
            match self.listings.get(&layer.listing.digest) {
                Some(Listing::Clean(entries)) => {
                    let entries = Arc::clone(entries);
                    let ListingDescriptor { digest, size } = layer.listing;
                    if progress.tree.is_new() {
                        progress.tree = Tree::of_layer(entries, digest, size);
                    } else {
                        progress.tree.merge(entries);
                    }
                    progress.next += 1;
                }
                Some(Listing::Flawed) => self.progress = None,
                Some(Listing::Unread(_)) | None => return,
            }
        }
    }

    /// Looks into the listing that came last, if that has not been done.
    pub(super) fn read_unread(&mut self, out: &mut Vec<Violation>) {
        let Some(digest) = self.unread.take() else { return };
        match self.listings.insert(digest, Listing::Flawed) {
            Some(Listing::Unread(source)) => self.read_listing(digest, &source.into_bytes(), true, out),
            Some(known) => {
                self.listings.insert(digest, known);
            }
            None => {}
        }
    }

    /// Looks into a listing; `is_named` tells whether it is the one that its descriptor names.
    pub(super) fn read_listing(&mut self, digest: Digest, source: &[u8], is_named: bool, out: &mut Vec<Violation>) {
        let listing = read_listing(source, ListingKind::Layer, &self.limits);
        let is_clean = is_named && listing.violations.is_empty();
        let known = if is_clean { Listing::Clean(Arc::new(listing.entries)) } else { Listing::Flawed };
        let path = path_of(&FileKind::Blob(digest));
        out.extend(listing.violations.into_iter().map(|violation| violation.in_file(&path)));
        self.listings.insert(digest, known);
        self.advance();
    }

    /// What the current image's `exec` resolves to by the listings that have come.
    pub(super) fn program(&self) -> Option<(Digest, usize)> {
        let outline = self.manifests.get(&self.current_image?)?;
        let exec = exec_file(outline, &self.progress.as_ref()?.tree, &self.limits)?;
        let (_, layer) = outline.layers.get(exec.layer)?;
        Some((layer.digest, exec.entry))
    }

    /// All entries of the current image have come.
    pub(super) fn end_image(&mut self, out: &mut Vec<Violation>) {
        self.read_unread(out);
        let progress = self.progress.take();
        let Some(id) = self.current_image.take() else { return };
        let path = path_of(&FileKind::Manifest(id));
        if let (Some(outline), Some(Progress { tree, next })) = (self.manifests.get(&id), progress)
            && next == outline.layers.len()
        {
            let judged = check_rootfs(outline, &tree, &self.limits);
            out.extend(judged.into_iter().map(|violation| violation.in_file(&path)));
            // A layer that is another one or has violations is not looked into.
            if let Some(exec) = exec_file(outline, &tree, &self.limits)
                && let Some((_, layer)) = outline.layers.get(exec.layer)
                && self.programs.contains(&(layer.digest, exec.entry))
                && let Some(facts) = self.walks.get(&layer.digest).filter(|facts| facts.clean)
                && let Some(interpreter) = facts.interpreters.get(exec.entry)
                && let Some(violation) = check_interpreter(outline, interpreter, &tree, &self.limits)
            {
                self.later.push((out.len(), Verdict::OfLayer(layer.digest, violation.in_file(&path))));
            }
        }
    }

    /// No more entries come; `whole` tells whether the archive has been read to its end.
    pub(super) fn end(&mut self, whole: bool, out: &mut Vec<Violation>) {
        if let Current::Layer(descriptor, walking) = std::mem::replace(&mut self.current, Current::Nothing)
            && let Some(source) = walking.finish().listing
        {
            self.read_listing(descriptor.listing.digest, &source, true, out);
        }
        self.read_unread(out);
        if whole {
            self.end_image(out);
        }
    }

    /// What is said of the archive as a whole, after all digests have come; nothing is missing in one that
    /// has not been read to its end.
    pub(super) fn judge_whole(&self, whole: bool, out: &mut Vec<Violation>) {
        if self.first {
            let message = "the archive has no entry";
            out.push(Violation::new(&clause::STO_025, Place::default(), message));
        }
        if self.not_an_archive {
            return;
        }
        self.judge_listings(out);
        out.extend(judge_manifests(&self.manifests));
        self.named.judge_lengths(&self.manifests, out);
        self.named.judge_kinds(&self.manifests, out);
        if !whole {
            return;
        }
        for ((set, image), folder) in &self.folders {
            out.extend(folder.judge(*set, *image, &self.limits));
        }
        // STO-007
        for (id, outline) in &self.manifests {
            let mut missing = BTreeSet::new();
            for (digest, _, pointer) in outline.descriptors() {
                if !self.seen.contains(&path_of(&FileKind::Blob(digest))) && missing.insert(digest) {
                    let place = outline.place(&pointer).file(path_of(&FileKind::Manifest(*id)));
                    out.push(Violation::new(&clause::STO_007, place, format!("the blob {digest} is missing")));
                }
            }
        }
    }

    /// LST-016
    fn judge_listings(&self, out: &mut Vec<Violation>) {
        let mut done = BTreeSet::new();
        for outline in self.manifests.values() {
            for (_, layer) in &outline.layers {
                if let Some(Listing::Clean(entries)) = self.listings.get(&layer.listing.digest)
                    && done.insert((layer.digest, layer.listing.digest))
                    && let Some(facts) = self.walks.get(&layer.digest)
                    && facts.clean
                    && facts.listing != layer.listing.digest
                {
                    // They are clean, so that writing them gives the listing.
                    out.push(judge_listing(facts, layer.listing.digest, &bytes_of(entries)));
                }
            }
        }
    }
}
