//! The text report: how many cases of each chapter passed, and what went wrong.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use cornercast::shown::escaped;

use super::tally::{Tallies, Tally};
use super::{Report, Row, chapters, title};
use crate::results::Verdict;

/// Failures that are shown of one implementation; the result lines have all.
const MAX_SHOWN: usize = 40;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

fn style(verdict: Verdict) -> Style {
    let colour = match verdict {
        Verdict::Pass => AnsiColor::Green,
        Verdict::Recorded => AnsiColor::Cyan,
        Verdict::Xfail | Verdict::Skipped | Verdict::Unsupported => AnsiColor::Yellow,
        Verdict::Errored => AnsiColor::Magenta,
        Verdict::Xpass | Verdict::Fail | Verdict::FalseClaim => AnsiColor::Red,
    };
    Style::new().bold().fg_color(Some(colour.into()))
}

/// Writes the report to `out`, with colours; whoever calls strips them where they are not wanted.
///
/// # Errors
///
/// Errors of `out`.
pub fn write(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    table(out, report)?;
    for implementation in &report.header.implementations {
        failures(out, &implementation.name, &report.rows)?;
    }
    for stale in &report.footer.stale {
        let red = style(Verdict::Fail);
        let (implementation, case) = (escaped(&stale.implementation), escaped(&stale.case));
        writeln!(out, "{red}stale{red:#}  {implementation}  {case}")?;
        writeln!(out, "       a failure of this case is expected, but there is no such case\n")?;
    }
    let verdict = match report.footer.result.status() {
        0 => Verdict::Pass,
        1 => Verdict::Fail,
        _ => Verdict::Skipped,
    };
    let style = style(verdict);
    writeln!(out, "result: {style}{}{style:#}", report.footer.result.words())
}

/// Chapters × implementations.
fn table(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let (mut chapters, header, tallies) = (chapters(&report.rows), &report.header, Tallies::of(report));
    let left = chapters.iter().map(|chapter| head(chapter).chars().count()).max().unwrap_or(0).max(3);
    let heads: Vec<String> = header
        .implementations
        .iter()
        .map(|implementation| {
            escaped(&format!("{} ({} {})", implementation.name, implementation.product, implementation.version))
        })
        .collect();
    chapters.push("");
    let columns = header.implementations.iter().zip(&heads).map(|(implementation, head)| {
        let column = chapters.iter().map(|chapter| {
            let tally = tallies.get(&implementation.name, chapter);
            (tally.words(), worst(tally))
        });
        let column: Vec<(String, Style)> = std::iter::once((head.clone(), BOLD)).chain(column).collect();
        let width = column.iter().map(|(text, _)| text.chars().count()).max().unwrap_or(0);
        (column.into_iter(), width)
    });
    let mut columns: Vec<_> = columns.collect();
    for title in std::iter::once(String::new()).chain(chapters.iter().map(|chapter| head(chapter))) {
        write!(out, "{title:left$}")?;
        let mut gap = 3;
        for (column, width) in &mut columns {
            let (text, style) = column.next().unwrap_or_default();
            write!(out, "{:gap$}{style}{text}{style:#}", "")?;
            gap = 3 + width.saturating_sub(text.chars().count());
        }
        writeln!(out)?;
    }
    writeln!(out)
}

/// The style of the worst verdict.
fn worst(tally: &Tally) -> Style {
    tally.worst().map_or(DIM, style)
}

/// The title of a row.
fn head(chapter: &str) -> String {
    escaped(&title(chapter))
}

/// Everything of one implementation that did not pass, but for what nothing decides.
fn failures(out: &mut dyn Write, implementation: &str, rows: &[Row]) -> io::Result<()> {
    let is_meant = |row: &&Row| row.line.implementation == implementation && row.line.verdict.is_of_interest();
    let failed: Vec<&Row> = rows.iter().filter(is_meant).collect();
    let implementation = escaped(implementation);
    for Row { line, why, reproduce, .. } in failed.iter().take(MAX_SHOWN) {
        let (case, reproduce) = (escaped(&line.case), escaped(reproduce));
        let style = style(line.verdict);
        writeln!(out, "{style}{}{style:#}  {implementation}  {BOLD}{case}{BOLD:#}", line.verdict.name())?;
        writeln!(out, "    {}", escaped(&line.reason.as_deref().unwrap_or_default().replace('\n', " ")))?;
        if let Some(words) = line.values.get("stderr").and_then(|words| words.as_str()) {
            writeln!(out, "    {DIM}it said: {}{DIM:#}", escaped(words))?;
        }
        if !why.is_empty() {
            writeln!(out, "    {DIM}case: {}{DIM:#}", escaped(why))?;
        }
        writeln!(out, "    {DIM}repeat: {reproduce}{DIM:#}\n")?;
    }
    match failed.len().saturating_sub(MAX_SHOWN) {
        0 => Ok(()),
        more => writeln!(out, "{DIM}{more} more of {implementation} did not pass; --json has all{DIM:#}\n"),
    }
}
