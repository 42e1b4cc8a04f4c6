//! For people: message, place, the source with the value underlined, and what to do.

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use super::concise::place;
use crate::diagnostic::{ByteRange, Diagnostic, Excerpt, Severity};

/// The findings with excerpts, styled for a terminal; the caller strips the styles where there is none.
#[must_use]
pub fn human(findings: &[Diagnostic]) -> String {
    let renderer = Renderer::styled();
    let mut out = String::new();
    for finding in findings {
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let group = level.primary_title(finding.message.as_str()).id(finding.id).element(Origin::path(place(finding)));
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

/// What a check found, in one sentence.
#[must_use]
pub fn summary(inputs: usize, errors: u64, warnings: u64, shown: u64) -> String {
    let plural = |count: u64, one: &str| if count == 1 { format!("{count} {one}") } else { format!("{count} {one}s") };
    let inputs = plural(inputs as u64, "input");
    let found = match (errors, warnings) {
        (0, 0) => return format!("{inputs} checked: no violations\n"),
        (errors, 0) => plural(errors, "error"),
        (0, warnings) => plural(warnings, "warning"),
        (errors, warnings) => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
    };
    let hidden = (errors + warnings).saturating_sub(shown);
    let more = if hidden > 0 { format!(" ({hidden} of them not shown; see --max-findings)") } else { String::new() };
    format!("{inputs} checked: {found}{more}\n")
}
