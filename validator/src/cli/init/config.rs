//! From the configuration of an OCI image to the members of a manifest.
//!
//! Names of members follow config.md of the OCI image specification; Healthcheck, OnBuild and Shell are
//! Docker's. What has no counterpart is named in a remark.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::draft::{Draft, Path, Program};
use super::layout::{Found, normal};
use super::naming;
use super::rootfs::Rootfs;
use super::user::{User, user};
use crate::layer::clean_absolute;
use crate::limits::Limits;
use crate::manifest::{Mount, Platform, Port, is_annotation_name, is_reserved, is_signal};
use crate::shown::quoted;

/// A configuration.
#[derive(Deserialize)]
pub(super) struct Config {
    architecture: Option<String>,
    os: Option<String>,
    variant: Option<String>,
    created: Option<String>,
    config: Option<Execution>,
    rootfs: Option<DiffIds>,
}

#[derive(Deserialize)]
struct DiffIds {
    diff_ids: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Execution {
    user: Option<String>,
    exposed_ports: Option<BTreeMap<String, IgnoredAny>>,
    env: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    volumes: Option<BTreeMap<String, IgnoredAny>>,
    working_dir: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    stop_signal: Option<String>,
    healthcheck: Option<IgnoredAny>,
    on_build: Option<Vec<String>>,
    shell: Option<Vec<String>>,
}

/// Where programs are looked up if the image does not say, as Docker does.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Config {
    pub(super) fn platform(&self) -> Option<Platform> {
        let (os, architecture) = (self.os.clone()?, self.architecture.clone()?);
        Some(normal(Platform { os, architecture, variant: self.variant.clone() }))
    }

    pub(super) fn diff_ids(&self) -> Vec<String> {
        self.rootfs.as_ref().and_then(|rootfs| rootfs.diff_ids.clone()).unwrap_or_default()
    }
}

/// Drafts a manifest for an image that was found in the file or folder `path`, and whose layers merge to
/// `rootfs`.
pub(super) fn draft(source: &str, path: &std::path::Path, found: &Found, rootfs: &Rootfs) -> Draft {
    let none = Execution::default();
    let execution = found.config.config.as_ref().unwrap_or(&none);
    let mut remarks = Vec::new();
    let mut environment = environment(execution, &mut remarks);
    let working_directory = format!("/{}", execution.working_dir.as_deref().unwrap_or_default());
    let working_directory = clean(&working_directory).unwrap_or(working_directory);
    let (exec, arguments) = command(execution);
    let search = environment.get("PATH").map_or(DEFAULT_PATH, String::as_str);
    let program = program(exec, search, &working_directory, rootfs);
    let User { ids, home } = user(execution.user.as_deref().unwrap_or_default(), rootfs, &mut remarks);
    if let Some(home) = home {
        environment.entry("HOME".to_owned()).or_insert(home);
    }
    let annotations = annotations(execution, found, &mut remarks);
    let version = annotations.get("org.opencontainers.image.version").map(String::as_str);
    let (name, version) = naming::of_reference(found.reference.as_deref(), version, path);
    let platform = found.config.platform();
    if let Some(other) = platform.as_ref().filter(|platform| platform.os != "linux") {
        remarks.push(format!("the operating system {}, as images are for Linux", quoted(&other.os)));
    }
    for (name, is_there) in [
        ("Healthcheck", execution.healthcheck.is_some()),
        ("OnBuild", execution.on_build.as_ref().is_some_and(|steps| !steps.is_empty())),
        ("Shell", execution.shell.is_some()),
    ] {
        if is_there {
            remarks.push(format!("{name}, which has no counterpart"));
        }
    }
    Draft {
        source: source.to_owned(),
        name,
        version,
        platform: platform.filter(|platform| platform.os == "linux"),
        created: found.config.created.as_deref().and_then(whole_seconds),
        program,
        arguments,
        user: ids,
        working_directory: Path { exists: rootfs.is_directory(&working_directory), path: working_directory },
        environment,
        signal: signal(execution, &mut remarks),
        ports: ports(execution, &mut remarks),
        mounts: mounts(execution, rootfs, &mut remarks),
        annotations,
        remarks,
    }
}

/// Entrypoint and Cmd; without Entrypoint, the program is the first of Cmd.
fn command(execution: &Execution) -> (Vec<String>, Vec<String>) {
    let present = |list: &Option<Vec<String>>| {
        list.clone().filter(|list| list.iter().any(|element| !element.is_empty())).unwrap_or_default()
    };
    let (entrypoint, mut cmd) = (present(&execution.entrypoint), present(&execution.cmd));
    if !entrypoint.is_empty() || cmd.is_empty() {
        return (entrypoint, cmd);
    }
    let arguments = cmd.split_off(1);
    (cmd, arguments)
}

/// The program by the first absolute path that leads to an executable file.
fn program(exec: Vec<String>, search: &str, directory: &str, rootfs: &Rootfs) -> Program {
    let Some((name, rest)) = exec.split_first() else {
        return Program::Missing("The image names no program".to_owned(), rootfs.candidates());
    };
    let tried: Vec<String> = if name.starts_with('/') {
        vec![name.clone()]
    } else if name.contains('/') {
        vec![format!("{directory}/{name}")]
    } else {
        search.split(':').map(|folder| format!("{folder}/{name}")).collect()
    };
    let tried: Vec<String> = tried.iter().filter_map(|path| clean(path)).collect();
    match tried.iter().find(|path| rootfs.program(path).is_some()) {
        Some(path) => Program::Found(std::iter::once(path).chain(rest).cloned().collect()),
        None => {
            let why = format!("The program {} is not an executable file at {}", quoted(name), tried.join(", "));
            Program::Missing(why, rootfs.candidates())
        }
    }
}

/// An absolute path without `.`, `..`, doubled and final `/`; `None` if it is not absolute.
fn clean(path: &str) -> Option<String> {
    let mut out: Vec<&str> = Vec::new();
    for component in path.strip_prefix('/')?.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                out.pop();
            }
            name => out.push(name),
        }
    }
    Some(format!("/{}", out.join("/")))
}

fn environment(execution: &Execution, remarks: &mut Vec<String>) -> BTreeMap<String, String> {
    let limits = Limits::FORMAT;
    let mut out = BTreeMap::new();
    for variable in execution.env.iter().flatten() {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        let is_good = (1..=limits.environment_name).contains(&name.len())
            && name.bytes().all(|byte| matches!(byte, 0x21..=0x7E))
            && !name.starts_with("CORNERCAST_")
            && !value.contains('\0')
            && variable.len() <= limits.environment_variable;
        if is_good {
            out.insert(name.to_owned(), value.to_owned());
        } else {
            remarks.push(format!("the variable {}, which a manifest cannot hold (MAN-022 to MAN-025)", quoted(name)));
        }
    }
    out
}

fn signal(execution: &Execution, remarks: &mut Vec<String>) -> Option<String> {
    let given = execution.stop_signal.as_ref().filter(|signal| !signal.is_empty())?;
    // The numbers are those of Linux on all architectures but MIPS.
    let name = match given.as_str() {
        "1" => "SIGHUP",
        "2" => "SIGINT",
        "3" => "SIGQUIT",
        "6" => "SIGABRT",
        "9" => "SIGKILL",
        "10" => "SIGUSR1",
        "12" => "SIGUSR2",
        "14" => "SIGALRM",
        "15" => "SIGTERM",
        "37" => "SIGRTMIN+3",
        other => other,
    };
    let name = if name.starts_with("SIG") { name.to_owned() } else { format!("SIG{name}") };
    if !is_signal(&name) {
        remarks.push(format!("the signal {}, which is not one that stops a program (MAN-029)", quoted(given)));
        return None;
    }
    Some(name).filter(|name| name != "SIGTERM")
}

fn ports(execution: &Execution, remarks: &mut Vec<String>) -> Vec<Port> {
    let mut seen = BTreeSet::new();
    for exposed in execution.exposed_ports.iter().flat_map(BTreeMap::keys) {
        let (number, protocol) = exposed.split_once('/').unwrap_or((exposed, "tcp"));
        match number.parse::<u16>() {
            Ok(number @ 1..) if matches!(protocol, "tcp" | "udp") && seen.len() < Limits::FORMAT.ports => {
                seen.insert((number, protocol.to_owned()));
            }
            _ => remarks
                .push(format!("the port {}, which is not one of TCP or UDP (MAN-031 to MAN-035)", quoted(exposed))),
        }
    }
    seen.into_iter().map(|(port, protocol)| Port { name: format!("{protocol}-{port}"), protocol, port }).collect()
}

fn mounts(execution: &Execution, rootfs: &Rootfs, remarks: &mut Vec<String>) -> Vec<(Mount, bool)> {
    let mut kept: Vec<String> = Vec::new();
    for volume in execution.volumes.iter().flat_map(BTreeMap::keys) {
        let path = clean(volume).filter(|path| clean_absolute(path, &Limits::FORMAT).is_none());
        let is_below = |path: &str| {
            kept.iter().any(|other| {
                path.strip_prefix(other.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        match path {
            Some(path) if !is_reserved(&path) && !is_below(&path) && kept.len() < Limits::FORMAT.mounts => {
                kept.push(path)
            }
            _ => remarks.push(format!("the volume {}, where none can be (MAN-037 to MAN-041)", quoted(volume))),
        }
    }
    let mount = |(index, path): (usize, String)| {
        let exists = rootfs.is_directory(&path);
        (Mount { name: format!("volume-{}", index + 1), path, read_only: false, required: false }, exists)
    };
    kept.into_iter().enumerate().map(mount).collect()
}

fn annotations(execution: &Execution, found: &Found, remarks: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for (name, value) in execution.labels.iter().flatten().chain(&found.annotations) {
        if is_annotation_name(name) && !value.contains('\0') {
            out.insert(name.clone(), value.clone());
        } else {
            remarks.push(format!("the label {}, which is not named after a domain (MAN-011)", quoted(name)));
        }
    }
    out
}

/// A time of RFC 3339 as the format writes it.
fn whole_seconds(time: &str) -> Option<String> {
    let time: jiff::Timestamp = time.parse().ok()?;
    let whole = jiff::Timestamp::from_second(time.as_second()).ok()?;
    Some(whole.to_string())
}
