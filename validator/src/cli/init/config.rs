//! From the configuration of an OCI image to the draft of a manifest. What has no counterpart is named in a remark.

use super::draft::{Draft, Path, Program};
use super::naming;
use crate::convert::Change;
use crate::convert::config::{Execution, whole_seconds};
use crate::convert::found::Found;
use crate::convert::process::{
    DEFAULT_PATH, annotations, command, environment, mounts, ports, program, signal, working_directory,
};
use crate::convert::rootfs::Rootfs;
use crate::convert::user::{User, user};
use crate::manifest;
use crate::shown::quoted;

/// What stands in the place of a user who is not known: nobody, and not root.
const NOBODY: u32 = 65_534;

/// Drafts a manifest for an image that was found in the file or folder `path`, and whose layers merge to
/// `rootfs`.
pub(super) fn draft(source: &str, path: &std::path::Path, found: &Found<'_>, rootfs: &Rootfs) -> Draft {
    let none = Execution::default();
    let execution = found.config.config.as_ref().unwrap_or(&none);
    let mut changes = Vec::new();
    let mut environment = environment(execution, &mut changes);
    let working_directory = working_directory(execution);
    let (exec, arguments) = command(execution);
    let search = environment.get("PATH").map_or(DEFAULT_PATH, String::as_str);
    let program = found_program(&exec, search, &working_directory, rootfs);
    let User { ids, home } = user(execution.user.as_deref().unwrap_or_default(), rootfs).unwrap_or_else(|why| {
        let what = format!("{why}; {NOBODY}:{NOBODY} stands in its place");
        changes.push(Change::new("OCI-146", "config/User", what));
        User { ids: manifest::User { uid: NOBODY, gid: NOBODY, supplementary_gids: Vec::new() }, home: None }
    });
    if let Some(home) = home {
        environment.entry("HOME".to_owned()).or_insert(home);
    }
    let annotations = annotations(execution, &found.annotations, &mut changes);
    let version = annotations.get("org.opencontainers.image.version").map(String::as_str);
    let (name, version) = naming::of_reference(found.reference.as_deref(), version, path);
    let platform = found.config.platform();
    if let Some(other) = platform.as_ref().filter(|platform| platform.os != "linux") {
        let what = format!("the operating system {}, as images are for Linux", quoted(&other.os));
        changes.push(Change::new("OCI-134", "os", what));
    }
    for name in execution.without_counterpart() {
        changes.push(Change::new("OCI-155", "config", format!("{name}, which has no counterpart")));
    }
    let signal = signal(execution, &mut changes);
    let ports = ports(execution, &mut changes);
    let mounts = mounts(execution, |path| Ok(path.to_owned()), &mut changes);
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
        signal,
        ports,
        mounts: mounts
            .into_iter()
            .map(|mount| {
                let exists = rootfs.is_directory(&mount.path);
                (mount, exists)
            })
            .collect(),
        annotations,
        remarks: changes.into_iter().map(|change| change.what).collect(),
    }
}

fn found_program(exec: &[String], search: &str, directory: &str, rootfs: &Rootfs) -> Program {
    let Some((name, rest)) = exec.split_first() else {
        return Program::Missing("The image names no program".to_owned(), rootfs.candidates());
    };
    match program(name, search, directory, rootfs) {
        Ok(path) => Program::Found(std::iter::once(&path).chain(rest).cloned().collect()),
        Err(tried) => {
            let why = format!("The program {} is not an executable file at {}", quoted(name), tried.join(", "));
            Program::Missing(why, rootfs.candidates())
        }
    }
}
