//! Steps that start other processes, or reach for them.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, setsid, waitpid};
use serde_json::Value;

use super::files::names;
use super::step::{self, DONE, Done, Failure, Outcome, Parameters, Step};
use crate::{output, sys, value};

pub(super) const STEPS: &[Step] = &[
    Step::new("fork:N", fork),
    Step::new("orphan", orphan),
    Step::new("spawn-writer:MS:TEXT", spawn_writer),
    Step::new("zombie", zombie),
    Step::new("exec:PATH[:ARGUMENT…]", exec),
    Step::new("kill:PID:NAME", kill),
    Step::new("ptrace:PID", ptrace),
    Step::new("process-vm-readv:PID", process_vm_readv),
    Step::new("environ-of:PID", environ_of),
    Step::new("root-of:PID", |parameters| names(Path::new(&format!("/proc/{}/root/", process(parameters)?)))),
];

/// How long a process that is left behind stays: longer than any case, but not longer than the machine.
const STAY: Duration = Duration::from_secs(3600);

fn stay() -> u8 {
    std::thread::sleep(STAY);
    0
}

/// The number of the process that a step is given.
fn process(parameters: Parameters<'_>) -> Result<u32, Failure> {
    parameters.number().and_then(positive)
}

/// A number that stands for one process, not for several or for the caller.
fn positive(number: u32) -> Result<u32, Failure> {
    if number == 0 || i32::try_from(number).is_err() { Err(Failure::Form) } else { Ok(number) }
}

fn fork(parameters: Parameters<'_>) -> Outcome {
    let wanted: u32 = parameters.number()?;
    for started in 0..wanted {
        if let Err(error) = sys::fork(stay) {
            return Ok(Done::Part(started.into(), error));
        }
    }
    Ok(Done::Value(wanted.into()))
}

/// The child in between tells the number of its own child, and ends.
fn orphan(_: Parameters<'_>) -> Outcome {
    let (mut from, to) = io::pipe()?;
    let mut to = Some(to);
    // Each process drops its copy of the writing end, so that the reader comes to an end.
    let between = sys::fork(|| {
        let orphan = sys::fork(|| {
            to.take();
            // Whoever kills a session or a group must not find it that way.
            let _ = setsid();
            stay()
        });
        let told = orphan.and_then(|pid| to.take().map_or(Ok(()), |mut to| to.write_all(pid.to_string().as_bytes())));
        u8::from(told.is_err())
    })?;
    to.take();
    let told = io::read_to_string(&mut from)?;
    waitpid(Pid::from_raw(between), WaitOptions::empty())?;
    let orphan: i32 = told.parse().map_err(|_| io::Error::from_raw_os_error(libc::EAGAIN))?;
    Ok(Done::Value(orphan.into()))
}

fn spawn_writer(parameters: Parameters<'_>) -> Outcome {
    let [wait, text] = parameters.several()?;
    let wait = Duration::from_millis(step::number(wait)?);
    let child = sys::fork(|| {
        std::thread::sleep(wait);
        u8::from(output::standard(text).is_err())
    })?;
    Ok(Done::Value(child.into()))
}

fn zombie(_: Parameters<'_>) -> Outcome {
    Ok(Done::Value(sys::fork(|| 0)?.into()))
}

fn exec(parameters: Parameters<'_>) -> Outcome {
    let words: Vec<&[u8]> = parameters.one()?.split(|byte| *byte == b':').collect();
    Err(Failure::System(sys::exec(&words)))
}

fn kill(parameters: Parameters<'_>) -> Outcome {
    let [process, name] = parameters.several()?;
    sys::kill(step::number(process).and_then(positive)?, step::signal(name)?)?;
    DONE
}

fn ptrace(parameters: Parameters<'_>) -> Outcome {
    sys::trace(process(parameters)?)?;
    DONE
}

fn process_vm_readv(parameters: Parameters<'_>) -> Outcome {
    Ok(Done::Value(sys::read_memory(process(parameters)?)?.into()))
}

/// The names only: where this succeeds and should not, the values are nobody's business.
fn environ_of(parameters: Parameters<'_>) -> Outcome {
    let block = fs::read(format!("/proc/{}/environ", process(parameters)?))?;
    let variables = block.split(|byte| *byte == 0).filter(|variable| !variable.is_empty());
    let names = variables.map(|variable| value::text(variable.split(|byte| *byte == b'=').next().unwrap_or_default()));
    Ok(Done::Value(names.collect::<Value>()))
}
