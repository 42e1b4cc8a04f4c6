//! What is signed of an image, as far as its store tells. Whom to trust is for `trust::verify` to say.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use schemars::JsonSchema;
use serde::Serialize;

use super::places::{CatalogSeen, KeyringSeen, catalog, keyrings};
use crate::diagnostic::{Severity, Violation};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::manifest::{Descriptor, Platform};
use crate::store::{FileKind, Files, SignatureSet, classify, path_of};
use crate::trust::tree::{is_included, leaf_hash};
use crate::trust::{
    KeyId, Keyring, Opened, PayloadType, PublicKey, check_attestation, check_proof, check_release, open, signed_bytes,
};

/// What is signed of an image, as its store shows it. Keyrings are taken from the same store: that a signature holds by
/// them is no reason to trust it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Signed {
    /// There is more of something than the format allows: what is beyond is left out here, and a verifier rejects it.
    pub problems: Vec<Problem>,
    /// What stands in `signatures`, ascending by digest.
    pub releases: Vec<EnvelopeSeen>,
    /// What stands in `attestations`, ascending by digest.
    pub attestations: Vec<EnvelopeSeen>,
    /// The keyrings of the authority, ascending by number.
    pub keyrings: Vec<KeyringSeen>,
    /// The catalog of the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog: Option<CatalogSeen>,
}

/// An envelope of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvelopeSeen {
    /// The SHA-256 in its name.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// What it says that it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_type: Option<PayloadType>,
    /// What is wrong with it; a verifier passes it over or rejects it.
    pub problems: Vec<Problem>,
    /// The signatures, ascending by key id.
    pub signatures: Vec<SignatureSeen>,
    /// The release that it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseSeen>,
    /// The attestation that it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attestation: Option<AttestationSeen>,
    /// The log proof beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofSeen>,
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// The clause that is broken.
    pub clause: &'static str,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
}

/// A signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignatureSeen {
    /// The key id.
    pub keyid: String,
    /// The public key, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether it holds.
    pub holds: Holds,
    /// The numbers of the store's keyrings that list the key.
    pub keyrings: Vec<u64>,
    /// Whether the policy's rule for the name lists the key.
    pub in_policy: bool,
    /// Whether the key is one of those that have to sign such a document of this name: by the last keyring, and a keyring
    /// by itself.
    pub in_rule: bool,
    /// Whether the last keyring revokes the key.
    pub revoked: bool,
}

/// Whether a signature holds; what says most for it comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum Holds {
    /// It is one of the document by the key.
    #[serde(rename = "holds")]
    Holds,
    /// No keyring of the store and no rule of the policy has a key with this id.
    #[serde(rename = "key not known")]
    Unknown,
    /// It is not.
    #[serde(rename = "does not hold")]
    Fails,
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReleaseSeen {
    /// When it was signed, as it says.
    pub issued: String,
    /// From when on it is not accepted any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
    /// What the image runs on.
    pub platform: Platform,
    /// The image.
    pub image: Descriptor,
    /// What it says otherwise than the manifest: some of `digest`, `size`, `name`, `version` and `platform`. It is a
    /// release of this image if this is empty.
    pub differs: Vec<&'static str>,
}

/// An attestation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AttestationSeen {
    /// The media type of the body.
    #[serde(rename = "type")]
    pub kind: String,
    /// What was found out.
    pub body: Descriptor,
    /// When it was signed, as it says.
    pub issued: String,
    /// What it says otherwise than the manifest: some of `digest` and `size`.
    pub differs: Vec<&'static str>,
}

/// A log proof. Its signatures are judged only by a policy, which knows the keys of the log and its witnesses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProofSeen {
    /// What is wrong with its form.
    pub problems: Vec<Problem>,
    /// The origin of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The number of the entry, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// How many entries the log had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// Whether its hashes lead from the envelope to the root of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub includes: Option<bool>,
    /// The names in its signature lines, in their order.
    pub signed_by: Vec<String>,
}

/// The image that signed documents are held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The image id.
    pub id: Digest,
    /// The bytes of the manifest.
    pub size: u64,
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
    /// What it runs on.
    pub platform: Platform,
}

/// What is signed of an image, by the files of its store and the keys that a policy lists for its name.
///
/// # Errors
///
/// Errors of the files.
pub fn signed(
    files: &dyn Files,
    subject: &Subject,
    policy: BTreeMap<KeyId, PublicKey>,
    limits: &Limits,
) -> io::Result<Signed> {
    let regular = files.list()?.into_iter().filter(|file| file.irregular.is_none());
    let there = regular.map(|file| file.path).collect();
    let keys = Keys { known: policy.clone(), policy, keyrings: Vec::new() };
    let mut reader = Reader { files, there, subject, limits, keys, problems: Vec::new() };
    let keyrings = keyrings(&mut reader)?;
    let releases = reader.envelopes(SignatureSet::Signatures)?;
    let attestations = reader.envelopes(SignatureSet::Attestations)?;
    let catalog = catalog(&reader)?;
    Ok(Signed { problems: reader.problems, releases, attestations, keyrings, catalog })
}

/// Reads the documents of an image.
pub(super) struct Reader<'a> {
    files: &'a dyn Files,
    /// The paths of the regular files.
    there: BTreeSet<String>,
    pub(super) subject: &'a Subject,
    pub(super) limits: &'a Limits,
    pub(super) keys: Keys,
    /// Of what there is too much.
    pub(super) problems: Vec<Problem>,
}

/// The keys that are known.
pub(super) struct Keys {
    policy: BTreeMap<KeyId, PublicKey>,
    /// The keyrings of the store whose form is right, ascending by number.
    pub(super) keyrings: Vec<Keyring>,
    /// Those of the policy and of the keyrings.
    known: BTreeMap<KeyId, PublicKey>,
}

impl Keys {
    /// Takes the keys of the next keyring.
    pub(super) fn push(&mut self, keyring: Keyring) {
        self.known.extend(keyring.keys());
        self.keyrings.push(keyring);
    }

    /// The signatures of an envelope. `asked` are the ids of the keys that have to sign it.
    pub(super) fn signatures(&self, envelope: &Opened, asked: &[String]) -> Vec<SignatureSeen> {
        let message = signed_bytes(envelope.payload_type, &envelope.payload);
        let seen = |(id, signature): (&KeyId, &[u8; 64])| {
            let keyid = id.hex();
            let key = self.known.get(id);
            let holds = match key {
                None => Holds::Unknown,
                Some(key) if key.verifies(&message, signature) => Holds::Holds,
                Some(_) => Holds::Fails,
            };
            let lists = self.keyrings.iter().filter(|keyring| keyring.keys.contains_key(&keyid));
            SignatureSeen {
                key: key.map(PublicKey::to_string),
                holds,
                keyrings: lists.map(|keyring| keyring.version).collect(),
                in_policy: self.policy.contains_key(id),
                in_rule: asked.contains(&keyid),
                revoked: self.keyrings.last().is_some_and(|last| last.revoked_key(&keyid).is_some()),
                keyid,
            }
        };
        envelope.signatures.iter().map(seen).collect()
    }
}

impl Reader<'_> {
    /// What the regular files of the store are, in the order of their paths.
    pub(super) fn kinds(&self) -> impl Iterator<Item = FileKind> + '_ {
        self.there.iter().filter_map(|path| classify(path, self.limits).ok())
    }

    /// A document, and no more than one byte beyond its limit; nothing if it is not there.
    pub(super) fn document(&self, kind: &FileKind, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let path = path_of(kind);
        if !self.there.contains(&path) {
            return Ok(None);
        }
        let mut source = Vec::new();
        self.files.open(&path)?.take(limit.saturating_add(1)).read_to_end(&mut source)?;
        Ok(Some(source))
    }

    /// The envelopes of the image, in the order of their digests.
    fn envelopes(&mut self, set: SignatureSet) -> io::Result<Vec<EnvelopeSeen>> {
        let is_one = |kind| match kind {
            FileKind::Envelope(of, image, digest) if of == set && image == self.subject.id => Some(digest),
            _ => None,
        };
        let mut digests: Vec<Digest> = self.kinds().filter_map(is_one).collect();
        digests.sort_unstable();
        let most = self.limits.envelopes;
        if digests.len() > most {
            let message = format!("there are {} {}; the limit is {most}", digests.len(), set.folder());
            self.problems.push(Problem { clause: "STO-015", message });
            digests.truncate(most);
        }
        digests.into_iter().map(|digest| self.envelope(set, digest)).collect()
    }

    fn envelope(&self, set: SignatureSet, digest: Digest) -> io::Result<EnvelopeSeen> {
        let image = self.subject.id;
        let source = self.document(&FileKind::Envelope(set, image, digest), self.limits.envelope)?.unwrap_or_default();
        let proof = self.document(&FileKind::Proof(set, image, digest), self.limits.log_proof)?;
        let mut out = EnvelopeSeen {
            digest,
            size: source.len() as u64,
            payload_type: None,
            problems: Vec::new(),
            signatures: Vec::new(),
            release: None,
            attestation: None,
            proof: proof.map(|proof| self.proof(&source, &proof)),
        };
        if Digest::of(&source) != digest {
            let message = format!("the file has the digest {}", Digest::of(&source));
            out.problems.push(Problem { clause: "REL-035", message });
        }
        let (opened, violations) = open(&source, self.limits);
        out.problems.extend(problems(&violations));
        let Some(opened) = opened else { return Ok(out) };
        out.payload_type = Some(opened.payload_type);
        let rule = self.keys.keyrings.last().and_then(|last| last.release_rule(&self.subject.name));
        let asked = rule.filter(|_| opened.payload_type == PayloadType::Release).map_or(&[][..], |rule| &rule.keyids);
        out.signatures = self.keys.signatures(&opened, asked);
        let violations = match (set, opened.payload_type) {
            (SignatureSet::Signatures, PayloadType::Release) => {
                let (release, violations) = check_release(&opened.payload, self.limits);
                out.release = release.map(|release| ReleaseSeen {
                    differs: self.differs(&release.image, Some((&release.name, &release.version, &release.platform))),
                    issued: release.issued,
                    expires: release.expires,
                    name: release.name,
                    version: release.version,
                    platform: release.platform,
                    image: release.image,
                });
                violations
            }
            (SignatureSet::Attestations, PayloadType::Attestation) => {
                let (attestation, violations) = check_attestation(&opened.payload, self.limits);
                out.attestation = attestation.map(|attestation| AttestationSeen {
                    differs: self.differs(&attestation.image, None),
                    kind: attestation.kind,
                    body: attestation.body,
                    issued: attestation.issued,
                });
                violations
            }
            (_, other) => {
                let message = format!("a {} stands in {}", other.noun(), set.folder());
                out.problems.push(Problem { clause: "STO-032", message });
                Vec::new()
            }
        };
        out.problems.extend(problems(&violations));
        Ok(out)
    }

    /// What a document says of the image otherwise than the manifest.
    fn differs(&self, image: &Descriptor, identity: Option<(&String, &String, &Platform)>) -> Vec<&'static str> {
        let Subject { id, size, name, version, platform } = self.subject;
        let same = |is_same: bool, what| (!is_same).then_some(what);
        let blob = [same(image.digest == *id, "digest"), same(image.size == *size, "size")];
        let rest = identity.map_or([None; 3], |(other_name, other_version, other_platform)| {
            [
                same(other_name == name, "name"),
                same(other_version == version, "version"),
                same(other_platform == platform, "platform"),
            ]
        });
        blob.into_iter().chain(rest).flatten().collect()
    }

    fn proof(&self, envelope: &[u8], source: &[u8]) -> ProofSeen {
        let (proof, violations) = check_proof(source, self.limits);
        let proof = proof.as_ref();
        ProofSeen {
            problems: problems(&violations).collect(),
            origin: proof.map(|proof| proof.origin.clone()),
            index: proof.map(|proof| proof.index),
            entries: proof.map(|proof| proof.size),
            includes: proof.map(|proof| is_included(leaf_hash(envelope), proof)),
            signed_by: proof
                .map(|proof| proof.signatures.iter().map(|line| line.name.clone()).collect())
                .unwrap_or_default(),
        }
    }
}

/// The clauses with MUST that are broken.
pub(super) fn problems(violations: &[Violation]) -> impl Iterator<Item = Problem> + '_ {
    let errors = violations.iter().filter(|violation| violation.clause.severity == Severity::Error);
    errors.map(|violation| Problem { clause: violation.clause.id, message: violation.message.clone() })
}
