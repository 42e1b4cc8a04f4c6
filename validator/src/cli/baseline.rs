//! Findings that are known already: those of an earlier `json` report.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::Failure;
use crate::diagnostic::Severity;
use crate::notice::is_notice;
use crate::report::{CheckedInput, Known};

/// How often each fingerprint is expected.
pub(super) struct Baseline(BTreeMap<String, u64>);

/// What counts of a line of the report.
#[derive(Deserialize)]
struct Line {
    id: String,
    fingerprint: String,
}

impl Baseline {
    /// Reads an earlier report.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or a line of it is no finding.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::Error(format!("the baseline {shown} cannot be read: {error}")))?;
        let mut known = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line: Line = serde_json::from_str(line).map_err(|_| {
                Failure::Error(format!(
                    "{shown}: line {number} is no finding; make the baseline with `cornercast check --format json`"
                ))
            })?;
            // What could not be checked then is not known, and never hidden.
            if !is_notice(&line.id) {
                *known.entry(line.fingerprint).or_default() += 1;
            }
        }
        Ok(Self(known))
    }

    /// Takes the findings that are known out of `inputs`, as often as they are known.
    pub(super) fn hide(mut self, inputs: &mut [CheckedInput]) -> Known {
        let mut hidden = 0;
        for CheckedInput { findings, errors, warnings, .. } in inputs {
            findings.retain(|finding| {
                let left = self.0.get_mut(&finding.fingerprint).filter(|left| **left > 0 && !is_notice(finding.id));
                let Some(left) = left else { return true };
                *left -= 1;
                hidden += 1;
                match finding.severity {
                    Severity::Error => *errors -= 1,
                    Severity::Warning => *warnings -= 1,
                }
                false
            });
        }
        Known { hidden, gone: self.0.values().sum() }
    }
}
