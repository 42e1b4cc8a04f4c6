//! A case: an input, what it tests, and what is expected of an implementation.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{Operation, Outcome, Role};

/// The content of a `case.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Case {
    /// The clauses that the case tests.
    pub clauses: Vec<String>,
    /// Why the case is there, in one sentence.
    pub why: String,
    /// What an implementation has to be to run it: `validate`, `build`, `unpack` or `verify`.
    pub role: Role,
    /// What it is asked to do; left out if that is `check`.
    #[serde(default, skip_serializing_if = "Operation::is_check")]
    pub operation: Operation,
    /// What the operation is told besides, such as the `name` of an image that is imported.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// The file or directory beside `case.json` that is the input; absent if a recipe makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The symbolic links of a store that are made when the case is run, with what they lead to: a link
    /// in a working copy would not survive everywhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, String>,
    /// The files of a bundle that get their execute bits when the case is run, as not every working copy keeps them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub executables: BTreeSet<String>,
    /// What makes the input when the case is run, where it is too large to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
    /// The number up to which the store of a verifier gets keyrings when the case is run, each as the first one but for
    /// its number: too many to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyrings: Option<u64>,
    /// How the file `policy.json` beside `case.json` is given to a verifier, if not as a file of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyFile>,
    /// The kind of the input, as `cornercast check --as` calls it.
    #[serde(rename = "as")]
    pub kind: String,
    /// What is expected.
    pub expect: Expectation,
    /// Rows of a catalogue of hostile inputs that the case covers, such as `T42`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corpus: Vec<String>,
    /// Vulnerabilities of the same class, by CVE or advisory number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cve: Vec<String>,
}

/// What the policy of a case is on the disk, where it is not to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyFile {
    /// A symbolic link to the file.
    Link,
    /// A file that the group can write.
    GroupWritable,
    /// A file that everybody can write.
    WorldWritable,
    /// A directory.
    Directory,
    /// Nothing.
    Missing,
}

/// What is expected of an implementation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Accepted or rejected, completed or refused: this is judged.
    pub verdict: Verdict,
    /// The digest of what is made, where the operation is completed and makes a document: this is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The digest of the listing of the tree that is made, where it makes one: this is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
    /// The folder beside `case.json` with the files of the state that a verifier has afterwards: this is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What the reference says, with place: this is judged for the reference only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Expected>,
}

/// What comes of a case: the verdict of a validator, or whether something was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// No clause with MUST is broken.
    Accepted,
    /// One is, or the input is unsupported.
    Rejected,
    /// It was made.
    Completed,
    /// It was not, and nothing is left of it.
    Refused,
}

impl Verdict {
    /// The verdict as an outcome of the protocol.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Accepted => Outcome::Accepted,
            Self::Rejected => Outcome::Rejected,
            Self::Completed => Outcome::Completed,
            Self::Refused => Outcome::Refused,
        }
    }
}

/// A finding of the reference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The clause.
    pub id: String,
    /// The file in the store or archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The path of the tar entry or listing line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// The JSON pointer of the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The offset of the first byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

/// An input that is made when a case is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The bytes of the input: each part repeated.
    pub parts: Vec<Part>,
}

/// A part of a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The text of the part, as it is. `{n}` becomes the number of the repetition from 0, in 7 digits;
    /// `{c}` becomes its last 15 binary digits, `Aa` for 0 and `BB` for 1. Such texts ascend, and all
    /// have the same hash wherever a hash is computed like that of Java's strings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The bytes of the part in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
    /// A tar header of an empty file with the path `{n}` in 7 digits, as [`Part::text`] has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tar: Option<String>,
    /// How often the part stands.
    pub times: u64,
}
