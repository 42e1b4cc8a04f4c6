//! Engines that are killed or stopped.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cornercast_engine::cgroup;
use cornercast_engine::cli::BackendName;
use cornercast_engine::instance::SWEEP_LOCK;
use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::bench::{Bench, SOON, kill, pid_of, soon_none, until};

/// An image whose application does what the arguments say.
fn image(bench: &Bench, probe: &Path) -> PathBuf {
    image_of(bench, probe, "RUN-063/at-the-same-time")
}

/// The image of a case.
fn image_of(bench: &Bench, probe: &Path, case: &str) -> PathBuf {
    let folder = bench.path().join("case");
    let mut command = bench.command(&["make", case]);
    assert!(command.arg(&folder).arg("--probe").arg(probe).status().unwrap().success());
    folder.join("image")
}

/// An engine with such an application, the lines of which are passed on.
fn engine(bench: &Bench, image: &Path, options: &[&str], steps: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut command = bench.command(&["engine", "--backend", bench.backend.name(), "--state"]);
    command.arg(bench.path().join("state")).args(options).arg(image).arg("--").args(steps);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

fn until_ready(lines: &mut impl BufRead) {
    let mut line = String::new();
    while !line.contains("\"ready\"") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "it ends before it is ready");
    }
}

fn instances(bench: &Bench) -> usize {
    directories(bench).len()
}

/// The names of the directories of instances, and of those that are not yet held, which begin with a full stop.
fn directories(bench: &Bench) -> Vec<OsString> {
    let names = fs::read_dir(bench.path().join("state")).into_iter().flatten().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name != SWEEP_LOCK).collect()
}

/// Waits until the engine holds its instance, which it has begun to make a container for.
fn until_held(bench: &Bench) {
    let is_held = |name: &OsString| !name.as_encoded_bytes().starts_with(b".");
    until("the instance", || directories(bench).iter().any(is_held).then_some(()));
}

/// Removes what engines have left, until it is all gone: a process that is ending can have its descriptors yet, that of
/// the lock among them.
fn clean(bench: &Bench) {
    soon_none("instances", || {
        clean_once(bench);
        directories(bench)
    });
}

fn clean_once(bench: &Bench) {
    let mut command = bench.command(&["engine", "--clean", "--state"]);
    assert!(command.arg(bench.path().join("state")).status().unwrap().success());
}

/// The control group of an instance.
fn group(bench: &Bench, id: &str) -> String {
    cgroup::group(&bench.path().join("state"), id)
}

pub(crate) fn engine_is_killed(probe: &Path, backend: BackendName) {
    let bench = Bench::with(backend);
    let image = image(&bench, probe);
    let id = format!("killed-{}", std::process::id());
    let (child, mut lines) = engine(&bench, &image, &["--instance", &id], &["ready", "wait"]);
    until_ready(&mut lines);
    kill(child);
    // Others end with the engine.
    let stays = backend == BackendName::default();
    let is_there = instances(&bench) == 1 && (!stays || !cgroup::processes(&group(&bench, &id)).unwrap().is_empty());
    assert!(is_there, "there is nothing to remove");
    let (mut child, _lines) = engine(&bench, &image, &[], &["exit:3"]);
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(
        instances(&bench) == 0 && cgroup::directories(&group(&bench, &id)).unwrap().is_empty(),
        "the instance is still there"
    );
}

/// What makes the container is there, or what waits to become the application.
pub(crate) fn engine_is_killed_early(probe: &Path, backend: BackendName) {
    let bench = Bench::with(backend);
    let image = image(&bench, probe);
    for pause in [0, 1, 2, 4, 8, 16, 32, 64] {
        let word = format!("/killed-{}-{}-after-{pause}", backend.name(), std::process::id());
        let (child, _lines) = engine(&bench, &image, &[], &[&format!("stat:{word}"), "wait"]);
        let own = pid_of(&child);
        let others = || bench.processes_with(&word).into_iter().filter(|process| *process != own).collect::<Vec<_>>();
        // Before, it asks what is to make the container for its version.
        until_held(&bench);
        until("what makes the container", || (!others().is_empty()).then_some(()));
        thread::sleep(Duration::from_millis(pause));
        kill(child);
        // By themselves where nobody might come who cleans.
        if backend != BackendName::default() {
            soon_none(&format!("processes, after {pause} ms"), others);
        }
        clean(&bench);
        soon_none(&format!("processes, after {pause} ms"), others);
    }
}

/// A program of the version of the backend's that does this instead.
fn program(bench: &Bench, what: &str) -> PathBuf {
    let program = match bench.backend {
        BackendName::Lxc => "lxc-start",
        BackendName::Bubblewrap => "bwrap",
        other => other.name(),
    };
    let script = bench.path().join("program");
    let version = format!("if [ \"$1\" = --version ]; then exec {program} --version; fi");
    fs::write(&script, format!("#!/bin/sh\n{version}\n{what}\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}

/// As a child of `lxc-start` until that has told it something (LXC 5.0.2).
pub(crate) fn child_is_left(probe: &Path, backend: BackendName) {
    let bench = Bench::with(backend);
    let image = image(&bench, probe);
    let made = bench.path().join("made");
    let child = "if [ \"$1\" = child ]; then echo >\"$2\"; while sleep 1; do :; done; fi";
    let script = program(&bench, &format!("{child}\n\"$0\" child '{}' &\nwait", made.display()));
    let (child, _lines) = engine(&bench, &image, &["--runtime", script.to_str().unwrap()], &["exit:0"]);
    until("what it makes", || made.exists().then_some(()));
    kill(child);
    soon_none("the child", || bench.processes(&["child"]));
    clean(&bench);
}

/// No application has begun then, whatever the end of the program looks like.
pub(crate) fn program_is_killed(probe: &Path, backend: BackendName) {
    let bench = Bench::with(backend);
    let image = image(&bench, probe);
    let reports = bench.path().join("reports");
    for end in ["kill -KILL $$", "exit 0"] {
        let _ = fs::create_dir(&reports);
        let script = program(&bench, end);
        let options = ["--runtime", script.to_str().unwrap(), "--report", reports.to_str().unwrap()];
        let (mut child, _lines) = engine(&bench, &image, &options, &["exit:0"]);
        assert_eq!(child.wait().unwrap().code(), Some(126), "{end}");
        let report: Value = serde_json::from_slice(&fs::read(reports.join("run-report.json")).unwrap()).unwrap();
        assert_eq!((&report["outcome"], &report["reasons"][0]["clause"]), (&"failed".into(), &Value::Null), "{report}");
        assert_eq!(instances(&bench), 0);
    }
}

/// As by nohup(1), and by a caller that blocks the signal by which it is asked to stop.
pub(crate) fn terminal_goes(probe: &Path) {
    let bench = Bench::new();
    let image = image(&bench, probe);
    let mut command = Command::new("env");
    command.args([
        "--ignore-signal=HUP",
        "--block-signal=TERM",
        env!("CARGO_BIN_EXE_cornercast-conformance"),
        "engine",
    ]);
    command.arg("--state").arg(bench.path().join("state")).arg(image);
    command.args(["--", "trap:SIGTERM:7", "ready", "wait"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    until_ready(&mut BufReader::new(child.stdout.as_mut().unwrap()));
    kill_process(pid_of(&child), Signal::HUP).unwrap();
    thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it ends with the terminal");
    kill_process(pid_of(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

/// Without a grace time, which is ten seconds here.
pub(crate) fn parent_is_killed(probe: &Path, backend: BackendName) {
    let bench = Bench::with(backend);
    let image = image(&bench, probe);
    let id = format!("orphan-{}", std::process::id());
    let program = env!("CARGO_BIN_EXE_cornercast-conformance");
    let (state, image) = (bench.path().join("state"), image.display());
    let options = format!("--die-with-parent --backend {} --instance {id} --state {}", backend.name(), state.display());
    let engine = format!("{program} engine {options} {image}");
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{engine} -- ignore:SIGTERM ready wait; exit 0")).stdin(Stdio::null());
    let mut shell = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(shell.stdout.take().unwrap());
    until_ready(&mut lines);
    let start = Instant::now();
    kill(shell);
    // The engine has the other end.
    lines.read_to_end(&mut Vec::new()).unwrap();
    until("the end of the instance", || (instances(&bench) == 0).then_some(()));
    assert!(cgroup::directories(&group(&bench, &id)).unwrap().is_empty());
    assert!(start.elapsed() < SOON, "it took {:?}", start.elapsed());
}

/// By a caller, from the terminal, and because the terminal is gone.
pub(crate) fn engine_is_stopped(probe: &Path, backend: BackendName) {
    let bench = Bench::with(backend);
    let image = image(&bench, probe);
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let (mut child, mut lines) = engine(&bench, &image, &[], &["trap:SIGTERM:7", "ready", "wait"]);
        until_ready(&mut lines);
        kill_process(pid_of(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(7), "{signal:?}");
        assert_eq!(instances(&bench), 0);
    }
}

pub(crate) fn engine_is_stopped_twice(probe: &Path) {
    let bench = Bench::new();
    let image = image(&bench, probe);
    let reports = bench.path().join("reports");
    fs::create_dir(&reports).unwrap();
    let options = ["--report", reports.to_str().unwrap()];
    let (mut child, mut lines) = engine(&bench, &image, &options, &["ignore:SIGTERM", "ready", "wait"]);
    until_ready(&mut lines);
    let start = Instant::now();
    kill_process(pid_of(&child), Signal::TERM).unwrap();
    thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it has not waited");
    kill_process(pid_of(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(128 + 9));
    assert!(start.elapsed() < SOON, "it took {:?}", start.elapsed());
    let report: Value = serde_json::from_slice(&fs::read(reports.join("run-report.json")).unwrap()).unwrap();
    assert_eq!((&report["signal"], &report["killed"]), (&"SIGKILL".into(), &true.into()));
    assert_eq!(instances(&bench), 0);
}

/// As by `| head -1`: the application writes without an end, and ends all the same. The first process of a namespace
/// does not get SIGPIPE, but writing fails.
pub(crate) fn output_is_closed(probe: &Path) {
    let bench = Bench::new();
    let image = image(&bench, probe);
    let (mut child, mut lines) = engine(&bench, &image, &[], &["ready", "flood:1000000000000000", "exit:9"]);
    until_ready(&mut lines);
    let start = Instant::now();
    drop(lines);
    let status = until("the end of the engine", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(9));
    assert!(start.elapsed() < SOON, "it took {:?}", start.elapsed());
    assert_eq!(instances(&bench), 0);
}

/// What is mounted is known by paths without links, and the content of a volume is not removed with the instance.
pub(crate) fn state_is_a_link(probe: &Path) {
    let bench = Bench::new();
    let image = image_of(&bench, probe, "RUN-099/stopped");
    let path = |name: &str| bench.path().join(name);
    fs::create_dir_all(path("real/below")).unwrap();
    fs::create_dir(path("volume")).unwrap();
    fs::write(path("volume/file"), b"kept").unwrap();
    symlink("real/below/..", path("state")).unwrap();
    let volume = format!("data={}", path("volume").display());
    for is_killed in [false, true] {
        let (mut child, mut lines) = engine(&bench, &image, &["--volume", &volume], &[]);
        until_ready(&mut lines);
        if is_killed {
            kill(child);
        } else {
            kill_process(pid_of(&child), Signal::TERM).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(0));
        }
    }
    let mut clean = bench.command(&["engine", "--clean", "--state"]);
    assert!(clean.arg(path("state")).status().unwrap().success());
    // The other one is the directory below.
    assert_eq!(instances(&bench), 1, "an instance is left");
    assert_eq!(fs::read(path("volume/file")).unwrap(), b"kept");
    assert!(path("volume/a").exists());
}

/// Asks an engine to stop, again and again: of two requests at the same moment the system can make one.
fn ask_until_it_ends(child: &mut Child) {
    until("the end of the engine", || {
        if child.try_wait().unwrap().is_none() {
            kill_process(pid_of(child), Signal::TERM).unwrap();
        }
        child.try_wait().unwrap()
    });
}

/// Neither hinders the other, and the end of one does not end the other.
pub(crate) fn same_id(probe: &Path) {
    let benches = [Bench::new(), Bench::new()];
    let id = format!("same-{}", std::process::id());
    let start = |bench: &Bench, step| {
        let (child, mut lines) = engine(bench, &image(bench, probe), &["--instance", &id], &["ready", step]);
        until_ready(&mut lines);
        child
    };
    let [mut stays, mut ends] = [start(&benches[0], "wait"), start(&benches[1], "exit:0")];
    assert_eq!(ends.wait().unwrap().code(), Some(0));
    assert!(stays.try_wait().unwrap().is_none() && instances(&benches[0]) == 1, "it was ended as well");
    ask_until_it_ends(&mut stays);
}

/// Of an engine that was killed before it noticed that there is an instance of its id.
pub(crate) fn same_id_without_a_name(probe: &Path) {
    let bench = Bench::new();
    let id = format!("named-{}", std::process::id());
    let (mut child, mut lines) = engine(&bench, &image(&bench, probe), &["--instance", &id], &["ready", "wait"]);
    until_ready(&mut lines);
    let left = bench.path().join("state").join(format!(".{id}.1"));
    fs::create_dir(&left).unwrap();
    fs::write(left.join("lock"), b"").unwrap();
    clean_once(&bench);
    thread::sleep(Duration::from_millis(100));
    assert!(child.try_wait().unwrap().is_none(), "the instance was ended");
    assert!(!left.exists());
    ask_until_it_ends(&mut child);
    assert_eq!(instances(&bench), 0);
}

/// It is unpacking, or has not begun to.
pub(crate) fn engine_is_stopped_early(probe: &Path, backend: BackendName) {
    let bench = Bench::with(backend);
    let image = image(&bench, probe);
    for pause in [1, 5, 10, 20, 40, 80] {
        let (mut child, _lines) = engine(&bench, &image, &[], &["wait"]);
        thread::sleep(Duration::from_millis(pause));
        let start = Instant::now();
        ask_until_it_ends(&mut child);
        assert!(start.elapsed() < SOON && instances(&bench) == 0, "after {pause} ms: {:?}", start.elapsed());
    }
}
