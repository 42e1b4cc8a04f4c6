//! The command line.

mod badge;
mod bundles;
mod clean;
mod explain;
mod export;
mod guard;
mod implementations;
mod mutants;
mod output;
mod report;
mod reproduce;
mod run;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::broken::Broken;
use crate::builtin;
use crate::bundles::caller::{self, CallArgs};
use crate::bundles::mutants::{self as runtimes, RuntimeArgs};
use crate::protocol::Role;
use crate::run::engine::{self, EngineArgs};
use crate::scratch::Scratch;
use crate::suite::{self, Entry};

/// The exit status of a run that could not be done.
const COULD_NOT_RUN: u8 = 3;

/// Runs the same cases through any implementation of the Cornercast image format, and shows where
/// they differ from the specification and from each other.
#[derive(Debug, Parser)]
#[command(name = "cornercast-conformance", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run cases and print what came of them
    Run(run::RunArgs),
    /// Put bundles to OCI runtimes, by their command line, and print what they do differently
    Bundles(bundles::BundlesArgs),
    /// List cases, one a line: name, role, expectation, why
    List(ListArgs),
    /// Show a case: why it is there, the clauses that it tests, what is expected
    Explain(CaseArgs),
    /// Print a shell script that repeats one case by hand
    Reproduce(reproduce::ReproduceArgs),
    /// Put the cases to implementations that are broken on purpose, and print which of them are noticed
    Mutants(mutants::MutantsArgs),
    /// Print what came of earlier runs, what is another one between two, or a badge
    Report(report::ReportArgs),
    /// Write cases that run images as files: images in all forms, options, what is expected
    Export(export::ExportArgs),
    /// Remove what runs that were killed have left
    Clean,
    /// Wait until a suite has gone, and remove what is left
    #[command(hide = true)]
    Guard(guard::GuardArgs),
    /// Write the input of a case
    #[command(hide = true)]
    Make(reproduce::MakeArgs),
    /// Run an image, as it should be or broken on purpose
    #[command(hide = true)]
    Engine(Box<EngineArgs>),
    /// Call an OCI runtime with the bundle of a case, in namespaces of its own
    #[command(hide = true)]
    Call(CallArgs),
    /// Be an OCI runtime that is broken on purpose
    #[command(hide = true)]
    Runtime(RuntimeArgs),
    /// Answer messages of the adapter protocol, as it should be or broken on purpose
    #[command(hide = true)]
    Adapter(AdapterArgs),
}

/// The reference behind the adapter protocol.
#[derive(Debug, Args)]
struct AdapterArgs {
    /// How it is broken
    #[arg(long = "break", value_name = "NAME", value_parser = broken)]
    broken: Option<Broken>,
}

fn broken(name: &str) -> Result<Broken, String> {
    Broken::find(name).ok_or_else(|| "there is no such mutant".to_owned())
}

/// Where the cases are.
#[derive(Debug, Clone, Args)]
struct Fixtures {
    /// The folder of the cases, and no others [default: those of the checkout, or else those built into this program, and
    /// the cases of the role `run`]
    #[arg(long = "fixtures", value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Which cases are meant.
#[derive(Debug, Clone, Args)]
struct Selection {
    #[command(flatten)]
    fixtures: Fixtures,
    /// Only cases of this role
    #[arg(long, value_name = "ROLE")]
    role: Option<Role>,
    /// Only cases whose name, or the part before the `/`, matches; `*` and `?` stand for any characters
    #[arg(long = "case", value_name = "GLOB")]
    cases: Vec<String>,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    selection: Selection,
}

#[derive(Debug, Args)]
struct CaseArgs {
    #[command(flatten)]
    fixtures: Fixtures,
    /// The name of the case, or a pattern of names
    #[arg(value_name = "CASE")]
    case: String,
}

/// Why a command could not be done.
#[derive(Debug)]
enum Trouble {
    /// In words.
    Message(String),
    /// Whoever reads the output has seen enough.
    Closed,
}

impl Trouble {
    fn new(message: impl Into<String>) -> Self {
        Self::Message(message.into())
    }

    /// An error at `what`.
    fn at(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Message(format!("{what}: {error}"))
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Message(error.to_string()) }
    }
}

/// Runs the command line; the exit status is 0 (conformant), 1 (not), 2 (incomplete) or 3 (could not run).
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { COULD_NOT_RUN.into() } else { ExitCode::SUCCESS };
        }
    };
    if let Command::Engine(arguments) = &cli.command {
        return engine::main(arguments).unwrap_or_else(|error| {
            anstream::eprintln!("error: {error}");
            COULD_NOT_RUN.into()
        });
    }
    match dispatch(cli.command) {
        Ok(status) => status.into(),
        Err(Trouble::Closed) => COULD_NOT_RUN.into(),
        Err(Trouble::Message(message)) => {
            let red = anstyle::Style::new().bold().fg_color(Some(anstyle::AnsiColor::Red.into()));
            anstream::eprintln!("{red}error:{red:#} {message}");
            COULD_NOT_RUN.into()
        }
    }
}

fn dispatch(command: Command) -> Result<u8, Trouble> {
    match command {
        Command::Run(arguments) => return run::run(&arguments),
        Command::Bundles(arguments) => return bundles::bundles(&arguments),
        Command::Mutants(arguments) => return mutants::mutants(&arguments),
        Command::Runtime(arguments) => return Ok(runtimes::main(&arguments)?),
        Command::List(arguments) => explain::list(&arguments.selection)?,
        Command::Explain(arguments) => explain::explain(&arguments.fixtures, &arguments.case)?,
        Command::Reproduce(arguments) => reproduce::reproduce(&arguments)?,
        Command::Report(arguments) => return report::report(&arguments),
        Command::Export(arguments) => export::export(&arguments)?,
        Command::Clean => clean::clean()?,
        Command::Guard(arguments) => guard::guard(&arguments)?,
        Command::Make(arguments) => reproduce::make(&arguments)?,
        Command::Call(arguments) => caller::main(&arguments)?,
        // It has an exit status of its own.
        Command::Engine(_) => {}
        Command::Adapter(AdapterArgs { broken }) => builtin::answer(io::stdin(), io::stdout(), broken.as_ref())?,
    }
    Ok(0)
}

/// The cases, and the temporary folder that they are in, if they are.
struct Cases {
    entries: Vec<Entry>,
    made: Option<Scratch>,
}

impl Fixtures {
    fn load(&self) -> Result<Cases, Trouble> {
        if let Some(folder) = &self.folder {
            let entries = suite::load(folder).map_err(Trouble::at(folder.display()))?;
            return Ok(Cases { entries, made: None });
        }
        let checkout = suite::checkout();
        if has_cases(&checkout) {
            let entries = suite::load_all(&checkout).map_err(Trouble::at(checkout.display()))?;
            return Ok(Cases { entries, made: None });
        }
        let made = Scratch::new("cases")?;
        let folder = made.path().join("cases");
        suite::write(&folder)?;
        Ok(Cases { entries: suite::load_all(&folder)?, made: Some(made) })
    }
}

/// Whether a checkout has its cases: each is two folders deep.
fn has_cases(folder: &Path) -> bool {
    let Ok(chapters) = std::fs::read_dir(folder) else { return false };
    let mut cases = chapters.flatten().filter_map(|chapter| std::fs::read_dir(chapter.path()).ok()).flatten().flatten();
    cases.any(|case| case.path().join("case.json").is_file())
}

impl Selection {
    fn select(&self, entries: &[Entry]) -> Result<Vec<Entry>, Trouble> {
        let of_role = |entry: &&Entry| self.role.is_none_or(|role| entry.role == role);
        let named =
            |entry: &&Entry| self.cases.is_empty() || self.cases.iter().any(|glob| suite::matches(glob, &entry.name));
        let selected: Vec<Entry> = entries.iter().filter(of_role).filter(named).cloned().collect();
        if selected.is_empty() {
            let role = self.role.map_or_else(String::new, |role| format!(" of the role `{}`", role.name()));
            let globs = if self.cases.is_empty() { String::new() } else { format!(" `{}`", self.cases.join("`, `")) };
            return Err(Trouble::new(format!("no case{role} matches{globs}; `cornercast-conformance list` shows all")));
        }
        Ok(selected)
    }
}

/// The one case called `name`.
fn one<'a>(entries: &'a [Entry], name: &str) -> Result<&'a Entry, Trouble> {
    entries
        .iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| Trouble::new(format!("no case is called `{name}`; `cornercast-conformance list` shows all")))
}
