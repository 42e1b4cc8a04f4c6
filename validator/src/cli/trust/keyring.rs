//! `cornercast keyring`

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueHint};

use super::super::{Failure, print};
use super::{days_after, first_use, now_to_sign, parse_time, store};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::manifest::Descriptor;
use crate::name::judge_host;
use crate::store::{FileKind, Folder};
use crate::trust::{self, Keyring, KeyringPin, PublicKey, Revoked, RevokedImage, RevokedKey, RootRule, Rule, keyrings};

/// Draft the keyring of an authority, or show those of a store
///
/// A draft goes to standard output, for `sign`: `cornercast keyring init example.com … | cornercast sign - --key
/// root.key --store STORE`. The next keyring has to be signed by the root keys of both.
///
/// Exit status: 0, 1 if something was refused, 2 if it could not be read or written.
#[derive(Debug, Args)]
pub(in super::super) struct KeyringArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Draft the first keyring
    Init(Init),
    /// Draft the keyring that follows the last one of a store
    Next(Next),
    /// Show the keyrings of a store, and what pins each of them in a policy
    Show {
        /// The store
        #[arg(value_hint = ValueHint::DirPath)]
        store: PathBuf,
        /// The authority
        host: String,
    },
    /// Trust the keyrings of a store on first use: at a terminal, after a look at them
    ///
    /// The keyrings have to follow from each other. When the question is answered with `yes`, the last one is pinned in
    /// the policy, for all names of the authority; whoever has made the store is believed this once.
    Trust(first_use::Trust),
}

#[derive(Debug, Args)]
struct Init {
    /// The authority
    host: String,
    /// A public key that signs keyrings; can be given several times
    #[arg(long, value_name = "KEY", required = true, value_parser = parse_key)]
    root: Vec<PublicKey>,
    /// A public key that signs releases of all names; can be given several times
    #[arg(long, value_name = "KEY", value_parser = parse_key)]
    release: Vec<PublicKey>,
    /// A public key that signs catalogs of all names; can be given several times
    #[arg(long, value_name = "KEY", value_parser = parse_key)]
    catalog: Vec<PublicKey>,
    /// How many of the root keys have to sign
    #[arg(long, value_name = "N", default_value_t = 1)]
    threshold: u64,
    /// From when on it is not accepted any more; by default a year from now
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    expires: Option<String>,
}

#[derive(Debug, Args)]
struct Next {
    /// The store
    #[arg(value_hint = ValueHint::DirPath)]
    store: PathBuf,
    /// The authority
    host: String,
    /// The payload digest of a keyring that has to be among those of the store, as `keyring show` prints it. Without it
    /// the store is believed: who could write to it can have put a key of his own into the first one
    #[arg(long, value_name = "DIGEST", value_parser = parse_digest)]
    pin: Option<Digest>,
    /// Add a public key to the root keys
    #[arg(long, value_name = "KEY", value_parser = parse_key)]
    add_root: Vec<PublicKey>,
    /// Add a public key to all rules for releases
    #[arg(long, value_name = "KEY", value_parser = parse_key)]
    add_release: Vec<PublicKey>,
    /// Add a public key to all rules for catalogs
    #[arg(long, value_name = "KEY", value_parser = parse_key)]
    add_catalog: Vec<PublicKey>,
    /// Take a key out of all rules
    #[arg(long, value_name = "KEYID", value_parser = parse_id)]
    remove: Vec<String>,
    /// Revoke a key, from the beginning or since a time; what a log proves to be older holds on if the key stays in its
    /// rules
    #[arg(long, value_name = "KEYID[=SINCE]", value_parser = parse_revoked)]
    revoke: Vec<(String, Option<String>)>,
    /// Revoke an image of the store
    #[arg(long, value_name = "DIGEST", value_parser = parse_digest)]
    revoke_image: Vec<Digest>,
    /// Why something is revoked
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// From when on it is not accepted any more; by default a year from now
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    expires: Option<String>,
}

pub(super) fn parse_key(text: &str) -> Result<PublicKey, String> {
    PublicKey::parse(text).map_err(|(clause, why)| format!("{why} [{}]", clause.id))
}

fn parse_id(text: &str) -> Result<String, String> {
    Digest::from_hex(text).map(|id| id.hex()).ok_or_else(|| "write a key id, 64 hexadecimal digits".to_owned())
}

pub(super) fn parse_digest(text: &str) -> Result<Digest, String> {
    Digest::parse(text).ok_or_else(|| "write sha256: and 64 hexadecimal digits".to_owned())
}

fn parse_revoked(text: &str) -> Result<(String, Option<String>), String> {
    let (id, since) = text.split_once('=').map_or((text, None), |(id, since)| (id, Some(since)));
    Ok((parse_id(id)?, since.map(parse_time).transpose()?))
}

pub(in super::super) fn run(arguments: &KeyringArgs) -> Result<ExitCode, Failure> {
    match &arguments.command {
        Command::Init(arguments) => draft(&init(arguments)?)?,
        Command::Next(arguments) => draft(&next(arguments)?)?,
        Command::Show { store, host } => show(store, host)?,
        Command::Trust(arguments) => first_use::run(arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a keyring that breaks no clause.
fn draft(keyring: &Keyring) -> Result<(), Failure> {
    let source = trust::canonical(keyring);
    if let Some(violation) = trust::check_keyring(&source, &Limits::FORMAT).1.first() {
        let message = format!("the keyring would not be valid: {} [{}]", violation.message, violation.clause.id);
        return Err(Failure::Refused(message));
    }
    let text = serde_json::to_string_pretty(keyring).map_err(|error| Failure::Error(error.to_string()))?;
    print(&format!("{text}\n"))
}

fn ids(keys: &[PublicKey]) -> Vec<String> {
    keys.iter().map(|key| key.id().hex()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn init(arguments: &Init) -> Result<Keyring, Failure> {
    let issued = now_to_sign()?;
    let rule = |keys: &[PublicKey]| {
        let rule = Rule { keyids: ids(keys), prefix: arguments.host.clone(), threshold: 1 };
        if keys.is_empty() { Vec::new() } else { vec![rule] }
    };
    let all = [&arguments.root, &arguments.release, &arguments.catalog];
    Ok(Keyring {
        catalog: rule(&arguments.catalog),
        expires: expires(arguments.expires.as_deref(), &issued)?,
        issued,
        keys: all.into_iter().flatten().map(|key| (key.id().hex(), key.to_string())).collect(),
        name: arguments.host.clone(),
        release: rule(&arguments.release),
        revoked: Revoked::default(),
        root: RootRule { keyids: ids(&arguments.root), threshold: arguments.threshold },
        version: 1,
    })
}

fn expires(given: Option<&str>, issued: &str) -> Result<String, Failure> {
    match given {
        Some(expires) => Ok(expires.to_owned()),
        None => days_after(issued, 365),
    }
}

/// A host as an argument.
pub(super) fn judged_host(host: &str) -> Result<&str, Failure> {
    match judge_host(host, &Limits::FORMAT).first() {
        Some((clause, why)) => Err(Failure::Error(format!("{why} [{}]", clause.id))),
        None => Ok(host),
    }
}

/// The keyrings of an authority in a store, each with what pins it, which follow from each other. The store is
/// believed about the first one, unless one of them has to have the digest `pin`.
pub(super) fn chain(store: &Path, host: &str, pin: Option<Digest>) -> Result<Vec<(KeyringPin, Keyring)>, Failure> {
    judged_host(host)?;
    let shown = store.display();
    // Verifiers take some of them at a time; who signs the next one wants all.
    let limits = Limits { keyring_steps: usize::MAX, ..Limits::FORMAT };
    let read = keyrings(&Folder(store.to_owned()), host, None, &limits)
        .map_err(|error| Failure::Error(format!("{shown}: {error}")))?;
    let read = read.map_err(|rejection| match rejection.file {
        None => Failure::Refused(format!("{shown} holds no keyring of {host}")),
        Some(_) => Failure::Refused(rejection.to_string()),
    })?;
    match pin.filter(|pin| read.iter().all(|(known, _)| known.digest != *pin)) {
        Some(pin) => Err(Failure::Refused(format!("no keyring of {host} in {shown} has the payload digest {pin}"))),
        None => Ok(read),
    }
}

fn next(arguments: &Next) -> Result<Keyring, Failure> {
    let chain = chain(&arguments.store, &arguments.host, arguments.pin)?;
    let Some((_, last)) = chain.last() else { return Err(Failure::Refused("there is no keyring".to_owned())) };
    if let Some(unknown) = arguments.remove.iter().find(|id| !last.keys.contains_key(*id)) {
        let message = format!("keyring {} of {} has no key {unknown}", last.version, arguments.host);
        return Err(Failure::Refused(message));
    }
    let mut next = last.clone();
    next.version += 1;
    next.issued = now_to_sign()?;
    next.expires = expires(arguments.expires.as_deref(), &next.issued)?;
    let added = [&arguments.add_root, &arguments.add_release, &arguments.add_catalog];
    next.keys.extend(added.into_iter().flatten().map(|key| (key.id().hex(), key.to_string())));
    let change = |keyids: &mut Vec<String>, added: &[PublicKey]| {
        let all: BTreeSet<String> = keyids.drain(..).chain(ids(added)).collect();
        keyids.extend(all.into_iter().filter(|id| !arguments.remove.contains(id)));
    };
    change(&mut next.root.keyids, &arguments.add_root);
    for rule in &mut next.release {
        change(&mut rule.keyids, &arguments.add_release);
    }
    for rule in &mut next.catalog {
        change(&mut rule.keyids, &arguments.add_catalog);
    }
    let used: BTreeSet<String> = next
        .release
        .iter()
        .chain(&next.catalog)
        .flat_map(|rule| &rule.keyids)
        .chain(&next.root.keyids)
        .cloned()
        .collect();
    next.keys.retain(|id, _| used.contains(id));
    let reason = || arguments.reason.clone();
    let mut keys: BTreeMap<String, RevokedKey> =
        next.revoked.keys.drain(..).map(|key| (key.keyid.clone(), key)).collect();
    for (keyid, since) in &arguments.revoke {
        if let Some(known) = keys.get(keyid)
            && since.as_ref().is_some_and(|since| known.since.as_ref().is_none_or(|known| known < since))
        {
            let known = known.since.as_ref().map_or("from the beginning".to_owned(), |since| format!("since {since}"));
            return Err(Failure::Refused(format!("the key {keyid} is revoked {known}, and cannot be later [REL-025]")));
        }
        keys.insert(keyid.clone(), RevokedKey { keyid: keyid.clone(), reason: reason(), since: since.clone() });
    }
    next.revoked.keys = keys.into_values().collect();
    for digest in &arguments.revoke_image {
        let source = store::read(&arguments.store, &FileKind::Manifest(*digest), Limits::FORMAT.manifest)?;
        let source =
            source.ok_or_else(|| Failure::Refused(format!("{} holds no image {digest}", arguments.store.display())))?;
        let image = Descriptor { digest: *digest, size: source.len() as u64 };
        next.revoked.images.retain(|revoked| revoked.image.digest != *digest);
        next.revoked.images.push(RevokedImage { image, reason: reason() });
    }
    next.revoked.images.sort_by_key(|revoked| revoked.image.digest);
    Ok(next)
}

fn show(store: &Path, host: &str) -> Result<(), Failure> {
    let mut out = String::new();
    for (pin, keyring) in chain(store, host, None)? {
        push_keyring(&mut out, &pin, &keyring);
    }
    print(&out)
}

/// A keyring for people, and what pins it.
pub(super) fn push_keyring(out: &mut String, pin: &KeyringPin, keyring: &Keyring) {
    let _ = writeln!(out, "keyring {} of {}, {} to {}", pin.version, keyring.name, keyring.issued, keyring.expires);
    let _ = writeln!(out, "  pin       {}", serde_json::json!(pin));
    let _ = writeln!(out, "  root      {} of {}", keyring.root.threshold, keyring.root.keyids.join(" "));
    for (what, rules) in [("release", &keyring.release), ("catalog", &keyring.catalog)] {
        for rule in rules {
            let _ = writeln!(out, "  {what}   {} of {} for {}", rule.threshold, rule.keyids.join(" "), rule.prefix);
        }
    }
    for key in &keyring.revoked.keys {
        let since = key.since.as_ref().map_or(String::new(), |since| format!(" since {since}"));
        let _ = writeln!(out, "  revoked   {}{since}", key.keyid);
    }
    for image in &keyring.revoked.images {
        let _ = writeln!(out, "  revoked   {}", image.image.digest);
    }
}
