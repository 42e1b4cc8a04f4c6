//! The page as one HTML file that loads nothing and runs nothing.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::page::{Page, Part};
use crate::digest::Digest;
use crate::shown::escaped;

const STYLE: &str = "\
:root{color-scheme:light dark;font-family:system-ui,sans-serif;line-height:1.5}\
body{max-width:80rem;margin:0 auto;padding:1rem;color:#1a1a1a;background:#fff}\
table{border-collapse:collapse;margin:.5rem 0 1rem}\
th,td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;border-bottom:1px solid #ccc}\
h1,h2,h3,td{overflow-wrap:anywhere}\
td{min-width:3.5rem;font-family:ui-monospace,monospace;white-space:pre-wrap;unicode-bidi:isolate}\
h2{border-bottom:2px solid #888;margin-top:2rem}\
@media (prefers-color-scheme:dark){body{color:#e6e6e6;background:#16181c}th,td{border-color:#444}}";

pub(super) fn render(page: &Page) -> String {
    let title = text(&page.title);
    let style = STANDARD.encode(Digest::of(STYLE.as_bytes()).0);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    page.parts.iter().for_each(|part| push(&mut out, part));
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn push(out: &mut String, part: &Part) {
    let title = text(&part.title);
    let level = if part.is_detail { 3 } else { 2 };
    let _ = writeln!(out, "<h{level}>{title}</h{level}>");
    if let Some(note) = part.note {
        let _ = writeln!(out, "<p>{}</p>", text(note));
    }
    if !part.rows.is_empty() {
        let _ = writeln!(out, "<table aria-label=\"{title}\">\n<tbody>");
        for (name, value) in &part.rows {
            let _ = writeln!(out, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", text(name), text(value));
        }
        out.push_str("</tbody>\n</table>\n");
    }
    let Some(table) = &part.table else { return };
    let head: String = table.columns.iter().map(|name| format!("<th scope=\"col\">{}</th>", text(name))).collect();
    let _ = writeln!(out, "<table aria-label=\"{title}\">\n<thead>\n<tr>{head}</tr>\n</thead>\n<tbody>");
    for row in &table.rows {
        let cells: String = row.iter().map(|cell| format!("<td>{}</td>", text(cell))).collect();
        let _ = writeln!(out, "<tr>{cells}</tr>");
    }
    out.push_str("</tbody>\n</table>\n");
}

/// A value as text of HTML, also in an attribute with double quotes: hidden characters are shown, and nothing is markup.
fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for character in escaped(value).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
