//! The control groups of instances: finding what a killed engine has left, and removing it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use cornercast::digest::Digest;
use rustix::process::{Pid, Signal, kill_process};

/// The group that holds those of all instances.
pub const PARENT: &str = "cornercast";

/// How long processes that were killed are waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The name of the group of the instance `id` of the state directory `state`, whose path has no link in it. Instances
/// of another state directory have other groups, also where they have the same ids.
#[must_use]
pub fn group(state: &Path, id: &str) -> String {
    let inode = fs::metadata(state).map_or((0, 0), |metadata| (metadata.dev(), metadata.ino()));
    let token = Digest::of(format!("{}\0{inode:?}", state.display()).as_bytes()).hex();
    format!("{id}.{}", token.get(..8).unwrap_or_default())
}

/// The path of a group in each hierarchy.
pub(crate) fn path_of(group: &str) -> String {
    format!("/{PARENT}/{group}")
}

/// Makes the group of this path, in one hierarchy, for finding what is in it: the file that a process writes `0` to in
/// order to be. None where there is no hierarchy that can be written to.
///
/// # Errors
///
/// If it cannot be told what is mounted.
#[cfg(feature = "embedded")]
pub(crate) fn make(path: &Path) -> io::Result<Option<fs::File>> {
    Ok(make_in(&mountinfo()?, path.strip_prefix("/").unwrap_or(path)))
}

/// The same, in the hierarchies of a text like that of `/proc/self/mountinfo`.
#[cfg(feature = "embedded")]
fn make_in(mountinfo: &str, below: &Path) -> Option<fs::File> {
    mountinfo.lines().filter_map(hierarchy).find_map(|(is_second, hierarchy)| {
        // In version 1, nothing can be in a new group of this controller until it is given processors.
        if !is_second && hierarchy.join("cpuset.cpus").exists() {
            return None;
        }
        let group = hierarchy.join(below);
        fs::create_dir_all(&group).ok()?;
        fs::OpenOptions::new().write(true).open(group.join("cgroup.procs")).ok()
    })
}

/// What is mounted, as text: names that are none are of no mount of an engine.
pub(crate) fn mountinfo() -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read("/proc/self/mountinfo")?).into_owned())
}

/// Where hierarchies are mounted, from a text like that of `/proc/self/mountinfo` (proc(5)): those of version 1 and
/// of version 2, in the order of the text.
#[must_use]
pub fn hierarchies(mountinfo: &str) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = mountinfo.lines().filter_map(hierarchy).map(|(_, path)| path).collect();
    all.dedup();
    all
}

/// Where the hierarchy of version 2 is mounted, if one of version 1 is there as well.
///
/// # Errors
///
/// If it cannot be told what is mounted.
pub fn second_beside_first() -> io::Result<Option<PathBuf>> {
    Ok(second_beside_first_in(&mountinfo()?))
}

/// The same, from a text like that of `/proc/self/mountinfo`.
pub(crate) fn second_beside_first_in(mountinfo: &str) -> Option<PathBuf> {
    let (second, first): (Vec<_>, Vec<_>) =
        mountinfo.lines().filter_map(hierarchy).partition(|(is_second, _)| *is_second);
    second.into_iter().next().filter(|_| !first.is_empty()).map(|(_, path)| path)
}

/// Whether the hierarchy that a line of mountinfo is about is of version 2, and where it is mounted.
fn hierarchy(line: &str) -> Option<(bool, PathBuf)> {
    let (mount, file_system) = line.split_once(" - ")?;
    let kind = file_system.split(' ').next()?;
    let point = mount.split(' ').nth(4)?;
    ["cgroup", "cgroup2"].contains(&kind).then(|| (kind == "cgroup2", PathBuf::from(unescaped(point))))
}

/// All places that something is mounted at, from such a text.
pub(crate) fn mount_points(mountinfo: &str) -> Vec<PathBuf> {
    mountinfo.lines().filter_map(|line| line.split(' ').nth(4)).map(|point| unescaped(point).into()).collect()
}

/// A path of mountinfo, in which blanks are octal numbers.
fn unescaped(path: &str) -> String {
    path.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// The directories of a group that are there.
///
/// # Errors
///
/// If it cannot be told what is mounted.
pub fn directories(group: &str) -> io::Result<Vec<PathBuf>> {
    let below = |hierarchy: PathBuf| hierarchy.join(PARENT).join(group);
    Ok(hierarchies(&mountinfo()?).into_iter().map(below).filter(|path| path.is_dir()).collect())
}

/// The processes of a group.
///
/// # Errors
///
/// If it cannot be told what is mounted.
pub fn processes(group: &str) -> io::Result<Vec<Pid>> {
    Ok(directories(group)?.iter().flat_map(|directory| processes_in(directory)).collect())
}

/// Kills whatever is in a group, and waits until it has gone.
///
/// # Errors
///
/// If something is still there after some seconds.
pub(crate) fn kill(group: &str) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let left = processes(group)?;
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(io::Error::other(format!("processes of the control group `{group}` cannot be killed")));
        }
        for process in left {
            let _ = kill_process(process, Signal::KILL);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Kills whatever is in a group, and removes it.
///
/// # Errors
///
/// If something is still there after some seconds.
pub(crate) fn remove(group: &str) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    for directory in directories(group)? {
        while let Err(error) = remove_tree(&directory) {
            if Instant::now() > until {
                return Err(io::Error::new(error.kind(), format!("{}: {error}", directory.display())));
            }
            for process in processes_in(&directory) {
                let _ = kill_process(process, Signal::KILL);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(())
}

/// The processes in a group and below.
fn processes_in(directory: &Path) -> Vec<Pid> {
    let own = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    let mut all: Vec<Pid> = own.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect();
    for child in children(directory) {
        all.extend(processes_in(&child));
    }
    all
}

fn remove_tree(directory: &Path) -> io::Result<()> {
    for child in children(directory) {
        remove_tree(&child)?;
    }
    match fs::remove_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    /// As a kernel wrote them: controllers mounted one by one, with version 2 beside them.
    const HYBRID: &str = "\
23 1 254:0 / / rw,relatime - ext4 /dev/root rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    /// Version 1 alone.
    const FIRST: &str = "\
275 274 0:28 / /sys/fs/cgroup rw,relatime shared:7 - tmpfs tmpfs rw,mode=755
276 275 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:8 - cgroup cgroup rw,cpu
285 275 0:36 / /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup cgroup rw,pids
";

    /// Version 2 alone.
    const SECOND: &str = "270 304 0:38 / /sys/fs/cgroup rw,relatime - cgroup2 none rw\n";

    fn named(mountinfo: &str) -> Vec<String> {
        hierarchies(mountinfo).iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn hierarchies_of_both_versions_are_found() {
        let hybrid =
            ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"];
        assert_eq!(named(HYBRID), hybrid);
        assert_eq!(named(FIRST), ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/pids"]);
        assert_eq!(named(SECOND), ["/sys/fs/cgroup"]);
        assert_eq!(second_beside_first_in(HYBRID), Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(second_beside_first_in(FIRST), None);
        assert_eq!(second_beside_first_in(SECOND), None);
        assert!(named("").is_empty());
        assert!(named("a line of another form\n").is_empty());
    }

    #[test]
    fn blanks_in_paths_are_octal_numbers() {
        let line = "1 2 0:1 / /with\\040blank\\134 rw - cgroup2 none rw\n";
        assert_eq!(named(line), ["/with blank\\"]);
        assert_eq!(mount_points(line), [PathBuf::from("/with blank\\")]);
    }

    #[test]
    #[cfg(feature = "embedded")]
    fn a_group_to_find_processes_by_needs_no_processors() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display();
        let line = |kind: &str, name: &str| format!("1 2 0:1 / {root}/{name} rw - {kind} none rw\n");
        // A kernel would make these files.
        for path in [
            "first/cpuset.cpus",
            "second/cpuset.cpus",
            "second/a/cpuset.cpus",
            "second/a/b/cgroup.procs",
            "first/a/b/cgroup.procs",
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        let below = Path::new("a/b");
        assert!(make_in(&line("cgroup", "first"), below).is_none());
        assert!(make_in(&line("cgroup2", "second"), below).is_some());
        assert!(make_in(&(line("cgroup", "first") + &line("cgroup2", "second")), below).is_some());
        fs::remove_file(folder.path().join("first/cpuset.cpus")).unwrap();
        assert!(make_in(&line("cgroup", "first"), below).is_some());
    }

    #[test]
    fn a_group_is_removed_with_those_below() {
        let tree = tempfile::tempdir().unwrap();
        let group = tree.path().join("cornercast/a");
        fs::create_dir_all(group.join("below/deeper")).unwrap();
        assert_eq!(processes_in(&group), []);
        remove_tree(&group).unwrap();
        assert!(!group.exists());
        // It may have gone already.
        remove_tree(&group).unwrap();
    }
}
