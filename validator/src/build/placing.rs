//! A tree from a tar archive of any common dialect.

use std::path::Path;

use super::dialect::{Foreign, ForeignKind, Reader};
use super::directory::Ownership;
use super::names;
use super::tree::{BuildError, SourceNode, SourceTree};
use crate::layer::{Attributes, join};
use crate::shown::{quoted, shown_bytes};

/// Reads the uncompressed tar archive `source`, which messages call `name`, into `into`.
///
/// Later entries replace earlier ones with the same path; missing parents are added; whiteouts of OCI
/// layers are taken as such.
///
/// # Errors
///
/// Errors of the file system; an archive that is damaged, or holds something that a layer cannot hold.
/// Devices, FIFOs and extended attributes of other kinds are left out with a note.
pub fn read_tar(source: &Path, name: &str, ownership: &Ownership, into: &mut SourceTree) -> Result<(), BuildError> {
    let mut reader = Reader::open(source, name, true)?;
    let mut placing = Placing { name, ownership, into, at: 0, files: 0 };
    while let Some(entry) = reader.next()? {
        placing.at = entry.at;
        placing.place(&entry)?;
    }
    into.without_needless_markers();
    Ok(())
}

struct Placing<'a> {
    name: &'a str,
    ownership: &'a Ownership,
    into: &'a mut SourceTree,
    /// Where the header of the current entry stands.
    at: u64,
    files: u64,
}

impl Placing<'_> {
    fn refuse<T>(&self, why: &str) -> Result<T, BuildError> {
        Err(BuildError::Refused(format!("{}: at byte {}: {why}", self.name, self.at)))
    }

    fn place(&mut self, found: &Foreign) -> Result<(), BuildError> {
        let Some(path) = self.clean(&found.path)? else {
            if found.mode != 0o755 || (found.uid, found.gid) != (0, 0) {
                self.into.note(
                    "",
                    format!("the root's mode 0{:o} and owner {}:{} are left out", found.mode, found.uid, found.gid),
                );
            }
            return Ok(());
        };
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if let Some(hidden) = name.strip_prefix(".wh.").filter(|_| found.kind == ForeignKind::File) {
            return self.marker(directory, hidden);
        }
        self.into.add_parents(&path);
        if let Some((end, _)) = path.match_indices('/').find(|(end, _)| {
            !matches!(path.get(..*end).and_then(|parent| self.into.get(parent)), Some(SourceNode::Dir { .. }))
        }) {
            return self.refuse(&format!(
                "the parent {} of {} is no directory",
                quoted(path.get(..end).unwrap_or_default()),
                quoted(&path)
            ));
        }
        let (uid, gid) = self.ownership.map(&path, found.uid, found.gid)?;
        let node = match found.kind {
            ForeignKind::Hardlink => {
                let target = self.clean(&found.target)?.unwrap_or_default();
                match self.into.get(&target) {
                    Some(node @ (SourceNode::File { .. } | SourceNode::Symlink { .. })) => node.clone(),
                    _ => {
                        return self.refuse(&format!(
                            "the hard link {} has no earlier file {}",
                            quoted(&path),
                            quoted(&target)
                        ));
                    }
                }
            }
            ForeignKind::Special(what) => {
                self.into.note(&path, format!("{what} is left out"));
                return Ok(());
            }
            ForeignKind::Unknown(other) => {
                return self.refuse(&format!("{} is of the unknown type \"{}\"", quoted(&path), shown_bytes(&[other])));
            }
            ForeignKind::File | ForeignKind::Symlink | ForeignKind::Directory => {
                self.files += 1;
                found.node(&path, (uid, gid), self.files, self.into)?
            }
        };
        self.into.insert(path, node);
        Ok(())
    }

    fn marker(&mut self, directory: &str, hidden: &str) -> Result<(), BuildError> {
        if hidden == ".wh..opq" {
            if directory.is_empty() {
                return self.refuse(
                    "an opaque marker stands in the root; write a whiteout for each entry of the root that goes",
                );
            }
            self.into.add_parents(&format!("{directory}/x"));
            if let Some(SourceNode::Dir { attributes, .. }) = self.into.get(directory).cloned() {
                self.into.insert(directory.to_owned(), SourceNode::Dir { attributes, opaque: true });
            }
            return Ok(());
        }
        if hidden.is_empty() || matches!(hidden, "." | "..") || hidden.starts_with(".wh.") {
            return self.refuse(&format!("the whiteout `.wh.{hidden}` hides no name"));
        }
        let path = join(directory, hidden);
        self.into.add_parents(&path);
        self.into.insert(path, SourceNode::Whiteout);
        Ok(())
    }

    /// The path of an entry without `.`, empty components and leading `/`; `None` for the root.
    fn clean(&mut self, raw: &[u8]) -> Result<Option<String>, BuildError> {
        let mut path = String::new();
        for component in raw.split(|byte| *byte == b'/').filter(|component| !matches!(component, [] | [b'.'])) {
            if component == b".." {
                return self.refuse(&format!("the path \"{}\" has the component `..`", shown_bytes(raw)));
            }
            path = names::name(&path, component, true)?;
        }
        if raw.starts_with(b"/") && !path.is_empty() {
            self.into.note(&path, "the leading `/` of the path is left out");
        }
        Ok((!path.is_empty()).then_some(path))
    }
}

impl Foreign {
    /// What a file, symbolic link or directory is in the tree `into`, which takes notes of what it cannot hold;
    /// `number` tells the file from all others of the archive.
    ///
    /// # Errors
    ///
    /// A target or extended attributes that a layer cannot hold.
    pub(crate) fn node(
        &self,
        path: &str,
        (uid, gid): (u32, u32),
        number: u64,
        into: &mut SourceTree,
    ) -> Result<SourceNode, BuildError> {
        let mtime = into.time(path, self.mtime);
        if self.kind == ForeignKind::Symlink {
            return Ok(SourceNode::Symlink { uid, gid, mtime, target: names::target(path, &self.target)? });
        }
        let mut xattrs = into.xattrs(path, self.xattrs.clone())?;
        if self.kind == ForeignKind::Directory {
            if xattrs.remove("security.capability").is_some() {
                into.note(path, "the extended attribute `security.capability` of a directory is left out");
            }
            let attributes = Attributes { mode: self.mode, uid, gid, mtime, xattrs };
            return Ok(SourceNode::Dir { attributes, opaque: false });
        }
        let attributes = Attributes { mode: self.mode, uid, gid, mtime, xattrs };
        Ok(SourceNode::File { attributes, size: self.size, content: self.content.clone(), identity: Some((0, number)) })
    }
}
