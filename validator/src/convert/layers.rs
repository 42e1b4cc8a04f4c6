//! The layers of the result of an import, and the tree that they merge to (OCI-135, OCI-148).

use std::collections::BTreeMap;
use std::path::Path;

use tempfile::NamedTempFile;

use super::Change;
use super::found::FoundLayer;
use super::layer::rebuild;
use super::rootfs::Rootfs;
use crate::build::{
    BuildError, BuiltLayer, ForeignReader, SourceNode, SourceTree, SplitArchive, build_layer, list_layer,
};
use crate::layer::{Attributes, Node};
use crate::limits::Limits;
use crate::manifest::Layer;
use crate::shown::quoted;

/// The layers of an image, written anew.
pub(super) struct Layers<'a> {
    pub(super) rootfs: Rootfs,
    pub(super) built: Vec<BuiltLayer>,
    /// The descriptors of the layers; where none is written, with the digest and size of its listing.
    pub(super) descriptors: Vec<Layer>,
    pub(super) changes: Vec<Change>,
    origin: Origin<'a>,
}

/// Where the layers of others are, decoded.
#[derive(Clone, Copy)]
pub(super) enum Origin<'a> {
    /// Nowhere: they are decoded into this folder, into which the layers are written as well. The function is told of
    /// the bytes that have been read.
    Stored(&'a Path, fn(u64)),
    /// In archives by the path of the layer, whose files have been taken out. No layers are written.
    Kept(&'a KeptLayers),
}

/// Layers that have been kept while they were checked, by the path of the file that each was in.
pub type KeptLayers = BTreeMap<String, SplitArchive>;

impl<'a> Layers<'a> {
    pub(super) fn new(origin: Origin<'a>, changes: Vec<Change>) -> Self {
        Self { rootfs: Rootfs::default(), built: Vec::new(), descriptors: Vec::new(), changes, origin }
    }

    /// Adds a layer, unless it is empty (OCI-135).
    pub(super) fn add(&mut self, layer: &FoundLayer) -> Result<(), BuildError> {
        let name = layer.name();
        let ((tree, changes), keeps) = match self.origin {
            Origin::Stored(folder, read) => {
                let decoded = layer.decoded(folder, read)?;
                let reader = ForeignReader::open(decoded.path(), &name, false)?;
                (rebuild(reader, &name, &self.rootfs)?, Some(decoded))
            }
            Origin::Kept(kept) => {
                let Some(split) = kept.get(&layer.path) else {
                    let message = format!("{name} was not there when the image was checked; try again");
                    return Err(BuildError::Refused(message));
                };
                (rebuild(ForeignReader::open_split(split, &name)?, &name, &self.rootfs)?, None)
            }
        };
        self.changes.extend(changes);
        if tree.is_empty() {
            self.changes.push(Change::new("OCI-135", "", format!("{name} is left out: it has no entry")));
            return Ok(());
        }
        self.build(tree, keeps).map_err(|error| match error {
            BuildError::Refused(why) => BuildError::Refused(format!("{name}: {why}")),
            other => other,
        })
    }

    fn build(&mut self, tree: SourceTree, keeps: Option<NamedTempFile>) -> Result<(), BuildError> {
        let (entries, descriptor) = match self.origin {
            Origin::Stored(folder, _) => {
                let mut built = build_layer(&tree, folder, &Limits::FORMAT)?;
                let made = (std::mem::take(&mut built.entries), built.descriptor);
                self.built.push(built);
                made
            }
            Origin::Kept(_) => {
                let (entries, listing) = list_layer(&tree, &Limits::FORMAT)?;
                (entries, Layer { digest: listing.digest, size: listing.size, listing })
            }
        };
        self.descriptors.push(descriptor);
        self.rootfs.add(tree, entries, keeps);
        Ok(())
    }

    /// Where a clean absolute path leads, links followed, and the directories that are missing on the way (OCI-148).
    pub(super) fn real(&self, path: &str) -> Result<(String, Vec<String>), String> {
        let mut todo: Vec<&str> = path.split('/').rev().collect();
        let mut at: Vec<&str> = Vec::new();
        let (mut followed, mut missing) = (0, Vec::new());
        while let Some(component) = todo.pop() {
            match component {
                "" | "." => continue,
                ".." => {
                    at.pop();
                    continue;
                }
                name => at.push(name),
            }
            let here = at.join("/");
            match self.rootfs.tree.get(&here).map(|entry| entry.node) {
                None => missing.push(here),
                Some(Node::Dir { .. }) => {}
                Some(Node::Symlink { target, .. }) => {
                    followed += 1;
                    if followed > Limits::FORMAT.links_followed {
                        return Err("more than 40 symbolic links lead to it".to_owned());
                    }
                    at.pop();
                    if target.starts_with('/') {
                        at.clear();
                    }
                    todo.extend(target.split('/').rev());
                }
                Some(other) => {
                    return Err(format!("{} is {}, no directory", quoted(&format!("/{here}")), other.type_name()));
                }
            }
        }
        Ok((format!("/{}", at.join("/")), missing))
    }

    /// Adds the directories that are missing in one layer, 0755 and 0:0, below the ones that are there.
    pub(super) fn add_directories(&mut self, missing: &[String]) -> Result<(), BuildError> {
        if missing.is_empty() {
            return Ok(());
        }
        let mut tree = SourceTree::new(None);
        for path in missing {
            let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
            for directory in ends.filter_map(|end| path.get(..end)) {
                let attributes = match self.rootfs.tree.get(directory).map(|entry| entry.node) {
                    Some(Node::Dir { attributes, .. }) => attributes.clone(),
                    _ => Attributes { mode: 0o755, ..Attributes::default() },
                };
                tree.insert(directory.to_owned(), SourceNode::Dir { attributes, opaque: false });
            }
            self.changes.push(Change::new("OCI-148", format!("/{path}"), "the directory is added, as it is missing"));
        }
        self.build(tree, None)
    }
}
