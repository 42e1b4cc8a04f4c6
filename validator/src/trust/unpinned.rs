//! The keyrings of an authority as a store has them, where nothing is known of it yet.

use std::io::{self, Read};

use super::envelope::{Opened, open};
use super::keyring::longest;
use super::policy::{Mode, Policy, PolicyRule};
use super::state::State;
use super::types::{Keyring, KeyringPin, PayloadType};
use super::verdict::Rejection;
use super::verify::{Request, Stop, Verifier, first_error};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::manifest::Platform;
use crate::name::Reference;
use crate::store::{FileKind, Files, classify, path_of};

/// The keyrings of `host` in a store, from the first one that is there to the last one, whose times have to be right at
/// `now`, in seconds since 1970, if that is given. Each is signed as it asks for itself and as the one before does. Whose
/// the first one is, nobody has said.
///
/// # Errors
///
/// Errors of the files. What is wrong with a keyring is a rejection.
pub fn keyrings(
    files: &dyn Files,
    host: &str,
    now: Option<i64>,
    limits: &Limits,
) -> io::Result<Result<Vec<(KeyringPin, Keyring)>, Rejection>> {
    let numbers = files.list()?.into_iter().filter_map(|file| match classify(&file.path, limits) {
        Ok(FileKind::Keyring { authority, number }) if authority == host && file.irregular.is_none() => Some(number),
        _ => None,
    });
    let Some(version) = numbers.min() else {
        return Ok(Err(Rejection::new("POL-022", format!("there is no keyring of {host}"))));
    };
    let path = path_of(&FileKind::Keyring { authority: host.to_owned(), number: version });
    let mut source = Vec::new();
    files.open(&path)?.take(limits.envelope.saturating_add(1)).read_to_end(&mut source)?;
    let (opened, violations) = open(&source, limits);
    let Some(opened) = opened.filter(|opened| opened.payload_type == PayloadType::Keyring) else {
        let rejection = violations.first().map(|_| first_error(&violations));
        let other = || Rejection::new("SIG-016", "the envelope holds no keyring");
        return Ok(Err(rejection.unwrap_or_else(other).in_file(&path)));
    };
    let pin = KeyringPin { digest: opened.digest(), version };
    let rule = PolicyRule { prefix: host.to_owned(), mode: Mode::Require, keyring: Some(pin), ..PolicyRule::deny() };
    let request = Request {
        files,
        policy: &Policy { rules: vec![rule.clone()] },
        reference: &Reference { name: host.to_owned(), tag: None, digest: None },
        platform: &Platform { os: String::new(), architecture: String::new(), variant: None },
        now: now.unwrap_or_default(),
        limits,
        without: None,
    };
    let (mut nothing, mut read) = (State::of(host), Vec::new());
    let verifier = Verifier::new(&request, &mut nothing)?;
    match verifier.read_chain(&pin, &rule, &mut read) {
        Ok(()) => {}
        Err(Stop::Rejected(rejection)) => return Ok(Err(rejection)),
        Err(Stop::Failed(error)) => return Err(error),
    }
    if let (Some(_), Some((_, last))) = (now, read.last())
        && let Err(rejection) = verifier.times(&last.issued, Some(&last.expires))
    {
        return Ok(Err(rejection));
    }
    Ok(Ok(read))
}

/// Whether enough keys of the rule of a keyring for `name`, of which none is revoked, have signed an envelope: the rule for
/// catalogs if it holds one, and otherwise that for releases.
#[must_use]
pub fn is_signed(envelope: &Opened, name: &str, keyring: &Keyring) -> bool {
    let rules = match envelope.payload_type {
        PayloadType::Catalog => &keyring.catalog,
        _ => &keyring.release,
    };
    let Some(rule) = longest(rules.iter().map(|rule| (rule.prefix.as_str(), rule)), name) else { return false };
    let Ok(signed) = envelope.signers(&keyring.keys()) else { return false };
    let counts =
        |id: &&String| Digest::from_hex(id).is_some_and(|id| signed.contains(&id)) && keyring.revoked_key(id).is_none();
    rule.keyids.iter().filter(counts).count() as u64 >= rule.threshold
}
