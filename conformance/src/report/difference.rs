//! What is another one between two runs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use cornercast::shown::escaped;
use serde::Serialize;

use super::Report;
use crate::results::Verdict;

/// What is another one, by implementation; those of which all is the same are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Difference {
    /// By the name of the implementation.
    pub implementations: BTreeMap<String, Changes>,
}

/// What is another one of an implementation, by the name of the case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Cases with a worse verdict.
    pub worse: BTreeMap<String, Change>,
    /// Cases with a better verdict.
    pub better: BTreeMap<String, Change>,
    /// Cases that were not there.
    pub new: BTreeMap<String, Verdict>,
    /// Cases that are not there any more.
    pub gone: BTreeMap<String, Verdict>,
}

/// Two verdicts of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Change {
    /// That of the earlier run.
    pub old: Verdict,
    /// That of the later run.
    pub new: Verdict,
}

impl Difference {
    /// What is another one in `new`.
    #[must_use]
    pub fn of(old: &Report, new: &Report) -> Self {
        let (old, new) = (verdicts(old), verdicts(new));
        let mut difference = Self::default();
        let keys: BTreeSet<_> = old.keys().chain(new.keys()).copied().collect();
        for (implementation, case) in keys {
            let key = (implementation, case);
            let (old, new) = (old.get(&key).copied(), new.get(&key).copied());
            if old == new {
                continue;
            }
            let changes = difference.implementations.entry(implementation.to_owned()).or_default();
            match (old, new) {
                (Some(old), Some(new)) => {
                    let is_worse = new.badness() > old.badness();
                    let changed = if is_worse { &mut changes.worse } else { &mut changes.better };
                    changed.insert(case.to_owned(), Change { old, new });
                }
                (None, Some(new)) => _ = changes.new.insert(case.to_owned(), new),
                (Some(old), None) => _ = changes.gone.insert(case.to_owned(), old),
                (None, None) => {}
            }
        }
        difference
    }

    /// Whether a case has a worse verdict.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.implementations.values().any(|changes| !changes.worse.is_empty())
    }

    /// Writes the difference as text, with colours; whoever calls strips them where they are not wanted.
    ///
    /// # Errors
    ///
    /// Errors of `out`.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.implementations.is_empty() {
            return writeln!(out, "no verdict is another one");
        }
        for (name, changes) in &self.implementations {
            changes.write(out, name)?;
        }
        Ok(())
    }
}

impl Changes {
    fn write(&self, out: &mut dyn Write, implementation: &str) -> io::Result<()> {
        let [bold, red, green] = [None, Some(AnsiColor::Red), Some(AnsiColor::Green)]
            .map(|colour| Style::new().bold().fg_color(colour.map(Into::into)));
        let Self { worse, better, new, gone } = self;
        let counts = [(worse.len(), "worse"), (better.len(), "better"), (new.len(), "new"), (gone.len(), "gone")];
        let counts: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        writeln!(out, "{bold}{}{bold:#}: {}", escaped(implementation), counts.join(", "))?;
        for (style, what, changed) in [(red, "worse", worse), (green, "better", better)] {
            for (case, Change { old, new }) in changed {
                let case = escaped(case);
                writeln!(out, "  {style}{what:6}{style:#}  {case}  {} → {}", old.name(), new.name())?;
            }
        }
        for (what, cases) in [("new", new), ("gone", gone)] {
            for (case, verdict) in cases {
                writeln!(out, "  {what:6}  {}  {}", escaped(case), verdict.name())?;
            }
        }
        Ok(())
    }
}

/// The verdicts by implementation and case.
fn verdicts(report: &Report) -> BTreeMap<(&str, &str), Verdict> {
    let key = |line: &crate::results::Line| line.verdict;
    report.rows.iter().map(|row| ((row.line.implementation.as_str(), row.line.case.as_str()), key(&row.line))).collect()
}
