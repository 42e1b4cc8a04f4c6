//! A command that is ended by a signal leaves nothing behind.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use cornercast::build::PREFIX;
use rustix::process::{Pid, Signal, kill_process};

use super::workplace::{Workplace, names};

/// A folder with a tree that takes a while to pack, and a manifest for it.
fn large() -> Workplace {
    let here = Workplace::new();
    here.file("tree/large", 0o644, "");
    File::options().write(true).open(here.path("tree/large")).unwrap().set_len(256 << 20).unwrap();
    here.file(
        "image.toml",
        0o644,
        "name = \"example.com/large\"\nversion = \"1.0.0\"\n\n[platform]\nos = \"linux\"\narchitecture = \"amd64\"\n",
    );
    here.file("temporary/keep", 0o644, "");
    here
}

/// A pack that heeds signals, also where the tests were started without a terminal and ignore some.
fn pack(here: &Workplace, tree: &str, out: &str) -> Child {
    let mut command = Command::new("env");
    command.arg("--default-signal=HUP,INT,TERM").arg(env!("CARGO_BIN_EXE_cornercast"));
    command.args(["pack", tree, "--manifest", "image.toml", "-o", out]).current_dir(here.path(""));
    command.env("TMPDIR", here.path("temporary")).env("SOURCE_DATE_EPOCH", "0");
    command.stdin(Stdio::piped()).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

fn temporaries(folder: &Path) -> Vec<String> {
    names(folder).into_iter().filter(|name| name.starts_with(PREFIX)).collect()
}

/// Waits until there are so many temporary files and folders; says whether the command still ran then.
fn wait_for(child: &mut Child, folder: &Path, count: usize) -> bool {
    let begin = Instant::now();
    while temporaries(folder).len() < count {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(begin.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn stop(mut child: Child, number: Signal) -> ExitStatus {
    signal(&child, number);
    child.wait().unwrap()
}

/// A pack that was stopped while there were so many temporary files and folders, with the names that were there
/// before it began. On a busy machine a pack can be done before the signal comes; then there is another one.
fn stopped_pack(out: &str, count: usize, number: Signal) -> (Workplace, Vec<String>) {
    for _ in 0..10 {
        let here = large();
        let before = names(&here.path(""));
        let mut child = pack(&here, "tree", out);
        if wait_for(&mut child, &here.path(""), count) {
            let status = stop(child, number);
            if !status.success() {
                assert_eq!(status.signal(), Some(number.as_raw()), "{out}: {status}");
                return (here, before);
            }
        }
    }
    panic!("ten packs to {out} were done, or heeded no signal");
}

/// In the middle of writing the layer, the archive, and the store.
#[test]
fn a_pack_that_is_stopped_leaves_nothing_behind() {
    for (out, count, number) in [
        ("out.ccast", 1, Signal::INT),
        ("out.ccast", 2, Signal::INT),
        ("out", 2, Signal::INT),
        ("out", 1, Signal::TERM),
        ("out", 2, Signal::HUP),
    ] {
        let (here, before) = stopped_pack(out, count, number);
        assert_eq!(names(&here.path("")), before, "{out} at {count}");
    }
}

/// What comes through a pipe is kept in a temporary file meanwhile.
#[test]
fn a_spool_is_removed() {
    let here = large();
    let mut child = pack(&here, "-", "out.ccast");
    let pipe = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut &pipe, &[0; 4096]).unwrap();
    assert!(wait_for(&mut child, &here.path("temporary"), 1));
    assert_eq!(stop(child, Signal::TERM).signal(), Some(Signal::TERM.as_raw()));
    assert_eq!(names(&here.path("temporary")), ["keep"]);
}

/// What was told to ignore a signal ignores it, as under `nohup`.
#[test]
fn an_ignored_signal_stays_ignored() {
    let here = large();
    let script =
        format!("trap '' HUP; exec {} pack - --manifest image.toml -o out.ccast", env!("CARGO_BIN_EXE_cornercast"));
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(here.path("")).env("TMPDIR", here.path("temporary"));
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let pipe = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut &pipe, &[0; 4096]).unwrap();
    assert!(wait_for(&mut child, &here.path("temporary"), 1));
    signal(&child, Signal::HUP);
    std::thread::sleep(Duration::from_millis(200));
    assert!(child.try_wait().unwrap().is_none(), "it ended by SIGHUP");
    assert_eq!(stop(child, Signal::TERM).signal(), Some(Signal::TERM.as_raw()));
}

/// Nothing can be done about SIGKILL, but what remains can be told by its name, and the output is not there.
#[test]
fn what_a_killed_pack_leaves_can_be_told() {
    for out in ["out.ccast", "out"] {
        let (here, before) = stopped_pack(out, 2, Signal::KILL);
        let left: Vec<String> = names(&here.path("")).into_iter().filter(|name| !before.contains(name)).collect();
        assert!(!left.is_empty() && left.iter().all(|name| name.starts_with(PREFIX)), "{left:?}");
        let modes = left.iter().map(|name| fs::metadata(here.path(name)).unwrap().is_dir());
        assert_eq!(modes.filter(|is_dir| *is_dir).count(), usize::from(out == "out"));
    }
}
