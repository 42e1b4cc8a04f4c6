//! The role `runtime`: OCI runtimes by their command line, with bundles that no image yields.
//!
//! A case is a bundle that differs from a good one in one thing, and the calls that are made. Where a sentence of the
//! OCI runtime specification decides what has to come of it, the case is judged; where none does, what came of it is
//! recorded, and the report shows who did something else.
//!
//! | module | does |
//! | --- | --- |
//! | [`case`](mod@case) | what a case is |
//! | [`cases`](mod@cases) | the cases, by subject |
//! | [`rule`] | what a sentence asks for, and whether the evidence has it |
//! | [`oci`] | the sentences that decide |
//! | [`make`] | the bundle: a root tree with the probe, and a `config.json` |
//! | [`runtime`] | a program that is called, and what is particular about its command line |
//! | [`caller`] | calls it, in namespaces of its own, and tells what came of it |
//! | [`evidence`] | what there is to see |
//! | [`mutants`] | runtimes that are broken on purpose |
//! | [`script`] | a case as a shell script |

pub mod caller;
#[allow(clippy::indexing_slicing, reason = "a member that a JSON value does not have is null")]
pub mod case;
#[allow(clippy::indexing_slicing, reason = "as above")]
pub mod cases;
#[allow(clippy::indexing_slicing, reason = "as above")]
pub mod evidence;
mod heard;
mod left;
pub mod make;
#[allow(clippy::indexing_slicing, reason = "as above")]
pub mod mutants;
pub mod oci;
#[allow(clippy::indexing_slicing, reason = "as above")]
pub mod rule;
pub mod runtime;
pub mod script;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use cornercast_engine::instance::Reserved;

pub use case::Case;
pub use cases::cases;
pub use runtime::Runtime;

use self::caller::Plan;
use self::evidence::Evidence;
use self::rule::{Ruling, Unmet};
use self::runtime::Obstacle;
use crate::process::{self, Bounds};
use crate::report::observed::OBSERVED;
use crate::results::Verdict;
use crate::run::{Judged, probe};
use crate::scratch::INSTANCES;

/// The most that the caller tells, in bytes.
const EVIDENCE_LIMIT: usize = 16 << 20;

/// Puts a case to a runtime. Each call can take `time`; `container` is the id of the container.
#[must_use]
pub fn put(
    case: &Case,
    name: &str,
    runtime: &Runtime,
    container: &str,
    probe: Option<&Path>,
    scratch: &Path,
    time: Duration,
) -> Judged {
    if let Err(reason) = runtime.version() {
        return Judged::because(Verdict::Unsupported, reason);
    }
    let probe = match probe::read(probe) {
        Ok(probe) => probe,
        Err(obstacle) => return obstacle.judged(),
    };
    let look = |case: &Case, name: &str, container: &str| look(case, name, runtime, container, &probe, scratch, time);
    let evidence = match look(case, name, container) {
        Ok(evidence) => evidence,
        Err(error) => return Judged::because(Verdict::Errored, error.to_string()),
    };
    let judged = judge(case, &evidence);
    let is_good = matches!(judged.verdict, Verdict::Pass | Verdict::Recorded);
    if case.rule.is_none() || evidence.has_begun() || !is_good {
        return judged;
    }
    // That nothing ran shows nothing of a runtime that runs nothing.
    let control = || control(look(&Case::good(), caller::GOOD, &format!("{container}-good")));
    let (verdict, reason) = match runtime.control.get_or_init(control) {
        None => return judged,
        Some(Obstacle::Refused(why)) => {
            (Verdict::Fail, format!("nothing ran, which shows nothing, as of the good bundle {why}"))
        }
        Some(Obstacle::Unknown(why)) => (Verdict::Errored, format!("the good bundle could not be run: {why}")),
    };
    Judged { verdict, reason: Some(reason), ..judged }
}

/// Why the good bundle was not run, if it was not.
fn control(looked: io::Result<Evidence>) -> Option<Obstacle> {
    let evidence = match looked {
        Ok(evidence) => evidence,
        Err(error) => return Some(Obstacle::Unknown(error.to_string())),
    };
    if let Some(late) = evidence.late() {
        return Some(Obstacle::Unknown(format!("`{late}` did not end in time")));
    }
    match evidence.ran() {
        Ok(()) => None,
        Err(Unmet::Otherwise(why) | Unmet::Untold(why)) => Some(Obstacle::Refused(why)),
    }
}

fn look(
    case: &Case,
    name: &str,
    runtime: &Runtime,
    container: &str,
    probe: &[u8],
    scratch: &Path,
    time: Duration,
) -> io::Result<Evidence> {
    let reserved = Reserved::new(&scratch.join(INSTANCES), container)?;
    let told = (|| {
        make::make(case, probe, reserved.folder(), reserved.group())?;
        let plan = Plan { case, folder: reserved.folder(), container, runtime, time };
        let calls = u32::try_from(case.calls.len()).unwrap_or(u32::MAX);
        // The caller keeps the time of each call; this is for one that does not.
        let bounds = Bounds { time: time * calls.saturating_add(2), output: EVIDENCE_LIMIT };
        let ended = process::run(&mut plan.command(name, reserved.group())?, b"", &bounds)?;
        ended.success(&bounds).map_err(|why| {
            let words = ended.last_words().map_or_else(String::new, |words| format!(" (it said: {words})"));
            io::Error::other(format!("the process that calls the runtime {why}{words}"))
        })?;
        Ok(serde_json::from_slice(&ended.output)?)
    })();
    // Whatever it was, nothing of it stays.
    reserved.remove()?;
    told
}

fn judge(case: &Case, evidence: &Evidence) -> Judged {
    let mut values = BTreeMap::from([(OBSERVED.to_owned(), evidence.recorded(case))]);
    values.extend(case.rule.as_ref().map(|rule| ("rule".to_owned(), rule.sentence.place().into())));
    let (verdict, reason) = verdict(case, evidence);
    Judged { verdict, reason, values }
}

fn verdict(case: &Case, evidence: &Evidence) -> (Verdict, Option<String>) {
    if let Some(late) = evidence.late() {
        return (Verdict::Errored, Some(format!("`{late}` did not end in time")));
    }
    let Some(rule) = &case.rule else { return (Verdict::Recorded, None) };
    match rule.judge(evidence) {
        Ruling::Met => (Verdict::Pass, None),
        Ruling::Open(why) => (Verdict::Recorded, Some(why)),
        Ruling::Broken(why, sentence) => (Verdict::Fail, Some(format!("{why}, but {}", sentence.says))),
    }
}
