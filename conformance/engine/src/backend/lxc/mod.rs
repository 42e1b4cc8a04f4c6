//! LXC's `lxc-start`, in the foreground.
//!
//! It gets a configuration in a language of its own, stays as long as the application, and ends as that has. It would
//! take the application with it if it were ended, so the application is [`Held`] by it.

mod configuration;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use cornercast::manifest::App;
use libcontainer::oci_spec::runtime::Spec;
use rustix::mount::{MountFlags, mount, mount_bind, mount_remount};
use rustix::process::{Pid, Signal, kill_process};

use super::{Backend, Container, CreateError, End, Held, Streams, gate, seccomp};
use crate::application::is_fork;
use crate::sys;

/// Where it keeps locks of all containers, which stay.
const LOCKS: &str = "/run/lxc";

/// LXC, called by root.
#[derive(Debug, Clone)]
pub struct Lxc {
    program: PathBuf,
}

impl Lxc {
    /// The program at `program`, a path or a name to be looked for in `PATH`, or where it usually is.
    #[must_use]
    pub fn at(program: Option<PathBuf>) -> Self {
        Self { program: program.unwrap_or_else(|| "lxc-start".into()) }
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
        gate::version(&self.program)
    }

    fn lacks(&self, app: &App) -> Option<String> {
        let has_line = app.environment.iter().find(|(_, value)| value.contains('\n'));
        has_line.map(|(name, _)| format!("the configuration of LXC has no line ends in variables such as `{name}`"))
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
        command.arg("--rcfile").arg(configuration).arg("--logfile").arg(log(container.state));
        command.args(["--logpriority", "INFO", "--"]);
        command.args(spec.process().as_ref().and_then(|process| process.args().as_ref()).into_iter().flatten());
        Ok(gate::hold(container, &command, streams)?)
    }

    fn start(&self, container: &Container<'_>, process: Pid) -> Result<Option<Box<dyn Held>>, CreateError> {
        gate::open(container)?;
        Ok(Some(Box::new(Application { process, log: log(container.state) })))
    }

    fn delete(&self, _: &Container<'_>) -> Result<(), String> {
        // It removes what it has made, and its processes are in the control group of the instance.
        Ok(())
    }
}

/// Restricts what is mounted of the host, in the mount namespace of the engine: LXC passes over the options of a bind mount
/// that can be written to, but those of its source stay.
fn restrict(spec: &Spec) -> io::Result<()> {
    for one in spec.mounts().iter().flatten().filter(|one| one.typ().as_deref() == Some("bind")) {
        let source = one.source().as_deref().unwrap_or(Path::new(""));
        let options = one.options().iter().flatten().filter_map(|option| match option.as_str() {
            "ro" => Some(MountFlags::RDONLY),
            "nosuid" => Some(MountFlags::NOSUID),
            "nodev" => Some(MountFlags::NODEV),
            "noexec" => Some(MountFlags::NOEXEC),
            _ => None,
        });
        mount_bind(source, source)?;
        mount_remount(source, options.fold(MountFlags::BIND, |all, one| all | one), "")?;
    }
    Ok(())
}

/// Where it says what has gone wrong.
fn log(state: &Path) -> PathBuf {
    state.join("log")
}

/// An application that `lxc-start` waits for.
struct Application {
    /// `lxc-start`.
    process: Pid,
    log: PathBuf,
}

impl Application {
    /// The log.
    fn said(&self) -> String {
        fs::read(&self.log).map(|said| String::from_utf8_lossy(&said).into_owned()).unwrap_or_default()
    }

    /// The application itself, once its program has been executed.
    fn itself(&self) -> Option<Pid> {
        let process = self.process.as_raw_nonzero();
        let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
        let mut children = children.split(' ').filter_map(|child| Pid::from_raw(child.parse().ok()?));
        children.find(|child| {
            let status = fs::read_to_string(format!("/proc/{}/status", child.as_raw_nonzero())).unwrap_or_default();
            let is_first = status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"));
            is_first && !is_fork(*child)
        })
    }
}

impl Held for Application {
    fn process(&self) -> Pid {
        self.process
    }

    fn is_running(&self) -> bool {
        self.itself().is_some()
    }

    fn has_failed(&self) -> bool {
        self.said().lines().any(|line| line.contains(" ERROR "))
    }

    fn signal(&self, signal: i32) -> io::Result<()> {
        match self.itself() {
            Some(application) => sys::send(application, signal),
            // There is no application yet, or none any more.
            None if signal == Signal::KILL.as_raw() => Ok(kill_process(self.process, Signal::KILL)?),
            None => Err(io::Error::other("there is no application")),
        }
    }

    fn end(&self, process: End) -> End {
        // Its own status says nothing.
        said_end(&self.said()).unwrap_or(process)
    }
}

/// How the application has ended, where a log says it: `… Child <7> ended on error (1)` or `… ended on signal Killed(9)`.
/// It says nothing of the exit code 0.
fn said_end(log: &str) -> Option<End> {
    let ends = log.lines().filter_map(|line| line.split_once(" Child <")?.1.split_once("> ended on "));
    let mut ends = ends.filter_map(|(_, how)| {
        let number = how.strip_suffix(')')?.rsplit_once('(')?.1;
        match how.split_once(' ')?.0 {
            "error" => Some(End::Exited(number.parse().ok()?)),
            "signal" => Some(End::Signaled(number.parse().ok()?)),
            _ => None,
        }
    });
    ends.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_an_application_has_ended_stands_in_the_log() {
        let line = |how: &str| {
            format!("lxc-start a 20260101 INFO error - error.c:lxc_error_set_and_log:28 - Child <7> ended on {how}\n")
        };
        assert_eq!(said_end(&line("error (255)")), Some(End::Exited(255)));
        assert_eq!(said_end(&(line("error (1)") + &line("signal Killed(9)"))), Some(End::Signaled(9)));
        assert_eq!(said_end(&line("signal Real-time signal 0(34)")), Some(End::Signaled(34)));
        for other in ["error (256)", "error (-1)", "error ()", "error 1", "signal", "something (1)"] {
            assert_eq!(said_end(&line(other)), None, "{other}");
        }
        assert_eq!(said_end("lxc-start a 20260101 INFO start - start.c:1 - a line\n"), None);
    }
}
