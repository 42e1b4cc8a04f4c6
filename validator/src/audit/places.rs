//! The keyrings and the catalog that a store has for a name.

use std::io;

use schemars::JsonSchema;
use serde::Serialize;

use super::signed::{Problem, Reader, SignatureSeen, problems};
use crate::digest::Digest;
use crate::store::FileKind;
use crate::trust::{Catalog, Keyring, KeyringPin, Opened, PayloadType, Rule, check_catalog, check_keyring, open};

/// A keyring of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyringSeen {
    /// The number in its path.
    pub number: u64,
    /// What is wrong with it; the keys of such a keyring are not known.
    pub problems: Vec<Problem>,
    /// The payload digest, which a pin has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// When it was signed, as it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<String>,
    /// From when on it is not accepted as the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Who signs releases of the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<Rule>,
    /// Who signs catalogs of the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog: Option<Rule>,
    /// The key ids that it revokes.
    pub revoked_keys: Vec<String>,
    /// Why it revokes this image, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revokes_image: Option<String>,
    /// The signatures, ascending by key id.
    pub signatures: Vec<SignatureSeen>,
}

/// The catalog of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CatalogSeen {
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// Its serial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<u64>,
    /// The payload digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// When it was signed, as it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<String>,
    /// From when on it is not accepted any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// The newest keyring that its signer knew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyring: Option<KeyringPin>,
    /// Whether it lists this image under its version and platform.
    pub listed: bool,
    /// The channels that lead to the version of this image.
    pub channels: Vec<String>,
    /// Why the version or platform of this image is withdrawn, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<String>,
    /// The signatures, ascending by key id.
    pub signatures: Vec<SignatureSeen>,
}

/// The keyrings of the authority in the store. Those whose form is right are known afterwards.
pub(super) fn keyrings(reader: &mut Reader<'_>) -> io::Result<Vec<KeyringSeen>> {
    let host = reader.subject.name.split('/').next().unwrap_or_default().to_owned();
    let mut numbers: Vec<u64> = reader
        .kinds()
        .filter_map(|kind| match kind {
            FileKind::Keyring { authority, number } if authority == host => Some(number),
            _ => None,
        })
        .collect();
    numbers.sort_unstable();
    let most = reader.limits.keyring_steps.saturating_add(1);
    if numbers.len() > most {
        let message = format!("there are {} keyrings; a verifier reads {most}", numbers.len());
        reader.problems.push(Problem { clause: "REL-029", message });
        numbers.truncate(most);
    }
    let mut read = Vec::new();
    for number in numbers {
        let kind = FileKind::Keyring { authority: host.clone(), number };
        let source = reader.document(&kind, reader.limits.envelope)?.unwrap_or_default();
        let (opened, mut problems) = opened(reader, &source, PayloadType::Keyring);
        let keyring = opened.as_ref().and_then(|opened| {
            let (keyring, violations) = check_keyring(&opened.payload, reader.limits);
            problems.extend(super::signed::problems(&violations));
            keyring
        });
        let is_elsewhere = |keyring: &&Keyring| (&keyring.name, keyring.version) != (&host, number);
        if let Some(other) = keyring.as_ref().filter(is_elsewhere) {
            let message = format!("this is the keyring {} of {}", other.version, other.name);
            problems.push(Problem { clause: "STO-033", message });
        }
        let keyring = keyring.filter(|_| problems.is_empty());
        if let Some(keyring) = keyring.clone() {
            reader.keys.push(keyring);
        }
        read.push((number, problems, opened, keyring));
    }
    Ok(read
        .into_iter()
        .map(|(number, problems, opened, keyring)| keyring_seen(reader, number, problems, opened.zip(keyring)))
        .collect())
}

fn keyring_seen(
    reader: &Reader<'_>,
    number: u64,
    problems: Vec<Problem>,
    read: Option<(Opened, Keyring)>,
) -> KeyringSeen {
    let (opened, keyring) = read.unzip();
    let keyring = keyring.as_ref();
    let root = keyring.map_or(&[][..], |keyring| &keyring.root.keyids);
    let name = &reader.subject.name;
    let revoked = |keyring: &Keyring| {
        let mut images = keyring.revoked.images.iter();
        images.find(|revoked| revoked.image.digest == reader.subject.id).map(|revoked| revoked.reason.clone())
    };
    KeyringSeen {
        number,
        problems,
        digest: opened.as_ref().map(Opened::digest),
        issued: keyring.map(|keyring| keyring.issued.clone()),
        expires: keyring.map(|keyring| keyring.expires.clone()),
        release: keyring.and_then(|keyring| keyring.release_rule(name)).cloned(),
        catalog: keyring.and_then(|keyring| keyring.catalog_rule(name)).cloned(),
        revoked_keys: keyring
            .map(|keyring| keyring.revoked.keys.iter().map(|key| key.keyid.clone()).collect())
            .unwrap_or_default(),
        revokes_image: keyring.and_then(revoked),
        signatures: opened.map(|opened| reader.keys.signatures(&opened, root)).unwrap_or_default(),
    }
}

/// The catalog of the image's name, if the store has one.
pub(super) fn catalog(reader: &Reader<'_>) -> io::Result<Option<CatalogSeen>> {
    let name = &reader.subject.name;
    let kind = FileKind::Catalog(name.clone());
    let Some(source) = reader.document(&kind, reader.limits.envelope)? else { return Ok(None) };
    let (opened, mut problems) = opened(reader, &source, PayloadType::Catalog);
    let catalog = opened.as_ref().and_then(|opened| {
        let (catalog, violations) = check_catalog(&opened.payload, reader.limits);
        problems.extend(super::signed::problems(&violations));
        catalog
    });
    if let Some(other) = catalog.as_ref().filter(|catalog| catalog.name != *name) {
        problems.push(Problem { clause: "STO-033", message: format!("this is the catalog of {}", other.name) });
    }
    let catalog = catalog.as_ref().filter(|_| problems.is_empty());
    let rule = reader.keys.keyrings.last().and_then(|last| last.catalog_rule(name));
    let asked = rule.map_or(&[][..], |rule| &rule.keyids);
    let version = &reader.subject.version;
    Ok(Some(CatalogSeen {
        serial: catalog.map(|catalog| catalog.serial),
        digest: opened.as_ref().map(Opened::digest),
        issued: catalog.map(|catalog| catalog.issued.clone()),
        expires: catalog.map(|catalog| catalog.expires.clone()),
        keyring: catalog.map(|catalog| catalog.keyring),
        listed: catalog.is_some_and(|catalog| is_listed(catalog, reader)),
        channels: catalog
            .map(|catalog| {
                let to_it = catalog.channels.iter().filter(|(_, to)| *to == version);
                to_it.map(|(channel, _)| channel.clone()).collect()
            })
            .unwrap_or_default(),
        withdrawn: catalog.and_then(|catalog| withdrawn(catalog, reader)),
        signatures: opened.map(|opened| reader.keys.signatures(&opened, asked)).unwrap_or_default(),
        problems,
    }))
}

fn is_listed(catalog: &Catalog, reader: &Reader<'_>) -> bool {
    let subject = reader.subject;
    catalog.versions.get(&subject.version).is_some_and(|list| {
        list.iter().any(|listed| {
            listed.platform == subject.platform
                && (listed.image.digest, listed.image.size) == (subject.id, subject.size)
        })
    })
}

fn withdrawn(catalog: &Catalog, reader: &Reader<'_>) -> Option<String> {
    let subject = reader.subject;
    let is_of = |platform: &Option<_>| platform.as_ref().is_none_or(|platform| *platform == subject.platform);
    let mut all = catalog.withdrawn.iter();
    all.find(|withdrawn| withdrawn.version == subject.version && is_of(&withdrawn.platform))
        .map(|withdrawn| withdrawn.reason.clone())
}

/// An envelope of the type that its place asks for, and what is wrong with its form.
fn opened(reader: &Reader<'_>, source: &[u8], wanted: PayloadType) -> (Option<Opened>, Vec<Problem>) {
    let (opened, violations) = open(source, reader.limits);
    let mut out: Vec<Problem> = problems(&violations).collect();
    if let Some(other) = opened.as_ref().map(|opened| opened.payload_type).filter(|other| *other != wanted) {
        let message = format!("a {} stands in the place of a {}", other.noun(), wanted.noun());
        out.push(Problem { clause: "STO-032", message });
        return (None, out);
    }
    (opened, out)
}
