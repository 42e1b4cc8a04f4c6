//! What the isolation of a manifest asks for, as far as `config.json` can say it (RUN-109 to RUN-121).

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::{DEVICES, Refusal};
use crate::limits::Limits;
use crate::manifest::{self, Isolator};

/// The capabilities that a process can have (RUN-109).
pub const CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// What a limit can be, unless it says otherwise: from 1 to the largest integer of a manifest (JSN-014).
const ANY: RangeInclusive<i64> = 1..=Limits::FORMAT.integer;

/// The same for thousandths of a core: the kernel gives no less than a hundredth.
const CPU: RangeInclusive<i64> = 10..=10_000_000;

/// What is in force.
#[derive(Debug)]
pub(super) struct Isolation {
    pub(super) capabilities: BTreeSet<&'static str>,
    pub(super) no_new_privileges: bool,
    pub(super) readonly_rootfs: bool,
    /// Bytes.
    pub(super) memory: Option<i64>,
    /// Thousandths of a core.
    pub(super) cpu: Option<i64>,
    pub(super) pids: Option<i64>,
    /// Soft and hard.
    pub(super) nofile: Option<(i64, i64)>,
}

/// What becomes of one isolator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Met {
    /// It is in force.
    Yes,
    /// The value is none that this isolator has, or not of this level; what it can be.
    Unknown(String),
    /// `config.json` cannot say it; why.
    No(&'static str),
}

/// What becomes of the isolator `name` with this value at the level `separated`; nothing if no isolator is called so.
#[must_use]
pub fn judge_isolator(name: &str, value: &Value) -> Option<Met> {
    Isolation::separated().apply(name, value)
}

impl Isolation {
    /// What is in force at the level `separated`.
    fn separated() -> Self {
        Self {
            capabilities: CAPABILITIES.into(),
            no_new_privileges: false,
            readonly_rootfs: false,
            memory: None,
            cpu: None,
            pids: None,
            nofile: None,
        }
    }

    /// The level `separated` with the isolators of a manifest.
    pub(super) fn of(isolation: &manifest::Isolation, refusals: &mut Vec<Refusal>, notes: &mut Vec<String>) -> Self {
        let mut merged = Self::separated();
        // RUN-118
        let missing = match isolation.level.as_str() {
            "separated" => None,
            "open" => Some("it needs the leave of a policy, and a bundle has none"),
            "hardened" => Some("it maps users, and a bundle does not know to which ids of the host"),
            _ => Some("it needs a kernel of its own, and users that are mapped"),
        };
        if let Some(why) = missing {
            let reason = format!("the level `{}` cannot be written into a bundle: {why}", isolation.level);
            refusals.push(Refusal { clause: "RUN-118", reason });
        }
        for (name, Isolator { value, required }) in &isolation.isolators {
            let (clause, reason) = match merged.apply(name, value) {
                None => ("RUN-119", format!("the isolator `{name}` is not known")),
                Some(Met::Yes) => continue,
                Some(Met::Unknown(can_be)) => {
                    // RUN-120: whether required or not.
                    let reason = format!("the isolator `{name}` has the value {value}; it can be {can_be}");
                    refusals.push(Refusal { clause: "RUN-120", reason });
                    continue;
                }
                Some(Met::No(why)) => ("RUN-121", format!("the isolator `{name}` is {value}, but {why}")),
            };
            if *required {
                let reason = format!("{reason}; only one with \"required\":false can be left out");
                refusals.push(Refusal { clause, reason });
            } else {
                notes.push(format!("{reason}; it is not required and left out"));
            }
        }
        merged
    }

    /// `None` if no isolator has this name.
    fn apply(&mut self, name: &str, value: &Value) -> Option<Met> {
        let met = match name {
            "cornercast/process-view" | "cornercast/ipc" => one_of(value, &["own"], &[]),
            "cornercast/network" => {
                let up =
                    "a new network has its loopback interface up with most runtimes, and `config.json` cannot say no";
                one_of(value, &["private", "loopback"], &[("none", up)])
            }
            "cornercast/sysinfo" => one_of(value, &["masked"], &[]),
            "cornercast/syscalls" => one_of(value, &["baseline"], &[]),
            "cornercast/user-mapping" => {
                one_of(value, &["identity"], &[("mapped", "a bundle does not know to which ids of the host")])
            }
            "cornercast/kernel-boundary" => {
                let kernel = "which kernel runs it is the choice of the runtime";
                one_of(value, &["shared"], &[("mediated", kernel), ("separate", kernel)])
            }
            "cornercast/no-new-privileges" => flag(value, &mut self.no_new_privileges),
            "cornercast/readonly-rootfs" => flag(value, &mut self.readonly_rootfs),
            "cornercast/capabilities" => subset(value, &mut self.capabilities),
            "cornercast/devices" => devices(value),
            "resource/memory" => limit(value, ANY, &mut self.memory),
            "resource/cpu" => limit(value, CPU, &mut self.cpu),
            "resource/pids" => limit(value, ANY, &mut self.pids),
            "resource/nofile" => self.nofile(value),
            "resource/storage" => match limit(value, ANY, &mut None) {
                Met::Yes => Met::No("`config.json` cannot limit what is written to the root"),
                met => met,
            },
            _ => return None,
        };
        Some(met)
    }

    fn nofile(&mut self, value: &Value) -> Met {
        let number = |name: &str| value.get(name).and_then(Value::as_i64).filter(|number| ANY.contains(number));
        match (number("soft"), number("hard")) {
            (Some(soft), Some(hard)) if soft <= hard && has_members(value, 2) => {
                self.nofile = Some((soft, hard));
                Met::Yes
            }
            _ => Met::Unknown(
                "{\"hard\":N,\"soft\":N}, two numbers from 1, the first not less than the second".to_owned(),
            ),
        }
    }
}

/// A value that is a name: one of `met`, or one that cannot be said, with the reason.
fn one_of(value: &Value, met: &[&str], not: &[(&str, &'static str)]) -> Met {
    let is = |name: &&&str| value.as_str() == Some(**name);
    if met.iter().any(|name| is(&name)) {
        return Met::Yes;
    }
    match not.iter().find(|(name, _)| is(&name)) {
        Some((_, why)) => Met::No(why),
        None => Met::Unknown(names(met, not)),
    }
}

/// The names that a value can be, for a message.
fn names(met: &[&str], not: &[(&str, &str)]) -> String {
    let names = met.iter().chain(not.iter().map(|(name, _)| name));
    let names: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    format!("{} at this level", names.join(" or "))
}

fn flag(value: &Value, flag: &mut bool) -> Met {
    match value.as_bool() {
        Some(value) => {
            *flag = value;
            Met::Yes
        }
        None => Met::Unknown("true or false".to_owned()),
    }
}

/// A value that is an array of names: those of `all` that are in it are left.
fn subset(value: &Value, all: &mut BTreeSet<&'static str>) -> Met {
    let names: Option<Vec<&str>> = value.as_array().and_then(|names| names.iter().map(Value::as_str).collect());
    let ascend = |names: &Vec<&str>| names.is_sorted_by(|one, next| one < next);
    match names.filter(ascend).filter(|names| names.iter().all(|name| all.contains(name))) {
        Some(names) => {
            all.retain(|name| names.contains(name));
            Met::Yes
        }
        None => {
            let all: Vec<&str> = all.iter().copied().collect();
            Met::Unknown(format!("an ascending array of some of {}", all.join(", ")))
        }
    }
}

fn devices(value: &Value) -> Met {
    let all: BTreeSet<&str> = DEVICES.iter().map(|(name, ..)| *name).collect();
    let mut left = all.clone();
    match subset(value, &mut left) {
        Met::Yes if left != all => Met::No("a runtime adds the rest of its default devices, and lets them be opened"),
        met => met,
    }
}

fn limit(value: &Value, range: RangeInclusive<i64>, limit: &mut Option<i64>) -> Met {
    match value.get("limit").and_then(Value::as_i64).filter(|limit| range.contains(limit)) {
        Some(number) if has_members(value, 1) => {
            *limit = Some(number);
            Met::Yes
        }
        _ => Met::Unknown(format!("{{\"limit\":N}} with a number from {} to {}", range.start(), range.end())),
    }
}

fn has_members(value: &Value, count: usize) -> bool {
    value.as_object().is_some_and(|members| members.len() == count)
}
