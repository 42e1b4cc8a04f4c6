//! Who the process is, and what it may do.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;

use rustix::process;
use rustix::thread::{
    CapabilitySet, capabilities as capability_sets, capability_is_in_ambient_set, capability_is_in_bounding_set,
    no_new_privs, secure_computing_mode,
};
use serde_json::{Map, Value, json};

use super::Seen;
use crate::{sys, value};

pub(super) fn uid() -> Seen {
    let [real, _, _] = sys::user_ids()?;
    Ok(real.into())
}

pub(super) fn euid() -> Seen {
    let [_, effective, _] = sys::user_ids()?;
    Ok(effective.into())
}

pub(super) fn suid() -> Seen {
    let [_, _, saved] = sys::user_ids()?;
    Ok(saved.into())
}

pub(super) fn gid() -> Seen {
    let [real, _, _] = sys::group_ids()?;
    Ok(real.into())
}

pub(super) fn egid() -> Seen {
    let [_, effective, _] = sys::group_ids()?;
    Ok(effective.into())
}

pub(super) fn sgid() -> Seen {
    let [_, _, saved] = sys::group_ids()?;
    Ok(saved.into())
}

/// As the kernel has them, in order and maybe repeated.
pub(super) fn groups() -> Seen {
    Ok(process::getgroups()?.into_iter().map(|group| group.as_raw()).collect())
}

/// The five sets. They are asked for rather than read, so that no `/proc` is needed.
pub(super) fn capabilities() -> Seen {
    let sets = capability_sets(None)?;
    Ok(json!({
        "inheritable": names(sets.inheritable),
        "permitted": names(sets.permitted),
        "effective": names(sets.effective),
        "bounding": names(asked(capability_is_in_bounding_set)?),
        "ambient": names(ambient()?),
    }))
}

/// A kernel that knows of no such set has none.
fn ambient() -> io::Result<CapabilitySet> {
    match asked(capability_is_in_ambient_set) {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => {
            Ok(CapabilitySet::empty())
        }
        set => set,
    }
}

/// A set that has to be asked for one by one; the kernel does not know those after the last.
fn asked(contains: impl Fn(CapabilitySet) -> rustix::io::Result<bool>) -> io::Result<CapabilitySet> {
    let mut set = CapabilitySet::empty();
    for capability in (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(1 << number)) {
        match contains(capability) {
            Ok(true) => set |= capability,
            Ok(false) => {}
            Err(_) if !set.is_empty() || capability.bits() > 1 => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(set)
}

fn names(set: CapabilitySet) -> Vec<String> {
    let mut names: Vec<String> = (0..u64::BITS)
        .filter(|number| set.bits() & (1 << number) != 0)
        .map(|number| match CapabilitySet::from_bits_retain(1 << number).iter_names().next() {
            Some((name, _)) => format!("CAP_{name}"),
            None => format!("CAP_{number}"),
        })
        .collect();
    names.sort();
    names
}

pub(super) fn no_new_privileges() -> Seen {
    Ok(no_new_privs()?.into())
}

/// 0 is none, 1 the strict mode, 2 a filter.
pub(super) fn seccomp() -> Seen {
    Ok((secure_computing_mode()? as i32).into())
}

pub(super) fn uid_map() -> Seen {
    Ok(value::lines(&fs::read("/proc/self/uid_map")?))
}

pub(super) fn gid_map() -> Seen {
    Ok(value::lines(&fs::read("/proc/self/gid_map")?))
}

/// What identifies each namespace, such as `mnt:[4026531841]`, by its kind.
pub(super) fn namespaces() -> Seen {
    let mut namespaces = Map::new();
    for entry in fs::read_dir("/proc/self/ns")? {
        let entry = entry?;
        let link = fs::read_link(entry.path()).map(|target| value::path(&target));
        namespaces.insert(String::from_utf8_lossy(entry.file_name().as_bytes()).into_owned(), value::or_error(link));
    }
    Ok(Value::from(namespaces))
}

/// The lines of `/proc/self/cgroup`.
pub(super) fn cgroup() -> Seen {
    Ok(value::lines(&fs::read("/proc/self/cgroup")?))
}
