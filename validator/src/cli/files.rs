//! A store in a directory of the file system.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt as _, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::progress::{self, Counted};
use crate::oci::ReadAt;
use crate::shown::quoted;
use crate::store::{Files, Listed};

/// The files below a directory.
pub(super) struct Directory(pub(super) PathBuf);

impl Files for Directory {
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
        Ok(Box::new(Counted(open_regular(&self.0.join(path)).map_err(in_file(path))?)))
    }
}

/// A file that is read at several places.
pub(super) struct Random(pub(super) File);

impl ReadAt for Random {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.0.read_at(buffer, offset)?;
        progress::add(read as u64);
        Ok(read)
    }
}

/// The same error, with the file of the store that it is about.
fn in_file(path: &str) -> impl FnOnce(io::Error) -> io::Error {
    move |error| {
        let what = if path.is_empty() { String::new() } else { format!("{}: ", quoted(path)) };
        io::Error::new(error.kind(), format!("{what}{error}"))
    }
}

/// The bytes of a file, or of all files below a directory; 0 if that cannot be told.
pub(super) fn length(path: &Path) -> u64 {
    let of = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    if !path.is_dir() {
        return of(path);
    }
    let files = Directory(path.to_owned()).list().unwrap_or_default();
    files.iter().filter(|file| file.irregular.is_none()).map(|file| of(&path.join(&file.path))).sum()
}

/// Opens a regular file, not following a link in the last component, and never waiting for a writer.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    Ok(file)
}
