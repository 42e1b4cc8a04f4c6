//! `cornercast log witness`

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde::{Deserialize, Serialize};

use super::super::super::{Failure, print};
use super::super::keys::OneSignerArgs;
use super::super::{clock, keyring, parse_time};
use super::directory::{CHECKPOINT, Directory, hold, read, write};
use super::{follows, parse_name};
use crate::limits::Limits;
use crate::shown::quoted;
use crate::trust::tree::Hash;
use crate::trust::{Checkpoint, PublicKey, canonical, time};

/// Sign the checkpoint of a log as one of its witnesses
///
/// A witness remembers what it has signed, and refuses a log that has lost entries or shows others in their place. What
/// it signs is also the time: that of its clock, whatever SOURCE_DATE_EPOCH is. A checkpoint that it has signed already is
/// left as it is.
#[derive(Debug, Args)]
pub(super) struct Witness {
    /// The directory of the log
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    log: PathBuf,
    /// The name of the witness, such as witness.example.com
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: String,
    #[command(flatten)]
    signer: OneSignerArgs,
    /// The time that is signed
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<String>,
    /// What the witness remembers of this log; by default the file of the key with .seen after its name
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    state: Option<PathBuf>,
    /// The public key of the log, which the witness then remembers; by default the one that the log names
    #[arg(long, value_name = "KEY", value_parser = keyring::parse_key)]
    log_key: Option<PublicKey>,
}

/// What a witness has seen of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    key: String,
    origin: String,
    /// The root hash in hexadecimal digits.
    root: String,
    size: u64,
}

/// The longest file with what a witness has seen.
const LIMIT: u64 = 4096;

pub(super) fn run(arguments: &Witness) -> Result<(), Failure> {
    let signer = arguments.signer.signer()?;
    let state = match (&arguments.state, &arguments.signer.key) {
        (Some(state), _) => state.clone(),
        (None, Some(key)) => beside(key, ".seen"),
        (None, None) => return Err(Failure::Error("give --state FILE, as no file has the key".to_owned())),
    };
    // Not SOURCE_DATE_EPOCH: what is proven is when somebody saw the log.
    let at = arguments.at.clone().or_else(|| time::text(clock())).unwrap_or_default();
    let seconds = time::seconds(&at).and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0);
    let seconds = seconds.ok_or_else(|| Failure::Refused(format!("{at} is too early for a witness [LOG-013]")))?;
    let directory = Directory::open(&arguments.log)?;
    let _log = directory.hold()?;
    let _state = hold(&beside(&state, ".lock"))?;
    let seen = read_seen(&state)?;
    is_known(&directory, seen.as_ref(), arguments.log_key.as_ref())?;
    let mut checkpoint = directory.checkpoint()?;
    let leaves = directory.leaves(&checkpoint)?;
    if let Some(seen) = &seen {
        let root = root_of(seen).ok_or_else(|| Failure::Refused(unreadable(&state)))?;
        follows((seen.size, &root), &checkpoint, &leaves).map_err(Failure::Refused)?;
    }
    // What is signed is remembered first.
    let now = seen_in(&checkpoint, &directory.key);
    if seen.as_ref() != Some(&now) {
        write(&state, &canonical(&now))?;
    }
    let (public, signature) = signer.sign(&checkpoint.cosigned_bytes(seconds))?;
    if let Some(earlier) = checkpoint.witnessed_by(&arguments.name, &public) {
        let earlier = i64::try_from(earlier).ok().and_then(time::text).unwrap_or_else(|| earlier.to_string());
        return print(&format!("{} entries, signed before, at {earlier}\n", checkpoint.size));
    }
    checkpoint.add_witness(&arguments.name, &public, seconds, &signature);
    if checkpoint.signatures.len() > Limits::FORMAT.log_signatures {
        let message = format!("the checkpoint would have {} signatures [LOG-009]", checkpoint.signatures.len());
        return Err(Failure::Refused(message));
    }
    directory.write(CHECKPOINT, checkpoint.write().as_bytes())?;
    print(&format!("{} entries, signed at {at}\n", checkpoint.size))
}

/// Refuses a log that is not the one that the witness has seen, or not the one of the key that it was given.
fn is_known(log: &Directory, seen: Option<&Seen>, given: Option<&PublicKey>) -> Result<(), Failure> {
    if let Some(seen) = seen.filter(|seen| seen.origin != log.origin) {
        let message = format!("the witness has seen the log {}, and this is {}", seen.origin, log.origin);
        return Err(Failure::Refused(message));
    }
    let keys = seen.map(|seen| seen.key.clone()).into_iter().chain(given.map(PublicKey::to_string));
    match keys.into_iter().find(|key| *key != log.key.to_string()) {
        Some(key) => Err(Failure::Refused(format!("the key of the log is {}, not {key}", log.key))),
        None => Ok(()),
    }
}

/// A file beside another one, with its name and this after it.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn seen_in(checkpoint: &Checkpoint, key: &PublicKey) -> Seen {
    Seen {
        key: key.to_string(),
        origin: checkpoint.origin.clone(),
        root: crate::digest::hex(&checkpoint.root),
        size: checkpoint.size,
    }
}

fn root_of(seen: &Seen) -> Option<Hash> {
    crate::digest::Digest::from_hex(&seen.root).map(|digest| digest.0)
}

fn read_seen(path: &Path) -> Result<Option<Seen>, Failure> {
    let Some(source) = read(path, LIMIT)? else { return Ok(None) };
    serde_json::from_slice(&source).map(Some).map_err(|_| Failure::Refused(unreadable(path)))
}

fn unreadable(path: &Path) -> String {
    format!("{} is not what a witness has seen of a log", quoted(&path.display().to_string()))
}
