//! The configuration of the instance's bundle: that of the image's bundle, with what an engine adds.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use cornercast::bundle::{HOME, PATH, config};
use cornercast::layer::Tree;
use cornercast::manifest::{App, Isolation, Manifest};
use serde_json::{Value, json};

use crate::cgroup;
use crate::image::Image;
use crate::options::Options;
use crate::volume::Staged;

/// Where the application finds the engine's files.
pub const RUN_DIRECTORY: &str = "/run/cornercast";

/// What the instance is, as far as the configuration says it.
pub(crate) struct Instance<'a> {
    pub(crate) id: &'a str,
    /// The name of its control group.
    pub(crate) group: &'a str,
    pub(crate) hostname: &'a str,
    pub(crate) volumes: &'a [Staged],
    /// The directory that is mounted at [`RUN_DIRECTORY`].
    pub(crate) run: &'a Path,
}

/// The app with what the options put into its place.
pub(crate) fn effective(app: &App, options: &Options, isolation: Isolation) -> App {
    let mut app = app.clone();
    if let Some(exec) = &options.exec {
        app.exec.clone_from(exec);
    }
    if let Some(arguments) = &options.arguments {
        app.arguments.clone_from(arguments);
    }
    app.environment.extend(options.environment.clone());
    app.mounts.clear();
    app.isolation = isolation;
    app
}

/// The argument vector of an app.
pub(crate) fn arguments(app: &App) -> Vec<String> {
    app.exec.iter().chain(&app.arguments).cloned().collect()
}

/// The variables of an instance.
pub(crate) fn environment(app: &App, image: &Image, instance: &str) -> BTreeMap<String, String> {
    let mut all = app.environment.clone();
    for (name, value) in [("HOME", HOME), ("PATH", PATH)] {
        all.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    let id = image.id.to_string();
    for (name, value) in
        [("CORNERCAST_IMAGE", id.as_str()), ("CORNERCAST_INSTANCE", instance), ("CORNERCAST_RUN_DIR", RUN_DIRECTORY)]
    {
        all.insert(name.to_owned(), value.to_owned());
    }
    all
}

/// The `config.json` for `app`, which is [`effective`].
///
/// # Errors
///
/// If something was not judged before that has to be.
pub(crate) fn document(image: &Image, app: &App, instance: &Instance<'_>) -> io::Result<Value> {
    let manifest = Manifest { app: Some(app.clone()), ..image.manifest.clone() };
    // What is in the tree has been judged, with the volumes.
    let config = config(&manifest, image.id, &Tree::default()).map_err(|refusals| {
        let reasons: Vec<String> = refusals.into_iter().map(|refusal| refusal.reason).collect();
        io::Error::other(reasons.join("; "))
    })?;
    let mut value: Value = serde_json::from_slice(&config.bytes)?;
    let variables: Vec<String> =
        environment(app, image, instance.id).iter().map(|(name, value)| format!("{name}={value}")).collect();
    for (pointer, with) in [("/hostname", instance.hostname.into()), ("/process/env", variables.into())] {
        if let Some(member) = value.pointer_mut(pointer) {
            *member = with;
        }
    }
    append(&mut value, "/mounts", mounts(instance));
    if Path::new("/proc/self/ns/cgroup").exists() {
        append(&mut value, "/linux/namespaces", vec![json!({"type": "cgroup"})]);
    }
    if let Some(linux) = value.get_mut("linux").and_then(Value::as_object_mut) {
        linux.insert("cgroupsPath".to_owned(), cgroup::path_of(instance.group).into());
    }
    Ok(value)
}

fn append(value: &mut Value, pointer: &str, elements: Vec<Value>) {
    if let Some(array) = value.pointer_mut(pointer).and_then(Value::as_array_mut) {
        array.extend(elements);
    }
}

/// The directory of the engine's files, and the volumes.
fn mounts(instance: &Instance<'_>) -> Vec<Value> {
    let mount = |source: &Path, destination: &str, options: &[&str]| json!({"destination": destination, "options": options, "source": source, "type": "bind"});
    let mut mounts = vec![mount(instance.run, RUN_DIRECTORY, &["bind", "ro", "nosuid", "nodev", "noexec"])];
    for volume in instance.volumes {
        let access = if volume.read_only { "ro" } else { "rw" };
        mounts.push(mount(&volume.source, &volume.path, &["bind", access, "nosuid", "nodev"]));
    }
    mounts
}
