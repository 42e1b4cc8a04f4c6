//! The layers of the result of an import, and the tree that they merge to (OCI-135, OCI-148).

use std::path::Path;

use tempfile::NamedTempFile;

use super::Change;
use super::found::FoundLayer;
use super::layer::rebuild;
use super::rootfs::Rootfs;
use crate::build::{BuildError, BuiltLayer, SourceNode, SourceTree, build_layer};
use crate::layer::{Attributes, Node};
use crate::limits::Limits;
use crate::shown::quoted;

/// The layers of an image, written anew.
pub(super) struct Layers<'a> {
    pub(super) rootfs: Rootfs,
    pub(super) built: Vec<BuiltLayer>,
    pub(super) folder: &'a Path,
    pub(super) changes: Vec<Change>,
}

impl Layers<'_> {
    /// Adds a layer, unless it is empty (OCI-135).
    pub(super) fn add(&mut self, layer: &FoundLayer, read: fn(u64)) -> Result<(), BuildError> {
        let name = layer.name();
        let decoded = layer.decoded(self.folder, read)?;
        let (tree, changes) = rebuild(decoded.path(), &name, &self.rootfs)?;
        self.changes.extend(changes);
        if tree.is_empty() {
            self.changes.push(Change::new("OCI-135", "", format!("{name} is left out: it has no entry")));
            return Ok(());
        }
        self.build(tree, Some(decoded)).map_err(|error| match error {
            BuildError::Refused(why) => BuildError::Refused(format!("{name}: {why}")),
            other => other,
        })
    }

    fn build(&mut self, tree: SourceTree, keeps: Option<NamedTempFile>) -> Result<(), BuildError> {
        let mut built = build_layer(&tree, self.folder, &Limits::FORMAT)?;
        self.rootfs.add(tree, std::mem::take(&mut built.entries), keeps);
        self.built.push(built);
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
