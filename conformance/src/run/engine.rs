//! Calling the reference engine, as it is or broken on purpose.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use cornercast_engine::backend::Backend;
use cornercast_engine::cli::{BackendName, RunArgs};

use super::mutants::{self, How};
use super::policy::given;
use super::{IMAGE, OPTIONS, REPORTS, Scenario};
use crate::process::{self, Bounds, Ended, Stop};
use crate::protocol::{Hello, HelloMessage, PROTOCOL, Role};

/// Bytes that an application of a case can write.
pub(super) const OUTPUT_LIMIT: usize = 32 << 20;

/// The reference engine with a backend.
#[derive(Clone)]
pub struct Engine {
    /// The backend.
    pub backend: BackendName,
    /// The name of the mutant, if it is broken.
    pub broken: Option<&'static str>,
    /// The directory of the instances.
    pub state: PathBuf,
    /// The probe, where it is not in its usual place.
    pub probe: Option<PathBuf>,
    /// The longest that one case can take.
    pub time: Duration,
    /// Whether all that the probe sees is recorded.
    pub observed: bool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("backend", &self.backend).finish_non_exhaustive()
    }
}

impl Engine {
    /// The engine with a backend; where it keeps its instances and how long it can take is said for each run.
    #[must_use]
    pub fn new(backend: BackendName) -> Self {
        Self {
            backend,
            broken: None,
            state: PathBuf::new(),
            probe: None,
            time: Duration::from_secs(10),
            observed: false,
        }
    }

    /// What it would say to `hello`.
    #[must_use]
    pub fn hello(&self) -> Hello {
        let version = self.made().version().unwrap_or_else(|_| "unknown".to_owned());
        Hello {
            message: HelloMessage::Hello,
            protocol: PROTOCOL,
            name: format!("cornercast-run/{}", self.backend.name()),
            version,
            homepage: None,
            issues: None,
            roles: vec![Role::Run],
            sessions: false,
        }
    }

    /// Whether it can be used here.
    ///
    /// # Errors
    ///
    /// Why not, in words.
    pub fn ready(&self) -> Result<(), String> {
        if !rustix::process::geteuid().is_root() {
            return Err("running images needs root here".to_owned());
        }
        self.made().version().map(drop)
    }

    fn made(&self) -> Arc<dyn Backend> {
        self.backend.make(None)
    }

    /// Runs the case that is prepared in `folder`.
    pub(super) fn run(&self, folder: &Path, scenario: &Scenario, stop: Option<Stop>) -> io::Result<Ended> {
        let mut command = self.command(folder)?;
        if let Some(limit) = scenario.stack {
            command = process::with_stack(&command, limit);
        }
        let bounds = Bounds { time: self.time, output: OUTPUT_LIMIT };
        process::run_until(&mut command, &scenario.input, &bounds, stop)
    }

    /// The command that runs the case in `folder`.
    ///
    /// # Errors
    ///
    /// If the system does not tell where this program is.
    pub fn command(&self, folder: &Path) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env(process::MARK, process::mark()).arg("engine");
        if let Some(name) = self.broken {
            command.arg("--break").arg(name);
        }
        command.arg("--quiet").arg("--die-with-parent").arg("--backend").arg(self.backend.name());
        command.arg("--state").arg(&self.state).arg("--report").arg(folder.join(REPORTS));
        if let Some(given) = given(folder)? {
            command.args(given.arguments());
        }
        command.arg("--options").arg(folder.join(OPTIONS)).arg(folder.join(IMAGE));
        Ok(command)
    }
}

/// The arguments of the hidden subcommand `engine`: those of `cornercast-run`, and what is to be broken.
#[derive(Debug, Args)]
pub struct EngineArgs {
    /// Break what this mutant breaks
    #[arg(long = "break", value_name = "NAME")]
    broken: Option<String>,
    #[command(flatten)]
    run: RunArgs,
}

/// The subcommand `engine`.
///
/// # Errors
///
/// If no mutant has the name; errors of a mutant that is a wrapper.
pub fn main(arguments: &EngineArgs) -> io::Result<ExitCode> {
    let Some(name) = &arguments.broken else { return Ok(cornercast_engine::cli::run(&arguments.run, |_| {})) };
    let mutant = mutants::find(name).ok_or_else(|| io::Error::other(format!("no mutant is called `{name}`")))?;
    Ok(match mutant.how {
        How::Without(clause) => cornercast_engine::cli::run(&arguments.run, |settings| {
            settings.without.insert(clause.to_owned());
        }),
        How::Both(clause, tamper) => cornercast_engine::cli::run(&arguments.run, |settings| {
            settings.without.insert(clause.to_owned());
            settings.tamper = tamper;
        }),
        How::Tamper(tamper) => cornercast_engine::cli::run(&arguments.run, |settings| settings.tamper = tamper),
        How::Wrap(wrap) => wrap(&arguments.run)?,
    })
}
