//! The JSON document of the page: every result, with each text once.

use std::collections::BTreeMap;
use std::io;

use cornercast::shown::escaped;
use serde::Serialize;
use serde_json::Value;

use super::sheet::{CaseRow, Sheet};
use crate::report::observed::OBSERVED;
use crate::report::{Besides, Report, Row, word};
use crate::results::Verdict;

/// Characters of a reason that the page has.
pub(super) const MAX_REASON: usize = 600;

/// Characters of a recorded value that the page has.
pub(super) const MAX_VALUE: usize = 300;

/// Stands in a result for an earlier verdict, where the case has none.
const NEW: usize = Verdict::ALL.len() + 1;

/// The document. Lists refer to each other by place; in results, 0 is for nothing, and zeros at the end are left out.
#[derive(Serialize)]
struct Data {
    /// The names of the implementations, with the options of `reproduce` that name them.
    implementations: Vec<(String, String)>,
    /// The names of the verdicts, the best first.
    verdicts: [&'static str; Verdict::ALL.len()],
    /// Reasons.
    reasons: Vec<String>,
    /// Recorded values: names and texts.
    values: Vec<Vec<(String, String)>>,
    /// For each row of the matrix that is a clause, its cases.
    clauses: Vec<Vec<usize>>,
    cases: Vec<Case>,
}

/// The name; why it is there; the role; the name as a word of a shell, if it is another one; a result for each
/// implementation: verdict, milliseconds, reason, values, earlier verdict.
#[derive(Serialize)]
struct Case(String, String, &'static str, String, Vec<Option<Vec<usize>>>);

/// Values that are the same many times, each once, with its place counted from 1.
struct Once<T> {
    all: Vec<T>,
    places: BTreeMap<T, usize>,
}

impl<T: Ord + Clone> Once<T> {
    fn new() -> Self {
        Self { all: Vec::new(), places: BTreeMap::new() }
    }

    fn place(&mut self, value: T) -> usize {
        if let Some(place) = self.places.get(&value) {
            return *place;
        }
        self.all.push(value.clone());
        self.places.insert(value, self.all.len());
        self.all.len()
    }
}

/// The document, so that it can stand in a script element.
pub(super) fn write(report: &Report, sheet: &Sheet<'_>, besides: &Besides) -> io::Result<String> {
    let (mut reasons, mut values) = (Once::new(), Once::new());
    let mut case = |case: &CaseRow<'_>| {
        let any = case.any();
        let mut result = |row: &Row| {
            let line = &row.line;
            let reason = line.reason.as_deref().map_or(0, |reason| reasons.place(clipped(reason, MAX_REASON)));
            let recorded = recorded(&line.values);
            let recorded = if recorded.is_empty() { 0 } else { values.place(recorded) };
            let time = usize::try_from(line.duration_ms).unwrap_or(usize::MAX);
            let mut result = vec![line.verdict.badness(), time, reason, recorded, earlier(besides, row)];
            while result.last() == Some(&0) {
                result.pop();
            }
            result
        };
        let (name, quoted) = (escaped(case.name), escaped(&word(case.name)));
        let quoted = if quoted == name { String::new() } else { quoted };
        let results = case.results.iter().map(|row| row.map(&mut result)).collect();
        Case(
            name,
            any.map_or_else(String::new, |row| escaped(&row.why)),
            any.map_or("", |row| row.line.role.name()),
            quoted,
            results,
        )
    };
    let cases = sheet.cases.iter().map(&mut case).collect();
    let data = Data {
        implementations: sheet.columns.iter().map(|name| (escaped(name), escaped(hint(report, name)))).collect(),
        verdicts: Verdict::ALL.map(Verdict::name),
        reasons: reasons.all,
        values: values.all,
        clauses: sheet.clauses.iter().map(|clause| clause.cases.clone()).collect(),
        cases,
    };
    Ok(in_script(&serde_json::to_string(&data)?))
}

/// JSON in which no character means anything to HTML. All of them stand in strings only.
fn in_script(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", character as u32)),
            other => out.push(other),
        }
    }
    out
}

/// The options of `reproduce` that name an implementation.
fn hint<'a>(report: &'a Report, name: &str) -> &'a str {
    report.rows.iter().find(|row| row.line.implementation == name).map_or("", |row| &row.hint)
}

/// What stands for the verdict of the earlier run, if that was another one.
fn earlier(besides: &Besides, row: &Row) -> usize {
    let since = besides.since.as_ref().and_then(|since| since.implementations.get(&row.line.implementation));
    let Some(changes) = since else { return 0 };
    let case = &row.line.case;
    match changes.worse.get(case).or_else(|| changes.better.get(case)) {
        Some(change) => change.old.badness() + 1,
        None if changes.new.contains_key(case) => NEW,
        None => 0,
    }
}

/// Recorded values as texts. The documents of the probe are left out.
fn recorded(values: &BTreeMap<String, Value>) -> Vec<(String, String)> {
    let text = |value: &Value| match value {
        Value::String(text) => clipped(text, MAX_VALUE),
        other => clipped(&other.to_string(), MAX_VALUE),
    };
    let shown = values.iter().filter(|(name, _)| *name != OBSERVED);
    shown.map(|(name, value)| (clipped(name, MAX_VALUE), text(value))).collect()
}

/// A text with hidden characters shown, cut after `most` characters.
pub(super) fn clipped(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => escaped(text),
        Some((at, _)) => format!("{}…", escaped(text.get(..at).unwrap_or_default())),
    }
}
