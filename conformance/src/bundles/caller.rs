//! The process that calls a runtime: the first one of namespaces of its own, so that nothing outlives it.
//!
//! What a runtime leaves running becomes its child, and ends with it; what is mounted is gone with its mount namespace; a
//! container without a namespace of some kind is in the caller's, not in the host's.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use cornercast_engine::cgroup;
use cornercast_engine::signal::with_default_signals;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, umask, wait};
use serde_json::{Value, json};

use super::case::{Call, Case};
use super::evidence::{Called, End, Evidence};
use super::heard::{self, Kept};
use super::left::{self, Left};
use super::make::{BUNDLE, NOTES, OUTSIDE, ROOT, RUNTIME};
use super::runtime::Runtime;
use super::{cases, mutants};
use crate::suite::Task;

/// What the good bundle is called, as if it were a case.
pub const GOOD: &str = "good";

/// Bytes of the log of a call that are looked at.
const LOG_LIMIT: u64 = 1 << 20;

/// Bytes of a file with the number of a process, and more than any has.
const PID_LIMIT: u64 = 64;

/// How long what has been killed can take to be gone before it counts as left.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often is looked whether something has ended.
const PAUSE: Duration = Duration::from_millis(2);

/// The namespaces of a caller, as unshare(1) takes them: it ends with whoever started it.
pub const NAMESPACES: [&str; 8] =
    ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--net", "--uts", "--ipc"];

/// A case that is ready to be put to a runtime.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The case.
    pub case: &'a Case,
    /// Its folder.
    pub folder: &'a Path,
    /// The usual id of its container.
    pub container: &'a str,
    /// The runtime.
    pub runtime: &'a Runtime,
    /// The longest that one call can take.
    pub time: Duration,
}

/// The hidden subcommand `call`.
#[derive(Debug, Args)]
pub struct CallArgs {
    /// The name of the case
    #[arg(value_name = "CASE")]
    case: String,
    /// Its folder, whose name is that of the container
    #[arg(long)]
    folder: PathBuf,
    /// The id of the container
    #[arg(long)]
    container: String,
    /// The program of the runtime
    #[arg(long)]
    program: PathBuf,
    /// How it is broken
    #[arg(long = "break", value_name = "NAME")]
    broken: Option<String>,
    /// The longest that one call can take, in milliseconds
    #[arg(long)]
    time: u64,
    /// The control group
    #[arg(long)]
    group: String,
}

impl Plan<'_> {
    /// The command that puts the case, of this name, to the runtime, with the evidence on its standard output.
    ///
    /// # Errors
    ///
    /// If the system does not tell where this program is.
    pub fn command(&self, name: &str, group: &str) -> io::Result<Command> {
        let mut command = Command::new("unshare");
        command.args(NAMESPACES).arg(std::env::current_exe()?);
        command.arg("call").arg(name).arg("--folder").arg(self.folder).arg("--container").arg(self.container);
        command.arg("--program").arg(&self.runtime.program).arg("--group").arg(group);
        command.arg("--time").arg(self.time.as_millis().to_string());
        if let Some(mutant) = self.runtime.broken {
            command.arg("--break").arg(mutant);
        }
        // Whatever the suite was started with.
        with_default_signals(command.current_dir("/"));
        Ok(command)
    }
}

/// The subcommand `call`: prints the evidence.
///
/// # Errors
///
/// Errors of the system; if there is no such case or mutant.
pub fn main(arguments: &CallArgs) -> io::Result<()> {
    let case = find(&arguments.case)?;
    let broken = match &arguments.broken {
        None => None,
        Some(name) => Some(mutants::find(name).ok_or_else(|| io::Error::other("there is no such mutant"))?.name),
    };
    if std::process::id() != 1 {
        return Err(io::Error::other("it is called in namespaces of its own alone"));
    }
    let runtime = Runtime::new(&arguments.program).through(broken);
    let (folder, time) = (arguments.folder.as_path(), Duration::from_millis(arguments.time));
    let container = arguments.container.as_str();
    let plan = Plan { case: &case, folder, container, runtime: &runtime, time };
    let evidence = call(&plan, &arguments.group)?;
    serde_json::to_writer(io::stdout(), &evidence)?;
    Ok(())
}

/// The case of this name, or the good bundle.
fn find(name: &str) -> io::Result<Case> {
    if name == GOOD {
        return Ok(Case::good());
    }
    match cases().into_iter().find(|entry| entry.name == name).map(|entry| entry.task) {
        Some(Task::Bundle(case)) => Ok(*case),
        _ => Err(io::Error::other(format!("no case is called `{name}`"))),
    }
}

/// Makes the calls, and looks what there is afterwards.
fn call(plan: &Plan<'_>, group: &str) -> io::Result<Evidence> {
    hide_second_hierarchy()?;
    umask(rustix::fs::Mode::from_raw_mode(0o022));
    let folder = plan.folder;
    let root = folder.join(BUNDLE).join(ROOT);
    let before = left::entries(&root)?;
    let mounts = left::mounts()?;
    let kept = folder.join(RUNTIME).join("root");
    let log = folder.join("log");
    let mut caller = Caller {
        words: plan.runtime.words(&kept, &log)?,
        plan,
        log,
        output: Kept::default(),
        errors: Kept::default(),
        streams: Vec::new(),
        ended: HashMap::new(),
    };
    let mut evidence = Evidence::default();
    let mut has_failed = false;
    for call in plan.case.calls {
        // What was not made can be asked for alone.
        if has_failed && *call != Call::State {
            continue;
        }
        if matches!(call, Call::Wait) && evidence.calls.last().is_some_and(Called::is_vain_kill) {
            continue;
        }
        let called = caller.call(*call)?;
        let is_first = !evidence.calls.iter().any(|called| called.name == Call::Create.name());
        has_failed |= is_first && called.name == Call::Create.name() && !called.end.is_success();
        let is_late = called.end == End::Late;
        evidence.calls.push(called);
        if is_late {
            break;
        }
    }
    // What has been written is read to its end, unless something goes on that could write more.
    caller.until_within(PATIENCE, |caller| caller.streams.iter().all(thread::JoinHandle::is_finished));
    evidence.left = caller.left(group, &kept, mounts)?;
    let after = left::entries(&root)?;
    let is_new = |(path, _): &(String, String)| !before.contains_key(path);
    // The folder has another path in each run.
    let own =
        |path: String| if is_around(Path::new(&path), folder) { "(the path of the bundle)".to_owned() } else { path };
    evidence.added = after.into_iter().filter(is_new).map(|(path, mode)| (own(path), mode)).collect();
    evidence.outside = left::entries(&folder.join(OUTSIDE))?.into_keys().collect();
    evidence.notes = heard::notes(&folder.join(NOTES))?;
    evidence.has_neighbour = folder.join(RUNTIME).join("beside").exists();
    evidence.caller = about_caller();
    evidence.output = caller.output.text();
    evidence.errors = caller.errors.text();
    Ok(evidence)
}

/// Whether one of two paths is below the other.
fn is_around(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || (one != Path::new("/tmp") && other.starts_with(one))
}

/// What cases compare with: the namespaces and the score of this process.
fn about_caller() -> Value {
    let names = fs::read_dir("/proc/self/ns").into_iter().flatten().flatten();
    let namespaces: BTreeMap<String, String> = names
        .filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?;
            Some((entry.file_name().into_string().ok()?, target.to_string_lossy().into_owned()))
        })
        .collect();
    let score = fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
    json!({"namespaces": namespaces, "oomScoreAdj": score.trim().parse::<i32>().ok()})
}

/// Where hierarchies of control groups of both versions are mounted, puts an empty file system over the second, as some
/// runtimes take such a host for one of version 2 and fail, and others write below it. All see the same.
fn hide_second_hierarchy() -> io::Result<()> {
    if let Some(second) = cgroup::second_beside_first()? {
        unmount(&second, UnmountFlags::DETACH)?;
        mount("none", &second, "tmpfs", MountFlags::empty(), None)?;
    }
    Ok(())
}

/// Whoever calls, with what has come of it.
struct Caller<'a> {
    words: Vec<std::ffi::OsString>,
    plan: &'a Plan<'a>,
    log: PathBuf,
    /// What comes from descriptor 1 of the application.
    output: Kept,
    /// What comes from descriptor 2.
    errors: Kept,
    /// Those who read the streams of the application.
    streams: Vec<thread::JoinHandle<()>>,
    /// The processes that have ended.
    ended: HashMap<Pid, WaitStatus>,
}

impl Caller<'_> {
    fn call(&mut self, call: Call) -> io::Result<Called> {
        let end = match call {
            Call::Wait => self.until(|caller| caller.has_ended()),
            Call::Ready => self.until(|caller| caller.output.text().contains("{\"step\":\"ready\"")),
            Call::RunOften(times) => return self.run_often(times),
            _ => return self.call_runtime(call),
        };
        let end = if end { End::Exited(0) } else { End::Late };
        Ok(Called { name: call.name().to_owned(), end, said: None, document: None })
    }

    fn id(&self) -> &str {
        self.plan.case.id.unwrap_or(self.plan.container)
    }

    fn pid_file(&self) -> PathBuf {
        self.plan.folder.join("pid")
    }

    /// The command of a call.
    fn command(&self, call: Call) -> Command {
        let mut words = self.words.clone();
        let bundle = self.plan.folder.join(BUNDLE);
        words.extend(arguments(call, &bundle, &self.pid_file(), self.id()));
        let script = self.plan.case.caller.script();
        let before = script.map(|script| vec!["sh".into(), "-c".into(), script.into(), "sh".into()]);
        let mut all = before.unwrap_or_default().into_iter().chain(words);
        let mut command = Command::new(all.next().unwrap_or_default());
        command.args(all).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        with_default_signals(command.current_dir(&bundle).process_group(0));
        command
    }

    fn call_runtime(&mut self, call: Call) -> io::Result<Called> {
        let _ = fs::remove_file(&self.log);
        let mut child = self.command(call).spawn()?;
        let (output, errors) = (Kept::default(), Kept::default());
        let is_application = matches!(call, Call::Run | Call::RunOften(_) | Call::Create | Call::CreateHere);
        if is_application {
            let readers = [
                child.stdout.take().map(|stream| self.output.read(stream)),
                child.stderr.take().map(|stream| self.errors.read(stream)),
            ];
            self.streams.extend(readers.into_iter().flatten());
        }
        // What a container that goes on has of these ends with it.
        let own: Vec<_> = [
            child.stdout.take().map(|stream| output.read(stream)),
            child.stderr.take().map(|stream| errors.read(stream)),
        ]
        .into_iter()
        .flatten()
        .collect();
        let end = self.end_of(&child)?;
        let said = (!end.is_success()).then(|| self.said(&errors)).flatten();
        self.until(|_| own.iter().all(thread::JoinHandle::is_finished));
        let document = serde_json::from_str(&output.text()).ok();
        Ok(Called { name: call.name().to_owned(), end, said, document })
    }

    /// Runs until it does not end, at most so often.
    fn run_often(&mut self, times: u32) -> io::Result<Called> {
        let name = Call::Run.name().to_owned();
        for _ in 0..times {
            let called = self.call_runtime(Call::Run)?;
            if called.end == End::Late {
                return Ok(Called { end: End::NotAlways, ..called });
            }
            if !called.end.is_success() {
                return Ok(called);
            }
        }
        Ok(Called { name, end: End::Exited(0), said: None, document: None })
    }

    /// How a child ends, which is killed if that takes too long.
    fn end_of(&mut self, child: &Child) -> io::Result<End> {
        let pid = Pid::from_child(child);
        if !self.until(|caller| caller.ended.contains_key(&pid)) {
            kill_process(pid, Signal::KILL)?;
            self.until(|caller| caller.ended.contains_key(&pid));
            return Ok(End::Late);
        }
        let status = self.ended.get(&pid).copied();
        Ok(match status.map(|status| (status.exit_status(), status.terminating_signal())) {
            Some((Some(code), _)) => End::Exited(code),
            Some((None, Some(signal))) => End::Signaled(signal),
            _ => return Err(io::Error::other("a call has ended in a way that is not known")),
        })
    }

    /// Waits until something is so, at most as long as a call can take; whether it is. Takes the status of all children
    /// that end meanwhile, some of which nobody else waits for.
    fn until(&mut self, is_so: impl Fn(&Self) -> bool) -> bool {
        self.until_within(self.plan.time, is_so)
    }

    fn until_within(&mut self, time: Duration, is_so: impl Fn(&Self) -> bool) -> bool {
        let end = Instant::now() + time;
        loop {
            while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
                self.ended.insert(pid, status);
            }
            if is_so(self) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            thread::sleep(PAUSE);
        }
    }

    /// Whether the application has ended: nothing holds its streams, and its process is gone.
    fn has_ended(&self) -> bool {
        let pid = heard::beginning(&self.pid_file(), PID_LIMIT).ok().and_then(|pid| pid.trim().parse::<u32>().ok());
        let is_gone = pid.is_none_or(|pid| !Path::new(&format!("/proc/{pid}")).exists());
        is_gone && self.streams.iter().all(thread::JoinHandle::is_finished)
    }

    /// The last message of the log, or else the last line on standard error.
    fn said(&self, errors: &Kept) -> Option<String> {
        let log = heard::beginning(&self.log, LOG_LIMIT).unwrap_or_default();
        let logged = cornercast_engine::backend::last_error(&log);
        let texts = [errors.text(), self.errors.text()];
        let mut lines = texts.iter().filter_map(|text| crate::process::last_words(text.as_bytes()));
        logged.or_else(|| lines.next()).map(|said| said.chars().take(300).collect())
    }

    /// What is left, once that has had time to go.
    fn left(&mut self, group: &str, kept: &Path, mounts: usize) -> io::Result<Left> {
        let now = || Left::now(group, kept, mounts);
        self.until_within(PATIENCE, |_| now().is_ok_and(|left| left.is_nothing()));
        now()
    }
}

/// The arguments of a call, after those that are the same for all.
#[must_use]
pub fn arguments(call: Call, bundle: &Path, pid_file: &Path, id: &str) -> Vec<std::ffi::OsString> {
    let bundle = if call == Call::CreateHere { Path::new(".") } else { bundle };
    let bundle = ["--bundle".into(), bundle.into()];
    let pid_file = ["--pid-file".into(), pid_file.into()];
    let mut words: Vec<std::ffi::OsString> = match call {
        Call::Run | Call::RunOften(_) => ["run".into()].into_iter().chain(bundle).collect(),
        Call::Create | Call::CreateHere => ["create".into()].into_iter().chain(bundle).chain(pid_file).collect(),
        Call::DeleteForced => vec!["delete".into(), "--force".into()],
        other => vec![other.name().into()],
    };
    words.push(id.into());
    if let Call::Kill(signal) = call {
        words.push(signal.into());
    }
    words
}
