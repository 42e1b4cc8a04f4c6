//! The page as text.

use std::fmt::Write as _;

use super::page::{Page, Part};
use crate::shown::escaped;

pub(super) fn render(page: &Page) -> String {
    let bold = anstyle::Style::new().bold();
    let mut out = format!("{bold}{}{bold:#}\n", escaped(&page.title));
    for part in &page.parts {
        let indent = if part.is_detail { "  " } else { "" };
        let style = if part.is_detail { anstyle::Style::new() } else { bold };
        let before = if part.is_detail && is_short(part) { "" } else { "\n" };
        let _ = writeln!(out, "{before}{indent}{style}{}{style:#}", escaped(&part.title));
        if let Some(note) = part.note.filter(|_| !part.is_detail || !is_short(part)) {
            let _ = writeln!(out, "{indent}  {note}");
        }
        push_rows(&mut out, indent, part);
        push_table(&mut out, indent, part);
    }
    out
}

/// Whether there is nothing below the title.
fn is_short(part: &Part) -> bool {
    part.rows.is_empty() && part.table.is_none()
}

fn push_rows(out: &mut String, indent: &str, part: &Part) {
    let width = part.rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in &part.rows {
        let _ = writeln!(out, "{indent}  {name:<width$}  {}", escaped(value));
    }
}

fn push_table(out: &mut String, indent: &str, part: &Part) {
    let Some(table) = &part.table else { return };
    let head = table.columns.iter().map(|name| (*name).to_owned()).collect();
    let rows = table.rows.iter().map(|row| row.iter().map(|cell| escaped(cell)).collect());
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    for row in &rows {
        let mut line = format!("{indent} ");
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, " {cell:<width$} ");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}
