//! The reference as an adapter: the hidden subcommand `adapter`.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::num::NonZero;
use std::path::Path;

use cornercast::diagnostic::Findings;
use cornercast::input::{Kind, check_directory, check_file, check_stream};
use cornercast::limits::Limits;
use cornercast::store::Folder;

use crate::broken::Broken;
use crate::making::{self, Failure, Order};
use crate::protocol::{Answer, Hello, HelloMessage, Operation, Outcome, PROTOCOL, Request, Role};
use crate::verifying::{self, Flaw};

/// The longest message that is read.
const MESSAGE_LIMIT: u64 = 64 << 10;

/// Findings that are kept for one input.
const MAX_FINDINGS: usize = 100;

/// Answers the messages on `input`, one line for each, until `bye` or its end; as it should be, or `broken` on purpose.
///
/// # Errors
///
/// Errors of `input` and `output`, and a message that is none.
pub fn answer(input: impl Read, mut output: impl Write, broken: Option<&Broken>) -> io::Result<()> {
    let mut input = BufReader::new(input);
    let mut message = Vec::new();
    loop {
        message.clear();
        if (&mut input).take(MESSAGE_LIMIT).read_until(b'\n', &mut message)? == 0 {
            return Ok(());
        }
        let answer = match serde_json::from_slice(&message)? {
            Request::Bye {} => return Ok(()),
            Request::Hello { .. } => serde_json::to_string(&hello())?,
            Request::Run { seq, operation: Operation::Check, input, kind, .. } => {
                let mut answer = check(seq, Path::new(&input), &kind, broken.and_then(Broken::clause));
                broken.map_or(Ok(()), |broken| broken.act(&mut answer, Path::new("")))?;
                serde_json::to_string(&answer)?
            }
            Request::Run { seq, operation: Operation::Verify, input, kind, options, .. } => {
                let flaw =
                    Flaw { without: broken.and_then(Broken::clause), misreading: broken.and_then(Broken::misreading) };
                let mut answer = verify(seq, verifying::answer(Path::new(&input), &kind, &options, &flaw));
                broken.map_or(Ok(()), |broken| broken.act(&mut answer, Path::new("")))?;
                serde_json::to_string(&answer)?
            }
            Request::Run { seq, operation, input, kind, options, output, .. } => {
                let (input, output) = (Path::new(&input), output.unwrap_or_default());
                let order = Order { operation, input, kind: &kind, options: &options, output: Path::new(&output) };
                let mut answer = make(seq, &order);
                broken.map_or(Ok(()), |broken| broken.act(&mut answer, order.output))?;
                serde_json::to_string(&answer)?
            }
        };
        output.write_all(format!("{answer}\n").as_bytes())?;
        output.flush()?;
    }
}

/// As the reference presents itself.
pub(crate) fn hello() -> Hello {
    Hello {
        message: HelloMessage::Hello,
        protocol: PROTOCOL,
        name: "cornercast".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        homepage: None,
        issues: None,
        roles: vec![Role::Validate, Role::Build, Role::Unpack, Role::Verify],
        sessions: true,
    }
}

fn check(seq: u64, input: &Path, kind: &str, off: Option<&str>) -> Answer {
    let mut answer = Answer { seq, outcome: Outcome::Errored, class: None, ids: Vec::new(), reason: None };
    let Some(kind) = Kind::by_name(kind) else {
        answer.outcome = Outcome::Skipped;
        answer.reason = Some(format!("there is no kind of input called `{kind}`"));
        return answer;
    };
    match findings_without(input, kind, off) {
        Ok(findings) => {
            answer.outcome = if findings.errors > 0 { Outcome::Rejected } else { Outcome::Accepted };
            answer.ids = findings.list().iter().map(|finding| finding.id.to_owned()).collect();
            answer.reason = findings.list().first().map(|finding| finding.message.clone());
        }
        Err(error) => answer.reason = Some(error.to_string()),
    }
    answer
}

fn verify(seq: u64, outcome: io::Result<verifying::Outcome>) -> Answer {
    let mut answer = Answer { seq, outcome: Outcome::Accepted, class: None, ids: Vec::new(), reason: None };
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(rejection)) => {
            answer.outcome = Outcome::Rejected;
            answer.ids = vec![rejection.clause.to_owned()];
            answer.reason = Some(rejection.reason);
        }
        Err(error) => (answer.outcome, answer.reason) = (Outcome::Errored, Some(error.to_string())),
    }
    answer
}

fn make(seq: u64, order: &Order<'_>) -> Answer {
    let (outcome, reason) = match making::make(order) {
        Ok(()) => (Outcome::Completed, None),
        Err(Failure::Refused(reason)) => (Outcome::Refused, Some(reason)),
        Err(Failure::Error(error)) => (Outcome::Errored, Some(error.to_string())),
        Err(Failure::Unknown) => {
            (Outcome::Skipped, Some(format!("the reference does not do `{}`", order.operation.name())))
        }
    };
    Answer { seq, outcome, class: None, ids: Vec::new(), reason }
}

/// What the reference finds in the file or directory `input`.
///
/// # Errors
///
/// Errors of reading it.
pub fn findings(input: &Path, kind: Kind) -> io::Result<Findings> {
    findings_without(input, kind, None)
}

/// The same, with a clause left out.
fn findings_without(input: &Path, kind: Kind, off: Option<&str>) -> io::Result<Findings> {
    let mut findings = Findings::new(input.display().to_string(), MAX_FINDINGS).without(off.map(str::to_owned));
    let (limits, jobs) = (Limits::FORMAT, NonZero::<usize>::MIN);
    if kind.is_directory() {
        check_directory(kind, &Folder(input.to_owned()), &limits, jobs, &mut findings)?;
    } else if kind.needs_file() {
        check_file(kind, &fs::read(input)?, &limits, jobs, &mut findings)?;
    } else {
        check_stream(kind, &mut File::open(input)?, &limits, jobs, &mut findings)?;
    }
    Ok(findings)
}
