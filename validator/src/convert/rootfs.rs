//! The merged tree of layers or other sources, and where the contents of its files are.

use std::io::Read;

use tempfile::NamedTempFile;

use crate::build::{SourceNode, SourceTree};
use crate::layer::{Attributes, Entry, Node, Resolved, Tree};
use crate::limits::Limits;

/// A file that is read into memory is no longer than this.
const MAX_READ: u64 = 1 << 20;

/// A merged tree whose files can be read.
#[derive(Debug, Default)]
pub(crate) struct Rootfs {
    pub(crate) tree: Tree,
    sources: Vec<(SourceTree, Option<NamedTempFile>)>,
}

impl Rootfs {
    /// Adds a source with these entries above what is there; `keeps` is a file with its contents.
    pub(crate) fn add(&mut self, source: SourceTree, entries: Vec<Entry>, keeps: Option<NamedTempFile>) {
        self.tree.merge(entries);
        self.sources.push((source, keeps));
    }

    /// What stands at a path, no link followed, with the place of its content.
    pub(crate) fn node(&self, path: &str) -> Option<&SourceNode> {
        let layer = self.tree.get(path)?.layer;
        self.sources.get(layer)?.0.get(path)
    }

    /// The path and attributes of the executable file that an absolute path resolves to.
    pub(crate) fn program(&self, path: &str) -> Option<(String, &Attributes)> {
        let (Resolved::Entry { path, entry }, _) = self.tree.resolve(path, &Limits::FORMAT) else { return None };
        match &entry.node {
            Node::File { attributes, .. } | Node::Hardlink { attributes, .. } if attributes.mode & 0o111 != 0 => {
                Some((path, attributes))
            }
            _ => None,
        }
    }

    /// The beginning of the file that an absolute path resolves to, as far as it is read at all.
    pub(crate) fn read(&self, path: &str, limit: u64) -> Option<Vec<u8>> {
        let (Resolved::Entry { path, .. }, _) = self.tree.resolve(path, &Limits::FORMAT) else { return None };
        let Some(SourceNode::File { content, .. }) = self.node(&path) else { return None };
        let mut bytes = Vec::new();
        content.open().ok()?.take(limit).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// The lines of a text file, each divided at colons; none if it is not there. A line ends at a newline, with a
    /// carriage return before it or without.
    pub(crate) fn table(&self, path: &str) -> Vec<Vec<Vec<u8>>> {
        let text = self.read(path, MAX_READ).unwrap_or_default();
        let lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        lines.map(|line| line.split(|byte| *byte == b':').map(<[u8]>::to_vec).collect()).collect()
    }
}
