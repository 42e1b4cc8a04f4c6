//! Runtimes with the command line of runc.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::Pid;
use serde_json::Value;

use super::{Backend, Container, CreateError, Streams};
use crate::sys;

/// An OCI runtime that is called as runc is.
#[derive(Debug, Clone)]
pub struct Runc {
    program: PathBuf,
}

impl Runc {
    /// The runtime at `program`, a path or a name to be looked for in `PATH`.
    #[must_use]
    pub fn at(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    fn command(&self, container: &Container<'_>) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(container.state.join("state"));
        command.arg("--log").arg(container.state.join("log")).args(["--log-format", "json"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs `command`; in words why it did not succeed.
    fn call(&self, container: &Container<'_>, command: &mut Command) -> Result<(), String> {
        let log = container.state.join("log");
        let _ = fs::remove_file(&log);
        let status = sys::with_default_signals(command).status().map_err(|error| self.unavailable(&error))?;
        if status.success() {
            return Ok(());
        }
        let said = fs::read_to_string(&log).unwrap_or_default();
        Err(last_error(&said).unwrap_or_else(|| format!("{} ended with {status}", self.program.display())))
    }

    fn unavailable(&self, error: &io::Error) -> String {
        match error.kind() {
            io::ErrorKind::NotFound => format!("{} is not installed", self.program.display()),
            _ => format!("{} cannot be run: {error}", self.program.display()),
        }
    }
}

/// The message of the last line of a log that has one.
fn last_error(log: &str) -> Option<String> {
    let message = |line: &str| Some(serde_json::from_str::<Value>(line).ok()?.get("msg")?.as_str()?.trim().to_owned());
    log.lines().rev().find_map(message)
}

impl Backend for Runc {
    fn name(&self) -> &str {
        "runc"
    }

    fn version(&self) -> Result<String, String> {
        let output = Command::new(&self.program).arg("--version").output().map_err(|error| self.unavailable(&error))?;
        if !output.status.success() {
            return Err(format!("{} --version ended with {}", self.program.display(), output.status));
        }
        if !rustix::process::geteuid().is_root() {
            return Err("runc needs root here".to_owned());
        }
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = said.lines().next().unwrap_or_default();
        Ok(line.trim_start_matches("runc version ").to_owned())
    }

    fn greatest_id(&self) -> u32 {
        i32::MAX.cast_unsigned()
    }

    fn create(&self, container: &Container<'_>, streams: Streams) -> Result<Pid, CreateError> {
        let pid_file = container.state.join("pid");
        let mut command = self.command(container);
        command.arg("create").arg("--bundle").arg(container.bundle).arg("--pid-file").arg(&pid_file).arg(container.id);
        command.stdin(streams.stdin).stdout(streams.stdout).stderr(streams.stderr);
        // runc looks for the program before it makes the container, and says so: `exec: "/a": no such file`,
        // `exec /a: permission denied`.
        let is_program =
            |message: &str| ["process: exec: \"", "process: exec /"].iter().any(|say| message.contains(say));
        self.call(container, &mut command).map_err(|message| {
            if is_program(&message) { CreateError::Program(message) } else { CreateError::Host(message) }
        })?;
        let pid = fs::read_to_string(&pid_file).map_err(|error| format!("the id of the process: {error}"))?;
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw);
        pid.ok_or_else(|| CreateError::Host("the runtime gives no id of the process".to_owned()))
    }

    fn start(&self, container: &Container<'_>) -> Result<(), String> {
        self.call(container, self.command(container).arg("start").arg(container.id))
    }

    fn delete(&self, container: &Container<'_>) -> Result<(), String> {
        if !container.state.join("state").join(container.id).exists() {
            return Ok(());
        }
        self.call(container, self.command(container).args(["delete", "--force"]).arg(container.id))
    }
}
