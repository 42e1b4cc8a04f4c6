//! A page of the book, in `spec/reference/`: who was tested, chapters × implementations, and each case that somebody
//! did not pass.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::markdown::{MAX_REASON, code, escaped, in_table, shortened, table};
use super::tally::{Tallies, words};
use super::{Besides, Report, Row, chapters, title};
use crate::expectations::EXPECTED;
use crate::results::{Host, Verdict};
use crate::suite;

/// Rows of the tables of cases; the result lines have all.
const MAX_ROWS: usize = 1000;

/// The most characters of what was seen that stand before what was expected.
const MAX_SEEN: usize = 150;

/// The page.
#[must_use]
pub fn write(report: &Report, besides: &Besides) -> String {
    let mut out = "# Conformance matrix\n\n".to_owned();
    let header = &report.header;
    let date = besides.date.as_ref().map_or_else(String::new, |date| format!(", of {date}"));
    let _ = writeln!(
        out,
        "Results of the suite {} for the format {}{date}, made by `cornercast-conformance report … --output book=FILE` \
         from the result lines.",
        code(&header.version),
        code(&header.format),
    );
    implementations(&mut out, report);
    out.push_str("\n## Chapters\n\nCases that pass, of those that were put to the implementation.\n\n");
    table(&mut out, report, false);
    cases(&mut out, report);
    if !report.footer.stale.is_empty() {
        out.push_str("\n## Expected failures of cases that do not exist\n\n");
        for stale in &report.footer.stale {
            let _ = writeln!(out, "- {} {}", code(&stale.implementation), code(&stale.case));
        }
    }
    out
}

fn implementations(out: &mut String, report: &Report) {
    out.push_str("\n## Implementations\n\n| name | what it is | cases that pass | result | host |\n");
    out.push_str("| --- | --- | --- | --- | --- |\n");
    let tallies = Tallies::of(report);
    for implementation in &report.header.implementations {
        let name = &implementation.name;
        let tally = tallies.get(name, "");
        let product = format!("{} {}", implementation.product, implementation.version);
        let host = report.hosts.iter().find(|(_, names)| names.contains(name)).map(|(host, _)| shown(host));
        let _ = writeln!(
            out,
            "| {} | {} | {} of {} | {} | {} |",
            in_table(&code(name)),
            in_table(&code(&product)),
            tally.passed(),
            tally.decided(),
            words(tally.conclusion),
            in_table(&code(&host.unwrap_or_default())),
        );
    }
}

/// A host in a few words: `linux 6.1.0, x86_64, 2 processors`.
pub(super) fn shown(host: &Host) -> String {
    let kernel = host.kernel.as_ref().map_or_else(String::new, |kernel| format!(" {kernel}"));
    let cpus = if host.cpus == 1 { "1 processor".to_owned() } else { format!("{} processors", host.cpus) };
    format!("{}{kernel}, {}, {cpus}", host.os, host.architecture)
}

/// The cases that somebody did not pass, by chapter and clause.
fn cases(out: &mut String, report: &Report) {
    out.push_str("\n## Where they differ\n\n");
    out.push_str("Every case that an implementation did not pass. Those that are not named passed it, or it was not put to them.\n");
    let mut by_chapter: BTreeMap<&str, BTreeMap<(usize, &str), Vec<&Row>>> = BTreeMap::new();
    for row in &report.rows {
        let clause = row.line.case.split('/').next().unwrap_or_default();
        let by_case = by_chapter.entry(&row.chapter).or_default();
        by_case.entry((suite::place(clause), &row.line.case)).or_default().push(row);
    }
    if report.rows.iter().all(|row| row.line.verdict == Verdict::Pass) {
        out.push_str("\nThere is none.\n");
    }
    let mut written = 0;
    for chapter in chapters(&report.rows) {
        let of_chapter = by_chapter.get(chapter).into_iter().flatten();
        let rows: Vec<String> = of_chapter.flat_map(|((_, case), rows)| lines(case, rows)).collect();
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n### {}\n\n| clause | case | who | verdict | why |", escaped(&title(chapter)));
        out.push_str("| --- | --- | --- | --- | --- |\n");
        let room = MAX_ROWS.saturating_sub(written);
        rows.iter().take(room).for_each(|row| out.push_str(row));
        written += rows.len();
        if rows.len() > room {
            let _ = writeln!(out, "\n{} more are in the result lines.", rows.len() - room);
        }
    }
}

/// A row for each verdict with its reason.
fn lines(case: &str, rows: &[&Row]) -> Vec<String> {
    let mut groups: Vec<(Verdict, &str, Vec<String>)> = Vec::new();
    for row in rows.iter().filter(|row| row.line.verdict != Verdict::Pass) {
        let (verdict, reason) = (row.line.verdict, row.line.reason.as_deref().unwrap_or_default());
        let name = in_table(&code(&row.line.implementation));
        match groups.iter_mut().find(|(known, why, _)| *known == verdict && *why == reason) {
            Some((_, _, names)) => names.push(name),
            None => groups.push((verdict, reason, vec![name])),
        }
    }
    let clauses = rows.first().map(|row| row.line.clauses.iter().map(|id| link(id)).collect::<Vec<_>>().join(", "));
    let clauses = clauses.filter(|clauses| !clauses.is_empty()).unwrap_or_else(|| "–".to_owned());
    let row = |(verdict, reason, names): (Verdict, &str, Vec<String>)| {
        let (case, reason) = (in_table(&code(case)), in_table(&code(&reason_of(verdict, reason))));
        format!("| {clauses} | {case} | {} | {} | {reason} |\n", names.join(", "), verdict.name())
    };
    groups.into_iter().map(row).collect()
}

/// A reason that is not too long. Of an expected failure, what was expected is as much worth as what was seen.
fn reason_of(verdict: Verdict, reason: &str) -> String {
    match reason.rsplit_once(EXPECTED) {
        Some((seen, expected)) if verdict == Verdict::Xfail => {
            format!("{}{EXPECTED}{}", shortened(seen, MAX_SEEN), shortened(expected, MAX_REASON))
        }
        _ => shortened(reason, MAX_REASON),
    }
}

/// A clause, as a link from `spec/reference/` to its text.
fn link(id: &str) -> String {
    match suite::clause(id) {
        Some(clause) => format!("[{id}](../{}#{id})", clause.file.trim_start_matches("spec/")),
        None => in_table(&code(id)),
    }
}
