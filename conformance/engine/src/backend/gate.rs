//! Holding back what is to become the application, until it is let through.

use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, getpid, waitid};

use super::process_group::{ProcessGroup, ProcessGroups};
use super::{Container, End, Streams};
use crate::before::{Step, before_program};
use crate::sys;

/// What a shell does there: its arguments are the pipe, and the program with its own.
const SCRIPT: &str = "read -r _ <\"$1\" && shift && exec \"$@\"";

/// How long what is held back can take until it waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes the pipe that it waits at, in the directory of the container's state.
///
/// # Errors
///
/// Why there is none, in words.
pub(super) fn make(container: &Container<'_>) -> Result<PathBuf, String> {
    let gate = path(container);
    mknodat(CWD, &gate, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
        .map_err(|error| format!("the pipe {}: {error}", gate.display()))?;
    Ok(gate)
}

fn path(container: &Container<'_>) -> PathBuf {
    container.state.join("gate")
}

/// Starts a process that becomes `program` when it is let through, where that makes a container and runs the application
/// at once. It is killed with the thread that calls; what it forks is in a process group, which is kept in `groups`.
///
/// # Errors
///
/// Why there is no process, in words.
pub(super) fn hold(
    container: &Container<'_>,
    program: &Command,
    streams: Streams,
    groups: &ProcessGroups,
) -> Result<Pid, String> {
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "sh"]).arg(make(container)?);
    command.arg(program.get_program()).args(program.get_args());
    command.stdin(streams.stdin).stdout(streams.stdout).stderr(streams.stderr);
    let group = ProcessGroup::new()?;
    group.join(&mut command);
    let child = before_program(sys::with_default_signals(&mut command), Step::EndWith(getpid())).spawn();
    let child = child.map_err(|error| format!("a shell cannot be run: {error}"))?;
    groups.keep(container, group);
    Ok(Pid::from_child(&child))
}

/// Lets `process` through, a child of this one.
///
/// # Errors
///
/// Why it was not, in words.
pub(super) fn open(container: &Container<'_>, process: Pid) -> Result<(), String> {
    let until = Instant::now() + PATIENCE;
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let gate = loop {
        match rustix::fs::open(path(container), flags, Mode::empty()) {
            // Nobody waits there, which to wait for would take for ever if nobody comes.
            Err(Errno::NXIO) if has_ended(process) => return Err("what waits has ended".to_owned()),
            Err(Errno::NXIO) if Instant::now() > until => {
                return Err(format!("what is to wait does not after {} seconds", PATIENCE.as_secs()));
            }
            Err(Errno::NXIO) => thread::sleep(Duration::from_micros(200)),
            opened => break opened,
        }
    };
    gate.and_then(|gate| rustix::io::write(&gate, b"\n")).map_err(|error| format!("what waits: {error}"))?;
    Ok(())
}

fn has_ended(child: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    !matches!(waitid(WaitId::Pid(child), options), Ok(None))
}

/// What the exit status of such a program says, as a shell has it: that of an application that was ended by the signal N
/// is 128 + N, which can also be an exit code. Nothing tells which.
pub(super) fn end(process: End) -> End {
    match process {
        End::Exited(status @ 129..=192) => End::Signaled((status - 128).into()),
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::File;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::process::{Signal, kill_process};

    use super::*;

    fn null() -> OwnedFd {
        File::options().read(true).write(true).open("/dev/null").unwrap().into()
    }

    fn held(state: &Path, program: &Command, groups: &ProcessGroups) -> Result<Pid, String> {
        let streams = Streams { stdin: null(), stdout: null(), stderr: null() };
        hold(&container(state), program, streams, groups)
    }

    fn container(state: &Path) -> Container<'_> {
        Container { id: "a", bundle: state, state }
    }

    fn status(process: Pid) -> Option<i32> {
        waitid(WaitId::Pid(process), WaitIdOptions::EXITED).unwrap().unwrap().exit_status()
    }

    #[test]
    fn what_is_held_back_goes_on_when_it_is_let_through() {
        let state = tempfile::tempdir().unwrap();
        let (mut program, groups) = (Command::new("sh"), ProcessGroups::default());
        let process = held(state.path(), program.args(["-c", "exit \"$1\"", "sh", "7"]), &groups).unwrap();
        thread::sleep(Duration::from_millis(50));
        assert!(!has_ended(process));
        open(&container(state.path()), process).unwrap();
        assert_eq!(status(process), Some(7));
    }

    #[test]
    fn nobody_is_waited_for_who_has_ended() {
        let state = tempfile::tempdir().unwrap();
        let groups = ProcessGroups::default();
        let process = held(state.path(), &Command::new("true"), &groups).unwrap();
        kill_process(process, Signal::KILL).unwrap();
        // One that is still on its way out can have the pipe open.
        waitid(WaitId::Pid(process), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
        assert_eq!(open(&container(state.path()), process), Err("what waits has ended".to_owned()));
        status(process);
    }

    #[test]
    fn without_the_pipe_nothing_is_let_through() {
        let mut program = Command::new("sh");
        program.args(["-c", SCRIPT, "sh", "/nowhere/gate", "true"]).stderr(std::process::Stdio::null());
        assert!(!program.status().unwrap().success());
    }
}
