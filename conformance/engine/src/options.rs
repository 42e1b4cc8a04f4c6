//! Instance options: what whoever starts an image says beside it.

use std::collections::BTreeMap;

use cornercast::json::{self, Form};
use cornercast::limits::Limits;
use cornercast::manifest::{Isolator, LEVELS, judge_isolator_name};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::refusal::Reason;

/// The most bytes that a document of instance options can have (RUN-006).
pub const LIMIT: u64 = 1 << 20;

/// A document of instance options.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The instance id; by default the engine makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = r"^[a-z0-9][a-z0-9-]{0,62}$"))]
    pub instance: Option<String>,
    /// What stands in the place of the image's `exec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>", length(min = 1, max = 1024), inner(length(max = 131_071)))]
    pub exec: Option<Vec<String>>,
    /// What stands in the place of the image's `arguments`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>", length(max = 1024), inner(length(max = 131_071)))]
    pub arguments: Option<Vec<String>>,
    /// Variables beside those of the image, or in their place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = {"pattern": "^[!-<>-~]{1,255}$", "not": {"pattern": "^CORNERCAST_"}}))]
    pub environment: BTreeMap<String, String>,
    /// The hostname; by default the instance id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub hostname: Option<String>,
    /// What is put at the mounts of the image, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = {"pattern": "^[a-z][a-z0-9-]{0,62}$"}))]
    pub volumes: BTreeMap<String, Volume>,
    /// What is stricter than the image has it.
    #[serde(default, skip_serializing_if = "Isolation::is_empty")]
    pub isolation: Isolation,
}

/// A volume: a directory of the host, or an empty one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, untagged)]
pub enum Volume {
    /// A directory of the host.
    #[serde(rename_all = "camelCase")]
    Directory {
        /// Its path, absolute.
        #[schemars(regex(pattern = r"^/"), length(max = 4095))]
        source: String,
        /// Whether the application cannot write to it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        read_only: bool,
    },
    /// An empty directory, which is removed with the instance.
    Empty {
        /// Always `true`.
        #[schemars(extend("const" = true))]
        empty: bool,
    },
}

/// What is stricter than the image has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Isolation {
    /// The least level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = r"^(open|separated|hardened|sealed)$"))]
    pub level: Option<String>,
    /// Isolators.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[serde(deserialize_with = "isolators")]
    #[schemars(with = "BTreeMap<String, Asked>")]
    pub isolators: BTreeMap<String, Isolator>,
}

/// An isolator, with `required` also where it is `true`, which a manifest leaves out.
// The type of a manifest takes any members: of these, whoever reads one reports the others.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// What is wanted.
    value: serde_json::Value,
    /// Whether the application cannot start without it.
    #[serde(default = "yes")]
    required: bool,
}

fn isolators<'a, D: Deserializer<'a>>(from: D) -> Result<BTreeMap<String, Isolator>, D::Error> {
    let asked = BTreeMap::<String, Asked>::deserialize(from)?;
    let isolator = |Asked { value, required }| Isolator { value, required };
    Ok(asked.into_iter().map(|(name, asked)| (name, isolator(asked))).collect())
}

fn yes() -> bool {
    true
}

impl Isolation {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Reads a document of instance options.
///
/// # Errors
///
/// Why it is refused: its form (RUN-006).
pub fn read(source: &[u8]) -> Result<Options, Reason> {
    let form = |message: String| Reason::new("RUN-006", format!("the instance options: {message}"));
    if source.len() as u64 > LIMIT {
        return Err(form(format!("{} bytes; they can have {LIMIT}", source.len())));
    }
    if let Some(violation) = json::read(source, Form::Strict, &Limits::FORMAT).violations.first() {
        return Err(form(violation.message.clone()));
    }
    serde_json::from_slice(source).map_err(|error| form(error.to_string()))
}

/// What is wrong with the values (RUN-006 to RUN-010).
#[must_use]
pub(crate) fn judge(options: &Options) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if let Some(id) = &options.instance
        && !is_instance_id(id)
    {
        let message = format!("the instance id {id:?} is not 1 to 63 of `a` to `z`, `0` to `9` and, not first, `-`");
        reasons.push(Reason::new("RUN-007", message));
    }
    if let Some(hostname) = &options.hostname
        && (!is_instance_id(hostname) || hostname.ends_with('-'))
    {
        let message = format!(
            "the hostname {hostname:?} is not 1 to 63 of `a` to `z`, `0` to `9` and, neither first nor last, `-`"
        );
        reasons.push(Reason::new("RUN-008", message));
    }
    for (name, value) in &options.environment {
        if let Err(message) = judge_variable(name, value) {
            reasons.push(Reason::new("RUN-009", message));
        }
    }
    for (name, all) in [("arguments", &options.arguments), ("exec", &options.exec)] {
        let count = all.as_ref().map_or(0, Vec::len);
        if count > 1024 {
            let message = format!("`{name}` has {count} elements; it can have 1024");
            reasons.push(Reason::new("RUN-010", message));
        }
    }
    // As of a manifest (MAN-013, MAN-014).
    if let Some(exec) = &options.exec
        && !exec.first().is_some_and(|program| is_clean(program))
    {
        let message = format!("the program {:?} in `exec` is no path that is absolute and clean", exec.first());
        reasons.push(Reason::new("RUN-010", message));
    }
    let all = options.arguments.iter().flatten().chain(options.exec.iter().flatten());
    for argument in all.filter(|argument| argument.len() > 131_071) {
        let message = format!("an argument has {} bytes; it can have 131071", argument.len());
        reasons.push(Reason::new("RUN-010", message));
    }
    if let Some(level) = &options.isolation.level
        && !LEVELS.contains(&level.as_str())
    {
        let message = format!("the isolation level {level:?} is none of {}", LEVELS.join(", "));
        reasons.push(Reason::new("RUN-006", message));
    }
    for name in options.isolation.isolators.keys() {
        if let Err(error) = judge_isolator_name(name, &Limits::FORMAT) {
            reasons.push(Reason::new("RUN-006", error.to_string()));
        }
    }
    for (name, volume) in &options.volumes {
        match volume {
            Volume::Directory { source, .. } if !is_clean(source) => {
                let message =
                    format!("the source {source:?} of the volume `{name}` is no path that is absolute and clean");
                reasons.push(Reason::new("RUN-006", message));
            }
            Volume::Empty { empty: false } => {
                let message = format!("the volume `{name}` has `empty`: false; it is true or left out");
                reasons.push(Reason::new("RUN-006", message));
            }
            _ => {}
        }
    }
    reasons
}

/// Whether `id` can name an instance: `[a-z0-9][a-z0-9-]{0,62}`.
#[must_use]
pub fn is_instance_id(id: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    id.len() <= 63
        && id.bytes().next().is_some_and(is_alphanumeric)
        && id.bytes().all(|byte| is_alphanumeric(byte) || byte == b'-')
}

/// Whether a path is absolute, and has no component that is empty, `.` or `..`: its last one says what is meant.
fn is_clean(path: &str) -> bool {
    let below = path.strip_prefix('/');
    below.is_some_and(|below| below.is_empty() || below.split('/').all(|part| !["", ".", ".."].contains(&part)))
}

/// The same as for the variables of an image (MAN-022 to MAN-025).
fn judge_variable(name: &str, value: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > 255 || !name.bytes().all(|byte| (0x21..=0x7E).contains(&byte) && byte != b'=') {
        return Err(format!("the variable {name:?} is not 1 to 255 bytes from 0x21 to 0x7E other than `=`"));
    }
    if name.starts_with("CORNERCAST_") {
        return Err(format!("the variable `{name}` begins with `CORNERCAST_`; the engine itself sets these"));
    }
    if name.len() + 1 + value.len() > 131_071 {
        return Err(format!("the variable `{name}` and its value have more than 131071 bytes"));
    }
    Ok(())
}
