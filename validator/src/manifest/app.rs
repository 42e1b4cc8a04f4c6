//! The clauses about `app`, as far as the manifest alone can tell.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Checker, escape, integer, string};
use super::table::Presence::Required;
use super::table::{Default, Presence, Table, Type};
use crate::clause;
use crate::json::{Node, Value};
use crate::layer::clean_absolute;
use crate::shown::quoted;

const EMPTY: Presence = Presence::Default(Default::Empty);
const FALSE: Presence = Presence::Default(Default::Boolean(false));

const APP: &Table = &[
    ("exec", Type::StringArray, Required),
    ("arguments", Type::StringArray, EMPTY),
    ("user", Type::Object, Required),
    ("workingDirectory", Type::String, Presence::Default(Default::String("/"))),
    ("environment", Type::Strings, EMPTY),
    ("stop", Type::Object, EMPTY),
    ("ports", Type::ObjectArray, EMPTY),
    ("mounts", Type::ObjectArray, EMPTY),
    ("isolation", Type::Object, EMPTY),
];
const USER: &Table = &[
    ("uid", Type::Integer, Required),
    ("gid", Type::Integer, Required),
    ("supplementaryGids", Type::IntegerArray, EMPTY),
];
const STOP: &Table = &[
    ("signal", Type::String, Presence::Default(Default::String("SIGTERM"))),
    ("graceSeconds", Type::Integer, Presence::Default(Default::Integer(10))),
];
const PORT: &Table =
    &[("name", Type::String, Required), ("protocol", Type::String, Required), ("port", Type::Integer, Required)];
const MOUNT: &Table = &[
    ("name", Type::String, Required),
    ("path", Type::String, Required),
    ("readOnly", Type::Boolean, FALSE),
    ("required", Type::Boolean, FALSE),
];
pub(super) fn check(checker: &mut Checker<'_>, app: &Node) {
    checker.object(app, "/app", APP, &clause::MAN_006);
    exec(checker, app);
    if let Some((node, path)) = string(app, "workingDirectory")
        && let Some(reason) = clean_absolute(path, checker.limits)
    {
        // MAN-019
        let message = format!("the working directory {} is not absolute and clean: {reason}", quoted(path));
        checker.report(&clause::MAN_019, node, "/app/workingDirectory", message);
    }
    environment(checker, app);
    if let Some(user) = app.get("user") {
        self::user(checker, user);
    }
    if let Some(stop) = app.get("stop") {
        self::stop(checker, stop);
    }
    if let Some(ports) = app.get("ports") {
        self::ports(checker, ports);
    }
    if let Some(mounts) = app.get("mounts") {
        self::mounts(checker, mounts);
    }
    if let Some(isolation) = app.get("isolation") {
        super::isolation::check(checker, isolation);
    }
}

/// MAN-013, MAN-014, MAN-021
fn exec(checker: &mut Checker<'_>, app: &Node) {
    if let Some(exec) = app.get("exec").filter(|exec| matches!(exec.value, Value::Array(_))) {
        match exec.elements().first() {
            None => checker.report(&clause::MAN_013, exec, "/app/exec", "`exec` is empty".to_owned()),
            Some(first) => {
                if let Some(path) = first.as_str()
                    && let Some(reason) = clean_absolute(path, checker.limits)
                {
                    let message = format!("the program {} is not absolute and clean: {reason}", quoted(path));
                    checker.report(&clause::MAN_014, first, "/app/exec/0", message);
                }
            }
        }
    }
    for name in ["exec", "arguments"] {
        for (index, argument) in app.get(name).map(Node::elements).unwrap_or_default().iter().enumerate() {
            let length = argument.as_str().map_or(0, str::len);
            if length > checker.limits.argument {
                let message = format!("the argument has {length} bytes; the limit is {}", checker.limits.argument);
                checker.report(&clause::MAN_021, argument, &format!("/app/{name}/{index}"), message);
            }
        }
    }
}

/// MAN-022 to MAN-025
fn environment(checker: &mut Checker<'_>, app: &Node) {
    for member in app.get("environment").map(Node::members).unwrap_or_default() {
        let (name, node) = (&member.name, &member.node);
        let pointer = format!("/app/environment/{}", escape(name));
        if !name.bytes().all(|byte| matches!(byte, 0x21..=0x7E) && byte != b'=') {
            let message = format!(
                "the name of the variable {} has a character that is a space, `=` or not printable ASCII",
                quoted(name)
            );
            checker.report(&clause::MAN_022, node, &pointer, message);
        }
        if name.is_empty() || name.len() > checker.limits.environment_name {
            let message = format!(
                "the name of a variable has {} bytes, not 1 to {}",
                name.len(),
                checker.limits.environment_name
            );
            checker.report(&clause::MAN_023, node, &pointer, message);
        }
        if name.starts_with("CORNERCAST_") {
            let message = format!("the variable {} has a name that is reserved for the engine", quoted(name));
            checker.report(&clause::MAN_024, node, &pointer, message);
        }
        let length = name.len() + 1 + node.as_str().map_or(0, str::len);
        if length > checker.limits.environment_variable {
            let message = format!(
                "the variable {} has {length} bytes; the limit is {}",
                quoted(name),
                checker.limits.environment_variable
            );
            checker.report(&clause::MAN_025, node, &pointer, message);
        }
    }
}

/// MAN-026 to MAN-028
fn user(checker: &mut Checker<'_>, user: &Node) {
    checker.object(user, "/app/user", USER, &clause::MAN_006);
    let mut ids: Vec<(&Node, i64, String)> = Vec::new();
    for name in ["uid", "gid"] {
        ids.extend(integer(user, name).map(|(node, id)| (node, id, format!("/app/user/{name}"))));
    }
    let gid = integer(user, "gid").map(|(_, gid)| gid);
    let mut last = None;
    for (index, node) in user.get("supplementaryGids").map(Node::elements).unwrap_or_default().iter().enumerate() {
        let Some(id) = node.as_integer() else { continue };
        let pointer = format!("/app/user/supplementaryGids/{index}");
        if let Some(last) = last.filter(|last| *last >= id) {
            let message = if last == id {
                format!("the group {id} stands twice")
            } else {
                format!("the group {id} stands after {last}")
            };
            checker.report(&clause::MAN_027, node, &pointer, message);
        }
        last = Some(id);
        if gid == Some(id) {
            let message = format!("the group {id} is the gid of the user already");
            checker.report(&clause::MAN_028, node, &pointer, message);
        }
        ids.push((node, id, pointer));
    }
    for (node, id, pointer) in ids {
        if !(0..=checker.limits.id).contains(&id) {
            let message = format!("the id {id} is outside 0 to {}", checker.limits.id);
            checker.report(&clause::MAN_026, node, &pointer, message);
        }
    }
}

/// MAN-029, MAN-030
fn stop(checker: &mut Checker<'_>, stop: &Node) {
    checker.object(stop, "/app/stop", STOP, &clause::MAN_006);
    if let Some((node, signal)) = string(stop, "signal")
        && !is_signal(signal)
    {
        let message = format!("the signal {} is not one that a manifest can name", quoted(signal));
        checker.report_unknown(&clause::MAN_029, node, "/app/stop/signal", message, (signal, SIGNALS));
    }
    if let Some((node, seconds)) = integer(stop, "graceSeconds")
        && !(0..=checker.limits.grace_seconds).contains(&seconds)
    {
        let message = format!("the grace period of {seconds} seconds is outside 0 to {}", checker.limits.grace_seconds);
        checker.report(&clause::MAN_030, node, "/app/stop/graceSeconds", message);
    }
}

const SIGNALS: [&str; 13] = [
    "SIGABRT", "SIGALRM", "SIGCONT", "SIGHUP", "SIGINT", "SIGIO", "SIGKILL", "SIGPWR", "SIGQUIT", "SIGTERM", "SIGUSR1",
    "SIGUSR2", "SIGWINCH",
];

pub(crate) fn is_signal(signal: &str) -> bool {
    let real_time = signal
        .strip_prefix("SIGRTMIN+")
        .is_some_and(|number| number.parse::<u8>().is_ok_and(|value| value <= 30 && value.to_string() == number));
    real_time || SIGNALS.contains(&signal)
}

/// MAN-032, and that names are distinct.
fn name<'a>(
    checker: &mut Checker<'_>,
    element: &'a Node,
    pointer: &str,
    seen: &mut BTreeMap<&'a str, (&'a Node, String)>,
    twice: &'static clause::Clause,
) {
    let Some((node, name)) = string(element, "name") else { return };
    let pointer = format!("{pointer}/name");
    let well_formed = name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if !well_formed {
        checker.report(&clause::MAN_032, node, &pointer, format!("the name {} is not well formed", quoted(name)));
    }
    match seen.get(name) {
        Some((first, first_pointer)) => {
            checker.report(twice, node, &pointer, format!("the name {} stands twice", quoted(name)));
            checker.relate(first, first_pointer, "the first is here");
        }
        None => {
            seen.insert(name, (node, pointer));
        }
    }
}

/// MAN-031, MAN-033 to MAN-036
fn ports(checker: &mut Checker<'_>, ports: &Node) {
    let elements = ports.elements();
    if elements.len() > checker.limits.ports {
        let message = format!("there are {} ports; the limit is {}", elements.len(), checker.limits.ports);
        checker.report(&clause::MAN_031, ports, "/app/ports", message);
    }
    let mut names = BTreeMap::new();
    let mut pairs: BTreeMap<(&str, i64), (&Node, String)> = BTreeMap::new();
    for (index, port) in elements.iter().enumerate() {
        let pointer = format!("/app/ports/{index}");
        checker.object(port, &pointer, PORT, &clause::MAN_006);
        name(checker, port, &pointer, &mut names, &clause::MAN_033);
        if let Some((node, protocol)) = string(port, "protocol")
            && !matches!(protocol, "tcp" | "udp")
        {
            let message = format!("the protocol {} is neither `tcp` nor `udp`", quoted(protocol));
            checker.report(&clause::MAN_034, node, &format!("{pointer}/protocol"), message);
        }
        let Some((node, number)) = integer(port, "port") else { continue };
        let pointer = format!("{pointer}/port");
        if !(1..=65_535).contains(&number) {
            checker.report(&clause::MAN_035, node, &pointer, format!("the port {number} is outside 1 to 65535"));
        }
        let Some((_, protocol)) = string(port, "protocol") else { continue };
        match pairs.get(&(protocol, number)) {
            Some((first, first_pointer)) => {
                checker.report(&clause::MAN_036, node, &pointer, format!("the port {number}/{protocol} stands twice"));
                checker.relate(first, first_pointer, "the first is here");
            }
            None => {
                pairs.insert((protocol, number), (node, pointer));
            }
        }
    }
}

/// MAN-037 to MAN-041
fn mounts(checker: &mut Checker<'_>, mounts: &Node) {
    let elements = mounts.elements();
    if elements.len() > checker.limits.mounts {
        let message = format!("there are {} mounts; the limit is {}", elements.len(), checker.limits.mounts);
        checker.report(&clause::MAN_037, mounts, "/app/mounts", message);
    }
    let mut names = BTreeMap::new();
    let mut paths: Vec<(&Node, &str, String)> = Vec::new();
    for (index, mount) in elements.iter().enumerate() {
        let pointer = format!("/app/mounts/{index}");
        checker.object(mount, &pointer, MOUNT, &clause::MAN_006);
        name(checker, mount, &pointer, &mut names, &clause::MAN_038);
        let Some((node, path)) = string(mount, "path") else { continue };
        let pointer = format!("{pointer}/path");
        if let Some(reason) = clean_absolute(path, checker.limits) {
            let message = format!("the path {} is not absolute and clean: {reason}", quoted(path));
            checker.report(&clause::MAN_039, node, &pointer, message);
        } else if is_reserved(path) {
            checker.report(
                &clause::MAN_040,
                node,
                &pointer,
                format!("the path {} is reserved for the engine", quoted(path)),
            );
        } else {
            paths.push((node, path, pointer));
        }
    }
    overlaps(checker, &paths);
}

/// MAN-041, once for each mount that is equal to one before it or lies below any other.
fn overlaps(checker: &mut Checker<'_>, paths: &[(&Node, &str, String)]) {
    let mut all: BTreeMap<&str, (&Node, &str)> = BTreeMap::new();
    for (node, path, pointer) in paths {
        all.entry(path).or_insert((node, pointer));
    }
    let mut seen = BTreeSet::new();
    for (node, path, pointer) in paths {
        let mut above = path.match_indices('/').filter_map(|(at, _)| all.get_key_value(path.get(..at)?));
        let (message, other) = if !seen.insert(*path) {
            (format!("the path {} stands twice", quoted(path)), all.get(path))
        } else if let Some((other, place)) = above.next() {
            (format!("the path {} lies below {} of another mount", quoted(path), quoted(other)), Some(place))
        } else {
            continue;
        };
        checker.report(&clause::MAN_041, node, pointer, message);
        if let Some((other, other_pointer)) = other {
            checker.relate(other, other_pointer, "the other mount is here");
        }
    }
}

pub(crate) fn is_reserved(path: &str) -> bool {
    matches!(path, "/" | "/run" | "/etc")
        || ["/proc", "/sys", "/dev", "/run/cornercast"].iter().any(|reserved| is_at_or_below(path, reserved))
}

fn is_at_or_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
