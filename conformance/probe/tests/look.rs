//! What the probe says that it sees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, unreachable_pub)]
#![allow(dead_code, missing_docs)]

mod probe;

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use probe::{LOOK, Probe, documents, text};

/// Every member but `rootfs`, which would take as long as the machine is large.
const MEMBERS: [&str; 41] = [
    "affinity",
    "arguments",
    "capabilities",
    "cgroup",
    "descriptors",
    "devices",
    "domainname",
    "egid",
    "environment",
    "euid",
    "files",
    "gid",
    "gidMap",
    "groups",
    "hostname",
    "interfaces",
    "kernel",
    "limits",
    "masked",
    "mounts",
    "namespaces",
    "nice",
    "noNewPrivileges",
    "oomScoreAdj",
    "pid",
    "ppid",
    "probe",
    "processGroup",
    "processes",
    "readOnly",
    "root",
    "seccomp",
    "session",
    "sgid",
    "shm",
    "signals",
    "suid",
    "uid",
    "uidMap",
    "umask",
    "workingDirectory",
];

/// The document of the probe when a shell has done this and then become it.
fn looked(probe: &Probe, prepare: &str, members: &str) -> Value {
    let script = format!("{prepare}; exec ./act look:{members}");
    let shell = Command::new("sh").arg("-c").arg(script).current_dir(probe.path("")).stdin(Stdio::null()).output();
    let shell = shell.unwrap();
    assert_eq!(shell.status.code(), Some(0), "{shell:?}");
    documents(&shell.stdout).remove(0)
}

#[test]
fn every_member_is_there() {
    let probe = Probe::new();
    let step = format!("look:{}", MEMBERS.join(","));
    let mut command = probe.command([&step]);
    command.env_clear().env("NAME", "a value").stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = child.id();
    let document = documents(&child.wait_with_output().unwrap().stdout).remove(0);

    let members: Vec<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, MEMBERS);
    assert_eq!(document["probe"], 2);
    assert_eq!(document["arguments"], json!([text(&probe.path("act")), step]));
    assert_eq!(document["environment"], json!(["NAME=a value"]));
    assert_eq!(document["pid"], pid);
    assert_eq!(document["ppid"], std::process::id());
    let described = document["descriptors"].as_array().unwrap().iter();
    let mut described = described.map(|descriptor| [&descriptor["fd"], &descriptor["kind"], &descriptor["access"]]);
    assert_eq!(described.next().unwrap(), [&json!(0), &json!("character"), &json!("read")]);
    assert_eq!(described.next().unwrap(), [&json!(1), &json!("pipe"), &json!("write")]);
    assert!(
        document["limits"]["RLIMIT_STACK"]["soft"].is_u64() || document["limits"]["RLIMIT_STACK"]["soft"].is_null()
    );
    let own = json!({"pid": pid, "comm": "act"});
    assert!(document["processes"].as_array().unwrap().contains(&own), "{}", document["processes"]);
    for part in ["masked", "readOnly", "namespaces", "capabilities"] {
        assert!(!document[part].as_object().unwrap().is_empty(), "{part}");
    }
}

#[test]
fn what_a_process_is_started_with_shows() {
    let probe = Probe::new();
    let document = looked(&probe, "trap '' PIPE USR1; umask 027; ulimit -c 0", "signals,umask,limits");
    let ignored = document["signals"]["ignored"].as_array().unwrap();
    assert!(ignored.contains(&json!("SIGPIPE")) && ignored.contains(&json!("SIGUSR1")), "{document}");
    assert_eq!(document["umask"], 0o27);
    assert_eq!(document["limits"]["RLIMIT_CORE"], json!({"soft": 0, "hard": 0}));

    let document = looked(&probe, "true", "signals");
    assert!(!document["signals"]["ignored"].as_array().unwrap().contains(&json!("SIGPIPE")), "{document}");
}

#[test]
fn a_closed_descriptor_stays_closed() {
    let probe = Probe::new();
    let numbers = |prepare: &str| -> Vec<i64> {
        let document = looked(&probe, prepare, "descriptors");
        document["descriptors"].as_array().unwrap().iter().map(|open| open["fd"].as_i64().unwrap()).collect()
    };
    assert!(numbers("true").starts_with(&[0, 1, 2]));
    assert!(numbers("exec 0<&- 2>&-").starts_with(&[1]));
    assert!(!numbers("exec 0<&- 2>&-").contains(&2));
    assert!(numbers("exec 7</dev/null").contains(&7));
}

/// In a namespace where nothing is in `/proc`; as far as the machine lets anyone make one.
#[test]
fn without_proc_the_rest_is_still_said() {
    let script = "mount -t tmpfs none /proc || exit 9; exec \"$0\" more";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, LOOK]).stdin(Stdio::null());
    let output = match command.output() {
        Ok(output) if output.status.success() => output,
        other => return eprintln!("not tried: no namespace can be made here: {other:?}"),
    };
    let document = documents(&output.stdout).remove(0);
    let absent = json!({"error": "ENOENT"});
    for member in ["rootfs", "mounts", "descriptors", "cgroup", "namespaces", "uidMap", "oomScoreAdj"] {
        assert_eq!(document[member], absent, "{member}");
    }
    assert_eq!(document["arguments"], json!([LOOK, "more"]));
    assert_eq!(document["processes"], json!([]));
    assert_eq!(document["masked"]["/proc/kcore"], "absent");
    assert!(document["signals"]["blocked"].is_array() && document["capabilities"]["bounding"].is_array());
    let members: Vec<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [MEMBERS.as_slice(), &["rootfs"]].concat();
    expected.sort_unstable();
    assert_eq!(members, expected);
}

#[test]
fn what_cannot_be_printed_is_a_failure() {
    let script = "mount -t tmpfs none /proc || exit 9; exec \"$0\" >&-";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, LOOK]).stdin(Stdio::null());
    match command.output() {
        Ok(output) if output.status.code() == Some(1) && output.stderr.starts_with(b"cornercast-probe:") => {
            let message = String::from_utf8(output.stderr).unwrap();
            assert!(message.starts_with("cornercast-probe: what was seen cannot be printed: "), "{message}");
        }
        Ok(output) if output.status.success() => panic!("it says that it has printed: {output:?}"),
        other => eprintln!("not tried: no namespace can be made here: {other:?}"),
    }
}
