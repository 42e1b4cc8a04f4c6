//! `run`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::implementations::{Named, subjects};
use super::output::{Output, Outputs};
use super::{Selection, Trouble};
use crate::expectations::Expectations;
use crate::protocol::{Codec, Role};
use crate::report::{Besides, Report, Row, matrix, observed, word};
use crate::results::{Footer, Header};
use crate::runner::{self, Job, Options, Subject};
use crate::scratch::Scratch;
use crate::suite::Entry;

/// Puts the cases to each implementation and compares what it does with what the clauses say.
///
/// The exit status is 0 if all is as it should be, 1 if not, 2 if a case of a MUST clause could not
/// run, and 3 if nothing could.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    selection: Selection,
    /// An implementation: a built-in one (reference, embedded, runc), or NAME=PATH with an adapter program [default:
    /// reference and embedded]
    #[arg(long = "impl", value_name = "NAME[=PATH]")]
    implementations: Vec<Named>,
    /// Start an adapter once a message, also if it has sessions
    #[arg(long)]
    oneshot: bool,
    /// Record all that the probe sees, and list what the implementations differ in, judged or not
    #[arg(long)]
    observed: bool,
    #[command(flatten)]
    how: How,
}

/// How a run is done, and where its results go.
#[derive(Debug, Args)]
pub(super) struct How {
    /// Write the results as JSON lines to FILE, or with `-` to standard output in place of the text
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the results as FORMAT (json, junit, markdown, html, book) to FILE, - for standard output in place of the text
    #[arg(long = "output", short, value_name = "FORMAT=FILE")]
    outputs: Vec<Output>,
    /// How many cases run at once [default: one a processor]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// The longest that one case can take, in seconds
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// Failures that are expected (TOML); those that pass, and cases that do not exist, fail the run
    #[arg(long, value_name = "FILE")]
    xfail: Option<PathBuf>,
    /// The probe, which runs in what is made [default: $CORNERCAST_PROBE, or beside this program]
    #[arg(long, value_name = "FILE")]
    probe: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is no number of seconds".to_owned())?;
    if seconds > 0.0 && seconds <= 86_400.0 {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("it is not more than 0 and at most 86400".to_owned())
    }
}

/// Runs the cases; the exit status.
pub(super) fn run(arguments: &RunArgs) -> Result<u8, Trouble> {
    let cases = arguments.selection.fixtures.load()?;
    let selected = arguments.selection.select(&cases.entries)?;
    let codec = Codec::new().map_err(Trouble::new)?;
    let named = match arguments.implementations.as_slice() {
        // Other people's cases are not run.
        [] if arguments.selection.fixtures.folder.is_some() => vec![Named::reference()],
        [] => match arguments.selection.role {
            Some(Role::Run) => vec![Named::engine()],
            Some(_) => vec![Named::reference()],
            None => vec![Named::reference(), Named::engine()],
        },
        given => given.to_vec(),
    };
    let subjects = subjects(&named, &codec, arguments.how.timeout, arguments.oneshot)?;
    let jobs = runner::jobs(&subjects, &selected, arguments.selection.role);
    if jobs.is_empty() {
        return Err(Trouble::new("none of the cases is for a role that the implementations have; --role asks anyway"));
    }
    let fixtures = arguments.selection.fixtures.folder.as_ref();
    let fixtures =
        fixtures.map_or_else(String::new, |folder| format!(" --fixtures {}", word(&folder.display().to_string())));
    arguments.how.perform(&Planned {
        jobs: &jobs,
        subjects: &subjects,
        entries: &cases.entries,
        codec: &codec,
        observed: arguments.observed,
        hints: hints(&named, &fixtures),
    })
}

/// What is to be run.
pub(super) struct Planned<'a> {
    pub(super) jobs: &'a [Job<'a>],
    pub(super) subjects: &'a [Subject],
    /// All cases, selected or not.
    pub(super) entries: &'a [Entry],
    pub(super) codec: &'a Codec,
    /// Whether what is done differently is listed.
    pub(super) observed: bool,
    /// For each implementation the options that `reproduce` needs.
    pub(super) hints: BTreeMap<String, String>,
}

impl How {
    /// Runs what is planned, and writes the reports; the exit status.
    pub(super) fn perform(&self, planned: &Planned<'_>) -> Result<u8, Trouble> {
        let Planned { jobs, subjects, entries, codec, observed, hints } = planned;
        let expectations = match &self.xfail {
            Some(path) => Expectations::read(path).map_err(Trouble::at(path.display()))?,
            None => Expectations::default(),
        };
        super::clean::silently();
        let scratch = Scratch::new("run")?;
        let cpus = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let options = Options {
            time: self.timeout,
            jobs: self.jobs.unwrap_or(cpus).get(),
            probe: self.probe.clone(),
            scratch: scratch.path().to_owned(),
            expectations,
            observed: *observed,
        };
        let implementations = subjects.iter().map(|subject| subject.implementation.clone()).collect();
        let header = Header::new(implementations, jobs.len());
        let outputs: Vec<Output> =
            self.json.as_deref().map(Output::json).into_iter().chain(self.outputs.clone()).collect();
        let mut outputs = Outputs::new(&outputs)?;
        outputs.line(&header)?;
        let mut progress = Progress::new(jobs.len());
        let mut rows = Vec::with_capacity(jobs.len());
        let mut judged = Vec::with_capacity(jobs.len());
        runner::run(jobs, codec, &options, |job, line| {
            progress.step();
            outputs.line(&line)?;
            let hint = hints.get(line.implementation.as_str()).map_or("", String::as_str);
            rows.push(Row::new(line.clone(), &job.entry.why, hint));
            judged.push((line, job.entry.is_must()));
            Ok(())
        })?;
        progress.clear();
        let stale = stale(&options.expectations, subjects, entries);
        let footer = Footer::new(judged.iter().map(|(line, is_must)| (line, *is_must)), stale);
        outputs.line(&footer)?;
        let report = Report::new(header, rows, footer);
        if outputs.finish(&report, &Besides::default())? {
            let mut out = BufWriter::new(anstream::stdout());
            matrix::write(&mut out, &report)?;
            if *observed {
                observed::write(&mut out, &report.differences())?;
            }
            out.flush()?;
        }
        Ok(report.footer.result.status())
    }
}

/// Expected failures of cases that are nowhere, selected or not.
fn stale(expectations: &Expectations, subjects: &[Subject], entries: &[Entry]) -> Vec<crate::results::Stale> {
    let names: BTreeSet<&str> = subjects.iter().map(|subject| subject.implementation.name.as_str()).collect();
    let cases: BTreeSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    expectations.stale(&names, &cases)
}

/// For each implementation the options that `reproduce` needs, with `more` after them.
pub(super) fn hints(named: &[Named], more: &str) -> BTreeMap<String, String> {
    let hint = |named: &Named| (named.name.clone(), format!("--impl {}{more}", word(&named.argument())));
    named.iter().map(hint).collect()
}

/// A counter on standard error, on a terminal only.
struct Progress {
    shown: bool,
    done: usize,
    all: usize,
}

impl Progress {
    fn new(all: usize) -> Self {
        Self { shown: io::stderr().is_terminal(), done: 0, all }
    }

    fn step(&mut self) {
        self.done += 1;
        if self.shown {
            let _ = write!(io::stderr(), "\r{}/{} cases", self.done, self.all);
        }
    }

    fn clear(&self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
