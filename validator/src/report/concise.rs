//! One line a finding: `PLACE: SEVERITY[ID] MESSAGE`, related places in brackets.

use std::fmt::Write as _;

use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::shown::escaped;

/// The findings, a line each.
pub fn concise<'a>(findings: impl IntoIterator<Item = &'a Diagnostic>) -> String {
    let mut out = String::new();
    for finding in findings {
        let Diagnostic { id, message, .. } = finding;
        let _ = write!(out, "{}: {}[{id}] {message}", place(&finding.location), severity(finding.severity));
        for related in &finding.related {
            let _ = write!(out, " ({}: {})", related.message, place(&related.location));
        }
        out.push('\n');
    }
    out
}

pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// The chain, then what is known of line and column, pointer and byte.
pub(super) fn place(location: &Location) -> String {
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
