//! Steps that change who the program is, and where it is.

use std::fs::File;
use std::os::fd::AsFd;

use rustix::process::{Gid, Uid};
use rustix::system::sethostname as set_hostname;
use rustix::thread::{
    CapabilitySet, capabilities, move_into_link_name_space, set_capabilities, set_thread_gid, set_thread_groups,
    set_thread_uid,
};

use super::step::{self, DONE, Failure, Outcome, Parameters, Step};
use crate::sys;

pub(super) const STEPS: &[Step] = &[
    Step::new("setuid:UID", setuid),
    Step::new("setgid:GID", setgid),
    Step::new("setgroups:[GID,…]", setgroups),
    Step::new("capset-all", capset_all),
    Step::new("unshare:KIND", unshare),
    Step::new("clone:KIND", clone),
    Step::new("clone3:KIND", clone3),
    Step::new("setns:PATH", setns),
    Step::new("sethostname:NAME", sethostname),
];

// The program has one thread, so what is done to the thread is done to the program.

fn setuid(parameters: Parameters<'_>) -> Outcome {
    set_thread_uid(Uid::from_raw_unchecked(parameters.number()?))?;
    DONE
}

fn setgid(parameters: Parameters<'_>) -> Outcome {
    set_thread_gid(Gid::from_raw_unchecked(parameters.number()?))?;
    DONE
}

fn setgroups(parameters: Parameters<'_>) -> Outcome {
    let numbers = step::text(parameters.one()?)?.split(',').filter(|number| !number.is_empty());
    let groups = numbers.map(|number| Ok(Gid::from_raw_unchecked(step::number(number.as_bytes())?)));
    set_thread_groups(&groups.collect::<Result<Vec<_>, Failure>>()?)?;
    DONE
}

fn capset_all(_: Parameters<'_>) -> Outcome {
    let mut sets = capabilities(None)?;
    sets.permitted = CapabilitySet::all();
    sets.effective = CapabilitySet::all();
    set_capabilities(None, sets)?;
    DONE
}

fn unshare(parameters: Parameters<'_>) -> Outcome {
    sys::unshare(namespace(parameters)?)?;
    DONE
}

fn clone(parameters: Parameters<'_>) -> Outcome {
    sys::clone(namespace(parameters)?)?;
    DONE
}

fn clone3(parameters: Parameters<'_>) -> Outcome {
    sys::clone3(namespace(parameters)?)?;
    DONE
}

/// The flag that stands for a kind of namespace.
fn namespace(parameters: Parameters<'_>) -> Result<libc::c_int, Failure> {
    Ok(match parameters.one()? {
        b"user" => libc::CLONE_NEWUSER,
        b"mount" => libc::CLONE_NEWNS,
        b"net" => libc::CLONE_NEWNET,
        b"pid" => libc::CLONE_NEWPID,
        b"uts" => libc::CLONE_NEWUTS,
        b"ipc" => libc::CLONE_NEWIPC,
        b"cgroup" => libc::CLONE_NEWCGROUP,
        _ => return Err(Failure::Form),
    })
}

fn setns(parameters: Parameters<'_>) -> Outcome {
    let namespace = File::open(parameters.path()?)?;
    move_into_link_name_space(namespace.as_fd(), None)?;
    DONE
}

fn sethostname(parameters: Parameters<'_>) -> Outcome {
    set_hostname(parameters.one()?)?;
    DONE
}
