//! What an engine says of an instance: the run report and the isolation report.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cornercast::json::to_canonical;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::refusal::Reason;

/// The names of the documents in the directory for reports (RUN-094, RUN-098).
pub const RUN_REPORT: &str = "run-report.json";
/// See [`RUN_REPORT`].
pub const ISOLATION_REPORT: &str = "isolation-report.json";

/// The content of `run-report.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RunReport {
    /// The format version, `1.0`.
    #[schemars(regex(pattern = r"^1\.0$"))]
    pub cornercast: String,
    /// `run-report`.
    #[schemars(regex(pattern = r"^run-report$"))]
    pub kind: String,
    /// What ran it.
    pub engine: Engine,
    /// The instance id; absent if the options give none that is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = r"^[a-z0-9][a-z0-9-]{0,62}$"))]
    pub instance: Option<String>,
    /// The image id, as the engine has hashed it; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = r"^sha256:[0-9a-f]{64}$"))]
    pub image: Option<String>,
    /// The argument vector that the program was executed with; absent if the application has not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    pub arguments: Option<Vec<String>>,
    /// What came of it.
    pub outcome: Outcome,
    /// The exit code of an application that exited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u8")]
    pub exit_code: Option<u8>,
    /// The signal that ended it, such as `SIGKILL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub signal: Option<String>,
    /// Whether the engine sent SIGKILL; left out if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("const" = true))]
    pub killed: bool,
    /// Why it was refused or failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub reasons: Vec<Reason>,
}

/// What ran an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it leaves the isolation to, with the version, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub backend: Option<String>,
}

/// What came of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The application ended with an exit code.
    Exited,
    /// A signal ended it.
    Signaled,
    /// It was not started, for a reason that was known before.
    Refused,
    /// It could not be started.
    Failed,
}

impl Outcome {
    /// The name of the outcome.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exited => "exited",
            Self::Signaled => "signaled",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// The content of `isolation-report.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IsolationReport {
    /// The format version, `1.0`.
    #[schemars(regex(pattern = r"^1\.0$"))]
    pub cornercast: String,
    /// `isolation-report`.
    #[schemars(regex(pattern = r"^isolation-report$"))]
    pub kind: String,
    /// The level; absent if the application has not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = r"^(open|separated|hardened|sealed)$"))]
    pub level: Option<String>,
    /// Each isolator that is asked for, by name; empty if the application has not begun.
    pub isolators: Vec<Row>,
}

/// What became of an isolator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// The value that is asked for.
    pub asked: Value,
    /// Whether it could not have been left out.
    pub required: bool,
    /// Whether it is in force.
    pub verdict: Verdict,
    /// By what, in words; or why not.
    pub mechanism: String,
}

/// Whether an isolator is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is.
    Enforced,
    /// Something stricter is.
    Exceeded,
    /// It is not, and it is not required.
    NotEnforced,
}

/// Removes reports of an earlier run, so that none is taken for one of this run.
///
/// # Errors
///
/// Errors of the file system.
pub fn remove_old(folder: &Path) -> io::Result<()> {
    for name in [RUN_REPORT, ISOLATION_REPORT] {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result.map_err(|error| io::Error::new(error.kind(), format!("the old {name}: {error}")))?,
        }
    }
    Ok(())
}

/// Writes a document in canonical form into `folder`, whole or not at all.
///
/// # Errors
///
/// Errors of the file system.
pub fn write(folder: &Path, name: &str, document: &impl Serialize) -> io::Result<()> {
    let value = serde_json::to_value(document)?;
    let bytes = to_canonical(&value).ok_or_else(|| io::Error::other("the report has no canonical form"))?;
    let permissions = Permissions::from_mode(0o644);
    let mut file = tempfile::Builder::new().prefix(".report-").permissions(permissions).tempfile_in(folder)?;
    file.write_all(&bytes)?;
    file.persist(folder.join(name)).map(drop).map_err(|error| error.error)
}
