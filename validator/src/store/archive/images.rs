//! What needs several files of an archive: the merged tree of an image, and what is missing at the end.

use std::collections::BTreeSet;

use super::super::image::{judge_listing, judge_manifests};
use super::super::layout::{FileKind, path_of};
use super::{ArchiveSink, Progress};
use crate::clause;
use crate::diagnostic::{Place, Violation};
use crate::digest::Digest;
use crate::layer::{ListingKind, read_listing};
use crate::manifest::{check_interpreter, check_rootfs, exec_file};

impl ArchiveSink {
    /// Merges the listings of the current image that have come.
    pub(super) fn advance(&mut self) {
        let Some(outline) = self.current_image.and_then(|id| self.manifests.get(&id)) else { return };
        while let Some(progress) = &mut self.progress {
            let Some((_, layer)) = outline.layers.get(progress.next) else { return };
            match self.listings.get(&layer.listing.digest) {
                Some(listing) if listing.clean => {
                    let entries = read_listing(listing.source.as_ref(), ListingKind::Layer, &self.limits).entries;
                    progress.tree.merge(entries);
                    progress.next += 1;
                }
                Some(_) => self.progress = None,
                None => return,
            }
        }
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
        let progress = self.progress.take();
        let Some(id) = self.current_image.take() else { return };
        let path = path_of(&FileKind::Manifest(id));
        if let (Some(outline), Some(Progress { tree, next })) = (self.manifests.get(&id), progress)
            && next == outline.layers.len()
        {
            let mut judged = check_rootfs(outline, &tree, &self.limits);
            // A layer that is another one or has violations is not looked into.
            if let Some(exec) = exec_file(outline, &tree, &self.limits)
                && let Some((_, layer)) = outline.layers.get(exec.layer)
                && self.programs.contains(&(layer.digest, exec.entry))
                && let Some(facts) = self.walks.get(&layer.digest).filter(|facts| facts.clean)
                && let Some(interpreter) = facts.interpreters.get(exec.entry)
            {
                judged.extend(check_interpreter(outline, interpreter, &tree, &self.limits));
            }
            out.extend(judged.into_iter().map(|violation| violation.in_file(&path)));
        }
    }

    /// `whole` tells whether the archive has been read to its end: otherwise nothing is missing.
    pub(super) fn finish(&mut self, whole: bool, out: &mut Vec<Violation>) {
        if whole {
            self.end_image(out);
        }
        if self.first {
            let message = "the archive has no entry";
            out.push(Violation::new(&clause::STO_025, Place::default(), message));
        }
        if self.not_an_archive {
            return;
        }
        self.judge_listings(out);
        out.extend(judge_manifests(&self.manifests));
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
                let listing = self.listings.get(&layer.listing.digest).filter(|listing| listing.clean);
                if let Some(listing) = listing
                    && done.insert((layer.digest, layer.listing.digest))
                    && let Some(facts) = self.walks.get(&layer.digest)
                {
                    out.extend(judge_listing(facts, layer.listing.digest, listing.source.as_ref()));
                }
            }
        }
    }
}
