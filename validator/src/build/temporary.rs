//! Temporary files and directories, which are gone when the process ends, also by a signal.
//!
//! Their names begin with `.cornercast-`, so that what a killed process or a lost machine leaves can be
//! told. Each is remembered until the end of the process; a random name is not given twice.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{Builder, NamedTempFile, TempDir};

use super::tree::BuildError;

/// What the names of temporary files and directories begin with.
pub const PREFIX: &str = ".cornercast-";

static MADE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Everything temporary is being removed, since the process is about to end.
static ENDING: AtomicBool = AtomicBool::new(false);

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

/// A temporary directory that only this user can enter; it is removed with everything in it when this is dropped.
#[derive(Debug)]
pub struct PrivateFolder {
    path: PathBuf,
    is_kept: bool,
}

impl PrivateFolder {
    /// Makes one in `folder`.
    ///
    /// # Errors
    ///
    /// Errors of the file system.
    pub fn new_in(folder: &Path) -> io::Result<Self> {
        exists(folder)?;
        let mut made = made();
        let made_folder =
            Builder::new().prefix(PREFIX).permissions(PermissionsExt::from_mode(0o700)).tempdir_in(folder)?;
        let path = made_folder.keep();
        made.push(path.clone());
        Ok(Self { path, is_kept: false })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Has `rename` give it its name, after which it is not temporary any more. Nothing is renamed once the
    /// process is about to end.
    ///
    /// # Errors
    ///
    /// The error of `rename`; the directory is removed then.
    pub fn keep<E>(mut self, rename: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let waits_for_the_end = made();
        let renamed = rename();
        drop(waits_for_the_end);
        self.is_kept = renamed.is_ok();
        renamed
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        if !self.is_kept {
            remove_tree(&self.path);
        }
    }
}

/// Waits for ever if the process is about to end, so that a thread that writes many files into a temporary
/// directory does not write more of them while they are removed.
pub fn wait_if_ending() {
    while ENDING.load(Ordering::Relaxed) {
        std::thread::park();
    }
}

/// How often removing a directory is tried, into which a thread may still be writing one more file.
const ATTEMPTS: usize = 100;

/// Removes a directory and everything in it, also what does not allow it; links are not followed.
fn remove_tree(path: &Path) {
    for _ in 0..ATTEMPTS {
        match fs::remove_dir_all(path) {
            Ok(()) => return,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            // A directory in which the user may not remove anything, or into which something came.
            Err(_) => open_up(path),
        }
    }
}

/// Allows the user everything in a directory and the directories below it, not following links.
#[cfg(target_os = "linux")]
fn open_up(path: &Path) {
    if let Ok(directory) = directory_at(rustix::fs::CWD, path) {
        open_up_below(&directory);
    }
}

#[cfg(target_os = "linux")]
fn open_up_below(directory: &std::os::fd::OwnedFd) {
    use std::os::fd::AsRawFd;

    // The directory itself by its descriptor, whatever stands at its path now.
    let itself = format!("/proc/self/fd/{}", directory.as_raw_fd());
    let _ = fs::set_permissions(&itself, PermissionsExt::from_mode(0o700));
    let entries = fs::read_dir(&itself).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        if let Ok(below) = directory_at(directory, Path::new(&entry.file_name())) {
            open_up_below(&below);
        }
    }
}

#[cfg(target_os = "linux")]
fn directory_at(folder: impl std::os::fd::AsFd, path: &Path) -> rustix::io::Result<std::os::fd::OwnedFd> {
    use rustix::fs::{Mode, OFlags, openat};

    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, path, flags, Mode::empty())
}

#[cfg(not(target_os = "linux"))]
fn open_up(_: &Path) {}

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
    ENDING.store(true, Ordering::Relaxed);
    let made = made();
    for path in made.iter() {
        // What was renamed or removed is not there any more.
        if fs::remove_file(path).is_err() {
            remove_tree(path);
        }
    }
    std::mem::forget(made);
}
