//! What a run has found: read from result lines, and written in one form a module.
//!
//! | module | is for |
//! | --- | --- |
//! | [`matrix`] | the terminal |
//! | [`markdown`] | a pull request |
//! | [`junit`] | programs that show tests |
//! | [`html`] | a browser |
//! | [`book`] | a page of a book |
//! | [`badge`] | a page that tells of an implementation |
//! | [`join`] | one report of several runs |
//! | [`difference`] | what is another one since an earlier run |
//! | [`observed`] | what implementations do differently, judged or not |

pub mod badge;
pub mod book;
pub mod difference;
pub mod html;
pub mod join;
pub mod junit;
pub mod markdown;
pub mod matrix;
pub mod observed;
mod tally;

use std::collections::BTreeSet;

use clap::ValueEnum;
use cornercast::shown::escaped;
use serde::de::DeserializeOwned;

use self::tally::Tallies;
use crate::results::{Conclusion, Footer, Header, Host, Line};
use crate::suite::{chapter_place, chapter_title, is_must};

/// The most implementations that a report has columns for.
pub const MAX_IMPLEMENTATIONS: usize = 256;

/// All results of a run, or of several that are joined.
#[derive(Debug, Clone)]
pub struct Report {
    /// The first line; of runs that are joined, the host of the first.
    pub header: Header,
    /// Where the implementations were run, each host once, with their names.
    pub hosts: Vec<(Host, Vec<String>)>,
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
    /// The options in it that name the implementation.
    pub hint: String,
}

/// What a report says beside the results.
#[derive(Debug, Clone, Default)]
pub struct Besides {
    /// The day that the reader is told, `YYYY-MM-DD`.
    pub date: Option<String>,
    /// What is another one since an earlier run.
    pub since: Option<difference::Difference>,
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
    /// One HTML page that loads nothing
    Html,
    /// Markdown, for a page of a book
    Book,
}

impl Row {
    /// A result with what else is known; `hint` are the options of `reproduce` that name the implementation.
    #[must_use]
    pub fn new(line: Line, why: &str, hint: &str) -> Self {
        let chapter = line.case.split(['-', '/']).next().unwrap_or(&line.case).to_owned();
        let reproduce = format!("cornercast-conformance reproduce {} {hint}", word(&line.case));
        Self { line, chapter, why: why.to_owned(), reproduce, hint: hint.to_owned() }
    }
}

impl Report {
    /// All of one run.
    #[must_use]
    pub fn new(header: Header, rows: Vec<Row>, footer: Footer) -> Self {
        let names = header.implementations.iter().map(|implementation| implementation.name.clone()).collect();
        Self { hosts: vec![(header.host.clone(), names)], header, rows, footer }
    }

    /// Reads JSON lines. `why` tells why a case is there, `hint` what [`Row::new`] needs of an implementation. What the
    /// run as a whole says is judged again.
    ///
    /// # Errors
    ///
    /// The line that is not what it has to be, or is missing, in words.
    pub fn read(text: &str, why: impl Fn(&str) -> String, hint: impl Fn(&str) -> String) -> Result<Self, String> {
        let mut lines = text.lines().zip(1..);
        let header: Header = one(lines.next(), "the header")?;
        has_room(header.implementations.len())?;
        let mut names = BTreeSet::new();
        if let Some(twice) = header.implementations.iter().find(|known| !names.insert(known.name.as_str())) {
            return Err(format!("the header has two implementations that are called `{}`", escaped(&twice.name)));
        }
        let (mut rows, mut seen) = (Vec::new(), BTreeSet::new());
        for _ in 0..header.results {
            let line: Line = one(lines.next(), "a result")?;
            if !names.contains(line.implementation.as_str()) {
                let name = escaped(&line.implementation);
                return Err(format!(
                    "{} has a result of `{name}`, which the header does not name",
                    escaped(&line.case)
                ));
            }
            if !seen.insert((line.implementation.clone(), line.case.clone())) {
                return Err(format!("{} has two results of {}", escaped(&line.case), escaped(&line.implementation)));
            }
            let (why, hint) = (why(&line.case), hint(&line.implementation));
            rows.push(Row::new(line, &why, &hint));
        }
        let footer: Footer = one(lines.next(), "the footer")?;
        if let Some((_, at)) = lines.next() {
            return Err(format!("line {at} is after the footer"));
        }
        let judged = rows.iter().map(|row| (&row.line, is_must(&row.line.clauses)));
        let Footer { counts, stale, .. } = footer;
        let footer = Footer::new(judged, stale);
        let mut names = counts.keys().chain(footer.counts.keys());
        if let Some(name) = names.find(|name| counts.get(*name) != footer.counts.get(*name)) {
            return Err(format!("the footer counts other verdicts of {} than the results have", escaped(name)));
        }
        Ok(Self::new(header, rows, footer))
    }

    /// What the cases of one implementation say alone; `None` if there are none.
    #[must_use]
    pub fn conclusion(&self, implementation: &str) -> Option<Conclusion> {
        Tallies::of(self).get(implementation, "").conclusion
    }

    /// What implementations did differently, as far as that is recorded.
    #[must_use]
    pub fn differences(&self) -> Vec<observed::Difference> {
        observed::differences(self.rows.iter().map(|row| &row.line))
    }
}

/// Whether a report has columns for so many implementations.
fn has_room(implementations: usize) -> Result<(), String> {
    if implementations > MAX_IMPLEMENTATIONS {
        return Err(format!(
            "there are {implementations} implementations, and a report has at most {MAX_IMPLEMENTATIONS}"
        ));
    }
    Ok(())
}

fn one<T: DeserializeOwned>(line: Option<(&str, usize)>, what: &str) -> Result<T, String> {
    let (line, at) = line.ok_or_else(|| format!("{what} is missing: the run has not come to its end"))?;
    serde_json::from_str(line).map_err(|error| format!("line {at} is not {what}: {error}"))
}

/// The names of all implementations, for a message.
fn names_of(report: &Report) -> String {
    let names = report.header.implementations.iter().map(|known| format!("`{}`", escaped(&known.name)));
    names.collect::<Vec<_>>().join(", ")
}

/// A text as one word of a shell: as it is, if no character has a meaning there.
pub(crate) fn word(text: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-/=:@%+,".contains(character);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The prefixes of the chapters, in the order of the specification.
fn chapters(rows: &[Row]) -> Vec<&str> {
    let chapters: BTreeSet<&str> = rows.iter().map(|row| row.chapter.as_str()).collect();
    let mut chapters: Vec<&str> = chapters.into_iter().collect();
    chapters.sort_by_key(|chapter| chapter_place(chapter));
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
