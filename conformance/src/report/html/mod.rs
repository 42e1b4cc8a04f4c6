//! One HTML page: clauses × implementations, with all that is known of each case behind its clause.
//!
//! The page loads nothing. The matrix is in the document itself; the results of the cases are one JSON document, from
//! which the script shows those of a clause when it is opened. Whatever comes from the result lines is text: the
//! template escapes it, hidden characters are shown, and the policy of the page allows its own style and script only.
//!
//! | module | does |
//! | --- | --- |
//! | `sheet` | the results by clause, case and implementation |
//! | `view` | what the template shows: facts, columns, rows, cells |
//! | `change` | what is another one since an earlier run |
//! | `data` | the JSON document |
//! | `prose` | the Markdown of a clause as HTML |

mod change;
mod data;
mod prose;
mod sheet;
mod view;

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cornercast::digest::Digest;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, context};

use super::{Besides, Report};
use sheet::Sheet;

const STYLE: &str = concat!(include_str!("style.css"), include_str!("matrix.css"));
const SCRIPT: &str = concat!(
    "\"use strict\";\n(() => {\n",
    include_str!("data.js"),
    include_str!("panel.js"),
    include_str!("filter.js"),
    include_str!("keys.js"),
    "})();\n"
);

const TEMPLATES: [(&str, &str); 4] = [
    ("page.html", include_str!("page.html")),
    ("summary.html", include_str!("summary.html")),
    ("matrix.html", include_str!("matrix.html")),
    ("changes.html", include_str!("changes.html")),
];

/// The page.
///
/// # Errors
///
/// None that can be met: it is written into memory.
pub fn write(report: &Report, besides: &Besides) -> io::Result<String> {
    let mut templates = Environment::new();
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(io::Error::other)?;
    templates.set_syntax(syntax);
    for (name, text) in TEMPLATES {
        templates.add_template(name, text).map_err(io::Error::other)?;
    }
    let sheet = Sheet::of(report);
    let page = view::page(report, &sheet, besides);
    // The columns that are hidden, and the width from which on the page itself can scroll the matrix.
    let style = format!("{STYLE}{}", view::columns_style(sheet.columns.len()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(&style),
        hash(SCRIPT)
    );
    let data = data::write(report, &sheet, besides)?;
    let context = context! { page => Serde(page), policy, style, script => SCRIPT, data };
    templates.get_template("page.html").and_then(|template| template.render(context)).map_err(io::Error::other)
}

fn hash(text: &str) -> String {
    STANDARD.encode(Digest::of(text.as_bytes()).0)
}
