//! Starting a bundle with runc.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Bundle, Obstacle};
use crate::process::{self, Bounds};
use crate::protocol::{Hello, HelloMessage, OUTPUT_LIMIT, PROTOCOL, Role};

/// The time that runc has to say its version or to clean up.
const PATIENCE: Bounds = Bounds { time: Duration::from_secs(10), output: OUTPUT_LIMIT };

/// The runtime runc, found by name.
#[derive(Debug, Clone)]
pub struct Runc {
    /// Its version, or why it cannot be used.
    version: Result<String, String>,
}

impl Runc {
    /// Looks for runc.
    #[must_use]
    pub fn find() -> Self {
        let version = process::run(Command::new("runc").arg("--version"), b"", &PATIENCE);
        let version = match version {
            Ok(ended) if ended.status.success() => {
                let output = String::from_utf8_lossy(&ended.output).into_owned();
                let line = output.lines().next().unwrap_or_default();
                Ok(line.trim_start_matches("runc version ").to_owned())
            }
            Ok(ended) => Err(format!("runc does not say its version: it ended with {}", ended.status)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err("runc is not installed".to_owned()),
            Err(error) => Err(format!("runc cannot be run: {error}")),
        };
        Self { version }
    }

    /// What runc would say to `hello`.
    #[must_use]
    pub fn hello(&self) -> Hello {
        Hello {
            message: HelloMessage::Hello,
            protocol: PROTOCOL,
            name: "runc".to_owned(),
            version: self.version.clone().unwrap_or_else(|_| "unknown".to_owned()),
            homepage: Some("https://github.com/opencontainers/runc".to_owned()),
            issues: Some("https://github.com/opencontainers/runc/issues".to_owned()),
            roles: vec![Role::Run],
        }
    }

    /// Whether it can be used.
    ///
    /// # Errors
    ///
    /// Why not, in words.
    pub fn ready(&self) -> Result<(), String> {
        self.version.clone()?;
        if !rustix::process::geteuid().is_root() {
            return Err("running runc needs root here".to_owned());
        }
        Ok(())
    }

    /// Runs a bundle to its end; what it wrote to standard output.
    ///
    /// # Errors
    ///
    /// If the container could not be run, or its program failed.
    pub(super) fn run(&self, bundle: &Bundle, state: &Path, time: Duration) -> Result<Vec<u8>, Obstacle> {
        let bounds = Bounds { time, output: OUTPUT_LIMIT };
        let mut command = Command::new("runc");
        command.arg("--root").arg(state).arg("run").arg("--bundle").arg(&bundle.folder).arg(&bundle.instance);
        let ended = process::run(&mut command, b"", &bounds)?;
        if let Err(how) = ended.success(&bounds) {
            // What runc would have removed itself.
            let mut command = Command::new("runc");
            command.arg("--root").arg(state).args(["delete", "--force"]).arg(&bundle.instance);
            let _ = process::run(&mut command, b"", &PATIENCE);
            let words = ended.last_words().map_or_else(String::new, |words| format!(": {words}"));
            return Err(io::Error::other(format!("runc {how}{words}")).into());
        }
        Ok(ended.output)
    }
}
