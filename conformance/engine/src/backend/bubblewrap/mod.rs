//! bubblewrap's `bwrap`, which makes namespaces and mounts, and knows neither bundles nor control groups.
//!
//! It stays as the parent of the application, and would end with a status that does not tell a signal from an exit code.
//! So it is ended when what it has made waits ([`Backend::create`]), and the engine, which takes orphans, gets the
//! process.

mod arguments;

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use cornercast::manifest::App;
use libcontainer::oci_spec::runtime::{Process, Spec};
use rustix::fs::{CWD, FileType, MemfdFlags, Mode, OFlags, memfd_create, mknodat};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, umask};
use rustix::thread::{
    CapabilitySet, Gid, capabilities, remove_capability_from_bounding_set, set_capabilities, set_thread_groups,
    set_thread_res_gid,
};
use serde::Deserialize;

use self::arguments::arguments;
use super::embedded::capabilities::bit;
use super::embedded::limits::Limit;
use super::seccomp::{self, Filter};
use super::{Backend, Container, CreateError, Held, Streams, gate};
use crate::{cgroup, sys};

/// What stands before its version.
const VERSION: &str = "bubblewrap ";

/// The pipe, in the directory of the container's state, that the process waits at.
const GATE: &str = "gate";

/// bubblewrap, called by root, who can be that of a user namespace.
#[derive(Debug, Clone)]
pub struct Bubblewrap {
    program: PathBuf,
}

impl Bubblewrap {
    /// The program at `program`, a path or a name to be looked for in `PATH`, or where it usually is.
    #[must_use]
    pub fn at(program: Option<PathBuf>) -> Self {
        Self { program: program.unwrap_or_else(|| "bwrap".into()) }
    }

    /// Starts it; what it makes waits at the gate.
    fn spawn(&self, container: &Container<'_>, spec: &Spec, streams: Streams, info: OwnedFd) -> io::Result<Child> {
        let process = spec.process().as_ref().ok_or_else(|| io::Error::other("config.json has no process"))?;
        let gate = container.state.join(GATE);
        mknodat(CWD, &gate, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        let gate: OwnedFd = OpenOptions::new().read(true).write(true).open(gate)?.into();
        let filters = filters(spec)?;
        let mut said: Vec<String> = vec!["--info-fd".into(), number(&info), "--block-fd".into(), number(&gate)];
        for filter in &filters {
            said.extend(["--add-seccomp-fd".into(), number(filter)]);
        }
        said.extend(arguments(spec, container)?);
        // Not in the process's own argument list, where they would count twice beside those of the application, and not
        // as its own variables, which the linker of this host would heed.
        let said = file(said.iter().flat_map(|argument| argument.bytes().chain([0])).collect::<Vec<u8>>().as_slice())?;
        let mut command = Command::new(&self.program);
        command.env_clear().arg("--args").arg(number(&said)).arg("--");
        command.args(process.args().iter().flatten());
        command.stdin(streams.stdin).stdout(streams.stdout).stderr(streams.stderr);
        let entrance = Entrance::of(process, group(spec))?;
        let kept: Vec<OwnedFd> = [info, gate, said].into_iter().chain(filters).collect();
        sys::before_program(sys::with_default_signals(&mut command), move || {
            // It passes on whatever it gets.
            sys::keep_streams_alone()?;
            kept.iter().try_for_each(|descriptor| fcntl_setfd(descriptor, FdFlags::empty()))?;
            entrance.pass()
        });
        command.spawn()
    }
}

fn number(descriptor: &OwnedFd) -> String {
    descriptor.as_raw_fd().to_string()
}

/// A file without a name that has this content, to be read from its beginning.
fn file(content: &[u8]) -> io::Result<OwnedFd> {
    let descriptor = memfd_create(c"cornercast", MemfdFlags::CLOEXEC)?;
    let mut file = fs::File::from(descriptor);
    file.write_all(content)?;
    io::Seek::rewind(&mut file)?;
    Ok(file.into())
}

/// The programs of the filter of system calls, a file each.
fn filters(spec: &Spec) -> io::Result<Vec<OwnedFd>> {
    let Some(configured) = spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref()) else {
        return Ok(Vec::new());
    };
    let filter = Filter::of(configured).map_err(io::Error::other)?;
    filter.programs().map(|program| file(&program)).collect()
}

/// The control group of the instance, by which an engine finds what a killed one has left.
fn group(spec: &Spec) -> Option<&Path> {
    spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_deref())
}

/// What bubblewrap inherits, as it changes none of it.
struct Entrance {
    bounding: CapabilitySet,
    gid: Gid,
    groups: Vec<Gid>,
    umask: Mode,
    limits: Vec<Limit>,
    /// `cgroup.procs` of the control group.
    group: Option<fs::File>,
}

impl Entrance {
    fn of(process: &Process, group: Option<&Path>) -> io::Result<Self> {
        let user = process.user();
        let capabilities = process.capabilities().as_ref().and_then(|all| all.bounding().as_ref());
        Ok(Self {
            bounding: capabilities.into_iter().flatten().map(bit).collect(),
            gid: Gid::from_raw(user.gid()),
            groups: user.additional_gids().iter().flatten().map(|gid| Gid::from_raw(*gid)).collect(),
            umask: Mode::from_raw_mode(user.umask().unwrap_or(0o022)),
            limits: process.rlimits().iter().flatten().map(Limit::of).collect(),
            group: group.map(cgroup::make).transpose()?.flatten(),
        })
    }

    /// Makes this process as bubblewrap is to find it.
    fn pass(&self) -> io::Result<()> {
        if let Some(group) = &self.group {
            // It is the process that writes, whatever its number is in its namespace.
            (&*group).write_all(b"0")?;
        }
        umask(self.umask);
        set_thread_groups(&self.groups)?;
        set_thread_res_gid(self.gid, self.gid, self.gid)?;
        // What is inheritable is permitted to the program of the user 0 beside the bounding set, so bubblewrap has what
        // it needs, and the application, for which it sets both, does not.
        let mut own = capabilities(None)?;
        own.inheritable = own.permitted;
        set_capabilities(None, own)?;
        for capability in (CapabilitySet::all() - self.bounding).iter() {
            match remove_capability_from_bounding_set(capability) {
                // The kernel does not know it.
                Err(rustix::io::Errno::INVAL) => {}
                result => result?,
            }
        }
        self.limits.iter().try_for_each(Limit::set)?;
        Ok(())
    }
}

/// What bubblewrap says of what it makes.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Info {
    child_pid: i32,
}

/// The process that bubblewrap has made, when it has done everything but to execute the program.
fn waiting(bubblewrap: &mut Child, info: OwnedFd, rootfs: &Path) -> Result<Pid, String> {
    let mut said = String::new();
    fs::File::from(info).read_to_string(&mut said).map_err(|error| format!("what bubblewrap says: {error}"))?;
    let ended = "bubblewrap ended before there was a container";
    let info: Info = serde_json::from_str(&said).map_err(|_| ended.to_owned())?;
    let pid = Pid::from_raw(info.child_pid).ok_or("bubblewrap gives no id of the process")?;
    let wanted = fs::metadata(rootfs).map_err(|error| format!("the root tree: {error}"))?;
    let mut pause = Duration::from_micros(200);
    loop {
        // The last of all mounts.
        let root = fs::metadata(format!("/proc/{}/root", pid.as_raw_nonzero()));
        if root.is_ok_and(|root| (root.dev(), root.ino()) == (wanted.dev(), wanted.ino())) {
            return Ok(pid);
        }
        // It ends with what it has made.
        if bubblewrap.try_wait().map_err(|error| error.to_string())?.is_some() {
            return Err(ended.to_owned());
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

impl Backend for Bubblewrap {
    fn name(&self) -> &'static str {
        "bubblewrap"
    }

    fn version(&self) -> Result<String, String> {
        seccomp::architecture()?;
        if !rustix::process::geteuid().is_root() {
            let how = "`unshare --user --map-root-user --map-auto` starts a program as root of a user namespace";
            return Err(format!("bubblewrap needs root here; {how}"));
        }
        let said = gate::version(&self.program)?;
        said.strip_prefix(VERSION).map(str::to_owned).ok_or_else(|| format!("`{said}` is not bubblewrap"))
    }

    fn lacks(&self, app: &App) -> Option<String> {
        let uid = app.user.uid;
        (uid != 0).then(|| format!("bubblewrap runs programs as the user that calls it, and not as the user {uid}"))
    }

    fn cannot_enforce(&self, isolator: &str) -> Option<&'static str> {
        ["resource/cpu", "resource/memory", "resource/pids"]
            .contains(&isolator)
            .then_some("bubblewrap has no control groups")
    }

    fn mechanism(&self, isolator: &str) -> Option<&'static str> {
        Some(match isolator {
            // Those of the user 0 are inheritable and ambient, too, which RUN-034 is about.
            "cornercast/capabilities" => "the bounding set, and for the user 0 all other sets as well",
            "cornercast/devices" => "mounts on which no device can be opened, but for those of /dev",
            "cornercast/no-new-privileges" => "the attribute no_new_privs of the process, which bubblewrap always sets",
            _ => return None,
        })
    }

    fn create(&self, container: &Container<'_>, streams: Streams) -> Result<Pid, CreateError> {
        let bundle = container.bundle;
        let spec = Spec::load(bundle.join("config.json")).map_err(|error| format!("config.json: {error}"))?;
        let rootfs = bundle.join("rootfs");
        arguments::stage(&spec, container).map_err(|error| format!("what is mounted at /sys: {error}"))?;
        let (info, writing) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| format!("a pipe: {error}"))?;
        let child = self.spawn(container, &spec, streams, writing);
        let mut child = child.map_err(|error| format!("{}: {error}", self.program.display()))?;
        let made = waiting(&mut child, info, &rootfs);
        // Its own end does not end what it has made.
        let ended = child.kill().and_then(|()| child.wait());
        let pid = made?;
        ended.map_err(|error| format!("bubblewrap: {error}"))?;
        Ok(pid)
    }

    fn start(&self, container: &Container<'_>, _: Pid) -> Result<Option<Box<dyn Held>>, CreateError> {
        let gate = rustix::fs::open(container.state.join(GATE), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
        let written = gate.and_then(|gate| rustix::io::write(gate.as_fd(), b"\n"));
        written.map_err(|error| format!("what waits: {error}"))?;
        Ok(None)
    }

    fn delete(&self, _: &Container<'_>) -> Result<(), String> {
        // The processes were all that there is, but for the control group, which goes with the instance.
        Ok(())
    }
}
