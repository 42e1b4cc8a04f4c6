//! The backend that needs nothing on the host: libcontainer, linked in.
//!
//! libcontainer changes the working directory and forks, so each container is made by a process of its own, this
//! program executed again ([`HELPER`]). What it makes waits in [`INIT_NAME`] until [`Backend::start`] says so.

mod application;
mod capabilities;
mod cgroups;
mod configuration;
mod devices;
mod helper;
mod log;
mod program;

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;

use super::process_group::ProcessGroup;
use super::{Backend, Container, CreateError, Held, Streams};
pub use helper::helper;

/// The first argument of a program that is executed again to make a container.
pub const HELPER: &str = "cornercast:make-container";

/// The name (`/proc/PID/comm`) of the process that waits to become the application. A process that has ended under
/// this name never became it, unless its program has it too.
pub const INIT_NAME: &str = "cornercast:init";

/// The version of libcontainer that is linked in, as `Cargo.lock` has it.
const LIBCONTAINER: &str = "0.7.0";

/// libcontainer, linked in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Embedded;

impl Backend for Embedded {
    fn name(&self) -> &str {
        "embedded"
    }

    fn version(&self) -> Result<String, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("the embedded backend needs root; bubblewrap runs in a user namespace, too".to_owned());
        }
        capabilities::of_this_process()?;
        super::seccomp::architecture()?;
        Ok(LIBCONTAINER.to_owned())
    }

    fn create(&self, container: &Container<'_>, streams: Streams) -> Result<Pid, CreateError> {
        let mut command = Command::new(program::path()?);
        command.arg(HELPER).arg(container.id).arg(container.bundle).arg(container.state);
        // Some variables would change what libcontainer does.
        command.env_clear();
        // What is typed at the terminal is for the caller, who would not know of what an ended helper leaves. And nothing of
        // what it makes is lost when the engine is killed: it is in the control group before it leaves the process group.
        let group = ProcessGroup::new()?;
        group.join(&mut command);
        command.stdin(streams.stdin).stdout(streams.stdout).stderr(streams.stderr);
        let state = State::of(container);
        // A process that its file names would be taken for the one that is made now.
        if state.pid_file().exists() {
            return Err(CreateError::Host(format!("the container {} has been made already", container.id)));
        }
        let status = command.status().map_err(|error| format!("this program cannot be executed again: {error}"))?;
        if !status.success() {
            let said = fs::read_to_string(state.error()).unwrap_or_default();
            let said = if said.is_empty() { format!("the maker of the container ended with {status}") } else { said };
            return Err(said.into());
        }
        Ok(state.pid()?)
    }

    fn start(&self, container: &Container<'_>, _: Pid) -> Result<Option<Box<dyn Held>>, CreateError> {
        let waiting = connect(&State::of(container).folder(), NOTIFY).and_then(|mut to| to.write_all(b"start"));
        waiting.map_err(|error| format!("the waiting process does not listen: {error}"))?;
        Ok(None)
    }

    fn delete(&self, container: &Container<'_>) -> Result<(), String> {
        let state = State::of(container);
        cgroups::remove(&state)?;
        state.remove()
    }
}

/// The socket that the waiting process listens on, in its [`State::folder`].
const NOTIFY: &str = libcontainer::notify_socket::NOTIFY_FILE;

/// A connection to the socket `name` in `folder`, whose path may be longer than the address of a socket.
fn connect(folder: &Path, name: &str) -> io::Result<UnixStream> {
    let folder = rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    UnixStream::connect(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))
}

/// What this backend keeps in [`Container::state`].
#[derive(Debug, Clone)]
struct State {
    root: PathBuf,
    id: String,
}

impl State {
    fn of(container: &Container<'_>) -> Self {
        Self { root: container.state.to_owned(), id: container.id.to_owned() }
    }

    /// A file with why the container could not be made.
    fn error(&self) -> PathBuf {
        self.root.join("error")
    }

    /// A file with what libcontainer says of errors.
    fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// A file with the id of the waiting process.
    fn pid_file(&self) -> PathBuf {
        self.root.join("pid")
    }

    /// A file with the path of the control groups in each hierarchy.
    fn cgroups_path(&self) -> PathBuf {
        self.root.join("cgroups-path")
    }

    /// The bundle that libcontainer gets.
    fn bundle(&self) -> PathBuf {
        self.root.join("bundle")
    }

    /// The folder in which libcontainer keeps the folders of containers.
    fn containers(&self) -> PathBuf {
        self.root.join("containers")
    }

    /// The folder of this container.
    fn folder(&self) -> PathBuf {
        self.containers().join(&self.id)
    }

    fn pid(&self) -> Result<Pid, String> {
        let pid = fs::read_to_string(self.pid_file()).map_err(|error| format!("the id of the process: {error}"))?;
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw);
        pid.ok_or_else(|| "libcontainer gives no id of the process".to_owned())
    }

    fn remove(&self) -> Result<(), String> {
        for folder in [self.bundle(), self.containers()] {
            absent(fs::remove_dir_all(&folder)).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        for file in [self.error(), self.log(), self.pid_file(), self.cgroups_path()] {
            absent(fs::remove_file(&file)).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        Ok(())
    }
}

/// Takes what is not there as removed.
fn absent(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_that_of_the_lock_file() {
        let locked = format!("name = \"libcontainer\"\nversion = \"{}\"\n", super::LIBCONTAINER);
        assert!(include_str!("../../../../../Cargo.lock").contains(&locked));
    }
}
