//! What is run, and what surrounds it: the process, its mounts, hooks (OCI-099 to OCI-110).

use std::collections::BTreeMap;

use super::super::config::{strings, text};
use super::super::document::Document;
use super::names::{self, Names};
use super::{judge_absolute, objects};
use crate::clause;
use crate::json::Node;
use crate::shown::{quoted, shown};

/// Judges the process, mounts and hooks of a bundle, each by itself.
pub(super) fn judge(document: &mut Document, config: &Node) {
    if let Some(process) = config.get("process").filter(|process| !document.is_null(process)) {
        judge_process(document, process);
    }
    for (pointer, mount) in objects(config, "", "mounts") {
        judge_mount(document, mount, &pointer);
    }
    for list in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
        let Some(hooks) = config.get("hooks") else { continue };
        for (pointer, hook) in objects(hooks, "/hooks", list) {
            judge_hook(document, hook, &pointer);
        }
    }
}

fn judge_process(document: &mut Document, process: &Node) {
    let pointer = "/process";
    judge_absolute(document, process, pointer, "cwd");
    // OCI-100
    match process.get("args").filter(|args| !document.is_null(args)) {
        None => document.report(&clause::OCI_100, process, pointer, "the process has no `args`"),
        Some(args) if document.is_array(args) && args.elements().is_empty() => {
            document.report(&clause::OCI_100, args, "/process/args", "`args` is empty");
        }
        Some(_) => {}
    }
    judge_environment(document, process, pointer);
    judge_types(document, process, pointer, "rlimits", &names::RLIMITS);
    for (pointer, limit) in objects(process, pointer, "rlimits") {
        judge_limit(document, limit, &pointer);
    }
    names::judge_capabilities(document, process);
    if let Some(scheduler) = process.get("scheduler") {
        names::judge_required(document, scheduler, "/process/scheduler", "policy", &names::POLICIES);
        names::judge_each(document, scheduler, "/process/scheduler", "flags", &names::SCHEDULER_FLAGS);
    }
    if let Some(priority) = process.get("ioPriority") {
        names::judge_required(document, priority, "/process/ioPriority", "class", &names::IO_CLASSES);
    }
}

/// OCI-101
fn judge_environment(document: &mut Document, node: &Node, pointer: &str) {
    let mut seen: BTreeMap<&str, ()> = BTreeMap::new();
    for (at, (node, variable)) in strings(node, "env").unwrap_or_default().into_iter().enumerate() {
        let pointer = format!("{pointer}/env/{at}");
        let Some((name, _)) = variable.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            let message = format!("{} is no name and value", quoted(variable));
            document.report(&clause::OCI_101, node, &pointer, message);
            continue;
        };
        if seen.insert(name, ()).is_some() {
            document.report(&clause::OCI_101, node, &pointer, format!("`{}` has a value before this one", shown(name)));
        }
    }
}

/// OCI-102 and OCI-103: the types of the elements of an array.
pub(super) fn judge_types(document: &mut Document, node: &Node, pointer: &str, list: &str, known: &Names) {
    let mut seen: BTreeMap<&str, ()> = BTreeMap::new();
    for (pointer, element) in objects(node, pointer, list) {
        names::judge_required(document, element, &pointer, "type", known);
        if let Some((node, kind)) = text(element, "type").filter(|(_, kind)| known.has(kind))
            && seen.insert(kind, ()).is_some()
        {
            let message = format!("there is {} before this one", quoted(kind));
            document.report(&clause::OCI_103, node, &format!("{pointer}/type"), message);
        }
    }
}

/// OCI-105
fn judge_limit(document: &mut Document, limit: &Node, pointer: &str) {
    let number = |name: &str| limit.get(name).and_then(|node| document.integer(node));
    if let (Some(soft), Some(hard), Some(node)) = (number("soft"), number("hard"), limit.get("soft"))
        && soft > hard
    {
        let message = format!("the soft limit is {soft}, the hard one {hard}");
        document.report(&clause::OCI_105, node, &format!("{pointer}/soft"), message);
    }
}

fn judge_mount(document: &mut Document, mount: &Node, pointer: &str) {
    // OCI-108
    if let Some((node, destination)) = text(mount, "destination").filter(|(_, path)| !path.starts_with('/')) {
        let message = format!("{} is no absolute path", quoted(destination));
        document.report(&clause::OCI_108, node, &format!("{pointer}/destination"), message);
    }
    // OCI-109
    let has = |name: &str| mount.get(name).is_some_and(|node| !document.is_null(node));
    let (uids, gids) = (has("uidMappings"), has("gidMappings"));
    if uids != gids {
        let (there, missing) = if uids { ("uidMappings", "gidMappings") } else { ("gidMappings", "uidMappings") };
        document.report(&clause::OCI_109, mount, pointer, format!("the mount has `{there}` and no `{missing}`"));
    }
}

fn judge_hook(document: &mut Document, hook: &Node, pointer: &str) {
    judge_absolute(document, hook, pointer, "path");
    judge_environment(document, hook, pointer);
    // OCI-110
    if let Some(node) = hook.get("timeout")
        && let Some(seconds) = document.integer(node).filter(|seconds| *seconds <= 0)
    {
        document.report(&clause::OCI_110, node, &format!("{pointer}/timeout"), format!("the timeout is {seconds}"));
    }
}
