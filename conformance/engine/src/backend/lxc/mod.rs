//! LXC's `lxc-start`, in the foreground.
//!
//! It gets a configuration in a language of its own, stays as long as the application, and ends as that has. It would
//! take the application with it if it were ended, so the application is [`Held`] by it.

mod configuration;
mod log;

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cornercast::manifest::App;
use libcontainer::oci_spec::runtime::Spec;
use rustix::mount::{MountFlags, mount};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::mounting::{self, Options};
use super::process_group::ProcessGroups;
use super::program::version;
use super::{Backend, Container, CreateError, End, Held, Streams, gate, seccomp};
use crate::application::has_executed;
use crate::sys;

/// Where it keeps locks of all containers, which stay.
const LOCKS: &str = "/run/lxc";

/// LXC, called by root.
#[derive(Debug)]
pub struct Lxc {
    program: PathBuf,
    /// What ends the processes of each container.
    groups: ProcessGroups,
}

impl Lxc {
    /// The program at `program`, a path or a name to be looked for in `PATH`, or where it usually is.
    #[must_use]
    pub fn at(program: Option<PathBuf>) -> Self {
        Self { program: program.unwrap_or_else(|| "lxc-start".into()), groups: ProcessGroups::default() }
    }
}

impl Backend for Lxc {
    fn name(&self) -> &'static str {
        "lxc"
    }

    fn version(&self) -> Result<String, String> {
        seccomp::architecture()?;
        if !rustix::process::geteuid().is_root() {
            return Err("LXC needs root here".to_owned());
        }
        version(&self.program)
    }

    fn lacks(&self, app: &App, mounted: &[&str]) -> Option<String> {
        lines(app, mounted)
    }

    fn create(&self, container: &Container<'_>, streams: Streams) -> Result<Pid, CreateError> {
        let spec = Spec::load(container.bundle.join("config.json")).map_err(|error| format!("config.json: {error}"))?;
        let written = configuration::write(&spec, container);
        let configuration = written.map_err(|error| format!("the configuration of LXC: {error}"))?;
        let folder = container.state.join("lxc");
        // In the mount namespace of the engine, so that nothing stays there.
        let hidden = fs::create_dir(&folder).and_then(|()| fs::create_dir_all(LOCKS)).and_then(|()| {
            let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
            Ok(mount("tmpfs", LOCKS, "tmpfs", flags, None)?)
        });
        hidden.map_err(|error| format!("{LOCKS}: {error}"))?;
        restrict(&spec).map_err(|error| format!("what is mounted of the host: {error}"))?;
        let mut command = Command::new(&self.program);
        command.args(["--foreground", "--quiet", "--close-all-fds", "--name", container.id, "--lxcpath"]).arg(&folder);
        command.arg("--rcfile").arg(configuration).arg("--logfile").arg(container.state.join("log"));
        command.args(["--logpriority", "INFO", "--"]);
        command.args(spec.process().as_ref().and_then(|process| process.args().as_ref()).into_iter().flatten());
        Ok(gate::hold(container, &command, streams, &self.groups)?)
    }

    fn start(&self, container: &Container<'_>, process: Pid) -> Result<Option<Box<dyn Held>>, CreateError> {
        gate::open(container, process)?;
        Ok(Some(Box::new(Application { process, log: container.state.join("log"), itself: OnceLock::new() })))
    }

    fn delete(&self, container: &Container<'_>) -> Result<(), String> {
        // It removes what it has made.
        self.groups.end(container);
        Ok(())
    }
}

/// What has a line end, which would be one of what LXC reads or writes.
fn lines(app: &App, mounted: &[&str]) -> Option<String> {
    let has_line = |text: &str| text.contains('\n');
    if let Some((name, _)) = app.environment.iter().find(|(_, value)| has_line(value)) {
        return Some(format!("the configuration of LXC has no line ends in variables such as `{name}`"));
    }
    let directory = Some(app.working_directory.as_str());
    if let Some(path) = directory.into_iter().chain(mounted.iter().copied()).find(|path| has_line(path)) {
        return Some(format!("the configuration of LXC has no line ends in paths such as {path:?}"));
    }
    // How the application ends is taken from the log, which has the program as it is called.
    let program = app.exec.first().filter(|program| has_line(program))?;
    Some(format!("the log of LXC has no line ends in programs such as {program:?}"))
}

/// Restricts what is mounted of the host: LXC passes over the options of a bind mount that can be written to, but those of
/// its source stay.
fn restrict(spec: &Spec) -> io::Result<()> {
    for one in spec.mounts().iter().flatten().filter(|one| one.typ().as_deref() == Some("bind")) {
        mounting::restrict(one.source().as_deref().unwrap_or(Path::new("")), Options::of(one).flags)?;
    }
    Ok(())
}

/// An application that `lxc-start` waits for.
struct Application {
    /// `lxc-start`.
    process: Pid,
    log: PathBuf,
    /// The application itself, once it has been seen.
    itself: OnceLock<OwnedFd>,
}

impl Application {
    fn said(&self) -> String {
        fs::read(&self.log).map(|said| String::from_utf8_lossy(&said).into_owned()).unwrap_or_default()
    }

    /// The application itself, once its program has been executed. It can have ended.
    fn itself(&self) -> Option<BorrowedFd<'_>> {
        if self.itself.get().is_none() {
            let process = self.process.as_raw_nonzero();
            let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
            let mut children = children.split(' ').filter_map(|child| Pid::from_raw(child.parse().ok()?));
            let _ = self.itself.set(children.find_map(|child| self.application(child))?);
        }
        self.itself.get().map(OwnedFd::as_fd)
    }

    /// The process of this number, if it is the application: a child of `lxc-start`, the first one of its namespace, that
    /// has executed a program.
    fn application(&self, pid: Pid) -> Option<OwnedFd> {
        let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
        let parent = format!("PPid:\t{}", self.process.as_raw_nonzero());
        let is_meant = status.lines().any(|line| line == parent)
            && status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"))
            && has_executed(pid);
        // As long as it has not ended, its number is that of no other.
        (is_meant && !sys::has_ended(&process).ok()?).then_some(process)
    }
}

impl Held for Application {
    fn process(&self) -> Pid {
        self.process
    }

    fn is_running(&self) -> bool {
        self.itself().is_some()
    }

    fn began(&self, _: End) -> Result<(), CreateError> {
        log::began(&self.said())
    }

    fn signal(&self, signal: i32) -> io::Result<()> {
        let sent = match self.itself() {
            Some(application) => sys::send_to(application, signal),
            None => Err(io::Error::other("there is no application")),
        };
        if sent.is_err() && signal == Signal::KILL.as_raw() {
            // There is no application yet, or none any more.
            return Ok(kill_process(self.process, Signal::KILL)?);
        }
        sent
    }

    fn end(&self, process: End) -> End {
        // Its own status says nothing.
        log::end(&self.said()).unwrap_or(process)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_a_line_end_is_said() {
        let app = |exec: &str, directory: &str, value: &str| -> App {
            let document = json!({"exec": [exec], "user": {"uid": 0, "gid": 0}, "workingDirectory": directory, "environment": {"A": value}});
            serde_json::from_value(document).unwrap()
        };
        assert_eq!(lines(&app("/a", "/b", "c"), &["/d"]), None);
        let said = |app: &App, mounted: &[&str]| lines(app, mounted).unwrap();
        assert_eq!(
            said(&app("/a", "/b", "c\nd"), &[]),
            "the configuration of LXC has no line ends in variables such as `A`"
        );
        let of_path = "the configuration of LXC has no line ends in paths such as \"/b\\n\"";
        assert_eq!(said(&app("/a", "/b\n", "c"), &[]), of_path);
        assert_eq!(said(&app("/a", "/", "c"), &["/c", "/b\n"]), of_path);
        assert_eq!(said(&app("/a\n", "/", "c"), &[]), "the log of LXC has no line ends in programs such as \"/a\\n\"");
    }
}
