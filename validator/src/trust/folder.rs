//! Policies and states in files (POL-018, POL-019, POL-040 to POL-042).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::retry_on_intr;

use super::policy::{Policy, check_policy};
use super::state::{State, check_state};
use super::types::canonical;
use super::verdict::Rejection;
use super::verify::first_error;
use crate::digest::Digest;
use crate::limits::Limits;
use crate::shown::quoted;

/// Reads a policy, which nobody else can have written; without holding the clause `without`.
///
/// # Errors
///
/// Errors of the file system. A file that is not to be used is a rejection.
pub fn read_policy(path: &Path, limits: &Limits, without: Option<&str>) -> io::Result<Result<Policy, Rejection>> {
    let Some(source) = read_own(path, limits.document, without)? else {
        return Ok(Err(Rejection::new(
            "POL-018",
            format!("there is no policy {}", quoted(&path.display().to_string())),
        )));
    };
    Ok(source.and_then(|source| {
        let (policy, violations) = check_policy(&source, limits);
        policy.ok_or_else(|| first_error(&violations).in_file("the policy"))
    }))
}

/// A directory in which states are kept, one file for each authority.
#[derive(Debug, Clone)]
pub struct StateFolder(PathBuf);

/// The state of an authority, which no other process changes meanwhile.
#[derive(Debug)]
pub struct HeldState {
    /// What is known.
    pub state: State,
    before: State,
    path: PathBuf,
    /// The most bytes that it can have.
    most: u64,
    /// Released when it is closed.
    _lock: File,
}

impl StateFolder {
    /// The directory `path`, which is made when something is stored.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Holds the state of `authority`, a host, until the result is dropped; without holding the clause `without`.
    ///
    /// # Errors
    ///
    /// Errors of the file system. A state that is not to be used is a rejection.
    pub fn hold(
        &self,
        authority: &str,
        limits: &Limits,
        without: Option<&str>,
    ) -> io::Result<Result<HeldState, Rejection>> {
        // Who could open the lock could hold it for ever, and who could write here could take the state back.
        let mut folder = DirBuilder::new();
        folder.recursive(true);
        #[cfg(unix)]
        folder.mode(0o700);
        folder.create(&self.0)?;
        // The lock has a file of its own: that of the state is replaced.
        let mut lock = OpenOptions::new();
        lock.create(true).truncate(false).write(true);
        #[cfg(unix)]
        lock.mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let lock = lock.open(self.0.join(file_name(authority, "lock")))?;
        retry_on_intr(|| flock(&lock, FlockOperation::LockExclusive))?;
        self.remove_leftovers(authority)?;
        let path = self.0.join(file_name(authority, "json"));
        Ok(self.read(authority, &path, limits, without)?.map(|state| HeldState {
            before: state.clone(),
            state,
            path,
            most: limits.state,
            _lock: lock,
        }))
    }

    /// Removes what processes have left that were killed while they wrote the state of `authority`, which is held.
    fn remove_leftovers(&self, authority: &str) -> io::Result<()> {
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&temporary(authority)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// The state of `authority` as it is now, to look at.
    ///
    /// # Errors
    ///
    /// As [`StateFolder::hold`].
    pub fn look(&self, authority: &str, limits: &Limits) -> io::Result<Result<State, Rejection>> {
        self.read(authority, &self.0.join(file_name(authority, "json")), limits, None)
    }

    fn read(
        &self,
        authority: &str,
        path: &Path,
        limits: &Limits,
        without: Option<&str>,
    ) -> io::Result<Result<State, Rejection>> {
        let Some(source) = read_own(path, limits.state, without)? else { return Ok(Ok(State::of(authority))) };
        Ok(source.and_then(|source| {
            let (state, violations) = check_state(&source, limits);
            match state {
                Some(state) if state.authority == authority => Ok(state),
                Some(state) => Err(Rejection::new("POL-018", format!("the state is that of {}", state.authority))),
                None if without == Some("POL-018") => Ok(State::of(authority)),
                None => Err(first_error(&violations).in_file("the state")),
            }
        }))
    }
}

impl HeldState {
    /// Stores the state if it has changed: as a whole or not at all (POL-042).
    ///
    /// # Errors
    ///
    /// Errors of the file system, which leave the state as it was.
    pub fn store(self) -> io::Result<()> {
        if self.state == self.before {
            return Ok(());
        }
        let source = canonical(&self.state);
        if source.len() as u64 > self.most {
            // POL-031: nobody could read it, and nothing would be accepted any more.
            let message =
                format!("the state would have {} bytes, and can have no more than {}", source.len(), self.most);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(&temporary(&self.state.authority)).tempfile_in(folder)?;
        file.write_all(&source)?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    }
}

/// The name of a file of an authority: its own, or a digest of it where there is no room for that.
fn file_name(authority: &str, extension: &str) -> String {
    let name = format!("{authority}.{extension}");
    // No label of a host is as long as a digest.
    if name.len() <= 255 { name } else { format!("{}.{extension}", Digest::of(authority.as_bytes()).hex()) }
}

/// How the names of files begin that are to become the state of `authority`, which can be longer than a name has room
/// for.
fn temporary(authority: &str) -> String {
    format!(".cornercast-{}-", Digest::of(authority.as_bytes()).hex())
}

/// A file that is regular and that nobody but its owner can write; nothing if there is none. No more is read than the
/// limit and one byte.
fn read_own(path: &Path, limit: u64, without: Option<&str>) -> io::Result<Option<Result<Vec<u8>, Rejection>>> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let name = || quoted(&path.display().to_string());
    let refuse = |why: &str| Ok(Some(Err(Rejection::new("POL-019", format!("the file {} {why}", name())))));
    if without != Some("POL-019") && !metadata.is_file() {
        return refuse("is not a regular file");
    }
    let mut file = File::open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        // What is open is what was looked at.
        let opened = file.metadata()?;
        let is_other = (opened.dev(), opened.ino()) != (metadata.dev(), metadata.ino());
        if without != Some("POL-019") && (is_other || opened.mode() & 0o022 != 0) {
            return refuse("can be written by others than its owner");
        }
    }
    let mut source = Vec::new();
    (&mut file).take(limit.saturating_add(1)).read_to_end(&mut source)?;
    Ok(Some(Ok(source)))
}
