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
        let group = hierarchy.join(path.trim_start_matches('/'));
        if group.is_dir() {
            remove_tree(&group).map_err(|error| format!("the control group {}: {error}", group.display()))?;
        }
    }
    Ok(())
}

/// Where control groups are mounted, of both versions.
fn hierarchies() -> Result<Vec<PathBuf>, String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|error| format!("the mounts: {error}"))?;
    let hierarchy = |line: &str| {
        let (mount, source) = line.split_once(" - ")?;
        let kind = source.split(' ').next()?;
        // The fifth field; a path with a space in it is written otherwise, and holds no control groups.
        ["cgroup", "cgroup2"].contains(&kind).then(|| mount.split(' ').nth(4).map(PathBuf::from))?
    };
    Ok(mounts.lines().filter_map(hierarchy).collect())
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
