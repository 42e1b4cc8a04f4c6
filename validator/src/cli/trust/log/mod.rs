//! `cornercast log`

mod directory;
mod witness;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueHint};

use self::directory::{CHECKPOINT, Directory, read, read_checkpoint, write};
use super::super::{Failure, print};
use super::keys::OneSignerArgs;
use super::{sign, store};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::store::{FileKind, SignatureSet, path_of};
use crate::trust::tiles::tiles;
use crate::trust::tree::{Hash, inclusion, is_consistent, leaf_hash, root, write_proof};
use crate::trust::{self, Checkpoint, PayloadType, PublicKey, check_proof};

/// Keep a transparency log in a directory, and prove that envelopes are in it
///
/// For tests, and for sites with a log of their own. The files are those of C2SP tlog-tiles, and any web server can
/// publish them: `checkpoint` and what is below `tile`. The file `log.vkey` names the log and its key.
///
/// Exit status: 0, 1 if something was refused, 2 if it could not be read or written.
#[derive(Debug, Args)]
pub(in super::super) struct LogArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(Init),
    Add(Add),
    Witness(witness::Witness),
    Prove(Prove),
    Check(Check),
}

/// Begin a log, which has no entries
#[derive(Debug, Args)]
struct Init {
    /// The directory; it is made if it is not there
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    log: PathBuf,
    /// The name of the log, such as log.example.com
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    origin: String,
    #[command(flatten)]
    signer: OneSignerArgs,
}

/// Add envelopes to a log, and sign its new checkpoint
///
/// Prints the number of each entry. An envelope that is in the log already is not added again.
///
/// The checkpoint is replaced last: a process that is killed leaves the log as it was, and files whose names begin with
/// `.cornercast-`, which can be removed. The new checkpoint has no signatures of witnesses.
#[derive(Debug, Args)]
struct Add {
    /// The directory of the log
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    log: PathBuf,
    /// The files with the envelopes, of at most 65,535 bytes each
    #[arg(value_name = "ENVELOPE", required = true, value_hint = ValueHint::FilePath)]
    envelopes: Vec<PathBuf>,
    #[command(flatten)]
    signer: OneSignerArgs,
}

/// Make the log proof of an envelope
///
/// It shows that the envelope is in the log of the checkpoint, and has all signatures of that: have witnesses sign
/// first.
#[derive(Debug, Args)]
struct Prove {
    /// The directory of the log
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    log: PathBuf,
    /// The file with the envelope
    #[arg(value_hint = ValueHint::FilePath)]
    envelope: PathBuf,
    /// The file that the proof goes to; by default standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "store")]
    output: Option<PathBuf>,
    /// The store in which the proof is put beside the envelope
    #[arg(long, value_name = "STORE", value_hint = ValueHint::DirPath)]
    store: Option<PathBuf>,
}

/// Check a log against its entries
///
/// Leaves, tiles and root are computed anew, and the signature of the log has to hold.
#[derive(Debug, Args)]
struct Check {
    /// The directory of the log
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    log: PathBuf,
    /// The public key that the log has to have; by default the one that it names
    #[arg(long, value_name = "KEY", value_parser = super::keyring::parse_key)]
    log_key: Option<PublicKey>,
    /// A witness whose signature the checkpoint has to have; can be given several times
    #[arg(long, value_name = "NAME=KEY", value_parser = parse_witness)]
    witness: Vec<(String, PublicKey)>,
    /// A checkpoint that the log had earlier, which the entries have to begin with; can be given several times
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    earlier: Vec<PathBuf>,
}

/// The name of a log or witness.
fn parse_name(text: &str) -> Result<String, String> {
    if trust::is_note_name(text) {
        return Ok(text.to_owned());
    }
    Err("write 1 to 255 visible ASCII characters, and no +".to_owned())
}

fn parse_witness(text: &str) -> Result<(String, PublicKey), String> {
    let (name, key) = text.rsplit_once("=ed25519:").ok_or("write NAME=KEY, such as witness.example=ed25519:…")?;
    Ok((parse_name(name)?, super::keyring::parse_key(&format!("ed25519:{key}"))?))
}

pub(in super::super) fn run(arguments: &LogArgs) -> Result<ExitCode, Failure> {
    match &arguments.command {
        Command::Init(arguments) => init(arguments)?,
        Command::Add(arguments) => add(arguments)?,
        Command::Witness(arguments) => witness::run(arguments)?,
        Command::Prove(arguments) => prove(arguments)?,
        Command::Check(arguments) => check(arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn init(arguments: &Init) -> Result<(), Failure> {
    let signer = arguments.signer.signer()?;
    let _lock = Directory::make(&arguments.log, &arguments.origin)?;
    let mut checkpoint = Checkpoint::of(&arguments.origin, &[]);
    let (key, signature) = signer.sign(checkpoint.text.as_bytes())?;
    checkpoint.add_log(&key, &signature);
    let directory = Directory::name(&arguments.log, &arguments.origin, key)?;
    directory.write(CHECKPOINT, checkpoint.write().as_bytes())
}

fn add(arguments: &Add) -> Result<(), Failure> {
    let signer = arguments.signer.signer()?;
    let mut given = Vec::new();
    for path in &arguments.envelopes {
        given.push((path, read_envelope(path)?));
    }
    let directory = Directory::open(&arguments.log)?;
    let _lock = directory.hold()?;
    let checkpoint = directory.checkpoint()?;
    let mut leaves = directory.leaves(&checkpoint)?;
    let old = leaves.len();
    let mut known: BTreeMap<Hash, usize> = leaves.iter().copied().zip(0..).collect();
    let (mut new, mut said) = (Vec::new(), String::new());
    for (path, envelope) in given {
        let leaf = leaf_hash(&envelope);
        let (index, note) = match known.get(&leaf) {
            Some(index) => (*index, if *index < old { " (it was there)" } else { " (given twice)" }),
            None => {
                known.insert(leaf, leaves.len());
                leaves.push(leaf);
                new.push(envelope);
                (leaves.len() - 1, "")
            }
        };
        said.push_str(&format!("{index} {}{note}\n", path.display()));
    }
    if !new.is_empty() {
        let mut next = Checkpoint::of(&directory.origin, &leaves);
        let (key, signature) = signer.sign(next.text.as_bytes())?;
        if key != directory.key {
            return Err(Failure::Refused(format!("the key of the log is {}, not {key}", directory.key)));
        }
        next.add_log(&key, &signature);
        directory.grow(&leaves, old, &new)?;
        directory.write(CHECKPOINT, next.write().as_bytes())?;
        directory.tidy(&leaves, old)?;
    }
    print(&said)
}

/// An envelope that a log takes.
fn read_envelope(path: &Path) -> Result<Vec<u8>, Failure> {
    let (limits, shown) = (Limits::FORMAT, path.display().to_string());
    let source = read(path, limits.envelope)?.ok_or_else(|| Failure::Error(format!("there is no file {shown}")))?;
    if source.len() > limits.log_entry {
        let message = format!("{shown} has {} bytes; a log takes {} [LOG-016]", source.len(), limits.log_entry);
        return Err(Failure::Refused(message));
    }
    sign::refuse_wrong(&trust::check_envelope(&source, &limits), &shown)?;
    if trust::open(&source, &limits).0.is_some_and(|opened| opened.payload_type == PayloadType::Catalog) {
        return Err(Failure::Refused(format!("{shown} is a catalog; those are replaced, and not logged")));
    }
    Ok(source)
}

fn prove(arguments: &Prove) -> Result<(), Failure> {
    let envelope = read_envelope(&arguments.envelope)?;
    let directory = Directory::open(&arguments.log)?;
    let checkpoint = directory.checkpoint()?;
    let leaves = directory.leaves(&checkpoint)?;
    let leaf = leaf_hash(&envelope);
    let found = leaves.iter().position(|other| *other == leaf);
    let Some((index, hashes)) = found.and_then(|index| Some((index, inclusion(&leaves, index)?))) else {
        let message = format!("{} is not in the log of {} entries", arguments.envelope.display(), leaves.len());
        return Err(Failure::Refused(message));
    };
    let proof = write_proof(index as u64, &hashes, &checkpoint.text, &checkpoint.lines());
    sign::refuse_wrong(&check_proof(proof.as_bytes(), &Limits::FORMAT).1, "the proof")?;
    match (&arguments.store, &arguments.output) {
        (Some(folder), _) => place(folder, &envelope, proof.as_bytes()),
        (None, Some(path)) => write(path, proof.as_bytes()),
        (None, None) => {
            let written = io::stdout().write_all(proof.as_bytes()).and_then(|()| io::stdout().flush());
            written.map_err(|error| Failure::Error(format!("standard output: {error}")))
        }
    }
}

/// Puts a proof into a store, beside its envelope, and lists it in the index.
fn place(folder: &Path, envelope: &[u8], proof: &[u8]) -> Result<(), Failure> {
    let place = match trust::open(envelope, &Limits::FORMAT).0 {
        Some(opened) => sign::place_of(&opened)?,
        None => return Err(Failure::Refused("the envelope cannot be read".to_owned())),
    };
    let FileKind::Envelope(set @ (SignatureSet::Signatures | SignatureSet::Attestations), image, _) = place else {
        return Err(Failure::Refused(
            "a store has proofs of releases and attestations alone; give --output".to_owned(),
        ));
    };
    let digest = Digest::of(envelope);
    let kind = FileKind::Envelope(set, image, digest);
    if store::read(folder, &kind, Limits::FORMAT.envelope)?.is_none() {
        let message = format!("{} has no file {}, which the proof is of", folder.display(), path_of(&kind));
        return Err(Failure::Refused(message));
    }
    store::place(folder, &FileKind::Proof(set, image, digest), proof)?;
    store::index(folder, set, image)
}

fn check(arguments: &Check) -> Result<(), Failure> {
    let directory = Directory::open(&arguments.log)?;
    if let Some(key) = arguments.log_key.filter(|key| *key != directory.key) {
        return Err(Failure::Refused(format!("the key of the log is {}, not {key}", directory.key)));
    }
    let checkpoint = directory.checkpoint()?;
    for (name, key) in &arguments.witness {
        if checkpoint.witnessed_by(name, key).is_none() {
            return Err(Failure::Refused(format!("the checkpoint has no signature of the witness {name} that holds")));
        }
    }
    let leaves = directory.leaves(&checkpoint)?;
    directory.check_tiles(&leaves)?;
    for bundle in tiles(None, 0, leaves.len()) {
        directory.entries(&bundle, &leaves)?;
    }
    for path in &arguments.earlier {
        let earlier =
            read_checkpoint(path)?.ok_or_else(|| Failure::Error(format!("there is no file {}", path.display())))?;
        let earlier = directory.judge(earlier, path)?;
        follows((earlier.size, &earlier.root), &checkpoint, &leaves)
            .map_err(|why| Failure::Refused(format!("{}: {why}", path.display())))?;
    }
    print(&format!("{} entries, root {}\n", checkpoint.size, crate::digest::hex(&checkpoint.root)))
}

/// Whether a log continues the one that had this size and root.
fn follows((size, hash): (u64, &Hash), now: &Checkpoint, leaves: &[Hash]) -> Result<(), String> {
    if size > now.size {
        return Err(format!("the log had {size} entries and has {} now; entries were taken back", now.size));
    }
    let old = usize::try_from(size).unwrap_or(usize::MAX);
    let proof = trust::tree::consistency(leaves, old).unwrap_or_default();
    if size == 0 || is_consistent((size, hash), (now.size, &now.root), &proof) {
        return Ok(());
    }
    let other = leaves.get(..old).and_then(root).map(|root| crate::digest::hex(&root)).unwrap_or_default();
    Err(format!(
        "the first {size} entries had the root {} and have {other} now; there are two logs of this name",
        crate::digest::hex(hash)
    ))
}
