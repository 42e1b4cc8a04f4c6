//! What is wrong with one layer.

use crate::clause::Clause;
use crate::diagnostic::{Excerpt, MAX_VIOLATIONS, Place, Severity, Violation};

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

    /// Adds a violation at `bytes`, which begin at `start`.
    pub(super) fn report(&mut self, clause: &'static Clause, start: u64, bytes: &[u8], message: impl Into<String>) {
        let mut place = Place::bytes(start..start + bytes.len() as u64);
        place.excerpt = (!bytes.is_empty()).then(|| Excerpt::of_binary(start, bytes));
        self.add(Violation::new(clause, place, message));
    }

    /// All of them, in the order of the layer.
    pub(super) fn into_sorted(mut self) -> Vec<Violation> {
        self.list.sort_by_key(|violation| violation.place.bytes.as_ref().map_or(0, |bytes| bytes.start));
        self.list
    }
}
