//! `cornercast keygen`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueHint};
use rustix::rand::{GetRandomFlags, getrandom};
use serde_json::json;
use zeroize::Zeroizing;

use super::super::{Failure, print};
use super::keys::{read_secret, write_secret};
use crate::trust::SecretKey;

/// Make a key that signs, or show the public part of one
///
/// FILE gets the secret key, and can be read by its owner alone; it must not be there. The public key and its key id
/// are printed. A secret key is never an argument, nor in the environment.
///
/// Exit status: 0, 1 if the file was refused, 2 if it could not be read or written.
#[derive(Debug, Args)]
pub(in super::super) struct Keygen {
    /// The file with the secret key
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// Make no key: print the public key of the secret one in FILE
    #[arg(long)]
    show: bool,
    /// Print one JSON object with `keyid` and `public`
    #[arg(long)]
    json: bool,
}

pub(in super::super) fn run(arguments: &Keygen) -> Result<ExitCode, Failure> {
    let key = if arguments.show { read_secret(&arguments.file)? } else { make(&arguments.file)? };
    let (id, public) = (key.public().id().hex(), key.public().to_string());
    if arguments.json {
        print(&format!("{}\n", json!({"keyid": id, "public": public})))?;
    } else {
        print(&format!("key id  {id}\npublic  {public}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn make(file: &std::path::Path) -> Result<SecretKey, Failure> {
    let mut seed = Zeroizing::new([0; 32]);
    // Up to 256 bytes come at once or not at all (getrandom(2)).
    match getrandom(seed.as_mut(), GetRandomFlags::empty()) {
        Ok(32) => {}
        Ok(_) => return Err(Failure::Error("the system gave too few random bytes".to_owned())),
        Err(error) => return Err(Failure::Error(format!("the system gave no random bytes: {error}"))),
    }
    let key = SecretKey::from_seed(&seed);
    write_secret(file, &key)?;
    Ok(key)
}
