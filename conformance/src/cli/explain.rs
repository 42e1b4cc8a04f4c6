//! `list` and `explain`.

use std::io::{BufWriter, Write};

use anstyle::Style;

use super::{Fixtures, Selection, Trouble};
use crate::bundles;
use crate::bundles::rule::{Rule, Wants};
use crate::case::{Case, Expected};
use crate::suite::{self, Entry, Task};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// One line a case.
pub(super) fn list(selection: &Selection) -> Result<(), Trouble> {
    let cases = selection.fixtures.load()?;
    let selected = selection.select(&cases.entries)?;
    let width = selected.iter().map(|entry| entry.name.chars().count()).max().unwrap_or(0);
    let mut out = BufWriter::new(anstream::stdout());
    for entry in &selected {
        let (name, role, expectation) = (&entry.name, entry.role.name(), expectation(entry));
        writeln!(out, "{name:width$}  {role:8}  {expectation:9}  {}", entry.why)?;
    }
    out.flush()?;
    Ok(())
}

fn expectation(entry: &Entry) -> &'static str {
    match &entry.task {
        Task::Case { case, .. } => case.expect.verdict.outcome().name(),
        Task::Run(scenario) if scenario.alternative.is_some() || scenario.can_exit => "any",
        Task::Run(scenario) => scenario.outcome.name(),
        Task::Bundle(case) if case.rule.is_none() => "recorded",
        Task::Bundle(case) if case.rule.as_ref().is_some_and(|rule| matches!(rule.wants, Wants::Error)) => "error",
        Task::Bundle(_) => "judged",
    }
}

/// All that is known of the cases that `glob` matches.
pub(super) fn explain(fixtures: &Fixtures, glob: &str) -> Result<(), Trouble> {
    let cases = fixtures.load()?;
    let selection = Selection { fixtures: fixtures.clone(), role: None, cases: vec![glob.to_owned()] };
    let mut out = BufWriter::new(anstream::stdout());
    for (index, entry) in selection.select(&cases.entries)?.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        one(&mut out, entry, cases.made.is_none())?;
    }
    out.flush()?;
    Ok(())
}

fn one(out: &mut impl Write, entry: &Entry, has_folder: bool) -> Result<(), Trouble> {
    writeln!(out, "{BOLD}{}{BOLD:#}", entry.name)?;
    writeln!(out, "{}.\n", entry.why)?;
    for id in &entry.clauses {
        match suite::clause(id) {
            Some(clause) => {
                writeln!(out, "{BOLD}{id}{BOLD:#}  {}", clause.text)?;
                writeln!(out, "         {DIM}{}, {}:{}{DIM:#}", clause.chapter, clause.file, clause.line)?;
            }
            None => writeln!(out, "{BOLD}{id}{BOLD:#}  (no such clause)")?,
        }
    }
    if !entry.clauses.is_empty() {
        writeln!(out)?;
    }
    writeln!(out, "role      {}", entry.role.name())?;
    writeln!(out, "expected  {}", expectation(entry))?;
    if let Task::Bundle(case) = &entry.task {
        return bundle(out, case);
    }
    let Task::Case { case, folder } = &entry.task else { return Ok(()) };
    for finding in &case.expect.findings {
        writeln!(out, "          the reference finds {}", place(finding))?;
    }
    for (what, digest) in [("result", &case.expect.result), ("tree", &case.expect.tree)] {
        if let Some(digest) = digest {
            writeln!(out, "{what:8}  {digest}")?;
        }
    }
    let Case { kind, input, corpus, cve, operation, options, .. } = case.as_ref();
    if !operation.is_check() {
        let options: Vec<String> = options.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        writeln!(out, "operation {}{}", operation.name(), options.concat())?;
    }
    match input {
        Some(input) if has_folder => writeln!(out, "input     {} ({kind})", folder.join(input).display())?,
        Some(input) => writeln!(out, "input     {input} ({kind})")?,
        None => writeln!(out, "input     made by a recipe when the case is run ({kind})")?,
    }
    for (name, values) in [("corpus", corpus), ("cve", cve)] {
        if !values.is_empty() {
            writeln!(out, "{name:8}  {}", values.join(", "))?;
        }
    }
    Ok(())
}

fn bundle(out: &mut impl Write, case: &bundles::Case) -> Result<(), Trouble> {
    let calls: Vec<&str> = case.calls.iter().map(|call| call.name()).collect();
    writeln!(out, "calls     {}", calls.join(", "))?;
    match &case.rule {
        Some(Rule { sentence, .. }) => {
            writeln!(out, "rule      {}", sentence.says)?;
            writeln!(out, "          {DIM}{}{DIM:#}", sentence.place())?;
            writeln!(out, "          {DIM}{}{DIM:#}", sentence.address())?;
        }
        None => writeln!(out, "rule      none: what comes of it is recorded")?,
    }
    Ok(())
}

fn place(finding: &Expected) -> String {
    let mut text = finding.id.clone();
    for (word, place) in [("in", &finding.file), ("in", &finding.entry), ("at", &finding.pointer)] {
        if let Some(place) = place {
            text.push_str(&format!(" {word} `{place}`"));
        }
    }
    if let Some(offset) = finding.offset {
        text.push_str(&format!(" at byte {offset}"));
    }
    text
}
