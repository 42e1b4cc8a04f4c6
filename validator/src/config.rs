//! The lint configuration, `cornercast.toml`.
//!
//! The file's form is fixed here; [`Config::severity`] says what it makes of a finding.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnostic::Severity;

/// What `cornercast.toml` can say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Ids and prefixes of the SHOULD clauses that are reported; all if empty.
    #[serde(default)]
    pub select: Vec<String>,
    /// Ids and prefixes of SHOULD clauses that are not reported, each with the reason.
    #[serde(default)]
    pub ignore: BTreeMap<String, String>,
    /// Severities by id or prefix.
    #[serde(default)]
    pub severity: BTreeMap<String, Level>,
}

/// A severity, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Rejects.
    Error,
    /// Is reported.
    Warning,
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    ///
    /// What is wrong with `text`, with its place: its form, a name that is no id or prefix, an entry
    /// of `ignore` without reason, or an attempt to turn a MUST off.
    pub fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let names = config.select.iter().chain(config.ignore.keys()).chain(config.severity.keys());
        for name in names {
            if !crate::clause::all().any(|clause| clause.id.starts_with(name.as_str())) || name.is_empty() {
                return Err(format!("`{name}` is neither the id of a clause nor the beginning of one"));
            }
        }
        for (name, reason) in &config.ignore {
            if reason.trim().is_empty() {
                return Err(format!("`ignore` gives no reason for `{name}`"));
            }
            config.only_warnings(name, "ignored")?;
        }
        for (name, level) in &config.severity {
            if *level == Level::Warning {
                config.only_warnings(name, "lowered to a warning")?;
            }
        }
        Ok(config)
    }

    fn only_warnings(&self, name: &str, what: &str) -> Result<(), String> {
        let must =
            crate::clause::all().find(|clause| clause.id.starts_with(name) && clause.severity == Severity::Error);
        match must {
            Some(clause) => Err(format!("`{name}` covers {}, a clause with MUST, which cannot be {what}", clause.id)),
            None => Ok(()),
        }
    }

    /// The severity of a finding of the clause `id`; `None` if it is not reported.
    #[must_use]
    pub fn severity(&self, id: &str, severity: Severity) -> Option<Severity> {
        let covers = |name: &String| id.starts_with(name.as_str());
        let selected = self.select.is_empty() || self.select.iter().any(covers);
        if severity == Severity::Warning && (self.ignore.keys().any(covers) || !selected) {
            return None;
        }
        let longest = self.severity.iter().filter(|(name, _)| covers(name)).max_by_key(|(name, _)| name.len());
        Some(match longest {
            Some((_, Level::Error)) => Severity::Error,
            Some((_, Level::Warning)) => Severity::Warning,
            None => severity,
        })
    }
}
