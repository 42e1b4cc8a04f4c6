//! The files that a check sees, wherever they are.

use std::io::{self, Read};

/// The files of a store, wherever they are.
pub trait Files: Sync {
    /// Everything below the root of the store that is no directory.
    ///
    /// # Errors
    ///
    /// Errors of the file system.
    fn list(&self) -> io::Result<Vec<Listed>>;

    /// A regular file.
    ///
    /// # Errors
    ///
    /// Errors of the file system.
    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>>;

    /// What stands at a path, of which no component is empty, `.` or `..`, and no link is followed; the root if it
    /// is empty.
    ///
    /// # Errors
    ///
    /// Errors of the file system; `Unsupported` where this is not known.
    fn look(&self, path: &[u8]) -> io::Result<Option<Standing>> {
        let _ = path;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// A directory.
    Directory,
    /// A regular file, and whether it has an execute bit.
    File {
        /// Whether it has one.
        is_executable: bool,
    },
    /// A symbolic link, and what it leads to.
    Symlink(Vec<u8>),
    /// Anything else.
    Special,
}

/// A file of a store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its path from the root of the store.
    pub path: String,
    /// What it is, if it is no regular file: `a symbolic link` and so on.
    pub irregular: Option<&'static str>,
}
