//! Steps that use up resources, or set what may be used.

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Rlimit, nice as add_to_nice, setrlimit as set_limit};

use super::step::{self, DONE, Done, Failure, Outcome, Parameters, Step};
use crate::look::LIMITS;

/// More than goes by between two looks at the clock, and less than any turn of another process.
const GAP: Duration = Duration::from_millis(1);

pub(super) const STEPS: &[Step] = &[
    Step::new("allocate:BYTES", allocate),
    Step::new("descriptors:N", descriptors),
    Step::new("cpu:MS", cpu),
    Step::new("setrlimit:NAME:SOFT:HARD", setrlimit),
    Step::new("nice:N", |parameters| Ok(Done::Value(add_to_nice(parameters.number()?)?.into()))),
];

fn allocate(parameters: Parameters<'_>) -> Outcome {
    let bytes: usize = parameters.number()?;
    let mut memory: Vec<u8> = Vec::new();
    memory.try_reserve_exact(bytes).map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
    memory.resize(bytes, 1);
    // It is kept, so that steps add up.
    std::mem::forget(black_box(memory));
    Ok(Done::Value(bytes.into()))
}

fn descriptors(parameters: Parameters<'_>) -> Outcome {
    let wanted: u32 = parameters.number()?;
    let mut open = Vec::new();
    for opened in 0..wanted {
        match File::open("/dev/null") {
            Ok(file) => open.push(file),
            Err(error) => return Ok(Done::Part(opened.into(), error)),
        }
    }
    Ok(Done::Value(wanted.into()))
}

/// Looks at the clock all the time: where much time has gone by between two looks, another process had the processor, or
/// the limit kept this one from it. What a kernel in user space says that a process has used is less exact.
fn cpu(parameters: Parameters<'_>) -> Outcome {
    let begin = Instant::now();
    let wall = Duration::from_millis(parameters.number()?);
    let (mut last, mut used) = (Duration::ZERO, Duration::ZERO);
    while last < wall {
        let now = begin.elapsed();
        let step = now.saturating_sub(last);
        if step < GAP {
            used += step;
        }
        last = now;
    }
    Ok(Done::Value(u64::try_from(used.as_millis()).unwrap_or(u64::MAX).into()))
}

fn setrlimit(parameters: Parameters<'_>) -> Outcome {
    let [name, soft, hard] = parameters.several()?;
    let name = step::text(name)?;
    let named = |full: &str| full == name || full.strip_prefix("RLIMIT_") == Some(name);
    let (_, resource) = LIMITS.into_iter().find(|(full, _)| named(full)).ok_or(Failure::Form)?;
    set_limit(resource, Rlimit { current: limit(soft)?, maximum: limit(hard)? })?;
    DONE
}

fn limit(bytes: &[u8]) -> Result<Option<u64>, Failure> {
    if bytes == b"unlimited" { Ok(None) } else { step::number(bytes).map(Some) }
}
