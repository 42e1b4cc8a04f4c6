//! The control groups of a container, which libcontainer made.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::{State, absent};

/// Removes the control groups of a container in every hierarchy, and ends what is left in them.
///
/// # Errors
///
/// What cannot be removed, in words.
pub(super) fn remove(state: &State) -> Result<(), String> {
    let path = match fs::read_to_string(state.cgroups_path()) {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("the path of the control groups: {error}")),
    };
    for hierarchy in hierarchies()? {
        let group = hierarchy.group(&path);
        if group.is_dir() {
            remove_tree(&group).map_err(|error| format!("the control group {}: {error}", group.display()))?;
        }
    }
    Ok(())
}

/// A tree of control groups.
pub(super) struct Hierarchy {
    mounted: PathBuf,
    /// The options of its mount, if it is of version 1: the names of its controllers are among them.
    options: Option<Vec<String>>,
}

impl Hierarchy {
    /// Whether it is of version 1 and has this controller.
    pub(super) fn has(&self, controller: &str) -> bool {
        self.options.iter().flatten().any(|option| option == controller)
    }

    /// Whether it is of version 2.
    pub(super) fn is_unified(&self) -> bool {
        self.options.is_none()
    }

    pub(super) fn group(&self, path: &str) -> PathBuf {
        self.mounted.join(path.trim_start_matches('/'))
    }
}

/// The hierarchies that are mounted, of both versions.
pub(super) fn hierarchies() -> Result<Vec<Hierarchy>, String> {
    let mounts = crate::cgroup::mountinfo().map_err(|error| format!("the mounts: {error}"))?;
    Ok(mounts.lines().filter_map(hierarchy).collect())
}

/// The hierarchy of a line of `mountinfo`: `ID PARENT DEVICE ROOT MOUNTED OPTIONS … - TYPE SOURCE OPTIONS`.
fn hierarchy(line: &str) -> Option<Hierarchy> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut kind = kind.split(' ');
    // A path with a space in it is written otherwise, and nobody mounts control groups there.
    let mounted = PathBuf::from(mount.split(' ').nth(4)?);
    let options = match kind.next()? {
        "cgroup" => Some(kind.nth(1)?.split(',').map(str::to_owned).collect()),
        "cgroup2" => None,
        _ => return None,
    };
    Some(Hierarchy { mounted, options })
}

fn remove_tree(group: &Path) -> io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    let mut attempts = 100;
    loop {
        match absent(fs::remove_dir(group)) {
            // A process that has ended leaves its group a little later.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && attempts > 0 => attempts -= 1,
            other => return other,
        }
        end_processes(group);
        sleep(Duration::from_millis(10));
    }
}

fn end_processes(group: &Path) {
    let processes = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    for pid in processes.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)) {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}
