//! The `config.json` of an OCI runtime bundle, from a manifest (RUN-101 to RUN-125).
//!
//! A function of the manifest, its id and the merged tree. What `config.json` cannot say is never left out in
//! silence: what the image requires is a refusal, the rest a note.

mod isolation;
#[cfg(target_os = "linux")]
mod making;
mod seccomp;

use serde_json::{Map, Value, json};

pub use self::isolation::{CAPABILITIES, Met, judge_isolator};
#[cfg(target_os = "linux")]
pub use self::making::{BundleError, Made, make};
use crate::digest::Digest;
use crate::json::to_canonical;
use crate::layer::{Node, Tree};
use crate::manifest::{App, Manifest};
use isolation::Isolation;

/// A configuration, and what it leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The bytes of `config.json`, in canonical form.
    pub bytes: Vec<u8>,
    /// What the image asks for without requiring it, and the configuration cannot say.
    pub notes: Vec<String>,
}

/// Why no bundle can be made of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The clause.
    pub clause: &'static str,
    /// Why, with the value, in words.
    pub reason: String,
}

/// What a runtime mounts on.
const MOUNT_POINTS: [&str; 3] = ["dev", "proc", "sys"];

/// `PATH` where the image gives none (RUN-106).
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// `HOME` where the image gives none (RUN-106).
pub const HOME: &str = "/";

/// Where reading yields nothing (RUN-113).
pub const MASKED: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// What cannot be written to (RUN-113).
pub const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The devices that can be opened, with type, major and minor number (RUN-114).
pub const DEVICES: [(&str, i64, i64); 6] =
    [("full", 1, 7), ("null", 1, 3), ("random", 1, 8), ("tty", 5, 0), ("urandom", 1, 9), ("zero", 1, 5)];

/// The configuration for the image `id` with this manifest, whose layers merge to `tree`.
///
/// # Errors
///
/// All reasons why there is none.
pub fn config(manifest: &Manifest, id: Digest, tree: &Tree) -> Result<Config, Vec<Refusal>> {
    let Some(app) = &manifest.app else {
        // RUN-103
        return Err(vec![Refusal {
            clause: "RUN-103",
            reason: "the image has no `app`, so there is nothing to run".to_owned(),
        }]);
    };
    let mut refusals = Vec::new();
    let mut notes = Vec::new();
    for point in MOUNT_POINTS {
        // RUN-123
        if let Some(kind) = tree.get(point).map(|entry| entry.node).filter(|node| !matches!(node, Node::Dir { .. })) {
            let kind = kind.type_name();
            let reason =
                format!("`/{point}` is {kind} in the image; a runtime mounts on it, so it has to be a directory");
            refusals.push(Refusal { clause: "RUN-123", reason });
        }
    }
    for mount in &app.mounts {
        let what = format!("the mount `{}` at {}", mount.name, mount.path);
        if mount.required {
            // RUN-122
            let reason = format!("{what} is required, and a bundle has no source for it");
            refusals.push(Refusal { clause: "RUN-122", reason });
        } else {
            notes.push(format!("{what} is left out: the directory of the image stands there"));
        }
    }
    let isolation = Isolation::of(&app.isolation, &mut refusals, &mut notes);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let value = document(manifest, app, &isolation, id);
    Ok(Config { bytes: to_canonical(&value).unwrap_or_default(), notes })
}

/// RUN-104: the members of the document, each by its clause.
fn document(manifest: &Manifest, app: &App, isolation: &Isolation, id: Digest) -> Value {
    json!({
        "annotations": {
            "cornercast.image": id.to_string(),
            "cornercast.name": manifest.name,
            "cornercast.version": manifest.version,
        },
        "hostname": "cornercast",
        "linux": {
            "maskedPaths": MASKED,
            "namespaces": [
                {"type": "ipc"}, {"type": "mount"}, {"type": "network"}, {"type": "pid"}, {"type": "uts"},
            ],
            "readonlyPaths": READ_ONLY,
            "resources": resources(isolation),
            "seccomp": seccomp::baseline(&manifest.platform.architecture),
        },
        "mounts": mounts(),
        "ociVersion": "1.0.2",
        "process": process(app, isolation),
        "root": {"path": "rootfs", "readonly": isolation.readonly_rootfs},
    })
}

fn process(app: &App, isolation: &Isolation) -> Value {
    // RUN-107: a process has its primary group among its supplementary ones.
    let mut groups: Vec<u32> = app.user.supplementary_gids.iter().copied().chain([app.user.gid]).collect();
    groups.sort_unstable();
    // RUN-109
    let bounding: Vec<&str> = isolation.capabilities.iter().copied().collect();
    let own: &[&str] = if app.user.uid == 0 { &bounding } else { &[] };
    let mut process = json!({
        // RUN-105
        "args": app.exec.iter().chain(&app.arguments).collect::<Vec<_>>(),
        "capabilities": {
            "ambient": [], "bounding": bounding, "effective": own, "inheritable": [], "permitted": own,
        },
        // RUN-108
        "cwd": app.working_directory,
        "env": environment(app),
        // RUN-110
        "noNewPrivileges": isolation.no_new_privileges,
        "terminal": false,
        "user": {"additionalGids": groups, "gid": app.user.gid, "uid": app.user.uid, "umask": 0o022},
    });
    // RUN-117
    if let (Some((soft, hard)), Some(members)) = (isolation.nofile, process.as_object_mut()) {
        members.insert("rlimits".to_owned(), json!([{"hard": hard, "soft": soft, "type": "RLIMIT_NOFILE"}]));
    }
    process
}

/// RUN-106: the variables of the image, and two that every program expects, by name.
fn environment(app: &App) -> Vec<String> {
    let mut variables = app.environment.clone();
    for (name, value) in [("HOME", HOME), ("PATH", PATH)] {
        variables.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    variables.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// RUN-112
fn mounts() -> Value {
    json!([
        {"destination": "/proc", "options": ["nosuid", "noexec", "nodev"], "source": "proc", "type": "proc"},
        {"destination": "/dev", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"], "source": "tmpfs",
         "type": "tmpfs"},
        {"destination": "/dev/pts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
         "source": "devpts", "type": "devpts"},
        {"destination": "/dev/shm", "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
         "source": "shm", "type": "tmpfs"},
        {"destination": "/sys", "options": ["nosuid", "noexec", "nodev", "ro"], "source": "sysfs", "type": "sysfs"},
    ])
}

/// RUN-114 and RUN-116
fn resources(isolation: &Isolation) -> Value {
    let rule = |major: i64, minor: Option<i64>| {
        let mut rule = json!({"access": "rwm", "allow": true, "major": major, "type": "c"});
        if let (Some(minor), Some(members)) = (minor, rule.as_object_mut()) {
            members.insert("minor".to_owned(), minor.into());
        }
        rule
    };
    let mut devices = vec![json!({"access": "rwm", "allow": false})];
    devices.extend(DEVICES.iter().map(|(_, major, minor)| rule(*major, Some(*minor))));
    // Terminals of the bundle's own: the multiplexer, and what it makes.
    devices.extend([rule(5, Some(2)), rule(136, None)]);
    let mut resources = Map::from_iter([("devices".to_owned(), Value::from(devices))]);
    if let Some(limit) = isolation.memory {
        // With the swap included, so that there is none.
        resources.insert("memory".to_owned(), json!({"limit": limit, "swap": limit}));
    }
    if let Some(thousandths) = isolation.cpu {
        resources.insert("cpu".to_owned(), json!({"period": 100_000, "quota": thousandths * 100}));
    }
    if let Some(limit) = isolation.pids {
        resources.insert("pids".to_owned(), json!({"limit": limit}));
    }
    resources.into()
}
