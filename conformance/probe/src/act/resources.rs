//! Steps that use up resources, or set what may be used.

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Rlimit, nice as add_to_nice, setrlimit as set_limit};
use rustix::time::{ClockId, clock_gettime};

use super::step::{self, DONE, Done, Failure, Outcome, Parameters, Step};
use crate::look::LIMITS;

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

fn cpu(parameters: Parameters<'_>) -> Outcome {
    let (begin, before) = (Instant::now(), cpu_time());
    let wall = Duration::from_millis(parameters.number()?);
    let mut sum = 0_u64;
    while begin.elapsed() < wall {
        sum = black_box(sum.wrapping_add(1));
    }
    let used = cpu_time().saturating_sub(before).as_millis();
    Ok(Done::Value(u64::try_from(used).unwrap_or(u64::MAX).into()))
}

/// How long the process has had a processor.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), time.tv_nsec.try_into().unwrap_or_default())
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
