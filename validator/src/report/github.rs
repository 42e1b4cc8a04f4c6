//! Workflow commands of GitHub Actions, one a finding: `::error file=…,line=…,title=ID::MESSAGE`.
//!
//! The form is that of the chapter *Workflow commands* of GitHub's documentation, the escapes are those
//! of its toolkit: `%`, CR and LF everywhere, `:` and `,` in properties as well.

use std::fmt::Write as _;

use super::{Report, Spot, sentence};
use crate::diagnostic::Severity;

pub(super) fn github(report: &Report) -> String {
    let mut out = String::new();
    for input in &report.inputs {
        for finding in &input.findings {
            let command = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let spot = Spot::of(input, &finding.location);
            let location = &finding.location;
            let _ = write!(out, "::{command} file={}", property(&spot.file));
            if let (true, Some(line)) = (spot.is_exact, location.line) {
                let end = location.end_line.unwrap_or(line);
                let _ = write!(out, ",line={line},endLine={end}");
                // Columns have a meaning within one line only.
                if let (true, Some(column)) = (end == line, location.column) {
                    let _ = write!(out, ",col={column}");
                    if let Some(end) = location.end_column.filter(|end| *end > column) {
                        let _ = write!(out, ",endColumn={end}");
                    }
                }
            }
            let mut text = spot.with(&sentence(finding));
            for related in &finding.related {
                let _ = write!(text, "\n{}: {}", super::concise::place(&related.location), related.message);
            }
            let _ = writeln!(out, ",title={}::{}", property(finding.id), message(&text));
        }
    }
    out
}

fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_command_early() {
        assert_eq!(message("50% of a::b,\r\nc"), "50%25 of a::b,%0D%0Ac");
        assert_eq!(property("a,b:c%\n"), "a%2Cb%3Ac%25%0A");
    }
}
