//! Running a case on any engine, through its adapter.
//!
//! The adapter makes a directory with what there is to see, which is judged like the runs of the reference engine.
//! Only the clause that the reference names as the reason of a refusal is not asked for: an engine can have other
//! names for its reasons.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::policy::given;
use super::scenario::{Other, Scenario, State};
use super::{IMAGE, INPUT, Judged, OPTIONS, Obstacle, READY, Trace, contents, judge, prepare, prepare_other};
use crate::adapter::{Adapter, Asked, Fault};
use crate::protocol::{Answer, Codec, Operation, Outcome, Request, Role};
use crate::results::Verdict;
use crate::runner::{ADAPTER, OUTPUT, errored, text};

/// The names of the streams in the directory that an adapter makes.
pub const STDOUT: &str = "stdout";
/// See [`STDOUT`].
pub const STDERR: &str = "stderr";

/// The members of `options` in a message of the role `run`.
pub const INSTANCE_OPTIONS: &str = "instance-options";

/// How long it takes until the suite looks again whether the application is ready.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// How often as long as the case another instance can be there.
const OTHER_TIMES: u32 = 3;

/// An engine behind an adapter.
#[derive(Debug, Clone, Copy)]
pub struct Through<'a> {
    /// The adapter.
    pub adapter: &'a Adapter,
    /// What reads and writes messages.
    pub codec: &'a Codec,
    /// The probe, where it is not in its usual place.
    pub probe: Option<&'a Path>,
    /// The longest that an answer can take.
    pub time: Duration,
    /// The number of the message.
    pub seq: u64,
    /// Whether all that the probe sees is recorded.
    pub observed: bool,
}

/// Why there is nothing to judge.
enum Stopped {
    Obstacle(Obstacle),
    Fault(Fault),
    Answer(Answer),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Obstacle(error.into())
    }
}

impl From<Obstacle> for Stopped {
    fn from(obstacle: Obstacle) -> Self {
        Self::Obstacle(obstacle)
    }
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Stopped {
    fn judged(self) -> Judged {
        let answer = match self {
            Self::Obstacle(obstacle) => return obstacle.judged(),
            Self::Fault(fault) => return errored(fault),
            Self::Answer(answer) => answer,
        };
        let said = answer.reason.unwrap_or_else(|| "the adapter gives no reason".to_owned());
        match answer.outcome {
            Outcome::Skipped => Judged::because(Verdict::Skipped, said),
            Outcome::Errored => Judged::because(Verdict::Errored, said),
            other => Judged::because(Verdict::Errored, format!("`{}` is no answer to `run`", other.name())),
        }
    }
}

impl Through<'_> {
    /// Runs a case. `ask` puts a message to the adapter where the case needs no process of its own.
    #[must_use]
    pub fn run(
        &self,
        scenario: &Scenario,
        instance: &str,
        scratch: &Path,
        ask: impl FnOnce(&Request) -> Result<Answer, Fault>,
    ) -> Judged {
        let ready = match prepare(scenario, self.probe, instance, scratch) {
            Ok(ready) => ready,
            Err(obstacle) => return obstacle.judged(),
        };
        let ended = self.ask(scenario, ready.kind, instance, scratch, ask);
        scenario.clean_up(&ready.place);
        match ended.and_then(|answer| completed(answer, scratch, self.observed)) {
            Ok(trace) => judge(scenario, ready, trace, instance, scratch),
            Err(stopped) => stopped.judged(),
        }
    }

    fn ask(
        &self,
        scenario: &Scenario,
        kind: &str,
        instance: &str,
        scratch: &Path,
        ask: impl FnOnce(&Request) -> Result<Answer, Fault>,
    ) -> Result<Answer, Stopped> {
        let request = self.request(scratch, kind, scratch)?;
        if let Some(limit) = scenario.stack {
            return Ok(self.adapter.with_stack(limit).run(self.codec, &request, self.time)?);
        }
        let Some(other) = &scenario.other else {
            return if scenario.stops > 0 { self.stop(&request, scratch, scenario.stops) } else { Ok(ask(&request)?) };
        };
        let running = self.begin(other, kind, instance, scratch)?;
        let answer = self.adapter.run(self.codec, &request, self.time);
        if let Some(running) = running {
            running.running().ask_to_end(1);
            is_completed(running.answer()?)?;
        }
        Ok(answer?)
    }

    /// The message that has the image in `scratch` run with what stands in `folder`, where the result goes too.
    fn request(&self, folder: &Path, kind: &str, scratch: &Path) -> Result<Request, Stopped> {
        fs::create_dir(folder.join(ADAPTER))?;
        request(self.seq, kind, &scratch.join(IMAGE), folder, folder).map_err(|why| Stopped::Fault(Fault::new(why)))
    }

    /// Asks the adapter to end when the application is ready.
    fn stop(&self, request: &Request, folder: &Path, times: u32) -> Result<Answer, Stopped> {
        let asked = self.adapter.start(self.codec, request, self.time)?;
        if self.is_ready(&asked, folder) {
            asked.running().ask_to_end(times);
        }
        Ok(asked.answer()?)
    }

    /// Waits until the application says that it is ready; whether it has.
    fn is_ready(&self, asked: &Asked<'_>, folder: &Path) -> bool {
        let end = Instant::now() + self.time;
        let stdout = folder.join(OUTPUT).join(STDOUT);
        loop {
            // In this order: what has ended says nothing more.
            let is_last = asked.running().has_ended() || Instant::now() >= end;
            let output = contents(&stdout, super::engine::OUTPUT_LIMIT as u64).unwrap_or_default();
            if output.windows(READY.len()).any(|window| window == READY) {
                return true;
            }
            if is_last {
                return false;
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// Has another instance of the image run before: to its end, until it is asked to end, or until its engine is killed.
    fn begin(&self, other: &Other, kind: &str, instance: &str, scratch: &Path) -> Result<Option<Asked<'_>>, Stopped> {
        let folder = scratch.join("other");
        prepare_other(other, instance, scratch, &folder)?;
        let request = self.request(&folder, kind, scratch)?;
        let asked = self.adapter.start(self.codec, &request, self.time * OTHER_TIMES)?;
        if other.state == State::Killed {
            let is_ready = self.is_ready(&asked, &folder);
            // The adapter and its engine, which are one process group.
            asked.running().kill();
            let _ = asked.answer();
            let fault =
                || Fault::new("the other instance, whose engine was to be killed, has not said that it is ready");
            return if is_ready { Ok(None) } else { Err(fault().into()) };
        }
        if other.state == State::Running && self.is_ready(&asked, &folder) {
            return Ok(Some(asked));
        }
        is_completed(asked.answer()?)?;
        if other.state == State::Running {
            let fault = Fault::new("the other instance, which was to be there, has ended before it was ready");
            return Err(fault.into());
        }
        Ok(None)
    }
}

/// The message that has an image run with the options and the input in `folder`; the result goes to `scratch`.
///
/// # Errors
///
/// A path that is no text.
pub fn request(seq: u64, kind: &str, image: &Path, folder: &Path, scratch: &Path) -> Result<Request, String> {
    let mut options = BTreeMap::from([
        (INPUT.to_owned(), text(&folder.join(INPUT))?),
        (INSTANCE_OPTIONS.to_owned(), text(&folder.join(OPTIONS))?),
    ]);
    if let Some(given) = given(folder).map_err(|error| error.to_string())? {
        options.extend(given.members()?);
    }
    Ok(Request::Run {
        seq,
        role: Role::Run,
        operation: Operation::Run,
        input: text(image)?,
        kind: kind.to_owned(),
        options,
        output: Some(text(&scratch.join(OUTPUT))?),
        scratch: text(&scratch.join(ADAPTER))?,
    })
}

fn is_completed(answer: Answer) -> Result<(), Stopped> {
    if answer.outcome == Outcome::Completed { Ok(()) } else { Err(Stopped::Answer(answer)) }
}

/// What an adapter has left that says that the engine has ended.
fn completed(answer: Answer, scratch: &Path, observed: bool) -> Result<Trace, Stopped> {
    let words = answer.reason.clone();
    is_completed(answer)?;
    let reports = scratch.join(OUTPUT);
    let stream = |name: &str| {
        let bytes = contents(&reports.join(name), super::engine::OUTPUT_LIMIT as u64);
        bytes.map_err(|error| Fault::new(format!("the adapter leaves no {name} to read: {error}")))
    };
    Ok(Trace {
        output: stream(STDOUT)?,
        errors: stream(STDERR)?,
        reports,
        state: None,
        words,
        names_clauses: false,
        observed,
    })
}
