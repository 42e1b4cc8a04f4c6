//! The files that a manifest is drafted for: what is where, and what stands in it.

use std::io::Read;

use tempfile::NamedTempFile;

use super::elf;
use crate::build::{SourceNode, SourceTree};
use crate::cli::Failure;
use crate::cli::listing::entries;
use crate::layer::{Attributes, Node, Resolved, Tree};
use crate::limits::Limits;
use crate::manifest::Platform;

/// Folders where the programs of the author stand, and then those of a distribution.
const OWN: [&str; 4] = ["", "app", "usr/local/bin", "usr/local/sbin"];
const SYSTEM: [&str; 4] = ["bin", "usr/bin", "sbin", "usr/sbin"];

/// A file that is read into memory is no longer than this.
const MAX_READ: u64 = 1 << 20;

/// The merged tree of sources, and where the contents of its files are.
#[derive(Default)]
pub(super) struct Rootfs {
    pub(super) tree: Tree,
    sources: Vec<(SourceTree, Option<NamedTempFile>)>,
}

impl Rootfs {
    /// Adds a source above what is there; the file keeps its contents.
    pub(super) fn add_source(&mut self, source: SourceTree, spool: Option<NamedTempFile>) -> Result<(), Failure> {
        self.tree.merge(entries(&source)?);
        self.sources.push((source, spool));
        Ok(())
    }

    /// The path and attributes of the executable file that an absolute path resolves to.
    pub(super) fn program(&self, path: &str) -> Option<(String, &Attributes)> {
        let (Resolved::Entry { path, entry }, _) = self.tree.resolve(path, &Limits::FORMAT) else { return None };
        match &entry.node {
            Node::File { attributes, .. } | Node::Hardlink { attributes, .. } if attributes.mode & 0o111 != 0 => {
                Some((path, attributes))
            }
            _ => None,
        }
    }

    /// Whether an absolute path resolves to a directory.
    pub(super) fn is_directory(&self, path: &str) -> bool {
        match self.tree.resolve(path, &Limits::FORMAT).0 {
            Resolved::Root => true,
            Resolved::Entry { entry, .. } => matches!(entry.node, Node::Dir { .. }),
            Resolved::Nothing(_) => false,
        }
    }

    /// The beginning of the file that an absolute path resolves to, as far as it is read at all.
    pub(super) fn read(&self, path: &str, limit: u64) -> Option<Vec<u8>> {
        let (Resolved::Entry { path, entry }, _) = self.tree.resolve(path, &Limits::FORMAT) else { return None };
        let (source, _) = self.sources.get(entry.layer)?;
        let Some(SourceNode::File { content, .. }) = source.get(&path) else { return None };
        let mut bytes = Vec::new();
        content.open().ok()?.take(limit).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// The lines of a small text file, each divided at colons; none if it is not there.
    pub(super) fn table(&self, path: &str) -> Vec<Vec<String>> {
        let text = self.read(path, MAX_READ).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().map(|line| line.split(':').map(str::to_owned).collect()).collect()
    }

    /// The platform of the program at an absolute path, or of the first one found where programs stand.
    pub(super) fn platform(&self, program: Option<&str>) -> Option<Platform> {
        let of = |path: &str| self.read(path, 64).and_then(|head| elf::platform(&head));
        program.and_then(of).or_else(|| {
            let programs = OWN.iter().chain(&SYSTEM).flat_map(|folder| self.programs_in(folder));
            programs.into_iter().find_map(|path| of(&path))
        })
    }

    /// The programs that can be meant: those of the author if there are any, else those of the system.
    pub(super) fn candidates(&self) -> Vec<String> {
        let of =
            |folders: &[&str]| -> Vec<String> { folders.iter().flat_map(|folder| self.programs_in(folder)).collect() };
        let own = of(&OWN);
        if own.is_empty() { of(&SYSTEM) } else { own }
    }

    /// Absolute paths of the executable files of a folder; links are other names of them.
    fn programs_in(&self, folder: &str) -> Vec<String> {
        let is_program = |node: &Node| match node {
            Node::File { attributes, .. } => attributes.mode & 0o111 != 0,
            _ => false,
        };
        self.tree
            .iter()
            .filter(|(path, entry)| {
                path.rsplit_once('/').map_or("", |(folder, _)| folder) == folder && is_program(entry.node)
            })
            .map(|(path, _)| format!("/{path}"))
            .collect()
    }
}
