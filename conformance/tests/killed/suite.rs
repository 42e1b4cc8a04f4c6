//! Suites that are killed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use cornercast_engine::cli::BackendName;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::bench::{
    Bench, all_processes, has_variable, instance_processes, kill, pid_of, soon_none, until, until_applications_run,
};

pub(crate) fn suite_is_killed(probe: &Path, backend: BackendName) {
    let bench = Bench::with(backend);
    let suite = bench.suite(probe);
    until_applications_run(&suite);
    bench.nothing_remains(kill(suite));
}

/// Also while containers are made and removed.
pub(crate) fn suite_is_killed_at_any_time(probe: &Path) {
    for tenths in 1..=10 {
        let bench = Bench::new();
        let mut command = bench.command(&["run", "--jobs", "4", "--impl", BackendName::default().name()]);
        let suite = command.args(["--case", "RUN-0*"]).arg("--probe").arg(probe).spawn().unwrap();
        until("the scratch folder", || bench.left().pop());
        thread::sleep(Duration::from_millis(tenths * 83));
        bench.nothing_remains(kill(suite));
    }
}

/// Has nobody tell anybody that it is time to end.
fn kill_all(bench: &Bench, suite: Child) -> u32 {
    until_applications_run(&suite);
    kill_process(pid_of(&suite), Signal::STOP).unwrap();
    let mut killed = 0;
    for process in bench.processes(&["guard"]).into_iter().chain(bench.processes(&["engine"])) {
        kill_process(process, Signal::KILL).unwrap();
        killed += 1;
    }
    assert!(killed >= 2, "there is no guard, or no engine");
    kill(suite)
}

pub(crate) fn all_are_killed(probe: &Path) {
    let mut attempts = 0..10;
    // An application can end by itself before anything is killed: then there is nothing to clean.
    let (bench, suite) = loop {
        assert!(attempts.next().is_some(), "no application is left of any suite");
        let bench = Bench::new();
        let suite = kill_all(&bench, bench.suite(probe));
        if !instance_processes(suite).is_empty() {
            break (bench, suite);
        }
        bench.clean();
    };
    let left = bench.left();
    assert_eq!(left.len(), 1);
    let (elsewhere, mounted) = (bench.path().join("elsewhere"), bench.path().join(&left[0]).join("mounted"));
    for folder in [&elsewhere, &mounted] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(elsewhere.join("file"), "not of the suite").unwrap();
    rustix::mount::mount_bind(&elsewhere, &mounted).unwrap();
    let said = bench.clean();
    assert!(said.contains(&format!("removed {}", bench.path().join(&left[0]).display())), "{said}");
    assert!(said.contains(&format!("removed the instance suite-{suite}-")), "{said}");
    assert_eq!(bench.remains(suite), BTreeSet::new());
    assert_eq!(bench.clean(), "nothing is left of earlier runs\n");
    assert!(elsewhere.join("file").exists(), "what was mounted has been removed");
}

/// It may be of another program, or of a version without locks.
pub(crate) fn folders_without_a_lock(_: &Path) {
    let bench = Bench::new();
    let (full, new) = (bench.path().join("cornercast-run-full"), bench.path().join("cornercast-run-new"));
    fs::create_dir_all(full.join("0")).unwrap();
    fs::create_dir(&new).unwrap();
    for folder in [&full, &new] {
        let hour = std::time::SystemTime::now() - Duration::from_secs(3600);
        fs::File::open(folder).unwrap().set_modified(hour).unwrap();
    }
    assert_eq!(bench.clean(), format!("removed {}\n", new.display()));
    fs::create_dir(&new).unwrap();
    assert_eq!(bench.clean(), "nothing is left of earlier runs\n");
    assert!(full.join("0").exists() && new.exists());
}

pub(crate) fn next_run_cleans(probe: &Path) {
    let bench = Bench::new();
    let suite = kill_all(&bench, bench.suite(probe));
    let output =
        bench.command(&["run", "--impl", "reference", "--case", "CNF-002"]).stdout(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !said.contains("removed"), "{said}");
    assert_eq!(bench.remains(suite), BTreeSet::new());
}

/// As by Ctrl-C, which is for the suite and all in its process group.
pub(crate) fn suite_is_interrupted(probe: &Path) {
    let bench = Bench::new();
    let mut suite = bench.suite(probe);
    until_applications_run(&suite);
    kill_process_group(pid_of(&suite), Signal::INT).unwrap();
    suite.wait().unwrap();
    bench.nothing_remains(suite.id());
}

/// It reads nothing, so it does not notice.
pub(crate) fn adapter_is_ended(_: &Path) {
    let bench = Bench::new();
    let adapter = bench.path().join("adapter");
    let hello = r#"{"message":"hello","protocol":1,"name":"x","version":"1","roles":["validate"]}"#;
    let script = format!("#!/bin/sh\nread -r line\ncase $line in *hello*) echo '{hello}' ;; *) sleep 600 ;; esac\n");
    fs::write(&adapter, script).unwrap();
    fs::set_permissions(&adapter, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = bench.command(&["run", "--case", "CNF-002", "--timeout", "600", "--impl"]);
    let suite = command.arg(format!("x={}", adapter.display())).spawn().unwrap();
    let is_asleep = |pid: &Pid| {
        fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero())).is_ok_and(|name| name == "sleep\n")
            && has_variable(*pid, &format!("CORNERCAST_SUITE={}-", suite.id()))
    };
    until("the adapter", || all_processes().into_iter().find(is_asleep));
    bench.nothing_remains(kill(suite));
    // What was killed takes its time to end.
    let variable = format!("TMPDIR={}", bench.path().display());
    let left = || all_processes().into_iter().filter(|pid| has_variable(*pid, &variable)).collect::<Vec<_>>();
    soon_none("the adapter", left);
}

pub(crate) fn two_suites(probe: &Path) {
    let bench = Bench::new();
    let (one, mut other) = (bench.suite(probe), bench.suite(probe));
    until_applications_run(&one);
    until_applications_run(&other);
    let one = kill(one);
    bench.clean();
    assert!(other.try_wait().unwrap().is_none() && bench.left().len() <= 2, "the other one has gone, too");
    assert!(other.wait().unwrap().success());
    bench.nothing_remains(one);
    bench.nothing_remains(other.id());
}

pub(crate) fn mutants_are_killed(probe: &Path) {
    let bench = Bench::new();
    let mut command = bench.command(&["mutants", "--case", "RUN-090", "--case", "RUN-078"]);
    let suite = command.arg("--probe").arg(probe).spawn().unwrap();
    until_applications_run(&suite);
    bench.nothing_remains(kill(suite));
}
