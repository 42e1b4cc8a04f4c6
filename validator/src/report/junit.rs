//! JUnit XML: a test suite an input, a test case a finding, and one that passes for an input without.
//!
//! There is no standard; the form is the one that the XSD of the Jenkins xunit plugin describes. What
//! makes the check fail is a failure, an input that could not be checked an error; any other finding is
//! a test case that passes, with its text as output.

use std::fmt::Write as _;

use super::concise::{place, severity};
use super::{Report, sentence};
use crate::diagnostic::Diagnostic;
use crate::notice::is_notice;

pub(super) fn junit(report: &Report) -> String {
    let (mut suites, mut all) = (String::new(), Counts::default());
    for input in &report.inputs {
        let (mut cases, mut counts) = (String::new(), Counts::default());
        let class = attribute(&input.name);
        for finding in &input.findings {
            // Programs that keep a history take test cases of one name for one.
            let name = attribute(&format!("{} at {}", finding.id, place(&finding.location)));
            let _ = writeln!(cases, "    <testcase classname=\"{class}\" name=\"{name}\">");
            let element = match (is_notice(finding.id), report.fails(finding)) {
                (true, _) => "error",
                (false, true) => "failure",
                (false, false) => "system-out",
            };
            counts.add(element);
            let body = content(&body(finding));
            if element == "system-out" {
                let _ = writeln!(cases, "      <system-out>{body}</system-out>");
            } else {
                let message = attribute(&finding.message);
                let _ = writeln!(
                    cases,
                    "      <{element} type=\"{}\" message=\"{message}\">{body}</{element}>",
                    finding.id
                );
            }
            cases.push_str("    </testcase>\n");
        }
        if input.findings.is_empty() {
            counts.tests += 1;
            let _ = writeln!(cases, "    <testcase classname=\"{class}\" name=\"no violations\"/>");
        }
        let _ = write!(suites, "  <testsuite name=\"{class}\"{counts}>\n{cases}  </testsuite>\n");
        all.tests += counts.tests;
        all.failures += counts.failures;
        all.errors += counts.errors;
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"cornercast check\"{all}>\n{suites}</testsuites>\n"
    )
}

/// The attributes that count.
#[derive(Default)]
struct Counts {
    tests: u64,
    failures: u64,
    errors: u64,
}

impl Counts {
    fn add(&mut self, element: &str) {
        self.tests += 1;
        self.failures += u64::from(element == "failure");
        self.errors += u64::from(element == "error");
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, " tests=\"{}\" failures=\"{}\" errors=\"{}\"", self.tests, self.failures, self.errors)
    }
}

/// What a person reads of a failed test case.
fn body(finding: &Diagnostic) -> String {
    let mut out =
        format!("{}: {}[{}] {}", place(&finding.location), severity(finding.severity), finding.id, sentence(finding));
    for related in &finding.related {
        let _ = write!(out, "\n{}: {}", place(&related.location), related.message);
    }
    out
}

fn content(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' => out.push(character),
            // XML 1.0 has no way to write these.
            '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            _ => out.push(character),
        }
    }
    out
}

fn attribute(text: &str) -> String {
    content(text).replace('"', "&quot;").replace('\n', "&#10;")
}
