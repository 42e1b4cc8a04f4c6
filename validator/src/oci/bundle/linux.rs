//! What is particular to Linux (OCI-099, OCI-102, OCI-103, OCI-112 to OCI-119).

use std::collections::BTreeMap;

use super::super::config::{strings, text};
use super::super::document::Document;
use super::process::judge_types;
use super::{judge_absolute, judge_absolute_path, names, objects};
use crate::clause;
use crate::json::Node;
use crate::shown::quoted;

/// Judges the member `linux` of a bundle.
pub(super) fn judge(document: &mut Document, config: &Node) {
    let Some(linux) = config.get("linux").filter(|linux| !document.is_null(linux)) else { return };
    let pointer = "/linux";
    judge_types(document, linux, pointer, "namespaces", &names::NAMESPACES);
    for (pointer, namespace) in objects(linux, pointer, "namespaces") {
        if text(namespace, "path").is_some_and(|(_, path)| !path.is_empty()) {
            judge_absolute(document, namespace, &pointer, "path");
        }
    }
    judge_devices(document, linux);
    names::judge_optional(document, linux, pointer, "rootfsPropagation", &names::PROPAGATIONS);
    for list in ["maskedPaths", "readonlyPaths"] {
        for (at, (node, path)) in strings(linux, list).unwrap_or_default().into_iter().enumerate() {
            judge_absolute_path(document, node, path, &format!("{pointer}/{list}/{at}"));
        }
    }
    if let Some(policy) = linux.get("memoryPolicy") {
        names::judge_required(document, policy, "/linux/memoryPolicy", "mode", &names::MEMORY_MODES);
        names::judge_each(document, policy, "/linux/memoryPolicy", "flags", &names::MEMORY_FLAGS);
    }
    if let Some(personality) = linux.get("personality") {
        names::judge_required(document, personality, "/linux/personality", "domain", &names::DOMAINS);
    }
    if let Some(seccomp) = linux.get("seccomp") {
        judge_seccomp(document, seccomp);
    }
    if let Some(resources) = linux.get("resources") {
        judge_resources(document, resources);
    }
}

fn judge_devices(document: &mut Document, linux: &Node) {
    let mut seen = BTreeMap::new();
    for (pointer, device) in objects(linux, "/linux", "devices") {
        judge_absolute(document, device, &pointer, "path");
        names::judge_required(document, device, &pointer, "type", &names::DEVICES);
        let Some((_, kind)) = text(device, "type").filter(|(_, kind)| *kind != "p") else { continue };
        // OCI-112
        for name in ["major", "minor"] {
            if device.get(name).is_none_or(|node| document.is_null(node)) {
                let message = format!("the device has no `{name}`");
                document.report(&clause::OCI_112, device, &pointer, message);
            }
        }
        // OCI-113
        let number = |name: &str| device.get(name).and_then(|node| document.integer(node));
        if let (Some(major), Some(minor)) = (number("major"), number("minor"))
            && seen.insert((kind, major, minor), ()).is_some()
        {
            let message = format!("there is a device {kind} {major}:{minor} before this one");
            document.report(&clause::OCI_113, device, &pointer, message);
        }
    }
}

fn judge_seccomp(document: &mut Document, seccomp: &Node) {
    let pointer = "/linux/seccomp";
    names::judge_required(document, seccomp, pointer, "defaultAction", &names::ACTIONS);
    names::judge_each(document, seccomp, pointer, "architectures", &names::ARCHITECTURES);
    names::judge_each(document, seccomp, pointer, "flags", &names::FILTER_FLAGS);
    // OCI-115
    let filled = |name: &str| text(seccomp, name).filter(|(_, value)| !value.is_empty());
    let has_path = seccomp.get("listenerPath").is_some_and(|node| !document.is_null(node) && node.as_str() != Some(""));
    if let Some((node, _)) = filled("listenerMetadata").filter(|_| !has_path) {
        let message = "`listenerMetadata` is there and no `listenerPath`";
        document.report(&clause::OCI_115, node, &format!("{pointer}/listenerMetadata"), message);
    }
    for (pointer, call) in objects(seccomp, pointer, "syscalls") {
        // OCI-114
        if let Some(list) = call.get("names").filter(|list| document.is_array(list) && list.elements().is_empty()) {
            document.report(&clause::OCI_114, list, &format!("{pointer}/names"), "`names` is empty");
        }
        names::judge_required(document, call, &pointer, "action", &names::ACTIONS);
        for (pointer, argument) in objects(call, &pointer, "args") {
            names::judge_required(document, argument, &pointer, "op", &names::OPERATORS);
        }
    }
}

fn judge_resources(document: &mut Document, resources: &Node) {
    let pointer = "/linux/resources";
    for (pointer, rule) in objects(resources, pointer, "devices") {
        names::judge_optional(document, rule, &pointer, "type", &names::RULES);
        // OCI-118
        if let Some((node, access)) = text(rule, "access").filter(|(_, access)| !access.chars().all(is_access)) {
            let message = format!("{} has other letters than `rwm`", quoted(access));
            document.report(&clause::OCI_118, node, &format!("{pointer}/access"), message);
        }
    }
    if let Some(cpu) = resources.get("cpu") {
        // OCI-116
        let number = |name: &str| cpu.get(name).and_then(|node| document.integer(node));
        if let (Some(burst), Some(quota), Some(node)) = (number("burst"), number("quota"), cpu.get("burst"))
            && quota > 0
            && burst > quota
        {
            let message = format!("the burst is {burst}, the quota {quota}");
            document.report(&clause::OCI_116, node, &format!("{pointer}/cpu/burst"), message);
        }
    }
    if let Some(block) = resources.get("blockIO") {
        for (pointer, weight) in objects(block, "/linux/resources/blockIO", "weightDevice") {
            // OCI-117
            let has = |name: &str| weight.get(name).is_some_and(|node| !document.is_null(node));
            if !has("weight") && !has("leafWeight") {
                let message = "the element has neither `weight` nor `leafWeight`";
                document.report(&clause::OCI_117, weight, &pointer, message);
            }
        }
    }
    for (pointer, limit) in objects(resources, pointer, "hugepageLimits") {
        // OCI-119
        if let Some((node, size)) = text(limit, "pageSize").filter(|(_, size)| !is_page_size(size)) {
            let message = format!("{} is no size of pages", quoted(size));
            document.report(&clause::OCI_119, node, &format!("{pointer}/pageSize"), message);
        }
    }
}

/// OCI-118
fn is_access(letter: char) -> bool {
    matches!(letter, 'r' | 'w' | 'm')
}

/// OCI-119
fn is_page_size(size: &str) -> bool {
    let number = ["KB", "MB", "GB"].iter().find_map(|unit| size.strip_suffix(unit)).unwrap_or_default();
    !number.is_empty() && !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit())
}
