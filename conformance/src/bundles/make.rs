//! The bundle of a case.
//!
//! ```text
//! FOLDER/bundle/config.json
//! FOLDER/bundle/rootfs/      the root tree: bin/probe, bin/act, and some files
//! FOLDER/outside/            a directory that no container is told of
//! FOLDER/notes/              where hooks write
//! FOLDER/runtime/root/       what the runtime keeps, beside the file FOLDER/runtime/beside
//! ```

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use cornercast_engine::cgroup;
use serde_json::{Value, json};

use super::Case;
use super::case::set;

/// The bundle, in the folder of a case.
pub const BUNDLE: &str = "bundle";
/// The root tree, in the bundle.
pub const ROOT: &str = "rootfs";
/// A directory outside of the root tree, in the folder of a case.
pub const OUTSIDE: &str = "outside";
/// What hooks write, there too.
pub const NOTES: &str = "notes";
/// What the runtime keeps, and its neighbour.
pub const RUNTIME: &str = "runtime";

/// The user of cases that are not about root.
pub const USER: u32 = 1000;

/// Makes the bundle of a case in `folder`, with the control group `group`.
///
/// # Errors
///
/// Errors of the file system.
pub fn make(case: &Case, probe: &[u8], folder: &Path, group: &str) -> io::Result<()> {
    let root = folder.join(BUNDLE).join(ROOT);
    for directory in [OUTSIDE, NOTES, &format!("{RUNTIME}/root")] {
        fs::create_dir_all(folder.join(directory))?;
    }
    fs::write(folder.join(RUNTIME).join("beside"), b"")?;
    tree(&root, probe)?;
    (case.tree)(&root)?;
    let mut config = good(group);
    if !case.steps.is_empty() {
        let steps = ["/bin/act"].iter().chain(case.steps);
        set(&mut config, "/process/args", steps.copied().collect());
    }
    (case.change)(&mut config, folder);
    let mut text = serde_json::to_vec_pretty(&config)?;
    text.push(b'\n');
    fs::write(folder.join(BUNDLE).join("config.json"), text)
}

/// The root tree that all cases have.
fn tree(root: &Path, probe: &[u8]) -> io::Result<()> {
    for name in ["", "bin", "dev", "etc", "mnt", "proc", "sys", "tmp", "work", "work/below"] {
        directory(root, name, 0o755)?;
    }
    directory(root, "closed", 0o700)?;
    fs::write(root.join("bin/probe"), probe)?;
    fs::set_permissions(root.join("bin/probe"), Permissions::from_mode(0o755))?;
    for name in ["bin/act", "bin/shim"] {
        fs::hard_link(root.join("bin/probe"), root.join(name))?;
    }
    for (name, content) in [("etc/file", "of the tree\n"), ("work/file", "in the tree\n")] {
        fs::write(root.join(name), content)?;
        fs::set_permissions(root.join(name), Permissions::from_mode(0o644))?;
    }
    symlink("work", root.join("link"))
}

/// Makes a directory below `root` with this mode, whatever the umask.
pub(super) fn directory(root: &Path, name: &str, mode: u32) -> io::Result<PathBuf> {
    let path = root.join(name);
    fs::create_dir_all(&path)?;
    fs::set_permissions(&path, Permissions::from_mode(mode))?;
    Ok(path)
}

/// The capabilities of the good bundle.
pub const CAPABILITIES: [&str; 3] = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_NET_BIND_SERVICE"];

/// The `config.json` that all runtimes take: what a case changes is the one thing that is particular about it.
#[must_use]
pub fn good(group: &str) -> Value {
    let mount = |destination: &str, kind: &str, options: &[&str]| json!({"destination": destination, "type": kind, "source": kind, "options": options});
    json!({
        "ociVersion": "1.0.2",
        "root": {"path": ROOT},
        "hostname": "cornercast",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["/bin/probe"],
            "env": ["PATH=/usr/bin:/bin", "HOME=/"],
            "cwd": "/",
            "capabilities": {"bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES},
            "noNewPrivileges": true,
        },
        "mounts": [
            mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
            mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
            mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
            mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        ],
        "linux": {
            "cgroupsPath": format!("/{}/{group}", cgroup::PARENT),
            "namespaces": [
                {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
            ],
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
        },
    })
}
