//! Devices, and the links beside them.

use serde_json::{Value, json};

use crate::bundles::Case;
use crate::bundles::case::{case, set};
use crate::bundles::evidence::Evidence;
use crate::bundles::oci;
use crate::bundles::rule::{Checked, otherwise};
use crate::suite::Entry;

/// The devices that are always there, with the numbers that their manual pages give.
const DEFAULT: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// What is at a path below `/dev`.
fn at(evidence: &Evidence, path: &str) -> Value {
    let devices = evidence.at("/devices");
    let found = devices.as_array().and_then(|all| all.iter().find(|device| device["path"] == path).cloned());
    found.unwrap_or_default()
}

/// Whether that has all of these members.
fn is_device(path: &str, seen: &Value, wanted: &Value) -> Checked {
    if !seen.is_object() {
        let why = seen.as_str().map_or_else(String::new, |why| format!(" ({why})"));
        return otherwise(format!("there is no {path}{why}"));
    }
    for (member, value) in wanted.as_object().into_iter().flatten() {
        if seen[member] != *value {
            return otherwise(format!("the {member} of {path} is {}, expected {value}", seen[member]));
        }
    }
    Ok(())
}

/// The sentence is about the devices; who can use them stands in manual pages, as what is usual, and is recorded.
fn has_default(evidence: &Evidence, (name, major, minor): (&str, u32, u32)) -> Checked {
    let path = format!("/dev/{name}");
    let wanted = json!({"kind": "character", "major": major, "minor": minor});
    is_device(&path, &at(evidence, &path), &wanted)
}

/// A link to the one of the container, or that one itself.
fn has_ptmx(evidence: &Evidence) -> Checked {
    let seen = at(evidence, "/dev/ptmx");
    if seen["kind"] == "symlink" {
        let is_own = seen["target"] == "pts/ptmx" || seen["target"] == "/dev/pts/ptmx";
        return if is_own { Ok(()) } else { otherwise(format!("/dev/ptmx leads to {}", seen["target"])) };
    }
    is_device("/dev/ptmx", &seen, &json!({"kind": "character", "major": 5, "minor": 2}))
}

/// All that is below `/dev`, with who can use it.
fn devices(evidence: &Evidence) -> Value {
    let devices = evidence.at("/devices");
    let devices = devices.as_array().into_iter().flatten();
    devices.map(|device| json!([device["path"], device["mode"], device["uid"], device["gid"]])).collect()
}

pub(super) fn of_the_bundle() -> Vec<Entry> {
    vec![
        case(
            "devices/default",
            "a bundle without devices",
            Case::good().extra(devices).unless_error(&oci::DEVICES_DEFAULT, |evidence| {
                evidence.ran()?;
                DEFAULT.iter().try_for_each(|device| has_default(evidence, *device))?;
                has_ptmx(evidence)
            }),
        ),
        case(
            "devices/links",
            "the links for descriptors",
            Case::good().unless_error(&oci::DEVICE_LINKS, |evidence| {
                for (path, to) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
                    let target = &at(evidence, &format!("/dev/{path}"))["target"];
                    if *target != format!("/proc/self/fd{to}") {
                        return otherwise(format!("/dev/{path} leads to {target}"));
                    }
                }
                Ok(())
            }),
        ),
        case(
            "devices/given",
            "a device of the list, with numbers, a mode and an owner",
            Case::new(|config, _| {
                let device = json!({"path": "/dev/given", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 7, "gid": 8});
                set(config, "/linux/devices", json!([device]));
            })
                .steps(&["ready", "stat:/dev/given"])
                .unless_error(&oci::DEVICES, |evidence| {
                    let wanted =
                        json!({"kind": "character", "major": 1, "minor": 3, "mode": 0o640, "uid": 7, "gid": 8});
                    is_device("/dev/given", &evidence.step("stat:/dev/given"), &wanted)
                }),
        ),
    ]
}
