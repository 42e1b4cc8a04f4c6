//! The root file system of a bundle, and what is run in it (OCI-096 to OCI-098, OCI-106, OCI-107).

use std::collections::BTreeSet;
use std::io;

use super::super::config::{strings, text};
use super::super::document::Document;
use super::super::path::{clean, is_below, join, parent};
use super::super::process::Command;
use super::super::tree::components;
use super::objects;
use crate::clause;
use crate::json::Node;
use crate::limits::Limits;
use crate::shown::quoted;
use crate::store::{Files, Standing};

/// Judges where the root is, and what the process needs of it.
pub(super) fn judge(document: &mut Document, config: &Node, files: &dyn Files, limits: &Limits) -> io::Result<()> {
    let Some((node, path)) = config.get("root").and_then(|root| text(root, "path")) else { return Ok(()) };
    let found = find(files, path)?;
    let pointer = "/root/path";
    let place = match found {
        Found::Wrong(what) => {
            // OCI-096
            document.report(&clause::OCI_096, node, pointer, format!("{} {what}", quoted(path)));
            return Ok(());
        }
        Found::Link(link) => {
            // OCI-098
            let message = format!("{} leads over the symbolic link {}", quoted(path), quoted(&link));
            document.report(&clause::OCI_098, node, pointer, message);
            return Ok(());
        }
        Found::Absolute => None,
        Found::At(place) => Some(place),
    };
    // OCI-097
    if path != "rootfs" {
        document.report(&clause::OCI_097, node, pointer, format!("the path of the root is {}", quoted(path)));
    }
    if let (Some(place), Some(process)) = (place, config.get("process")) {
        let mounts = objects(config, "", "mounts").into_iter().filter_map(|(_, mount)| text(mount, "destination"));
        let mounts = mounts.filter_map(|(_, path)| Some(clean(path.as_bytes())?.path)).collect();
        judge_process(document, process, &Root { files, place, mounts, links: limits.links_followed })?;
    }
    Ok(())
}

/// Where the path of a root leads.
enum Found {
    Absolute,
    At(Vec<u8>),
    Link(String),
    Wrong(&'static str),
}

/// OCI-096, OCI-098
fn find(files: &dyn Files, path: &str) -> io::Result<Found> {
    if path.starts_with('/') {
        return Ok(Found::Absolute);
    }
    let Some(clean) = clean(path.as_bytes()) else { return Ok(Found::Wrong("leads out of the bundle")) };
    let mut here = Vec::new();
    for component in clean.path.split(|byte| *byte == b'/').filter(|component| !component.is_empty()) {
        here = join(&here, component);
        match files.look(&here)? {
            Some(Standing::Directory) => {}
            Some(Standing::Symlink(_)) => return Ok(Found::Link(String::from_utf8_lossy(&here).into_owned())),
            Some(_) => return Ok(Found::Wrong("is no directory")),
            None => return Ok(Found::Wrong("is not there")),
        }
    }
    Ok(Found::At(here))
}

/// OCI-106, OCI-107
fn judge_process(document: &mut Document, process: &Node, root: &Root<'_>) -> io::Result<()> {
    let is_given = |name: &str| process.get(name).is_some_and(|node| !document.is_null(node));
    let is_wrong = |name: &&str| is_given(name) && strings(process, name).is_none();
    let directory = text(process, "cwd").filter(|(_, path)| path.starts_with('/'));
    if ["args", "env"].iter().any(is_wrong) || is_given("cwd") && directory.is_none() {
        return Ok(());
    }
    if let Some((node, path)) = directory {
        let what = match root.resolve(path)? {
            Reached::Unknown | Reached::There(Standing::Directory) => None,
            Reached::There(_) => Some("is no directory"),
            Reached::Nothing => Some("is not there"),
        };
        if let Some(what) = what {
            document.report(&clause::OCI_107, node, "/process/cwd", format!("{} {what}", quoted(path)));
        }
    }
    let args = strings(process, "args").unwrap_or_default();
    let Some((node, value)) = args.into_iter().next() else { return Ok(()) };
    let variables = strings(process, "env").unwrap_or_default();
    let search_path = variables.iter().find_map(|(_, variable)| variable.strip_prefix("PATH="));
    let command = Command { value, directory: directory.map_or("/", |(_, path)| path), search_path };
    let message = if value.is_empty() {
        Some("the program is an empty string".to_owned())
    } else {
        command.flaw(|path| root.flaw(path))?
    };
    if let Some(message) = message {
        document.report(&clause::OCI_106, node, "/process/args/0", message);
    }
    Ok(())
}

/// The tree that the process is run in.
struct Root<'a> {
    files: &'a dyn Files,
    /// Where it is in the bundle.
    place: Vec<u8>,
    /// The clean paths at which something is mounted.
    mounts: BTreeSet<Vec<u8>>,
    /// Symbolic links that are followed for one path.
    links: usize,
}

/// What a path in the root leads to.
enum Reached {
    There(Standing),
    Nothing,
    /// It depends on a mount.
    Unknown,
}

impl Root<'_> {
    /// What keeps a file from being run.
    fn flaw(&self, path: &str) -> io::Result<Option<&'static str>> {
        Ok(match self.resolve(path)? {
            Reached::Unknown | Reached::There(Standing::File { is_executable: true }) => None,
            Reached::There(Standing::File { .. }) => Some("has no execute bit"),
            Reached::There(_) => Some("is no file"),
            Reached::Nothing => Some("is not there"),
        })
    }

    /// Follows a path, links inside the root.
    fn resolve(&self, path: &str) -> io::Result<Reached> {
        let mut todo = components(path.as_bytes());
        let mut here: Vec<u8> = Vec::new();
        let mut links = 0;
        if self.mounts.contains(&here) {
            return Ok(Reached::Unknown);
        }
        while let Some(component) = todo.pop() {
            if component == b".." {
                here = parent(&here).unwrap_or_default().to_vec();
                continue;
            }
            let next = join(&here, &component);
            if self.mounts.contains(&next) {
                return Ok(Reached::Unknown);
            }
            match self.files.look(&join(&self.place, &next))? {
                None if self.mounts.iter().any(|mount| is_below(mount, &next)) => return Ok(Reached::Unknown),
                None => return Ok(Reached::Nothing),
                Some(Standing::Symlink(target)) => {
                    links += 1;
                    if links > self.links {
                        return Ok(Reached::Nothing);
                    }
                    if target.starts_with(b"/") {
                        here.clear();
                    }
                    todo.extend(components(&target));
                }
                Some(Standing::Directory) => here = next,
                Some(other) if todo.is_empty() => return Ok(Reached::There(other)),
                Some(_) => return Ok(Reached::Nothing),
            }
        }
        Ok(Reached::There(Standing::Directory))
    }
}
