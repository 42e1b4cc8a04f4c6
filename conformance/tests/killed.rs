//! Nothing outlives a suite or an engine that is killed, however; and how an engine is stopped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod peers;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cornercast_engine::cgroup::{self, hierarchies};
use cornercast_engine::cli::BackendName;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;

/// How long it may take until nothing is left.
const SOON: Duration = Duration::from_secs(5);

/// A test, which gets the probe.
type Test = (&'static str, fn(&Path));

const TESTS: &[Test] = &[
    ("a_suite_that_is_killed", suite_is_killed),
    ("a_suite_that_is_killed_at_any_time", suite_is_killed_at_any_time),
    ("a_suite_that_is_killed_with_its_guard_and_engines", all_are_killed),
    ("the_next_run_removes_what_is_left", next_run_cleans),
    ("folders_without_a_lock", folders_without_a_lock),
    ("a_suite_that_is_interrupted", suite_is_interrupted),
    ("an_adapter_of_a_suite_that_is_killed", adapter_is_ended),
    ("two_suites_do_not_disturb_each_other", two_suites),
    ("mutants_that_are_killed", mutants_are_killed),
    ("an_engine_that_is_killed", engine_is_killed),
    ("an_engine_whose_parent_is_killed", parent_is_killed),
    ("an_engine_that_is_stopped", engine_is_stopped),
    ("an_engine_that_is_stopped_twice", engine_is_stopped_twice),
    ("output_that_nobody_reads", output_is_closed),
    ("volumes_stay_where_the_state_directory_is_a_link", state_is_a_link),
    ("two_state_directories_have_an_instance_of_the_same_id", same_id),
    ("an_engine_that_is_stopped_before_the_application_begins", engine_is_stopped_early),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = TESTS.iter().map(|(name, test)| Trial::ignorable_test(*name, || run(*test))).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn run(test: fn(&Path)) -> Result<Completion, Failed> {
    match peers::probe_for(BackendName::default()) {
        Ok(probe) => test(probe),
        Err(ignored) => return Ok(ignored),
    }
    Ok(Completion::Completed)
}

/// A folder for temporary files that belongs to one test.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("killed-").tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast-conformance"));
        command.args(arguments).env("TMPDIR", self.path()).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// A suite whose applications take their time.
    fn suite(&self, probe: &Path) -> Child {
        let cases = ["--case", "RUN-079*", "--case", "RUN-063/at-the-same-time"];
        let mut command = self.command(&["run", "--jobs", "4", "--impl", BackendName::default().name()]);
        command.args(cases).arg("--probe").arg(probe).spawn().unwrap()
    }

    /// The scratch folders.
    fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.starts_with("cornercast-")).collect()
    }

    /// What `clean` says.
    fn clean(&self) -> String {
        let output = self.command(&["clean"]).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Everything that there is of suites of this folder, `suite` being one that has ended.
    fn remains(&self, suite: u32) -> BTreeSet<String> {
        let mut remains: BTreeSet<String> = self.left().into_iter().map(|name| format!("folder {name}")).collect();
        remains.extend(instance_processes(suite).into_iter().map(|pid| format!("process {pid:?}")));
        remains.extend(self.processes(&[]).into_iter().map(|pid| format!("suite process {pid:?}")));
        let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let folder = self.path().display().to_string();
        remains.extend(mountinfo.lines().filter(|line| line.contains(&folder)).map(|line| format!("mount {line}")));
        for hierarchy in hierarchies(&mountinfo) {
            let groups = fs::read_dir(hierarchy.join(cgroup::PARENT)).into_iter().flatten().flatten();
            let names = groups.map(|group| group.file_name().to_string_lossy().into_owned());
            let own = names.filter(|name| name.starts_with(&format!("suite-{suite}-")));
            remains.extend(own.map(|name| format!("group {} in {}", name, hierarchy.display())));
        }
        remains
    }

    fn nothing_remains(&self, suite: u32) {
        let end = Instant::now() + SOON;
        loop {
            let remains = self.remains(suite);
            if remains.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "still there: {remains:#?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The processes that have this folder in an argument, and these other ones.
    fn processes(&self, arguments: &[&str]) -> Vec<Pid> {
        let folder = self.path().display().to_string();
        let is_meant = |pid: &Pid| {
            let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            let words: Vec<&str> = line.split('\0').collect();
            words.iter().any(|word| word.contains(&folder)) && arguments.iter().all(|argument| words.contains(argument))
        };
        all_processes().into_iter().filter(is_meant).collect()
    }
}

fn all_processes() -> Vec<Pid> {
    let names = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name());
    names.filter_map(|name| Pid::from_raw(name.to_str()?.parse().ok()?)).collect()
}

fn has_variable(pid: Pid, beginning: &str) -> bool {
    let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|own| own.starts_with(beginning.as_bytes()))
}

/// The processes of the applications of a suite.
fn instance_processes(suite: u32) -> Vec<Pid> {
    let beginning = format!("CORNERCAST_INSTANCE=suite-{suite}-");
    all_processes().into_iter().filter(|pid| has_variable(*pid, &beginning)).collect()
}

/// Waits for something.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} has not come");
        thread::sleep(Duration::from_millis(5));
    }
}

fn until_applications_run(suite: &Child) {
    until("an application", || Some(instance_processes(suite.id())).filter(|found| !found.is_empty()));
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn kill(mut child: Child) -> u32 {
    child.kill().unwrap();
    child.wait().unwrap();
    child.id()
}

fn suite_is_killed(probe: &Path) {
    let bench = Bench::new();
    let suite = bench.suite(probe);
    until_applications_run(&suite);
    bench.nothing_remains(kill(suite));
}

/// Also while containers are made and removed.
fn suite_is_killed_at_any_time(probe: &Path) {
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

fn all_are_killed(probe: &Path) {
    let bench = Bench::new();
    let suite = kill_all(&bench, bench.suite(probe));
    let left = bench.left();
    assert_eq!(left.len(), 1);
    assert!(!instance_processes(suite).is_empty(), "there is nothing to clean");
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
fn folders_without_a_lock(_: &Path) {
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

fn next_run_cleans(probe: &Path) {
    let bench = Bench::new();
    let suite = kill_all(&bench, bench.suite(probe));
    let output =
        bench.command(&["run", "--impl", "reference", "--case", "CNF-002"]).stdout(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !said.contains("removed"), "{said}");
    assert_eq!(bench.remains(suite), BTreeSet::new());
}

/// As by Ctrl-C, which is for the suite and all in its process group.
fn suite_is_interrupted(probe: &Path) {
    let bench = Bench::new();
    let mut suite = bench.suite(probe);
    until_applications_run(&suite);
    kill_process_group(pid_of(&suite), Signal::INT).unwrap();
    suite.wait().unwrap();
    bench.nothing_remains(suite.id());
}

/// It reads nothing, so it does not notice.
fn adapter_is_ended(_: &Path) {
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
    assert!(!has_variable_anywhere(&bench), "something of the adapter is left");
}

fn has_variable_anywhere(bench: &Bench) -> bool {
    let variable = format!("TMPDIR={}", bench.path().display());
    all_processes().into_iter().any(|pid| has_variable(pid, &variable))
}

fn two_suites(probe: &Path) {
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

fn mutants_are_killed(probe: &Path) {
    let bench = Bench::new();
    let mut command = bench.command(&["mutants", "--case", "RUN-090", "--case", "RUN-078"]);
    let suite = command.arg("--probe").arg(probe).spawn().unwrap();
    until_applications_run(&suite);
    bench.nothing_remains(kill(suite));
}

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
    let mut command = bench.command(&["engine", "--state"]);
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
    fs::read_dir(bench.path().join("state")).map_or(0, Iterator::count)
}

/// The control group of an instance.
fn group(bench: &Bench, id: &str) -> String {
    cgroup::group(&bench.path().join("state"), id)
}

fn engine_is_killed(probe: &Path) {
    let bench = Bench::new();
    let image = image(&bench, probe);
    let id = format!("killed-{}", std::process::id());
    let (child, mut lines) = engine(&bench, &image, &["--instance", &id], &["ready", "wait"]);
    until_ready(&mut lines);
    kill(child);
    assert!(
        instances(&bench) == 1 && !cgroup::processes(&group(&bench, &id)).unwrap().is_empty(),
        "there is nothing to remove"
    );
    let (mut child, _lines) = engine(&bench, &image, &[], &["exit:3"]);
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(
        instances(&bench) == 0 && cgroup::directories(&group(&bench, &id)).unwrap().is_empty(),
        "the instance is still there"
    );
}

/// Without a grace time, which is ten seconds here.
fn parent_is_killed(probe: &Path) {
    let bench = Bench::new();
    let image = image(&bench, probe);
    let id = format!("orphan-{}", std::process::id());
    let program = env!("CARGO_BIN_EXE_cornercast-conformance");
    let (state, image) = (bench.path().join("state"), image.display());
    let engine = format!("{program} engine --die-with-parent --instance {id} --state {} {image}", state.display());
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

fn engine_is_stopped(probe: &Path) {
    let bench = Bench::new();
    let image = image(&bench, probe);
    let (mut child, mut lines) = engine(&bench, &image, &[], &["trap:SIGTERM:7", "ready", "wait"]);
    until_ready(&mut lines);
    kill_process(pid_of(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
    assert_eq!(instances(&bench), 0);
}

fn engine_is_stopped_twice(probe: &Path) {
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
fn output_is_closed(probe: &Path) {
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
fn state_is_a_link(probe: &Path) {
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
    assert_eq!(fs::read_dir(path("real")).unwrap().count(), 1, "an instance is left");
    assert_eq!(fs::read(path("volume/file")).unwrap(), b"kept");
    assert!(path("volume/a").exists());
}

/// Neither hinders the other, and the end of one does not end the other.
fn same_id(probe: &Path) {
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
    for _ in 0..2 {
        kill_process(pid_of(&stays), Signal::TERM).unwrap();
    }
    stays.wait().unwrap();
}

/// It is unpacking, or has not begun to.
fn engine_is_stopped_early(probe: &Path) {
    let bench = Bench::new();
    let image = image(&bench, probe);
    for pause in [1, 5, 10, 20, 40, 80] {
        let (mut child, _lines) = engine(&bench, &image, &[], &["wait"]);
        thread::sleep(Duration::from_millis(pause));
        for _ in 0..2 {
            kill_process(pid_of(&child), Signal::TERM).unwrap();
        }
        let start = Instant::now();
        until("the end of the engine", || child.try_wait().unwrap());
        assert!(start.elapsed() < SOON && instances(&bench) == 0, "after {pause} ms: {:?}", start.elapsed());
    }
}
