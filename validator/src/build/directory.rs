//! A tree from a directory.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::names;
use super::tree::{BuildError, Content, SourceNode, SourceTree};
use crate::layer::Attributes;
use crate::limits::Limits;
use crate::shown::quoted;

/// Whose entries the files of a directory are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ownership {
    /// All entries belong to this user and group.
    pub all: Option<(u32, u32)>,
    /// Ranges of user ids: from, to, how many.
    pub uids: Vec<(u32, u32, u32)>,
    /// Ranges of group ids: from, to, how many.
    pub gids: Vec<(u32, u32, u32)>,
}

impl Ownership {
    /// The user and group in the image of an entry that belongs to `uid` and `gid`.
    ///
    /// # Errors
    ///
    /// An id that no range covers, where there are ranges, or that a layer cannot hold.
    pub fn map(&self, path: &str, uid: u32, gid: u32) -> Result<(u32, u32), BuildError> {
        if let Some(all) = self.all {
            return Ok(all);
        }
        let map = |id: u32, ranges: &[(u32, u32, u32)], what: &str| {
            let limit = Limits::FORMAT.id;
            let mapped = if ranges.is_empty() {
                Some(id)
            } else {
                ranges.iter().find_map(|(from, to, count)| {
                    let offset = id.checked_sub(*from).filter(|offset| offset < count)?;
                    to.checked_add(offset)
                })
            };
            let refuse = |why: String| BuildError::Refused(format!("the {what} {id} of {} {why}", quoted(path)));
            match mapped {
                Some(id) if i64::from(id) <= limit => Ok(id),
                Some(id) => Err(refuse(format!("becomes {id}, which is above the limit of {limit}"))),
                None => Err(refuse(format!("is in no range of --map-{what}s; add one that covers it"))),
            }
        };
        Ok((map(uid, &self.uids, "uid")?, map(gid, &self.gids, "gid")?))
    }
}

/// Reads the directory `root` into `into`.
///
/// # Errors
///
/// Errors of the file system, and what a layer cannot hold ([`BuildError::Refused`]). Devices, FIFOs,
/// sockets and extended attributes of other kinds are left out with a note.
pub fn read_directory(root: &Path, ownership: &Ownership, into: &mut SourceTree) -> Result<(), BuildError> {
    let mut todo = vec![(root.to_owned(), String::new())];
    while let Some((directory, parent)) = todo.pop() {
        let shown = directory.display().to_string();
        let mut names: Vec<OsString> = Vec::new();
        for entry in fs::read_dir(&directory).map_err(BuildError::io(&shown))? {
            names.push(entry.map_err(BuildError::io(&shown))?.file_name());
        }
        names.sort();
        for name in names {
            let source = directory.join(&name);
            let path = names::name(&parent, name.as_bytes(), false)?;
            if let Some(node) = read_node(&source, &path, ownership, into)? {
                if matches!(node, SourceNode::Dir { .. }) {
                    todo.push((source, path.clone()));
                }
                into.insert(path, node);
            }
        }
    }
    Ok(())
}

fn read_node(
    source: &Path,
    path: &str,
    ownership: &Ownership,
    into: &mut SourceTree,
) -> Result<Option<SourceNode>, BuildError> {
    let shown = source.display().to_string();
    let metadata = fs::symlink_metadata(source).map_err(BuildError::io(&shown))?;
    let kind = metadata.file_type();
    if !kind.is_file() && !kind.is_dir() && !kind.is_symlink() {
        let what = if kind.is_fifo() {
            "the FIFO"
        } else if kind.is_socket() {
            "the socket"
        } else {
            "the device"
        };
        into.note(path, format!("{what} is left out"));
        return Ok(None);
    }
    let (uid, gid) = ownership.map(path, metadata.uid(), metadata.gid())?;
    let mtime = into.time(path, metadata.mtime());
    let xattrs = read_xattrs(source).map_err(BuildError::io(&shown))?;
    if kind.is_symlink() {
        for (name, _) in xattrs {
            into.note(path, format!("the extended attribute `{}` is left out", crate::shown::shown_bytes(&name)));
        }
        let target = fs::read_link(source).map_err(BuildError::io(&shown))?;
        let target = names::target(path, target.as_os_str().as_bytes())?;
        return Ok(Some(SourceNode::Symlink { uid, gid, mtime, target }));
    }
    let mut xattrs = into.xattrs(path, xattrs)?;
    if kind.is_dir() && xattrs.remove("security.capability").is_some() {
        into.note(path, "the extended attribute `security.capability` of a directory is left out");
    }
    let attributes = Attributes { mode: metadata.mode() & 0o7777, uid, gid, mtime, xattrs };
    if kind.is_dir() {
        return Ok(Some(SourceNode::Dir { attributes, opaque: false }));
    }
    Ok(Some(SourceNode::File {
        attributes,
        size: metadata.len(),
        content: Content::File(source.to_owned()),
        identity: (metadata.nlink() > 1).then(|| (metadata.dev(), metadata.ino())),
    }))
}

/// The extended attributes of a file, not following links.
fn read_xattrs(path: &Path) -> std::io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    use rustix::fs::{lgetxattr, llistxattr};
    use rustix::io::Errno;

    let mut names = vec![0; 64 << 10];
    let length = match llistxattr(path, names.as_mut_slice()) {
        Ok(length) => length,
        Err(Errno::NOTSUP | Errno::PERM | Errno::ACCESS) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    names.truncate(length);
    let mut out = Vec::new();
    let mut value = vec![0; 64 << 10];
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        match lgetxattr(path, name, value.as_mut_slice()) {
            Ok(length) => out.push((name.to_vec(), value.get(..length).unwrap_or_default().to_vec())),
            Err(Errno::NODATA | Errno::NOTSUP | Errno::PERM | Errno::ACCESS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    out.sort();
    Ok(out)
}
