//! Runtimes with the command line of runc.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Pid;
use serde_json::Value;

use super::process_group::ProcessGroup;
use super::program::{unavailable, version};
use super::{Backend, Container, CreateError, Held, Streams};
use crate::{cgroup, sys};

/// What differs between runtimes that are called alike.
#[derive(Debug)]
pub(super) struct Dialect {
    /// What it is called, and its program.
    pub(super) name: &'static str,
    /// Arguments of every call.
    pub(super) arguments: &'static [&'static str],
    /// What stands before the version in the first line of `--version`.
    pub(super) version: &'static str,
    /// The greatest user or group id.
    pub(super) greatest_id: u32,
    /// What a message has in it that says that the program cannot be executed.
    pub(super) about_program: &'static [&'static str],
    /// Whether it fails where `noNewPrivileges` is there and false: it installs the filter of system calls after it has
    /// dropped the capability for that if the member is there at all.
    pub(super) fails_on_false: bool,
    /// Whether it fails where hierarchies of both versions of control groups are mounted, which it takes for version 2.
    pub(super) fails_on_hybrid: bool,
}

/// `exec: "/a": no such file`, `exec /a: permission denied`; ids are C integers.
const RUNC: Dialect = Dialect {
    name: "runc",
    arguments: &[],
    version: "runc version ",
    greatest_id: i32::MAX.cast_unsigned(),
    about_program: &["process: exec: \"", "process: exec /"],
    fails_on_false: false,
    fails_on_hybrid: false,
};

const CRUN: Dialect = Dialect {
    name: "crun",
    arguments: &[],
    version: "crun version ",
    greatest_id: u32::MAX - 1,
    about_program: &[],
    fails_on_false: false,
    fails_on_hybrid: true,
};

const YOUKI: Dialect = Dialect {
    name: "youki",
    arguments: &[],
    version: "youki version: ",
    greatest_id: u32::MAX - 1,
    about_program: &["executable '"],
    fails_on_false: true,
    fails_on_hybrid: false,
};

/// An OCI runtime that is called as runc is.
#[derive(Debug, Clone)]
pub struct OciRuntime {
    program: PathBuf,
    dialect: &'static Dialect,
}

impl OciRuntime {
    /// runc at `program`, a path or a name to be looked for in `PATH`, or where it usually is.
    #[must_use]
    pub fn runc(program: Option<PathBuf>) -> Self {
        Self::of(&RUNC, program)
    }

    /// crun, in the same way.
    #[must_use]
    pub fn crun(program: Option<PathBuf>) -> Self {
        Self::of(&CRUN, program)
    }

    /// youki, in the same way.
    #[must_use]
    pub fn youki(program: Option<PathBuf>) -> Self {
        Self::of(&YOUKI, program)
    }

    pub(super) fn of(dialect: &'static Dialect, program: Option<PathBuf>) -> Self {
        Self { program: program.unwrap_or_else(|| dialect.name.into()), dialect }
    }

    pub(super) fn command(&self, container: &Container<'_>) -> Command {
        let mut command = self.program();
        command.args(self.dialect.arguments).arg("--root").arg(container.state.join("state"));
        command.arg("--log").arg(container.state.join("log")).args(["--log-format", "json"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// The program, where need be in a mount namespace without the hierarchy of version 2.
    fn program(&self) -> Command {
        let second =
            if self.dialect.fails_on_hybrid { cgroup::second_beside_first().unwrap_or_default() } else { None };
        let Some(second) = second else { return Command::new(&self.program) };
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", "umount \"$1\" && shift && exec \"$@\"", "sh"]);
        command.arg(second).arg(&self.program);
        command
    }

    /// Runs `command`; in words why it did not succeed.
    pub(super) fn call(&self, container: &Container<'_>, command: &mut Command) -> Result<(), String> {
        let log = container.state.join("log");
        let _ = fs::remove_file(&log);
        let status = sys::with_default_signals(command)
            .status()
            .map_err(|error| unavailable(Path::new(command.get_program()), &error))?;
        if status.success() {
            return Ok(());
        }
        let said = fs::read_to_string(&log).unwrap_or_default();
        Err(last_error(&said).unwrap_or_else(|| format!("{} ended with {status}", self.program.display())))
    }

    /// What a message of the runtime is about.
    pub(super) fn error(&self, said: String) -> CreateError {
        if self.dialect.about_program.iter().any(|about| said.contains(about)) {
            CreateError::Program(said)
        } else {
            CreateError::Host(said)
        }
    }
}

/// Changes the configuration of a bundle.
pub(super) fn amend(bundle: &Path, change: impl FnOnce(&mut Value)) -> io::Result<()> {
    let path = bundle.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path)?)?;
    change(&mut config);
    fs::write(path, serde_json::to_vec(&config)?)
}

/// Leaves `noNewPrivileges` out where it is false, which means the same.
fn without_false(config: &mut Value) {
    let process = config.get_mut("process").and_then(Value::as_object_mut);
    if let Some(process) = process.filter(|process| process.get("noNewPrivileges") == Some(&Value::Bool(false))) {
        process.remove("noNewPrivileges");
    }
}

/// The last message of the log of an OCI runtime, in JSON.
#[must_use]
pub fn last_error(log: &str) -> Option<String> {
    // Not by lines: gVisor ends none.
    let said = serde_json::Deserializer::from_str(log).into_iter::<Value>().map_while(Result::ok);
    let messages = said.filter_map(|said| {
        // The second one is that of youki, which appends the stack where it was compiled for that.
        let message = said.get("msg").or_else(|| said.get("message"))?.as_str()?;
        Some(message.split("\n\nStack backtrace:").next()?.trim().to_owned())
    });
    messages.last()
}

impl Backend for OciRuntime {
    fn name(&self) -> &str {
        self.dialect.name
    }

    fn version(&self) -> Result<String, String> {
        let said = version(&self.program)?;
        if !rustix::process::geteuid().is_root() {
            return Err(format!("{} needs root here", self.dialect.name));
        }
        Ok(said.trim_start_matches(self.dialect.version).to_owned())
    }

    fn greatest_id(&self) -> u32 {
        self.dialect.greatest_id
    }

    fn create(&self, container: &Container<'_>, streams: Streams) -> Result<Pid, CreateError> {
        if self.dialect.fails_on_false {
            amend(container.bundle, without_false).map_err(|error| format!("the bundle: {error}"))?;
        }
        let pid_file = container.state.join("pid");
        let mut command = self.command(container);
        command.arg("create").arg("--bundle").arg(container.bundle).arg("--pid-file").arg(&pid_file).arg(container.id);
        command.stdin(streams.stdin).stdout(streams.stdout).stderr(streams.stderr);
        // Otherwise, a killed engine would leave a runtime that makes a container which nobody knows of.
        let group = ProcessGroup::new()?;
        group.join(&mut command);
        self.call(container, &mut command).map_err(|said| self.error(said))?;
        let pid = fs::read_to_string(&pid_file).map_err(|error| format!("the id of the process: {error}"))?;
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw);
        pid.ok_or_else(|| CreateError::Host(format!("{} gives no id of the process", self.dialect.name)))
    }

    fn start(&self, container: &Container<'_>, _: Pid) -> Result<Option<Box<dyn Held>>, CreateError> {
        self.call(container, self.command(container).arg("start").arg(container.id))
            .map_err(|said| self.error(said))?;
        Ok(None)
    }

    fn delete(&self, container: &Container<'_>) -> Result<(), String> {
        if !container.state.join("state").join(container.id).exists() {
            return Ok(());
        }
        self.call(container, self.command(container).args(["delete", "--force"]).arg(container.id))
    }
}
