//! Code quality JSON of GitLab: one array, an object a finding.
//!
//! The members are those of the chapter *Code Quality* of GitLab's documentation. A finding needs a
//! line there; one that has none, as in a layer, is put at line 1 and says its place in words.

use std::collections::BTreeMap;

use serde::Serialize;

use super::concise::place;
use super::{Report, Spot, sentence};
use crate::diagnostic::Severity;
use crate::digest::Digest;
use crate::notice::is_notice;

#[derive(Serialize)]
struct Entry {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u64,
    end: u64,
}

pub(super) fn gitlab(report: &Report) -> String {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut entries = Vec::new();
    for input in &report.inputs {
        for finding in &input.findings {
            let spot = Spot::of(input, &finding.location);
            let line = finding.location.line.filter(|_| spot.is_exact).unwrap_or(1);
            let end = finding.location.end_line.filter(|_| spot.is_exact).unwrap_or(line);
            // GitLab shows one finding a fingerprint: equal ones in several files, or several in one, differ.
            let key = format!("{} {}", finding.fingerprint, input.name);
            let count = seen.entry(key.clone()).and_modify(|count| *count += 1).or_insert(0);
            let mut description = spot.with(&sentence(finding));
            for related in &finding.related {
                description.push_str(&format!(" ({}: {})", related.message, place(&related.location)));
            }
            entries.push(Entry {
                description,
                check_name: finding.id,
                fingerprint: Digest::of(format!("{key} {count}").as_bytes()).hex(),
                severity: match finding.severity {
                    _ if is_notice(finding.id) => "blocker",
                    Severity::Error => "major",
                    Severity::Warning => "minor",
                },
                location: Location { path: spot.file, lines: Lines { begin: line, end } },
            });
        }
    }
    let mut text = serde_json::to_string_pretty(&entries).unwrap_or_default();
    text.push('\n');
    text
}
