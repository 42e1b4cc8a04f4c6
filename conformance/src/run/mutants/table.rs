//! All mutants, in the order of the clauses.

use std::fs::{self, File, FileTimes, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::UNIX_EPOCH;

use cornercast_engine::refusal::Reason;
use cornercast_engine::report::{Outcome, Row, Verdict};
use serde_json::json;

use super::{
    How, Mutant, app, array, bundle, capabilities, config, image, no_namespace, object, options, reports, rootfs, set,
    shim, variables, without_and, wrap,
};

/// Clauses that an engine leaves out, each a mutant.
const CHECKS: [&str; 24] = [
    "RUN-001", "RUN-002", "RUN-003", "RUN-006", "RUN-007", "RUN-008", "RUN-009", "RUN-010", "RUN-011", "RUN-018",
    "RUN-019", "RUN-041", "RUN-042", "RUN-066", "RUN-067", "RUN-068", "RUN-083", "RUN-084", "RUN-085", "RUN-086",
    "RUN-087", "RUN-088", "RUN-090", "RUN-091",
];

/// All mutants.
#[must_use]
pub fn all() -> Vec<Mutant> {
    let mut all: Vec<Mutant> = CHECKS
        .iter()
        .map(|clause| Mutant { name: clause, clauses: std::slice::from_ref(clause), how: How::Without(clause) })
        .collect();
    for mutants in [process(), descriptors(), tree(), host(), volumes_and_writing(), end(), isolation(), failing()] {
        all.extend(mutants);
    }
    all
}

fn mutant(name: &'static str, clauses: &'static [&'static str], how: How) -> Mutant {
    Mutant { name, clauses, how }
}

/// RUN-004 to RUN-034
fn process() -> Vec<Mutant> {
    vec![
        mutant(
            "touches-the-image",
            &["RUN-004"],
            image(|path| {
                let _ = if path.is_dir() { fs::write(path.join("used"), b"") } else { append(path) };
            }),
        ),
        mutant(
            "one-argument-more",
            &["RUN-012"],
            config(|config| array(config, "/process/args", |all| all.push(json!("")))),
        ),
        mutant(
            "arguments-are-split",
            &["RUN-012"],
            config(|config| {
                array(config, "/process/args", |all| {
                    let words = all.iter().filter_map(|word| word.as_str()).flat_map(str::split_whitespace);
                    *all = words.map(|word| json!(word)).collect();
                });
            }),
        ),
        mutant(
            "link-is-resolved",
            &["RUN-012"],
            config(|config| {
                set(config, "/process/args/0", json!("/usr/lib/cornercast/probe"));
                array(config, "/process/args", |all| all.truncate(1));
            }),
        ),
        mutant(
            "one-variable-more",
            &["RUN-013", "RUN-014", "RUN-015"],
            config(|config| {
                array(config, "/process/env", |all| all.push(json!("container=oci")));
            }),
        ),
        mutant(
            "variables-of-loaders-are-dropped",
            &["RUN-013"],
            config(|config| {
                array(config, "/process/env", |all| {
                    all.retain(|one| !one.as_str().unwrap_or_default().starts_with("LD_"))
                });
            }),
        ),
        mutant(
            "variable-twice",
            &["RUN-013"],
            config(|config| {
                array(config, "/process/env", |all| all.extend(all.first().cloned()));
            }),
        ),
        mutant(
            "values-are-trimmed",
            &["RUN-013"],
            config(|config| {
                variables(config, |one| {
                    let (name, value) = one.split_once('=')?;
                    Some(format!("{name}={}", value.trim()))
                });
            }),
        ),
        mutant(
            "options-lose",
            &["RUN-013"],
            config(|config| {
                variables(config, |one| one.ends_with("=of the options").then(|| "A=of the image".to_owned()));
            }),
        ),
        mutant(
            "home-of-root",
            &["RUN-014"],
            config(|config| {
                variables(config, |one| (one == "HOME=/").then(|| "HOME=/root".to_owned()));
            }),
        ),
        mutant(
            "path-of-debian",
            &["RUN-014"],
            config(|config| {
                variables(config, |one| one.starts_with("PATH=").then(|| "PATH=/usr/bin:/bin".to_owned()));
            }),
        ),
        mutant(
            "no-instance-in-the-environment",
            &["RUN-015"],
            config(|config| {
                array(config, "/process/env", |all| {
                    all.retain(|one| !one.as_str().unwrap_or_default().starts_with("CORNERCAST_INSTANCE="));
                });
            }),
        ),
        mutant(
            "another-image-in-the-environment",
            &["RUN-015"],
            config(|config| {
                variables(config, |one| {
                    one.starts_with("CORNERCAST_IMAGE=").then(|| "CORNERCAST_IMAGE=sha256:0".to_owned())
                });
            }),
        ),
        mutant("another-directory", &["RUN-017"], config(|config| set(config, "/process/cwd", json!("/usr/lib")))),
        mutant(
            "another-user",
            &["RUN-020"],
            config(|config| {
                let uid = config.pointer("/process/user/uid").and_then(serde_json::Value::as_u64).unwrap_or(0);
                set(config, "/process/user/uid", json!(uid ^ 1));
            }),
        ),
        mutant(
            "another-group",
            &["RUN-020"],
            config(|config| {
                let gid = config.pointer("/process/user/gid").and_then(serde_json::Value::as_u64).unwrap_or(0);
                set(config, "/process/user/gid", json!(gid ^ 1));
            }),
        ),
        mutant(
            "primary-group-is-dropped",
            &["RUN-021"],
            config(|config| set(config, "/process/user/additionalGids", json!([]))),
        ),
        mutant(
            "group-of-root",
            &["RUN-021"],
            config(|config| {
                array(config, "/process/user/additionalGids", |all| all.push(json!(10)));
            }),
        ),
        mutant(
            "ids-are-truncated",
            &["RUN-022"],
            config(|config| {
                for id in ["uid", "gid"] {
                    let pointer = format!("/process/user/{id}");
                    let value = config.pointer(&pointer).and_then(serde_json::Value::as_u64).unwrap_or(0);
                    set(config, &pointer, json!(value & 0x7FFF_FFFF));
                }
            }),
        ),
        mutant("umask-of-the-caller", &["RUN-023"], config(|config| set(config, "/process/user/umask", json!(0o077)))),
        mutant("controlling-terminal", &["RUN-029"], shim(&["controlling-terminal"])),
        mutant("ignored-signal", &["RUN-030"], shim(&["ignore:SIGPIPE"])),
        mutant("blocked-signal", &["RUN-030"], shim(&["block:SIGUSR1"])),
        mutant(
            "small-stack",
            &["RUN-031"],
            config(|config| {
                let limit = json!({"hard": 1 << 20, "soft": 1 << 20, "type": "RLIMIT_STACK"});
                object(config, "/process", |process| {
                    let limits = process.entry("rlimits").or_insert_with(|| json!([]));
                    limits.as_array_mut().into_iter().for_each(|limits| limits.push(limit.clone()));
                });
            }),
        ),
        mutant(
            "one-capability-more",
            &["RUN-032"],
            config(|config| {
                capabilities(config, "bounding", |all| all.push(json!("CAP_SYS_PTRACE")));
            }),
        ),
        mutant(
            "one-capability-less",
            &["RUN-032", "RUN-033"],
            config(|config| {
                for set in ["bounding", "permitted", "effective"] {
                    capabilities(config, set, |all| drop(all.pop()));
                }
            }),
        ),
        mutant(
            "capability-of-a-user",
            &["RUN-033"],
            config(|config| {
                for set in ["permitted", "effective", "inheritable", "ambient"] {
                    capabilities(config, set, |all| all.push(json!("CAP_CHOWN")));
                }
            }),
        ),
        mutant(
            "inheritable-capability",
            &["RUN-034"],
            config(|config| {
                capabilities(config, "inheritable", |all| all.push(json!("CAP_CHOWN")));
            }),
        ),
        mutant(
            "ambient-capability",
            &["RUN-034"],
            config(|config| {
                for set in ["permitted", "inheritable", "ambient"] {
                    capabilities(config, set, |all| all.push(json!("CAP_CHOWN")));
                }
            }),
        ),
    ]
}

fn append(path: &Path) -> io::Result<()> {
    use std::io::Write;
    File::options().append(true).open(path)?.write_all(b"\0")
}

/// RUN-024 to RUN-028
fn descriptors() -> Vec<Mutant> {
    vec![
        mutant("descriptor-leaks", &["RUN-024"], shim(&["leak"])),
        mutant("errors-into-the-output", &["RUN-025"], shim(&["merge"])),
        mutant("input-is-something-else", &["RUN-026"], shim(&["stdin:/etc/os-release"])),
        mutant("input-is-ignored", &["RUN-026"], shim(&["stdin:/dev/null", "close:1"])),
        mutant("input-is-a-terminal", &["RUN-027"], shim(&["terminal"])),
        mutant("output-is-truncated", &["RUN-028"], How::Wrap(wrap::truncates)),
        mutant("output-is-translated", &["RUN-028"], How::Wrap(wrap::translates)),
        mutant("output-waits-for-a-newline", &["RUN-028"], How::Wrap(wrap::waits_for_a_newline)),
        mutant("streams-are-merged", &["RUN-028"], How::Wrap(wrap::merges)),
        mutant("engine-talks", &["RUN-028", "RUN-095"], How::Wrap(wrap::talks)),
    ]
}

fn mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

fn touch(path: &Path) -> io::Result<()> {
    File::open(path)?.set_times(FileTimes::new().set_modified(UNIX_EPOCH))
}

/// RUN-035 to RUN-043
fn tree() -> Vec<Mutant> {
    vec![
        mutant("mode-is-another", &["RUN-035"], rootfs(|root| mode(&root.join("srv/closed"), 0o755))),
        mutant("time-is-lost", &["RUN-035"], rootfs(|root| touch(&root.join("usr/bin")))),
        mutant(
            "one-file-more",
            &["RUN-035"],
            rootfs(|root| {
                fs::write(root.join(".dockerenv"), b"")?;
                touch(root)
            }),
        ),
        mutant("one-file-less", &["RUN-035"], rootfs(|root| fs::remove_file(root.join("srv/future")))),
        mutant("content-is-another", &["RUN-035"], rootfs(|root| append(&root.join("srv/attributes")))),
        mutant("root-for-its-owner", &["RUN-036"], rootfs(|root| mode(root, 0o700))),
        mutant(
            "made-for-its-owner",
            &["RUN-037"],
            rootfs(|root| {
                mode(&root.join("run"), 0o700)?;
                mode(&root.join("etc"), 0o700)
            }),
        ),
        mutant(
            "times-of-parents",
            &["RUN-038"],
            rootfs(|root| {
                touch(&root.join("run"))?;
                touch(&root.join("etc"))
            }),
        ),
        mutant(
            "links-stay",
            &["RUN-043"],
            rootfs(|root| {
                for name in ["hosts", "hostname", "resolv.conf"] {
                    fs::remove_file(root.join("etc").join(name))?;
                    symlink("/srv/kept", root.join("etc").join(name))?;
                }
                Ok(())
            }),
        ),
    ]
}

/// RUN-044 to RUN-061
fn host() -> Vec<Mutant> {
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
        mutant("network-of-the-host", &["RUN-053"], config(|config| no_namespace(config, "network"))),
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

/// RUN-062 to RUN-074
fn volumes_and_writing() -> Vec<Mutant> {
    vec![
        mutant(
            "always-read-only",
            &["RUN-062", "RUN-063"],
            config(|config| set(config, "/root/readonly", json!(true))),
        ),
        mutant("never-read-only", &["RUN-064"], config(|config| set(config, "/root/readonly", json!(false)))),
        mutant(
            "instances-share",
            &["RUN-063"],
            bundle(|config, bundle| {
                // Beside the directories of the instances.
                let shared = bundle.ancestors().nth(3).unwrap_or(bundle).join("shared");
                let _ = fs::create_dir_all(&shared);
                let _ = mode(&shared, 0o1777);
                let more = json!({"destination": "/srv/drop", "options": ["bind"], "source": shared, "type": "bind"});
                array(config, "/mounts", |all| all.push(more));
            }),
        ),
        mutant("shm-is-read-only", &["RUN-065"], config(|config| options(config, "/dev/shm", &[], &["ro"]))),
        mutant(
            "volumes-are-read-only",
            &["RUN-065", "RUN-069", "RUN-071"],
            config(|config| options(config, "", &["rw"], &["ro"])),
        ),
        mutant("volumes-are-writable", &["RUN-071"], config(|config| options(config, "", &["ro"], &["rw"]))),
        mutant(
            "volumes-are-missing",
            &["RUN-069", "RUN-017", "RUN-074"],
            config(|config| {
                array(config, "/mounts", |all| {
                    all.retain(|mount| {
                        mount["type"] != "bind" || mount["destination"] == cornercast_engine::RUN_DIRECTORY
                    });
                });
            }),
        ),
        mutant("volumes-have-devices", &["RUN-070"], config(|config| options(config, "", &["nodev"], &["dev"]))),
        mutant("volumes-have-set-user-id", &["RUN-070"], config(|config| options(config, "", &["nosuid"], &["suid"]))),
        mutant(
            "mounts-below-volumes",
            &["RUN-072"],
            without_and("RUN-072", |config| options(config, "", &["bind"], &["rbind"])),
        ),
        mutant(
            "volume-without-asking",
            &["RUN-073"],
            config(|config| {
                let more = json!({"destination": "/srv/data", "options": [], "source": "tmpfs", "type": "tmpfs"});
                array(config, "/mounts", |all| all.push(more));
            }),
        ),
        mutant(
            "empty-is-not-empty",
            &["RUN-074"],
            bundle(|_, bundle| {
                let data = bundle.parent().unwrap_or(bundle).join("volumes/data");
                let _ = fs::write(data.join("copied"), b"");
            }),
        ),
        mutant(
            "empty-is-for-all",
            &["RUN-074"],
            bundle(|_, bundle| {
                let _ = mode(&bundle.parent().unwrap_or(bundle).join("volumes/data"), 0o777);
            }),
        ),
    ]
}

/// RUN-075 to RUN-081
fn end() -> Vec<Mutant> {
    vec![
        mutant(
            "another-exit-code",
            &["RUN-075"],
            reports(|report, _| {
                report.exit_code = report.exit_code.map(|code| code.wrapping_add(1));
            }),
        ),
        mutant(
            "signal-as-exit-code",
            &["RUN-076"],
            reports(|report, _| {
                if report.outcome == Outcome::Signaled {
                    report.outcome = Outcome::Exited;
                    report.exit_code = Some(139);
                }
            }),
        ),
        mutant(
            "another-signal",
            &["RUN-076", "RUN-079"],
            reports(|report, _| {
                report.signal = report.signal.as_ref().map(|_| "SIGTERM".to_owned());
            }),
        ),
        mutant("others-stay", &["RUN-077"], without_and("RUN-077", |config| no_namespace(config, "pid"))),
        mutant("another-stop-signal", &["RUN-078"], app(|app| app.stop.signal = "SIGCONT".to_owned())),
        mutant("all-get-the-signal", &["RUN-078"], How::Without("RUN-078")),
        mutant("never-kills", &["RUN-079"], app(|app| app.stop.grace_seconds = 3600)),
        mutant("kills-at-once", &["RUN-079"], app(|app| app.stop.grace_seconds = 0)),
        mutant("does-not-say-that-it-killed", &["RUN-080"], reports(|report, _| report.killed = false)),
        mutant("says-that-it-killed", &["RUN-080", "RUN-075", "RUN-078"], reports(|report, _| report.killed = true)),
        mutant("leaves-everything", &["RUN-099"], How::Without("RUN-099")),
        mutant("leaves-leftovers", &["RUN-081"], How::Without("RUN-081")),
    ]
}

/// RUN-082 to RUN-089
fn isolation() -> Vec<Mutant> {
    vec![
        mutant("ipc-of-the-host", &["RUN-082"], config(|config| no_namespace(config, "ipc"))),
        mutant(
            "no-limits",
            &["RUN-082"],
            config(|config| {
                object(config, "/linux/resources", |resources| resources.retain(|name, _| name == "devices"));
            }),
        ),
        mutant(
            "no-limit-of-descriptors",
            &["RUN-082"],
            config(|config| {
                object(config, "/process", |process| drop(process.remove("rlimits")));
            }),
        ),
        mutant(
            "limits-are-tight",
            &["RUN-082"],
            config(|config| {
                set(config, "/linux/resources/memory", json!({"limit": 16 << 20, "swap": 16 << 20}));
            }),
        ),
        mutant(
            "no-filter",
            &["RUN-082"],
            config(|config| {
                object(config, "/linux", |linux| drop(linux.remove("seccomp")));
                // What a filter forbids, a missing capability may forbid as well.
                for set in ["bounding", "permitted", "effective"] {
                    capabilities(config, set, |all| {
                        all.extend(
                            [
                                "CAP_SYS_ADMIN",
                                "CAP_SYS_BOOT",
                                "CAP_SYS_MODULE",
                                "CAP_SYS_PTRACE",
                                "CAP_SYS_RAWIO",
                                "CAP_SYS_TIME",
                            ]
                            .map(|name| json!(name)),
                        );
                    });
                }
                set(config, "/linux/readonlyPaths", json!([]));
            }),
        ),
        mutant(
            "all-capabilities",
            &["RUN-082"],
            config(|config| {
                for set in ["bounding", "permitted", "effective"] {
                    capabilities(config, set, |all| {
                        *all = cornercast::bundle::CAPABILITIES.iter().map(|name| json!(name)).collect()
                    });
                }
            }),
        ),
        mutant("new-privileges", &["RUN-082"], config(|config| set(config, "/process/noNewPrivileges", json!(false)))),
        mutant(
            "never-new-privileges",
            &["RUN-082"],
            config(|config| set(config, "/process/noNewPrivileges", json!(true))),
        ),
        mutant(
            "all-devices",
            &["RUN-082"],
            config(|config| {
                set(config, "/linux/resources/devices", json!([{"access": "rwm", "allow": true}]));
            }),
        ),
        mutant(
            "lowers-the-level",
            &["RUN-083"],
            reports(|_, report| report.level = report.level.as_ref().map(|_| "open".to_owned())),
        ),
        mutant("no-rows", &["RUN-089"], reports(|_, report| report.isolators.clear())),
        mutant(
            "claims-what-is-not",
            &["RUN-089"],
            reports(|_, report| {
                report.isolators.iter_mut().for_each(|row| row.verdict = Verdict::Enforced);
            }),
        ),
        mutant(
            "admits-what-is-not",
            &["RUN-089"],
            reports(|_, report| {
                report.isolators.iter_mut().for_each(|row| row.verdict = Verdict::NotEnforced);
            }),
        ),
    ]
}

/// RUN-090 to RUN-098, and faults that any case can notice
fn failing() -> Vec<Mutant> {
    vec![
        mutant("RUN-092", &["RUN-092"], How::Without("RUN-092")),
        mutant(
            "scripts-are-refused",
            &["RUN-091", "RUN-090", "RUN-093"],
            reports(|report, _| {
                if report.outcome == Outcome::Exited {
                    report.outcome = Outcome::Failed;
                    report.reasons.push(Reason::new("RUN-091", "a script"));
                }
            }),
        ),
        mutant(
            "failure-as-exit-code",
            &["RUN-090", "RUN-091", "RUN-092", "RUN-093"],
            reports(|report, _| {
                if report.outcome == Outcome::Failed {
                    report.outcome = Outcome::Exited;
                    report.exit_code = Some(127);
                }
            }),
        ),
        mutant(
            "accepts-what-is-broken",
            &["RUN-001"],
            reports(|report, _| {
                if report.outcome == Outcome::Refused {
                    report.outcome = Outcome::Exited;
                    report.exit_code = Some(0);
                }
            }),
        ),
        mutant("report-of-another-kind", &["RUN-094"], reports(|report, _| report.kind = "report".to_owned())),
        mutant(
            "another-image-in-the-report",
            &["RUN-096"],
            reports(|report, _| {
                report.image = Some(format!("sha256:{}", "0".repeat(64)));
            }),
        ),
        mutant(
            "arguments-of-the-image-in-the-report",
            &["RUN-096"],
            reports(|report, _| {
                report.arguments = Some(vec!["/usr/lib/cornercast/probe".to_owned()]);
            }),
        ),
        mutant("no-reasons", &["RUN-097"], reports(|report, _| report.reasons.clear())),
        mutant("first-reason-only", &["RUN-097"], reports(|report, _| report.reasons.truncate(1))),
        mutant(
            "isolation-report-of-another-kind",
            &["RUN-098"],
            reports(|_, report| report.kind = "report".to_owned()),
        ),
        mutant(
            "isolators-of-nothing",
            &["RUN-098"],
            reports(|_, report| {
                report.isolators.push(Row {
                    name: "cornercast/ipc".to_owned(),
                    asked: json!("own"),
                    required: true,
                    verdict: Verdict::Enforced,
                    mechanism: "a claim".to_owned(),
                });
            }),
        ),
        mutant(
            "refuses-everything",
            &[],
            reports(|report, _| {
                if matches!(report.outcome, Outcome::Exited | Outcome::Signaled) {
                    report.outcome = Outcome::Refused;
                    report.exit_code = None;
                    report.signal = None;
                    report.reasons.push(Reason::new("RUN-001", "an image"));
                }
            }),
        ),
    ]
}
