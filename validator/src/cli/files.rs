//! Files and directories that a command reads, with what a terminal is shown meanwhile.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::progress::{self, Counted};
use crate::oci::ReadAt;
pub(super) use crate::store::open_regular;
use crate::store::{Files, Folder, Listed, Standing};

/// The files below a directory.
pub(super) struct Directory(Folder);

impl Directory {
    pub(super) fn at(path: impl Into<PathBuf>) -> Self {
        Self(Folder(path.into()))
    }
}

impl Files for Directory {
    fn list(&self) -> io::Result<Vec<Listed>> {
        self.0.list()
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(Counted(self.0.open(path)?)))
    }

    fn look(&self, path: &[u8]) -> io::Result<Option<Standing>> {
        self.0.look(path)
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

/// The bytes of a file, or of all files below a directory; 0 if that cannot be told.
pub(super) fn length(path: &Path) -> u64 {
    let of = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    if !path.is_dir() {
        return of(path);
    }
    let files = Folder(path.to_owned()).list().unwrap_or_default();
    files.iter().filter(|file| file.irregular.is_none()).map(|file| of(&path.join(&file.path))).sum()
}
