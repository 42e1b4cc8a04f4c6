//! Findings as text: one module a format.
//!
//! All formats are made from one [`Report`], so that each shows every input, with what could not be checked.

mod concise;
mod github;
mod gitlab;
mod human;
mod json;
mod junit;
mod sarif;

use clap::ValueEnum;

pub use concise::concise;

use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::notice::is_notice;
use crate::shown::escaped;

/// A form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people, with excerpts
    Human,
    /// A line a violation
    Concise,
    /// A JSON object a violation and line
    Json,
    /// SARIF 2.1.0, for code scanning and editors
    Sarif,
    /// JUnit XML, for test reports
    Junit,
    /// Workflow commands of GitHub Actions, for annotations
    Github,
    /// Code quality JSON of GitLab
    Gitlab,
}

/// What makes the check of inputs fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// A clause with MUST is broken, or the input is unsupported
    Error,
    /// Any clause is broken
    Warning,
    /// No violation does; only an input that cannot be checked
    Never,
}

/// The inputs of one run and what was found in them.
#[derive(Debug, Clone)]
pub struct Report {
    /// The inputs, in the order of the arguments.
    pub inputs: Vec<CheckedInput>,
    /// What makes the check fail.
    pub fail_on: FailOn,
    /// What a baseline knew already.
    pub known: Option<Known>,
    /// Layers have not been opened, so nothing is said of what is in them.
    pub digests_only: bool,
}

/// What became of the findings of a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Findings that are not shown, since the baseline has them.
    pub hidden: u64,
    /// Findings of the baseline that do not occur any more.
    pub gone: u64,
}

/// One input and what was found in it.
#[derive(Debug, Clone)]
pub struct CheckedInput {
    /// Its path as it was given, or `standard input`.
    pub name: String,
    /// Whether it is a directory, so that the files of the store in it are files of the machine.
    pub is_directory: bool,
    /// The findings that are shown, and the notice if it could not be checked.
    pub findings: Vec<Diagnostic>,
    /// Errors, those that are not shown included.
    pub errors: u64,
    /// Warnings, those that are not shown included.
    pub warnings: u64,
}

impl CheckedInput {
    /// Whether it could not be checked, or not to its end.
    #[must_use]
    pub fn is_unchecked(&self) -> bool {
        self.findings.iter().any(|finding| is_notice(finding.id))
    }
}

impl Report {
    /// All findings, in the order of the inputs.
    pub fn findings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.inputs.iter().flat_map(|input| &input.findings)
    }

    /// The exit status of `check`: 0 clean, 1 violations that make it fail, 2 not all could be checked.
    #[must_use]
    pub fn status(&self) -> u8 {
        let any = |count: fn(&CheckedInput) -> u64| self.inputs.iter().any(|input| count(input) > 0);
        if self.inputs.iter().any(CheckedInput::is_unchecked) {
            return 2;
        }
        let errors = self.fail_on != FailOn::Never && any(|input| input.errors);
        let warnings = self.fail_on == FailOn::Warning && any(|input| input.warnings);
        u8::from(errors || warnings)
    }

    /// Whether `finding` makes the check fail.
    fn fails(&self, finding: &Diagnostic) -> bool {
        match self.fail_on {
            FailOn::Never => is_notice(finding.id),
            FailOn::Error => finding.severity == Severity::Error,
            FailOn::Warning => true,
        }
    }

    /// The report in `format`, with styles for a terminal where the format has any.
    #[must_use]
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Human => human::human_report(self),
            Format::Concise => concise(self.findings()),
            Format::Json => json::json(self.findings()),
            Format::Sarif => sarif::sarif(self),
            Format::Junit => junit::junit(self),
            Format::Github => github::github(self),
            Format::Gitlab => gitlab::gitlab(self),
        }
    }
}

/// A place as programs want it that know files and lines alone.
struct Spot {
    /// The file: the input, or the file of a store that is a directory.
    file: String,
    /// Whether line, column and bytes of the place are those of that file.
    is_exact: bool,
    /// What is left of the place inside the file, for the message; empty if the line says it all.
    inside: String,
}

impl Spot {
    fn of(input: &CheckedInput, location: &Location) -> Self {
        let mut chain = location.chain.iter();
        let mut file = chain.next().map(|input| input.trim_start_matches("./")).unwrap_or_default().to_owned();
        if file.is_empty() {
            file.push('.');
        }
        let in_directory = location.in_store && input.is_directory;
        if in_directory && let Some(part) = chain.next() {
            file = if file == "." { part.clone() } else { format!("{}/{part}", file.trim_end_matches('/')) };
        }
        // What a compressed file or an archive holds has lines and bytes of its own.
        let is_exact = location.in_store == in_directory && !(in_directory && file.ends_with(".zst"));
        let mut inside: Vec<String> = chain.map(|part| escaped(part)).collect();
        if !is_exact || location.line.is_none() {
            inside.extend(location.pointer.as_deref().filter(|pointer| !pointer.is_empty()).map(escaped));
            inside.extend(location.bytes.map(|bytes| format!("byte {}", bytes.start)));
        }
        Self { file, is_exact, inside: inside.join(": ") }
    }

    /// `text` after what is left of the place.
    fn with(&self, text: &str) -> String {
        if self.inside.is_empty() { text.to_owned() } else { format!("{}: {text}", self.inside) }
    }
}

/// Message and help in one sentence, for programs that show one text.
fn sentence(finding: &Diagnostic) -> String {
    format!("{}; {}", finding.message, finding.help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spot_is_a_file_and_what_is_left_inside() {
        let of = |is_directory, in_store, chain: &[&str]| {
            let input =
                CheckedInput { name: String::new(), is_directory, findings: Vec::new(), errors: 0, warnings: 0 };
            let chain = chain.iter().map(|part| (*part).to_owned()).collect();
            let spot = Spot::of(&input, &Location { chain, in_store, ..Location::default() });
            (spot.file, spot.is_exact, spot.inside)
        };
        let spot = |file: &str, is_exact, inside: &str| (file.to_owned(), is_exact, inside.to_owned());
        assert_eq!(of(false, false, &["./a/b.tar", "bin/sh"]), spot("a/b.tar", true, "bin/sh"));
        assert_eq!(of(true, true, &["store/", "blobs/x", "bin\n"]), spot("store/blobs/x", true, "bin\\u{000A}"));
        assert_eq!(of(true, true, &[".", "cornercast"]), spot("cornercast", true, ""));
        assert_eq!(of(true, true, &["./", "packed/x.zst"]), spot("packed/x.zst", false, ""));
        assert_eq!(of(true, false, &["."]), spot(".", true, ""));
        assert_eq!(of(false, true, &["a.ccast", "blobs/x"]), spot("a.ccast", false, "blobs/x"));
    }
}
