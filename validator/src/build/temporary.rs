//! Temporary files and directories, which are gone when the process ends, also by a signal.
//!
//! Their names begin with `.cornercast-`, so that what a killed process or a lost machine leaves can be
//! told. Each is remembered until the end of the process; a random name is not given twice.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{Builder, NamedTempFile, TempDir};

use super::tree::BuildError;

/// What the names of temporary files and directories begin with.
pub const PREFIX: &str = ".cornercast-";

static MADE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Making and remembering is one step for those who wait for this.
fn made() -> MutexGuard<'static, Vec<PathBuf>> {
    MADE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A temporary file that only this user can read.
///
/// # Errors
///
/// Errors of the file system.
pub fn private_in(folder: &Path) -> io::Result<NamedTempFile> {
    file_in(folder, 0o600)
}

/// A temporary file that has the permissions of a new file once it is renamed.
///
/// # Errors
///
/// Errors of the file system.
pub fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    file_in(folder, 0o666)
}

fn file_in(folder: &Path, mode: u32) -> io::Result<NamedTempFile> {
    exists(folder)?;
    let mut made = made();
    let file = Builder::new().prefix(PREFIX).permissions(PermissionsExt::from_mode(mode)).tempfile_in(folder)?;
    made.push(file.path().to_owned());
    Ok(file)
}

/// The error for a folder that is missing, which that of a temporary file would name with its own path.
fn exists(folder: &Path) -> io::Result<()> {
    fs::metadata(folder).map(drop)
}

/// The error for `path` that cannot be written, which says if the folder is what is missing.
pub fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_missing = !folder.exists();
    let why = format!("the folder {} does not exist", folder.display());
    let what = format!("{} cannot be written", path.display());
    move |error| {
        let error = if is_missing { io::Error::new(io::ErrorKind::NotFound, why) } else { error };
        BuildError::Io(what, error)
    }
}

/// Makes a directory and its parents, unless the process is about to end.
///
/// # Errors
///
/// Errors of the file system.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    let _waits_for_the_end = made();
    fs::create_dir_all(folder)
}

/// A temporary directory that has the permissions of a new directory.
///
/// # Errors
///
/// Errors of the file system.
pub(super) fn directory_in(folder: &Path) -> io::Result<TempDir> {
    exists(folder)?;
    let mut made = made();
    // Temporary directories are private otherwise; a store is for everyone who can read its parent.
    let directory = Builder::new().prefix(PREFIX).permissions(PermissionsExt::from_mode(0o777)).tempdir_in(folder)?;
    made.push(directory.path().to_owned());
    Ok(directory)
}

/// Gives a temporary file its name, once its bytes are on the disk.
///
/// # Errors
///
/// Errors of the file system; the temporary file is removed then.
pub fn finish(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Removes everything temporary, for a process that is about to end: whoever wants to make a temporary file
/// after this waits for ever.
pub fn remove_all() {
    let made = made();
    for path in made.iter() {
        // What was renamed or removed is not there any more.
        let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
    }
    std::mem::forget(made);
}
