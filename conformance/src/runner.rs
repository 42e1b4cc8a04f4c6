//! Runs cases against implementations, in parallel, with results in a stable order.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use cornercast_engine::instance::sweep;
use serde_json::Value;

use crate::adapter::{Adapter, Fault};
use crate::bundles::{self, Runtime};
use crate::case::Case;
use crate::expectations::Expectations;
use crate::fixtures::trust::world;
use crate::made;
use crate::protocol::{Answer, Codec, Operation, Outcome, Request, Role};
use crate::recipe::Bytes;
use crate::results::{Implementation, Line, Verdict};
use crate::run::through::Through;
use crate::run::{self, Engine, Judged};
use crate::scratch;
use crate::session::Sessions;
use crate::suite::{Entry, Task};
use crate::trust;

/// An implementation under test.
#[derive(Debug)]
pub struct Subject {
    /// As it presents itself, under the name that this run gives it.
    pub implementation: Implementation,
    /// How to reach it.
    pub reach: Reach,
}

/// How an implementation is reached.
#[derive(Debug, Clone)]
pub enum Reach {
    /// The reference validator: its clause ids are judged, too.
    Reference(Adapter),
    /// A program that speaks the adapter protocol.
    Adapter(Adapter),
    /// The reference engine with a backend.
    Engine(Engine),
    /// An OCI runtime.
    Runtime(Runtime),
}

/// How a run is done.
#[derive(Debug, Clone)]
pub struct Options {
    /// The longest that one case can take.
    pub time: Duration,
    /// How many cases run at once.
    pub jobs: usize,
    /// The probe, where it is not in its usual place.
    pub probe: Option<PathBuf>,
    /// A folder for whatever is needed while running.
    pub scratch: PathBuf,
    /// Failures that are expected.
    pub expectations: Expectations,
    /// Whether all that the probe sees is recorded.
    pub observed: bool,
}

/// A case and who it is put to.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The implementation.
    pub subject: &'a Subject,
    /// The case.
    pub entry: &'a Entry,
}

/// The cases of `entries` for the roles that each of `subjects` has; if a role is `asked` for, its
/// cases for all of them.
#[must_use]
pub fn jobs<'a>(subjects: &'a [Subject], entries: &'a [Entry], asked: Option<Role>) -> Vec<Job<'a>> {
    let mut jobs = Vec::new();
    for subject in subjects {
        for entry in entries {
            if asked.map_or_else(|| subject.implementation.roles.contains(&entry.role), |role| role == entry.role) {
                jobs.push(Job { subject, entry });
            }
        }
    }
    jobs
}

/// Runs `jobs` and calls `each` with every result, in their order, as soon as it and all before it are there.
///
/// # Errors
///
/// Those of `each`; the rest of the jobs is not started then.
pub fn run(
    jobs: &[Job<'_>],
    codec: &Codec,
    options: &Options,
    each: impl FnMut(&Job<'_>, Line) -> io::Result<()>,
) -> io::Result<()> {
    let result = run_all(jobs, codec, options, each);
    // What engines that had to be killed have left.
    sweep(&instances(options))?;
    result
}

/// The directory of the instances of a run.
fn instances(options: &Options) -> PathBuf {
    options.scratch.join(scratch::INSTANCES)
}

fn run_all(
    jobs: &[Job<'_>],
    codec: &Codec,
    options: &Options,
    mut each: impl FnMut(&Job<'_>, Line) -> io::Result<()>,
) -> io::Result<()> {
    let next = AtomicUsize::new(0);
    let (sender, results) = channel();
    thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, jobs.len().max(1)) {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || {
                let mut worker = Worker { codec, options, sessions: Sessions::default() };
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(index) else { break };
                    if sender.send((index, worker.line(job, index))).is_err() {
                        break;
                    }
                }
                worker.sessions.end(codec, options.time);
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut at = 0;
        for (index, line) in &results {
            waiting.insert(index, line);
            while let Some(line) = waiting.remove(&at) {
                let Some(job) = jobs.get(at) else { break };
                if let Err(error) = each(job, line) {
                    next.store(jobs.len(), Ordering::Relaxed);
                    return Err(error);
                }
                at += 1;
            }
        }
        Ok(())
    })
}

/// A thread that runs cases, with the sessions that it has.
struct Worker<'a> {
    codec: &'a Codec,
    options: &'a Options,
    sessions: Sessions,
}

impl Worker<'_> {
    /// The result of one job.
    fn line(&mut self, job: &Job<'_>, index: usize) -> Line {
        let start = Instant::now();
        let scratch = self.options.scratch.join(index.to_string());
        let judged = if job.subject.implementation.roles.contains(&job.entry.role) {
            let made = fs::create_dir_all(&scratch);
            match made {
                Ok(()) => self.judged(job, index, &scratch),
                Err(error) => Judged::because(Verdict::Errored, format!("the scratch folder: {error}")),
            }
        } else {
            Judged::because(Verdict::Unsupported, format!("it does not have the role `{}`", job.entry.role.name()))
        };
        let duration = start.elapsed();
        // What could not be removed goes with the folder of the run.
        let _ = scratch::remove_case(&scratch);
        let instance = instance_of(index);
        let hidden = hide_names(job.entry, &scratch, &instance);
        let mut line = Line {
            case: job.entry.name.clone(),
            clauses: job.entry.clauses.clone(),
            implementation: job.subject.implementation.name.clone(),
            role: job.entry.role,
            verdict: judged.verdict,
            reason: judged.reason.map(|reason| hidden(&reason)),
            values: judged.values.into_iter().map(|(name, value)| (name, hide(value, &hidden))).collect(),
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        };
        self.options.expectations.apply(&mut line);
        line
    }

    fn judged(&mut self, job: &Job<'_>, index: usize, scratch: &Path) -> Judged {
        let (codec, options) = (self.codec, self.options);
        if let Task::Case { case, .. } = &job.entry.task
            && case.operation.needs_root()
            && !rustix::process::geteuid().is_root()
        {
            return Judged::because(Verdict::Unsupported, "only root can make files of other users");
        }
        match (&job.entry.task, &job.subject.reach) {
            (Task::Case { case, folder }, Reach::Adapter(adapter)) => self
                .put((case, folder), job, adapter, index, scratch)
                .map_or_else(errored, |answer| judge((case, folder), &answer, scratch)),
            (Task::Case { case, folder }, Reach::Reference(adapter)) => self
                .put((case, folder), job, adapter, index, scratch)
                .map_or_else(errored, |answer| judge_reference((case, folder), &answer, scratch)),
            (Task::Run(scenario), Reach::Engine(engine)) => {
                let instance = instance_of(index);
                let engine = Engine {
                    state: instances(options),
                    probe: options.probe.clone(),
                    time: options.time,
                    observed: options.observed,
                    ..engine.clone()
                };
                run::run(&engine, scenario, &instance, scratch)
            }
            (Task::Run(scenario), Reach::Adapter(adapter) | Reach::Reference(adapter)) => {
                let instance = instance_of(index);
                let (probe, seq) = (options.probe.as_deref(), index as u64);
                let through = Through { adapter, codec, probe, time: options.time, seq, observed: options.observed };
                let name = &job.subject.implementation.name;
                through.run(scenario, &instance, scratch, |request| {
                    self.sessions.ask(name, adapter, codec, request, options.time)
                })
            }
            (Task::Bundle(case), Reach::Runtime(runtime)) => {
                let (name, container) = (&job.entry.name, instance_of(index));
                bundles::put(case, name, runtime, &container, options.probe.as_deref(), scratch, options.time)
            }
            (Task::Case { .. }, Reach::Engine(_)) => {
                Judged::because(Verdict::Unsupported, "an engine only runs images")
            }
            (Task::Bundle(_), _) => Judged::because(Verdict::Unsupported, "it has no command line of an OCI runtime"),
            (_, Reach::Runtime(_)) => Judged::because(Verdict::Unsupported, "an OCI runtime only takes bundles"),
        }
    }

    fn put(
        &mut self,
        (case, folder): (&Case, &Path),
        job: &Job<'_>,
        adapter: &Adapter,
        index: usize,
        scratch: &Path,
    ) -> Result<Answer, Fault> {
        let input = input(case, folder, scratch)
            .map_err(|error| Fault::new(format!("the input could not be made: {error}")))?;
        fs::create_dir(scratch.join(ADAPTER)).map_err(|error| Fault::new(format!("the scratch folder: {error}")))?;
        let mut request = request(case, &input, index as u64, scratch).map_err(Fault::new)?;
        if case.operation == Operation::Verify {
            trust::prepare(case, folder, scratch, &mut request)
                .map_err(|error| Fault::new(format!("the policy and state could not be made: {error}")))?;
        }
        let name = &job.subject.implementation.name;
        self.sessions.ask(name, adapter, self.codec, &request, self.options.time)
    }
}

/// Puts a name in the place of paths of this machine and run, so that two runs can be compared.
fn hide_names(entry: &Entry, scratch: &Path, instance: &str) -> impl Fn(&str) -> String + use<> {
    let folder = match &entry.task {
        Task::Case { folder, .. } => folder.display().to_string(),
        Task::Run(_) | Task::Bundle(_) => String::new(),
    };
    let (scratch, instance) = (scratch.display().to_string(), instance.to_owned());
    move |text| {
        let text = text.replace(&scratch, "$SCRATCH").replace(&instance, "$INSTANCE");
        // A case may say a path without its slash.
        let text = text.replace(scratch.trim_start_matches('/'), "$SCRATCH");
        if folder.is_empty() { text } else { text.replace(&folder, "$CASE") }
    }
}

/// The same in every text of a value.
fn hide(value: Value, hidden: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => hidden(&text).into(),
        Value::Array(elements) => elements.into_iter().map(|element| hide(element, hidden)).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, hide(value, hidden))).collect(),
        other => other,
    }
}

/// The id of the instance of a case, by its number in the run.
fn instance_of(index: usize) -> String {
    format!("suite-{}-{index}", std::process::id())
}

/// The input of a case: beside its `case.json`, or made in `scratch`.
///
/// # Errors
///
/// Errors of the file system.
pub fn input(case: &Case, folder: &Path, scratch: &Path) -> io::Result<PathBuf> {
    let path = scratch.join("input");
    let Some(recipe) = &case.recipe else {
        let there = folder.join(case.input.as_deref().unwrap_or_default());
        if case.links.is_empty() && case.executables.is_empty() && case.keyrings.is_none() {
            return Ok(there);
        }
        copy_folder(&there, &path)?;
        for number in 2..=case.keyrings.unwrap_or(1) {
            let (name, bytes) = world::numbered_keyring(number);
            fs::write(path.join(name), bytes)?;
        }
        for file in &case.executables {
            make_executable(&path.join(file))?;
        }
        for (link, target) in &case.links {
            let link = path.join(link);
            link.parent().map_or(Ok(()), fs::create_dir_all)?;
            symlink(target, &link)?;
        }
        return Ok(path);
    };
    let mut file = BufWriter::with_capacity(1 << 20, File::create_new(&path)?);
    io::copy(&mut Bytes::new(recipe), &mut file)?;
    file.flush()?;
    Ok(path)
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &copy)?;
        } else {
            fs::copy(entry.path(), &copy)?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn make_executable(file: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "the case has execute bits, which this system does not know"))
}

#[cfg(unix)]
fn symlink(target: &str, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn symlink(_: &str, _: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "the case has symbolic links, which this system may not make"))
}

/// The name of what an adapter makes, in the scratch folder of the case.
pub const OUTPUT: &str = "output";

/// The name of the adapter's own folder, there too.
pub const ADAPTER: &str = "adapter";

/// The message that puts a case to an adapter, with `scratch` for the case.
///
/// # Errors
///
/// A path that is no text.
pub fn request(case: &Case, input: &Path, seq: u64, scratch: &Path) -> Result<Request, String> {
    Ok(Request::Run {
        seq,
        role: case.role,
        operation: case.operation,
        input: text(input)?,
        kind: case.kind.clone(),
        options: case.options.clone(),
        output: (!case.operation.is_verdict()).then(|| text(&scratch.join(OUTPUT))).transpose()?,
        // The adapter's own folder is empty, whatever the input is made in.
        scratch: text(&scratch.join(ADAPTER))?,
    })
}

/// A path as a message has it.
pub(crate) fn text(path: &Path) -> Result<String, String> {
    path.to_str().map(str::to_owned).ok_or_else(|| format!("the path {} is not UTF-8", path.display()))
}

pub(crate) fn errored(fault: Fault) -> Judged {
    let mut judged = Judged::because(Verdict::Errored, fault.reason);
    judged.values.extend(fault.stderr.map(|words| ("stderr".to_owned(), words.into())));
    judged
}

/// The outcome is judged, and what was made; class, ids and reason are recorded.
fn judge((case, folder): (&Case, &Path), answer: &Answer, scratch: &Path) -> Judged {
    let expected = case.expect.verdict.outcome();
    let answers = if case.operation.is_verdict() {
        [Outcome::Accepted, Outcome::Rejected]
    } else {
        [Outcome::Completed, Outcome::Refused]
    };
    let said = || answer.reason.clone().unwrap_or_else(|| "the adapter gives no reason".to_owned());
    let (verdict, reason) = match answer.outcome {
        outcome if outcome == expected => {
            match made::judge(case, &scratch.join(OUTPUT)).and_then(|()| trust::judge(case, folder, scratch)) {
                Ok(()) => (Verdict::Pass, None),
                Err(reason) => (Verdict::Fail, Some(reason)),
            }
        }
        outcome if answers.contains(&outcome) => {
            (Verdict::Fail, Some(format!("expected {}, got {}", expected.name(), outcome.name())))
        }
        Outcome::Skipped => (Verdict::Skipped, Some(said())),
        Outcome::Errored => (Verdict::Errored, Some(said())),
        other => (Verdict::Errored, Some(format!("`{}` is no answer to `{}`", other.name(), case.operation.name()))),
    };
    let mut values = BTreeMap::from([("outcome".to_owned(), answer.outcome.name().into())]);
    if let Some(class) = answer.class {
        values.insert("class".to_owned(), serde_json::to_value(class).unwrap_or_default());
    }
    if !answer.ids.is_empty() {
        values.insert("ids".to_owned(), answer.ids.clone().into());
    }
    if let Some(reason) = &answer.reason {
        values.insert("reason".to_owned(), reason.clone().into());
    }
    Judged { verdict, reason, values }
}

/// The reference has to name the clauses that the case expects, besides.
fn judge_reference((case, folder): (&Case, &Path), answer: &Answer, scratch: &Path) -> Judged {
    let mut judged = judge((case, folder), answer, scratch);
    let expected: Vec<&str> = case.expect.findings.iter().map(|finding| finding.id.as_str()).collect();
    if case.operation.is_verdict() && judged.verdict == Verdict::Pass && answer.ids != expected {
        let shown = |ids: &[&str]| if ids.is_empty() { "no finding".to_owned() } else { ids.join(", ") };
        let got: Vec<&str> = answer.ids.iter().map(String::as_str).collect();
        judged.verdict = Verdict::Fail;
        judged.reason = Some(format!("expected {}, got {}", shown(&expected), shown(&got)));
    }
    judged
}
