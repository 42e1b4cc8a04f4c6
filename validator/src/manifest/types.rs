//! The types that the manifest's schema is made from.
//!
//! A value of these types serialises to canonical JSON once its members are sorted
//! ([`crate::json::to_canonical`]): defaults are left out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::patterns;
use crate::digest::Digest;

/// The format version that this library implements.
pub const FORMAT_VERSION: &str = "1.0";

/// The manifest of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, transform = patterns::needs_layers)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Format version.
    #[schemars(regex(pattern = r"^1\.0$"))]
    pub cornercast: String,
    /// Always `image`.
    pub kind: ImageKind,
    /// The name of the image.
    #[schemars(schema_with = "patterns::name")]
    pub name: String,
    /// The version of the image.
    #[schemars(schema_with = "patterns::version")]
    pub version: String,
    /// What the image runs on.
    pub platform: Platform,
    /// What to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<App>,
    /// The layers, lowest first.
    #[schemars(length(max = 128))]
    pub layers: Vec<Layer>,
    /// The merged tree.
    pub rootfs: Rootfs,
    /// The image that this one was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// Documents about the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64))]
    pub attachments: Vec<Attachment>,
    /// When the image was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "patterns::time")]
    pub created: Option<String>,
    /// What others want to say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "patterns::annotations")]
    pub annotations: BTreeMap<String, String>,
}

/// The kind of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImageKind {
    /// An image.
    Image,
}

/// What an image runs on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, transform = patterns::variants)]
pub struct Platform {
    /// The operating system.
    #[schemars(regex(pattern = r"^linux$"))]
    pub os: String,
    /// The processor, as Go calls it.
    #[schemars(regex(
        pattern = r"^(386|amd64|arm|arm64|loong64|mips|mips64|mips64le|mipsle|ppc64|ppc64le|riscv64|s390x)$"
    ))]
    pub architecture: String,
    /// A version of the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^v[2-8]$"))]
    pub variant: Option<String>,
}

impl Platform {
    /// The platform written as `OS/ARCHITECTURE` or `OS/ARCHITECTURE/VARIANT`; it is not judged.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/').map(str::to_owned);
        let (os, architecture, variant) = (parts.next()?, parts.next()?, parts.next());
        parts.next().is_none().then_some(Self { os, architecture, variant })
    }

    /// The platforms whose images run on this one, the best first (NAM-023).
    ///
    /// ```
    /// use cornercast::manifest::Platform;
    ///
    /// let of = |variant: Option<&str>| Platform {
    ///     os: "linux".to_owned(),
    ///     architecture: "amd64".to_owned(),
    ///     variant: variant.map(str::to_owned),
    /// };
    /// assert_eq!(of(Some("v3")).candidates(), [of(Some("v3")), of(Some("v2")), of(None)]);
    /// ```
    #[must_use]
    pub fn candidates(&self) -> Vec<Self> {
        let own = self.variant.as_deref().and_then(|variant| variant.strip_prefix('v')?.parse::<u8>().ok());
        let variants = (2..=own.unwrap_or(0)).rev().map(|number| Some(format!("v{number}")));
        variants.chain([None]).map(|variant| Self { variant, ..self.clone() }).collect()
    }
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct App {
    /// The program and the arguments that always stand first.
    #[schemars(schema_with = "patterns::exec")]
    pub exec: Vec<String>,
    /// Further arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 1024), inner(length(max = 131_071)))]
    pub arguments: Vec<String>,
    /// Who runs it.
    pub user: User,
    /// Where it starts.
    #[serde(default = "defaults::working_directory", skip_serializing_if = "defaults::is_working_directory")]
    #[schemars(schema_with = "patterns::directory")]
    pub working_directory: String,
    /// The variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "patterns::environment")]
    pub environment: BTreeMap<String, String>,
    /// How it is stopped.
    #[serde(default, skip_serializing_if = "defaults::is_stop")]
    pub stop: Stop,
    /// Where it listens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64))]
    pub ports: Vec<Port>,
    /// Where volumes can be put.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64))]
    pub mounts: Vec<Mount>,
    /// How it is isolated.
    #[serde(default, skip_serializing_if = "defaults::is_isolation")]
    pub isolation: Isolation,
}

/// Who runs the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// User id.
    #[schemars(range(max = 4_294_967_294_u64))]
    pub uid: u32,
    /// Group id.
    #[schemars(range(max = 4_294_967_294_u64))]
    pub gid: u32,
    /// Further group ids, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "patterns::gids")]
    pub supplementary_gids: Vec<u32>,
}

/// How the program is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1))]
#[serde(rename_all = "camelCase")]
pub struct Stop {
    /// The signal that it gets.
    #[serde(default = "defaults::signal", skip_serializing_if = "defaults::is_signal")]
    #[schemars(schema_with = "patterns::signal")]
    pub signal: String,
    /// Seconds until it is killed.
    #[serde(default = "defaults::grace", skip_serializing_if = "defaults::is_grace")]
    #[schemars(schema_with = "patterns::grace")]
    pub grace_seconds: u32,
}

impl Default for Stop {
    fn default() -> Self {
        Self { signal: defaults::signal(), grace_seconds: defaults::grace() }
    }
}

/// Where the program listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Port {
    /// What it is called.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,62}$"))]
    pub name: String,
    /// `tcp` or `udp`.
    #[schemars(regex(pattern = r"^(tcp|udp)$"))]
    pub protocol: String,
    /// The number.
    #[schemars(range(min = 1))]
    pub port: u16,
}

/// Where a volume can be put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    /// What it is called.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,62}$"))]
    pub name: String,
    /// Where it is.
    #[schemars(schema_with = "patterns::mount_path")]
    pub path: String,
    /// Whether the program cannot write to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(schema_with = "patterns::only_true")]
    pub read_only: bool,
    /// Whether the program cannot start without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(schema_with = "patterns::only_true")]
    pub required: bool,
}

/// How the program is isolated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1))]
pub struct Isolation {
    /// The set of isolators that it begins with.
    #[serde(default = "defaults::level", skip_serializing_if = "defaults::is_level")]
    #[schemars(regex(pattern = r"^(open|hardened|sealed)$"))]
    pub level: String,
    /// Isolators that are stricter than the level.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "patterns::isolators")]
    pub isolators: BTreeMap<String, Isolator>,
}

impl Default for Isolation {
    fn default() -> Self {
        Self { level: defaults::level(), isolators: BTreeMap::new() }
    }
}

/// A requirement of isolation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Isolator {
    /// What is wanted.
    pub value: serde_json::Value,
    /// Whether the program cannot start without it.
    #[serde(default = "defaults::yes", skip_serializing_if = "Clone::clone")]
    #[schemars(schema_with = "patterns::only_false")]
    pub required: bool,
}

/// A digest and a size that name a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Descriptor {
    /// The digest of the blob.
    pub digest: Digest,
    /// The size of the blob in bytes.
    #[schemars(range(min = 1, max = 9_007_199_254_740_991_u64))]
    pub size: u64,
}

/// A layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Layer {
    /// The digest of the layer.
    pub digest: Digest,
    /// The size of the layer in bytes.
    #[schemars(range(min = 1, max = 1_099_511_627_776_u64))]
    pub size: u64,
    /// Its listing.
    pub listing: ListingDescriptor,
}

/// A digest and a size that name a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ListingDescriptor {
    /// The digest of the listing.
    pub digest: Digest,
    /// The size of the listing in bytes.
    #[schemars(range(min = 1, max = 268_435_456_u64))]
    pub size: u64,
}

/// The merged tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Rootfs {
    /// SHA-256 of the merged listing.
    pub digest: Digest,
    /// Its lines.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub entries: u64,
    /// Sum of the sizes of its files.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64))]
    pub size: u64,
}

/// The image that this one was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Base {
    /// Its name.
    #[schemars(schema_with = "patterns::name")]
    pub name: String,
    /// Its version.
    #[schemars(schema_with = "patterns::version")]
    pub version: String,
    /// Its image id.
    pub image: Digest,
    /// How many of the lowest layers are its.
    #[schemars(range(min = 1, max = 128))]
    pub layers: u64,
}

/// A document about the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Attachment {
    /// Its media type.
    #[serde(rename = "type")]
    #[schemars(schema_with = "patterns::media_type")]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    #[schemars(range(min = 1, max = 1_073_741_824))]
    pub size: u64,
}

/// The members' defaults.
pub(crate) mod defaults {
    use super::{Isolation, Stop};

    pub(crate) fn working_directory() -> String {
        "/".to_owned()
    }
    pub(crate) fn is_working_directory(path: &str) -> bool {
        path == "/"
    }
    pub(crate) fn signal() -> String {
        "SIGTERM".to_owned()
    }
    pub(crate) fn is_signal(signal: &str) -> bool {
        signal == "SIGTERM"
    }
    pub(crate) fn grace() -> u32 {
        10
    }
    pub(crate) fn is_grace(grace: &u32) -> bool {
        *grace == 10
    }
    pub(crate) fn is_stop(stop: &Stop) -> bool {
        *stop == Stop::default()
    }
    pub(crate) fn level() -> String {
        "separated".to_owned()
    }
    pub(crate) fn is_level(level: &str) -> bool {
        level == "separated"
    }
    pub(crate) fn is_isolation(isolation: &Isolation) -> bool {
        *isolation == Isolation::default()
    }
    pub(crate) fn yes() -> bool {
        true
    }
}
