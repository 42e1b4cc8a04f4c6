//! From the text of `cornercast.toml` to a [`Config`], with everything that is wrong in it.

use std::collections::BTreeMap;
use std::ops::Range;

use glob::Pattern;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Config, Level, Section, can_be_lowered, covered};
use crate::clause::{self, Clause};
use crate::diagnostic::{Place, Severity, Violation};
use crate::notice::{CFG_001, CFG_002, CFG_003, CFG_004, CFG_005, CFG_006, CFG_007, CFG_008};
use crate::shown::{quoted, shown};
use crate::suggestion::{close_id, closest};

const LEVELS: [&str; 2] = ["error", "warning"];

/// Reads a configuration: what could be understood, and all that is wrong, in the order of the text.
#[must_use]
pub fn read(source: &[u8]) -> (Config, Vec<Violation>) {
    let text = match std::str::from_utf8(source) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            let place = Place::bytes(at as u64..at as u64 + 1).text_excerpt(source);
            let violation = Violation::new(&CFG_001, place, "the file is not UTF-8").help("save the file as UTF-8");
            return (Config::default(), vec![violation]);
        }
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { source, violations: Vec::new() };
    for error in errors {
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        reader.report(&CFG_001, error.span().unwrap_or_default(), format!("the file is not TOML: {message}"));
    }
    // What follows a syntax error can be anything.
    let config = if reader.violations.is_empty() { reader.config(table.get_ref()) } else { Config::default() };
    let mut violations = reader.violations;
    violations.sort_by_key(|violation| violation.place.bytes.as_ref().map(|bytes| bytes.start));
    violations.dedup();
    (config, violations)
}

type Value<'a> = Spanned<DeValue<'a>>;

struct Reader<'a> {
    source: &'a [u8],
    violations: Vec<Violation>,
}

impl Reader<'_> {
    fn report(&mut self, notice: &'static Clause, bytes: Range<usize>, message: impl Into<String>) {
        let place = Place::bytes(bytes.start as u64..bytes.end as u64).text_excerpt(self.source);
        self.violations.push(Violation::new(notice, place, message));
    }

    /// The violation that was reported last gets another remedy.
    fn help(&mut self, help: String) {
        if let Some(last) = self.violations.last_mut() {
            last.help = Some(help);
        }
    }

    fn config(&mut self, table: &DeTable<'_>) -> Config {
        let mut config = Config::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "select" => config.select = self.select(value),
                "path" => config.path = self.sections(value),
                "ignore" => config.rules.ignore = self.ignore(value),
                "severity" => config.rules.severity = self.severity(value),
                _ => self.unknown(key, "the configuration", &["select", "path", "ignore", "severity"]),
            }
        }
        self.distinct(table);
        config
    }

    fn select(&mut self, value: &Value<'_>) -> Vec<String> {
        let DeValue::Array(elements) = value.get_ref() else {
            self.wrong_type(value, "`select`", "an array of ids and prefixes");
            return Vec::new();
        };
        let mut out = Vec::new();
        for element in elements {
            if let DeValue::String(name) = element.get_ref() {
                self.recommendations(name, element.span(), "selected");
                out.push(name.clone().into_owned());
            } else {
                self.wrong_type(element, "an element of `select`", "an id or prefix in quotes");
            }
        }
        out
    }

    fn sections(&mut self, value: &Value<'_>) -> Vec<Section> {
        let DeValue::Array(elements) = value.get_ref() else {
            self.wrong_type(value, "`path`", "one or more sections; write `[[path]]`");
            return Vec::new();
        };
        let mut out = Vec::new();
        for element in elements {
            let DeValue::Table(table) = element.get_ref() else {
                self.wrong_type(element, "an element of `path`", "a section; write `[[path]]`");
                continue;
            };
            let mut section = Section::default();
            for (key, value) in table {
                match key.get_ref().as_ref() {
                    "glob" => section.glob = self.glob(value),
                    "ignore" => section.rules.ignore = self.ignore(value),
                    "severity" => section.rules.severity = self.severity(value),
                    _ => self.unknown(key, "a section `[[path]]`", &["glob", "ignore", "severity"]),
                }
            }
            if !table.iter().any(|(key, _)| key.get_ref().as_ref() == "glob") {
                self.report(&CFG_008, element.span(), "the section `[[path]]` has no `glob`");
            }
            self.distinct(table);
            out.push(section);
        }
        out
    }

    fn glob(&mut self, value: &Value<'_>) -> String {
        let DeValue::String(glob) = value.get_ref() else {
            self.wrong_type(value, "`glob`", "a path in quotes");
            return String::new();
        };
        if let Err(error) = Pattern::new(glob) {
            self.report(&CFG_008, value.span(), format!("{} is no glob: {}", quoted(glob), error.msg));
        } else if glob.is_empty() {
            self.report(&CFG_008, value.span(), "the glob is empty");
        } else if let Some(component) = glob.split('/').find(|component| matches!(*component, "" | "." | "..")) {
            let what = if component.is_empty() { "an empty component".to_owned() } else { format!("`{component}`") };
            let message =
                format!("{} has {what}, which no path from the folder of the configuration has", quoted(glob));
            self.report(&CFG_008, value.span(), message);
            self.help("write the path from that folder, without `/` at its ends, `.` and `..`".to_owned());
        }
        glob.clone().into_owned()
    }

    fn ignore(&mut self, value: &Value<'_>) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_type(value, "`ignore`", "a table of ids and reasons, such as `STO-016 = \"why\"`");
            return out;
        };
        for (key, reason) in table {
            let name = key.get_ref().as_ref();
            self.recommendations(name, key.span(), "ignored");
            match reason.get_ref() {
                DeValue::String(reason) if !reason.trim().is_empty() => {
                    out.insert(name.to_owned(), reason.clone().into_owned());
                }
                DeValue::String(_) => {
                    self.report(&CFG_006, reason.span(), format!("the reason to ignore `{}` is empty", shown(name)));
                }
                other => {
                    let message = format!("the reason to ignore `{}` is {}, not a string", shown(name), type_of(other));
                    self.report(&CFG_006, reason.span(), message);
                }
            }
        }
        out
    }

    fn severity(&mut self, value: &Value<'_>) -> BTreeMap<String, Level> {
        let mut out = BTreeMap::new();
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_type(value, "`severity`", "a table of ids and severities, such as `STO-016 = \"error\"`");
            return out;
        };
        for (key, level) in table {
            let name = key.get_ref().as_ref();
            let level = match level.get_ref() {
                DeValue::String(text) if text == "error" => Some(Level::Error),
                DeValue::String(text) if text == "warning" => Some(Level::Warning),
                DeValue::String(text) => {
                    let message =
                        format!("the severity of `{}` is {}, neither `error` nor `warning`", shown(name), quoted(text));
                    self.report(&CFG_003, level.span(), message);
                    let close =
                        closest(text, LEVELS).map_or_else(String::new, |close| format!("; did you mean `{close}`?"));
                    self.help(format!("write `error` or `warning`{close}"));
                    None
                }
                _ => {
                    self.wrong_type(
                        level,
                        &format!("the severity of `{}`", shown(name)),
                        "`error` or `warning` in quotes",
                    );
                    None
                }
            };
            match level {
                Some(Level::Warning) if !covered(name).any(can_be_lowered) => {
                    self.recommendations(name, key.span(), "lowered to a warning");
                }
                _ => {
                    self.known(name, key.span());
                }
            }
            out.extend(level.map(|level| (name.to_owned(), level)));
        }
        out
    }

    /// Whether `name` covers a clause.
    fn known(&mut self, name: &str, bytes: Range<usize>) -> bool {
        if !name.is_empty() && covered(name).next().is_some() {
            return true;
        }
        let message = format!("`{}` is neither the id of a clause nor the beginning of one", shown(name));
        self.report(&CFG_004, bytes, message);
        if let Some(close) = close_id(name, clause::all().map(|clause| clause.id)) {
            self.help(format!("did you mean `{close}`?"));
        }
        false
    }

    /// A name that covers requirements alone has nothing that could be `done` to it.
    fn recommendations(&mut self, name: &str, bytes: Range<usize>, done: &str) {
        if !self.known(name, bytes.clone()) || covered(name).any(|clause| clause.severity == Severity::Warning) {
            return;
        }
        let message = if covered(name).any(|clause| clause.id == name) {
            format!("`{name}` is a requirement, which cannot be {done}")
        } else {
            format!("`{name}` covers requirements only, which cannot be {done}")
        };
        self.report(&CFG_005, bytes, message);
    }

    /// No name is ignored and has a severity in one section.
    fn distinct(&mut self, table: &DeTable<'_>) {
        let of = |name: &str| match table.get(name).map(Spanned::get_ref) {
            Some(DeValue::Table(table)) => Some(table),
            _ => None,
        };
        let (Some(ignore), Some(severity)) = (of("ignore"), of("severity")) else { return };
        for (key, _) in severity {
            let name = key.get_ref().as_ref();
            if let Some((other, _)) = ignore.get_key_value(name) {
                let message = format!("`{}` is ignored and has a severity", shown(name));
                let place = Place::bytes(other.span().start as u64..other.span().end as u64).text_excerpt(self.source);
                self.report(&CFG_007, key.span(), message);
                if let Some(last) = self.violations.last_mut() {
                    last.related.push(("it is ignored here".to_owned(), place));
                }
            }
        }
    }

    fn unknown(&mut self, key: &Spanned<std::borrow::Cow<'_, str>>, what: &str, known: &[&str]) {
        let name = key.get_ref();
        self.report(&CFG_002, key.span(), format!("`{}` is no member of {what}", shown(name)));
        let names = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let close = closest(name, known.iter().copied());
        self.help(close.map_or_else(|| format!("there are {names}"), |close| format!("did you mean `{close}`?")));
    }

    fn wrong_type(&mut self, value: &Value<'_>, what: &str, wanted: &str) {
        let seen = type_of(value.get_ref());
        self.report(&CFG_003, value.span(), format!("{what} is {seen}, not {wanted}"));
    }
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
