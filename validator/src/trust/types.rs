//! The types of the documents, which their schemas are made from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::patterns;
use crate::digest::Digest;
use crate::json;
use crate::manifest::{Descriptor, Platform};

/// A document and its signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The document, in base64.
    #[schemars(schema_with = "patterns::base64")]
    pub payload: String,
    /// What it is.
    pub payload_type: PayloadType,
    /// The signatures, ascending by key id.
    #[schemars(length(min = 1, max = 16))]
    pub signatures: Vec<EnvelopeSignature>,
}

/// A signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct EnvelopeSignature {
    /// The key id of the key.
    #[schemars(schema_with = "patterns::key_id")]
    pub keyid: String,
    /// 64 bytes in base64.
    #[schemars(regex(pattern = r"^[A-Za-z0-9+/]{85}[AQgw]==$"))]
    pub sig: String,
}

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum PayloadType {
    /// An image is this version of this name.
    #[serde(rename = "application/vnd.cornercast.release.v1+json")]
    Release,
    /// The keys of an authority.
    #[serde(rename = "application/vnd.cornercast.keyring.v1+json")]
    Keyring,
    /// What is current under a name.
    #[serde(rename = "application/vnd.cornercast.catalog.v1+json")]
    Catalog,
    /// Something that was found out about an image.
    #[serde(rename = "application/vnd.cornercast.attestation.v1+json")]
    Attestation,
}

impl PayloadType {
    /// All types.
    pub const ALL: [Self; 4] = [Self::Release, Self::Keyring, Self::Catalog, Self::Attestation];

    /// The media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Release => "application/vnd.cornercast.release.v1+json",
            Self::Keyring => "application/vnd.cornercast.keyring.v1+json",
            Self::Catalog => "application/vnd.cornercast.catalog.v1+json",
            Self::Attestation => "application/vnd.cornercast.attestation.v1+json",
        }
    }

    /// What a document of the type is called.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Keyring => "keyring",
            Self::Catalog => "catalog",
            Self::Attestation => "attestation",
        }
    }

    /// The type with this media type.
    #[must_use]
    pub fn by_media_type(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.media_type() == text)
    }
}

/// An image is this version of this name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Release {
    /// What others want to say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::manifest::patterns::annotations")]
    pub annotations: BTreeMap<String, String>,
    /// From when on it is not accepted any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::manifest::patterns::time")]
    pub expires: Option<String>,
    /// The manifest.
    pub image: Descriptor,
    /// When it was signed.
    #[schemars(schema_with = "crate::manifest::patterns::time")]
    pub issued: String,
    /// The name.
    #[schemars(schema_with = "crate::manifest::patterns::name")]
    pub name: String,
    /// What the image runs on.
    pub platform: Platform,
    /// The version.
    #[schemars(schema_with = "crate::manifest::patterns::version")]
    pub version: String,
}

/// The keys of an authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Keyring {
    /// Who signs catalogs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub catalog: Vec<Rule>,
    /// From when on it is not accepted as the last one.
    #[schemars(schema_with = "crate::manifest::patterns::time")]
    pub expires: String,
    /// When it was signed.
    #[schemars(schema_with = "crate::manifest::patterns::time")]
    pub issued: String,
    /// Public keys by their key ids.
    #[schemars(schema_with = "patterns::keys")]
    pub keys: BTreeMap<String, String>,
    /// The authority.
    #[schemars(schema_with = "patterns::host")]
    pub name: String,
    /// Who signs releases.
    pub release: Vec<Rule>,
    /// What no longer holds.
    #[serde(default, skip_serializing_if = "Revoked::is_empty")]
    pub revoked: Revoked,
    /// Who signs keyrings.
    pub root: RootRule,
    /// The number of the keyring.
    #[schemars(range(min = 1, max = 9_007_199_254_740_991_u64))]
    pub version: u64,
}

/// Who signs releases or catalogs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Rule {
    /// The keys, ascending.
    #[schemars(schema_with = "patterns::key_ids")]
    pub keyids: Vec<String>,
    /// The names that the rule is for.
    #[schemars(schema_with = "patterns::prefix")]
    pub prefix: String,
    /// How many have to sign.
    #[schemars(range(min = 1, max = 16))]
    pub threshold: u64,
}

/// Who signs keyrings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RootRule {
    /// The keys, ascending.
    #[schemars(schema_with = "patterns::key_ids")]
    pub keyids: Vec<String>,
    /// How many have to sign.
    #[schemars(range(min = 1, max = 8))]
    pub threshold: u64,
}

/// What no longer holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, transform = patterns::not_empty)]
pub struct Revoked {
    /// Images, ascending by digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub images: Vec<RevokedImage>,
    /// Keys, ascending by key id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub keys: Vec<RevokedKey>,
}

impl Revoked {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An image that must not be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RevokedImage {
    /// The manifest.
    pub image: Descriptor,
    /// Why.
    pub reason: String,
}

/// A key that must not be counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RevokedKey {
    /// Its key id.
    #[schemars(schema_with = "patterns::key_id")]
    pub keyid: String,
    /// Why.
    pub reason: String,
    /// Since when; without, since ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::manifest::patterns::time")]
    pub since: Option<String>,
}

/// What is current under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Catalog {
    /// Versions by channel.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "patterns::channels")]
    pub channels: BTreeMap<String, String>,
    /// From when on it is not accepted any more.
    #[schemars(schema_with = "crate::manifest::patterns::time")]
    pub expires: String,
    /// When it was signed.
    #[schemars(schema_with = "crate::manifest::patterns::time")]
    pub issued: String,
    /// The newest keyring that the signer knew.
    pub keyring: KeyringPin,
    /// The name.
    #[schemars(schema_with = "crate::manifest::patterns::name")]
    pub name: String,
    /// A number that grows with each catalog of the name.
    #[schemars(range(min = 1, max = 9_007_199_254_740_991_u64))]
    pub serial: u64,
    /// The images of each version, ascending by platform.
    #[schemars(schema_with = "patterns::versions")]
    pub versions: BTreeMap<String, Vec<Listed>>,
    /// What was listed once, ascending by version and platform.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub withdrawn: Vec<Withdrawn>,
}

/// A keyring by number and payload digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct KeyringPin {
    /// Its payload digest.
    pub digest: Digest,
    /// Its number.
    #[schemars(range(min = 1, max = 9_007_199_254_740_991_u64))]
    pub version: u64,
}

/// An image of a catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Listed {
    /// The manifest.
    pub image: Descriptor,
    /// What it runs on.
    pub platform: Platform,
}

/// A version that was listed once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Withdrawn {
    /// The platform, if it is not the whole version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Why.
    pub reason: String,
    /// The version.
    #[schemars(schema_with = "crate::manifest::patterns::version")]
    pub version: String,
}

/// Something that was found out about an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Attestation {
    /// What was found out.
    pub body: Descriptor,
    /// The manifest.
    pub image: Descriptor,
    /// When it was signed.
    #[schemars(schema_with = "crate::manifest::patterns::time")]
    pub issued: String,
    /// The media type of the body.
    #[schemars(schema_with = "crate::manifest::patterns::media_type", rename = "type")]
    #[serde(rename = "type")]
    pub kind: String,
}

/// The canonical form of a value of these types.
///
/// # Panics
///
/// Never: the types hold no `null` and no number that JSON does not have.
pub(crate) fn canonical(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_value(value).ok().and_then(|value| json::to_canonical(&value)).unwrap_or_default()
}
