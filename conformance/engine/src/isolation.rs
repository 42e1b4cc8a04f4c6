//! What is asked of isolation, by the image and the options, and what becomes of it.
//!
//! The engine knows the level `separated` and what a bundle can say of it. Everything else is a refusal, or a row of
//! the report where it is not required; nothing is ignored in silence.

use std::collections::{BTreeMap, BTreeSet};

use cornercast::bundle::{CAPABILITIES, DEVICES, Met, judge_isolator};
use cornercast::json::to_canonical;
use cornercast::manifest::{Isolation, Isolator, LEVELS};
use serde_json::{Value, json};

use crate::backend::Backend;
use crate::options;
use crate::refusal::{Reason, Refusals};
use crate::report::{Row, Verdict};

/// What is in force, as a manifest says it, and the rows of the report.
#[derive(Debug)]
pub(crate) struct InForce {
    /// The isolators that a bundle can say, merged.
    pub(crate) isolation: Isolation,
    pub(crate) rows: Vec<Row>,
}

/// Merges what the image and the options ask for.
pub(crate) fn merge(image: &Isolation, options: &options::Isolation, refusals: &mut Refusals) -> InForce {
    let rank = |level: &str| LEVELS.iter().position(|known| *known == level);
    let asked = options.level.as_deref().unwrap_or("open");
    let level = if rank(asked) > rank(&image.level) { asked } else { &image.level };
    if level != "separated" {
        // RUN-083
        let why = match level {
            "open" => "it needs the leave of a policy, and there is none",
            "hardened" => "the users of the image are not mapped to others here",
            _ => "the kernel is shared with the host",
        };
        refusals.add("RUN-083", format!("the level `{level}` is not enforced: {why}"));
    }
    let names: BTreeSet<&String> = image.isolators.keys().chain(options.isolators.keys()).collect();
    let mut in_force = BTreeMap::new();
    let mut rows: BTreeMap<String, Row> = of_the_level().into_iter().map(|row| (row.name.clone(), row)).collect();
    let of_level: BTreeSet<String> = rows.keys().cloned().collect();
    for name in names {
        let Some(isolator) = of_both(name, image, options, refusals) else { continue };
        // What the level has is required, whoever says otherwise.
        let required = isolator.required || of_level.contains(name);
        let value = isolator.value;
        let (verdict, mechanism) = match judge_isolator(name, &value) {
            Some(Met::Yes) => {
                in_force.insert(name.clone(), Isolator { value: value.clone(), required: true });
                (Verdict::Enforced, mechanism(name).to_owned())
            }
            Some(Met::Unknown(can_be)) => {
                // RUN-086
                refusals.add("RUN-086", format!("the isolator `{name}` has the value {value}; it can be {can_be}"));
                continue;
            }
            Some(Met::No(why)) => (Verdict::NotEnforced, why.to_owned()),
            None => (Verdict::NotEnforced, "no isolator of this name is known".to_owned()),
        };
        if verdict == Verdict::NotEnforced && required {
            let clause = if judge_isolator(name, &value).is_none() { "RUN-084" } else { "RUN-085" };
            refusals.add(clause, format!("the isolator `{name}` with the value {value} is required, but {mechanism}"));
        }
        rows.insert(name.clone(), Row { name: name.clone(), asked: value, required, verdict, mechanism });
    }
    let isolation = Isolation { level: "separated".to_owned(), isolators: in_force };
    InForce { isolation, rows: rows.into_values().collect() }
}

/// What the image and the options ask of one isolator, merged; nothing if they contradict each other.
fn of_both(name: &str, image: &Isolation, options: &options::Isolation, refusals: &mut Refusals) -> Option<Isolator> {
    match (image.isolators.get(name), options.isolators.get(name)) {
        (Some(one), None) | (None, Some(one)) => Some(one.clone()),
        (None, None) => None,
        (Some(own), Some(given)) => {
            // RUN-086: what is no value is neither stricter nor looser.
            let is_none = |value| matches!(judge_isolator(name, value), Some(Met::Unknown(_)));
            if let Some(bad) = [own, given].into_iter().find(|isolator| is_none(&isolator.value)) {
                return Some(bad.clone());
            }
            let required = own.required || given.required;
            let Some(value) = stricter(name, &own.value, &given.value) else {
                // RUN-088
                let message = format!(
                    "the isolator `{name}` is {} in the image and {} in the options, and neither is stricter",
                    own.value, given.value
                );
                refusals.add("RUN-088", message);
                return None;
            };
            if to_canonical(&value) != to_canonical(&given.value) {
                // RUN-087
                let message = format!(
                    "the isolator `{name}` is {} in the options, which is looser than {} of the image",
                    given.value, own.value
                );
                refusals.add("RUN-087", message);
            }
            Some(Isolator { value, required })
        }
    }
}

/// The stricter of two values, or what is as strict as both; nothing if there is no such value.
fn stricter(name: &str, one: &Value, other: &Value) -> Option<Value> {
    let ranked = |order: &[&str]| {
        let rank = |value: &Value| order.iter().position(|known| value.as_str() == Some(*known));
        Some(if rank(one)? <= rank(other)? { one.clone() } else { other.clone() })
    };
    if to_canonical(one) == to_canonical(other) {
        return Some(one.clone());
    }
    match name {
        "cornercast/process-view" | "cornercast/ipc" => ranked(&["own", "host"]),
        "cornercast/network" => ranked(&["none", "loopback", "private", "host"]),
        "cornercast/sysinfo" => ranked(&["masked", "open"]),
        "cornercast/syscalls" => ranked(&["baseline", "open"]),
        "cornercast/user-mapping" => ranked(&["mapped", "identity"]),
        "cornercast/kernel-boundary" => ranked(&["separate", "mediated", "shared"]),
        "cornercast/no-new-privileges" | "cornercast/readonly-rootfs" => {
            Some((one.as_bool()? || other.as_bool()?).into())
        }
        "cornercast/capabilities" | "cornercast/devices" => {
            let other = other.as_array()?;
            Some(one.as_array()?.iter().filter(|element| other.contains(element)).cloned().collect())
        }
        "resource/memory" | "resource/cpu" | "resource/pids" | "resource/storage" => {
            let limit = least(one, other, "limit")?;
            Some(json!({"limit": limit}))
        }
        "resource/nofile" => {
            let (soft, hard) = (least(one, other, "soft")?, least(one, other, "hard")?);
            Some(json!({"hard": hard, "soft": soft}))
        }
        _ => None,
    }
}

fn least(one: &Value, other: &Value, member: &str) -> Option<i64> {
    Some(one.get(member)?.as_i64()?.min(other.get(member)?.as_i64()?))
}

/// Puts into the rows what a backend does, where that is not what runtimes on the kernel of the host do.
pub(crate) fn of_backend(rows: &mut [Row], backend: &dyn Backend, refusals: &mut Refusals) {
    for row in rows.iter_mut().filter(|row| row.verdict == Verdict::Enforced) {
        if let Some(why) = backend.cannot_enforce(&row.name) {
            if row.required {
                let message =
                    format!("the isolator `{}` with the value {} is required, but {why}", row.name, row.asked);
                refusals.push(Reason::of_host(message));
            }
            (row.verdict, row.mechanism) = (Verdict::NotEnforced, why.to_owned());
        } else if let Some(mechanism) = backend.mechanism(&row.name) {
            row.mechanism = mechanism.to_owned();
        }
    }
}

/// What the level `separated` has in force by itself.
fn of_the_level() -> Vec<Row> {
    let devices: Vec<&str> = DEVICES.iter().map(|(name, ..)| *name).collect();
    let values = [
        ("cornercast/capabilities", json!(CAPABILITIES)),
        ("cornercast/devices", json!(devices)),
        ("cornercast/ipc", json!("own")),
        ("cornercast/network", json!("private")),
        ("cornercast/process-view", json!("own")),
        ("cornercast/syscalls", json!("baseline")),
        ("cornercast/sysinfo", json!("masked")),
    ];
    let row = |(name, asked): (&str, Value)| Row {
        name: name.to_owned(),
        asked,
        required: true,
        verdict: Verdict::Enforced,
        mechanism: mechanism(name).to_owned(),
    };
    values.into_iter().map(row).collect()
}

/// By what an isolator is enforced.
fn mechanism(name: &str) -> &'static str {
    match name {
        "cornercast/capabilities" => "the bounding set of the process",
        "cornercast/devices" => "the device controller of the control group",
        "cornercast/ipc" => "an IPC namespace",
        "cornercast/network" => "a network namespace with a loopback interface and no other",
        "cornercast/process-view" => "a PID namespace",
        "cornercast/syscalls" => "a seccomp filter",
        "cornercast/sysinfo" => "mounts over files of /proc and /sys",
        "cornercast/user-mapping" => "no user namespace",
        "cornercast/kernel-boundary" => "the kernel of the host",
        "cornercast/no-new-privileges" => "the attribute no_new_privs of the process",
        "cornercast/readonly-rootfs" => "a root that is mounted read-only",
        "resource/memory" => "the memory controller of the control group",
        "resource/cpu" => "the cpu controller of the control group",
        "resource/pids" => "the pids controller of the control group",
        "resource/nofile" => "the resource limit RLIMIT_NOFILE",
        _ => "",
    }
}
