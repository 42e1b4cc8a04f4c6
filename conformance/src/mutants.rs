//! Implementations that are broken on purpose, each in one thing, and which cases notice which.

use std::collections::BTreeSet;
use std::io;

use cornercast::catalogue;

use crate::adapter::Adapter;
use crate::broken::{Broken, DEFECTS, Defect};
use crate::builtin;
use crate::bundles::{self, Runtime};
use crate::protocol::{Codec, Role};
use crate::results::{Implementation, Verdict};
use crate::run::Engine;
use crate::run::mutants as engines;
use crate::runner::{self, Job, Options, Reach, Subject};
use crate::suite::{self, Entry, Task};

/// What a runtime is called that is not broken: what it fails, a mutant of it cannot show.
const AS_IT_IS: &str = "(the runtime as it is)";

/// An implementation that is broken on purpose.
#[derive(Debug)]
pub struct Mutant {
    subject: Subject,
    /// How it is broken, if that is no clause.
    defect: Option<&'static Defect>,
    /// The clauses that it breaks; of all cases of its role if there are none.
    clauses: Vec<String>,
    /// The cases that it is given, as patterns of names, if not those of the clauses.
    cases: Option<&'static [&'static str]>,
}

/// What became of the mutants.
#[derive(Debug, Default)]
pub struct Score {
    /// Each mutant that had a case, in their order.
    pub rows: Vec<Row>,
    /// Cases that notice none, by name.
    pub idle: Vec<String>,
    /// Clauses of the cases that no mutant breaks.
    pub whole: Vec<String>,
    /// Cases that the runtime fails as it is: what they make of its mutants shows nothing.
    pub failed: Vec<String>,
}

/// What became of a mutant.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// The clauses that it breaks; of all cases of its role if there are none.
    pub clauses: Vec<String>,
    /// The cases that noticed it.
    pub noticed: Vec<String>,
    /// The cases that did not.
    pub missed: Vec<String>,
}

impl Score {
    /// Whether there are mutants, every one was noticed, every case notices one, and every clause has one.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let are_noticed = !self.rows.is_empty() && self.rows.iter().all(|row| !row.noticed.is_empty());
        self.idle.is_empty() && self.whole.is_empty() && are_noticed
    }
}

impl Mutant {
    fn engine(mutant: &engines::Mutant, engine: &Engine) -> Self {
        let engine = Engine { broken: Some(mutant.name), ..engine.clone() };
        let implementation = Implementation::new(mutant.name, engine.hello());
        Self {
            subject: Subject { implementation, reach: Reach::Engine(engine) },
            defect: None,
            clauses: mutant.clauses.iter().map(|clause| (*clause).to_owned()).collect(),
            cases: None,
        }
    }

    /// A runtime, called through a mutant, or as it is.
    fn runtime(mutant: Option<&'static bundles::mutants::Mutant>, runtime: &Runtime) -> Result<Self, String> {
        let runtime = runtime.clone().through(mutant.map(|mutant| mutant.name));
        // Engines can be broken in the same ways.
        let name = mutant.map_or_else(|| AS_IT_IS.to_owned(), |mutant| format!("runtime-{}", mutant.name));
        let implementation = Implementation::new(&name, runtime.hello()?);
        Ok(Self {
            subject: Subject { implementation, reach: Reach::Runtime(runtime) },
            defect: None,
            clauses: Vec::new(),
            cases: Some(mutant.map_or(&["*"], |mutant| mutant.cases)),
        })
    }

    fn reference(broken: &Broken, role: Role, clauses: Vec<String>) -> io::Result<Self> {
        let mut implementation = Implementation::new(&broken.name(), builtin::hello());
        implementation.roles = vec![role];
        let reach = Reach::Reference(Adapter::broken_reference(broken)?);
        let defect = if let Broken::Defect(defect) = broken { Some(*defect) } else { None };
        Ok(Self { subject: Subject { implementation, reach }, defect, clauses, cases: None })
    }

    /// Whether a case could notice it.
    fn is_meant(&self, entry: &Entry) -> bool {
        let expects = |defect: &Defect| match &entry.task {
            Task::Case { case, .. } => defect.is_noticed_by(case.expect.verdict.outcome()),
            Task::Run(_) => true,
            // A case that is recorded notices nothing.
            Task::Bundle(case) => case.rule.is_some(),
        };
        if let (Some(cases), Task::Bundle(case)) = (self.cases, &entry.task) {
            return case.rule.is_some() && cases.iter().any(|glob| suite::matches(glob, &entry.name));
        }
        self.subject.implementation.roles.contains(&entry.role)
            && self.defect.is_none_or(expects)
            && (self.clauses.is_empty() || self.clauses.iter().any(|clause| entry.clauses.contains(clause)))
    }
}

/// All mutants: of the engine, of the validator each without one of the clauses that `entries` expect to be named, of
/// the verifier each without one of its clauses, of the unpacker and of the builder.
///
/// # Errors
///
/// If the system does not tell where this program is.
pub fn all(entries: &[Entry], engine: &Engine) -> io::Result<Vec<Mutant>> {
    let mut all = Vec::new();
    let mut named = BTreeSet::new();
    for entry in entries {
        if let Task::Case { case, .. } = &entry.task
            && case.operation.is_check()
        {
            named.extend(case.expect.findings.iter().map(|finding| finding.id.clone()));
        }
    }
    for clause in named {
        all.push(Mutant::reference(&Broken::Without(Role::Validate, clause.clone()), Role::Validate, vec![clause])?);
    }
    let verified = catalogue::requirements().into_iter().filter(|clause| clause.observer == "verifier");
    for clause in verified.map(|clause| clause.id) {
        all.push(Mutant::reference(&Broken::Without(Role::Verify, clause.clone()), Role::Verify, vec![clause])?);
    }
    for defect in &DEFECTS {
        let clauses = defect.clauses.iter().map(|clause| (*clause).to_owned()).collect();
        all.push(Mutant::reference(&Broken::Defect(defect), defect.role, clauses)?);
    }
    all.extend(engines::all().iter().map(|mutant| Mutant::engine(mutant, engine)));
    Ok(all)
}

/// The mutants of an OCI runtime, and before them the runtime as it is.
///
/// # Errors
///
/// Why the runtime cannot be used here, in words.
pub fn of_runtime(runtime: &Runtime) -> Result<Vec<Mutant>, String> {
    let all = std::iter::once(None).chain(bundles::mutants::MUTANTS.iter().map(Some));
    all.map(|mutant| Mutant::runtime(mutant, runtime)).collect()
}

/// Whether a verdict says that a case of this role has noticed something. One that did not run has not; an engine, a
/// reader or a builder that is broken can end in any way, but of a runtime that did not answer nothing is known.
fn notices(role: Role, verdict: Verdict) -> bool {
    verdict.is_failure() || (verdict == Verdict::Errored && role != Role::Runtime)
}

/// Puts the cases of `entries` to `mutants`: to each the cases of the clauses that it breaks. `step` is told how many of
/// how many have been run.
///
/// # Errors
///
/// Errors of `step`; the first case that cannot be put to the runtime as it is.
pub fn score(
    entries: &[Entry],
    mutants: &[Mutant],
    codec: &Codec,
    options: &Options,
    mut step: impl FnMut(usize, usize) -> io::Result<()>,
) -> io::Result<Score> {
    let jobs: Vec<Job<'_>> = mutants
        .iter()
        .flat_map(|mutant| {
            let meant = entries.iter().filter(|entry| mutant.is_meant(entry));
            meant.map(|entry| Job { subject: &mutant.subject, entry })
        })
        .collect();
    let mut score = Score::default();
    for mutant in mutants.iter().filter(|mutant| mutant.subject.implementation.name != AS_IT_IS) {
        score.rows.push(Row {
            name: mutant.subject.implementation.name.clone(),
            clauses: mutant.clauses.clone(),
            noticed: Vec::new(),
            missed: Vec::new(),
        });
    }
    let mut busy = BTreeSet::new();
    let mut broken: BTreeSet<String> = mutants.iter().flat_map(|mutant| mutant.clauses.iter().cloned()).collect();
    let mut obstacle = None;
    let mut done = 0;
    runner::run(&jobs, codec, options, |job, line| {
        done += 1;
        let name = &job.subject.implementation.name;
        let is_noticed = notices(job.entry.role, line.verdict);
        if name == AS_IT_IS {
            if line.verdict == Verdict::Errored {
                let reason = line.reason.unwrap_or_default();
                obstacle.get_or_insert(format!("{} cannot be put to the runtime as it is: {reason}", line.case));
            } else if is_noticed {
                score.failed.push(line.case);
            }
        } else if let Some(row) = score.rows.iter_mut().find(|row| row.name == *name) {
            if is_noticed {
                // Every engine breaks clauses that are named; of what breaks all, the cases say what that is.
                if ![Role::Run, Role::Runtime].contains(&job.entry.role) {
                    broken.extend(job.entry.clauses.iter().cloned());
                }
                row.noticed.push(line.case);
            } else {
                row.missed.push(line.case);
            }
        }
        step(done, jobs.len())
    })?;
    // What cannot be put to the runtime as it is would say of each mutant that it was noticed, or of none.
    if let Some(obstacle) = obstacle {
        return Err(io::Error::other(obstacle));
    }
    // A case that the runtime fails as it is fails on its mutants as well, and shows nothing of them.
    for row in &mut score.rows {
        row.noticed.retain(|case| !score.failed.contains(case));
        row.missed.retain(|case| !score.failed.contains(case));
        busy.extend(row.noticed.iter().cloned());
    }
    score.rows.retain(|row| !row.noticed.is_empty() || !row.missed.is_empty());
    let decides = |entry: &&Entry| !matches!(&entry.task, Task::Bundle(case) if case.rule.is_none());
    let names = entries.iter().filter(decides).map(|entry| entry.name.clone());
    score.idle = names.filter(|name| !busy.contains(name) && !score.failed.contains(name)).collect();
    let clauses: BTreeSet<&String> = entries.iter().flat_map(|entry| &entry.clauses).collect();
    score.whole = clauses.into_iter().filter(|clause| !broken.contains(*clause)).cloned().collect();
    Ok(score)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(noticed: &[&str]) -> Row {
        let noticed = noticed.iter().map(|case| (*case).to_owned()).collect();
        Row { name: "a".to_owned(), clauses: Vec::new(), noticed, missed: vec!["b".to_owned()] }
    }

    #[test]
    fn no_answer_of_a_runtime_notices_nothing() {
        let all = |role| Verdict::ALL.into_iter().filter(move |verdict| notices(role, *verdict)).collect::<Vec<_>>();
        assert_eq!(all(Role::Runtime), [Verdict::Xpass, Verdict::Fail, Verdict::FalseClaim]);
        assert_eq!(all(Role::Run), [Verdict::Errored, Verdict::Xpass, Verdict::Fail, Verdict::FalseClaim]);
    }

    #[test]
    fn no_mutants_are_not_noticed() {
        assert!(!Score::default().is_whole());
        assert!(Score { rows: vec![row(&["a"])], ..Score::default() }.is_whole());
        assert!(!Score { rows: vec![row(&["a"]), row(&[])], ..Score::default() }.is_whole());
    }
}
