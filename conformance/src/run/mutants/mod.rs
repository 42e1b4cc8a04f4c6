//! Engines that are broken on purpose, each in one thing: the suite has to notice.
//!
//! A mutant is the reference engine that leaves out one check, or behind whose back something is changed: the app, the
//! bundle before the backend gets it, the reports, or the streams. [`all`] has them, with the clauses that each one
//! breaks; cases of these clauses are what can be expected to notice.

mod score;
mod table;
mod wrap;

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use cornercast::manifest::App;
use cornercast_engine::cli::RunArgs;
use cornercast_engine::engine::Tamper;
use cornercast_engine::report::{IsolationReport, RunReport};
use serde_json::{Value, json};

use super::image::SHIM;

pub use score::{Score, score};
pub use table::all;

/// An engine that is broken on purpose.
pub struct Mutant {
    /// Its name.
    pub name: &'static str,
    /// The clauses that it breaks; those of all cases if there are none.
    pub clauses: &'static [&'static str],
    /// How it is broken.
    pub how: How,
}

/// How an engine is broken.
pub enum How {
    /// The clause is not enforced.
    Without(&'static str),
    /// The clause is not enforced, and something is changed behind its back as well.
    Both(&'static str, Arc<dyn Tamper>),
    /// Something is changed behind its back.
    Tamper(Arc<dyn Tamper>),
    /// Something is put around it.
    Wrap(fn(&RunArgs) -> io::Result<ExitCode>),
}

/// The mutant that is called `name`.
#[must_use]
pub fn find(name: &str) -> Option<Mutant> {
    all().into_iter().find(|mutant| mutant.name == name)
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

fn app(change: fn(&mut App)) -> How {
    How::Tamper(Arc::new(Change::App(change)))
}

fn bundle(change: impl Fn(&mut Value, &Path) + Send + Sync + 'static) -> How {
    How::Tamper(Arc::new(Change::Bundle(Box::new(change))))
}

fn config(change: fn(&mut Value)) -> How {
    bundle(move |config, _| change(config))
}

fn without_and(clause: &'static str, change: fn(&mut Value)) -> How {
    How::Both(clause, Arc::new(Change::Bundle(Box::new(move |config, _| change(config)))))
}

/// The root tree is changed before the container is made.
fn rootfs(change: fn(&Path) -> io::Result<()>) -> How {
    // What cannot be changed is not broken, and that will be noticed.
    bundle(move |_, bundle| drop(change(&bundle.join("rootfs"))))
}

fn reports(change: fn(&mut RunReport, &mut IsolationReport)) -> How {
    How::Tamper(Arc::new(Change::Reports(change)))
}

fn image(change: fn(&Path)) -> How {
    How::Tamper(Arc::new(Change::Image(change)))
}

/// Something is done in the container before the application is executed.
fn shim(steps: &'static [&'static str]) -> How {
    bundle(move |config, _| {
        array(config, "/process/args", |arguments| {
            let before = std::iter::once(SHIM).chain(steps.iter().copied()).chain(["--"]).map(Value::from);
            *arguments = before.chain(std::mem::take(arguments)).collect();
        });
    })
}

/// Sets a member that a JSON pointer names.
fn set(config: &mut Value, pointer: &str, value: Value) {
    if let Some(member) = config.pointer_mut(pointer) {
        *member = value;
    }
}

/// Changes the elements of an array.
fn array(config: &mut Value, pointer: &str, change: impl FnOnce(&mut Vec<Value>)) {
    if let Some(elements) = config.pointer_mut(pointer).and_then(Value::as_array_mut) {
        change(elements);
    }
}

/// Changes the members of an object.
fn object(config: &mut Value, pointer: &str, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
    if let Some(members) = config.pointer_mut(pointer).and_then(Value::as_object_mut) {
        change(members);
    }
}

/// Takes options from the mounts at `destination`, or at all volumes if that is empty, and gives them others.
fn options(config: &mut Value, destination: &str, take: &[&str], give: &[&str]) {
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
fn capabilities(config: &mut Value, set: &str, change: impl FnOnce(&mut Vec<Value>)) {
    array(config, &format!("/process/capabilities/{set}"), change);
}

/// Changes each variable.
fn variables(config: &mut Value, change: impl Fn(&str) -> Option<String>) {
    array(config, "/process/env", |all| {
        for variable in all {
            if let Some(other) = variable.as_str().and_then(&change) {
                *variable = other.into();
            }
        }
    });
}

/// Leaves namespaces of this kind out.
fn no_namespace(config: &mut Value, kind: &str) {
    array(config, "/linux/namespaces", |all| all.retain(|namespace| namespace["type"] != kind));
}
