//! What can be changed behind the back of an engine, for the tables of mutants beside this.

use std::fs::{self, File, FileTimes, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use cornercast::manifest::App;
use cornercast_engine::engine::Tamper;
use cornercast_engine::report::{IsolationReport, RunReport};
use serde_json::{Value, json};

use super::{How, Mutant};
use crate::run::image::SHIM;

/// The mutant that is called `name`.
pub(super) fn mutant(name: &'static str, clauses: &'static [&'static str], how: How) -> Mutant {
    Mutant { name, clauses, how }
}

/// Changes a bundle, whose `config.json` is given beside its directory.
type OfBundle = Box<dyn Fn(&mut Value, &Path) + Send + Sync>;

/// Changes one thing.
enum Change {
    App(fn(&mut App)),
    Bundle(OfBundle),
    Reports(fn(&mut RunReport, &mut IsolationReport)),
    Image(fn(&Path)),
}

impl Tamper for Change {
    fn app(&self, app: &mut App) {
        if let Self::App(change) = self {
            change(app);
        }
    }

    fn bundle(&self, config: &mut Value, bundle: &Path) {
        if let Self::Bundle(change) = self {
            change(config, bundle);
        }
    }

    fn reports(&self, report: &mut RunReport, isolation: &mut IsolationReport) {
        if let Self::Reports(change) = self {
            change(report, isolation);
        }
    }

    fn image(&self, image: &Path) {
        if let Self::Image(change) = self {
            change(image);
        }
    }
}

pub(super) fn app(change: fn(&mut App)) -> How {
    How::Tamper(Arc::new(Change::App(change)))
}

pub(super) fn bundle(change: impl Fn(&mut Value, &Path) + Send + Sync + 'static) -> How {
    How::Tamper(Arc::new(Change::Bundle(Box::new(change))))
}

pub(super) fn config(change: fn(&mut Value)) -> How {
    bundle(move |config, _| change(config))
}

pub(super) fn without_and(clause: &'static str, change: fn(&mut Value)) -> How {
    How::Both(clause, Arc::new(Change::Bundle(Box::new(move |config, _| change(config)))))
}

/// The root tree is changed before the container is made.
pub(super) fn rootfs(change: fn(&Path) -> io::Result<()>) -> How {
    // What cannot be changed is not broken, and that will be noticed.
    bundle(move |_, bundle| drop(change(&bundle.join("rootfs"))))
}

pub(super) fn reports(change: fn(&mut RunReport, &mut IsolationReport)) -> How {
    How::Tamper(Arc::new(Change::Reports(change)))
}

pub(super) fn image(change: fn(&Path)) -> How {
    How::Tamper(Arc::new(Change::Image(change)))
}

/// Something is done in the container before the application is executed.
pub(super) fn shim(steps: &'static [&'static str]) -> How {
    bundle(move |config, _| {
        array(config, "/process/args", |arguments| {
            let before = std::iter::once(SHIM).chain(steps.iter().copied()).chain(["--"]).map(Value::from);
            *arguments = before.chain(std::mem::take(arguments)).collect();
        });
    })
}

/// Sets a member that a JSON pointer names.
pub(super) fn set(config: &mut Value, pointer: &str, value: Value) {
    if let Some(member) = config.pointer_mut(pointer) {
        *member = value;
    }
}

/// Changes the elements of an array.
pub(super) fn array(config: &mut Value, pointer: &str, change: impl FnOnce(&mut Vec<Value>)) {
    if let Some(elements) = config.pointer_mut(pointer).and_then(Value::as_array_mut) {
        change(elements);
    }
}

/// Changes the members of an object.
pub(super) fn object(config: &mut Value, pointer: &str, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
    if let Some(members) = config.pointer_mut(pointer).and_then(Value::as_object_mut) {
        change(members);
    }
}

/// Takes options from the mounts at `destination`, or at all volumes if that is empty, and gives them others.
pub(super) fn options(config: &mut Value, destination: &str, take: &[&str], give: &[&str]) {
    let is_meant = |mount: &Value| {
        if destination.is_empty() {
            mount["type"] == "bind" && mount["destination"] != cornercast_engine::RUN_DIRECTORY
        } else {
            mount["destination"] == destination
        }
    };
    array(config, "/mounts", |mounts| {
        for mount in mounts.iter_mut().filter(|mount| is_meant(mount)) {
            array(mount, "/options", |options| {
                options.retain(|option| !take.iter().any(|other| option == other));
                options.extend(give.iter().map(|option| json!(option)));
            });
        }
    });
}

/// Changes the set of capabilities that is called `set`.
pub(super) fn capabilities(config: &mut Value, set: &str, change: impl FnOnce(&mut Vec<Value>)) {
    array(config, &format!("/process/capabilities/{set}"), change);
}

/// Changes each variable.
pub(super) fn variables(config: &mut Value, change: impl Fn(&str) -> Option<String>) {
    array(config, "/process/env", |all| {
        for variable in all {
            if let Some(other) = variable.as_str().and_then(&change) {
                *variable = other.into();
            }
        }
    });
}

/// Leaves namespaces of this kind out.
pub(super) fn no_namespace(config: &mut Value, kind: &str) {
    array(config, "/linux/namespaces", |all| all.retain(|namespace| namespace["type"] != kind));
}

/// Adds a byte at the end of a file.
pub(super) fn append(path: &Path) -> io::Result<()> {
    use std::io::Write;
    File::options().append(true).open(path)?.write_all(b"\0")
}

/// Gives a file or directory another mode.
pub(super) fn mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Takes the time from a file or directory.
pub(super) fn touch(path: &Path) -> io::Result<()> {
    File::open(path)?.set_times(FileTimes::new().set_modified(UNIX_EPOCH))
}
