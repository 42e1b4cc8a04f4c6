//! Markdown as GitHub reads it: a table of chapters and implementations, and what did not pass.
//!
//! Whatever an implementation says stands in code spans, in which nothing has a meaning: no link, no mention, no tag.

use std::fmt::Write as _;

use super::tally::Tallies;
use super::{Report, Row, chapters, title};
use crate::results::{Conclusion, Verdict};

/// Results that are shown of one implementation; the result lines have all.
const MAX_SHOWN: usize = 50;

/// The most characters of a reason that are shown.
pub(super) const MAX_REASON: usize = 300;

/// The report as a document.
#[must_use]
pub fn write(report: &Report) -> String {
    let mark = match report.footer.result {
        Conclusion::Conformant | Conclusion::ConformantWithExceptions => "✅",
        Conclusion::Recorded => "📋",
        Conclusion::Incomplete => "⚠️",
        Conclusion::NotConformant => "❌",
    };
    let mut out = format!("## {mark} Cornercast conformance: {}\n\n", report.footer.result.words());
    table(&mut out, report, true);
    for implementation in &report.header.implementations {
        rest(&mut out, &implementation.name, &report.rows);
    }
    if !report.footer.stale.is_empty() {
        out.push_str("\n### Expected failures of cases that do not exist\n\n");
        for stale in &report.footer.stale {
            let _ = writeln!(out, "- {} {}", code(&stale.implementation), code(&stale.case));
        }
    }
    out
}

/// Chapters × implementations; if `has_products`, the head says what each is.
pub(super) fn table(out: &mut String, report: &Report, has_products: bool) {
    let (implementations, tallies) = (&report.header.implementations, Tallies::of(report));
    out.push_str("| chapter |");
    for implementation in implementations {
        let product = format!("{} {}", implementation.product, implementation.version);
        let product = if has_products { format!("<br>{}", in_table(&code(&product))) } else { String::new() };
        let _ = write!(out, " {}{product} |", in_table(&code(&implementation.name)));
    }
    let _ = writeln!(out, "\n| --- |{}", " --- |".repeat(implementations.len()));
    for chapter in chapters(&report.rows).into_iter().chain([""]) {
        let _ = write!(out, "| {} |", escaped(&title(chapter)));
        for implementation in implementations {
            let tally = tallies.get(&implementation.name, chapter);
            let cell = tally.words().replace("  ", ", ");
            let is_bad = tally.worst().is_some_and(Verdict::is_failure);
            let _ = if is_bad { write!(out, " **{cell}** |") } else { write!(out, " {cell} |") };
        }
        out.push('\n');
    }
}

/// Everything of one implementation that did not pass, the worst first.
fn rest(out: &mut String, implementation: &str, rows: &[Row]) {
    let is_meant = |row: &&Row| row.line.implementation == implementation && row.line.verdict.is_of_interest();
    let mut rest: Vec<&Row> = rows.iter().filter(is_meant).collect();
    if rest.is_empty() {
        return;
    }
    rest.sort_by_key(|row| std::cmp::Reverse(row.line.verdict.badness()));
    let _ = writeln!(out, "\n### {}: {} did not pass\n", code(implementation), rest.len());
    for Row { line, reproduce, .. } in rest.iter().take(MAX_SHOWN) {
        let reason = line.reason.as_deref().unwrap_or_default();
        let _ = writeln!(
            out,
            "- **{}** {}: {}",
            line.verdict.name(),
            code(&line.case),
            code(&shortened(reason, MAX_REASON))
        );
        let _ = writeln!(out, "  <br>repeat: {}", code(reproduce));
    }
    match rest.len().saturating_sub(MAX_SHOWN) {
        0 => {}
        more => {
            let _ = writeln!(out, "\n{more} more are in the JSON lines.");
        }
    }
}

pub(super) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
    }
}

/// A text as a code span, between more backticks than it has in a row.
pub(super) fn code(text: &str) -> String {
    let text: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    if text.trim().is_empty() {
        return "–".to_owned();
    }
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // A blank on both sides is taken away again.
    let needs_blank = text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    let blank = if needs_blank { " " } else { "" };
    format!("{fence}{blank}{text}{blank}{fence}")
}

/// A text in which no character has a meaning.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        // As many blanks are one.
        if character == ' ' && out.ends_with(' ') {
            continue;
        }
        if character.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(if character.is_control() { ' ' } else { character });
    }
    out
}

/// A code span in a table, which takes each `|` for the end of a cell that has no backslash before it.
pub(super) fn in_table(code: &str) -> String {
    code.replace('|', "\\|")
}
