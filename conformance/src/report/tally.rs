//! How many cases have which verdict: the one count that all forms of the report show.

use std::collections::{BTreeMap, HashMap};

use super::Report;
use crate::results::{Conclusion, Line, Verdict};
use crate::suite::is_must;

/// How many cases have which verdict, and what they come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    counts: BTreeMap<Verdict, usize>,
    /// `None` if there is no case.
    pub(super) conclusion: Option<Conclusion>,
}

/// The tallies of a report.
pub(super) struct Tallies<'a> {
    /// By implementation and chapter; of all chapters under an empty prefix.
    all: HashMap<&'a str, HashMap<&'a str, Tally>>,
    none: Tally,
}

impl Tally {
    fn add(&mut self, line: &Line) {
        *self.counts.entry(line.verdict).or_default() += 1;
        self.conclusion = self.conclusion.max(Some(Conclusion::of(line.verdict, is_must(&line.clauses))));
    }

    pub(super) fn of<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Self {
        let mut tally = Self::default();
        lines.into_iter().for_each(|line| tally.add(line));
        tally
    }

    pub(super) fn count(&self, verdict: Verdict) -> usize {
        self.counts.get(&verdict).copied().unwrap_or_default()
    }

    pub(super) fn passed(&self) -> usize {
        self.count(Verdict::Pass)
    }

    /// All cases.
    pub(super) fn cases(&self) -> usize {
        self.counts.values().sum()
    }

    /// The cases that can be passed, which are those that something decides.
    pub(super) fn decided(&self) -> usize {
        self.cases() - self.count(Verdict::Recorded)
    }

    /// The verdicts that there are, the best first.
    pub(super) fn verdicts(&self) -> impl DoubleEndedIterator<Item = (Verdict, usize)> + '_ {
        Verdict::ALL.into_iter().map(|verdict| (verdict, self.count(verdict))).filter(|(_, count)| *count > 0)
    }

    /// The same without `pass`, the worst first.
    pub(super) fn rest(&self) -> impl Iterator<Item = (Verdict, usize)> + '_ {
        self.verdicts().rev().filter(|(verdict, _)| *verdict != Verdict::Pass)
    }

    pub(super) fn worst(&self) -> Option<Verdict> {
        self.verdicts().next_back().map(|(verdict, _)| verdict)
    }

    /// `12/14`: of the cases that something decides, how many passed. `None` if nothing decides any.
    pub(super) fn share(&self) -> Option<String> {
        let decided = self.decided();
        (decided > 0).then(|| format!("{}/{decided}", self.passed()))
    }

    /// `12/14  1 fail  1 errored  5 recorded`; a dash if there is no case.
    pub(super) fn words(&self) -> String {
        let rest = self.rest().map(|(verdict, count)| format!("{count} {}", verdict.name()));
        let parts: Vec<String> = self.share().into_iter().chain(rest).collect();
        if parts.is_empty() { "–".to_owned() } else { parts.join("  ") }
    }
}

impl<'a> Tallies<'a> {
    pub(super) fn of(report: &'a Report) -> Self {
        let mut all: HashMap<&str, HashMap<&str, Tally>> = HashMap::new();
        for row in &report.rows {
            let of_one = all.entry(&row.line.implementation).or_default();
            for chapter in [row.chapter.as_str(), ""] {
                of_one.entry(chapter).or_default().add(&row.line);
            }
        }
        for stale in &report.footer.stale {
            let of_one = all.entry(&stale.implementation).or_default();
            of_one.entry("").or_default().conclusion = Some(Conclusion::NotConformant);
        }
        Self { all, none: Tally::default() }
    }

    /// The tally of a chapter, or with an empty prefix of all.
    pub(super) fn get(&self, implementation: &str, chapter: &str) -> &Tally {
        self.all.get(implementation).and_then(|of_one| of_one.get(chapter)).unwrap_or(&self.none)
    }
}

/// A conclusion in words; of no case, that there is none.
pub(super) fn words(conclusion: Option<Conclusion>) -> &'static str {
    conclusion.map_or("no case", Conclusion::words)
}
