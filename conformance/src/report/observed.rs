//! What implementations do differently, judged or not: the probe's documents of the same case, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use cornercast::shown::escaped;
use serde_json::{Value, json};

use crate::results::Line;

/// The name of the recorded document among the values of a result.
pub const OBSERVED: &str = "observed";

/// What stands for a member that a document does not have.
const ABSENT: &str = "(absent)";

/// Characters of a value that the text report shows.
const SHOWN: usize = 100;

/// Something that is not the same everywhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where it is in the document, a JSON pointer.
    pub pointer: String,
    /// What each implementation has there.
    pub values: BTreeMap<String, Value>,
    /// In how many cases it is so.
    pub cases: usize,
    /// The first of them.
    pub first: String,
}

/// What is different in the documents of `lines`, in the order of the pointers.
#[must_use]
pub fn differences<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Vec<Difference> {
    let mut by_case: BTreeMap<&str, BTreeMap<&str, &Value>> = BTreeMap::new();
    for line in lines {
        if let Some(document) = line.values.get(OBSERVED) {
            by_case.entry(&line.case).or_default().insert(&line.implementation, document);
        }
    }
    let mut all: BTreeMap<(String, String), Difference> = BTreeMap::new();
    for (case, documents) in by_case.iter().filter(|(_, documents)| documents.len() > 1) {
        let mut found = Vec::new();
        compare(String::new(), documents, &mut found);
        for (pointer, values) in found {
            let values: BTreeMap<String, Value> =
                values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let key = (pointer.clone(), json!(values).to_string());
            let difference = Difference { pointer, values, cases: 0, first: (*case).to_owned() };
            all.entry(key).or_insert(difference).cases += 1;
        }
    }
    all.into_values().collect()
}

/// A pointer, and what each implementation has there.
type Found<'a> = Vec<(String, BTreeMap<&'a str, Value>)>;

fn compare<'a>(pointer: String, values: &BTreeMap<&'a str, &Value>, found: &mut Found<'a>) {
    let mut distinct = values.values();
    let Some(first) = distinct.next() else { return };
    if distinct.all(|value| value == first) {
        return;
    }
    let absent = json!(ABSENT);
    if values.values().all(|value| value.is_object()) {
        let names: BTreeSet<&String> =
            values.values().filter_map(|value| value.as_object()).flat_map(serde_json::Map::keys).collect();
        for name in names {
            let members = values.iter().map(|(who, value)| (*who, value.get(name).unwrap_or(&absent))).collect();
            compare(format!("{pointer}/{name}"), &members, found);
        }
        return;
    }
    let lengths: BTreeSet<Option<usize>> = values.values().map(|value| value.as_array().map(Vec::len)).collect();
    if let (1, Some(Some(length))) = (lengths.len(), lengths.first()) {
        for index in 0..*length {
            let elements = values.iter().map(|(who, value)| (*who, value.get(index).unwrap_or(&absent))).collect();
            compare(format!("{pointer}/{index}"), &elements, found);
        }
        return;
    }
    found.push((pointer, values.iter().map(|(who, value)| (*who, (*value).clone())).collect()));
}

/// What is recorded of a document: without what is another one in each run, and with names for what has one.
///
/// `names` are texts and what stands in their place.
#[must_use]
pub fn recorded(document: &Value, names: &[(&str, &str)]) -> Value {
    /// Numbers of processes, of the kernel's objects, and the tree, which is judged by its digest.
    const UNSTABLE: [&str; 9] =
        ["listing", "namespaces", "pid", "ppid", "processGroup", "session", "passedOver", "environment", "oomScoreAdj"];
    match document {
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| !UNSTABLE.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), recorded(value, names)))
            .collect(),
        Value::Array(elements) => elements.iter().map(|element| recorded(element, names)).collect(),
        Value::String(text) => {
            let text = match text.split_once(":[") {
                Some((kind, _)) => format!("{kind}:[…]"),
                None => text.clone(),
            };
            names.iter().fold(text, |text, (name, stands)| text.replace(name, stands)).into()
        }
        other => other.clone(),
    }
}

/// Writes a list of differences.
///
/// # Errors
///
/// Errors of `out`.
pub fn write(out: &mut dyn Write, differences: &[Difference]) -> io::Result<()> {
    writeln!(out, "\nseen differently, judged or not: {}", differences.len())?;
    for Difference { pointer, values, cases, first } in differences {
        let (first, pointer) = (escaped(first), escaped(pointer));
        let times = if *cases == 1 { format!("in {first}") } else { format!("in {cases} cases, such as {first}") };
        writeln!(out, "  {pointer}  ({times})")?;
        for (implementation, value) in values {
            let text = escaped(&value.to_string());
            let shown: String = text.chars().take(SHOWN).collect();
            let rest = if shown.len() < text.len() { "…" } else { "" };
            writeln!(out, "    {}: {shown}{rest}", escaped(implementation))?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn line(implementation: &str, case: &str, document: Value) -> Line {
        serde_json::from_value(json!({
            "case": case, "clauses": [], "impl": implementation, "role": "run", "verdict": "pass", "durationMs": 1,
            "values": {OBSERVED: document},
        }))
        .unwrap()
    }

    #[test]
    fn what_differs_is_found_where_it_is() {
        let lines = [
            line("a", "1", json!({"limits": {"x": 1, "y": 2}, "list": [1, 2]})),
            line("b", "1", json!({"limits": {"x": 1, "y": 3}, "list": [1, 2]})),
            line("a", "2", json!({"limits": {"x": 1, "y": 2}, "list": [1]})),
            line("b", "2", json!({"limits": {"x": 1, "y": 3}, "more": true, "list": [1, 2]})),
            line("a", "3", json!(0)),
        ];
        let found = differences(&lines);
        let pointers: Vec<(&str, usize)> = found.iter().map(|found| (found.pointer.as_str(), found.cases)).collect();
        assert_eq!(pointers, [("/limits/y", 2), ("/list", 1), ("/more", 1)]);
        assert_eq!(found[0].values["b"], json!(3));
        assert_eq!(found[2].values["a"], json!(ABSENT));
    }

    #[test]
    fn what_is_another_one_in_each_run_is_not_recorded() {
        let document = json!({"pid": 7, "hostname": "suite-1-2", "descriptors": [{"target": "pipe:[4711]"}]});
        let recorded = recorded(&document, &[("suite-1-2", "$INSTANCE")]);
        assert_eq!(recorded, json!({"hostname": "$INSTANCE", "descriptors": [{"target": "pipe:[…]"}]}));
    }
}
