//! What comes of verifying.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::policy::Mode;
use super::types::KeyringPin;
use crate::digest::Digest;
use crate::manifest::Platform;

/// Why nothing is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Rejection {
    /// The clause that stands in the way.
    pub clause: &'static str,
    /// Why, as a sentence without a full stop.
    pub reason: String,
    /// The file of the store that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub file: Option<String>,
}

impl Rejection {
    /// A rejection by `clause`.
    pub fn new(clause: &'static str, reason: impl Into<String>) -> Self {
        Self { clause, reason: reason.into(), file: None }
    }

    /// The same about a file of the store.
    #[must_use]
    pub fn in_file(mut self, path: &str) -> Self {
        self.file.get_or_insert_with(|| path.to_owned());
        self
    }
}

/// Where, why, and the clause.
impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(formatter, "{file}: ")?;
        }
        write!(formatter, "{} [{}]", self.reason, self.clause)
    }
}

/// The image that is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Accepted {
    /// Its id.
    pub image: Digest,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it runs on.
    pub platform: Platform,
}

/// What was looked at on the way to a verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Evidence {
    /// The prefix of the policy's rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub rule: Option<String>,
    /// The mode of the policy's rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Mode")]
    pub mode: Option<Mode>,
    /// The last keyring that was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "KeyringPin")]
    pub keyring: Option<KeyringPin>,
    /// The serial of the catalog that was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub catalog: Option<u64>,
    /// The envelope that was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Digest")]
    pub envelope: Option<Digest>,
    /// The key ids of the signatures that were counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<String>,
    /// The time before which the envelope existed, as the log proves.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub proven: Option<String>,
}

/// What comes of verifying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The image, or why none is accepted.
    pub outcome: Result<Accepted, Rejection>,
    /// What was looked at.
    pub evidence: Evidence,
}

/// Whether an image is accepted, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VerdictWord {
    /// It is.
    Accepted,
    /// It is not.
    Rejected,
}

/// A verdict, as `cornercast verify --json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VerdictDocument {
    /// What came of it.
    pub verdict: VerdictWord,
    /// What was asked for.
    pub reference: String,
    /// The time that decided, if it was not the clock's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::manifest::patterns::time")]
    pub at: Option<String>,
    /// The image that is accepted.
    #[serde(flatten)]
    pub accepted: Option<Accepted>,
    /// Why none is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Rejection")]
    pub rejected: Option<Rejection>,
    /// What was looked at.
    pub evidence: Evidence,
}
