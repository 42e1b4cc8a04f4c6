//! `cornercast catalog`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueHint};

use super::super::{Failure, print};
use super::keyring::{chain, parse_digest};
use super::{days_after, now_to_sign, store};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::manifest::{self, Descriptor};
use crate::store::{FileKind, Files, Folder, SignatureSet, classify, path_of};
use crate::trust::{self, Catalog, Keyring, Listed, PayloadType, Withdrawn, canonical, is_signed};

/// Draft the next catalog of a name
///
/// It lists what the last catalog of the store lists, and every image of the store that has this name and a release. Both
/// have to be signed as the last keyring of the store asks for. A draft goes to standard output, for `sign`: `cornercast
/// catalog STORE NAME --channel stable=1.0.0 | cornercast sign - --key catalog.key --store STORE`. A version that was listed once is never left out: it is withdrawn.
///
/// Exit status: 0, 1 if something was refused, 2 if it could not be read or written.
#[derive(Debug, Args)]
pub(in super::super) struct CatalogArgs {
    /// The store
    #[arg(value_hint = ValueHint::DirPath)]
    store: PathBuf,
    /// The name
    name: String,
    /// Let a channel lead to a version
    #[arg(long, value_name = "CHANNEL=VERSION", value_parser = parse_pair)]
    channel: Vec<(String, String)>,
    /// Withdraw a version, and say why
    #[arg(long, value_name = "VERSION=REASON", value_parser = parse_pair)]
    withdraw: Vec<(String, String)>,
    /// The payload digest of a keyring that has to be among those of the store, as `keyring show` prints it. Without it
    /// the store is believed about its first keyring
    #[arg(long, value_name = "DIGEST", value_parser = parse_digest)]
    pin: Option<Digest>,
    /// After how many days it expires
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=30))]
    days: u32,
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

pub(in super::super) fn run(arguments: &CatalogArgs) -> Result<ExitCode, Failure> {
    let host = arguments.name.split('/').next().unwrap_or_default();
    let chain = chain(&arguments.store, host, arguments.pin)?;
    let Some((pin, keyring)) = chain.last() else { return Err(Failure::Refused("there is no keyring".to_owned())) };
    let before = last(arguments, keyring)?;
    let issued = now_to_sign()?;
    let mut catalog = Catalog {
        channels: before.as_ref().map(|before| before.channels.clone()).unwrap_or_default(),
        expires: days_after(&issued, arguments.days)?,
        issued,
        keyring: *pin,
        name: arguments.name.clone(),
        serial: before.as_ref().map_or(1, |before| before.serial + 1),
        versions: before.as_ref().map(|before| before.versions.clone()).unwrap_or_default(),
        withdrawn: before.map(|before| before.withdrawn).unwrap_or_default(),
    };
    let released = released(arguments, keyring)?;
    if released.is_empty() && catalog.serial == 1 {
        let message = format!(
            "{} holds no image of {} with a release that is signed as the last keyring asks for",
            arguments.store.display(),
            arguments.name
        );
        return Err(Failure::Refused(message));
    }
    for (version, image) in released {
        let is_withdrawn = |withdrawn: &Withdrawn| {
            withdrawn.version == version
                && withdrawn.platform.as_ref().is_none_or(|platform| *platform == image.platform)
        };
        if catalog.withdrawn.iter().any(is_withdrawn) {
            continue;
        }
        let list = catalog.versions.entry(version.clone()).or_default();
        match list.iter().find(|listed| listed.platform == image.platform) {
            Some(listed) if listed.image.digest != image.image.digest => {
                let message = format!(
                    "{}:{version} is listed as {}, and the store has {} as well",
                    arguments.name, listed.image.digest, image.image.digest
                );
                return Err(Failure::Refused(message));
            }
            Some(_) => {}
            None => list.push(image),
        }
        list.sort_by_cached_key(|listed| canonical(&listed.platform));
    }
    for (version, reason) in &arguments.withdraw {
        if catalog.versions.remove(version).is_none() {
            return Err(Failure::Refused(format!(
                "{}:{version} is not listed, so it cannot be withdrawn",
                arguments.name
            )));
        }
        catalog.withdrawn.retain(|withdrawn| withdrawn.version != *version);
        catalog.withdrawn.push(Withdrawn { platform: None, reason: reason.clone(), version: version.clone() });
    }
    catalog.withdrawn.sort_by_cached_key(|withdrawn| {
        (withdrawn.version.clone(), withdrawn.platform.as_ref().map(canonical).unwrap_or_default())
    });
    catalog.channels.extend(arguments.channel.iter().cloned());
    let source = canonical(&catalog);
    if let Some(violation) = trust::check_catalog(&source, &Limits::FORMAT).1.first() {
        let at = violation.place.pointer.clone().unwrap_or_default();
        let message =
            format!("the catalog would not be valid at {at}: {} [{}]", violation.message, violation.clause.id);
        return Err(Failure::Refused(message));
    }
    let text = serde_json::to_string_pretty(&catalog).map_err(|error| Failure::Error(error.to_string()))?;
    print(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The catalog that the store has. What nobody has signed, or one whose key was replaced, is not to become what somebody
/// else signs.
fn last(arguments: &CatalogArgs, keyring: &Keyring) -> Result<Option<Catalog>, Failure> {
    let name = &arguments.name;
    let kind = FileKind::Catalog(name.clone());
    let Some(source) = store::read(&arguments.store, &kind, Limits::FORMAT.envelope)? else { return Ok(None) };
    let path = arguments.store.join(path_of(&kind)).display().to_string();
    let opened = trust::open(&source, &Limits::FORMAT).0.filter(|opened| opened.payload_type == PayloadType::Catalog);
    let catalog = opened.as_ref().and_then(|opened| trust::check_catalog(&opened.payload, &Limits::FORMAT).0);
    let (Some(opened), Some(catalog)) = (opened, catalog.filter(|catalog| catalog.name == *name)) else {
        return Err(Failure::Refused(format!(
            "{path} is no valid catalog of {name}; `cornercast check {path}` says why"
        )));
    };
    if is_signed(&opened, name, keyring) {
        return Ok(Some(catalog));
    }
    let message = format!(
        "{path} is not signed as the last keyring asks for. If its key was replaced, and this is the catalog that you \
         have signed, sign it once more: `cornercast sign {path} --key NEW --store {}`",
        arguments.store.display()
    );
    Err(Failure::Refused(message))
}

/// The images of the name that have a release that the last keyring accepts, each with its version.
fn released(arguments: &CatalogArgs, last: &Keyring) -> Result<Vec<(String, Listed)>, Failure> {
    let fail = |error: std::io::Error| Failure::Error(format!("{}: {error}", arguments.store.display()));
    let mut out = Vec::new();
    for file in Folder(arguments.store.clone()).list().map_err(fail)? {
        let Ok(FileKind::Manifest(id)) = classify(&file.path, &Limits::FORMAT) else { continue };
        let Some(source) = store::read(&arguments.store, &FileKind::Manifest(id), Limits::FORMAT.manifest)? else {
            continue;
        };
        let identity = manifest::check(&source, &Limits::FORMAT).0.and_then(|outline| outline.identity());
        let Some((name, version, platform)) = identity.filter(|_| Digest::of(&source) == id) else { continue };
        if name != arguments.name {
            continue;
        }
        let image = Descriptor { digest: id, size: source.len() as u64 };
        let is_release = |(digest, envelope): (Digest, Vec<u8>)| {
            let opened = trust::open(&envelope, &Limits::FORMAT).0.filter(|_| Digest::of(&envelope) == digest);
            opened.filter(|opened| opened.payload_type == PayloadType::Release).is_some_and(|opened| {
                let release = trust::check_release(&opened.payload, &Limits::FORMAT).0;
                let is_same = release.is_some_and(|release| {
                    (release.image, &release.name, &release.version, &release.platform)
                        == (image, &name, &version, &platform)
                });
                is_same && is_signed(&opened, &name, last)
            })
        };
        if store::envelopes(&arguments.store, SignatureSet::Signatures, id)?.into_iter().any(is_release) {
            out.push((version, Listed { image, platform }));
        }
    }
    Ok(out)
}
