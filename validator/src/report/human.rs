//! For people: message, place, the source with the value underlined, and what to do.

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use super::concise::place;
use super::{CheckedInput, Report};
use crate::diagnostic::{ByteRange, Diagnostic, Excerpt, Severity};

/// The findings with excerpts, styled for a terminal; the caller strips the styles where there is none.
pub fn human<'a>(findings: impl IntoIterator<Item = &'a Diagnostic>) -> String {
    let renderer = Renderer::styled();
    let mut out = String::new();
    for finding in findings {
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let group = level
            .primary_title(finding.message.as_str())
            .id(finding.id)
            .element(Origin::path(place(&finding.location)));
        let group = match finding
            .excerpt
            .as_ref()
            .zip(finding.location.bytes)
            .and_then(|(excerpt, bytes)| shown(excerpt, bytes))
        {
            Some(shown) => group.element(
                Snippet::source(shown.text)
                    .line_start(shown.line)
                    .line_numbering(shown.numbered)
                    .annotation(AnnotationKind::Primary.span(shown.start..shown.end)),
            ),
            None => group,
        };
        let report = [group.element(Level::HELP.message(finding.help.as_str()))];
        for line in renderer.render(&report).lines().filter(|line| !is_divider(line)) {
            out.push_str(line);
            out.push('\n');
        }
        out.push('\n');
    }
    out
}

/// Whether a line only divides the place from the excerpt, which needs no dividing here.
fn is_divider(line: &str) -> bool {
    anstream::adapter::strip_str(line).to_string().trim() == ":::"
}

/// An excerpt as a line, and the part of it that is underlined.
struct Shown {
    text: String,
    line: usize,
    numbered: bool,
    start: usize,
    end: usize,
}

fn shown(excerpt: &Excerpt, bytes: ByteRange) -> Option<Shown> {
    let offset = |at: u64| usize::try_from(at.saturating_sub(excerpt.start)).unwrap_or(usize::MAX);
    if excerpt.text {
        let text = String::from_utf8_lossy(&excerpt.bytes);
        let (mut start, mut end) = (offset(bytes.start).min(text.len()), offset(bytes.end).min(text.len()));
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        let (before, inside) = (text.get(..start)?, text.get(start..end)?);
        let (before, inside) = (plain(before), plain(inside));
        let text = format!("{before}{inside}{}", plain(text.get(end..)?));
        let line = excerpt.line_column.map(|(line, _)| line);
        let (start, end) = (before.len(), before.len() + inside.len().max(1));
        return Some(Shown {
            end: end.min(text.len().max(start)),
            text,
            line: usize::try_from(line.unwrap_or(1)).unwrap_or(1),
            numbered: line.is_some(),
            start,
        });
    }
    let row: Vec<u8> = excerpt.bytes.iter().take(16).copied().collect();
    let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
    let ascii: String =
        row.iter().map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' }).collect();
    let head = format!("{:08x}  ", excerpt.start);
    let inside =
        usize::try_from(bytes.end.saturating_sub(bytes.start)).unwrap_or(usize::MAX).clamp(1, row.len().max(1));
    let text = format!("{head}{:<47}  |{ascii}|", hex.join(" "));
    let (start, end) = (head.len(), head.len() + inside * 3 - 1);
    Some(Shown { text, line: 1, numbered: false, start, end })
}

/// Control characters would act on the terminal or shift what is underlined.
fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{FFFD}' } else { character }).collect()
}

/// The findings and, last, what the check found in one sentence.
pub(super) fn human_report(report: &Report) -> String {
    let sum = |count: fn(&CheckedInput) -> u64| report.inputs.iter().map(count).sum::<u64>();
    let (errors, warnings) = (sum(|input| input.errors), sum(|input| input.warnings));
    let unchecked = sum(|input| u64::from(input.is_unchecked()));
    let checked = sum(|_| 1) - unchecked;
    let mut found: Vec<String> = [(errors, "error"), (warnings, "warning")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, one)| plural(count, one))
        .collect();
    if found.is_empty() {
        found.push("no violations".to_owned());
    }
    let hidden = (errors + warnings + unchecked).saturating_sub(report.findings().count() as u64);
    let more = if hidden > 0 { format!(" ({hidden} of them not shown; see --max-findings)") } else { String::new() };
    let mut parts = Vec::new();
    if checked > 0 || errors + warnings > 0 {
        parts.push(format!("{} checked: {}{more}", plural(checked, "input"), found.join(", ")));
    }
    if unchecked > 0 {
        parts.push(format!("{} could not be checked", plural(unchecked, "input")));
    }
    format!("{}{}\n", human(report.findings()), parts.join("; "))
}

fn plural(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}
