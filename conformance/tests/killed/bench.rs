//! A folder for one test, what suites and engines leave in it or elsewhere, and waiting for that.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cornercast_engine::cgroup::{self, hierarchies};
use cornercast_engine::cli::BackendName;
use rustix::process::Pid;
use tempfile::TempDir;

/// How long it may take until nothing is left.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// A folder for temporary files that belongs to one test.
pub(crate) struct Bench {
    folder: TempDir,
    pub(crate) backend: BackendName,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(BackendName::default())
    }

    /// One whose suites and engines have this backend.
    pub(crate) fn with(backend: BackendName) -> Self {
        Self { folder: tempfile::Builder::new().prefix("killed-").tempdir().unwrap(), backend }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        // Whoever has started the tests may ignore the end of a terminal, which would be inherited.
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_cornercast-conformance")]);
        command.args(arguments).env("TMPDIR", self.path()).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// A suite whose applications take their time.
    pub(crate) fn suite(&self, probe: &Path) -> Child {
        let cases = ["--case", "RUN-079*", "--case", "RUN-063/at-the-same-time"];
        let mut command = self.command(&["run", "--jobs", "4", "--impl", self.backend.name()]);
        command.args(cases).arg("--probe").arg(probe).spawn().unwrap()
    }

    /// The scratch folders.
    pub(crate) fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.starts_with("cornercast-")).collect()
    }

    /// What `clean` says.
    pub(crate) fn clean(&self) -> String {
        let output = self.command(&["clean"]).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Everything that there is of suites of this folder, `suite` being one that has ended.
    pub(crate) fn remains(&self, suite: u32) -> BTreeSet<String> {
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

    pub(crate) fn nothing_remains(&self, suite: u32) {
        soon_none("what a suite leaves", || self.remains(suite));
    }

    /// The processes that have this folder as their own for temporary files, or in an argument, or this word there.
    pub(crate) fn processes_with(&self, word: &str) -> Vec<Pid> {
        let folder = self.path().display().to_string();
        let is_meant = |pid: &Pid| {
            let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            line.contains(word) || line.contains(&folder) || has_variable(*pid, &format!("TMPDIR={folder}"))
        };
        all_processes().into_iter().filter(is_meant).collect()
    }

    /// The processes that have this folder in an argument, and these other ones.
    pub(crate) fn processes(&self, arguments: &[&str]) -> Vec<Pid> {
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

pub(crate) fn all_processes() -> Vec<Pid> {
    let names = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name());
    names.filter_map(|name| Pid::from_raw(name.to_str()?.parse().ok()?)).collect()
}

pub(crate) fn has_variable(pid: Pid, beginning: &str) -> bool {
    let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|own| own.starts_with(beginning.as_bytes()))
}

/// The processes of the applications of a suite.
pub(crate) fn instance_processes(suite: u32) -> Vec<Pid> {
    let beginning = format!("CORNERCAST_INSTANCE=suite-{suite}-");
    all_processes().into_iter().filter(|pid| has_variable(*pid, &beginning)).collect()
}

/// Waits for something.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} has not come");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until there is nothing any more of what `left` says.
pub(crate) fn soon_none<T: Debug>(what: &str, mut left: impl FnMut() -> T)
where
    for<'a> &'a T: IntoIterator,
{
    let end = Instant::now() + SOON;
    loop {
        let left = left();
        if (&left).into_iter().next().is_none() {
            return;
        }
        assert!(Instant::now() < end, "{what}: there is still {left:#?}");
        thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn until_applications_run(suite: &Child) {
    until("an application", || Some(instance_processes(suite.id())).filter(|found| !found.is_empty()));
}

pub(crate) fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}

pub(crate) fn kill(mut child: Child) -> u32 {
    child.kill().unwrap();
    child.wait().unwrap();
    child.id()
}
