//! What there is to see of the host (RUN-044 to RUN-061).

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::run::evidence::{Evidence, ensure, same};
use crate::run::image::LOOK;
use crate::run::scenario::{Judged, Scenario, case};
use crate::suite::Entry;

/// The devices by name, with their numbers.
const DEVICES: [(&str, u32, u32); 6] =
    [("full", 1, 7), ("null", 1, 3), ("random", 1, 8), ("tty", 5, 0), ("urandom", 1, 9), ("zero", 1, 5)];

/// The name of a socket of the host without a path.
const SOCKET: &str = "cornercast-conformance";

/// Listens on that socket from now on. Another suite that does so already serves as well.
fn listen() -> io::Result<()> {
    static LISTENER: Mutex<Option<UnixListener>> = Mutex::new(None);
    let mut listener = LISTENER.lock().unwrap_or_else(PoisonError::into_inner);
    if listener.is_none() {
        match UnixListener::bind_addr(&SocketAddr::from_abstract_name(SOCKET)?) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            bound => *listener = Some(bound?),
        }
    }
    Ok(())
}

pub(super) fn host() -> Vec<Entry> {
    let mut all = vec![
        case(
            "RUN-044/processes",
            "no process is to be seen but the application and what the engine has started beside it",
            Scenario::new(|evidence| {
                let seen = evidence.member("/processes")?;
                let own = evidence.member("/pid")?;
                let all = seen.as_array().cloned().unwrap_or_default();
                ensure(all.iter().any(|process| process["pid"] == own), "the application does not see itself")?;
                ensure(all.len() <= 2, format!("there are {} processes: {seen}", all.len()))?;
                Ok(all.len().into())
            }),
        ),
        case(
            "RUN-044/environment-of-1",
            "the environment of the first process is not that of the first process of the host",
            Scenario::new(|evidence| {
                let Ok(names) = evidence.step("environ-of:1")? else { return Ok(json!("denied")) };
                let ours = std::fs::read("/proc/1/environ").unwrap_or_default();
                let host = |name: &str| {
                    ours.split(|byte| *byte == 0).any(|one| one.starts_with(format!("{name}=").as_bytes()))
                };
                // Variables that are all the application's own are given by the engine. Where there are others, those that
                // the host has as well are not excused by the application having them, too.
                let own = own_variables(evidence)?;
                let seen: Vec<&str> = names.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                if seen.iter().all(|name| own.iter().any(|own| own == name)) {
                    return Ok(json!("own"));
                }
                let leaked = seen.iter().find(|name| host(name));
                ensure(leaked.is_none(), format!("the variable {leaked:?} of the host is to be seen"))?;
                Ok(json!("own"))
            })
            .image(|image| image.act(&["environ-of:1", &format!("exec:{LOOK}")])),
        ),
        case(
            "RUN-045/sysfs",
            "/sys is a sysfs that cannot be written to",
            Scenario::new(|evidence| {
                let Ok(seen) = evidence.step("statfs:/sys")? else { return Err("/sys is not there".to_owned()) };
                same("/sys", &json!(["sysfs", true]), &json!([seen["type"], seen["readOnly"]]))
            })
            .image(|image| image.act(&["statfs:/sys"])),
        ),
        case(
            "RUN-045/writing",
            "a file of it that the user 0 could write to cannot be opened for that",
            Scenario::new(|evidence| {
                evidence.all_fail(&["open:/sys/kernel/mm"], &["EROFS", "EACCES", "EPERM", "ENOENT"])
            })
            .image(|image| image.act(&["open:/sys/kernel/mm/transparent_hugepage/enabled:w"])),
        ),
        case("RUN-046/devices", "the devices are there, for everybody", Scenario::new(judge_devices)),
        case(
            "RUN-046/null-of-the-image",
            "a link of the image in the place of a device is not followed",
            Scenario::new(judge_devices).image(|image| {
                image.symlink("dev/null", "/proc/sys/kernel/core_pattern", (0, 0), 0);
                image.symlink("dev/shm", "/etc", (0, 0), 0);
                image.symlink("dev/pts", "/etc", (0, 0), 0);
                image.symlink("dev/console", "/etc/os-release", (0, 0), 0);
            }),
        ),
        case("RUN-046/links", "the links for descriptors and terminals are there", Scenario::new(judge_links)),
        case("RUN-047/nothing-else", "/dev has nothing else", Scenario::new(judge_nothing_else)),
        case(
            "RUN-048/shm",
            "/dev/shm is a file system of its own with at least 64 MiB, for everybody",
            Scenario::new(|evidence| {
                let shm = evidence.member("/shm")?;
                same("the type", &json!("tmpfs"), &shm["type"])?;
                ensure(shm["size"].as_u64() >= Some(64 << 20), format!("it has {} bytes", shm["size"]))?;
                same("the mode", &json!(0o1777), &device(evidence, "/dev/shm")?["mode"])
            }),
        ),
        case(
            "RUN-048/writing",
            "every user can write there",
            Scenario::new(|evidence| evidence.all_succeed(&["write:/dev/shm/a", "unlink:/dev/shm/a"])).image(|image| {
                image.user(1000, 1000);
                image.act(&["write:/dev/shm/a:x", "unlink:/dev/shm/a"]);
            }),
        ),
    ];
    for (name, uid) in [("root", 0_u32), ("user", 1000)] {
        all.push(case(
            &format!("RUN-049/{name}"),
            "output and errors can be opened by their paths",
            Scenario::new(|evidence| {
                same("standard output", &json!("out"), &json!(String::from_utf8_lossy(&evidence.output)))?;
                same("standard error", &json!("err"), &json!(String::from_utf8_lossy(&evidence.errors)))
            })
            .image(move |image| {
                image.user(uid, uid);
                image.act(&["reopen:stdout:out", "reopen:stderr:err"]);
            }),
        ));
    }
    all.extend(system());
    all.extend(network());
    all
}

/// The names of the variables of a program that acts and then looks.
fn own_variables(evidence: &Evidence) -> Result<Vec<String>, String> {
    let lines = evidence.lines();
    let variables = lines.iter().find_map(|line| line["environment"].as_array());
    let variables = variables.ok_or("the application does not see its own variables")?;
    let name = |variable: &Value| variable.as_str().and_then(|text| text.split('=').next()).map(str::to_owned);
    Ok(variables.iter().filter_map(name).collect())
}

/// What the probe says of a path below /dev.
fn device(evidence: &Evidence, path: &str) -> Result<Value, String> {
    let all = evidence.member("/devices")?;
    let found = all.as_array().into_iter().flatten().find(|device| device["path"] == path).cloned();
    found.ok_or_else(|| format!("{path} is not there"))
}

fn judge_devices(evidence: &Evidence) -> Judged {
    for (name, major, minor) in DEVICES {
        let path = format!("/dev/{name}");
        let seen = device(evidence, &path)?;
        same(
            &path,
            &json!(["character", major, minor, 0o666]),
            &json!([seen["kind"], seen["major"], seen["minor"], seen["mode"]]),
        )?;
    }
    for path in ["/dev/pts", "/dev/shm"] {
        same(path, &json!("directory"), &device(evidence, path)?["kind"])?;
    }
    Ok(Value::Null)
}

fn judge_links(evidence: &Evidence) -> Judged {
    let links = [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ];
    for (name, target) in links {
        let path = format!("/dev/{name}");
        same(&path, &json!(target), &device(evidence, &path)?["target"])?;
    }
    let ptmx = device(evidence, "/dev/ptmx")?;
    let is_one = ptmx["kind"] == "character" || ptmx["target"] == "pts/ptmx" || ptmx["target"] == "/dev/pts/ptmx";
    ensure(is_one, format!("/dev/ptmx is {ptmx}"))?;
    Ok(Value::Null)
}

fn judge_nothing_else(evidence: &Evidence) -> Judged {
    let known = [
        "core", "console", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout",
        "tty", "urandom", "zero",
    ];
    let seen = evidence.member("/devices")?;
    for device in seen.as_array().into_iter().flatten() {
        let path = device["path"].as_str().unwrap_or_default();
        let name = path.trim_start_matches("/dev/").split('/').next().unwrap_or_default();
        let is_plain = path.matches('/').count() == 2 || name == "pts";
        ensure(known.contains(&name) && is_plain, format!("{path} is there as well"))?;
    }
    Ok(Value::Null)
}

/// RUN-050 to RUN-052, RUN-060
fn system() -> Vec<Entry> {
    let mut all = Vec::new();
    for uid in [0_u32, 1000] {
        let name = if uid == 0 { "root" } else { "user" };
        all.push(case(
            &format!("RUN-050/{name}"),
            "reading yields nothing where a path is masked",
            Scenario::new(|evidence| {
                let masked = evidence.member("/masked")?;
                let members = masked.as_object().ok_or("the probe says nothing of masked paths")?;
                ensure(members.len() == 11, format!("the probe has looked at {} paths", members.len()))?;
                match members.iter().find(|(_, seen)| **seen == "readable") {
                    Some((path, _)) => Err(format!("{path} can be read")),
                    None => Ok(masked.clone()),
                }
            })
            .image(move |image| image.user(uid, uid)),
        ));
    }
    all.push(case(
        "RUN-051/read-only",
        "the paths cannot be written to",
        Scenario::new(|evidence| {
            let seen = evidence.member("/readOnly")?;
            let writable = seen.as_object().into_iter().flatten().find(|(_, seen)| **seen == "writable");
            match writable {
                Some((path, _)) => Err(format!("{path} can be written to")),
                None => Ok(seen.clone()),
            }
        }),
    ));
    for (name, path) in [
        ("core-pattern", "/proc/sys/kernel/core_pattern"),
        ("sysrq", "/proc/sysrq-trigger"),
        ("hostname", "/proc/sys/kernel/hostname"),
    ] {
        let step = format!("open:{path}:w");
        all.push(case(
            &format!("RUN-051/{name}"),
            "a file that changes the host cannot be opened for writing",
            Scenario::new(move |evidence| {
                evidence.all_fail(&[&format!("open:{path}")], &["EROFS", "EACCES", "EPERM", "ENOENT"])
            })
            .image(move |image| image.act(&[&step])),
        ));
    }
    all.push(case(
        "RUN-052/mounts",
        "no mount of the host is to be seen",
        Scenario::new(|evidence| {
            let seen = evidence.member("/mounts")?;
            let own = ["/dev", "/proc", "/run/cornercast", "/sys"];
            for mount in seen.as_array().into_iter().flatten() {
                let point = mount["point"].as_str().unwrap_or_default();
                let is_own = own
                    .iter()
                    .any(|own| point.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
                let is_file = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"].contains(&point);
                ensure(point == "/" || is_own || is_file, format!("{point} is mounted"))?;
            }
            let has = |point: &str| seen.as_array().into_iter().flatten().any(|mount| mount["point"] == point);
            ensure(has("/proc") && has("/"), "the root or /proc is no mount")?;
            Ok(Value::Null)
        }),
    ));
    all.push(case(
        "RUN-060/control-groups",
        "the paths of control groups begin at the instance's own",
        Scenario::new(|evidence| {
            let seen = evidence.member("/cgroup")?;
            let lines: Vec<&str> = seen.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            match lines.iter().find(|line| line.splitn(3, ':').nth(2) != Some("/")) {
                Some(line) => Err(format!("a line is `{line}`")),
                None => Ok(lines.len().into()),
            }
        }),
    ));
    all.push(case(
        "RUN-061/directory",
        "the directory of the engine's files is there, and cannot be written to",
        Scenario::new(|evidence| {
            let Ok(seen) = evidence.step("stat:/run/cornercast")? else { return Err("it is not there".to_owned()) };
            let attributes = json!([seen["kind"], seen["mode"], seen["uid"], seen["gid"]]);
            same("/run/cornercast", &json!(["directory", 0o755, 0, 0]), &attributes)?;
            evidence.came_to("list:/run/cornercast", &json!([]))?;
            evidence.all_fail(&["create:/run/cornercast/a", "chmod:/run/cornercast"], &["EROFS"])
        })
        .image(|image| {
            image.act(&[
                "stat:/run/cornercast",
                "list:/run/cornercast",
                "create:/run/cornercast/a",
                "chmod:/run/cornercast:0777",
            ])
        }),
    ));
    all
}

/// RUN-053 to RUN-059
fn network() -> Vec<Entry> {
    let file = |evidence: &Evidence, path: &str| -> Result<Value, String> {
        let all = evidence.member("/files")?;
        let found = all.as_array().into_iter().flatten().find(|file| file["path"] == path).cloned();
        found.ok_or_else(|| format!("{path} is not there"))
    };
    vec![
        case(
            "RUN-053/interfaces",
            "no other interface is up than a loopback interface",
            Scenario::new(|evidence| {
                let seen = evidence.member("/interfaces")?;
                let is_other = |interface: &&Value| interface["loopback"] != true && interface["up"] == true;
                let other = seen.as_array().into_iter().flatten().find(is_other);
                match other {
                    Some(other) => Err(format!("the interface {other} is up")),
                    None => Ok(seen.clone()),
                }
            }),
        ),
        case(
            "RUN-082/abstract-socket",
            "a socket of the host without a path cannot be reached",
            Scenario::new(|evidence| evidence.all_fail(&["abstract:"], &["ECONNREFUSED", "EPERM", "EACCES"]))
                .host(|_| listen())
                .image(|image| image.act(&[&format!("abstract:{SOCKET}")])),
        ),
        case(
            "RUN-053/nowhere",
            "an address elsewhere cannot be reached",
            Scenario::new(|evidence| {
                evidence.all_fail(
                    &["connect:169.254.169.254", "connect:192.0.2.1"],
                    &["ENETUNREACH", "EHOSTUNREACH", "EPERM"],
                )
            })
            .image(|image| image.act(&["connect:169.254.169.254:80", "connect:192.0.2.1:80"])),
        ),
        case(
            "RUN-054/up",
            "the loopback interface is up",
            Scenario::new(|evidence| {
                let seen = evidence.member("/interfaces")?;
                let up = seen.as_array().into_iter().flatten().any(|one| one["loopback"] == true && one["up"] == true);
                ensure(up, format!("the interfaces are {seen}"))?;
                Ok(Value::Null)
            }),
        ),
        case(
            "RUN-055/instance",
            "the hostname is the instance id",
            Scenario::new(|evidence| {
                // It is another one in each run.
                evidence.is("/hostname", &json!(evidence.instance))?;
                Ok(Value::Null)
            }),
        ),
        case(
            "RUN-055/option",
            "the hostname is that of the options",
            Scenario::new(|evidence| evidence.is("/hostname", &json!("web-1")))
                .options(|_| json!({"hostname": "web-1"})),
        ),
        case(
            "RUN-055/63-characters",
            "the hostname is as long as it can be",
            Scenario::new(|evidence| evidence.is("/hostname", &json!("a".repeat(63))))
                .options(|_| json!({"hostname": "a".repeat(63)})),
        ),
        case(
            "RUN-056/attributes",
            "the three files can be read by all and belong to the user 0",
            Scenario::new(move |evidence| {
                for path in ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"] {
                    let seen = file(evidence, path)?;
                    let attributes = json!([seen["kind"], seen["mode"], seen["uid"], seen["gid"]]);
                    same(path, &json!(["file", 0o644, 0, 0]), &attributes)?;
                }
                Ok(Value::Null)
            }),
        ),
        case(
            "RUN-057/hostname",
            "the file has the hostname and a newline",
            Scenario::new(move |evidence| {
                same("/etc/hostname", &json!("web-1\n"), &file(evidence, "/etc/hostname")?["content"])
            })
            .options(|_| json!({"hostname": "web-1"})),
        ),
        case(
            "RUN-058/hosts",
            "the file has a line for the hostname",
            Scenario::new(move |evidence| {
                let seen = file(evidence, "/etc/hosts")?;
                let content = seen["content"].as_str().unwrap_or_default();
                let names = |line: &str| {
                    let mut words = line.split_whitespace();
                    let address = words.next().unwrap_or_default();
                    address == "127.0.0.1" && words.any(|word| word == "web-1")
                };
                ensure(content.lines().any(names), format!("/etc/hosts is {content:?}"))?;
                Ok(Value::Null)
            })
            .options(|_| json!({"hostname": "web-1"})),
        ),
        case(
            "RUN-058/reachable",
            "the application reaches itself by the hostname",
            Scenario::new(|evidence| evidence.all_succeed(&["bind:8080", "connect:web-1:8080"]))
                .options(|_| json!({"hostname": "web-1"}))
                .image(|image| image.act(&["bind:8080", "connect:web-1:8080"])),
        ),
        case(
            "RUN-059/resolv-conf",
            "the file is empty",
            Scenario::new(move |evidence| same("the size", &json!(0), &file(evidence, "/etc/resolv.conf")?["size"])),
        ),
    ]
}
