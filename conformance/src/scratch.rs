//! The scratch folder of a run, which goes with the run, however that ends.
//!
//! The suite holds a lock on it as long as it lives, and so does the guard: a process that waits until the suite has
//! gone, and then removes what is left. Where both were killed, nobody holds the locks, and whoever comes next can
//! remove the folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cornercast_engine::instance::{SWEEP_LOCK, sweep, unmount_below};
use cornercast_engine::removal;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};

use crate::process::{self, MARK};

/// How the names of scratch folders begin.
const PREFIX: &str = "cornercast-";

/// What follows that, and is followed by `-`.
const KINDS: [&str; 3] = ["run", "mutants", "cases"];

/// The lock that the suite holds; the file has the mark of its processes.
const LOCK: &str = "lock";

/// The lock that the guard holds.
const GUARD_LOCK: &str = "guard";

/// The directories of instances in a scratch folder, and in the folders in it.
pub const INSTANCES: &str = "instances";

/// How long the processes of a suite that has gone can take to end by themselves.
const PATIENCE: Duration = Duration::from_secs(3);

/// The name of that file until it is held.
const NEW: &str = "new";

/// How long an empty folder is left alone: it may be that it is being made.
const MAKING: Duration = Duration::from_secs(10);

/// A temporary folder that is held, and removed in the end.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    guard: Option<Child>,
    _lock: File,
}

impl Scratch {
    /// A folder that is held alone.
    fn held(kind: &str) -> io::Result<Self> {
        debug_assert!(KINDS.contains(&kind), "nobody would look for it");
        let folder = tempfile::Builder::new().prefix(&format!("{PREFIX}{kind}-")).tempdir()?;
        // The lock gets its name when it is held, so that nobody takes the folder for a leftover.
        let new = folder.path().join(NEW);
        let mut lock = File::create_new(&new)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        lock.write_all(process::mark().as_bytes())?;
        fs::rename(new, folder.path().join(LOCK))?;
        // The system's folder can be a link; adapters get the real path, and mounts have it.
        let path = folder.path().canonicalize()?;
        let _ = folder.keep();
        Ok(Self { folder: path, guard: None, _lock: lock })
    }

    /// A folder for a run of this kind, guarded by a process that removes it if this one does not.
    ///
    /// # Errors
    ///
    /// Errors of the file system, and of starting the guard, which is this program again.
    pub fn new(kind: &str) -> io::Result<Self> {
        let mut scratch = Self::held(kind)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.current_dir("/").arg("guard").arg(&scratch.folder).env_remove(MARK);
        // What is typed at the terminal is for the suite.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        scratch.guard = Some(command.spawn()?);
        Ok(scratch)
    }

    /// Its real path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to the guard, or else to the next run.
        let _ = remove(&self.folder, Duration::ZERO);
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            let _ = guard.wait();
        }
    }
}

/// Waits until the suite has gone whose end of the pipe `suite` is, and removes what is left of the run in `folder`.
///
/// # Errors
///
/// If another process guards the folder; if something cannot be removed.
pub fn guard(folder: &Path, suite: &mut impl Read) -> io::Result<()> {
    let lock = OpenOptions::new().create(true).append(true).open(folder.join(GUARD_LOCK));
    let lock = match lock {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        lock => lock?,
    };
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    io::copy(suite, &mut io::sink())?;
    remove(folder, PATIENCE).map(drop)
}

/// A run of which something was left, and what was removed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left {
    /// Its folder.
    pub folder: PathBuf,
    /// Its instances.
    pub instances: Vec<String>,
    /// Why something of it is still there.
    pub trouble: Option<String>,
}

/// Removes what runs of this user have left in the folder for temporary files, guards and all.
///
/// # Errors
///
/// Errors of reading the folder for temporary files.
pub fn clean() -> io::Result<Vec<Left>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(std::env::temp_dir().canonicalize()?)? {
        let entry = entry?;
        if !is_scratch(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let folder = entry.path();
        // Another one that cleans may be faster.
        let Ok(Some(_locks)) = left(&folder) else { continue };
        let (instances, trouble) = match remove(&folder, PATIENCE) {
            Ok(instances) => (instances, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        all.push(Left { folder, instances, trouble });
    }
    all.sort();
    Ok(all)
}

fn is_scratch(name: &str) -> bool {
    let rest = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
    rest.is_some_and(|(kind, _)| KINDS.contains(&kind))
}

/// The locks of a folder that nobody holds, which are held now; nothing if the folder is not this user's.
fn left(folder: &Path) -> io::Result<Option<[Option<File>; 2]>> {
    let metadata = fs::symlink_metadata(folder)?;
    if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Ok(None);
    }
    let take = |name: &str| match File::open(folder.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => {
            let file = file?;
            flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            Ok::<_, io::Error>(Some(file))
        }
    };
    let lock = take(LOCK)?;
    // Something that has no lock may be another program's, or of a version that has none.
    let is_empty = || Ok::<_, io::Error>(entries(folder)?.iter().all(|entry| entry.file_name() == NEW));
    let is_old = || Ok::<_, io::Error>(metadata.modified()?.elapsed().is_ok_and(|age| age > MAKING));
    if lock.is_none() && !(is_empty()? && is_old()?) {
        return Ok(None);
    }
    Ok(Some([lock, take(GUARD_LOCK)?]))
}

/// How often something is tried to be removed in which processes are that have been killed.
const ATTEMPTS: u32 = 50;

/// Removes a folder with the processes, instances and mounts of its run; the instances. Processes can take `patience`
/// to end by themselves, and are killed then.
fn remove(folder: &Path, patience: Duration) -> io::Result<Vec<String>> {
    let mark = fs::read_to_string(folder.join(LOCK)).unwrap_or_default();
    let start = Instant::now();
    while start.elapsed() < patience && !marked(&mark).is_empty() {
        thread::sleep(Duration::from_millis(10));
    }
    let mut removed = Vec::new();
    // Not until some time: one attempt can take longer than that where there is much to remove.
    let mut attempts = 0;
    loop {
        attempts += 1;
        // Those of a suite that is still there are no leftovers.
        if patience > Duration::ZERO {
            marked(&mark).into_iter().for_each(|process| _ = kill_process(process, Signal::KILL));
        }
        match remove_once(folder, &mut removed) {
            // What was killed is still ending.
            Err(_) if attempts < ATTEMPTS => thread::sleep(Duration::from_millis(20)),
            result => return result.map(|()| removed),
        }
    }
}

fn remove_once(folder: &Path, removed: &mut Vec<String>) -> io::Result<()> {
    for instances in directories_of_instances(folder)? {
        removed.extend(sweep(&instances)?);
        // An instance that is still held is in the way, and not to be removed under its engine.
        if entries(&instances)?.iter().any(|entry| entry.file_name() != SWEEP_LOCK) {
            return Err(io::Error::other(format!("{} is not empty", instances.display())));
        }
    }
    unmount_below(folder)?;
    // The locks go last, so that nobody else takes the folder for a new one meanwhile.
    match File::open(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => removal::empty(&opened?.into(), &[LOCK, GUARD_LOCK])?,
    }
    gone(fs::remove_dir_all(folder))
}

/// Removes the folder of a case. What is mounted there, by an engine that was killed, is not removed with it.
///
/// # Errors
///
/// If something stays mounted, of which nothing is removed; errors of the file system.
pub(crate) fn remove_case(folder: &Path) -> io::Result<()> {
    unmount_below(folder)?;
    removal::empty(&File::open(folder)?.into(), &[])?;
    fs::remove_dir(folder)
}

/// Those of all cases, and of cases that have their own.
fn directories_of_instances(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let folders = entries(folder)?.into_iter().map(|entry| entry.path());
    let all = std::iter::once(folder.to_owned()).chain(folders).map(|folder| folder.join(INSTANCES));
    Ok(all.filter(|instances| fs::symlink_metadata(instances).is_ok_and(|metadata| metadata.is_dir())).collect())
}

fn entries(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.collect(),
    }
}

/// Two that remove the same do not hinder each other.
fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// The processes that a suite with this mark has started, and theirs, as far as they keep their environment.
fn marked(mark: &str) -> Vec<Pid> {
    if mark.is_empty() {
        return Vec::new();
    }
    let variable = format!("{MARK}={mark}");
    let has = |pid: &Pid| {
        let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|own| own == variable.as_bytes())
    };
    let names = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter_map(|name| Pid::from_raw(name.to_str()?.parse().ok()?)).filter(has).collect()
}
