//! The directory of an instance: made, held, and removed, also by whoever comes after a killed engine.
//!
//! An engine holds a lock on the directory of its instance as long as it lives. A directory whose lock nobody holds
//! is a leftover. Whoever removes one holds the lock meanwhile, and reaches it by a descriptor, so that it never
//! removes what somebody else makes under the same name. One engine at a time removes leftovers, and the others wait
//! for it: otherwise they would start while some are still there, or take one for an instance that runs. Nor is any
//! directory made meanwhile, so that one that is not yet held is a leftover, too. The lock by which they wait is one that
//! no other user can take. Mounts are made in a mount namespace of the engine's own, so that none outlives it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, flock, openat, unlinkat};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};

use crate::options::is_instance_id;
use crate::{cgroup, removal};

/// The name of the lock in the directory of an instance.
const LOCK: &str = "lock";

/// The name of the lock of whoever removes leftovers, in the directory of all instances. No instance has such an id.
pub const SWEEP_LOCK: &str = ".sweep";

/// How long it takes until that lock is tried again.
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// The directory that holds those of the instances, whose path has no link in it.
#[derive(Debug, Clone)]
pub(crate) struct State {
    folder: PathBuf,
}

/// The directory of an instance that this engine holds.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) folder: PathBuf,
    /// The name of its control group.
    pub(crate) group: String,
    held: Held,
}

/// A directory, and its lock, which is held.
#[derive(Debug)]
struct Held {
    directory: OwnedFd,
    _lock: File,
}

impl State {
    /// Makes the directory if it is not there.
    ///
    /// # Errors
    ///
    /// Errors of the file system; if others could put something in its place.
    pub(crate) fn make(path: &Path) -> io::Result<Self> {
        DirBuilder::new().mode(0o711).recursive(true).create(path).map_err(at(path))?;
        Self::open(path)
    }

    /// The directory that is there.
    ///
    /// # Errors
    ///
    /// Errors of the file system; if others could put something in its place.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        // Mounts are known by paths without links.
        let folder = fs::canonicalize(path).map_err(at(path))?;
        let metadata = fs::metadata(&folder).map_err(at(path))?;
        let is_own = metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0;
        if !metadata.is_dir() || !is_own {
            let message = "it is no directory that belongs to this user and that others cannot write to";
            return Err(at(path)(io::Error::new(io::ErrorKind::PermissionDenied, message)));
        }
        Ok(Self { folder })
    }

    /// Makes the directory of the instance `id`. Waits for an engine that removes leftovers, unless it `is_stopped`
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if there is an instance of this id; errors of the file system; `Interrupted` where it was stopped.
    pub(crate) fn create(&self, id: &str, is_stopped: impl Fn() -> bool) -> io::Result<Instance> {
        let _lock = self.lock(FlockOperation::NonBlockingLockShared, is_stopped)?;
        // It gets its name when it is held, so that the name is that of an instance.
        let new = self.folder.join(format!(".{id}.{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&new).map_err(at(&new))?;
        let held = File::create_new(new.join(LOCK)).map_err(at(&new)).and_then(|_| {
            // Nobody else holds it yet.
            hold(&new)?.ok_or_else(|| at(&new)(io::ErrorKind::WouldBlock.into()))
        });
        let held = held.inspect_err(|_| {
            let _ = fs::remove_file(new.join(LOCK));
            let _ = fs::remove_dir(&new);
        })?;
        let folder = self.folder.join(id);
        if let Err(error) = fs::rename(&new, &folder) {
            remove_held(&held, &new)?;
            let is_there = matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists);
            return Err(if is_there { io::ErrorKind::AlreadyExists.into() } else { at(&folder)(error) });
        }
        Ok(Instance { id: id.to_owned(), folder, group: cgroup::group(&self.folder, id), held })
    }

    /// Removes what engines that are gone have left; the instances. Waits for another one that does so, unless it
    /// `is_stopped` meanwhile.
    ///
    /// # Errors
    ///
    /// Errors of the file system; processes that cannot be killed; `Interrupted` where it was stopped.
    pub(crate) fn sweep(&self, is_stopped: impl Fn() -> bool) -> io::Result<Vec<String>> {
        let _lock = self.lock(FlockOperation::NonBlockingLockExclusive, is_stopped)?;
        let mut removed = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(at(&self.folder))? {
            let entry = entry.map_err(at(&self.folder))?;
            let (name, folder) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            // What no engine has made is somebody else's.
            let Some(id) = id_of(&name).filter(|_| is_directory) else { continue };
            match hold(&folder)? {
                // Nothing has begun in it, and the control group can be that of an instance that runs.
                Some(held) if name != id => remove_held(&held, &folder)?,
                Some(held) => {
                    remove(&held, &folder, &cgroup::group(&self.folder, id))?;
                    removed.push(id.to_owned());
                }
                // Its engine was killed before there was a lock; otherwise it is held, and not empty.
                None if name != id => remove_empty(&folder)?,
                None => {}
            }
        }
        removed.sort();
        Ok(removed)
    }

    /// Takes the lock of whoever removes leftovers, alone, or with others who make instances. A signal does not end the
    /// wait for a lock, and the lock of a directory can be held by all who can read it; so it is a file of this user's
    /// alone, and tried again and again.
    fn lock(&self, how: FlockOperation, is_stopped: impl Fn() -> bool) -> io::Result<File> {
        let path = self.folder.join(SWEEP_LOCK);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let lock = openat(CWD, &path, flags, Mode::RUSR | Mode::WUSR).map_err(|error| at(&path)(error.into()))?;
        loop {
            match flock(&lock, how) {
                Ok(()) => return Ok(lock.into()),
                Err(Errno::WOULDBLOCK | Errno::INTR) if is_stopped() => {
                    let message = "it was stopped while it waited for other engines";
                    return Err(io::Error::new(io::ErrorKind::Interrupted, message));
                }
                Err(Errno::WOULDBLOCK | Errno::INTR) => thread::sleep(BETWEEN_TRIES),
                Err(error) => return Err(at(&path)(error.into())),
            }
        }
    }
}

impl Instance {
    /// Removes what is left of the instance.
    pub(crate) fn remove(&self) -> io::Result<()> {
        remove(&self.held, &self.folder, &self.group)
    }
}

/// A directory and a control group for a container that no engine makes. They are held, and removed by whoever comes
/// after, as those of an instance are.
#[derive(Debug)]
pub struct Reserved(Instance);

impl Reserved {
    /// Those of the container `id`, in the directory of instances `state`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if there is one of this id; errors of the file system.
    pub fn new(state: &Path, id: &str) -> io::Result<Self> {
        State::make(state)?.create(id, || false).map(Self)
    }

    /// The directory.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// The name of the control group, below [`cgroup::PARENT`].
    #[must_use]
    pub fn group(&self) -> &str {
        &self.0.group
    }

    /// Removes both, with the processes in the group.
    ///
    /// # Errors
    ///
    /// Errors of the file system; processes that cannot be killed.
    pub fn remove(&self) -> io::Result<()> {
        self.0.remove()
    }
}

/// Removes what engines that are gone have left below `state`; the instances.
///
/// # Errors
///
/// Errors of the file system; processes that cannot be killed.
pub fn sweep(state: &Path) -> io::Result<Vec<String>> {
    match State::open(state) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        state => state?.sweep(|| false),
    }
}

/// The instance that a name of a directory stands for: `ID`, or `.ID.PID` until it is held.
fn id_of(name: &str) -> Option<&str> {
    let id = match name.strip_prefix('.') {
        None => name,
        Some(rest) => rest.split_once('.').filter(|(_, pid)| pid.parse::<u32>().is_ok())?.0,
    };
    is_instance_id(id).then_some(id)
}

/// Takes hold of the directory of an instance, if nobody has it; nothing as well if it is none.
fn hold(folder: &Path) -> io::Result<Option<Held>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = match openat(CWD, folder, flags | OFlags::DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
        directory => directory.map_err(|error| at(folder)(error.into()))?,
    };
    let lock = match openat(&directory, LOCK, flags | OFlags::NONBLOCK, Mode::empty()) {
        Err(Errno::NOENT | Errno::LOOP) => return Ok(None),
        lock => File::from(lock.map_err(|error| at(folder)(error.into()))?),
    };
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(None);
    }
    // Somebody may have removed it in between, and somebody else made another one.
    let is_there = fs::symlink_metadata(folder.join(LOCK)).ok().map(|there| (there.dev(), there.ino()));
    let own = lock.metadata().map(|own| (own.dev(), own.ino())).map_err(at(folder))?;
    Ok((is_there == Some(own)).then_some(Held { directory, _lock: lock }))
}

fn remove(held: &Held, folder: &Path, group: &str) -> io::Result<()> {
    cgroup::remove(group)?;
    unmount_below(folder)?;
    remove_held(held, folder)
}

/// Removes a directory whose lock is held; the lock goes last.
fn remove_held(held: &Held, folder: &Path) -> io::Result<()> {
    removal::empty(&held.directory, &[LOCK]).map_err(at(folder))?;
    match unlinkat(&held.directory, LOCK, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(at(folder)(error.into())),
    }
    // An empty directory can be replaced by one that somebody makes.
    remove_empty(folder)
}

/// Removes a directory if it is there and empty.
fn remove_empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => Ok(()),
        result => result.map_err(at(folder)),
    }
}

/// Unmounts everything below `folder`, such as volumes, whose content is not to be removed with it.
///
/// # Errors
///
/// If something stays mounted: nothing is to be removed then.
pub fn unmount_below(folder: &Path) -> io::Result<()> {
    let mounted = || -> io::Result<Vec<PathBuf>> {
        let points = cgroup::mount_points(&cgroup::mountinfo()?);
        Ok(points.into_iter().filter(|point| point.starts_with(folder)).collect())
    };
    for point in mounted()?.into_iter().rev() {
        unmount(&point, UnmountFlags::DETACH).map_err(|error| at(&point)(error.into()))?;
    }
    match mounted()?.first() {
        None => Ok(()),
        Some(point) => Err(io::Error::other(format!("{} is still mounted", point.display()))),
    }
}

/// The same error, with the path that it is about.
pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> io::Error + '_ {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn state() -> (tempfile::TempDir, State) {
        let folder = tempfile::tempdir().unwrap();
        let state = State::make(&folder.path().join("state")).unwrap();
        (folder, state)
    }

    fn create(state: &State, id: &str) -> Instance {
        state.create(id, || false).unwrap()
    }

    fn names(state: &State) -> Vec<String> {
        let entries = fs::read_dir(&state.folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_no_engine_has_made_stays() {
        let (folder, state) = state();
        let outside = folder.path().join("outside");
        for path in ["alice", ".config", ".x.y", "photos.old"] {
            fs::create_dir_all(state.folder.join(path)).unwrap();
            fs::write(state.folder.join(path).join("file"), b"").unwrap();
        }
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join(LOCK), b"").unwrap();
        fs::write(state.folder.join("readme"), b"").unwrap();
        symlink(&outside, state.folder.join("link")).unwrap();
        assert!(state.sweep(|| false).unwrap().is_empty());
        assert!(state.folder.join("alice/file").exists() && outside.join(LOCK).exists());
        assert_eq!(fs::read_dir(&state.folder).unwrap().count(), 7);
    }

    #[test]
    fn leftovers_go_and_what_is_held_stays() {
        let (_folder, state) = state();
        let held = create(&state, "held");
        drop(create(&state, "left"));
        assert_eq!(state.create("held", || false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(state.sweep(|| false).unwrap(), ["left"]);
        held.remove().unwrap();
        assert_eq!(names(&state), [SWEEP_LOCK]);
    }

    #[test]
    fn one_that_was_killed_before_it_had_a_name_goes() {
        let (_folder, state) = state();
        for name in [".a.1", ".b.2", ".c.3"] {
            fs::create_dir(state.folder.join(name)).unwrap();
        }
        fs::write(state.folder.join(".b.2").join(LOCK), b"").unwrap();
        // What has no lock and is not empty is none of an engine's.
        fs::write(state.folder.join(".c.3/file"), b"").unwrap();
        assert!(state.sweep(|| false).unwrap().is_empty());
        assert_eq!(names(&state), [".c.3", SWEEP_LOCK]);
    }

    #[test]
    fn none_is_made_while_leftovers_are_removed() {
        let (_folder, state) = state();
        let sweeps = state.lock(FlockOperation::NonBlockingLockExclusive, || false).unwrap();
        assert_eq!(state.create("a", || true).unwrap_err().kind(), io::ErrorKind::Interrupted);
        assert_eq!(names(&state), [SWEEP_LOCK]);
        drop(sweeps);
        let _makes = state.lock(FlockOperation::NonBlockingLockShared, || false).unwrap();
        create(&state, "a").remove().unwrap();
        assert_eq!(state.sweep(|| true).unwrap_err().kind(), io::ErrorKind::Interrupted);
    }

    #[test]
    fn one_that_waits_for_another_one_can_be_stopped() {
        let (_folder, state) = state();
        // Whoever can read the directory can lock it, and hinders nobody.
        let directory = File::open(&state.folder).unwrap();
        flock(&directory, FlockOperation::NonBlockingLockExclusive).unwrap();
        state.sweep(|| false).unwrap();
        let lock = File::open(state.folder.join(SWEEP_LOCK)).unwrap();
        assert_eq!(lock.metadata().unwrap().mode() & 0o777, 0o600);
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        let asked = std::cell::Cell::new(0);
        let is_stopped = || asked.replace(asked.get() + 1) == 2;
        assert_eq!(state.sweep(is_stopped).unwrap_err().kind(), io::ErrorKind::Interrupted);
    }

    #[test]
    fn the_lock_of_a_sweep_is_no_link() {
        let (folder, state) = state();
        symlink(folder.path().join("elsewhere"), state.folder.join(SWEEP_LOCK)).unwrap();
        assert!(state.sweep(|| false).is_err());
        assert!(!folder.path().join("elsewhere").exists());
    }

    #[test]
    fn what_another_engine_removes_has_gone_when_a_sweep_ends() {
        let (_folder, state) = state();
        for number in 0..20 {
            let id = format!("left{number}");
            let left = create(&state, &id);
            for number in 0..500 {
                fs::write(left.folder.join(number.to_string()), b"").unwrap();
            }
            drop(left);
            let both = std::sync::Barrier::new(2);
            let sweep = || {
                both.wait();
                state.sweep(|| false).unwrap()
            };
            std::thread::scope(|scope| {
                scope.spawn(sweep);
                sweep();
                create(&state, &id).remove().unwrap();
            });
        }
    }

    #[test]
    fn a_directory_that_has_been_made_anew_is_not_removed() {
        let (_folder, state) = state();
        drop(create(&state, "a"));
        let old = hold(&state.folder.join("a")).unwrap().unwrap();
        removal::empty(&old.directory, &[]).unwrap();
        let new = create(&state, "a");
        remove_held(&old, &state.folder.join("a")).unwrap();
        assert!(new.folder.join(LOCK).exists());
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_no_place_for_instances() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(State::open(folder.path()).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
