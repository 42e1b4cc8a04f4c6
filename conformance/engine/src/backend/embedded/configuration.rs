//! What libcontainer is told of a bundle, and what is left to the executor.

use std::ffi::CString;
use std::fs;
use std::path::{Component, Path};

use libcontainer::oci_spec::runtime::{LinuxDeviceCgroup, LinuxNamespaceType, Process, Spec};
use serde_json::{Value, json};

use super::application::Application;
use super::capabilities::Capabilities;
use super::{State, devices};
use crate::backend::limits::Limit;
use crate::backend::seccomp::Filter;

/// The configuration of a bundle, taken apart.
pub(super) struct Configuration {
    /// `config.json` for libcontainer.
    document: Value,
    /// The path of the control groups in each hierarchy, from its root.
    cgroups_path: String,
    /// The user of the application, as this process knows it.
    pub(super) owner: u32,
    /// Which devices can be used.
    devices: Vec<LinuxDeviceCgroup>,
    /// What is done without libcontainer.
    pub(super) application: Application,
}

impl Configuration {
    /// Reads `config.json` of a bundle.
    ///
    /// # Errors
    ///
    /// What cannot be read or done, in words.
    pub(super) fn read(bundle: &Path, id: &str) -> Result<Self, String> {
        let text = fs::read(bundle.join("config.json")).map_err(|error| format!("config.json: {error}"))?;
        let mut document: Value = serde_json::from_slice(&text).map_err(|error| format!("config.json: {error}"))?;
        let spec: Spec = serde_json::from_slice(&text).map_err(|error| format!("config.json: {error}"))?;
        let application = application(&spec)?;
        let cgroups_path = cgroups_path(&spec, id)?;
        // libcontainer gets the document in a folder of its own.
        let root = spec.root().as_ref().ok_or("config.json has no root")?;
        let root = fs::canonicalize(bundle.join(root.path())).map_err(|error| format!("root.path: {error}"))?;
        let root = root.to_str().ok_or("root.path is not UTF-8")?;
        set(&mut document, "/root/path", json!(root))?;
        set(&mut document, "/linux/cgroupsPath", json!(cgroups_path))?;
        // It gives the process what the executor needs, which then keeps what the application is to have.
        let before = json!(application.capabilities.before());
        set(&mut document, "/process/capabilities/permitted", before.clone())?;
        set(&mut document, "/process/capabilities/effective", before)?;
        set(&mut document, "/process/capabilities/inheritable", json!([]))?;
        set(&mut document, "/process/capabilities/ambient", json!([]))?;
        set(&mut document, "/process/rlimits", json!([]))?;
        let owner = owner(&spec)?;
        Ok(Self { document, cgroups_path, owner, devices: device_rules(&spec), application })
    }

    /// Writes what libcontainer and [`super::cgroups::remove`] read.
    ///
    /// # Errors
    ///
    /// What cannot be written, in words.
    pub(super) fn write(&self, state: &State) -> Result<(), String> {
        let write = || {
            fs::create_dir_all(state.bundle())?;
            fs::write(state.cgroups_path(), &self.cgroups_path)?;
            fs::write(state.bundle().join("config.json"), self.document.to_string())
        };
        write().map_err(|error| format!("the state of the container cannot be written: {error}"))
    }

    /// Does what libcontainer leaves undone outside of the container that it has made.
    ///
    /// # Errors
    ///
    /// What cannot be done, in words.
    pub(super) fn complete(&self) -> Result<(), String> {
        devices::set(&self.cgroups_path, &self.devices)
    }
}

/// The user outside of the namespace of users, if there is one.
fn owner(spec: &Spec) -> Result<u32, String> {
    let uid = spec.process().as_ref().map_or(0, |process| process.user().uid());
    let Some(mappings) = spec.linux().as_ref().and_then(|linux| linux.uid_mappings().as_ref()) else {
        return Ok(uid);
    };
    let mapped = mappings.iter().find_map(|mapping| {
        let offset = uid.checked_sub(mapping.container_id()).filter(|offset| *offset < mapping.size())?;
        mapping.host_id().checked_add(offset)
    });
    mapped.ok_or_else(|| format!("the user {uid} is not in linux.uidMappings"))
}

fn device_rules(spec: &Spec) -> Vec<LinuxDeviceCgroup> {
    let resources = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
    resources.and_then(|resources| resources.devices().clone()).unwrap_or_default()
}

/// Sets the member that `pointer` leads to in an object that is there.
fn set(document: &mut Value, pointer: &str, value: Value) -> Result<(), String> {
    let (object, member) = pointer.rsplit_once('/').ok_or("an empty pointer")?;
    let found = document.pointer_mut(object).and_then(Value::as_object_mut);
    found.ok_or_else(|| format!("config.json has no object {object}"))?.insert(member.to_owned(), value);
    Ok(())
}

fn application(spec: &Spec) -> Result<Application, String> {
    let process = spec.process().as_ref().ok_or("config.json has no process")?;
    let arguments = strings(process.args().as_deref().unwrap_or_default())?;
    // An executor looks in no PATH (MAN-014).
    if !arguments.first().is_some_and(|program| program.to_bytes().starts_with(b"/")) {
        return Err("process.args does not begin with an absolute path".to_owned());
    }
    let capabilities = process.capabilities().as_ref().ok_or("config.json has no process.capabilities")?;
    let filter = spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref());
    Ok(Application {
        arguments,
        environment: environment(process)?,
        capabilities: Capabilities::of(capabilities)?,
        filter: filter.map(Filter::of).transpose()?.unwrap_or_default(),
        limits: process.rlimits().iter().flatten().map(Limit::of).collect(),
        loopback: own_network(spec),
    })
}

fn environment(process: &Process) -> Result<Vec<CString>, String> {
    strings(process.env().as_deref().unwrap_or_default())
}

fn strings(strings: &[String]) -> Result<Vec<CString>, String> {
    let convert = |text: &String| CString::new(text.as_str()).map_err(|_| format!("{text:?} has a zero byte"));
    strings.iter().map(convert).collect()
}

/// Whether there is a network that has only a loopback interface, which is down.
fn own_network(spec: &Spec) -> bool {
    let namespaces = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_deref());
    let new = |kind| kind == LinuxNamespaceType::Network;
    namespaces.is_some_and(|all| all.iter().any(|one| new(one.typ()) && one.path().is_none()))
}

fn cgroups_path(spec: &Spec, id: &str) -> Result<String, String> {
    let given = spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_ref());
    let path = given.map_or_else(|| format!("/cornercast/{id}"), |path| path.display().to_string());
    let mut components = Path::new(&path).components();
    let absolute = components.next() == Some(Component::RootDir);
    if absolute && components.all(|component| matches!(component, Component::Normal(_))) {
        return Ok(path);
    }
    Err(format!("linux.cgroupsPath {path} is not an absolute path without `..`"))
}
