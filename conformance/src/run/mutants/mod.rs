//! Engines that are broken on purpose, each in one thing: the suite has to notice.
//!
//! A mutant is the reference engine that leaves out one check, or behind whose back something is changed: the app, the
//! bundle before the backend gets it, the reports, or the streams. [`all`] has them, with the clauses that each one
//! breaks; cases of these clauses are what can be expected to notice. [`crate::mutants`] puts them to it.

mod change;
mod end;
mod failing;
mod host;
mod isolation;
mod process;
mod streams;
mod tree;
mod volumes;
mod wrap;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use cornercast_engine::cli::RunArgs;
use cornercast_engine::engine::Tamper;

/// An engine that is broken on purpose.
pub struct Mutant {
    /// Its name.
    pub name: &'static str,
    /// The clauses that it breaks; those of all cases if there are none.
    pub clauses: &'static [&'static str],
    /// How it is broken.
    pub how: How,
}

/// How an engine is broken.
pub enum How {
    /// The clause is not enforced.
    Without(&'static str),
    /// The clause is not enforced, and something is changed behind its back as well.
    Both(&'static str, Arc<dyn Tamper>),
    /// Something is changed behind its back.
    Tamper(Arc<dyn Tamper>),
    /// Something is put around it.
    Wrap(fn(&RunArgs) -> io::Result<ExitCode>),
}

/// The mutant that is called `name`.
#[must_use]
pub fn find(name: &str) -> Option<Mutant> {
    all().into_iter().find(|mutant| mutant.name == name)
}

/// Clauses that an engine leaves out, each a mutant.
const CHECKS: [&str; 28] = [
    "RUN-001", "RUN-002", "RUN-003", "RUN-006", "RUN-007", "RUN-008", "RUN-009", "RUN-010", "RUN-011", "RUN-018",
    "RUN-019", "RUN-031", "RUN-041", "RUN-042", "RUN-066", "RUN-067", "RUN-068", "RUN-083", "RUN-084", "RUN-085",
    "RUN-086", "RUN-087", "RUN-088", "RUN-090", "RUN-091", "RUN-092", "RUN-126", "RUN-127",
];

/// All mutants.
#[must_use]
pub fn all() -> Vec<Mutant> {
    let mut all: Vec<Mutant> = CHECKS
        .iter()
        .map(|clause| Mutant { name: clause, clauses: std::slice::from_ref(clause), how: How::Without(clause) })
        .collect();
    for mutants in [
        process::process(),
        streams::streams(),
        tree::tree(),
        host::host(),
        volumes::volumes(),
        end::end(),
        isolation::isolation(),
        failing::failing(),
    ] {
        all.extend(mutants);
    }
    all
}
