//! The lint configuration, `cornercast.toml`: which recommendations are reported, and how much they weigh.
//!
//! Requirements (MUST) are not its matter: they decide whether an input is rejected, and no file beside
//! the input can change that. Those about OCI images can be lowered to warnings: others decide about that format.

mod read;

use std::collections::BTreeMap;

use glob::{MatchOptions, Pattern};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clause::{self, Clause};
use crate::diagnostic::Severity;

pub use read::read;

/// What `cornercast.toml` can say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Ids and prefixes of the recommendations (SHOULD) that are reported; all if empty.
    #[serde(default)]
    #[schemars(inner(regex(pattern = NAME)))]
    pub select: Vec<String>,
    /// What holds for all inputs.
    #[serde(flatten)]
    pub rules: Rules,
    /// What holds for some inputs; it beats what holds for all, and a later section an earlier one.
    #[serde(default)]
    pub path: Vec<Section>,
}

/// What is not reported, and how much the rest weighs. The longest name that covers a clause counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rules {
    /// Recommendations that are not reported, by id or prefix, each with the reason.
    #[serde(default)]
    #[schemars(schema_with = "reasons")]
    pub ignore: BTreeMap<String, String>,
    /// Severities by id or prefix.
    #[serde(default)]
    #[schemars(schema_with = "severities")]
    pub severity: BTreeMap<String, Level>,
}

/// What holds for the inputs whose path matches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// The path of inputs from the folder of the configuration, with `*`, `?` and `**`.
    pub glob: String,
    /// What holds for these inputs.
    #[serde(flatten)]
    pub rules: Rules,
}

/// How much a recommendation weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Makes the check fail.
    Error,
    /// Is reported.
    Warning,
}

/// Ids and prefixes of clauses.
const NAME: &str = "^[A-Z]{1,3}$|^[A-Z]{3}-[0-9]{0,3}$";

fn reasons(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "propertyNames": {"pattern": NAME},
        "additionalProperties": {"type": "string", "pattern": "\\S"}
    })
}

fn severities(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let level = generator.subschema_for::<Level>();
    schemars::json_schema!({
        "type": "object",
        "propertyNames": {"pattern": NAME},
        "additionalProperties": level
    })
}

impl Config {
    /// The severity of a violation of `clause` in the input at `path`, which is given from the folder
    /// of the configuration with `/`, or `None` if it is not below; `None` if it is not reported.
    ///
    /// ```
    /// use cornercast::{clause, config, diagnostic::Severity};
    ///
    /// let (config, errors) = config::read(b"[severity]\nSTO = \"error\"\n");
    /// assert!(errors.is_empty());
    /// assert_eq!(config.severity(&clause::STO_016, None), Some(Severity::Error));
    /// ```
    #[must_use]
    pub fn severity(&self, clause: &Clause, path: Option<&str>) -> Option<Severity> {
        let sections = self.path.iter().rev().filter(|section| path.is_some_and(|path| section.covers(path)));
        let mut rules = sections.map(|section| &section.rules).chain([&self.rules]);
        if clause.severity == Severity::Error {
            // What is ignored is a recommendation.
            let lowered = rules.find_map(|rules| rules.severity(clause.id)).flatten();
            return lowered.filter(|_| can_be_lowered(clause)).or(Some(Severity::Error));
        }
        let is_selected = self.select.is_empty() || self.select.iter().any(|name| clause.id.starts_with(name));
        if !is_selected {
            return None;
        }
        rules.find_map(|rules| rules.severity(clause.id)).unwrap_or(Some(clause.severity))
    }
}

impl Rules {
    /// What the longest name that covers `id` says, if there is one.
    fn severity(&self, id: &str) -> Option<Option<Severity>> {
        let ignored = self.ignore.keys().map(|name| (name, None));
        let weighed = self.severity.iter().map(|(name, level)| (name, Some(*level)));
        let covering = ignored.chain(weighed).filter(|(name, _)| id.starts_with(name.as_str()));
        let (_, level) = covering.max_by_key(|(name, _)| name.len())?;
        Some(level.map(|level| match level {
            Level::Error => Severity::Error,
            Level::Warning => Severity::Warning,
        }))
    }
}

impl Section {
    fn covers(&self, path: &str) -> bool {
        const OPTIONS: MatchOptions =
            MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };
        Pattern::new(&self.glob).is_ok_and(|pattern| pattern.matches_with(path, OPTIONS))
    }
}

/// Whether a violation of `clause` can be reported as a warning.
fn can_be_lowered(clause: &Clause) -> bool {
    clause.severity == Severity::Warning || clause.id.starts_with("OCI")
}

/// The clauses that `name` covers, as an id or a prefix.
fn covered(name: &str) -> impl Iterator<Item = &'static Clause> {
    clause::all().filter(move |clause| clause.id.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Config {
        let (config, violations) = read(text.as_bytes());
        assert!(violations.is_empty(), "{violations:#?}");
        config
    }

    /// The schema is made from the types, and the reader does without them.
    #[test]
    fn reading_agrees_with_the_types() {
        let text = "select = [\"STO\", \"MAN-017\"]\n[ignore]\nSTO-016 = \"r\"\n[severity]\nMAN = \"error\"\n\
             [[path]]\nglob = \"a/*\"\n[path.severity]\nM = \"warning\"\n[[path]]\nglob = \"b\"\nignore.S = \"r\"\n";
        assert_eq!(toml::from_str::<Config>(text).unwrap(), of(text));
    }

    #[test]
    fn the_longest_name_counts_and_sections_beat_the_rest() {
        let config = of("[ignore]\nSTO = \"r\"\n[severity]\nSTO-016 = \"error\"\n\
             [[path]]\nglob = \"old/**\"\nseverity.S = \"warning\"\n\
             [[path]]\nglob = \"old/*.ccast\"\nignore.STO-016 = \"r\"\n");
        let at = |clause, path| config.severity(clause, path);
        assert_eq!(at(&clause::STO_004, None), None);
        assert_eq!(at(&clause::STO_016, Some("new/a")), Some(Severity::Error));
        assert_eq!(at(&clause::STO_016, Some("old/a/b")), Some(Severity::Warning));
        assert_eq!(at(&clause::STO_004, Some("old/a.ccast")), Some(Severity::Warning));
        assert_eq!(at(&clause::STO_016, Some("old/a.ccast")), None);
        assert_eq!(at(&clause::STO_016, Some("old/a/b.ccast")), Some(Severity::Warning));
    }

    #[test]
    fn requirements_of_oci_can_be_lowered_and_not_ignored() {
        let config = of("[severity]\nOCI-070 = \"warning\"\n[ignore]\nOCI = \"r\"\n\
             [[path]]\nglob = \"new/*\"\nseverity.OCI = \"error\"\n");
        assert_eq!(config.severity(&clause::OCI_070, None), Some(Severity::Warning));
        assert_eq!(config.severity(&clause::OCI_070, Some("new/a")), Some(Severity::Error));
        assert_eq!(config.severity(&clause::OCI_071, None), Some(Severity::Error));
        assert_eq!(config.severity(&clause::OCI_073, None), None);
    }

    #[test]
    fn select_leaves_requirements_alone() {
        let config = of("select = [\"MAN-017\"]\n");
        assert_eq!(config.severity(&clause::STO_016, None), None);
        assert_eq!(config.severity(&clause::MAN_017, None), Some(Severity::Warning));
        assert_eq!(config.severity(&clause::MAN_012, None), Some(Severity::Error));
    }
}
