//! What an OCI image runs, in the terms of a manifest (OCI-144 to OCI-152).

use std::collections::{BTreeMap, BTreeSet};

use super::Change;
use super::config::Execution;
use super::losses::{mount_name, port_name};
use super::rootfs::Rootfs;
use crate::layer::clean_absolute;
use crate::limits::Limits;
use crate::manifest::{Mount, Port, is_annotation_name, is_reserved, is_signal};
use crate::shown::quoted;

/// Where programs are looked up if the image does not say, as Docker does.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Entrypoint and Cmd; without Entrypoint, the program is the first of Cmd (OCI-144).
pub(crate) fn command(execution: &Execution) -> (Vec<String>, Vec<String>) {
    let present = |list: &Option<Vec<String>>| {
        let is_absent = |list: &Vec<String>| list.is_empty() || *list == [""];
        list.clone().filter(|list| !is_absent(list)).unwrap_or_default()
    };
    let (entrypoint, mut cmd) = (present(&execution.entrypoint), present(&execution.cmd));
    if !entrypoint.is_empty() || cmd.is_empty() {
        return (entrypoint, cmd);
    }
    let arguments = cmd.split_off(1);
    (cmd, arguments)
}

/// The program `name` by the first absolute path that leads to an executable file (OCI-145).
///
/// # Errors
///
/// The paths that were tried.
pub(crate) fn program(name: &str, search: &str, directory: &str, rootfs: &Rootfs) -> Result<String, Vec<String>> {
    let tried: Vec<String> = if name.starts_with('/') {
        vec![name.to_owned()]
    } else if name.contains('/') {
        vec![format!("{directory}/{name}")]
    } else {
        let folder = |folder: &str| {
            if folder.starts_with('/') { format!("{folder}/{name}") } else { format!("{directory}/{folder}/{name}") }
        };
        search.split(':').map(folder).collect()
    };
    let tried: Vec<String> = tried.iter().filter_map(|path| clean(path)).collect();
    match tried.iter().find(|path| rootfs.program(path).is_some()) {
        Some(path) => Ok(path.clone()),
        None => Err(tried),
    }
}

/// An absolute path without `.`, `..`, doubled and final `/`; `None` if it is not absolute.
pub(crate) fn clean(path: &str) -> Option<String> {
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

/// The working directory, which begins at the root if it is relative (OCI-148).
pub(crate) fn working_directory(execution: &Execution) -> String {
    let path = format!("/{}", execution.working_dir.as_deref().unwrap_or_default());
    clean(&path).unwrap_or(path)
}

/// OCI-147
pub(crate) fn environment(execution: &Execution, changes: &mut Vec<Change>) -> BTreeMap<String, String> {
    let limits = Limits::FORMAT;
    let mut out = BTreeMap::new();
    for variable in execution.env.iter().flatten() {
        let mut lose = |what: String| changes.push(Change::new("OCI-147", "config/Env", what));
        let Some((name, value)) = variable.split_once('=') else {
            lose(format!("the variable {}, which has no value", quoted(variable)));
            continue;
        };
        let is_good = (1..=limits.environment_name).contains(&name.len())
            && name.bytes().all(|byte| matches!(byte, 0x21..=0x7E))
            && !name.starts_with("CORNERCAST_")
            && !value.contains('\0')
            && variable.len() <= limits.environment_variable;
        if !is_good {
            lose(format!("the variable {}, which a manifest cannot hold (MAN-022 to MAN-025)", quoted(name)));
        } else if let Some(first) = out.insert(name.to_owned(), value.to_owned()) {
            lose(format!("the value {} of {}, which a later one replaces", quoted(&first), quoted(name)));
        }
    }
    out
}

/// OCI-151
pub(crate) fn signal(execution: &Execution, changes: &mut Vec<Change>) -> Option<String> {
    let given = execution.stop_signal.as_ref().filter(|signal| !signal.is_empty())?;
    let name = match given.as_str() {
        "1" => "SIGHUP".to_owned(),
        "2" => "SIGINT".to_owned(),
        "3" => "SIGQUIT".to_owned(),
        "6" => "SIGABRT".to_owned(),
        "9" => "SIGKILL".to_owned(),
        "10" => "SIGUSR1".to_owned(),
        "12" => "SIGUSR2".to_owned(),
        "14" => "SIGALRM".to_owned(),
        "15" => "SIGTERM".to_owned(),
        "18" => "SIGCONT".to_owned(),
        "28" => "SIGWINCH".to_owned(),
        "29" => "SIGIO".to_owned(),
        "30" => "SIGPWR".to_owned(),
        number if number.bytes().all(|byte| byte.is_ascii_digit()) => real_time(number),
        name => real_time_name(&format!("SIG{}", name.strip_prefix("SIG").unwrap_or(name))),
    };
    if !is_signal(&name) {
        let what = format!("the signal {}, which is not one that stops a program (MAN-029)", quoted(given));
        changes.push(Change::new("OCI-151", "config/StopSignal", what));
        return None;
    }
    Some(name).filter(|name| name != "SIGTERM")
}

/// The number of the first real-time signal that programs use, and of the last.
const REAL_TIME: std::ops::RangeInclusive<u32> = 34..=64;

/// A signal from 34 to 64; the number itself if it is another one.
fn real_time(number: &str) -> String {
    match number.parse::<u32>().ok().filter(|value| REAL_TIME.contains(value) && value.to_string() == number) {
        Some(value) => format!("SIGRTMIN+{}", value - REAL_TIME.start()),
        None => number.to_owned(),
    }
}

/// `SIGRTMIN`, and what counts down from `SIGRTMAX`, as the format writes it.
fn real_time_name(name: &str) -> String {
    let last = REAL_TIME.end() - REAL_TIME.start();
    let below = match name.strip_prefix("SIGRTMAX") {
        Some("") => Some(0),
        Some(rest) => {
            rest.strip_prefix('-').and_then(|text| text.parse::<u32>().ok().filter(|n| n.to_string() == text))
        }
        None => None,
    };
    match below.and_then(|below| last.checked_sub(below)) {
        Some(up) => format!("SIGRTMIN+{up}"),
        None if name == "SIGRTMIN" => "SIGRTMIN+0".to_owned(),
        None => name.to_owned(),
    }
}

/// OCI-150
pub(crate) fn ports(execution: &Execution, changes: &mut Vec<Change>) -> Vec<Port> {
    let mut seen = BTreeSet::new();
    let mut lose = |what: String| changes.push(Change::new("OCI-150", "config/ExposedPorts", what));
    for exposed in execution.exposed_ports.iter().flat_map(BTreeMap::keys) {
        let (number, protocol) = exposed.split_once('/').unwrap_or((exposed, "tcp"));
        match number.parse::<u16>() {
            Ok(port @ 1..) if matches!(protocol, "tcp" | "udp") && port.to_string() == number => {
                seen.insert((port, protocol.to_owned()));
            }
            _ => lose(format!("the port {}, which is not one of TCP or UDP (MAN-031 to MAN-035)", quoted(exposed))),
        }
    }
    for (port, protocol) in seen.iter().skip(Limits::FORMAT.ports) {
        lose(format!("the port {port}/{protocol}, since a manifest can name {} (MAN-031)", Limits::FORMAT.ports));
    }
    seen.into_iter()
        .take(Limits::FORMAT.ports)
        .map(|(port, protocol)| Port { name: port_name(&protocol, port), protocol, port })
        .collect()
}

/// OCI-149: the volumes, where `real` gives the path that a volume's leads to, or says why it leads nowhere.
pub(crate) fn mounts(
    execution: &Execution,
    real: impl Fn(&str) -> Result<String, String>,
    changes: &mut Vec<Change>,
) -> Vec<Mount> {
    let mut paths = BTreeSet::new();
    for volume in execution.volumes.iter().flat_map(BTreeMap::keys) {
        let mut change = |what: String| changes.push(Change::new("OCI-149", "config/Volumes", what));
        let path = clean(volume).filter(|path| clean_absolute(path, &Limits::FORMAT).is_none());
        match path.filter(|path| path != "/").map(|path| real(&path)) {
            Some(Ok(path)) if !is_reserved(&path) => {
                if clean(volume).as_ref() != Some(&path) {
                    change(format!("the path of the volume {}, which leads to {}", quoted(volume), quoted(&path)));
                }
                paths.insert(path);
            }
            Some(Err(why)) => change(format!("the volume {}: {why}", quoted(volume))),
            _ => change(format!("the volume {}, where none can be (MAN-039, MAN-040)", quoted(volume))),
        }
    }
    let mut kept: Vec<String> = Vec::new();
    // An outer path comes before the ones below it.
    for path in paths {
        let is_below = |other: &String| path.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/'));
        if kept.iter().any(is_below) || kept.len() == Limits::FORMAT.mounts {
            let what = format!("the volume {}, where none can be (MAN-037, MAN-041)", quoted(&path));
            changes.push(Change::new("OCI-149", "config/Volumes", what));
        } else {
            kept.push(path);
        }
    }
    let mount = |(index, path)| Mount { name: mount_name(index), path, read_only: false, required: false };
    kept.into_iter().enumerate().map(mount).collect()
}

/// OCI-152: labels, and annotations, which replace labels of the same name.
pub(crate) fn annotations(
    execution: &Execution,
    others: &BTreeMap<String, String>,
    changes: &mut Vec<Change>,
) -> BTreeMap<String, String> {
    let limits = Limits::FORMAT;
    let mut out = BTreeMap::new();
    let labels = execution.labels.iter().flatten().map(|label| ("config/Labels", label));
    for (place, (name, value)) in labels.chain(others.iter().map(|other| ("annotations", other))) {
        let fits = name.len() <= limits.member_name && value.len() <= limits.string && !value.contains('\0');
        if is_annotation_name(name) && fits {
            out.insert(name.clone(), value.clone());
        } else {
            let what = format!("the label {}, which is not named after a domain (MAN-011)", quoted(name));
            let what = if is_annotation_name(name) {
                format!("the label {}, which is too long (JSN-010, JSN-011)", quoted(name))
            } else {
                what
            };
            changes.push(Change::new("OCI-152", place, what));
        }
    }
    out
}
