//! bubblewrap's `bwrap`, which makes namespaces and mounts, and knows neither bundles nor control groups.
//!
//! It stays as the parent of the application, and would end with a status that does not tell a signal from an exit code.
//! So it is ended when what it has made waits ([`Backend::create`]), and the engine, which takes orphans, gets the
//! process.

mod arguments;
mod staging;

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use cornercast::manifest::App;
use libcontainer::oci_spec::runtime::{Process, Spec};
use rustix::fs::{MemfdFlags, Mode, memfd_create};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;
use rustix::thread::Gid;
use serde::Deserialize;

use self::arguments::arguments;
use super::capability::bit;
use super::limits::Limit;
use super::process_group::{ProcessGroup, ProcessGroups};
use super::program::version;
use super::seccomp::{self, Filter};
use super::{Backend, Container, CreateError, Held, Streams, gate};
use crate::before::{Entrance, Step, before_program};
use crate::{cgroup, sys};

/// What stands before its version.
const VERSION: &str = "bubblewrap ";

/// bubblewrap, called by root, who can be that of a user namespace.
#[derive(Debug)]
pub struct Bubblewrap {
    program: PathBuf,
    /// What ends the processes of each container.
    groups: ProcessGroups,
}

impl Bubblewrap {
    /// The program at `program`, a path or a name to be looked for in `PATH`, or where it usually is.
    #[must_use]
    pub fn at(program: Option<PathBuf>) -> Self {
        Self { program: program.unwrap_or_else(|| "bwrap".into()), groups: ProcessGroups::default() }
    }

    /// Starts it, in a group of processes of its own; what it makes waits at the gate.
    fn spawn(
        &self,
        container: &Container<'_>,
        spec: &Spec,
        streams: Streams,
        info: OwnedFd,
        group: &ProcessGroup,
    ) -> Result<Child, String> {
        let words = |error: io::Error| error.to_string();
        let process = spec.process().as_ref().ok_or("config.json has no process")?;
        let gate = gate::make(container)?;
        let gate: OwnedFd = OpenOptions::new().read(true).write(true).open(gate).map_err(words)?.into();
        let filters = filters(spec).map_err(words)?;
        let mut said: Vec<String> = vec!["--info-fd".into(), number(&info), "--block-fd".into(), number(&gate)];
        for filter in &filters {
            said.extend(["--add-seccomp-fd".into(), number(filter)]);
        }
        said.extend(arguments(spec, container).map_err(words)?);
        // Not in the process's own argument list, where they would count twice beside those of the application, and not
        // as its own variables, which the linker of this host would heed.
        let said: Vec<u8> = said.iter().flat_map(|argument| argument.bytes().chain([0])).collect();
        let said = file(&said).map_err(words)?;
        let mut command = Command::new(&self.program);
        command.env_clear().arg("--args").arg(number(&said)).arg("--");
        command.args(process.args().iter().flatten());
        group.join(&mut command);
        command.stdin(streams.stdin).stdout(streams.stdout).stderr(streams.stderr);
        let descriptors = [info, gate, said].into_iter().chain(filters).collect();
        let entrance = entrance(process, cgroup_of(spec), descriptors)?;
        let child = before_program(sys::with_default_signals(&mut command), Step::Enter(entrance)).spawn();
        child.map_err(|error| format!("{}: {error}", self.program.display()))
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
fn cgroup_of(spec: &Spec) -> Option<&Path> {
    spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_deref())
}

/// What bubblewrap inherits, as it changes none of it.
fn entrance(process: &Process, group: Option<&Path>, descriptors: Vec<OwnedFd>) -> Result<Entrance, String> {
    let user = process.user();
    let bounding = process.capabilities().as_ref().and_then(|all| all.bounding().as_ref());
    let limits: Vec<Limit> = process.rlimits().iter().flatten().map(Limit::of).collect();
    // The process can say nothing of what it cannot do but a number.
    limits.iter().try_for_each(Limit::prepare)?;
    let made = group.map(cgroup::make).transpose().map_err(|error| format!("the control group: {error}"))?;
    Ok(Entrance {
        descriptors,
        group: made.flatten(),
        umask: Mode::from_raw_mode(user.umask().unwrap_or(0o022)),
        gid: Gid::from_raw(user.gid()),
        groups: user.additional_gids().iter().flatten().map(|gid| Gid::from_raw(*gid)).collect(),
        bounding: bounding.into_iter().flatten().map(bit).collect(),
        limits: limits.iter().map(Limit::values).collect(),
    })
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
        // What cannot be done between fork and exec is said by a number alone.
        sys::can_keep_streams_alone().map_err(|error| format!("bubblewrap needs close_range(2) here: {error}"))?;
        if fs::read_to_string("/proc/self/setgroups").is_ok_and(|said| said.trim() == "deny") {
            return Err("bubblewrap needs a user namespace in which groups can be set, as with `--map-auto`".to_owned());
        }
        let said = version(&self.program)?;
        said.strip_prefix(VERSION).map(str::to_owned).ok_or_else(|| format!("`{said}` is not bubblewrap"))
    }

    fn lacks(&self, app: &App, _: &[&str]) -> Option<String> {
        let uid = app.user.uid;
        (uid != 0).then(|| format!("bubblewrap runs programs as the user that calls it, and not as the user {uid}"))
    }

    fn says_on_stderr(&self) -> bool {
        true
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
        staging::stage(&spec, container).map_err(|error| format!("what is mounted of the host: {error}"))?;
        let (info, writing) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| format!("a pipe: {error}"))?;
        // Whatever goes wrong from here on, nothing in it outlives this call.
        let group = ProcessGroup::new()?;
        let mut child = self.spawn(container, &spec, streams, writing, &group)?;
        let made = waiting(&mut child, info, &rootfs);
        // Its own end does not end what it has made.
        let ended = child.kill().and_then(|()| child.wait());
        let pid = made?;
        ended.map_err(|error| format!("bubblewrap: {error}"))?;
        self.groups.keep(container, group);
        Ok(pid)
    }

    fn start(&self, container: &Container<'_>, process: Pid) -> Result<Option<Box<dyn Held>>, CreateError> {
        gate::open(container, process)?;
        Ok(None)
    }

    fn delete(&self, container: &Container<'_>) -> Result<(), String> {
        // The processes were all that there is, but for the control group, which goes with the instance.
        self.groups.end(container);
        Ok(())
    }
}
