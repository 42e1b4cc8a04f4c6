//! The role `run`: images are made, handed to an engine, and looked at from inside by the probe.
//!
//! | module | does |
//! | --- | --- |
//! | [`scenario`] | a case: an image, what is said beside it, what has to come of it |
//! | [`cases`](mod@cases) | the cases, by the sections of the chapter |
//! | [`image`], [`probe`] | what the images are made of |
//! | [`engine`] | calling the reference engine, as it is or broken on purpose |
//! | [`through`] | calling any engine, through an adapter |
//! | [`evidence`] | what there is to see of a run |
//! | [`mutants`] | the engines that are broken on purpose |
//! | [`export`] | cases as files |

#[allow(clippy::indexing_slicing, reason = "a member that a JSON value does not have is null")]
pub mod cases;
mod claims;
pub mod document;
pub mod engine;
#[allow(clippy::indexing_slicing, reason = "as above")]
pub mod evidence;
pub mod export;
pub mod image;
#[allow(clippy::indexing_slicing, reason = "as above")]
pub mod mutants;
pub mod policy;
pub mod probe;
pub mod scenario;
pub mod through;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use cornercast::digest::Digest;
use cornercast::store::{FileKind, path_of};
use cornercast_engine::instance::sweep;
use cornercast_engine::report::{ISOLATION_REPORT, IsolationReport, Outcome, RUN_REPORT, RunReport};
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use cases::cases;
pub use engine::Engine;
pub use scenario::Scenario;

use self::evidence::{Evidence, UNTOLD};
use self::image::{Form, Image, Packed};
use self::scenario::{Other, Place, State};
use crate::process::{Ended, Stop};
use crate::report::observed::{OBSERVED, recorded};
use crate::results::Verdict;
use crate::schema;
use crate::scratch::INSTANCES;

/// What came of a case: the verdict, why, and what was seen.
#[derive(Debug)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is that, unless it is `pass`.
    pub reason: Option<String>,
    /// What was seen.
    pub values: BTreeMap<String, Value>,
}

impl Judged {
    /// A verdict with a reason and without values.
    pub(crate) fn because(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { verdict, reason: Some(reason.into()), values: BTreeMap::new() }
    }
}

/// Why a case could not be run.
#[derive(Debug)]
pub enum Obstacle {
    /// The host lacks something.
    Host(String),
    /// Something went wrong.
    Error(io::Error),
}

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Self {
        Self::Error(error)
    }
}

impl Obstacle {
    pub(crate) fn judged(self) -> Judged {
        match self {
            Self::Host(reason) => Judged::because(Verdict::Unsupported, reason),
            Self::Error(error) => Judged::because(Verdict::Errored, error.to_string()),
        }
    }
}

/// The names of what a case is made of, in its folder.
pub const IMAGE: &str = "image";
/// The instance options.
pub const OPTIONS: &str = "options.json";
/// What standard input yields.
pub const INPUT: &str = "input";
/// Files of the host that the case needs.
pub const HOST: &str = "host";
/// The directory for reports.
pub const REPORTS: &str = "reports";

/// Bytes that a report can have.
const REPORT_LIMIT: u64 = 1 << 20;

/// What is written when the application is ready to be stopped.
const READY: &[u8] = b"{\"step\":\"ready\"";

/// A case that is ready to be put to an engine.
#[derive(Debug)]
pub struct Ready {
    /// The image.
    pub image: Packed,
    /// The kind of the image, `archive` or `store`.
    pub kind: &'static str,
    /// Where the case has files of the host.
    pub place: Place,
    /// The digest of the image's files.
    before: Digest,
}

/// Makes in the empty folder `folder` what `scenario` needs: the image, the options, files of the host.
///
/// # Errors
///
/// What is missing or went wrong.
pub fn prepare(scenario: &Scenario, probe: Option<&Path>, instance: &str, folder: &Path) -> Result<Ready, Obstacle> {
    let mut image = Image::new(&probe::read(probe)?);
    scenario.make(&mut image);
    let path = folder.join(IMAGE);
    let packed = image.pack(&path)?;
    if let Some(corrupt) = scenario.corrupt {
        // Of a store it is the layer.
        let layer = packed.manifest.layers.first().filter(|_| image.form == Form::Store);
        let file = layer.map_or(path.clone(), |layer| path.join(path_of(&FileKind::Blob(layer.digest))));
        let mut bytes = fs::read(&file)?;
        corrupt(&mut bytes);
        fs::write(&file, bytes)?;
    }
    let place = Place::new(&folder.join(HOST));
    fs::create_dir(folder.join(HOST))?;
    fs::create_dir(folder.join(REPORTS))?;
    scenario.prepare(&place)?;
    fs::write(folder.join(OPTIONS), scenario.instance_options(&place, instance))?;
    fs::write(folder.join(INPUT), &scenario.input)?;
    policy::prepare(scenario, packed.id, folder)?;
    let before = digest_of(&path)?;
    Ok(Ready { image: packed, kind: kind(&image), place, before })
}

/// The kind of an image, as the adapter protocol calls it.
#[must_use]
pub fn kind(image: &Image) -> &'static str {
    if image.form == Form::Store { "store" } else { "archive" }
}

/// Runs a case on an engine.
#[must_use]
pub fn run(engine: &Engine, scenario: &Scenario, instance: &str, scratch: &Path) -> Judged {
    let is_killed = scenario.other.as_ref().is_some_and(|other| other.state == State::Killed);
    if !is_killed {
        return run_in(engine, scenario, instance, scratch);
    }
    // In the directory of the other instances, the engine of another case would clean up.
    let own = Engine { state: scratch.join(INSTANCES), ..engine.clone() };
    let judged = run_in(&own, scenario, instance, scratch);
    let _ = sweep(&own.state);
    judged
}

fn run_in(engine: &Engine, scenario: &Scenario, instance: &str, scratch: &Path) -> Judged {
    let outcome = engine.ready().map_err(Obstacle::Host).and_then(|()| {
        let ready = prepare(scenario, engine.probe.as_deref(), instance, scratch)?;
        let stop = (scenario.stops > 0).then_some(Stop { after: READY, times: scenario.stops });
        let other = scenario.other.as_ref().map_or(Ok(None), |other| begin(engine, other, instance, scratch));
        let ended = other.and_then(|other| {
            let ended = engine.run(scratch, scenario, stop);
            other.map_or(Ok(()), |other| finish(other, engine.time))?;
            ended
        });
        scenario.clean_up(&ready.place);
        Ok((ready, ended?))
    });
    match outcome {
        Ok((ready, ended)) => judge_ended(engine, scenario, ready, ended, instance, scratch),
        Err(obstacle) => obstacle.judged(),
    }
}

/// Has another instance of the image run before: to its end, until its engine is killed, or until now.
fn begin(engine: &Engine, other: &Other, instance: &str, scratch: &Path) -> io::Result<Option<Child>> {
    let folder = scratch.join("other");
    prepare_other(other, instance, scratch, &folder)?;
    let mut command = engine.command(&folder)?;
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let output = child.stdout.take().ok_or_else(|| io::Error::other("there is no output"))?;
    if other.state == State::Ended {
        thread::spawn(move || io::copy(&mut { output }, &mut io::sink()));
        return wait(&mut child, engine.time).map(|()| None);
    }
    let (sender, ready) = channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(output);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            if line.starts_with(READY) {
                let _ = sender.send(());
            }
            line.clear();
        }
    });
    let is_ready = ready.recv_timeout(engine.time).is_ok();
    if is_ready && other.state == State::Running {
        return Ok(Some(child));
    }
    child.kill()?;
    child.wait()?;
    if is_ready { Ok(None) } else { Err(io::Error::other("the other instance has not said that it is ready")) }
}

/// Waits for the end of another instance, which has so much time.
fn wait(child: &mut Child, time: Duration) -> io::Result<()> {
    let end = Instant::now() + time;
    while child.try_wait()?.is_none() {
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::other("the other instance has not ended in time"));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Makes in `folder`, which is not there yet, what another instance of the image in `scratch` needs.
fn prepare_other(other: &Other, instance: &str, scratch: &Path, folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)?;
    fs::create_dir(folder.join(REPORTS))?;
    std::os::unix::fs::symlink(scratch.join(IMAGE), folder.join(IMAGE))?;
    fs::write(folder.join(INPUT), b"")?;
    let id = if other.has_same_id { instance.to_owned() } else { format!("{instance}-other") };
    let mut arguments = other.arguments.clone();
    if other.state != State::Ended {
        arguments.extend(["trap:SIGTERM:0", "ready", "wait"].map(str::to_owned));
    }
    let options = serde_json::json!({"arguments": arguments, "instance": id});
    fs::write(folder.join(OPTIONS), options.to_string())
}

/// Stops another instance, which has so much time.
fn finish(mut child: Child, time: Duration) -> io::Result<()> {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        kill_process(pid, Signal::TERM)?;
    }
    wait(&mut child, time)
}

/// What a run has left.
struct Trace {
    /// What came on standard output.
    output: Vec<u8>,
    /// What came on standard error.
    errors: Vec<u8>,
    /// The directory of the reports.
    reports: PathBuf,
    /// The directory of the instances, where it is known.
    state: Option<PathBuf>,
    /// What the engine said last, beside the streams.
    words: Option<String>,
    /// Whether the engine has to name the clause for which it refuses, as the reference does.
    names_clauses: bool,
    /// Whether all that the probe has seen is recorded.
    observed: bool,
}

/// Judges a run of the reference engine.
fn judge_ended(
    engine: &Engine,
    scenario: &Scenario,
    ready: Ready,
    ended: Ended,
    instance: &str,
    scratch: &Path,
) -> Judged {
    if let Some(how) = ended.killed {
        return Judged::because(Verdict::Errored, format!("the engine was killed: {}", how.words()));
    }
    let words = ended.last_words();
    let Ended { output, errors, .. } = ended;
    let reports = scratch.join(REPORTS);
    let state = Some(engine.state.clone());
    let trace = Trace { output, errors, reports, state, words, names_clauses: true, observed: engine.observed };
    judge(scenario, ready, trace, instance, scratch)
}

fn judge(scenario: &Scenario, ready: Ready, trace: Trace, instance: &str, scratch: &Path) -> Judged {
    let report: RunReport = match document(&trace.reports.join(RUN_REPORT)) {
        Ok(report) => report,
        Err(why) => {
            let words = trace.words.map_or_else(String::new, |words| format!(" (it said: {words})"));
            return Judged::because(Verdict::Fail, format!("{why}{words}"));
        }
    };
    let mut values = BTreeMap::from([("outcome".to_owned(), report.outcome.name().into())]);
    let reasons: Vec<String> = report.reasons.iter().map(|reason| reason.message.clone()).collect();
    if !reasons.is_empty() {
        values.insert("reasons".to_owned(), reasons.clone().into());
    }
    let is_of_host = !report.reasons.is_empty() && report.reasons.iter().all(|reason| reason.clause.is_none());
    // Whoever names no clauses says nothing of the host by that, where a refusal is right.
    let is_right = !trace.names_clauses && (scenario.outcome == Outcome::Refused || scenario.alternative.is_some());
    if is_of_host && report.outcome == Outcome::Refused && !is_right {
        return Judged { verdict: Verdict::Unsupported, reason: Some(reasons.join("; ")), values };
    }
    let image_path = scratch.join(IMAGE);
    let evidence = Evidence {
        image_is_same: digest_of(&image_path).is_ok_and(|digest| digest == ready.before),
        image: ready.image,
        instance: instance.to_owned(),
        place: ready.place,
        state: trace.state,
        output: trace.output,
        errors: trace.errors,
        isolation: document::<IsolationReport>(&trace.reports.join(ISOLATION_REPORT)),
        report,
        image_path,
    };
    if trace.observed
        && let Ok(document) = evidence.seen()
    {
        let scratch = scratch.display().to_string();
        let names = [(instance, "$INSTANCE"), (scratch.as_str(), "$SCRATCH")];
        values.insert(OBSERVED.to_owned(), recorded(&document, &names));
    }
    let judged = match scenario.alternative {
        Some(clause) if evidence.report.outcome == Outcome::Refused => {
            if trace.names_clauses {
                refused_by(clause, &evidence)
            } else {
                Ok(Value::Null)
            }
        }
        _ => expected(scenario, &evidence, trace.names_clauses).and_then(|()| scenario.judge(&evidence)),
    };
    match judged {
        Ok(seen) => {
            if !seen.is_null() {
                values.insert("seen".to_owned(), seen);
            }
            Judged { verdict: Verdict::Pass, reason: None, values }
        }
        Err(reason) if reason == UNTOLD => Judged { verdict: Verdict::Unsupported, reason: Some(reason), values },
        Err(reason) => {
            // A claim that is disproved from inside is worse than any other fault.
            let is_seen = evidence.seen().is_ok() || !evidence.lines().is_empty();
            let report = evidence.isolation.as_ref().ok().filter(|_| is_seen);
            let claim = report.and_then(|report| claims::disproved(&scenario.name, report));
            match claim {
                Some(isolator) => {
                    let reason = format!("the report says that `{isolator}` is in force, and it is not: {reason}");
                    Judged { verdict: Verdict::FalseClaim, reason: Some(reason), values }
                }
                None => Judged { verdict: Verdict::Fail, reason: Some(reason), values },
            }
        }
    }
}

/// Whether the outcome is the one that is expected, for the reason that is expected.
fn expected(scenario: &Scenario, evidence: &Evidence, names_clauses: bool) -> Result<(), String> {
    let Evidence { report, output, errors, .. } = evidence;
    let is_other = scenario.can_exit && report.outcome == Outcome::Exited;
    if report.outcome != scenario.outcome && !is_other {
        let reasons: Vec<&str> = report.reasons.iter().map(|reason| reason.message.as_str()).collect();
        let why = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
        return Err(format!("expected the outcome {}, got {}{why}", scenario.outcome.name(), report.outcome.name()));
    }
    if report.outcome == Outcome::Exited && report.exit_code != Some(scenario.code) {
        let code = report.exit_code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        return Err(format!("expected the exit code {}, got {code}", scenario.code));
    }
    if matches!(report.outcome, Outcome::Refused | Outcome::Failed) {
        // RUN-095 and RUN-097
        if !output.is_empty() || !errors.is_empty() {
            let words = String::from_utf8_lossy(if output.is_empty() { errors } else { output });
            return Err(format!("nothing was to come on the streams, and something did: {}", words.trim()));
        }
        if report.reasons.is_empty() {
            return Err("the report gives no reason".to_owned());
        }
    }
    scenario.reason.filter(|_| names_clauses).map_or(Ok(()), |clause| refused_by(clause, evidence).map(drop))
}

/// Whether a clause is among the reasons.
fn refused_by(clause: &str, evidence: &Evidence) -> Result<Value, String> {
    let reasons = &evidence.report.reasons;
    let named: Vec<&str> = reasons.iter().filter_map(|reason| reason.clause.as_deref()).collect();
    if named.contains(&clause) {
        Ok(Value::Null)
    } else {
        Err(format!("expected {clause} as the reason, got {}", named.join(", ")))
    }
}

/// A report: there, in canonical form, and of the form that its type says.
fn document<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    use cornercast::json::{self, Form};
    use cornercast::limits::Limits;

    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = contents(path, REPORT_LIMIT).map_err(|error| format!("there is no {name}: {error}"))?;
    if let Some(violation) = json::read(&bytes, Form::Canonical, &Limits::FORMAT).violations.first() {
        return Err(format!("{name} is no canonical document: {}", violation.message));
    }
    let other = |why: String| format!("{name} has another form{why}");
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| other(format!(": {error}")))?;
    let schema = schema::validator(name.trim_end_matches(".json"))?;
    schema::judge(&schema, &value).map_err(other)?;
    serde_json::from_value(value).map_err(|error| other(format!(": {error}")))
}

/// The content of a regular file that has at most `limit` bytes. Whoever reads a pipe can wait for ever.
fn contents(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it has more than {limit} bytes")));
    }
    Ok(bytes)
}

/// A digest of a file, or of all files of a directory with their paths.
fn digest_of(path: &Path) -> io::Result<Digest> {
    let mut hasher = cornercast::digest::Hasher::default();
    let mut left = vec![path.to_owned()];
    while let Some(path) = left.pop() {
        hasher.update(path.as_os_str().as_encoded_bytes());
        if path.is_dir() {
            let mut below: Vec<_> =
                fs::read_dir(&path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
            below.sort();
            left.extend(below);
        } else {
            hasher.update(&fs::read(&path)?);
        }
    }
    Ok(hasher.finish())
}
