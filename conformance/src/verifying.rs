//! The reference as a verifier: the operation `verify` of the adapter protocol.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cornercast::limits::Limits;
use cornercast::manifest::Platform;
use cornercast::name::Reference;
use cornercast::store::{Files, Folder};
use cornercast::trust::{
    Mode, Policy, PolicyRule, PublicKey, Rejection, Request, StateFolder, read_policy, time, verify,
};
use serde::Deserialize;

use crate::misreading::{Misread, Misreading};

/// The kind of an input that is one signature.
pub const SIGNATURE: &str = "signature";

/// What a verifier is told besides the store: the options of the message.
#[derive(Debug)]
pub struct Told<'a> {
    options: &'a BTreeMap<String, String>,
}

/// What came of it: the clause that stands in the way and why, if nothing is accepted.
pub type Outcome = Result<(), Rejection>;

/// What is wrong with the verifier, for mutants.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flaw<'a> {
    /// A clause that it does not hold.
    pub without: Option<&'a str>,
    /// What it takes documents for.
    pub misreading: Option<Misreading>,
}

/// Verifies `input`, a store or a signature, as `options` say, with a flaw.
///
/// # Errors
///
/// An option that is missing or malformed, and errors of the file system.
pub fn answer(input: &Path, kind: &str, options: &BTreeMap<String, String>, flaw: &Flaw<'_>) -> io::Result<Outcome> {
    let without = flaw.without;
    if kind == SIGNATURE {
        return signature(input, without);
    }
    let told = Told { options };
    let limits = Limits::FORMAT;
    let reference = Reference::parse(told.text("reference")?, &limits)
        .map_err(|broken| malformed("reference", broken.first().map_or("", |(_, why)| why)))?;
    let now = time::seconds(told.text("clock")?).ok_or_else(|| malformed("clock", "it is no time"))?;
    let platform = told.platform()?;
    let policy = match read_policy(Path::new(told.text("policy")?), &limits, without)? {
        Ok(policy) => policy,
        // Who does not hold the clause takes what it cannot read for nothing to be held.
        Err(_) if without == Some("POL-018") => anything(&reference),
        Err(rejection) => return Ok(Err(rejection)),
    };
    let states = StateFolder::new(PathBuf::from(told.text("state")?));
    let authority = reference.name.split('/').next().unwrap_or_default();
    let mut held = match states.hold(authority, &limits, without)? {
        Ok(held) => held,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let (folder, misread);
    let files: &dyn Files = match flaw.misreading {
        None => {
            folder = Folder(input.to_owned());
            &folder
        }
        Some(misreading) => {
            misread = Misread::of(input, misreading)?;
            &misread
        }
    };
    let request =
        Request { files, policy: &policy, reference: &reference, platform: &platform, now, limits: &limits, without };
    let verdict = verify(&request, &mut held.state);
    held.store()?;
    Ok(verdict?.outcome.map(|_| ()))
}

impl<'a> Told<'a> {
    fn text(&self, name: &str) -> io::Result<&'a str> {
        self.options.get(name).map(String::as_str).ok_or_else(|| malformed(name, "it is missing"))
    }

    /// `OS/ARCHITECTURE` or `OS/ARCHITECTURE/VARIANT`
    fn platform(&self) -> io::Result<Platform> {
        Platform::parse(self.text("platform")?).ok_or_else(|| malformed("platform", "it is no platform"))
    }
}

fn malformed(option: &str, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("the option `{option}`: {why}"))
}

/// A policy that accepts a name as it is.
fn anything(reference: &Reference) -> Policy {
    let rule = PolicyRule { prefix: reference.name.clone(), mode: Mode::Unsigned, ..PolicyRule::deny() };
    Policy { rules: vec![rule] }
}

/// One signature of one message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    key: String,
    message: String,
    signature: String,
}

/// SIG-001 to SIG-004
fn signature(input: &Path, without: Option<&str>) -> io::Result<Outcome> {
    let vector: Vector = serde_json::from_slice(&std::fs::read(input)?)?;
    let key = match PublicKey::parse(&vector.key) {
        Ok(key) => key,
        Err((clause, reason)) => return Ok(Err(Rejection::new(clause.id, reason))),
    };
    let bytes = |text: &str| STANDARD.decode(text).map_err(|error| malformed("message", &error.to_string()));
    let (message, signature) = (bytes(&vector.message)?, bytes(&vector.signature)?);
    let holds = <[u8; 64]>::try_from(signature).is_ok_and(|signature| key.verifies(&message, &signature));
    if holds || without == Some("SIG-004") {
        return Ok(Ok(()));
    }
    Ok(Err(Rejection::new("SIG-004", "the signature does not hold")))
}
