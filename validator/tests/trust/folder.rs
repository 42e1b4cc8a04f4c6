//! States in files: several processes, and processes that are killed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use cornercast::digest::Digest;
use cornercast::limits::Limits;
use cornercast::manifest::Platform;
use cornercast::trust::{KeyringPin, State, StateFolder};
use tempfile::TempDir;

/// What makes this program one of many that change a state: the directory, and how often.
const WORKER: &str = "CORNERCAST_STATE_WORKER";

fn platform() -> Platform {
    Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: None }
}

/// Raises the number of the keyring by one, so many times.
fn raise(folder: &str, times: u64) {
    let folder = StateFolder::new(folder.into());
    for _ in 0..times {
        let mut held = folder.hold("example.com", &Limits::FORMAT, None).unwrap().unwrap();
        let version = held.state.keyring.map_or(1, |keyring| keyring.version + 1);
        held.state.keyring = Some(KeyringPin { digest: Digest::of(&version.to_be_bytes()), version });
        held.state.store_image("example.com/a", &format!("1.0.{}", version % 50), &platform(), Digest::of(b"a"));
        held.store().unwrap();
    }
}

fn worker(folder: &TempDir, times: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "folder::worker_of_a_state", "--nocapture"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.env(WORKER, format!("{times} {}", folder.path().display()));
    command
}

/// No test by itself: what the others start.
#[test]
fn worker_of_a_state() {
    if let Ok(told) = std::env::var(WORKER) {
        let (times, folder) = told.split_once(' ').unwrap();
        raise(folder, times.parse().unwrap());
    }
}

fn state(folder: &TempDir) -> State {
    StateFolder::new(folder.path().into()).look("example.com", &Limits::FORMAT).unwrap().unwrap()
}

/// POL-041: what one process has stored, the next one sees, so nothing is ever lowered.
#[test]
fn processes_at_the_same_time_lose_nothing() {
    let folder = TempDir::new().unwrap();
    let workers: Vec<_> = (0..6).map(|_| worker(&folder, 20).spawn().unwrap()).collect();
    for mut worker in workers {
        assert!(worker.wait().unwrap().success());
    }
    assert_eq!(state(&folder).keyring.unwrap().version, 120);
}

/// POL-042: the old state or the new one, and never less than was there.
#[test]
fn a_killed_process_leaves_a_whole_state() {
    let folder = TempDir::new().unwrap();
    let mut last = 0;
    for round in 0..25 {
        let mut child = worker(&folder, 1_000_000).spawn().unwrap();
        thread::sleep(Duration::from_millis(20 + round % 7));
        child.kill().unwrap();
        child.wait().unwrap();
        let version = state(&folder).keyring.map_or(0, |keyring| keyring.version);
        assert!(version >= last, "{version} after {last}");
        last = version;
    }
    assert!(last > 25, "{last}");
    // What was being written is removed by the next one.
    drop(StateFolder::new(folder.path().into()).hold("example.com", &Limits::FORMAT, None).unwrap().unwrap());
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().all(|name| name.starts_with("example.com.")));
}

/// Who could open the lock could hold it for ever.
#[test]
fn nobody_else_reaches_a_state() {
    let folder = TempDir::new().unwrap();
    let states = folder.path().join("states");
    drop(StateFolder::new(states.clone()).hold("example.com", &Limits::FORMAT, None).unwrap().unwrap());
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&states), mode(&states.join("example.com.lock"))), (0o700, 0o600));
    fs::remove_file(states.join("example.com.lock")).unwrap();
    symlink("elsewhere", states.join("example.com.lock")).unwrap();
    StateFolder::new(states.clone()).hold("example.com", &Limits::FORMAT, None).unwrap_err();
    assert!(!states.join("elsewhere").exists());
}

#[test]
fn a_host_of_any_length_has_a_state() {
    let folder = TempDir::new().unwrap();
    let host = format!("{}.example", vec!["a"; 120].join("."));
    for length in [249, 250, 251, 253] {
        let host = format!("{}{host}", "b".repeat(length - host.len()));
        raise_of(folder.path(), &host);
        let state = StateFolder::new(folder.path().into()).look(&host, &Limits::FORMAT).unwrap().unwrap();
        assert_eq!(state.keyring.unwrap().version, 1, "{length}");
    }
}

/// POL-031: nobody could read it.
#[test]
fn a_state_does_not_become_too_long() {
    let folder = TempDir::new().unwrap();
    raise_of(folder.path(), "example.com");
    let limits = Limits { state: 300, ..Limits::FORMAT };
    let mut held = StateFolder::new(folder.path().into()).hold("example.com", &limits, None).unwrap().unwrap();
    held.state.store_image("example.com/a", "1.0.0", &platform(), Digest::of(b"a"));
    held.state.store_image("example.com/b", "1.0.0", &platform(), Digest::of(b"b"));
    held.store().unwrap_err();
    assert!(state(&folder).names.is_empty());
}

fn raise_of(folder: &Path, host: &str) {
    let mut held = StateFolder::new(folder.into()).hold(host, &Limits::FORMAT, None).unwrap().unwrap();
    held.state.keyring = Some(KeyringPin { digest: Digest::of(b"1"), version: 1 });
    held.store().unwrap();
}
