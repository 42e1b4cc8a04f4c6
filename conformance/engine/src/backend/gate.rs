//! Holding back programs that make a container and run the application at once.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Pid;

use super::{Container, End, Streams};
use crate::sys;

/// The pipe, in the directory of the container's state, that what is held back waits at.
fn path(container: &Container<'_>) -> PathBuf {
    container.state.join("gate")
}

/// Starts a process that becomes `program` when it is let through.
///
/// # Errors
///
/// Why there is no process, in words.
pub(super) fn hold(container: &Container<'_>, program: &Command, streams: Streams) -> Result<Pid, String> {
    let gate = path(container);
    mknodat(CWD, &gate, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).map_err(|error| format!("a pipe: {error}"))?;
    let mut command = Command::new("sh");
    command.args(["-c", "read -r _ <\"$1\"; shift; exec \"$@\"", "sh"]).arg(gate);
    command.arg(program.get_program()).args(program.get_args());
    command.stdin(streams.stdin).stdout(streams.stdout).stderr(streams.stderr);
    let child = sys::with_default_signals(&mut command).spawn();
    child.map(|child| Pid::from_child(&child)).map_err(|error| format!("a shell cannot be run: {error}"))
}

/// Lets it through.
///
/// # Errors
///
/// Why it was not, in words.
pub(super) fn open(container: &Container<'_>) -> Result<(), String> {
    let opened = OpenOptions::new().write(true).open(path(container));
    opened.and_then(|mut gate| gate.write_all(b"\n")).map_err(|error| format!("what waits: {error}"))
}

/// What the exit status of such a program says, as a shell has it: that of an application that was ended by the signal N
/// is 128 + N, which can also be an exit code. Nothing tells which.
pub(super) fn end(process: End) -> End {
    match process {
        End::Exited(status @ 129..=192) => End::Signaled((status - 128).into()),
        other => other,
    }
}

/// What `program --version` prints first; in words why it cannot be used here.
#[cfg(feature = "embedded")]
pub(super) fn version(program: &std::path::Path) -> Result<String, String> {
    let output = Command::new(program).arg("--version").stdin(std::process::Stdio::null()).output();
    let output = output.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("{} is not installed", program.display()),
        _ => format!("{} cannot be run: {error}", program.display()),
    })?;
    if !output.status.success() {
        return Err(format!("{} --version ended with {}", program.display(), output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_owned())
}
