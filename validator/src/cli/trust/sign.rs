//! `cornercast sign`

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueHint};

use super::super::image::{Image, is_image, split};
use super::super::{Failure, print};
use super::keyring::chain;
use super::keys::{Signer, SignerArgs};
use super::{now_to_sign, parse_time, store};
use crate::build::{finish, temporary_in, unwritable};
use crate::diagnostic::{Severity, Violation};
use crate::digest::Digest;
use crate::input::{HEAD, Kind, recognise};
use crate::limits::Limits;
use crate::manifest::Descriptor;
use crate::store::{FileKind, SignatureSet};
use crate::trust::{self, Opened, PayloadType, Release, canonical, signed_bytes};

/// Sign an image, or a document
///
/// Of an image, a store or STORE@sha256:…, a release is made and put into the store: the statement that this image is
/// this version of its name. If there is one already that says the same, the signatures are added to it.
///
/// Of a document (a keyring, catalog, attestation or release in JSON), an envelope is made. Of an envelope, one with
/// further signatures. They go to --output, to --store, where a keyring or catalog has its place, or to standard output.
///
/// SOURCE_DATE_EPOCH, if set, is the time of the release.
///
/// Exit status: 0 if it was signed, 1 if it was refused, 2 if something could not be read or written.
#[derive(Debug, Args)]
pub(in super::super) struct Sign {
    /// What to sign; - is a document on standard input
    #[arg(value_name = "IMAGE|DOCUMENT", value_hint = ValueHint::AnyPath)]
    input: String,
    #[command(flatten)]
    signers: SignerArgs,
    /// From when on the release is not accepted any more
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    expires: Option<String>,
    /// The file that the envelope goes to
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "store")]
    output: Option<PathBuf>,
    /// The store that the keyring or catalog is put into
    #[arg(long, value_name = "STORE", value_hint = ValueHint::DirPath)]
    store: Option<PathBuf>,
}

pub(in super::super) fn run(arguments: &Sign) -> Result<ExitCode, Failure> {
    let signers = arguments.signers.signers()?;
    if arguments.input != "-" && is_image(&arguments.input) {
        return image(arguments, &signers);
    }
    if arguments.expires.is_some() {
        return Err(Failure::Error("--expires is for images; a document says itself when it expires".to_owned()));
    }
    let envelope = document(&arguments.input, &signers)?;
    let bytes = trust::write(&envelope);
    refuse_wrong(&trust::check_envelope(&bytes, &Limits::FORMAT), "what would be signed")?;
    match (&arguments.store, &arguments.output) {
        (Some(folder), _) => {
            let place = place_of(&envelope)?;
            keeps_keyring(folder, &place, &envelope)?;
            store::place(folder, &place, &bytes)?;
        }
        (None, Some(path)) => write_file(path, &bytes)?,
        (None, None) => {
            let written = io::stdout().write_all(&bytes).and_then(|()| io::stdout().flush());
            written.map_err(|error| Failure::Error(format!("standard output: {error}")))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses a keyring in the place of another one: those who know the one that is there would never accept it (POL-022).
fn keeps_keyring(folder: &Path, place: &FileKind, envelope: &Opened) -> Result<(), Failure> {
    let FileKind::Keyring { authority, number } = place else { return Ok(()) };
    let there = store::read(folder, place, Limits::FORMAT.envelope)?;
    let there = there.and_then(|source| trust::open(&source, &Limits::FORMAT).0);
    if there.is_some_and(|there| there.digest() != envelope.digest()) {
        let message = format!(
            "{} has a keyring {number} of {authority}, which is another one; what comes next is a keyring {}",
            folder.display(),
            number + 1
        );
        return Err(Failure::Refused(message));
    }
    Ok(())
}

/// Puts a release of an image into its store.
fn image(arguments: &Sign, signers: &[Signer]) -> Result<ExitCode, Failure> {
    let (folder, _) = split(&arguments.input);
    if !folder.is_dir() {
        let message = format!(
            "{} is an archive, to which nothing can be added; sign the image in a store, and make the archive of that",
            folder.display()
        );
        return Err(Failure::Refused(message));
    }
    if arguments.output.is_some() || arguments.store.is_some() {
        return Err(Failure::Error("the release of an image goes into its own store".to_owned()));
    }
    let image = Image::open(&arguments.input)?;
    let release = Release {
        annotations: BTreeMap::new(),
        expires: arguments.expires.clone(),
        image: Descriptor { digest: image.id, size: image.source.len() as u64 },
        issued: now_to_sign()?,
        name: image.manifest.name.clone(),
        platform: image.manifest.platform.clone(),
        version: image.manifest.version.clone(),
    };
    let set = SignatureSet::Signatures;
    let host = image.manifest.name.split('/').next().unwrap_or_default();
    let keys = chain(&folder, host, None).ok().and_then(|chain| Some(chain.last()?.1.keys()));
    let same = store::envelopes(&folder, set, image.id)?.into_iter().find_map(|(digest, source)| {
        let opened = trust::open(&source, &Limits::FORMAT).0?;
        let there = trust::check_release(&opened.payload, &Limits::FORMAT)
            .0
            .filter(|_| opened.payload_type == PayloadType::Release)?;
        let is_same =
            there.expires == release.expires && Release { issued: release.issued.clone(), ..there.clone() } == release;
        // Others can have put it there: one that comes from the future, or that nobody could sign any more.
        let is_usable = there.issued <= release.issued
            && opened.signatures.len() + signers.len() <= Limits::FORMAT.signatures
            && keys.as_ref().is_none_or(|keys| opened.signers(keys).is_ok());
        (is_same && is_usable).then_some((digest, opened))
    });
    let (old, mut envelope) = match same {
        Some((digest, opened)) => (Some(digest), opened),
        None => {
            let payload = canonical(&release);
            (None, Opened { payload_type: PayloadType::Release, payload, signatures: BTreeMap::new() })
        }
    };
    add(&mut envelope, signers)?;
    let bytes = trust::write(&envelope);
    refuse_wrong(&trust::check_envelope(&bytes, &Limits::FORMAT), "the release")?;
    let digest = store::put_envelope(&folder, set, image.id, &bytes, old)?;
    print(&format!("{digest}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// An envelope of a document, or with more signatures of an envelope.
fn document(input: &str, signers: &[Signer]) -> Result<Opened, Failure> {
    let fail = |error: io::Error| Failure::Error(format!("{input}: {error}"));
    let opened: Box<dyn Read> =
        if input == "-" { Box::new(io::stdin()) } else { Box::new(std::fs::File::open(input).map_err(fail)?) };
    let mut source = Vec::new();
    opened.take(Limits::FORMAT.envelope + 1).read_to_end(&mut source).map_err(fail)?;
    let payload_type = match recognise(source.get(..HEAD).unwrap_or(&source)) {
        Some(Kind::Envelope) => {
            let (opened, violations) = trust::open(&source, &Limits::FORMAT);
            refuse_wrong(&violations, input)?;
            let mut opened = opened.ok_or_else(|| Failure::Refused(format!("{input} is no envelope")))?;
            add(&mut opened, signers)?;
            return Ok(opened);
        }
        Some(Kind::Release) => PayloadType::Release,
        Some(Kind::Keyring) => PayloadType::Keyring,
        Some(Kind::Catalog) => PayloadType::Catalog,
        Some(Kind::Attestation) => PayloadType::Attestation,
        _ => {
            let message =
                format!("{input} is neither an image nor a release, keyring, catalog, attestation or envelope");
            return Err(Failure::Refused(message));
        }
    };
    // People write with white space; what is signed is the canonical form.
    let kind = match payload_type {
        PayloadType::Release => Kind::Release,
        PayloadType::Keyring => Kind::Keyring,
        PayloadType::Catalog => Kind::Catalog,
        PayloadType::Attestation => Kind::Attestation,
    };
    let payload = crate::fix::fix(kind, &source, &Limits::FORMAT).map_or(source, |fixed| fixed.bytes);
    let mut envelope = Opened { payload_type, payload, signatures: BTreeMap::new() };
    refuse_wrong(&envelope.check(&Limits::FORMAT), input)?;
    add(&mut envelope, signers)?;
    Ok(envelope)
}

/// Adds the signatures of all signers.
fn add(envelope: &mut Opened, signers: &[Signer]) -> Result<(), Failure> {
    let message = signed_bytes(envelope.payload_type, &envelope.payload);
    for signer in signers {
        let (key, signature) = signer.sign(&message)?;
        envelope.signatures.insert(key.id(), signature);
    }
    Ok(())
}

pub(super) fn refuse_wrong(violations: &[Violation], what: &str) -> Result<(), Failure> {
    let mut errors = violations.iter().filter(|violation| violation.clause.severity == Severity::Error);
    let Some(first) = errors.next() else { return Ok(()) };
    let more = errors.count();
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let pointer = first.place.pointer.as_deref().filter(|pointer| !pointer.is_empty());
    let at = pointer.map_or(String::new(), |pointer| format!(" at {pointer}"));
    Err(Failure::Refused(format!("{what} is not valid{at}: {} [{}]{more}", first.message, first.clause.id)))
}

/// Where a keyring or catalog stands in a store.
pub(super) fn place_of(envelope: &Opened) -> Result<FileKind, Failure> {
    let (payload, limits) = (&envelope.payload, Limits::FORMAT);
    let kind = match envelope.payload_type {
        PayloadType::Keyring => trust::check_keyring(payload, &limits)
            .0
            .map(|keyring| FileKind::Keyring { authority: keyring.name, number: keyring.version }),
        PayloadType::Catalog => trust::check_catalog(payload, &limits).0.map(|catalog| FileKind::Catalog(catalog.name)),
        PayloadType::Release => trust::check_release(payload, &limits).0.map(|release| {
            FileKind::Envelope(SignatureSet::Signatures, release.image.digest, Digest::of(&trust::write(envelope)))
        }),
        PayloadType::Attestation => trust::check_attestation(payload, &limits).0.map(|attestation| {
            FileKind::Envelope(
                SignatureSet::Attestations,
                attestation.image.digest,
                Digest::of(&trust::write(envelope)),
            )
        }),
    };
    kind.ok_or_else(|| Failure::Refused("the document has no place in a store".to_owned()))
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let written = || -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = temporary_in(folder)?;
        file.write_all(bytes)?;
        finish(file, path)
    };
    written().map_err(|error| Failure::from(unwritable(path)(error)))
}
