//! What the application can and cannot do.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::Test;
use super::instance::Instance;

pub(crate) const TESTS: &[Test] = &[
    ("system_calls_are_filtered", system_calls),
    ("system_calls_are_filtered_without_new_privileges", without_new_privileges),
    ("a_filter_that_is_not_understood", unknown_filter),
    ("resource_limits", resource_limits),
    ("a_resource_limit_that_is_too_high", limit_too_high),
    ("names_in_dev", names_in_dev),
    ("devices", devices),
    ("devices_with_unified_control_groups", unified_devices),
    ("the_network_and_the_name_of_the_host", host),
    ("masked_and_read_only_paths", masked_and_read_only),
    ("mounts", mounts),
    ("a_root_that_is_read_only", read_only_root),
    ("control_groups", control_groups),
];

/// What the filter refuses, and with which error.
const FILTERED: [(&str, &str); 9] = [
    ("mount:/tmp", "EPERM"),
    ("umount:/proc", "EPERM"),
    ("unshare:user", "EPERM"),
    ("unshare:mount", "EPERM"),
    ("clone:user", "EPERM"),
    ("clone3:net", "ENOSYS"),
    ("keyctl", "EPERM"),
    ("bpf", "EPERM"),
    ("userfaultfd", "EPERM"),
];

/// A program that root runs with the capabilities to do all of it.
fn privileged(probe: &Path, steps: &[&str]) -> Instance {
    let mut instance = Instance::acting(probe, steps);
    for set in ["bounding", "effective", "permitted"] {
        instance.config["process"]["capabilities"][set].as_array_mut().unwrap().push("CAP_SYS_ADMIN".into());
    }
    instance
}

fn system_calls(probe: &Path) {
    let steps: Vec<&str> = FILTERED.iter().map(|(step, _)| *step).chain(["look:seccomp,noNewPrivileges"]).collect();
    for uid in [0, 1000] {
        let mut instance = privileged(probe, &steps);
        if uid != 0 {
            instance = instance.with_user(uid);
        }
        let lines = instance.lines();
        for (line, (step, error)) in lines.iter().zip(FILTERED) {
            assert_eq!(line, &json!({"step": step, "error": error}));
        }
        assert_eq!(lines.last().unwrap(), &json!({"noNewPrivileges": false, "seccomp": 2}));
    }
    // Without the filter, nothing else is in the way of root.
    let mut instance = privileged(probe, &["mount:/tmp", "unshare:mount", "clone:mount", "clone3:net"]);
    instance.config["linux"].as_object_mut().unwrap().remove("seccomp");
    for line in instance.lines() {
        assert_eq!(line["ok"], true, "{line}");
    }
}

fn without_new_privileges(probe: &Path) {
    let mut instance = Instance::acting(probe, &["unshare:user", "look:seccomp,noNewPrivileges"]).with_user(1000);
    instance.config["process"]["noNewPrivileges"] = true.into();
    let lines = instance.lines();
    assert_eq!(lines[0]["error"], "EPERM");
    assert_eq!(lines[1], json!({"noNewPrivileges": true, "seccomp": 2}));
}

fn unknown_filter(probe: &Path) {
    let mut instance = Instance::acting(probe, &[]);
    instance.config["linux"]["seccomp"]["defaultAction"] = "SCMP_ACT_LOG".into();
    let refused = instance.create().unwrap_err();
    assert_eq!(refused, "linux.seccomp.defaultAction SCMP_ACT_LOG is not SCMP_ACT_ALLOW");
    instance.delete();
}

fn resource_limits(probe: &Path) {
    // So few that the process which waits could not be made under them.
    for (soft, hard) in [(64, 128), (3, 3), (1, 4)] {
        let mut instance = Instance::acting(probe, &["look:limits"]);
        instance.config["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": soft, "hard": hard}]);
        let limits = instance.lines().remove(0)["limits"].take();
        assert_eq!(limits["RLIMIT_NOFILE"], json!({"hard": hard, "soft": soft}));
    }
}

fn limit_too_high(probe: &Path) {
    let mut instance = Instance::acting(probe, &[]);
    // Above what the kernel gives anybody.
    instance.config["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1_u64 << 53}]);
    let refused = instance.create().unwrap_err();
    assert!(refused.contains("the hard limit RLIMIT_NOFILE 9007199254740992"), "{refused}");
    instance.delete();
}

fn names_in_dev(probe: &Path) {
    const NAMES: [&str; 13] =
        ["fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero"];
    for uid in [0, 1000] {
        let seen = Instance::acting(probe, &["list:/dev"]).with_user(uid).lines();
        assert_eq!(seen[0]["ok"], json!(NAMES));
    }
}

fn devices(probe: &Path) {
    // A device that exists on this host and is none of the table, by another name.
    let steps =
        ["open:/dev/full:rw", "mknod:/null:c:1:3", "open:/null:rw", "mknod:/kmsg:c:1:11", "mknod:/tun:c:10:200"];
    let lines = Instance::acting(probe, &steps).lines();
    let ended: Vec<&Value> = lines.iter().map(|line| line.get("error").unwrap_or(&line["ok"])).collect();
    assert_eq!(json!(ended), json!([true, true, true, "EPERM", "EPERM"]));
}

/// The test above, in mounts of its own that have nothing but control groups of version 2. Other controllers may be
/// those of version 1 on this host, so no limit can be tested there.
fn unified_devices(_: &Path) {
    const SCRIPT: &str =
        "umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec \"$0\" --exact devices";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", SCRIPT]).arg(std::env::current_exe().unwrap());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

fn host(probe: &Path) {
    let seen = Instance::of(probe, &[]).with_user(1000).look();
    assert_eq!(seen["hostname"], "cornercast");
    assert_eq!(seen["interfaces"], json!([{"loopback": true, "name": "lo", "up": true}]));
}

fn masked_and_read_only(probe: &Path) {
    let seen = Instance::of(probe, &[]).look();
    for (path, found) in seen["masked"].as_object().unwrap() {
        assert!(["empty", "absent"].contains(&found.as_str().unwrap()), "{path}: {found}");
    }
    for (path, found) in seen["readOnly"].as_object().unwrap() {
        assert!(["read-only", "absent"].contains(&found.as_str().unwrap()), "{path}: {found}");
    }
}

fn mounts(probe: &Path) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "text").unwrap();
    let steps =
        ["read:/data/file", "append:/data/file:more", "append:/same/file:more", "read:/file", "append:/file:more"];
    let mut instance = Instance::acting(probe, &steps);
    let mut mount = |source: &Path, destination: &str, options: Value| {
        let mount = json!({"destination": destination, "source": source, "type": "bind", "options": options});
        instance.config["mounts"].as_array_mut().unwrap().push(mount);
    };
    mount(folder.path(), "/data", json!(["rbind", "rro"]));
    mount(folder.path(), "/same", json!(["bind", "ro"]));
    mount(&folder.path().join("file"), "/file", json!(["bind"]));
    let lines = instance.lines();
    assert_eq!(lines[0]["ok"]["text"], "text");
    assert_eq!(lines[1]["error"], "EROFS");
    assert_eq!(lines[2]["error"], "EROFS");
    assert_eq!(lines[3]["ok"]["text"], "text");
    assert_eq!(lines[4]["ok"], true);
    assert_eq!(std::fs::read_to_string(folder.path().join("file")).unwrap(), "textmore");
}

fn read_only_root(probe: &Path) {
    let mut instance = Instance::acting(probe, &["create:/file", "create:/dev/shm/file"]);
    instance.config["root"]["readonly"] = true.into();
    let lines = instance.lines();
    assert_eq!(lines[0]["error"], "EROFS");
    assert_eq!(lines[1]["ok"], true);
}

/// The limits hold, and the application sees no group of the host.
fn control_groups(probe: &Path) {
    let steps = ["look:cgroup,namespaces", "fork:20", "allocate:100000000"];
    let mut instance = Instance::acting(probe, &steps);
    let resources = &mut instance.config["linux"]["resources"];
    resources["pids"] = json!({"limit": 8});
    resources["memory"] = json!({"limit": 33_554_432, "swap": 33_554_432});
    resources["cpu"] = json!({"period": 100_000, "quota": 50_000});
    let (ended, lines) = instance.act();
    for line in lines[0]["cgroup"].as_array().unwrap() {
        let line = line.as_str().unwrap();
        assert!(line.ends_with(":/"), "{line}");
    }
    let host = std::fs::metadata("/proc/self/ns/cgroup").unwrap().ino();
    assert_ne!(lines[0]["namespaces"]["cgroup"], format!("cgroup:[{host}]"));
    assert_eq!((&lines[1]["ok"], &lines[1]["error"]), (&json!(7), &json!("EAGAIN")));
    assert_eq!(lines.len(), 2);
    assert_eq!(ended, super::instance::Ended::Signal(9));
}
