//! The control groups of a container, which libcontainer made.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use libcontainer::oci_spec::runtime::LinuxDeviceCgroup;
use rustix::process::{Pid, Signal};

use super::{State, absent};

/// Lets the processes of a container use these devices and no others: libcontainer adds some that it thinks
/// everybody needs.
///
/// # Errors
///
/// Which rule cannot be set, in words.
pub(super) fn set_devices(path: &str, rules: &[LinuxDeviceCgroup]) -> Result<(), String> {
    let hierarchies = hierarchies()?;
    let devices = hierarchies.iter().find(|hierarchy| hierarchy.controllers.iter().any(|name| name == "devices"));
    let group = devices.ok_or("this host has no control groups for devices")?.group(path);
    // A file takes one rule a write, and the first one refuses everything.
    for rule in rules {
        let file = group.join(if rule.allow() { "devices.allow" } else { "devices.deny" });
        let set = fs::write(&file, rule.to_string());
        set.map_err(|error| format!("the rule {rule} for {}: {error}", file.display()))?;
    }
    Ok(())
}

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
struct Hierarchy {
    mounted: PathBuf,
    /// The names among the options of its mount, if it is of version 1: its controllers are there.
    controllers: Vec<String>,
}

impl Hierarchy {
    fn group(&self, path: &str) -> PathBuf {
        self.mounted.join(path.trim_start_matches('/'))
    }
}

/// The hierarchies that are mounted, of both versions.
fn hierarchies() -> Result<Vec<Hierarchy>, String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|error| format!("the mounts: {error}"))?;
    Ok(mounts.lines().filter_map(hierarchy).collect())
}

/// The hierarchy of a line of `mountinfo`: `ID PARENT DEVICE ROOT MOUNTED OPTIONS … - TYPE SOURCE OPTIONS`.
fn hierarchy(line: &str) -> Option<Hierarchy> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut kind = kind.split(' ');
    // A path with a space in it is written otherwise, and nobody mounts control groups there.
    let mounted = PathBuf::from(mount.split(' ').nth(4)?);
    let controllers = match kind.next()? {
        "cgroup" => kind.nth(1)?.split(',').map(str::to_owned).collect(),
        "cgroup2" => Vec::new(),
        _ => return None,
    };
    Some(Hierarchy { mounted, controllers })
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
