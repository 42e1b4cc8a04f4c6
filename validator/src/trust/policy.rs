//! Policies (POL-001 to POL-017): whom an operator trusts.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::key::{KeyId, PublicKey};
use super::keyring::longest;
use super::patterns;
use super::reading::Presence::{Optional, Required};
use super::reading::{At, Reading, Table, Type, value};
use super::types::KeyringPin;
use crate::clause;
use crate::diagnostic::Violation;
use crate::digest::Digest;
use crate::json::{Form, Value};
use crate::limits::Limits;
use crate::manifest::LEVELS;
use crate::name::{judge_digest, judge_host, judge_name};
use crate::shown::quoted;

/// Whom an operator trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Policy {
    /// The rules, in any order.
    pub rules: Vec<PolicyRule>,
}

/// What is accepted of the names below a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PolicyRule {
    /// The names that the rule is for.
    #[schemars(schema_with = "patterns::policy_prefix")]
    pub prefix: String,
    /// Whether signatures are needed.
    pub mode: Mode,
    /// The keyring that is trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyring: Option<KeyringPin>,
    /// The keys that are trusted, in place of a keyring.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), inner(regex(pattern = r"^ed25519:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$")))]
    pub keys: Vec<String>,
    /// How many of `keys` have to sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16))]
    pub threshold: Option<u64>,
    /// The greatest age of a catalog, which is always asked for, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 9_007_199_254_740_991_u64))]
    pub freshness: Option<u64>,
    /// The log in which releases have to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Log>,
    /// The only image ids that are accepted, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub pin: Vec<Digest>,
    /// The lowest isolation level at which images are run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(open|separated|hardened|sealed)$"))]
    pub isolation: Option<String>,
    /// Whether the isolation level `open` is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
    /// Whether options of an instance can replace `exec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<bool>,
}

/// Whether signatures are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They are.
    Require,
    /// They are not.
    Unsigned,
    /// Nothing is accepted.
    Deny,
}

/// A log in which releases have to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Log {
    /// Its origin, which is also the name of its key.
    #[schemars(schema_with = "patterns::note_name")]
    pub origin: String,
    /// Its public key.
    #[schemars(schema_with = "patterns::key")]
    pub key: String,
    /// Who watches it.
    #[schemars(length(min = 1))]
    pub witnesses: Vec<Witness>,
    /// How many of them have to sign.
    #[schemars(range(min = 1))]
    pub quorum: u64,
}

/// Somebody who watches a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Witness {
    /// The name of the key.
    #[schemars(schema_with = "patterns::note_name")]
    pub name: String,
    /// The public key.
    #[schemars(schema_with = "patterns::key")]
    pub key: String,
}

const POLICY: &Table = &[("rules", Type::Objects, Required)];
const RULE: &Table = &[
    ("prefix", Type::Text, Required),
    ("mode", Type::Text, Required),
    ("keyring", Type::Object, Optional),
    ("keys", Type::Texts, Optional),
    ("threshold", Type::Integer, Optional),
    ("freshness", Type::Integer, Optional),
    ("log", Type::Object, Optional),
    ("pin", Type::Texts, Optional),
    ("isolation", Type::Text, Optional),
    ("open", Type::Boolean, Optional),
    ("exec", Type::Boolean, Optional),
];
/// The members of a rule that depend on its mode, and the modes that have them.
const MODES: &[(&str, &[&str])] = &[
    ("keyring", &["require"]),
    ("keys", &["require"]),
    ("threshold", &["require"]),
    ("freshness", &["require"]),
    ("log", &["require"]),
    ("pin", &["require", "unsigned"]),
    ("isolation", &["require", "unsigned"]),
    ("open", &["require", "unsigned"]),
    ("exec", &["require", "unsigned"]),
];
const LOG: &Table = &[
    ("origin", Type::Text, Required),
    ("key", Type::Text, Required),
    ("witnesses", Type::Objects, Required),
    ("quorum", Type::Integer, Required),
];
const WITNESS: &Table = &[("name", Type::Text, Required), ("key", Type::Text, Required)];

/// Judges a policy; it is there if no clause is broken.
#[must_use]
pub fn check_policy(source: &[u8], limits: &Limits) -> (Option<Policy>, Vec<Violation>) {
    let violations = Reading::of(source, Form::Strict, (limits, limits), &clause::POL_001, |reading, root| {
        reading.object(root, POLICY);
        let rules = root.list("rules");
        for rule in &rules {
            judge_rule(reading, rule);
        }
        let prefixes = rules.iter().filter_map(|rule| rule.text("prefix")).map(|(at, prefix)| (prefix, at));
        reading.distinct(&clause::POL_003, prefixes, "another rule has this prefix");
    });
    (value(source, &violations), violations)
}

fn judge_rule(reading: &mut Reading<'_>, rule: &At<'_>) {
    reading.object(rule, RULE);
    if let Some((at, prefix)) = rule.text("prefix") {
        // POL-002
        let broken =
            if prefix.contains('/') { judge_name(prefix, reading.limits) } else { judge_host(prefix, reading.limits) };
        if let Some((_, why)) = broken.first().filter(|_| !prefix.is_empty()) {
            reading.report(&clause::POL_002, &at, format!("{} is no prefix of names: {why}", quoted(prefix)));
        }
    }
    judge_mode(reading, rule);
    reading.keyring_pin(rule);
    for name in ["keys", "pin"] {
        // POL-009
        if let Some(at) = rule.get(name).filter(|at| matches!(&at.node.value, Value::Array(all) if all.is_empty())) {
            reading.report(&clause::POL_009, &at, format!("`{name}` is empty"));
        }
    }
    let keys = rule.list("keys");
    if !keys.is_empty() {
        // POL-011
        let most = keys.len().min(reading.limits.signatures);
        reading.threshold(rule, &clause::POL_011, most);
    }
    if let Some((at, freshness)) = rule.integer("freshness").filter(|(_, freshness)| *freshness < 1) {
        reading.report(&clause::POL_012, &at, format!("the freshness is {freshness}, not 1 or more"));
    }
    let pin = rule.list("pin");
    for at in &pin {
        for (clause, message) in at.node.as_str().map(judge_digest).unwrap_or_default() {
            reading.report(clause, at, message);
        }
    }
    reading.ascending(&clause::POL_016, &pin, "image id", |at| Some(at.node.as_str()?.as_bytes().to_vec()));
    if let Some((at, level)) = rule.text("isolation").filter(|(_, level)| !LEVELS.contains(level)) {
        reading.report(&clause::POL_017, &at, format!("there is no isolation level {}", quoted(level)));
    }
    let log = rule.get("log");
    let mut named: Vec<At<'_>> = keys;
    if let Some(log) = &log {
        judge_log(reading, log);
        named.extend(log.get("key"));
        named.extend(log.list("witnesses").iter().filter_map(|witness| witness.get("key")));
    }
    let mut distinct = Vec::new();
    for at in named {
        if let Some(key) = at.node.as_str().and_then(|text| reading.key(&at, text)) {
            distinct.push((key.id(), at));
        }
    }
    reading.distinct(&clause::POL_010, distinct, "the key stands twice in the rule");
}

/// POL-004 to POL-008
fn judge_mode(reading: &mut Reading<'_>, rule: &At<'_>) {
    let Some((at, mode)) = rule.text("mode") else { return };
    if !["require", "unsigned", "deny"].contains(&mode) {
        reading.report(&clause::POL_004, &at, format!("there is no mode {}", quoted(mode)));
        return;
    }
    for (name, modes) in MODES.iter().filter(|(_, modes)| !modes.contains(&mode)) {
        if let Some(at) = rule.get(name) {
            let with = modes.join("` or `");
            reading.report(
                &clause::POL_005,
                &at,
                format!("`{name}` belongs to the mode `{with}`, and this is `{mode}`"),
            );
        }
    }
    let has = |name: &str| rule.get(name).is_some();
    if mode == "require" && has("keyring") == has("keys") {
        let which = if has("keys") { "both `keyring` and `keys`" } else { "neither `keyring` nor `keys`" };
        reading.report(&clause::POL_006, rule, format!("the rule has {which}"));
    }
    if mode == "require" && has("keys") != has("threshold") {
        let (there, missing) = if has("keys") { ("keys", "threshold") } else { ("threshold", "keys") };
        reading.report(&clause::POL_007, rule, format!("the rule has `{there}` and no `{missing}`"));
    }
    if rule.text("prefix").is_some_and(|(_, prefix)| prefix.is_empty()) {
        if mode == "unsigned" {
            reading.report(&clause::POL_008, &at, "the mode `unsigned` is given for all names there are".to_owned());
        }
        if let Some(at) = rule.get("keyring").filter(|_| mode == "require") {
            reading.report(&clause::POL_008, &at, "no authority belongs to the empty prefix".to_owned());
        }
    }
}

/// POL-013 to POL-015
fn judge_log(reading: &mut Reading<'_>, log: &At<'_>) {
    reading.object(log, LOG);
    let witnesses = log.list("witnesses");
    let mut names: Vec<At<'_>> = log.get("origin").into_iter().collect();
    for witness in &witnesses {
        reading.object(witness, WITNESS);
        names.extend(witness.get("name"));
    }
    for at in &names {
        if let Some(name) = at.node.as_str().filter(|name| !is_note_name(name)) {
            reading.report(&clause::POL_013, at, format!("{} is no name of a log or witness", quoted(name)));
        }
    }
    let names = names.into_iter().filter_map(|at| Some((at.node.as_str()?, at)));
    reading.distinct(&clause::POL_014, names, "the name stands twice");
    if let Some((at, quorum)) = log.integer("quorum")
        && log.get("witnesses").is_some_and(|at| matches!(at.node.value, Value::Array(_)))
        && !usize::try_from(quorum).is_ok_and(|quorum| (1..=witnesses.len()).contains(&quorum))
    {
        let message = match witnesses.len() {
            0 => "there is no witness".to_owned(),
            count => format!("the quorum is {quorum}, not from 1 to {count}"),
        };
        reading.report(&clause::POL_015, &at, message);
    }
}

/// Whether `text` can be the name of the key of a log or witness (POL-013, LOG-006, LOG-008).
pub(crate) fn is_note_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+')
}

impl Policy {
    /// The rule for a name (POL-020).
    #[must_use]
    pub fn rule(&self, name: &str) -> Option<&PolicyRule> {
        longest(self.rules.iter().map(|rule| (rule.prefix.as_str(), rule)), name)
    }
}

impl PolicyRule {
    /// The rule that accepts nothing.
    #[must_use]
    pub fn deny() -> Self {
        Self {
            prefix: String::new(),
            mode: Mode::Deny,
            keyring: None,
            keys: Vec::new(),
            threshold: None,
            freshness: None,
            log: None,
            pin: Vec::new(),
            isolation: None,
            open: None,
            exec: None,
        }
    }

    /// The keys of the rule by their ids.
    #[must_use]
    pub fn keys(&self) -> BTreeMap<KeyId, PublicKey> {
        self.keys.iter().filter_map(|text| PublicKey::parse(text).ok()).map(|key| (key.id(), key)).collect()
    }
}

impl Log {
    /// The key ids of the log and its witnesses.
    #[must_use]
    pub fn key_ids(&self) -> BTreeSet<KeyId> {
        let texts = self.witnesses.iter().map(|witness| &witness.key).chain([&self.key]);
        texts.filter_map(|text| PublicKey::parse(text).ok()).map(|key| key.id()).collect()
    }
}
