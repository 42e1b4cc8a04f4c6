//! The adapter protocol: what the suite and an adapter say to each other.
//!
//! An adapter is a program that puts the suite's cases to an implementation. The suite starts it once
//! a message, writes one line of JSON to its standard input, closes that, and reads one line from its
//! standard output. One that has sessions is started once for many messages, and ends after the last of
//! them, `{"message":"bye"}`:
//!
//! ```text
//! → {"message":"hello","protocol":1}
//! ← {"message":"hello","protocol":1,"name":"mine","version":"2.0","roles":["validate"]}
//!
//! → {"message":"run","seq":7,"role":"validate","operation":"check","input":"/cases/LAY-001/rejected-empty/layer.tar","as":"layer","scratch":"/tmp/x/7"}
//! ← {"seq":7,"outcome":"rejected","ids":["LAY-001"]}
//!
//! → {"message":"run","seq":8,"role":"unpack","operation":"unpack","input":"/cases/LST-024/completed-file/image.ccast","as":"archive","output":"/tmp/x/8/output","scratch":"/tmp/x/8/adapter"}
//! ← {"seq":8,"outcome":"completed"}
//!
//! → {"message":"run","seq":9,"role":"run","operation":"run","input":"/tmp/x/9/image","as":"archive","options":{"input":"/tmp/x/9/input","instance-options":"/tmp/x/9/options.json"},"output":"/tmp/x/9/output","scratch":"/tmp/x/9/adapter"}
//! ← {"seq":9,"outcome":"completed"}
//! ```
//!
//! What is made is not told: the suite looks at it ([`crate::made`], [`crate::run`]).
//!
//! The schemas of these messages are made from the types, and the suite holds both directions against
//! them. Timeouts, crashes, standard error and limits are the suite's business, never the adapter's.

use std::collections::BTreeMap;

use cornercast::json::{self, Form};
use cornercast::limits::Limits;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema;

/// The version of the protocol.
pub const PROTOCOL: u32 = 1;

/// Bytes that an adapter can write to its standard output in answer to one message.
pub const OUTPUT_LIMIT: usize = 1 << 20;

/// What the suite says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "message", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    /// Who are you?
    Hello {
        /// The version of the protocol that the suite speaks.
        protocol: u32,
    },
    /// Do this.
    Run {
        /// The number of the message, which the answer repeats.
        seq: u64,
        /// The role that is tested.
        role: Role,
        /// What to do.
        operation: Operation,
        /// The input, an absolute path of a file or directory; it is not to be written to.
        input: String,
        /// The kind of the input, as `cornercast check --as` calls it.
        #[serde(rename = "as")]
        kind: String,
        /// What the operation is told besides.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        options: BTreeMap<String, String>,
        /// Where the result goes, an absolute path with nothing there yet; absent if nothing is made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        output: Option<String>,
        /// An empty directory for whatever the adapter needs, an absolute path.
        scratch: String,
    },
    /// That was all. There is no answer; the adapter ends.
    Bye {},
}

impl Request {
    /// The number of the message; 0 if it has none.
    #[must_use]
    pub fn seq(&self) -> u64 {
        match self {
            Self::Run { seq, .. } => *seq,
            Self::Hello { .. } | Self::Bye {} => 0,
        }
    }
}

/// What an implementation can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Decides whether an input meets the specification.
    Validate,
    /// Makes images.
    Build,
    /// Makes a file tree from an image.
    Unpack,
    /// Decides whether an image is trusted.
    Verify,
    /// Finds an image from a reference and fetches it.
    Resolve,
    /// Runs an image.
    Run,
    /// Verifies proofs of identity.
    Identity,
    /// Makes containers of OCI bundles, by its command line.
    Runtime,
}

impl Role {
    /// The name of the role.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Build => "build",
            Self::Unpack => "unpack",
            Self::Verify => "verify",
            Self::Resolve => "resolve",
            Self::Run => "run",
            Self::Identity => "identity",
            Self::Runtime => "runtime",
        }
    }
}

/// What an adapter is asked to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Say whether the input is accepted.
    #[default]
    Check,
    /// Make the file tree of an image, in a directory.
    Unpack,
    /// Make a store of an image of another format.
    Import,
    /// Make an OCI image layout, a directory, of an image.
    Export,
    /// Make an OCI runtime bundle, a directory, of an image.
    Bundle,
    /// Run the application of an image, and keep what comes of it in a directory.
    Run,
    /// Say whether an image of a store is trusted.
    Verify,
}

impl Operation {
    /// The name of the operation.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Unpack => "unpack",
            Self::Import => "import",
            Self::Export => "export",
            Self::Bundle => "bundle",
            Self::Run => "run",
            Self::Verify => "verify",
        }
    }

    /// Whether it is the usual one, which cases do not name.
    // Serde wants a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    #[must_use]
    pub fn is_check(&self) -> bool {
        *self == Self::Check
    }

    /// The role that does this.
    #[must_use]
    pub fn role(self) -> Role {
        match self {
            Self::Check => Role::Validate,
            Self::Unpack => Role::Unpack,
            Self::Import | Self::Export | Self::Bundle => Role::Build,
            Self::Run => Role::Run,
            Self::Verify => Role::Verify,
        }
    }

    /// Whether the answer is a verdict, and nothing is made.
    #[must_use]
    pub fn is_verdict(self) -> bool {
        matches!(self, Self::Check | Self::Verify)
    }

    /// Whether files are made that belong to users of the image, which only root can do.
    #[must_use]
    pub fn needs_root(self) -> bool {
        matches!(self, Self::Unpack | Self::Bundle)
    }
}

/// The answer to `hello`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// Always `hello`.
    pub message: HelloMessage,
    /// The version of the protocol that the adapter speaks.
    pub protocol: u32,
    /// The name of the implementation.
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    /// Its version.
    #[schemars(length(min = 1, max = 64))]
    pub version: String,
    /// Where to read about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub homepage: Option<String>,
    /// Where to report bugs of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub issues: Option<String>,
    /// What it is: only cases of these roles are put to it.
    #[schemars(length(min = 1))]
    pub roles: Vec<Role>,
    /// Whether one process answers one message after another, until `bye`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sessions: bool,
}

/// The one message that an adapter names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HelloMessage {
    /// The answer to `hello`.
    Hello,
}

/// The answer to `run`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The number of the message that this answers.
    pub seq: u64,
    /// What came of it: this is judged.
    pub outcome: Outcome,
    /// What sort of defect it is: recorded, not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Class")]
    pub class: Option<Class>,
    /// The clauses that are broken, or what the implementation has in their place: recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// Why, in words: recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub reason: Option<String>,
}

/// What came of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The input meets the specification.
    Accepted,
    /// It does not.
    Rejected,
    /// What was asked is done.
    Completed,
    /// The implementation knows better than to do it.
    Refused,
    /// The adapter does not do this; the reason says why.
    Skipped,
    /// It could not be done; the reason says why.
    Errored,
}

impl Outcome {
    /// The name of the outcome.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Completed => "completed",
            Self::Refused => "refused",
            Self::Skipped => "skipped",
            Self::Errored => "errored",
        }
    }
}

/// What sort of defect an input has, coarse enough for any implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// It cannot be read.
    Syntax,
    /// A member is missing, unknown or of the wrong type.
    Schema,
    /// It can be read, and means something that it must not mean.
    Semantics,
    /// Two parts do not fit together: a digest, a size.
    Integrity,
    /// A signature does not hold.
    Signature,
    /// A policy forbids it.
    Policy,
    /// It exceeds a limit.
    Limit,
    /// It is beyond what the implementation knows.
    Unsupported,
}

/// Reads and writes messages, each held against its schema.
#[derive(Debug)]
pub struct Codec {
    request: jsonschema::Validator,
    hello: jsonschema::Validator,
    answer: jsonschema::Validator,
}

impl Codec {
    /// A codec with the schemas of this protocol.
    ///
    /// # Errors
    ///
    /// A schema that is none, which is a bug of the suite.
    pub fn new() -> Result<Self, String> {
        Ok(Self {
            request: schema::validator("adapter-request")?,
            hello: schema::validator("adapter-hello")?,
            answer: schema::validator("adapter-answer")?,
        })
    }

    /// The line of a request, with its newline.
    ///
    /// # Errors
    ///
    /// A request that its schema does not allow, which is a bug of the suite.
    pub fn write(&self, request: &Request) -> Result<String, String> {
        let value = serde_json::to_value(request).map_err(|error| error.to_string())?;
        judge(&self.request, &value)?;
        let line = serde_json::to_string(request).map_err(|error| error.to_string())?;
        Ok(format!("{line}\n"))
    }

    /// An answer to `hello`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn read_hello(&self, output: &[u8]) -> Result<Hello, String> {
        let hello: Hello = read(&self.hello, output)?;
        if hello.protocol != PROTOCOL {
            return Err(format!("the adapter speaks version {} of the protocol, not {PROTOCOL}", hello.protocol));
        }
        Ok(hello)
    }

    /// An answer to the request `seq`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn read_answer(&self, output: &[u8], seq: u64) -> Result<Answer, String> {
        let answer: Answer = read(&self.answer, output)?;
        if answer.seq != seq {
            return Err(format!("the answer has the seq {}, not {seq}", answer.seq));
        }
        Ok(answer)
    }
}

/// Reads the one line of an output: strict JSON, as the specification has it, that its schema allows.
fn read<T: DeserializeOwned>(schema: &jsonschema::Validator, output: &[u8]) -> Result<T, String> {
    let line = output.strip_suffix(b"\n").unwrap_or(output);
    if line.is_empty() {
        return Err("the adapter answered nothing".to_owned());
    }
    if line.contains(&b'\n') {
        return Err("the adapter answered more than one line".to_owned());
    }
    if let Some(violation) = json::read(line, Form::Strict, &Limits::FORMAT).violations.first() {
        return Err(format!("the answer is not strict JSON: {}", violation.message));
    }
    let value: Value = serde_json::from_slice(line).map_err(|error| format!("the answer is not JSON: {error}"))?;
    judge(schema, &value)?;
    serde_json::from_value(value).map_err(|error| format!("the answer is not what the protocol says: {error}"))
}

fn judge(schema: &jsonschema::Validator, value: &Value) -> Result<(), String> {
    schema::judge(schema, value).map_err(|why| format!("the message is not what the protocol says{why}"))
}
