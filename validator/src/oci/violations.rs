//! What is wrong with one layer.

use crate::diagnostic::{MAX_VIOLATIONS, Severity, Violation};

/// Violations of one layer, at most a thousand errors and a thousand warnings: more say nothing new.
#[derive(Debug, Default)]
pub(super) struct Violations {
    list: Vec<Violation>,
    errors: usize,
}

impl Violations {
    pub(super) fn add(&mut self, violation: Violation) {
        let is_error = violation.clause.severity == Severity::Error;
        let before = if is_error { self.errors } else { self.list.len() - self.errors };
        if before < MAX_VIOLATIONS {
            self.errors += usize::from(is_error);
            self.list.push(violation);
        }
    }

    /// All of them, in the order of the layer.
    pub(super) fn into_sorted(mut self) -> Vec<Violation> {
        self.list.sort_by_key(|violation| violation.place.bytes.as_ref().map_or(0, |bytes| bytes.start));
        self.list
    }
}
