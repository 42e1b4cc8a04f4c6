//! What comes of the steps of the probe.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, unreachable_pub)]
#![allow(dead_code, missing_docs)]

mod probe;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Stdio;

use cornercast::digest::Digest;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Value, json};

use probe::{Probe, documents, text};

#[test]
fn steps_are_done_in_order_and_each_has_a_line() {
    let output = Probe::new().act(&["ready", "mkdir:a", "mkdir:a", "exit:7", "mkdir:b"]);
    assert_eq!(output.status.code(), Some(7));
    let expected = "{\"step\":\"ready\",\"ok\":true}\n{\"step\":\"mkdir:a\",\"ok\":true}\n\
                    {\"step\":\"mkdir:a\",\"error\":\"EEXIST\"}\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    assert_eq!(Probe::new().act(&[]).status.code(), Some(0));
}

#[test]
fn arguments_that_are_no_steps_are_refused_before_anything_is_done() {
    let probe = Probe::new();
    for (wrong, message) in [
        ("fly", "cornercast-probe: there is no step `fly`\n"),
        ("ready:1", "cornercast-probe: `ready:1` is not of the form `ready`\n"),
        ("exit", "cornercast-probe: `exit` is not of the form `exit:CODE`\n"),
    ] {
        let output = probe.act(&["mkdir:a", wrong]);
        assert_eq!(output.status.code(), Some(2), "{wrong}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), message);
        assert!(output.stdout.is_empty() && !probe.path("a").exists(), "{wrong}");
    }
    for wrong in ["exit:256", "sleep:soon", "signal:SIGWHAT", "rename:a", "open:a:x", "kill:0:TERM", "look:pid,what"] {
        let output = probe.act(&[wrong]);
        assert_eq!(output.status.code(), Some(2), "{wrong}");
        assert!(output.stderr.starts_with(b"cornercast-probe: `"), "{output:?}");
    }
}

#[test]
fn signals_end_it() {
    let probe = Probe::new();
    for (step, signal) in
        [("signal:TERM", 15), ("signal:SEGV", 11), ("signal:SIGRTMIN+1", 35), ("abort", 6), ("fault", 11)]
    {
        let output = probe.act(&["setrlimit:CORE:0:0", step, "exit:3"]);
        assert_eq!(output.status.signal(), Some(signal), "{step}");
    }
    assert_eq!(probe.act(&["ignore:TERM", "signal:TERM", "exit:3"]).status.code(), Some(3));
    assert_eq!(probe.lines(&["ignore:KILL", "trap:STOP"]), [json!({"error": "EINVAL"}), json!({"error": "EINVAL"})]);
}

#[test]
fn a_trap_prints_and_exits() {
    let probe = Probe::new();
    for (steps, code) in [(["trap:SIGUSR1", "signal:USR1"], 42), (["trap:USR1:5", "signal:SIGUSR1"], 5)] {
        let output = probe.act(&steps);
        assert_eq!(output.status.code(), Some(code));
        assert_eq!(documents(&output.stdout).last(), Some(&json!({"caught": "SIGUSR1"})));
    }

    let mut child = probe.command(["trap:TERM:9", "ready", "wait"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines.by_ref().map(Result::unwrap).find(|line| line == "{\"step\":\"ready\",\"ok\":true}");
    assert!(ready.is_some());
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(9));
    assert_eq!(lines.next().unwrap().unwrap(), "{\"caught\":\"SIGTERM\"}");
}

#[test]
fn files_are_worked_on() {
    let probe = Probe::new();
    let done = json!({"ok": true});
    let steps = [
        ("write:f:a:b", done.clone()),
        ("append:f:c", done.clone()),
        ("read:f", json!({"ok": {"size": 4, "text": "a:bc"}})),
        ("create:f", json!({"error": "EEXIST"})),
        ("chmod:f:640", done.clone()),
        ("link:f:g", done.clone()),
        ("symlink:f:h", done.clone()),
        ("rename:g:i", done.clone()),
        ("open:i:rw", done.clone()),
        ("open:none:r", json!({"error": "ENOENT"})),
        ("mkdir:d", done.clone()),
        ("create:d/x", done.clone()),
        ("create:d/w", done.clone()),
        ("list:d", json!({"ok": ["w", "x"]})),
        ("rmdir:d", json!({"error": "ENOTEMPTY"})),
        ("unlink:d/w", done.clone()),
        ("mknod:p:p:0:0", done.clone()),
        ("read:p", json!({"ok": {"size": 0, "text": ""}})),
        ("open:p:w", json!({"error": "ENXIO"})),
    ];
    let (steps, expected): (Vec<&str>, Vec<Value>) = steps.into_iter().unzip();
    assert_eq!(probe.lines(&steps), expected);

    let lines = probe.lines(&["stat:f", "stat:h", "stat:/dev/null", "statfs:/proc"]);
    assert_eq!(lines[0]["ok"]["kind"], "file");
    assert_eq!([&lines[0]["ok"]["mode"], &lines[0]["ok"]["size"]], [&json!(0o640), &json!(4)]);
    assert_eq!([&lines[1]["ok"]["kind"], &lines[1]["ok"]["target"]], [&json!("symlink"), &json!("f")]);
    assert_eq!([&lines[2]["ok"]["major"], &lines[2]["ok"]["minor"]], [&json!(1), &json!(3)]);
    assert_eq!(lines[3]["ok"]["type"], "proc");
}

#[test]
fn bytes_that_are_no_text_are_kept() {
    let probe = Probe::new();
    let steps = [OsStr::from_bytes(b"write:f:\xff"), OsStr::new("read:f"), OsStr::from_bytes(b"print:\xfe\n")];
    let output = probe.command(steps).output().unwrap();
    let (lines, printed) = output.stdout.split_at(output.stdout.len() - 2);
    assert_eq!(printed, b"\xfe\n");
    let expected = [
        json!({"step": {"hex": "77726974653a663aff"}, "ok": true}),
        json!({"step": "read:f", "ok": {"size": 1, "hex": "ff"}}),
    ];
    assert_eq!(documents(lines), expected);
}

#[test]
fn streams_are_copied_and_filled() {
    let probe = Probe::new();
    let output = probe.act(&["print:a:b", "error:c"]);
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (b"a:b".as_slice(), b"c".as_slice()));

    let input: Vec<u8> = (0..300_000_u32).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[1]).collect();
    let given = |step: &str| {
        let mut child = probe.command([step]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut to, input) = (child.stdin.take().unwrap(), input.clone());
        let writer = std::thread::spawn(move || to.write_all(&input).unwrap());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output.stdout
    };
    assert_eq!(given("echo"), input);
    let expected = json!({"bytes": 300_000, "sha256": Digest::of(&input).hex()});
    assert_eq!(documents(&given("stdin"))[0]["ok"], expected);

    let flood: Vec<u8> = (0..251_u8).cycle().take(1_000_003).collect();
    let output = probe.act(&["flood:1000003", "flood-error:1000003"]);
    assert_eq!(Digest::of(&output.stdout), Digest::of(&flood));
    assert_eq!(Digest::of(&output.stderr), Digest::of(&flood));
}

#[test]
fn a_closed_stream_loses_lines_only() {
    let probe = Probe::new();
    let output = probe.act(&["close:1", "mkdir:a", "exit:4"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(4), 0));
    assert!(probe.path("a").is_dir());
    assert_eq!(probe.lines(&["close:999"]), [json!({"error": "EBADF"})]);
}

#[test]
fn resources_come_to_an_end() {
    let probe = Probe::new();
    let lines =
        probe.lines(&["descriptors:10", "setrlimit:NOFILE:64:64", "descriptors:1000", "allocate:1000000", "cpu:20"]);
    assert_eq!(lines[0], json!({"ok": 10}));
    assert!(lines[2]["ok"].as_u64().unwrap() < 64);
    assert_eq!(lines[2]["error"], "EMFILE");
    assert_eq!(lines[3], json!({"ok": 1_000_000}));
    assert!(lines[4]["ok"].as_u64().unwrap() <= 25);
    let lines = probe.lines(&[
        "setrlimit:RLIMIT_AS:1000000000:unlimited",
        "setrlimit:AS:1000000000:1000000000",
        "allocate:4000000000",
    ]);
    assert_eq!(lines[2], json!({"error": "ENOMEM"}));
}

#[test]
fn processes_are_left_behind() {
    let probe = Probe::new();
    // A file, and no pipe: the processes that stay would hold its other end open.
    let output = File::create(probe.path("output")).unwrap();
    let steps = ["orphan", "fork:2", "zombie", "spawn-writer:50:late\n", "look:processes", "sleep:500"];
    let mut command = probe.command(steps);
    let mut child = command.stdout(output).stderr(Stdio::null()).process_group(0).spawn().unwrap();
    let group = Pid::from_child(&child);
    let status = child.wait();
    let output = std::fs::read(probe.path("output")).unwrap();
    // Before anything can fail: nothing is to stay when the test ends.
    kill_process_group(group, Signal::KILL).unwrap();
    let mut lines: Vec<&[u8]> = output.split_inclusive(|byte| *byte == b'\n').collect();
    let orphan = documents(lines[0])[0]["ok"].as_i64().and_then(|pid| Pid::from_raw(pid.try_into().ok()?)).unwrap();
    let outlived_the_group = kill_process(orphan, Signal::KILL).is_ok();

    assert_eq!(status.unwrap().code(), Some(0));
    assert!(outlived_the_group, "it is in a session of its own");
    let late = lines.iter().position(|line| *line == b"late\n").unwrap();
    assert!(late > 3, "it comes when the step is through");
    lines.remove(late);
    let lines = documents(&lines.concat());
    assert_eq!(lines[1]["ok"], 2);
    let seen: Vec<&Value> = lines[4]["processes"].as_array().unwrap().iter().map(|process| &process["pid"]).collect();
    for pid in [&lines[0]["ok"], &lines[2]["ok"], &lines[3]["ok"]] {
        assert!(seen.contains(&pid), "{pid} in {seen:?}");
    }
}

#[test]
fn another_program_takes_over() {
    let probe = Probe::new();
    let act = probe.path("act");
    let output = probe.act(&["exec:/nonexistent", &format!("exec:{}:ready:x", text(&act))]);
    // Colons part the arguments: the other one is given two, of which the second is no step.
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(documents(&output.stdout), [json!({"step": "exec:/nonexistent", "error": "ENOENT"})]);
    let output = probe.act(&["trap:TERM", &format!("exec:{}:ready", text(&act)), "exit:3"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(documents(&output.stdout)[1], json!({"step": "ready", "ok": true}));
}

#[test]
fn sockets_are_connected_to() {
    let probe = Probe::new();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap().to_string();
    let _unix = UnixListener::bind(probe.path("s")).unwrap();
    let name = format!("cornercast-probe-{}", std::process::id());
    let _named = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let lines = probe.lines(&[
        &format!("connect:{address}"),
        "unix:s",
        "unix:none",
        &format!("abstract:{name}"),
        "abstract:cornercast-probe-none",
        "connect:no.such.host.invalid:1",
        "bind:0",
    ]);
    assert_eq!(lines[0], json!({"ok": address}));
    assert_eq!(lines[1..3], [json!({"ok": true}), json!({"error": "ENOENT"})]);
    assert_eq!(lines[3..5], [json!({"ok": true}), json!({"error": "ECONNREFUSED"})]);
    assert_eq!(lines[5], json!({"error": "EAI_NONAME"}));
    assert_ne!(lines[6]["ok"].as_u64().unwrap(), 0);
}

/// Whoever runs the tests, root or not: nothing may come of these, but they must reach the kernel.
#[test]
fn calls_that_would_do_harm_come_to_nothing() {
    let lines = Probe::new().lines(&[
        "init-module",
        "delete-module",
        "kexec",
        "reboot",
        "settimeofday",
        "clock-settime",
        "adjtimex",
        "swapon:none",
        "swapoff:none",
        "pivot-root",
    ]);
    for line in lines {
        let error = line["error"].as_str().unwrap();
        assert!(["EPERM", "EINVAL", "ENOENT", "ENOEXEC", "ENOSYS", "EBUSY"].contains(&error), "{error}");
    }
    let steps =
        ["bpf", "perf", "keyctl", "add-key", "request-key", "userfaultfd", "open-by-handle", "iopl", "io-uring"];
    assert_eq!(Probe::new().lines(&steps).len(), steps.len());
}
