//! SARIF 2.1.0 (OASIS): one run, a rule for each clause that has results, a result a finding.
//!
//! Inputs that could not be checked are notifications of the invocation, not results: they say nothing
//! about an image. Numbers in comments are sections of the standard.

use serde_json::{Value, json};

use super::{CheckedInput, Report, Spot, sentence};
use crate::catalogue;
use crate::clause::{self, Clause};
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::notice::{self, is_notice};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub(super) fn sarif(report: &Report) -> String {
    let used = |id: &str| report.findings().any(|finding| finding.id == id);
    let rules: Vec<&Clause> = clause::all().filter(|clause| used(clause.id)).collect();
    let mut results = Vec::new();
    for input in &report.inputs {
        for finding in input.findings.iter().filter(|finding| !is_notice(finding.id)) {
            let index = rules.iter().position(|rule| rule.id == finding.id);
            results.push(result(input, finding, index));
        }
    }
    let notifications: Vec<Value> = notice::all()
        .filter(|(notice, _)| used(notice.id))
        .map(|(notice, text)| json!({"id": notice.id, "fullDescription": {"text": text}}))
        .collect();
    let (mut of_configuration, mut of_inputs) = (Vec::new(), Vec::new());
    for input in &report.inputs {
        for finding in input.findings.iter().filter(|finding| is_notice(finding.id)) {
            let list = if finding.id.starts_with("CFG") { &mut of_configuration } else { &mut of_inputs };
            list.push(notification(input, finding));
        }
    }
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": env!("CARGO_PKG_NAME"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
                "notifications": notifications,
            }},
            "invocations": [{
                "executionSuccessful": of_configuration.is_empty() && of_inputs.is_empty(),
                "exitCode": report.status(),
                "toolConfigurationNotifications": of_configuration,
                "toolExecutionNotifications": of_inputs,
            }],
            // 3.14.17: our columns count characters.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    let mut text = serde_json::to_string_pretty(&log).unwrap_or_default();
    text.push('\n');
    text
}

/// 3.49: a clause, with all that can be read of it without the book.
fn descriptor(clause: &Clause) -> Value {
    let mut rule = json!({
        "id": clause.id,
        "defaultConfiguration": {"level": level(clause.severity)},
    });
    let Some(requirement) = catalogue::requirement(clause.id) else { return rule };
    let rationale = catalogue::rationale(requirement);
    let source = format!("{} · {}:{}", requirement.chapter, requirement.file, requirement.line);
    let parts = |parts: [&str; 3]| parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n");
    let advice = format!("What to do: {}.", clause.help);
    put(&mut rule, "shortDescription", json!({"text": short(&requirement.text)}));
    put(&mut rule, "fullDescription", json!({"text": requirement.text}));
    let help = json!({
        "text": parts([&advice, &rationale, &source]),
        "markdown": parts([
            &format!("**{}** {}\n\n{advice}", clause.id, requirement.text),
            &rationale,
            &format!("*{source}*"),
        ]),
    });
    put(&mut rule, "help", help);
    if let Some(url) = catalogue::url(clause.id) {
        put(&mut rule, "helpUri", url.into());
    }
    rule
}

/// Adds a member that not every object has.
fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

/// What a clause says first, as a sentence of its own.
fn short(text: &str) -> String {
    let first = text.split("; ").next().unwrap_or_default();
    format!("{}.", first.trim_end_matches('.'))
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn result(input: &CheckedInput, finding: &Diagnostic, rule: Option<usize>) -> Value {
    let spot = Spot::of(input, &finding.location);
    let mut result = json!({
        "ruleId": finding.id,
        "level": level(finding.severity),
        "message": {"text": spot.with(&sentence(finding))},
        "locations": [location(&spot, &finding.location)],
        "partialFingerprints": {"cornercast/v1": finding.fingerprint},
    });
    if let Some(index) = rule {
        put(&mut result, "ruleIndex", index.into());
    }
    if !finding.related.is_empty() {
        let related = (0_u64..).zip(&finding.related).map(|(id, related)| {
            let spot = Spot::of(input, &related.location);
            let mut location = location(&spot, &related.location);
            put(&mut location, "id", id.into());
            put(&mut location, "message", json!({"text": spot.with(&related.message)}));
            location
        });
        put(&mut result, "relatedLocations", related.collect());
    }
    result
}

fn notification(input: &CheckedInput, finding: &Diagnostic) -> Value {
    let spot = Spot::of(input, &finding.location);
    json!({
        "descriptor": {"id": finding.id},
        "level": level(finding.severity),
        "message": {"text": spot.with(&sentence(finding))},
        "locations": [location(&spot, &finding.location)],
    })
}

/// 3.28: the file and the region in it, and the way inside as logical locations.
fn location(spot: &Spot, location: &Location) -> Value {
    let mut physical = json!({"artifactLocation": {"uri": uri(&spot.file)}});
    if let Some(region) = region(location).filter(|_| spot.is_exact) {
        put(&mut physical, "region", region);
    }
    let mut out = json!({"physicalLocation": physical});
    let mut logical = Vec::new();
    for (index, name) in location.chain.iter().enumerate().skip(1) {
        let whole: Vec<&str> = location.chain.iter().take(index + 1).map(String::as_str).collect();
        logical.push(json!({"name": name, "fullyQualifiedName": whole.join(": "), "kind": "resource"}));
    }
    if let Some(pointer) = location.pointer.as_deref().filter(|pointer| !pointer.is_empty()) {
        let name = pointer.rsplit('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~");
        logical.push(json!({"name": name, "fullyQualifiedName": pointer, "kind": "value"}));
    }
    if !logical.is_empty() {
        put(&mut out, "logicalLocations", logical.into());
    }
    out
}

/// 3.30: a region of lines and columns in text, which says its end, and of bytes in anything else.
///
/// Text and bytes of one region have to be the same, whatever the encoding: text gives no bytes.
fn region(location: &Location) -> Option<Value> {
    if let (Some(line), Some(column)) = (location.line, location.column) {
        let (end_line, end_column) = (location.end_line.unwrap_or(line), location.end_column.unwrap_or(column));
        return Some(json!({
            "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column,
        }));
    }
    let bytes = location.bytes?;
    Some(json!({"byteOffset": bytes.start, "byteLength": bytes.end.saturating_sub(bytes.start)}))
}

/// A path as a URI reference (RFC 3986): `file:` if it is absolute, percent-encoded.
fn uri(path: &str) -> String {
    let mut out = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_uris() {
        assert_eq!(uri("a b/ü:#?%.json"), "a%20b/%C3%BC%3A%23%3F%25.json");
        assert_eq!(uri("/srv/x"), "file:///srv/x");
    }

    #[test]
    fn the_first_part_of_a_clause_is_a_sentence() {
        assert_eq!(short("A MUST B; a C does D."), "A MUST B.");
        assert_eq!(short("A MUST B."), "A MUST B.");
    }
}
