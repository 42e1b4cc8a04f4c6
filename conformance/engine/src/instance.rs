//! The directory of an instance: made, held, and removed, also by whoever comes after a killed engine.
//!
//! An engine holds a lock on the directory of its instance as long as it lives. A directory whose lock nobody holds
//! is a leftover. Mounts are made in a mount namespace of the engine's own, so that none outlives it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::mount::{UnmountFlags, unmount};

use crate::cgroup;
use crate::options::is_instance_id;

/// The name of the lock in the directory of an instance.
const LOCK: &str = "lock";

/// An instance that this engine holds.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) folder: PathBuf,
    _lock: File,
}

impl Instance {
    /// Makes the directory of the instance `id` below `state`.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if there is an instance of this id; errors of the file system.
    pub(crate) fn create(state: &Path, id: &str) -> io::Result<Self> {
        // It gets its name when it is held, so that nobody takes it for a leftover.
        let new = state.join(format!(".{id}.{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&new)?;
        let lock = File::create_new(new.join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        let folder = state.join(id);
        if let Err(error) = fs::rename(&new, &folder) {
            fs::remove_dir_all(&new)?;
            let is_there = matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists);
            return Err(if is_there { io::ErrorKind::AlreadyExists.into() } else { error });
        }
        Ok(Self { id: id.to_owned(), folder, _lock: lock })
    }

    /// Removes what is left of the instance.
    pub(crate) fn remove(&self) -> io::Result<()> {
        remove(&self.folder, &self.id)
    }
}

/// Makes the directory that holds those of the instances.
pub(crate) fn make_state(state: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o711).recursive(true).create(state)
}

/// Removes what engines that are gone have left below `state`; the instances.
///
/// # Errors
///
/// Errors of the file system; processes that cannot be killed.
pub fn sweep(state: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(state) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut removed = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A name that an instance has before it is held.
        let id = name.trim_start_matches('.').split('.').next().unwrap_or_default();
        if !is_instance_id(id) {
            continue;
        }
        if name == id && is_left(&entry.path())? {
            remove(&entry.path(), id)?;
            removed.push(id.to_owned());
        } else if name != id && is_old(&entry.path())? {
            gone(fs::remove_dir_all(entry.path()))?;
            removed.push(id.to_owned());
        }
    }
    removed.sort();
    Ok(removed)
}

/// Whether nobody holds the instance in `folder`.
fn is_left(folder: &Path) -> io::Result<bool> {
    let lock = match File::open(folder.join(LOCK)) {
        // Another engine is making or removing it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return is_old(folder),
        lock => lock?,
    };
    Ok(flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok())
}

/// A directory that is not held yet is between two steps of an engine, or of one that stopped there.
fn is_old(folder: &Path) -> io::Result<bool> {
    match fs::metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        metadata => Ok(metadata?.modified()?.elapsed().is_ok_and(|age| age.as_secs() > 10)),
    }
}

fn remove(folder: &Path, id: &str) -> io::Result<()> {
    cgroup::remove(id)?;
    unmount_below(folder)?;
    // The lock goes last, so that nobody else takes the directory for an old one meanwhile.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name() == LOCK {
            continue;
        }
        let result =
            if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
        gone(result)?;
    }
    gone(fs::remove_dir_all(folder))
}

/// Unmounts everything below `folder`, such as volumes, whose content is not to be removed with it.
///
/// # Errors
///
/// If something stays mounted: nothing is to be removed then.
pub fn unmount_below(folder: &Path) -> io::Result<()> {
    let mounted = || -> io::Result<Vec<PathBuf>> {
        let points = cgroup::mount_points(&fs::read_to_string("/proc/self/mountinfo")?);
        Ok(points.into_iter().filter(|point| point.starts_with(folder)).collect())
    };
    for point in mounted()?.into_iter().rev() {
        unmount(&point, UnmountFlags::DETACH)?;
    }
    match mounted()?.first() {
        None => Ok(()),
        Some(point) => Err(io::Error::other(format!("{} is still mounted", point.display()))),
    }
}

/// Two that remove the same do not hinder each other.
fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
