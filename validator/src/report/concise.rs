//! One line a finding: `PLACE: SEVERITY[ID] MESSAGE`.

use std::fmt::Write as _;

use crate::diagnostic::{Diagnostic, Severity};
use crate::shown::escaped;

/// The findings, a line each.
#[must_use]
pub fn concise(findings: &[Diagnostic]) -> String {
    let mut out = String::new();
    for finding in findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let _ = writeln!(out, "{}: {severity}[{}] {}", place(finding), finding.id, finding.message);
    }
    out
}

/// The chain, then what is known of line and column, pointer and byte.
pub(super) fn place(finding: &Diagnostic) -> String {
    let location = &finding.location;
    let chain: Vec<String> = location.chain.iter().map(|part| escaped(part)).collect();
    let mut place = chain.join(": ");
    if let (Some(line), Some(column)) = (location.line, location.column) {
        let _ = write!(place, ":{line}:{column}");
    }
    if let Some(pointer) = location.pointer.as_deref().filter(|pointer| !pointer.is_empty()) {
        let _ = write!(place, ": {}", escaped(pointer));
    }
    if let Some(bytes) = location.bytes.filter(|_| location.line.is_none()) {
        let _ = write!(place, ": byte {}", bytes.start);
    }
    place
}
