//! Secret keys in files, and programs that sign.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueHint};
use zeroize::Zeroizing;

use super::super::Failure;
use crate::trust::{PublicKey, SecretKey};

/// The longest file that can hold a secret key, and the longest answer of a program that signs.
const LIMIT: u64 = 4096;

/// Who signs.
#[derive(Debug, Args)]
pub(in super::super) struct SignerArgs {
    /// A file with a secret key, as `keygen` makes it; can be given several times
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    key: Vec<PathBuf>,
    /// A program that signs what is on its standard input, and writes its public key and the signature in base64 to
    /// its standard output, each on a line; can be given several times
    #[arg(long, value_name = "PROGRAM", value_hint = ValueHint::CommandName)]
    signer: Vec<PathBuf>,
}

/// Somebody who signs.
pub(super) enum Signer {
    Key(SecretKey),
    Program(PathBuf),
}

impl SignerArgs {
    /// The signers that the arguments name, at least one.
    pub(super) fn signers(&self) -> Result<Vec<Signer>, Failure> {
        if self.key.is_empty() && self.signer.is_empty() {
            return Err(Failure::Error("nobody signs; give --key FILE or --signer PROGRAM".to_owned()));
        }
        let mut out = Vec::new();
        for path in &self.key {
            out.push(Signer::Key(read_secret(path)?));
        }
        out.extend(self.signer.iter().cloned().map(Signer::Program));
        Ok(out)
    }
}

/// Who signs, one alone.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(in super::super) struct OneSignerArgs {
    /// A file with a secret key, as `keygen` makes it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) key: Option<PathBuf>,
    /// A program that signs what is on its standard input, and writes its public key and the signature in base64 to
    /// its standard output, each on a line
    #[arg(long, value_name = "PROGRAM", value_hint = ValueHint::CommandName)]
    signer: Option<PathBuf>,
}

impl OneSignerArgs {
    /// The signer that the arguments name.
    pub(super) fn signer(&self) -> Result<Signer, Failure> {
        match (&self.key, &self.signer) {
            (Some(path), _) => Ok(Signer::Key(read_secret(path)?)),
            (None, Some(program)) => Ok(Signer::Program(program.clone())),
            (None, None) => Err(Failure::Error("nobody signs; give --key FILE or --signer PROGRAM".to_owned())),
        }
    }
}

impl Signer {
    /// The signature of `message`, and by which key.
    pub(super) fn sign(&self, message: &[u8]) -> Result<(PublicKey, [u8; 64]), Failure> {
        match self {
            Self::Key(key) => Ok((key.public(), key.sign(message))),
            Self::Program(program) => {
                let shown = program.display().to_string();
                let (key, signature) =
                    ask(program, message).map_err(|why| Failure::Error(format!("{shown}: {why}")))?;
                if !key.verifies(message, &signature) {
                    return Err(Failure::Refused(format!("{shown}: the signature that it gave does not hold")));
                }
                Ok((key, signature))
            }
        }
    }
}

/// Asks a program to sign.
fn ask(program: &Path, message: &[u8]) -> Result<(PublicKey, [u8; 64]), String> {
    let fail = |error: io::Error| error.to_string();
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(fail)?;
    // A program that has seen enough may end before all is written.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(message));
    let mut answer = String::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(LIMIT).read_to_string(&mut answer).map_err(fail)?;
    }
    let status = child.wait().map_err(fail)?;
    if !status.success() {
        return Err(format!("it ended with {status}"));
    }
    written.map_err(fail)?;
    let mut lines = answer.lines();
    let (Some(key), Some(signature), None) = (lines.next(), lines.next(), lines.next()) else {
        return Err("it did not answer with two lines, its public key and the signature".to_owned());
    };
    let key = PublicKey::parse(key).map_err(|(clause, why)| format!("the public key: {why} [{}]", clause.id))?;
    let signature = STANDARD.decode(signature).ok().and_then(|bytes| bytes.try_into().ok());
    Ok((key, signature.ok_or("the signature is not 64 bytes in base64")?))
}

/// Reads a secret key from a file that nobody else can read.
pub(super) fn read_secret(path: &Path) -> Result<SecretKey, Failure> {
    let shown = path.display().to_string();
    let fail = |error: io::Error| Failure::Error(format!("{shown}: {error}"));
    let metadata = fs::metadata(path).map_err(fail)?;
    if !metadata.is_file() {
        return Err(Failure::Refused(format!("{shown} is not a regular file")));
    }
    let file = File::open(path).map_err(fail)?;
    let mode = file.metadata().map_err(fail)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        let message =
            format!("others can read or write {shown} (mode {mode:04o}); `chmod 600 {shown}` takes that from them");
        return Err(Failure::Refused(message));
    }
    let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(LIMIT).unwrap_or_default()));
    file.take(LIMIT).read_to_end(&mut text).map_err(fail)?;
    SecretKey::parse(&text)
        .ok_or_else(|| Failure::Refused(format!("{shown} holds no secret key as `cornercast keygen` makes it")))
}

/// Writes a secret key into a new file that nobody else can read.
pub(super) fn write_secret(path: &Path, key: &SecretKey) -> Result<(), Failure> {
    let fail = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::Refused(format!(
            "{} is there already, and a key is never written over another one",
            path.display()
        )),
        _ => Failure::Error(format!("{}: {error}", path.display())),
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fail)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The public key is printed when the secret one is on the disk.
    let written = file
        .write_all(key.to_file().as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| File::open(folder)?.sync_all());
    written.map_err(|error| {
        let _ = fs::remove_file(path);
        fail(error)
    })
}
