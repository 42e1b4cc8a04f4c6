//! One JSON object a finding and line; the schema is `diagnostic.schema.json`.

use crate::diagnostic::Diagnostic;

/// The findings, a line each.
pub(super) fn json<'a>(findings: impl IntoIterator<Item = &'a Diagnostic>) -> String {
    let mut out = String::new();
    for finding in findings {
        out.push_str(&serde_json::to_string(finding).unwrap_or_default());
        out.push('\n');
    }
    out
}
