//! The `config.json` of a bundle (OCI runtime specification), from a manifest.

use std::collections::BTreeMap;
use std::io;

use cornercast::manifest::Manifest;
use serde_json::{Value, json};

use super::PackedImage;

/// What the engine mounts on, each outside what it is mounted below.
pub const MOUNT_POINTS: [&str; 3] = ["/dev", "/proc", "/sys"];

/// `PATH` where the image gives none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// `HOME` where the image gives none.
const HOME: &str = "/";

/// Where the engine puts its files for the application.
const RUN_DIR: &str = "/run/cornercast";

/// The bounding set of the level `separated`.
const CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// Where reading yields nothing.
const MASKED: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// What cannot be written to.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The environment of an instance: the image's, what it leaves to the engine, and the engine's own.
pub(super) fn environment(manifest: &Manifest, image: &str, instance: &str) -> BTreeMap<String, String> {
    let defaults = [("PATH", PATH), ("HOME", HOME)];
    let own = [("CORNERCAST_IMAGE", image), ("CORNERCAST_INSTANCE", instance), ("CORNERCAST_RUN_DIR", RUN_DIR)];
    let mut environment: BTreeMap<String, String> =
        defaults.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    environment.extend(manifest.app.iter().flat_map(|app| app.environment.clone()));
    environment.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
    environment
}

/// The argument vector of an image.
pub(super) fn arguments(manifest: &Manifest) -> Vec<String> {
    manifest.app.iter().flat_map(|app| app.exec.iter().chain(&app.arguments)).cloned().collect()
}

/// The configuration of the instance `instance` of an image.
///
/// # Errors
///
/// If there is nothing to run.
pub(super) fn config(image: &PackedImage, instance: &str) -> io::Result<Value> {
    let app = image.manifest.app.as_ref().ok_or_else(|| io::Error::other("the image has no `app`"))?;
    let environment = environment(&image.manifest, &image.id.to_string(), instance);
    let environment: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    // A process has its primary group among its supplementary ones.
    let groups: Vec<u32> = std::iter::once(app.user.gid).chain(app.user.supplementary_gids.iter().copied()).collect();
    let capabilities: &[&str] = if app.user.uid == 0 { &CAPABILITIES } else { &[] };
    Ok(json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": {"uid": app.user.uid, "gid": app.user.gid, "additionalGids": groups, "umask": 0o022},
            "args": arguments(&image.manifest),
            "env": environment,
            "cwd": app.working_directory,
            "capabilities": {
                "bounding": CAPABILITIES,
                "permitted": capabilities,
                "effective": capabilities,
                "inheritable": [],
                "ambient": [],
            },
        },
        "root": {"path": "rootfs", "readonly": false},
        "hostname": instance,
        "mounts": mounts(),
        "linux": {
            "namespaces": [
                {"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, {"type": "network"},
            ],
            "maskedPaths": MASKED,
            "readonlyPaths": READ_ONLY,
        },
    }))
}

fn mounts() -> Value {
    json!([
        {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "strictatime", "mode=755", "size=64k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
         "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=64m"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
    ])
}
