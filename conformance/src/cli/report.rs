//! `report`, from result lines that were written before.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::badge::{self, BadgeArgs};
use super::implementations::Named;
use super::output::{Output, Outputs};
use super::{Fixtures, Trouble};
use crate::report::difference::Difference;
use crate::report::join::join;
use crate::report::{Besides, Report, matrix, observed, word};

/// Prints what came of earlier runs, of which each FILE has the JSON lines.
///
/// Several files are joined: the implementations of all stand side by side, and each can be in one
/// file only. A case that was not put to an implementation has no result of it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct ReportArgs {
    #[command(subcommand)]
    command: Option<ReportCommand>,
    #[command(flatten)]
    fixtures: Fixtures,
    /// The JSON lines; - for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write the report as FORMAT (json, junit, markdown, html, book) to FILE, - for standard output in place of the text
    #[arg(long = "output", short, value_name = "FORMAT=FILE")]
    outputs: Vec<Output>,
    /// The JSON lines of an earlier run: show in text and HTML which verdicts are others, the worse ones first; can be
    /// given several times
    #[arg(long, value_name = "OLD")]
    against: Vec<PathBuf>,
    /// The day that HTML and the page of a book tell, such as 2026-11-30; without it they tell none
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<String>,
}

#[derive(Debug, Subcommand)]
enum ReportCommand {
    /// Print the cases whose verdict is another one: worse, better, new or gone
    ///
    /// The exit status is 1 if one is worse, 0 if none is, and 3 if a file cannot be read.
    Diff(DiffArgs),
    /// Print a badge of one implementation, as SVG
    Badge(BadgeArgs),
}

#[derive(Debug, Args)]
struct DiffArgs {
    /// The JSON lines of the earlier run
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The JSON lines of the later run
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Print a JSON document instead: by implementation the verdicts by case
    #[arg(long)]
    json: bool,
}

/// A day as the command line has it.
fn day(text: &str) -> Result<String, String> {
    let has_form = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    if !has_form {
        return Err("it is not of the form YYYY-MM-DD".to_owned());
    }
    text.parse::<jiff::civil::Date>().map(|_| text.to_owned()).map_err(|_| "there is no such day".to_owned())
}

/// Prints the report; the exit status.
pub(super) fn report(arguments: &ReportArgs) -> Result<u8, Trouble> {
    match &arguments.command {
        Some(ReportCommand::Diff(arguments)) => return diff(arguments),
        Some(ReportCommand::Badge(arguments)) => return badge::badge(arguments),
        None => {}
    }
    // What is known of the cases here is all that is known.
    let cases = arguments.fixtures.load()?;
    let whys: BTreeMap<&str, &str> =
        cases.entries.iter().map(|entry| (entry.name.as_str(), entry.why.as_str())).collect();
    let report = read_all(&arguments.files, |case| whys.get(case).copied().unwrap_or_default().to_owned())?;
    let since = match arguments.against.as_slice() {
        [] => None,
        old => Some(Difference::of(&read_all(old, |_| String::new())?, &report)),
    };
    let besides = Besides { date: arguments.date.clone(), since };
    let mut outputs = Outputs::new(&arguments.outputs)?;
    if outputs.has_lines() && report.hosts.len() > 1 {
        return Err(Trouble::new("the runs were made on different hosts, and JSON lines have one; leave out `json`"));
    }
    outputs.line(&report.header)?;
    report.rows.iter().try_for_each(|row| outputs.line(&row.line))?;
    outputs.line(&report.footer)?;
    if outputs.finish(&report, &besides)? {
        let mut out = BufWriter::new(anstream::stdout());
        matrix::write(&mut out, &report)?;
        if let Some(since) = &besides.since {
            writeln!(out, "\nsince the earlier run:")?;
            since.write(&mut out)?;
        }
        let differences = report.differences();
        if !differences.is_empty() {
            observed::write(&mut out, &differences)?;
        }
        out.flush()?;
    }
    Ok(0)
}

fn diff(arguments: &DiffArgs) -> Result<u8, Trouble> {
    let nothing = |_: &str| String::new();
    let difference = Difference::of(&read(&arguments.old, nothing)?, &read(&arguments.new, nothing)?);
    let mut out = BufWriter::new(anstream::stdout());
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &difference).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        difference.write(&mut out)?;
    }
    out.flush()?;
    Ok(u8::from(difference.is_worse()))
}

/// The report of all `files`.
pub(super) fn read_all(files: &[PathBuf], why: impl Fn(&str) -> String) -> Result<Report, Trouble> {
    if files.iter().filter(|file| is_stdin(file)).count() > 1 {
        return Err(Trouble::new("standard input can be one file only"));
    }
    let reports = files.iter().map(|file| Ok((file.display().to_string(), read(file, &why)?)));
    join(reports.collect::<Result<_, Trouble>>()?).map_err(Trouble::new)
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

fn read(file: &Path, why: impl Fn(&str) -> String) -> Result<Report, Trouble> {
    let text = if is_stdin(file) {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    let text = text.map_err(Trouble::at(file.display()))?;
    Report::read(&text, why, hint).map_err(|message| Trouble::new(format!("{}: {message}", file.display())))
}

/// The options of `reproduce` for an implementation, of whose adapter the lines do not say where it is.
fn hint(implementation: &str) -> String {
    match implementation.parse::<Named>() {
        Ok(named) => format!("--impl {}", word(&named.argument())),
        Err(_) => format!("--impl {}", word(&format!("{implementation}=PATH"))),
    }
}
