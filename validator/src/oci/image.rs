//! The images of a layout: configs against layers and trees (OCI-035 to OCI-040).

use std::collections::BTreeSet;
use std::io;

use super::blobs::Blobs;
use super::config::{Config, Spotted};
use super::descriptor::{Descriptor, Spot};
use super::digest;
use super::process::judge_process;
use super::reading::{Key, Layers};
use super::stored::Compression;
use super::tree::Tree;
use super::violations::Violations;
use crate::clause;
use crate::diagnostic::Findings;
use crate::shown::quoted;

/// An image: its layers and its config.
pub(super) struct Image {
    /// The layers, as far as they can be looked into; absent if it is not known which they are.
    pub(super) layers: Option<Vec<Option<Key>>>,
    pub(super) config: Option<Config>,
}

/// OCI-038 to OCI-040: layers as a manifest describes them, which stand at `spot` in the file `manifest`.
pub(super) fn judge_layers(
    manifest: &str,
    spot: Option<&Spot>,
    layers: &[Descriptor],
    blobs: &mut Blobs<'_>,
    findings: &mut Findings,
) -> io::Result<()> {
    // OCI-038
    if let (true, Some(spot)) = (layers.is_empty(), spot) {
        findings.add(blobs.late(&clause::OCI_038, manifest, spot, "the image has no layer")?);
    }
    for layer in layers {
        let kind = &layer.media_type;
        let clause = match Compression::of_media_type(kind) {
            None if !layer.has_type => continue,
            // OCI-039
            None => &clause::OCI_039,
            // OCI-040
            Some(_) if kind.contains("nondistributable") || kind.contains("foreign") => &clause::OCI_040,
            Some(_) => continue,
        };
        let message = format!("the layer is of the type {}", quoted(kind));
        findings.add(blobs.late(clause, manifest, &layer.spot, message)?);
    }
    Ok(())
}

/// What a layer is read as; `None` if it cannot be looked into.
pub(super) fn key(layer: &Descriptor) -> Option<Key> {
    let compression = Some(Compression::of_media_type(&layer.media_type)?);
    Some(Key { path: digest::path(layer.digest.as_ref()?), compression })
}

impl Image {
    /// The layers that can be looked into.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.layers.iter().flatten().flatten()
    }

    /// OCI-035, OCI-036, OCI-037: the config against the layers.
    pub(super) fn judge_config(
        &self,
        blobs: &mut Blobs<'_>,
        walked: &Layers,
        findings: &mut Findings,
    ) -> io::Result<()> {
        let (Some(config), Some(layers)) = (&self.config, &self.layers) else { return Ok(()) };
        // OCI-037
        if let Some(Spotted { value, spot }) = &config.history
            && *value != layers.len()
        {
            let message = format!(
                "the history has {} with a layer for {}",
                count(*value, "element"),
                count(layers.len(), "layer")
            );
            findings.add(blobs.late(&clause::OCI_037, &config.path, spot, message)?);
        }
        let Some(Spotted { value: diff_ids, spot }) = &config.diff_ids else { return Ok(()) };
        // OCI-035
        if diff_ids.len() != layers.len() {
            let message =
                format!("`diff_ids` has {} for {}", count(diff_ids.len(), "element"), count(layers.len(), "layer"));
            findings.add(blobs.late(&clause::OCI_035, &config.path, spot, message)?);
            return Ok(());
        }
        for (Spotted { value, spot }, layer) in diff_ids.iter().zip(layers) {
            let layer = layer.as_ref().and_then(|key| walked.get(key));
            let Some(layer) = layer.filter(|layer| layer.whole) else { continue };
            // OCI-036
            if let Some(diff_id) = value.as_ref().filter(|diff_id| diff_id.starts_with("sha256:"))
                && *diff_id != layer.decoded
            {
                let message = format!("the layer has the digest {}; the config gives {diff_id}", layer.decoded);
                findings.add(blobs.late(&clause::OCI_036, &config.path, spot, message)?);
            }
        }
        Ok(())
    }

    /// The layers one after the other, and what the config says against the tree that they merge to. `judged` are
    /// the stacks of layers that have been judged for another image.
    pub(super) fn judge_tree(
        &self,
        blobs: &mut Blobs<'_>,
        walked: &Layers,
        judged: &mut BTreeSet<Vec<Key>>,
        findings: &mut Findings,
    ) -> io::Result<()> {
        let (mut tree, mut stack) = (Tree::default(), Vec::new());
        let Some(layers) = &self.layers else { return Ok(()) };
        for layer in layers {
            let Some((key, layer)) = layer.as_ref().and_then(|key| walked.get_key_value(key)) else { return Ok(()) };
            if !layer.whole || !layer.layer.complete {
                return Ok(());
            }
            stack.push(key.clone());
            if judged.insert(stack.clone()) {
                let mut out = Violations::default();
                tree.judge(&layer.layer, &mut out);
                findings.extend(out.into_sorted().into_iter().map(|violation| violation.in_file(&key.path)));
            }
            tree.apply(&layer.layer);
        }
        let Some(config) = &self.config else { return Ok(()) };
        for (clause, spot, message) in judge_process(config, &tree, blobs.limits) {
            findings.add(blobs.late(clause, &config.path, &spot, message)?);
        }
        Ok(())
    }
}

/// A number of things.
fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
