//! Which cases notice which mutants.

use std::collections::BTreeSet;
use std::io;

use super::{Mutant, all};
use crate::protocol::Codec;
use crate::results::{Implementation, Verdict};
use crate::run::Engine;
use crate::runner::{self, Job, Options, Reach, Subject};
use crate::suite::Entry;

/// What became of the mutants.
#[derive(Debug, Default)]
pub struct Score {
    /// Each mutant, in the order of the table.
    pub rows: Vec<Row>,
    /// Cases that notice none, by name.
    pub idle: Vec<String>,
    /// Clauses of the cases that no mutant breaks.
    pub whole: Vec<String>,
}

/// What became of a mutant.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// The clauses that it breaks; of all cases if there are none.
    pub clauses: &'static [&'static str],
    /// The cases that noticed it.
    pub noticed: Vec<String>,
    /// The cases that did not.
    pub missed: Vec<String>,
}

impl Score {
    /// Whether every mutant was noticed, every case notices one, and every clause has one.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.idle.is_empty() && self.whole.is_empty() && self.rows.iter().all(|row| !row.noticed.is_empty())
    }
}

/// Puts the cases of `entries` to mutants of the engine: to each the cases of the clauses that it breaks. `step` is told
/// how many of how many have been run.
///
/// # Errors
///
/// Errors of `step`.
pub fn score(
    entries: &[Entry],
    engine: &Engine,
    codec: &Codec,
    options: &Options,
    mut step: impl FnMut(usize, usize) -> io::Result<()>,
) -> io::Result<Score> {
    let mutants = all();
    let subjects: Vec<Subject> = mutants.iter().map(|mutant| subject(mutant, engine)).collect();
    let mut jobs = Vec::new();
    for (mutant, subject) in mutants.iter().zip(&subjects) {
        let is_meant = |entry: &&Entry| {
            mutant.clauses.is_empty()
                || mutant.clauses.iter().any(|clause| entry.clauses.iter().any(|own| own == clause))
        };
        jobs.extend(entries.iter().filter(is_meant).map(|entry| Job { subject, entry }));
    }
    let mut score = Score::default();
    for mutant in &mutants {
        score.rows.push(Row { name: mutant.name, clauses: mutant.clauses, noticed: Vec::new(), missed: Vec::new() });
    }
    let mut busy = BTreeSet::new();
    let mut done = 0;
    let all = jobs.len();
    runner::run(&jobs, codec, options, |job, line| {
        done += 1;
        if let Some(row) = score.rows.iter_mut().find(|row| row.name == job.subject.implementation.name) {
            if line.verdict == Verdict::Pass {
                row.missed.push(line.case);
            } else {
                busy.insert(line.case.clone());
                row.noticed.push(line.case);
            }
        }
        step(done, all)
    })?;
    score.rows.retain(|row| !row.noticed.is_empty() || !row.missed.is_empty());
    score.idle = entries.iter().map(|entry| entry.name.clone()).filter(|name| !busy.contains(name)).collect();
    let broken: BTreeSet<&str> = mutants.iter().flat_map(|mutant| mutant.clauses.iter().copied()).collect();
    let clauses: BTreeSet<&String> = entries.iter().flat_map(|entry| &entry.clauses).collect();
    score.whole = clauses.into_iter().filter(|clause| !broken.contains(clause.as_str())).cloned().collect();
    Ok(score)
}

fn subject(mutant: &Mutant, engine: &Engine) -> Subject {
    let engine = Engine { broken: Some(mutant.name), ..engine.clone() };
    Subject { implementation: Implementation::new(mutant.name, engine.hello()), reach: Reach::Engine(engine) }
}
