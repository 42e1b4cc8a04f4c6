//! What there is to see of a bundle that was given to a runtime.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Case;
use super::case::Call;
use super::left::Left;
use super::rule::{Checked, otherwise};
use crate::report::observed::recorded;

/// All that there is to see.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// What became of each call, in their order.
    pub calls: Vec<Called>,
    /// What came from descriptor 1 of the application.
    pub output: String,
    /// What came from descriptor 2, of the application and of the runtime that made it.
    pub errors: String,
    /// What is new in the root tree: path and mode.
    pub added: BTreeMap<String, String>,
    /// What is new in the directory outside of it.
    pub outside: Vec<String>,
    /// What hooks have written, by the name of the file.
    pub notes: BTreeMap<String, String>,
    /// Whether the neighbour of what the runtime keeps is still there.
    pub has_neighbour: bool,
    /// What is left of the container.
    pub left: Left,
    /// The process that called.
    pub caller: Value,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Called {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub end: End,
    /// What it said last, where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// What it printed, where that is a JSON document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Value>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// With an exit status.
    Exited(i32),
    /// By the signal of this number.
    Signaled(i32),
    /// Not in time.
    Late,
    /// At least one of several did not.
    NotAlways,
}

impl Called {
    /// Whether a signal could not be sent: nobody waits for what it would have done.
    #[must_use]
    pub fn is_vain_kill(&self) -> bool {
        self.name == "kill" && !self.end.is_success()
    }

    /// Whether it is a call of the runtime that did not end.
    fn is_late(&self) -> bool {
        self.end == End::Late && !["application", "ready"].contains(&self.name.as_str())
    }
}

impl End {
    /// Whether it succeeded.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Exited(0)
    }

    fn words(self) -> String {
        match self {
            Self::Exited(status) => format!("exit status {status}"),
            Self::Signaled(signal) => format!("signal {signal}"),
            Self::Late => "late".to_owned(),
            Self::NotAlways => "not always".to_owned(),
        }
    }
}

impl Evidence {
    /// The call of the runtime that did not end in time, if there is one.
    #[must_use]
    pub fn late(&self) -> Option<&str> {
        self.calls.iter().find(|called| called.is_late()).map(|called| called.name.as_str())
    }

    /// Whether the application has begun: it writes before all else.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.document().is_some() || self.output.contains("{\"step\":")
    }

    /// Whether a call that would make a container or start it failed.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let makes = |called: &&Called| ["run", "create", "start"].contains(&called.name.as_str());
        self.calls.iter().filter(makes).any(|called| !called.end.is_success())
    }

    /// What was said by the call that failed first.
    #[must_use]
    pub fn said(&self) -> Option<String> {
        self.calls.iter().filter(|called| !called.end.is_success()).find_map(|called| called.said.clone())
    }

    /// The document of the probe.
    #[must_use]
    pub fn document(&self) -> Option<Value> {
        let line = self.output.lines().find(|line| line.contains("\"probe\":"))?;
        serde_json::from_str(line).ok()
    }

    /// What the probe's document has at a JSON pointer.
    #[must_use]
    pub fn at(&self, pointer: &str) -> Value {
        self.document().and_then(|document| document.pointer(pointer).cloned()).unwrap_or_default()
    }

    /// What came of a step of the application: `true` or what it found, or the symbol of an error.
    #[must_use]
    pub fn step(&self, step: &str) -> Value {
        let lines = self.output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let of_step = lines.into_iter().find(|line| line["step"] == step);
        of_step.map_or(Value::Null, outcome)
    }

    /// The state of the last call that told it.
    #[must_use]
    pub fn state(&self) -> Value {
        self.calls.iter().rev().find_map(|called| called.document.clone()).unwrap_or_default()
    }

    /// What is recorded of all that, for comparison: the same in each run.
    #[must_use]
    pub fn recorded(&self, case: &Case) -> Value {
        let mut all = Map::new();
        all.insert("calls".to_owned(), self.ends(case));
        all.insert("began".to_owned(), self.has_begun().into());
        let states: Vec<Value> = self
            .calls
            .iter()
            .filter_map(|called| called.document.as_ref())
            .map(|state| state["status"].clone())
            .collect();
        if !states.is_empty() {
            all.insert("status".to_owned(), states.into());
        }
        if let Some(document) = self.document() {
            let seen = case.seen.iter().filter_map(|pointer| Some((*pointer, document.pointer(pointer)?)));
            for (pointer, value) in seen {
                all.insert(pointer.trim_start_matches('/').to_owned(), recorded(value, &[]));
            }
        }
        let lines = self.output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let steps: Map<String, Value> =
            lines.filter_map(|line| Some((line["step"].as_str()?.to_owned(), outcome(line)))).collect();
        if !steps.is_empty() {
            all.insert("steps".to_owned(), steps.into());
        }
        all.insert("added".to_owned(), json!(self.added));
        if !self.outside.is_empty() {
            all.insert("outside".to_owned(), self.outside.clone().into());
        }
        if case.left {
            all.insert("left".to_owned(), json!(self.left));
        }
        if let Some(extra) = case.extra {
            all.insert("extra".to_owned(), extra(self));
        }
        all.into()
    }

    /// How the calls ended: as exact as it can be told of `run`, whose status is the application's.
    fn ends(&self, case: &Case) -> Value {
        let is_run = case.calls.contains(&Call::Run);
        let mut ends = Map::new();
        for called in &self.calls {
            let end = match called.end {
                end if called.name == "run" && is_run => end.words(),
                End::Exited(0) => "ok".to_owned(),
                End::Exited(_) | End::Signaled(_) => "error".to_owned(),
                end => end.words(),
            };
            let same = ends.keys().filter(|name| name.split('/').next() == Some(called.name.as_str())).count();
            let name = if same == 0 { called.name.clone() } else { format!("{}/{}", called.name, same + 1) };
            ends.insert(name, end.into());
        }
        ends.into()
    }
}

/// Without what is another one in each run: the time of a file, the number of a process.
fn stable(step: &str, mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.remove("mtime");
    }
    if step == "orphan" { Value::Bool(true) } else { value }
}

/// What a line of the probe says came of a step.
fn outcome(line: Value) -> Value {
    match (line.get("ok"), line.get("error")) {
        (_, Some(error)) => error.clone(),
        (Some(ok), None) => stable(line["step"].as_str().unwrap_or_default(), ok.clone()),
        (None, None) => Value::Null,
    }
}

/// What rules ask for.
impl Evidence {
    /// The document has this value there.
    pub(super) fn is(&self, pointer: &str, wanted: &Value) -> Checked {
        self.ran()?;
        let seen = self.at(pointer);
        if seen == *wanted { Ok(()) } else { otherwise(format!("{pointer} is {seen}, expected {wanted}")) }
    }

    /// The document has this value in an array.
    pub(super) fn has(&self, pointer: &str, wanted: &Value) -> Checked {
        self.ran()?;
        let seen = self.at(pointer);
        if seen.as_array().is_some_and(|all| all.contains(wanted)) {
            Ok(())
        } else {
            otherwise(format!("{pointer} is {seen}, and has no {wanted}"))
        }
    }

    /// The application has begun.
    pub(super) fn ran(&self) -> Checked {
        if self.has_begun() {
            return Ok(());
        }
        let why = self.said().map_or_else(String::new, |said| format!(": {said}"));
        otherwise(format!("the application did not run{why}"))
    }
}
