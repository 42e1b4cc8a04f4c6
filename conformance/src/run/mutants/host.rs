//! Mutants of what there is to see of the host (RUN-044 to RUN-061).

use std::fs;

use serde_json::json;

use super::Mutant;
use super::change::{array, bundle, config, mode, mutant, no_namespace, options, rootfs, set, shim};

pub(super) fn host() -> Vec<Mutant> {
    let mut all = vec![
        mutant("processes-of-the-host", &["RUN-044"], config(|config| no_namespace(config, "pid"))),
        mutant("sys-is-writable", &["RUN-045"], config(|config| options(config, "/sys", &["ro"], &["rw"]))),
        mutant(
            "sys-is-something-else",
            &["RUN-045"],
            config(|config| {
                array(config, "/mounts", |all| {
                    for mount in all.iter_mut().filter(|mount| mount["destination"] == "/sys") {
                        set(mount, "/type", json!("tmpfs"));
                        set(mount, "/source", json!("tmpfs"));
                    }
                });
            }),
        ),
        mutant("device-is-missing", &["RUN-046"], shim(&["unlink:/dev/full"])),
        mutant("device-for-root", &["RUN-046"], shim(&["chmod:/dev/null:0600"])),
        mutant("link-is-missing", &["RUN-046"], shim(&["unlink:/dev/fd"])),
        mutant("device-more", &["RUN-047"], shim(&["mknod:/dev/loop0:p:0:0"])),
        mutant(
            "small-shm",
            &["RUN-048"],
            config(|config| options(config, "/dev/shm", &["size=65536k"], &["size=1024k"])),
        ),
        mutant(
            "shm-for-root",
            &["RUN-048"],
            config(|config| options(config, "/dev/shm", &["mode=1777"], &["mode=0755"])),
        ),
        mutant("stdout-cannot-be-opened", &["RUN-049"], shim(&["unlink:/dev/stdout"])),
        mutant("dev-is-closed", &["RUN-049"], config(|config| options(config, "/dev", &["mode=755"], &["mode=700"]))),
        mutant("nothing-is-masked", &["RUN-050"], config(|config| set(config, "/linux/maskedPaths", json!([])))),
        mutant("nothing-is-read-only", &["RUN-051"], config(|config| set(config, "/linux/readonlyPaths", json!([])))),
        mutant(
            "mount-more",
            &["RUN-052"],
            config(|config| {
                let more = json!({"destination": "/srv", "options": ["rbind"], "source": "/srv", "type": "bind"});
                array(config, "/mounts", |all| all.push(more));
            }),
        ),
        mutant("network-of-the-host", &["RUN-053", "RUN-082"], config(|config| no_namespace(config, "network"))),
        mutant("another-hostname", &["RUN-055"], config(|config| set(config, "/hostname", json!("cornercast")))),
        mutant("control-groups-of-the-host", &["RUN-060"], config(|config| no_namespace(config, "cgroup"))),
        mutant("run-is-writable", &["RUN-061"], config(|config| options(config, "/run/cornercast", &["ro"], &["rw"]))),
        mutant(
            "loopback-is-down",
            &["RUN-054"],
            bundle(|config, _| {
                // A namespace that nobody has set up, kept by a process that ends by itself.
                let holder = std::process::Command::new("unshare").args(["--net", "sleep", "20"]).spawn();
                let Ok(holder) = holder else { return };
                std::thread::sleep(std::time::Duration::from_millis(100));
                let path = format!("/proc/{}/ns/net", holder.id());
                array(config, "/linux/namespaces", |all| {
                    all.iter_mut().filter(|one| one["type"] == "network").for_each(|one| one["path"] = json!(path));
                });
            }),
        ),
    ];
    all.extend([
        mutant("files-for-root", &["RUN-056"], rootfs(|root| mode(&root.join("etc/resolv.conf"), 0o600))),
        mutant("hostname-without-newline", &["RUN-057"], rootfs(|root| fs::write(root.join("etc/hostname"), b"web-1"))),
        mutant(
            "hosts-without-hostname",
            &["RUN-058"],
            rootfs(|root| fs::write(root.join("etc/hosts"), b"127.0.0.1 localhost\n")),
        ),
        mutant(
            "resolver-of-the-host",
            &["RUN-059"],
            rootfs(|root| fs::write(root.join("etc/resolv.conf"), b"nameserver 192.0.2.1\n")),
        ),
    ]);
    all
}
