//! Everything that touches the file system, beneath one directory (Linux).
//!
//! The directory is new, has a temporary name and lets nobody else in. Every path is resolved from its
//! descriptor by `openat2`, which leads out of it by no link, `..` or mount, whatever others do to the tree
//! meanwhile; what is then done is done to a descriptor, or to a name in one and never through a link.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags};
use rustix::io::Errno;

use super::{Ids, Options, Owner, UnpackError};
use crate::build::{PrivateFolder, wait_if_ending};
use crate::layer::{Attributes, Xattrs};
use crate::shown::quoted;

/// The extended attribute that only some may set, and that a change of the owner takes away.
const CAPABILITY: &str = "security.capability";

const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// What could not be set: by name, the places of the entries in the plan, each with the reason.
pub(super) type UnsetEntries = BTreeMap<String, BTreeMap<usize, String>>;

/// The directory that is unpacked to, while it has a temporary name.
pub(super) struct Target {
    folder: PrivateFolder,
    root: OwnedFd,
    /// The directory that it is in, and the name that it gets.
    parent: OwnedFd,
    name: OsString,
    shown: String,
    pub(super) caller: Ids,
    owner: Owner,
    /// Whether the tree is going to be read.
    is_read: bool,
    unset: Mutex<UnsetEntries>,
    stopped: AtomicBool,
}

/// Whether an image can be unpacked to `to`: nothing is there, or an empty directory, in a directory that is there.
///
/// # Errors
///
/// [`UnpackError::Place`] if not, [`UnpackError::Io`] if that cannot be told.
pub fn check_place(to: &Path) -> Result<(), UnpackError> {
    place(to).map(drop)
}

/// The directory that `to` is in, and its name there.
fn place(to: &Path) -> Result<(PathBuf, OsString), UnpackError> {
    let shown = to.display();
    let refuse = |why: String| Err(UnpackError::Place(why));
    let Some(name) = to.file_name() else {
        return refuse(format!("{shown} has no name of its own; write the name of a new directory"));
    };
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.is_dir() {
        return refuse(format!("{shown} cannot be made: the folder {} does not exist", parent.display()));
    }
    match fs::symlink_metadata(parent.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(UnpackError::Io(shown.to_string(), error)),
        Ok(metadata) if metadata.is_symlink() => {
            return refuse(format!("{shown} is a symbolic link; write the name of a new directory"));
        }
        Ok(metadata) if !metadata.is_dir() => {
            return refuse(format!("{shown} is a file; write the name of a new directory"));
        }
        Ok(_) => {
            let mut entries = fs::read_dir(to).map_err(UnpackError::io(shown.to_string()))?;
            if entries.next().is_some() {
                return refuse(format!("{shown} is not empty; write the name of a new directory, or empty it"));
            }
        }
    }
    Ok((parent.to_owned(), name.to_owned()))
}

impl Target {
    pub(super) fn create(to: &Path, options: &Options) -> Result<Self, UnpackError> {
        let shown = to.display().to_string();
        let fail = |error: io::Error| UnpackError::Io(format!("{shown} cannot be written"), error);
        let (parent, name) = place(to)?;
        let folder = PrivateFolder::new_in(&parent).map_err(fail)?;
        let mode = fs::symlink_metadata(folder.path()).map_err(fail)?.permissions().mode();
        if mode & 0o700 != 0o700 {
            let why = "the umask takes rights away from the owner, so that nothing could be written; set it to 077";
            return Err(UnpackError::Place(why.to_owned()));
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent = rustix::fs::openat(CWD, &parent, flags, Mode::empty()).map_err(|errno| fail(errno.into()))?;
        let temporary = folder.path().file_name().unwrap_or_default();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat2(&parent, temporary, flags, Mode::empty(), BENEATH);
        let root = opened.map_err(|errno| match errno {
            Errno::NOSYS => {
                UnpackError::Io("unpacking needs openat2, which Linux has since 5.6".to_owned(), errno.into())
            }
            errno => fail(errno.into()),
        })?;
        let caller = Ids { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() };
        let target = Self {
            folder,
            root,
            parent,
            name,
            caller,
            owner: options.owner,
            is_read: options.verify,
            unset: Mutex::default(),
            stopped: AtomicBool::new(false),
            shown: shown.clone(),
        };
        target.make_neutral().map_err(|errno| fail(errno.into()))?;
        Ok(target)
    }

    /// What the directory may have from the one that it is in would go on to everything in it: a group, and
    /// access control lists.
    fn make_neutral(&self) -> rustix::io::Result<()> {
        let found = rustix::fs::fstat(&self.root)?;
        if found.st_uid != self.caller.uid {
            return Err(Errno::PERM);
        }
        if found.st_gid != self.caller.gid {
            rustix::fs::fchown(&self.root, None, Some(Gid::from_raw(self.caller.gid)))?;
        }
        for name in ["system.posix_acl_default", "system.posix_acl_access"] {
            match rustix::fs::fremovexattr(&self.root, name) {
                Ok(()) | Err(Errno::NODATA | Errno::NOTSUP) => {}
                Err(errno) => return Err(errno),
            }
        }
        rustix::fs::fchmod(&self.root, Mode::from_raw_mode(0o700))
    }

    /// A path that leads to the directory from everywhere in this process.
    pub(super) fn itself(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.root.as_raw_fd()))
    }

    /// Nothing more need be written.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        wait_if_ending();
        self.stopped.load(Ordering::Relaxed)
    }

    /// Whose an entry is that the image gives to `uid` and `gid`.
    pub(super) fn owner(&self, uid: u32, gid: u32) -> Ids {
        match self.owner {
            Owner::Image => Ids { uid, gid },
            Owner::Caller => self.caller,
        }
    }

    /// The mode that a file or directory with this mode has until the tree has been read: an owner who is not
    /// root has to be able to read it.
    pub(super) fn readable(&self, mode: u32, is_directory: bool) -> u32 {
        let needed = if is_directory { 0o500 } else { 0o400 };
        if self.is_read { mode | needed } else { mode }
    }

    fn open(&self, path: &str, flags: OFlags) -> Result<OwnedFd, UnpackError> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat2(&self.root, path, flags, Mode::empty(), BENEATH).map_err(failed(path))
    }

    pub(super) fn make_directory(&self, parents: &mut Parents, path: &str) -> Result<(), UnpackError> {
        let (parent, name) = parents.of(self, path)?;
        rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o700)).map_err(failed(path))
    }

    /// Makes a file that is not there.
    pub(super) fn make_file(&self, parents: &mut Parents, path: &str) -> Result<File, UnpackError> {
        let (parent, name) = parents.of(self, path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat2(parent, name, flags, Mode::from_raw_mode(0o600), BENEATH);
        file.map(File::from).map_err(failed(path))
    }

    /// Makes `path` another name of the file `target`.
    pub(super) fn make_link(&self, parents: &mut [Parents; 2], target: &str, path: &str) -> Result<(), UnpackError> {
        let [of_target, of_path] = parents;
        let (old, old_name) = of_target.of(self, target)?;
        let (new, new_name) = of_path.of(self, path)?;
        rustix::fs::linkat(old, old_name, new, new_name, AtFlags::empty()).map_err(failed(path))
    }

    /// Opens a file that was made here, to read and write it.
    pub(super) fn open_file(&self, parents: &mut Parents, path: &str) -> Result<File, UnpackError> {
        let (parent, name) = parents.of(self, path)?;
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat2(parent, name, flags, Mode::empty(), BENEATH);
        file.map(File::from).map_err(failed(path))
    }

    /// Makes a symbolic link with its owner and time; `entry` is its place in the plan.
    pub(super) fn make_symlink(
        &self,
        parents: &mut Parents,
        (entry, path): (usize, &str),
        target: &str,
        (uid, gid): (u32, u32),
        mtime: u64,
    ) -> Result<(), UnpackError> {
        let (parent, name) = parents.of(self, path)?;
        rustix::fs::symlinkat(target, parent, name).map_err(failed(path))?;
        let owner = self.owner(uid, gid);
        if owner != self.caller {
            let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
            rustix::fs::chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|errno| foreign(path, owner, errno))?;
        }
        rustix::fs::utimensat(parent, name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW).map_err(failed(path))?;
        if is_far(mtime) {
            let found = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed(path))?;
            self.has_time(entry, mtime, i128::from(found.st_mtime));
        }
        Ok(())
    }

    /// Gives a directory its attributes; nothing can be put into it after this.
    pub(super) fn settle_directory(
        &self,
        (entry, path): (usize, &str),
        attributes: &Attributes,
    ) -> Result<(), UnpackError> {
        let directory = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        self.settle(directory.as_fd(), (entry, path), attributes, self.readable(attributes.mode, true))
    }

    /// Gives a file its attributes; nothing can be written to it after this.
    pub(super) fn settle_file(
        &self,
        file: &File,
        (entry, path): (usize, &str),
        attributes: &Attributes,
    ) -> Result<(), UnpackError> {
        self.settle(file.as_fd(), (entry, path), attributes, self.readable(attributes.mode, false))
    }

    /// Each step can undo what stands after it: a change of the owner takes the capabilities and the
    /// set-user-ID bit away, and of a file that is not one's own or cannot be written no attribute can be set.
    fn settle(
        &self,
        file: BorrowedFd<'_>,
        (entry, path): (usize, &str),
        attributes: &Attributes,
        mode: u32,
    ) -> Result<(), UnpackError> {
        self.set_xattrs(file, (entry, path), &attributes.xattrs, |name| name != CAPABILITY)?;
        let owner = self.owner(attributes.uid, attributes.gid);
        if owner != self.caller {
            rustix::fs::fchown(file, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))
                .map_err(|errno| foreign(path, owner, errno))?;
        }
        self.set_xattrs(file, (entry, path), &attributes.xattrs, |name| name == CAPABILITY)?;
        rustix::fs::fchmod(file, Mode::from_raw_mode(mode)).map_err(failed(path))?;
        rustix::fs::futimens(file, &times(attributes.mtime)).map_err(failed(path))?;
        let has_special_bits = mode & 0o7000 != 0;
        if has_special_bits || is_far(attributes.mtime) {
            let found = rustix::fs::fstat(file).map_err(failed(path))?;
            if found.st_mode & 0o7777 != mode {
                self.is_unset("mode", entry, &format!("the file system made it {:04o}", found.st_mode & 0o7777));
            }
            self.has_time(entry, attributes.mtime, i128::from(found.st_mtime));
        }
        Ok(())
    }

    fn set_xattrs(
        &self,
        file: BorrowedFd<'_>,
        (entry, path): (usize, &str),
        xattrs: &Xattrs,
        is_meant: impl Fn(&str) -> bool,
    ) -> Result<(), UnpackError> {
        for (name, value) in xattrs.iter().filter(|(name, _)| is_meant(name)) {
            match rustix::fs::fsetxattr(file, name.as_str(), value, XattrFlags::empty()) {
                Ok(()) => {}
                // Who may not, a file system that has none, and one that has no room for so many or so long ones.
                Err(errno @ (Errno::PERM | Errno::NOTSUP | Errno::NOSPC | Errno::TOOBIG | Errno::RANGE)) => {
                    self.is_unset(name, entry, &io::Error::from(errno).to_string());
                }
                Err(errno) => return Err(failed(path)(errno)),
            }
        }
        Ok(())
    }

    fn has_time(&self, entry: usize, wanted: u64, found: i128) {
        if found != i128::from(wanted) {
            self.is_unset("mtime", entry, &format!("the file system made it {found}"));
        }
    }

    fn is_unset(&self, name: &str, entry: usize, reason: &str) {
        let mut unset = self.unset.lock().unwrap_or_else(PoisonError::into_inner);
        unset.entry(name.to_owned()).or_default().insert(entry, reason.to_owned());
    }

    pub(super) fn take_unset(&self) -> UnsetEntries {
        std::mem::take(&mut *self.unset.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives a file or directory that had to be readable its own mode.
    pub(super) fn set_mode(&self, path: &str, mode: u32) -> Result<(), UnpackError> {
        let file = self.open(path, OFlags::RDONLY | OFlags::NONBLOCK)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(failed(path))
    }

    /// Gives the tree its own attributes and its name, once it is on the disk.
    pub(super) fn finish(self) -> Result<(), UnpackError> {
        let fail = |errno: Errno| UnpackError::Io(format!("{} cannot be written", self.shown), errno.into());
        let owner = self.owner(0, 0);
        if owner != self.caller {
            rustix::fs::fchown(&self.root, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))
                .map_err(|errno| foreign("/", owner, errno))?;
        }
        rustix::fs::fchmod(&self.root, Mode::from_raw_mode(0o755)).map_err(fail)?;
        rustix::fs::futimens(&self.root, &times(0)).map_err(fail)?;
        rustix::fs::syncfs(&self.root).map_err(fail)?;
        wait_if_ending();
        let temporary = self.folder.path().file_name().unwrap_or_default().to_owned();
        let (parent, name, root) = (&self.parent, &self.name, &self.root);
        self.folder.keep(|| {
            rustix::fs::renameat(parent, &temporary, parent, name).map_err(|errno| match errno {
                Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR => {
                    UnpackError::Place(format!("something came to {} meanwhile, so nothing was put there", self.shown))
                }
                errno => fail(errno),
            })?;
            // Who may rename what is in the directory could have put something else in its place.
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            let (there, ours) =
                (rustix::fs::statat(parent, name, flags).map_err(fail)?, rustix::fs::fstat(root).map_err(fail)?);
            if (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino) {
                return Err(disturbed(&self.shown));
            }
            Ok(())
        })
    }
}

/// The directory that the last path was in, which the next one mostly is in, too.
#[derive(Default)]
pub(super) struct Parents {
    path: String,
    directory: Option<OwnedFd>,
}

impl Parents {
    /// The directory that `path` is in, and its name there.
    fn of<'a>(&'a mut self, target: &'a Target, path: &'a str) -> Result<(BorrowedFd<'a>, &'a str), UnpackError> {
        let Some((parent, name)) = path.rsplit_once('/') else {
            return Ok((target.root.as_fd(), path));
        };
        if self.directory.is_none() || self.path != parent {
            self.directory = None;
            self.directory = Some(target.open(parent, OFlags::PATH | OFlags::DIRECTORY)?);
            parent.clone_into(&mut self.path);
        }
        Ok((self.directory.as_ref().map_or(target.root.as_fd(), AsFd::as_fd), name))
    }
}

fn times(mtime: u64) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: i64::try_from(mtime).unwrap_or(i64::MAX), tv_nsec: 0 },
    }
}

/// Whether some file systems cannot hold a time.
fn is_far(mtime: u64) -> bool {
    i32::try_from(mtime).is_err()
}

/// The error for an entry that could not be made.
fn failed(path: &str) -> impl FnOnce(Errno) -> UnpackError {
    move |errno| {
        // What is being removed cannot be written to.
        wait_if_ending();
        match errno {
            Errno::EXIST => UnpackError::Place(format!(
                "{} is there already: the file system takes two names of the image for one; unpack to another one",
                quoted(path)
            )),
            Errno::LOOP | Errno::XDEV | Errno::NOTDIR | Errno::NOENT => disturbed(&quoted(path)),
            errno => UnpackError::Io(format!("{} cannot be written", quoted(path)), errno.into()),
        }
    }
}

fn disturbed(what: &str) -> UnpackError {
    UnpackError::Place(format!("another program changed the tree while it was written, at {what}; unpack again"))
}

fn foreign(path: &str, owner: Ids, errno: Errno) -> UnpackError {
    wait_if_ending();
    UnpackError::Owner { path: path.to_owned(), uid: owner.uid, gid: owner.gid, error: errno.into() }
}
