//! The files that a manifest is drafted for: which programs there are, and what they run on.

use tempfile::NamedTempFile;

use super::elf;
use crate::build::SourceTree;
use crate::cli::Failure;
use crate::cli::listing::entries;
use crate::convert::rootfs::Rootfs;
use crate::layer::{Node, Resolved};
use crate::limits::Limits;
use crate::manifest::Platform;

/// Folders where the programs of the author stand, and then those of a distribution.
const OWN: [&str; 4] = ["", "app", "usr/local/bin", "usr/local/sbin"];
const SYSTEM: [&str; 4] = ["bin", "usr/bin", "sbin", "usr/sbin"];

impl Rootfs {
    /// Adds a source above what is there; the file keeps its contents.
    pub(super) fn add_source(&mut self, source: SourceTree, spool: Option<NamedTempFile>) -> Result<(), Failure> {
        let entries = entries(&source)?;
        self.add(source, entries, spool);
        Ok(())
    }

    /// Whether an absolute path resolves to a directory.
    pub(super) fn is_directory(&self, path: &str) -> bool {
        match self.tree.resolve(path, &Limits::FORMAT).0 {
            Resolved::Root => true,
            Resolved::Entry { entry, .. } => matches!(entry.node, Node::Dir { .. }),
            Resolved::Nothing(_) => false,
        }
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
