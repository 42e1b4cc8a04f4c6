//! What a run has found: read from result lines, and written in one form a module.
//!
//! | module | is for |
//! | --- | --- |
//! | [`matrix`] | the terminal |
//! | [`markdown`] | a pull request |
//! | [`junit`] | programs that show tests |
//! | [`difference`] | what is another one since an earlier run |
//! | [`observed`] | what implementations do differently, judged or not |

pub mod difference;
pub mod junit;
pub mod markdown;
pub mod matrix;
pub mod observed;

use std::collections::BTreeSet;

use clap::ValueEnum;
use serde::de::DeserializeOwned;

use crate::results::{Footer, Header, Line, Verdict};
use crate::suite::chapter_title;

/// All results of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// The first line.
    pub header: Header,
    /// The results.
    pub rows: Vec<Row>,
    /// The last line.
    pub footer: Footer,
}

/// A result with what reports say besides.
#[derive(Debug, Clone)]
pub struct Row {
    /// The result.
    pub line: Line,
    /// The prefix of the chapter.
    pub chapter: String,
    /// Why the case is there; empty if that is not known.
    pub why: String,
    /// The command that repeats the case.
    pub reproduce: String,
}

/// A form of the report for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Format {
    /// JSON lines: a header, one line a case and implementation, a footer
    Json,
    /// JUnit XML
    Junit,
    /// Markdown, for a pull request
    Markdown,
}

impl Row {
    /// A result with what else is known; `hint` are the options of `reproduce` that name the implementation.
    #[must_use]
    pub fn new(line: Line, why: &str, hint: &str) -> Self {
        let chapter = line.case.split(['-', '/']).next().unwrap_or(&line.case).to_owned();
        let reproduce = format!("cornercast-conformance reproduce {} {hint}", line.case);
        Self { line, chapter, why: why.to_owned(), reproduce }
    }
}

impl Report {
    /// Reads JSON lines. `why` tells why a case is there, `hint` what [`Row::new`] needs of an implementation.
    ///
    /// # Errors
    ///
    /// The line that is not what it has to be, or is missing, in words.
    pub fn read(text: &str, why: impl Fn(&str) -> String, hint: impl Fn(&str) -> String) -> Result<Self, String> {
        let mut lines = text.lines().zip(1..);
        let header: Header = one(lines.next(), "the header")?;
        let (mut rows, mut seen) = (Vec::new(), BTreeSet::new());
        for _ in 0..header.results {
            let line: Line = one(lines.next(), "a result")?;
            if !seen.insert((line.implementation.clone(), line.case.clone())) {
                return Err(format!("{} has two results of {}", line.case, line.implementation));
            }
            let (why, hint) = (why(&line.case), hint(&line.implementation));
            rows.push(Row::new(line, &why, &hint));
        }
        let footer = one(lines.next(), "the footer")?;
        match lines.next() {
            None => Ok(Self { header, rows, footer }),
            Some((_, at)) => Err(format!("line {at} is after the footer")),
        }
    }

    /// What implementations did differently, as far as that is recorded.
    #[must_use]
    pub fn differences(&self) -> Vec<observed::Difference> {
        let lines: Vec<&Line> = self.rows.iter().map(|row| &row.line).collect();
        observed::differences(&lines)
    }

    /// The verdicts of a chapter, or with an empty prefix of all.
    fn verdicts(&self, chapter: &str, implementation: &str) -> Vec<Verdict> {
        let rows = self.rows.iter().filter(|row| row.line.implementation == implementation);
        rows.filter(|row| chapter.is_empty() || row.chapter == chapter).map(|row| row.line.verdict).collect()
    }
}

fn one<T: DeserializeOwned>(line: Option<(&str, usize)>, what: &str) -> Result<T, String> {
    let (line, at) = line.ok_or_else(|| format!("{what} is missing: the run has not come to its end"))?;
    serde_json::from_str(line).map_err(|error| format!("line {at} is not {what}: {error}"))
}

/// The prefixes of the chapters, in the order of the results.
fn chapters(rows: &[Row]) -> Vec<&str> {
    let mut chapters: Vec<&str> = Vec::new();
    for row in rows {
        if !chapters.contains(&row.chapter.as_str()) {
            chapters.push(&row.chapter);
        }
    }
    chapters
}

/// A prefix with the title of its chapter.
fn title(chapter: &str) -> String {
    match (chapter, chapter_title(chapter)) {
        ("", _) => "all".to_owned(),
        (chapter, "") => chapter.to_owned(),
        (chapter, title) => format!("{chapter}  {title}"),
    }
}
