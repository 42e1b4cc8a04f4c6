//! A directory of the file system, with the files of a store or of an image of others.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, readlinkat, statat};
use rustix::io::Errno;

use super::{Files, Listed, Standing};
use crate::shown::quoted;

/// The files below a directory of the file system; no link is followed, and nothing but a regular file opened.
#[derive(Debug, Clone)]
pub struct Folder(pub PathBuf);

impl Files for Folder {
    fn list(&self) -> io::Result<Vec<Listed>> {
        let mut out = Vec::new();
        let mut todo = vec![(self.0.clone(), String::new())];
        while let Some((directory, parent)) = todo.pop() {
            for entry in fs::read_dir(&directory).map_err(in_file(&parent))? {
                let entry = entry.map_err(in_file(&parent))?;
                let path = crate::layer::join(&parent, &entry.file_name().to_string_lossy());
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    todo.push((entry.path(), path));
                    continue;
                }
                let irregular = if kind.is_file() {
                    None
                } else if kind.is_symlink() {
                    Some("a symbolic link")
                } else if kind.is_fifo() {
                    Some("a FIFO")
                } else if kind.is_socket() {
                    Some("a socket")
                } else {
                    Some("a device")
                };
                out.push(Listed { path, irregular });
            }
        }
        Ok(out)
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(open_regular(&self.0.join(path)).map_err(in_file(path))?))
    }

    fn look(&self, path: &[u8]) -> io::Result<Option<Standing>> {
        let shown = String::from_utf8_lossy(path).into_owned();
        match stand(&self.0, path) {
            Ok(standing) => Ok(Some(standing)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => Ok(None),
            Err(error) => Err(in_file(&shown)(error.into())),
        }
    }
}

/// What stands at a path below `root`; each directory is opened from the one before, so that no link is followed.
fn stand(root: &Path, path: &[u8]) -> rustix::io::Result<Standing> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let (above, name) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => path.split_at(slash),
        None => (&[][..], path),
    };
    for component in above.split(|byte| *byte == b'/').filter(|component| !component.is_empty()) {
        here = openat(&here, component, flags, Mode::empty())?;
    }
    let name = name.strip_prefix(b"/").unwrap_or(name);
    if name.is_empty() {
        return Ok(Standing::Directory);
    }
    let status = statat(&here, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(match FileType::from_raw_mode(status.st_mode) {
        FileType::Directory => Standing::Directory,
        FileType::RegularFile => Standing::File { is_executable: status.st_mode & 0o111 != 0 },
        FileType::Symlink => Standing::Symlink(readlinkat(&here, name, Vec::new())?.into_bytes()),
        _ => Standing::Special,
    })
}

/// The same error, with the file of the store that it is about.
fn in_file(path: &str) -> impl FnOnce(io::Error) -> io::Error {
    move |error| {
        let what = if path.is_empty() { String::new() } else { format!("{}: ", quoted(path)) };
        io::Error::new(error.kind(), format!("{what}{error}"))
    }
}

/// Opens a regular file, not following a link in the last component, and never waiting for a writer.
///
/// # Errors
///
/// Errors of the file system; `InvalidInput` if something else stands there.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    Ok(file)
}
