//! `report`, from result lines that were written before.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::implementations::Named;
use super::output::{Output, Outputs};
use super::{Fixtures, Trouble};
use crate::report::difference::Difference;
use crate::report::{Report, matrix, observed};

/// Prints what came of an earlier run, of which FILE has the JSON lines.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct ReportArgs {
    #[command(subcommand)]
    command: Option<ReportCommand>,
    #[command(flatten)]
    fixtures: Fixtures,
    /// The JSON lines; - for standard input
    #[arg(value_name = "FILE", required = true)]
    file: Option<PathBuf>,
    /// Write the report as FORMAT (json, junit, markdown) to FILE, - for standard output in place of the text
    #[arg(long = "output", short, value_name = "FORMAT=FILE")]
    outputs: Vec<Output>,
}

#[derive(Debug, Subcommand)]
enum ReportCommand {
    /// Print the cases whose verdict is another one: worse, better, new or gone
    ///
    /// The exit status is 1 if one is worse, 0 if none is, and 3 if a file cannot be read.
    Diff(DiffArgs),
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

/// Prints the report; the exit status.
pub(super) fn report(arguments: &ReportArgs) -> Result<u8, Trouble> {
    if let Some(ReportCommand::Diff(arguments)) = &arguments.command {
        return diff(arguments);
    }
    let Some(file) = &arguments.file else { return Err(Trouble::new("there is no file")) };
    // What is known of the cases here is all that is known.
    let cases = arguments.fixtures.load()?;
    let whys: BTreeMap<&str, &str> =
        cases.entries.iter().map(|entry| (entry.name.as_str(), entry.why.as_str())).collect();
    let report = read(file, |case| whys.get(case).copied().unwrap_or_default().to_owned())?;
    let mut outputs = Outputs::new(&arguments.outputs)?;
    outputs.line(&report.header)?;
    report.rows.iter().try_for_each(|row| outputs.line(&row.line))?;
    outputs.line(&report.footer)?;
    if outputs.finish(&report)? {
        let mut out = BufWriter::new(anstream::stdout());
        matrix::write(&mut out, &report)?;
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

fn read(file: &Path, why: impl Fn(&str) -> String) -> Result<Report, Trouble> {
    let text = if file == Path::new("-") {
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
        Ok(named) => format!("--impl {}", named.argument()),
        Err(_) => format!("--impl {implementation}=PATH"),
    }
}
