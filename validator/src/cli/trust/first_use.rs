//! `cornercast keyring trust`: trust on first use.

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde_json::json;

use super::super::files::Directory;
use super::super::{Failure, print};
use super::clock;
use super::keyring::{judged_host, push_keyring};
use crate::limits::Limits;
use crate::trust::{Keyring, KeyringPin, Mode, Policy, PolicyRule, keyrings, read_policy};

#[derive(Debug, Args)]
pub(super) struct Trust {
    /// The store
    #[arg(value_hint = ValueHint::DirPath)]
    store: PathBuf,
    /// The authority
    host: String,
    /// The policy that gets a rule; it is made if it is not there
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    policy: PathBuf,
}

pub(super) fn run(arguments: &Trust) -> Result<(), Failure> {
    let (host, limits) = (judged_host(&arguments.host)?, Limits::FORMAT);
    if !io::stdin().is_terminal() {
        let message = "to trust on first use is for people at a terminal; in a script, write into the policy a pin that \
                       you know from elsewhere, in the form that `cornercast keyring show` prints";
        return Err(Failure::Refused(message.to_owned()));
    }
    let before = policy_of(&arguments.policy, &limits)?;
    if before.rules.iter().any(|rule| rule.prefix == host) {
        let message = format!("{} has a rule for {host} already", arguments.policy.display());
        return Err(Failure::Refused(message));
    }
    let shown = arguments.store.display();
    let chain = keyrings(&Directory::at(&arguments.store), host, Some(clock()), &limits)
        .map_err(|error| Failure::Error(format!("{shown}: {error}")))?
        .map_err(|rejection| Failure::Refused(rejection.to_string()))?;
    let (Some((first, _)), Some((pin, last))) = (chain.first(), chain.last()) else {
        return Err(Failure::Refused(format!("{shown} holds no keyring of {host}")));
    };
    if !is_confirmed(&question(first, pin, last)).map_err(|error| Failure::Error(format!("the terminal: {error}")))? {
        return Err(Failure::Refused("nothing is trusted that was not before".to_owned()));
    }
    let mut policy = policy_of(&arguments.policy, &limits)?;
    if policy != before {
        return Err(Failure::Refused(format!("{} has changed meanwhile", arguments.policy.display())));
    }
    let prefix = host.to_owned();
    policy.rules.push(PolicyRule { prefix, mode: Mode::Require, keyring: Some(*pin), ..PolicyRule::deny() });
    write(&arguments.policy, &policy)
        .map_err(|error| Failure::Error(format!("{}: {error}", arguments.policy.display())))?;
    print(&format!("{}: names of {host} are trusted from keyring {} on\n", arguments.policy.display(), pin.version))
}

/// The policy in a file, or an empty one.
fn policy_of(path: &Path, limits: &Limits) -> Result<Policy, Failure> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Policy { rules: Vec::new() }),
        _ => {
            let read = read_policy(path, limits, None);
            let read = read.map_err(|error| Failure::Error(format!("{}: {error}", path.display())))?;
            read.map_err(|rejection| Failure::Refused(rejection.to_string()))
        }
    }
}

fn question(first: &KeyringPin, pin: &KeyringPin, last: &Keyring) -> String {
    let mut out = String::new();
    push_keyring(&mut out, pin, last);
    if first != pin {
        let _ = writeln!(out, "It follows from keyring {}, the first one here, {}.", first.version, first.digest);
    }
    let _ = write!(
        out,
        "Nobody but this store says that these are the keys of {}. Compare the digest with one that you have from\n\
         elsewhere. Trust them from now on? Type yes: ",
        last.name
    );
    out
}

fn is_confirmed(question: &str) -> io::Result<bool> {
    let mut terminal = io::stderr().lock();
    terminal.write_all(question.as_bytes())?;
    terminal.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim() == "yes")
}

/// Writes a policy that nobody else can write, whole or not at all. Who could read it still can.
fn write(path: &Path, policy: &Policy) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let rules: Vec<String> = policy.rules.iter().map(|rule| json!(rule).to_string()).collect();
    let mut file = tempfile::Builder::new().prefix(".cornercast-").tempfile_in(folder)?;
    file.write_all(format!("{{\"rules\": [\n  {}\n]}}\n", rules.join(",\n  ")).as_bytes())?;
    if let Ok(metadata) = path.metadata() {
        file.as_file().set_permissions(metadata.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
