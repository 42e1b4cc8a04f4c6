//! The commands about trust: keys, signing, logs, verifying.

pub(super) mod asked;
pub(super) mod catalog;
pub(super) mod compressed;
mod first_use;
pub(super) mod keygen;
pub(super) mod keyring;
mod keys;
pub(super) mod log;
pub(super) mod sign;
mod store;
#[cfg(target_os = "linux")]
pub(crate) mod verify;

use std::time::{SystemTime, UNIX_EPOCH};

use super::{Failure, architecture, source_date_epoch};
use crate::limits::Limits;
use crate::manifest::Platform;
use crate::name::Reference;
use crate::trust::time;

/// The time that documents are signed at: SOURCE_DATE_EPOCH, or now.
fn now_to_sign() -> Result<String, Failure> {
    let seconds = match source_date_epoch()? {
        Some(epoch) => i64::try_from(epoch).unwrap_or(i64::MAX),
        None => clock(),
    };
    time::text(seconds).ok_or_else(|| Failure::Error("the clock shows a time that documents cannot have".to_owned()))
}

/// The clock, in seconds since 1970; one before that is 0, when nothing was signed yet.
pub(super) fn clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The time so many days after another one.
fn days_after(text: &str, days: u32) -> Result<String, Failure> {
    let later = time::seconds(text).and_then(|seconds| time::text(seconds + i64::from(days) * 24 * 60 * 60));
    later.ok_or_else(|| Failure::Error(format!("there is no time {days} days after {text}")))
}

/// A time as an argument.
pub(super) fn parse_time(text: &str) -> Result<String, String> {
    match time::seconds(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("write the time in UTC, such as 2026-11-24T00:00:00Z".to_owned()),
    }
}

/// The platform of this machine, as far as its architecture tells.
fn this_platform() -> Platform {
    Platform { os: std::env::consts::OS.to_owned(), architecture: architecture().to_owned(), variant: None }
}

/// A platform as an argument.
fn parse_platform(text: &str) -> Result<Platform, String> {
    Platform::parse(text).ok_or_else(|| "write OS/ARCHITECTURE, such as linux/amd64".to_owned())
}

/// A reference as an argument.
fn parse_reference(text: &str) -> Result<Reference, String> {
    Reference::parse(text, &Limits::FORMAT).map_err(|broken| {
        let why: Vec<String> = broken.iter().map(|(clause, why)| format!("{why} [{}]", clause.id)).collect();
        why.join("; ")
    })
}
