//! Reading the layers of an image, each once: hashed, walked and written.

use std::io::{self, Read};

use super::disk::Target;
use super::plan::{Documents, Layer, Plan, is_error};
use super::view::OneImage;
use super::writing::LayerFiles;
use super::{Options, UnpackError};
use crate::diagnostic::Violation;
use crate::digest::{Digest, Hasher};
use crate::layer::{Walk, Walker};
use crate::limits::Limits;
use crate::manifest::{check_interpreter, exec_file};
use crate::store::Stored;
use crate::store::lanes::{self, Lane};

/// Writes the files of all layers; says whether the layers are those that are meant, and valid.
pub(super) fn write(
    view: &OneImage<'_>,
    documents: &Documents<'_>,
    plan: &Plan,
    target: &Target,
    options: &Options,
    unreadable: impl Fn(io::Error) -> UnpackError,
) -> Result<bool, UnpackError> {
    let limits = &options.limits;
    let mut readings: Vec<Reading<'_>> = documents
        .layers
        .iter()
        .zip(&plan.files)
        .map(|(layer, places)| {
            let files = LayerFiles::new(plan, target, &layer.entries, places);
            let walker = Walker::with_contents(limits.clone(), files);
            Reading { layer, source: None, hasher: Hasher::default(), walker }
        })
        .collect();
    let lanes = readings.iter_mut().map(|reading| reading.lane(view, target, limits)).collect();
    let errors = lanes::run(lanes, options.jobs);
    for (reading, error) in readings.iter_mut().zip(errors) {
        if let Some(failure) = reading.walker.contents().take_failure() {
            return Err(failure);
        }
        if let Some(error) = error {
            return Err(unreadable(error));
        }
    }
    let mut walks = Vec::new();
    for reading in readings {
        let Some(walk) = reading.finish() else { return Ok(false) };
        walks.push(walk);
    }
    Ok(starts(documents, &walks, limits))
}

/// Whether the program that the image starts has what it needs, as far as its first bytes tell.
fn starts(documents: &Documents<'_>, walks: &[Walk], limits: &Limits) -> bool {
    let judged = exec_file(documents.outline, &documents.tree, limits).and_then(|exec| {
        let interpreter = walks.get(exec.layer)?.interpreters.get(exec.entry)?;
        check_interpreter(documents.outline, interpreter, &documents.tree, limits)
    });
    !judged.as_ref().is_some_and(is_error)
}

struct Reading<'a> {
    layer: &'a Layer,
    source: Option<Stored<'a>>,
    hasher: Hasher,
    walker: Walker<LayerFiles<'a>>,
}

impl<'a> Reading<'a> {
    fn lane<'b>(&'b mut self, view: &'a OneImage<'_>, target: &'b Target, limits: &'b Limits) -> Lane<'b> {
        let Self { layer, source, hasher, walker } = self;
        Lane::new(
            Box::new(move |buffer| {
                if target.is_stopped() {
                    return Ok(0);
                }
                if source.is_none() {
                    *source = Some(Stored::open(view, &layer.kind, layer.descriptor.size, limits)?);
                }
                source.as_mut().map_or(Ok(0), |source| source.read(buffer))
            }),
            [Box::new(move |bytes| hasher.update(bytes)), Box::new(move |bytes| walker.push(bytes))],
        )
    }

    /// What was found, if the layer is the one that is meant, valid, and has the listing that is meant.
    fn finish(self) -> Option<Walk> {
        let Self { layer, source, hasher, walker } = self;
        let (walk, _) = walker.finish();
        let frame: Vec<Violation> = source.map(Stored::frame).unwrap_or_default();
        let seen: (u64, Digest) = (hasher.size(), hasher.finish());
        let listing = layer.descriptor.listing;
        let is_good = frame.is_empty()
            && seen == (layer.descriptor.size, layer.descriptor.digest)
            && !walk.violations.iter().any(is_error)
            && (walk.listing_size, walk.listing) == (listing.size, listing.digest);
        is_good.then_some(walk)
    }
}
