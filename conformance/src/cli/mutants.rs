//! `mutants`.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::Args;
use cornercast_engine::cli::BackendName;

use super::{Selection, Trouble};
use crate::bundles::Runtime;
use crate::expectations::Expectations;
use crate::mutants::{self, Score};
use crate::protocol::{Codec, Role};
use crate::run::Engine;
use crate::runner::Options;
use crate::scratch::Scratch;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RED: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));

/// Puts the cases to implementations that are broken on purpose, each in one thing: the reference validator without
/// one of its clauses, the unpacker, the builder, the engine, and an OCI runtime.
///
/// Each is given the cases of the clauses that it breaks. The exit status is 0 if every one was noticed, every case
/// noticed one and every clause has one, and 1 if not.
#[derive(Debug, Args)]
pub(super) struct MutantsArgs {
    #[command(flatten)]
    selection: Selection,
    /// The backend of the engine
    #[arg(long, value_name = "NAME")]
    backend: Option<BackendName>,
    /// The OCI runtime that mutants of the role `runtime` stand before
    #[arg(long, value_name = "PROGRAM", default_value = "runc")]
    runtime: PathBuf,
    /// How many cases run at once [default: one a processor]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// The longest that one case can take, in seconds
    #[arg(long, value_name = "S", default_value_t = 5)]
    timeout: u64,
    /// The probe [default: $CORNERCAST_PROBE, or beside this program]
    #[arg(long, value_name = "FILE")]
    probe: Option<PathBuf>,
    /// Name the cases that did not notice a mutant, too
    #[arg(long, short)]
    verbose: bool,
}

impl MutantsArgs {
    fn runtime(&self) -> Runtime {
        Runtime::new(&self.runtime)
    }
}

/// Prints the table; the exit status.
pub(super) fn mutants(arguments: &MutantsArgs) -> Result<u8, Trouble> {
    let cases = arguments.selection.fixtures.load()?;
    let selected = arguments.selection.select(&cases.entries)?;
    let engine = Engine::new(arguments.backend.unwrap_or_default());
    if selected.iter().any(|entry| entry.role == Role::Run) {
        engine.ready().map_err(Trouble::new)?;
    }
    let mut selected = selected;
    // Where no runtime is installed, what needs none is done all the same, unless it is asked for.
    if arguments.selection.role.is_none() && arguments.selection.cases.is_empty() {
        let is_there = arguments.runtime().version().is_ok();
        selected.retain(|entry| is_there || entry.role != Role::Runtime);
    }
    super::clean::silently();
    let scratch = Scratch::new("mutants")?;
    let cpus = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let options = Options {
        time: Duration::from_secs(arguments.timeout),
        jobs: arguments.jobs.unwrap_or(cpus).get(),
        probe: arguments.probe.clone(),
        scratch: scratch.path().to_owned(),
        expectations: Expectations::default(),
        observed: false,
    };
    let codec = Codec::new().map_err(Trouble::new)?;
    let is_terminal = io::stderr().is_terminal();
    let mut mutants = mutants::all(&selected, &engine)?;
    if selected.iter().any(|entry| entry.role == Role::Runtime) {
        mutants.extend(mutants::of_runtime(&arguments.runtime()).map_err(Trouble::new)?);
    }
    let score = mutants::score(&selected, &mutants, &codec, &options, |done, all| {
        if is_terminal {
            write!(io::stderr(), "\r{done}/{all} cases")?;
        }
        Ok(())
    })?;
    if is_terminal {
        write!(io::stderr(), "\r\x1b[K")?;
    }
    let mut out = BufWriter::new(anstream::stdout());
    write(&mut out, &score, arguments.verbose)?;
    out.flush()?;
    Ok(u8::from(!score.is_whole()))
}

fn write(out: &mut impl Write, score: &Score, is_verbose: bool) -> io::Result<()> {
    let width = score.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    for row in &score.rows {
        let (noticed, all) = (row.noticed.len(), row.noticed.len() + row.missed.len());
        let style = if noticed == 0 { RED } else { BOLD };
        let clauses = if row.clauses.is_empty() { "all".to_owned() } else { row.clauses.join(" ") };
        writeln!(out, "{style}{:width$}{style:#}  noticed by {noticed} of {all}  {DIM}{clauses}{DIM:#}", row.name)?;
        for case in row.missed.iter().filter(|_| is_verbose) {
            writeln!(out, "{:width$}  {DIM}not by {case}{DIM:#}", "")?;
        }
    }
    for case in &score.idle {
        writeln!(out, "{RED}the case {case} notices none{RED:#}")?;
    }
    for clause in &score.whole {
        writeln!(out, "{RED}no mutant breaks {clause}{RED:#}")?;
    }
    for case in &score.failed {
        writeln!(out, "{DIM}the runtime fails {case} as it is, which shows nothing of its mutants{DIM:#}")?;
    }
    let noticed = score.rows.iter().filter(|row| !row.noticed.is_empty()).count();
    if score.rows.is_empty() {
        return writeln!(out, "\n{RED}no mutant was put to the test{RED:#}");
    }
    writeln!(out, "\n{noticed} of {} mutants were noticed", score.rows.len())
}
