//! Why an instance is not started.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A reason, with the clause that it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// The clause, of this chapter or of one about images, or the engine's own name for it; absent if it is a matter of the
    /// host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub clause: Option<String>,
    /// Why, with the value, in words.
    pub message: String,
}

impl Reason {
    /// A reason from a clause.
    #[must_use]
    pub fn new(clause: &str, message: impl Into<String>) -> Self {
        Self { clause: Some(clause.to_owned()), message: message.into() }
    }

    /// A reason that lies in the host.
    #[must_use]
    pub fn of_host(message: impl Into<String>) -> Self {
        Self { clause: None, message: message.into() }
    }
}

/// Collects reasons.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    /// Clauses that are not enforced: an engine that leaves one out is what a suite has to catch.
    off: BTreeSet<String>,
    reasons: Vec<Reason>,
}

impl Refusals {
    pub(crate) fn without(off: BTreeSet<String>) -> Self {
        Self { off, reasons: Vec::new() }
    }

    pub(crate) fn push(&mut self, reason: Reason) {
        if reason.clause.as_ref().is_none_or(|clause| !self.off.contains(clause)) {
            self.reasons.push(reason);
        }
    }

    pub(crate) fn add(&mut self, clause: &str, message: impl Into<String>) {
        self.push(Reason::new(clause, message));
    }

    /// All reasons, if there is one.
    pub(crate) fn verdict(&mut self) -> Result<(), Vec<Reason>> {
        if self.reasons.is_empty() { Ok(()) } else { Err(std::mem::take(&mut self.reasons)) }
    }
}
