//! The files of a layer, written while it is walked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;

use super::UnpackError;
use super::disk::{Parents, Target};
use super::plan::Plan;
use crate::digest::Digest;
use crate::layer::{Contents, Entry, Node};
use crate::shown::quoted;

/// Writes the files of one layer that the plan has, and nothing else of what the layer says.
pub(super) struct LayerFiles<'a> {
    plan: &'a Plan,
    target: &'a Target,
    /// The entries of the layer's listing.
    listed: &'a [Entry],
    /// Where in the plan the bytes of which entry go.
    places: &'a BTreeMap<usize, usize>,
    parents: Parents,
    open: Option<Open<'a>>,
    failure: Option<UnpackError>,
}

/// The file that is being written.
struct Open<'a> {
    file: File,
    /// Its place in the plan, and what it is there.
    place: usize,
    entry: &'a Entry,
    /// Bytes that have not come.
    missing: u64,
}

impl<'a> LayerFiles<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        target: &'a Target,
        listed: &'a [Entry],
        places: &'a BTreeMap<usize, usize>,
    ) -> Self {
        Self { plan, target, listed, places, parents: Parents::default(), open: None, failure: None }
    }

    /// Why a file could not be written.
    pub(super) fn take_failure(&mut self) -> Option<UnpackError> {
        self.failure.take()
    }

    fn try_begin(&mut self, number: usize, entry: &Entry) -> Result<(), UnpackError> {
        let Some(place) = self.places.get(&number).copied() else { return Ok(()) };
        let (Some(listed), Some(planned)) = (self.listed.get(number), self.plan.entries.get(place)) else {
            return Ok(());
        };
        // A layer that says something else than its listing is not the one that is meant.
        let size = match (&entry.node, &listed.node) {
            (Node::File { size, .. }, Node::File { size: listed_size, .. })
                if entry.path == listed.path && size == listed_size =>
            {
                *size
            }
            _ => {
                self.target.stop();
                return Ok(());
            }
        };
        let file = self.target.make_file(&mut self.parents, &planned.path)?;
        self.open = Some(Open { file, place, entry: planned, missing: size });
        Ok(())
    }

    fn try_end(&mut self, sha256: Digest) -> Result<(), UnpackError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        match &open.entry.node {
            Node::File { attributes, sha256: planned, .. } if *planned == sha256 && open.missing == 0 => {
                self.target.settle_file(&open.file, (open.place, &open.entry.path), attributes)
            }
            _ => {
                self.target.stop();
                Ok(())
            }
        }
    }

    fn settle(&mut self, result: Result<(), UnpackError>) {
        if let Err(error) = result {
            self.target.stop();
            self.open = None;
            self.failure.get_or_insert(error);
        }
    }
}

impl Contents for LayerFiles<'_> {
    fn begin(&mut self, number: usize, entry: &Entry) {
        self.open = None;
        if !self.target.is_stopped() {
            let result = self.try_begin(number, entry);
            self.settle(result);
        }
    }

    fn data(&mut self, bytes: &[u8]) {
        let Some(open) = &mut self.open else { return };
        let Some(missing) = open.missing.checked_sub(bytes.len() as u64) else {
            self.open = None;
            self.target.stop();
            return;
        };
        open.missing = missing;
        let path = &open.entry.path;
        let written =
            open.file.write_all(bytes).map_err(UnpackError::io(format!("{} cannot be written", quoted(path))));
        self.settle(written);
    }

    fn end(&mut self, sha256: Digest) {
        let result = self.try_end(sha256);
        self.settle(result);
    }
}
