//! For people: message, place, the source with the value underlined, and what to do.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::concise::place;
use super::{CheckedInput, Known, Report};
use crate::diagnostic::{ByteRange, Diagnostic, Excerpt, Location, Severity};

/// Columns that are enough for every excerpt, so that what is left out is left out here.
const WIDTH: usize = 240;

/// The findings with excerpts, styled for a terminal; the caller strips the styles where there is none.
fn human<'a>(findings: impl IntoIterator<Item = &'a Diagnostic>) -> String {
    let renderer = Renderer::styled().term_width(WIDTH);
    let mut out = String::new();
    for finding in findings {
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut title = level.primary_title(finding.message.as_str()).id(finding.id);
        if let Some(url) = &finding.url {
            title = title.id_url(url.as_str());
        }
        let group = title.element(Origin::path(place(&finding.location)));
        let group = with_excerpt(group, finding.excerpt.as_ref(), &finding.location);
        let mut report = vec![group.element(Level::HELP.message(finding.help.as_str()))];
        report.extend(finding.related.iter().map(|related| {
            let title = Level::NOTE.secondary_title(related.message.as_str());
            let group = title.element(Origin::path(place(&related.location)));
            with_excerpt(group, related.excerpt.as_ref(), &related.location)
        }));
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

fn with_excerpt<'a>(group: Group<'a>, excerpt: Option<&Excerpt>, location: &Location) -> Group<'a> {
    let Some((excerpt, bytes)) = excerpt.zip(location.bytes) else { return group };
    let shown = if excerpt.text { text(excerpt, bytes) } else { Some(hex(excerpt, bytes)) };
    let Some(Shown { text, line, marks }) = shown else { return group };
    let snippet = Snippet::source(text)
        .line_start(line.unwrap_or(1))
        .line_numbering(line.is_some())
        .annotations(marks.into_iter().map(|mark| AnnotationKind::Primary.span(mark)));
    group.element(snippet)
}

/// An excerpt as lines, and the parts of them that are underlined.
struct Shown {
    text: String,
    /// The number of the line; bytes have none.
    line: Option<usize>,
    marks: Vec<Range<usize>>,
}

/// Text as it stands, `…` where the line is longer.
fn text(excerpt: &Excerpt, bytes: ByteRange) -> Option<Shown> {
    let offset = |at: u64| usize::try_from(at.saturating_sub(excerpt.start)).unwrap_or(usize::MAX);
    let text = String::from_utf8_lossy(&excerpt.bytes);
    let (mut start, mut end) = (offset(bytes.start).min(text.len()), offset(bytes.end).min(text.len()));
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    let (before, inside, after) = (text.get(..start)?, text.get(start..end)?, text.get(end..)?);
    let cut = |is_cut: bool| if is_cut { "…" } else { "" };
    let before = format!("{}{}", cut(excerpt.begins_late), visible(before));
    let inside = visible(inside);
    // A carriage return ends the line as well.
    let after = format!("{}{}", visible(after.strip_suffix('\r').unwrap_or(after)), cut(excerpt.ends_early));
    let text = format!("{before}{inside}{after}");
    // Of an object or array that goes on beyond the line, the bracket says enough.
    let goes_on = offset(bytes.end) > excerpt.bytes.len() && inside.starts_with(['{', '[']);
    let length = if goes_on { 1 } else { inside.len().max(1) };
    let (start, end) = (before.len(), (before.len() + length).min(text.len().max(before.len())));
    let line = excerpt.line_column.map(|(line, _)| usize::try_from(line).unwrap_or(usize::MAX));
    Some(Shown { text, line, marks: std::iter::once(start..end).collect() })
}

/// Control characters would act on the terminal or shift what is underlined; Unicode has pictures of
/// them, each one column wide. A tab becomes spaces in the excerpt anyway.
fn visible(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\t' => character,
            '\0'..='\u{1F}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or(char::REPLACEMENT_CHARACTER),
            '\u{7F}' => '\u{2421}',
            _ if character.is_control() => char::REPLACEMENT_CHARACTER,
            _ => character,
        })
        .collect()
}

/// Rows of bytes that are shown.
const ROWS: usize = 3;

/// Bytes in rows of 16: offset, hexadecimal digits, ASCII. Rows of zeros at the end say nothing.
fn hex(excerpt: &Excerpt, bytes: ByteRange) -> Shown {
    let length = usize::try_from(bytes.end.saturating_sub(bytes.start)).unwrap_or(usize::MAX).max(1);
    let rows: Vec<&[u8]> = excerpt.bytes.chunks(16).take(ROWS).collect();
    let shown = rows.iter().rposition(|row| row.iter().any(|byte| *byte != 0)).map_or(1, |last| last + 1);
    let (mut text, mut marks) = (String::new(), Vec::new());
    for (index, row) in rows.into_iter().take(shown).enumerate() {
        let digits: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let graphic = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
        let ascii: String = row.iter().map(graphic).collect();
        let head = format!("{:08x}  ", excerpt.start + 16 * index as u64);
        let inside = length.saturating_sub(16 * index).min(row.len());
        if inside > 0 {
            let start = text.len() + head.len();
            marks.push(start..start + inside * 3 - 1);
        }
        text.push_str(&format!("{head}{:<47}  |{ascii}|\n", digits.join(" ")));
    }
    Shown { text, line: None, marks }
}

/// The findings and, last, what the check found in one sentence.
pub(super) fn human_report(report: &Report) -> String {
    let findings = report.findings().count() as u64;
    if findings > 0 && report.findings().all(|finding| finding.id.starts_with("CFG")) {
        let (list, errors) = (human(report.findings()), plural(findings, "error"));
        return format!("{list}the configuration has {errors}; nothing was checked\n");
    }
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
        let new = if report.known.is_some() { "new " } else { "" };
        found.push(format!("no {new}violations"));
    }
    let hidden = (errors + warnings + unchecked).saturating_sub(findings);
    let more = if hidden > 0 { format!(" ({hidden} of them not shown; see --max-findings)") } else { String::new() };
    let mut parts = Vec::new();
    if checked > 0 || errors + warnings > 0 {
        parts.push(format!("{} checked: {}{more}", plural(checked, "input"), found.join(", ")));
    }
    if unchecked > 0 {
        parts.push(format!("{} could not be checked", plural(unchecked, "input")));
    }
    if let Some(Known { hidden, gone }) = report.known {
        parts.push(format!("{} hidden by the baseline", plural(hidden, "violation")));
        if gone > 0 {
            parts.push(format!("{} of the baseline not found any more", plural(gone, "violation")));
        }
    }
    if report.digests_only {
        parts.push("layers were not opened".to_owned());
    }
    format!("{}{}\n", human(report.findings()), parts.join("; "))
}

fn plural(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clause;
    use crate::diagnostic::{Findings, Place, Violation};

    /// An address makes the id a link (OSC 8); where styles are stripped, links are, too.
    #[test]
    fn links_are_styles() {
        let mut findings = Findings::new("manifest.json", 1);
        findings.add(Violation::new(&clause::MAN_003, Place::default(), "the member `name` is missing"));
        let mut finding = findings.list().first().unwrap().clone();
        finding.url = Some("https://example.com/manifest.html#MAN-003".to_owned());
        let styled = human([&finding]);
        assert!(styled.contains("\u{1b}]8;;https://example.com/manifest.html#MAN-003"), "{styled:?}");
        let plain = anstream::adapter::strip_str(&styled).to_string();
        assert!(plain.starts_with("error[MAN-003]: the member"), "{plain:?}");
        assert!(!plain.contains("example.com"), "{plain:?}");
    }
}
