//! gVisor: a kernel in user space, whose processes are none of this host.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cornercast::manifest::App;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::{Value, json};

use super::oci::{Dialect, amend, last_error};
use super::process_group::ProcessGroups;
use super::{Backend, Container, CreateError, End, Held, OciRuntime, Streams, gate};
use crate::signal;

/// What `runsc` is told: the platform that asks nothing of the host; no network stack of its own, which would take over the
/// interface of a namespace, and without which it has a loopback interface; and two things that it leaves out unless it is
/// told not to, filters of system calls and CAP_NET_RAW.
pub const RUNSC_OPTIONS: &[&str] = &["--platform=ptrace", "--network=none", "--oci-seccomp", "--net-raw"];

const RUNSC: Dialect = Dialect {
    name: "runsc",
    arguments: RUNSC_OPTIONS,
    version: "runsc version ",
    greatest_id: u32::MAX - 1,
    about_program: &[": creating process: failed to load "],
    fails_on_false: false,
    fails_on_hybrid: false,
};

/// The first real-time signal, which it knows no names or numbers of.
const REAL_TIME: i32 = 34;

/// gVisor's `runsc`, on the platform `ptrace`, which asks nothing of the host.
///
/// `runsc run` stays there as long as the application does, and ends as it has. `runsc wait` would miss one that is gone
/// soon, and both it and `runsc delete` wait for processes whose status nobody takes.
#[derive(Debug)]
pub struct Runsc {
    runtime: OciRuntime,
    /// What ends the processes of each container.
    groups: ProcessGroups,
}

impl Runsc {
    /// The runtime at `program`, a path or a name to be looked for in `PATH`, or where it usually is.
    #[must_use]
    pub fn at(program: Option<PathBuf>) -> Self {
        Self { runtime: OciRuntime::of(&RUNSC, program), groups: ProcessGroups::default() }
    }
}

impl Backend for Runsc {
    fn name(&self) -> &str {
        self.runtime.name()
    }

    fn version(&self) -> Result<String, String> {
        self.runtime.version()
    }

    fn greatest_id(&self) -> u32 {
        self.runtime.greatest_id()
    }

    fn lacks(&self, app: &App, _: &[&str]) -> Option<String> {
        let signal = &app.stop.signal;
        let is_unknown = signal::number(signal).is_some_and(|number| number >= REAL_TIME);
        is_unknown.then(|| format!("runsc cannot send the signal `{signal}`"))
    }

    fn mechanism(&self, isolator: &str) -> Option<&'static str> {
        Some(match isolator {
            "cornercast/capabilities" => "the bounding set, as gVisor's kernel has it",
            "cornercast/devices" | "cornercast/sysinfo" => "gVisor's kernel, whose devices and parameters are its own",
            "cornercast/ipc" | "cornercast/process-view" => "gVisor's kernel, which runs nothing but the instance",
            "cornercast/kernel-boundary" => "gVisor's kernel before that of the host",
            "cornercast/network" => "gVisor's network stack with a loopback interface and no other",
            "cornercast/syscalls" => "a seccomp filter in gVisor's kernel",
            "cornercast/readonly-rootfs" => "a root that gVisor mounts read-only",
            "resource/nofile" => "the resource limit RLIMIT_NOFILE of gVisor's kernel",
            _ => return None,
        })
    }

    fn create(&self, container: &Container<'_>, streams: Streams) -> Result<Pid, CreateError> {
        let empty = container.state.join("empty");
        fs::create_dir(&empty).map_err(|error| format!("a directory: {error}"))?;
        amend(container.bundle, |config| hide(config, &empty)).map_err(|error| format!("the bundle: {error}"))?;
        let mut run = self.runtime.command(container);
        run.arg("run").arg("--bundle").arg(container.bundle).arg("--pid-file").arg(pid_file(container.state));
        run.arg(container.id);
        Ok(gate::hold(container, &run, streams, &self.groups)?)
    }

    fn start(&self, container: &Container<'_>, process: Pid) -> Result<Option<Box<dyn Held>>, CreateError> {
        gate::open(container, process)?;
        Ok(Some(Box::new(Application {
            process,
            runtime: self.runtime.clone(),
            id: container.id.to_owned(),
            state: container.state.to_owned(),
        })))
    }

    fn delete(&self, container: &Container<'_>) -> Result<(), String> {
        self.groups.end(container);
        // Its files of this container have other names than those of others.
        let mut files = fs::read_dir(container.state.join("state")).into_iter().flatten();
        if files.next().is_none() {
            return Ok(());
        }
        self.runtime.call(container, self.runtime.command(container).args(["delete", "--force"]).arg(container.id))
    }
}

/// Where it writes the number of a process when it has made a container.
fn pid_file(state: &Path) -> PathBuf {
    state.join("pid")
}

/// Puts an empty directory over the parameters of the kernel: gVisor does nothing about what a bundle wants to be masked
/// or read-only, of which it has this alone.
fn hide(config: &mut Value, empty: &Path) {
    let mount = json!({"destination": "/proc/sys", "options": ["bind", "ro"], "source": empty, "type": "bind"});
    if let Some(mounts) = config.get_mut("mounts").and_then(Value::as_array_mut) {
        mounts.push(mount);
    }
}

/// An application inside gVisor.
struct Application {
    /// `runsc run`.
    process: Pid,
    runtime: OciRuntime,
    id: String,
    state: PathBuf,
}

impl Held for Application {
    fn process(&self) -> Pid {
        self.process
    }

    fn signal(&self, signal: i32) -> io::Result<()> {
        let container = Container { id: &self.id, bundle: Path::new(""), state: &self.state };
        let mut command = self.runtime.command(&container);
        command.arg("kill").arg(&self.id).arg(signal.to_string());
        let sent = self.runtime.call(&container, &mut command).map_err(io::Error::other);
        if sent.is_err() && signal == Signal::KILL.as_raw() {
            // There is no application yet, or none any more.
            kill_process(self.process, Signal::KILL)?;
        }
        sent
    }

    fn is_running(&self) -> bool {
        // A file that is gone, or half written, says nothing.
        let state = self.state.join("state").join(format!("{0}_sandbox:{0}.state", self.id));
        let state = fs::read(state).ok().and_then(|state| serde_json::from_slice::<State>(&state).ok());
        state.is_some_and(|state| state.status == "running")
    }

    fn began(&self, process: End) -> Result<(), CreateError> {
        match (last_error(&fs::read_to_string(self.state.join("log")).unwrap_or_default()), process) {
            (Some(said), _) => Err(self.runtime.error(said)),
            // It writes the file when it has made the container, and ends by itself without an error only where the
            // application has ended.
            (None, End::Exited(_)) if pid_file(&self.state).exists() => Ok(()),
            (None, End::Exited(_)) => {
                Err("runsc ended before it made a container, and does not say why".to_owned().into())
            }
            (None, End::Signaled(number)) => {
                Err(format!("runsc was ended by {} before the application began", signal::name(number)).into())
            }
        }
    }

    fn end(&self, process: End) -> End {
        gate::end(process)
    }
}

/// What runsc writes of a container, as far as it is of interest here.
#[derive(Deserialize)]
struct State {
    status: String,
}
