//! The manifest of the result of an import (OCI-134, OCI-144 to OCI-155).

use std::collections::BTreeMap;

use super::Change;
use super::config::{Execution, whole_seconds};
use super::found::Found;
use super::import::Wish;
use super::layers::Layers;
use super::layout::normal;
use super::media;
use super::process::{
    DEFAULT_PATH, annotations, command, environment, mounts, ports, program, signal, working_directory,
};
use super::user::user;
use crate::build::BuildError;
use crate::manifest::{self, App, FORMAT_VERSION, ImageKind, Isolation, Manifest, Platform, Stop};
use crate::shown::quoted;

/// What the manifest will say.
pub(super) struct Draft<'a, 'f> {
    pub(super) found: &'a Found<'f>,
    pub(super) wish: &'a Wish,
    pub(super) name: String,
    pub(super) version: String,
}

impl Draft<'_, '_> {
    /// The manifest, once the layers are there; directories that are missing are added to them.
    ///
    /// # Errors
    ///
    /// What a manifest cannot say.
    pub(super) fn manifest(self, layers: &mut Layers<'_>) -> Result<Manifest, BuildError> {
        let none = Execution::default();
        let execution = self.found.config.config.as_ref().unwrap_or(&none);
        let own = [media::NAME, media::VERSION, media::IMAGE, media::LOST];
        let others: BTreeMap<String, String> = self.found.annotations.clone();
        let mut changes = Vec::new();
        let mut annotations = annotations(execution, &others, &mut changes);
        annotations.retain(|name, _| !own.contains(&name.as_str()));
        annotations.insert(media::ORIGIN.to_owned(), self.found.digest.to_string());
        for name in execution.without_counterpart() {
            changes.push(Change::new("OCI-155", format!("config/{name}"), format!("{name}, which has no counterpart")));
        }
        let app = self.app(execution, layers, &mut changes)?;
        let created = self.found.config.created.as_deref().filter(|created| !created.is_empty());
        let whole = created.and_then(whole_seconds);
        match created {
            Some(created) if whole.is_none() => {
                let what = format!("the time {}, which is not in the years 1 to 9999", quoted(created));
                changes.push(Change::new("OCI-153", "created", what));
            }
            Some(created) if created.contains('.') => {
                let what = format!("the fraction of a second in {}", quoted(created));
                changes.push(Change::new("OCI-153", "created", what));
            }
            _ => {}
        }
        layers.changes.extend(
            changes.into_iter().map(|change| Change { what: format!("not taken over: {}", change.what), ..change }),
        );
        let summary = layers.rootfs.tree.summary();
        Ok(Manifest {
            cornercast: FORMAT_VERSION.to_owned(),
            kind: ImageKind::Image,
            platform: self.platform()?,
            app,
            layers: layers.descriptors.clone(),
            rootfs: manifest::Rootfs { digest: summary.digest, entries: summary.entries, size: summary.size },
            base: None,
            attachments: Vec::new(),
            created: whole,
            annotations,
            name: self.name,
            version: self.version,
        })
    }

    /// OCI-134
    fn platform(&self) -> Result<Platform, BuildError> {
        let own = self.found.config.platform();
        match (own, self.wish.platform.clone().map(normal)) {
            (Some(own), Some(wish)) if own.os != wish.os || own.architecture != wish.architecture => {
                let message = format!("the image is for {}/{}, not for what --platform says", own.os, own.architecture);
                Err(BuildError::Refused(message))
            }
            (_, Some(wish)) => Ok(wish),
            (Some(own), None) => Ok(own),
            (None, None) => Err(BuildError::Refused("the config does not say a platform; add --platform".to_owned())),
        }
    }

    fn app(
        &self,
        execution: &Execution,
        layers: &mut Layers<'_>,
        changes: &mut Vec<Change>,
    ) -> Result<Option<App>, BuildError> {
        let (mut exec, arguments) = command(execution);
        if exec.is_empty() {
            self.without_app(execution, changes);
            return Ok(None);
        }
        let mut environment = environment(execution, changes);
        let directory = working_directory(execution);
        let search = environment.get("PATH").map_or(DEFAULT_PATH, String::as_str);
        if let Some(first) = exec.first_mut() {
            match program(first, search, &directory, &layers.rootfs) {
                Ok(path) => *first = path,
                Err(tried) => {
                    let message =
                        format!("the program {} is not an executable file at {}", quoted(first), tried.join(", "));
                    return Err(BuildError::Refused(message));
                }
            }
        }
        let user = user(execution.user.as_deref().unwrap_or_default(), &layers.rootfs).map_err(BuildError::Refused)?;
        if let Some(home) = user.home {
            environment.entry("HOME".to_owned()).or_insert(home);
        }
        let stop =
            Stop { signal: signal(execution, changes).unwrap_or_else(|| Stop::default().signal), ..Stop::default() };
        let ports = ports(execution, changes);
        let mounts = mounts(execution, |path| layers.real(path).map(|(path, _)| path), changes);
        let refuse = |why| BuildError::Refused(format!("the working directory {}: {why}", quoted(&directory)));
        let (_, mut missing) = layers.real(&directory).map_err(refuse)?;
        for mount in &mounts {
            missing.extend(layers.real(&mount.path).map(|(_, missing)| missing).unwrap_or_default());
        }
        missing.sort();
        missing.dedup();
        layers.add_directories(&missing)?;
        let (user, isolation) = (user.ids, Isolation::default());
        Ok(Some(App {
            exec,
            arguments,
            user,
            working_directory: directory,
            environment,
            stop,
            ports,
            mounts,
            isolation,
        }))
    }

    /// What an image that runs nothing cannot say (OCI-144).
    fn without_app(&self, execution: &Execution, changes: &mut Vec<Change>) {
        let Execution { user, exposed_ports, env, volumes, working_dir, stop_signal, .. } = execution;
        let is_there = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        for (name, is_there) in [
            ("User", is_there(user)),
            ("ExposedPorts", exposed_ports.as_ref().is_some_and(|ports| !ports.is_empty())),
            ("Env", env.as_ref().is_some_and(|env| !env.is_empty())),
            ("Volumes", volumes.as_ref().is_some_and(|volumes| !volumes.is_empty())),
            ("WorkingDir", is_there(working_dir)),
            ("StopSignal", is_there(stop_signal)),
        ] {
            if is_there {
                let what = format!("{name}, as the image runs nothing");
                changes.push(Change::new("OCI-144", format!("config/{name}"), what));
            }
        }
    }
}
