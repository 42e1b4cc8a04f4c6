//! An OCI runtime as a program.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use cornercast_engine::backend::{RUNSC_OPTIONS, program};

use crate::protocol::{Hello, HelloMessage, PROTOCOL, Role};

/// Runtimes that are looked for in `PATH` by their names.
pub const KNOWN: [&str; 4] = ["runc", "crun", "youki", "runsc"];

/// A program with the command line of an OCI runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    /// Its path, or a name that is looked for in `PATH`.
    pub program: PathBuf,
    /// The mutant that it is called through, if it is broken on purpose.
    pub broken: Option<&'static str>,
    /// What came of the good bundle, once that was put to it; all that are cloned from one have the same.
    pub(super) control: Arc<OnceLock<Option<Obstacle>>>,
}

/// Why a runtime does not run the good bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// It does not run it, and this is what happened.
    Refused(String),
    /// That could not be found out.
    Unknown(String),
}

impl Runtime {
    /// The program at a path, or of this name. A path is made absolute, as calls are made in other directories.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        let is_name = program.parent() == Some(Path::new(""));
        let absolute = if is_name { None } else { std::path::absolute(&program).ok() };
        Self { program: absolute.unwrap_or(program), broken: None, control: Arc::default() }
    }

    /// The same, called through a mutant.
    #[must_use]
    pub fn through(self, broken: Option<&'static str>) -> Self {
        Self { broken, control: Arc::default(), ..self }
    }

    /// What it calls itself, and its version: the first line of `--version` is `runc version 1.1.5`, or
    /// `youki version: 0.7.0`.
    ///
    /// # Errors
    ///
    /// Why it cannot be used here, in words.
    pub fn version(&self) -> Result<(String, String), String> {
        if !rustix::process::geteuid().is_root() {
            return Err("OCI runtimes need root here".to_owned());
        }
        let line = program::version(&self.program)?;
        let (product, version) = line.split_once(" version").unwrap_or((&line, ""));
        let version = version.trim_start_matches([':', ' ']).trim();
        let or =
            |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.chars().take(64).collect() };
        Ok((or(product, "unknown"), or(version, "unknown")))
    }

    /// As it would present itself, if it spoke the adapter protocol.
    ///
    /// # Errors
    ///
    /// As [`Runtime::version`].
    pub fn hello(&self) -> Result<Hello, String> {
        let (name, version) = self.version()?;
        Ok(Hello {
            message: HelloMessage::Hello,
            protocol: PROTOCOL,
            name,
            version,
            homepage: None,
            issues: None,
            roles: vec![Role::Runtime],
            sessions: false,
        })
    }

    /// The words of a call: the program, and arguments that come before the subcommand. `kept` is the directory for what
    /// the runtime keeps, `log` the file for what it says.
    ///
    /// # Errors
    ///
    /// If the system does not tell where this program is, which is called in the place of a runtime that is broken.
    pub fn words(&self, kept: &Path, log: &Path) -> io::Result<Vec<OsString>> {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(mutant) = self.broken {
            words.push(std::env::current_exe()?.into());
            words.extend(["runtime", "--break", mutant].map(OsString::from));
        }
        words.push(self.program.clone().into());
        let is_gvisor = self.version().is_ok_and(|(product, _)| product == "runsc");
        words.extend(RUNSC_OPTIONS.iter().filter(|_| is_gvisor).map(OsString::from));
        words
            .extend([OsStr::new("--root"), kept.as_os_str(), OsStr::new("--log"), log.as_os_str()].map(OsString::from));
        words.extend(["--log-format", "json"].map(OsString::from));
        Ok(words)
    }
}
