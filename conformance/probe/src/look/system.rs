//! What the process sees of the machine: processes, names, interfaces.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixDatagram;

use rustix::system::uname;
use serde_json::json;

use super::Seen;
use crate::{sys, value};

/// The processes in `/proc`, in the order of their numbers. `comm` is `null` where it is not told.
pub(super) fn processes() -> Seen {
    let mut numbers = Vec::new();
    for entry in fs::read_dir("/proc")? {
        numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    // One that ended meanwhile is still said: it was visible.
    let described = numbers.into_iter().map(|pid| {
        let comm = fs::read(format!("/proc/{pid}/comm")).ok();
        json!({"pid": pid, "comm": comm.map(|comm| value::text(comm.trim_ascii_end()))})
    });
    Ok(described.collect())
}

pub(super) fn hostname() -> Seen {
    Ok(value::c_text(uname().nodename()))
}

pub(super) fn domainname() -> Seen {
    Ok(value::c_text(uname().domainname()))
}

pub(super) fn kernel() -> Seen {
    let names = uname();
    Ok(json!({
        "name": value::c_text(names.sysname()),
        "release": value::c_text(names.release()),
        "version": value::c_text(names.version()),
        "machine": value::c_text(names.machine()),
    }))
}

/// All network interfaces, those that are down as well, sorted by name.
pub(super) fn interfaces() -> Seen {
    let socket = UnixDatagram::unbound()?;
    let described = interface_names()?.into_iter().map(|name| {
        let flags = sys::interface_flags(socket.as_fd(), &name);
        let has = |flag: libc::c_int| flags.as_ref().map(|flags| i32::from(*flags) & flag != 0).ok();
        json!({"name": value::text(&name), "up": has(libc::IFF_UP), "loopback": has(libc::IFF_LOOPBACK)})
    });
    Ok(described.collect())
}

/// By the table in `/proc`, whose first two lines are its head; else by the folder in `/sys`.
fn interface_names() -> io::Result<BTreeSet<Vec<u8>>> {
    if let Ok(table) = fs::read("/proc/self/net/dev") {
        let rows = table.split(|byte| *byte == b'\n').skip(2);
        let names = rows.filter_map(|row| {
            let end = row.iter().rposition(|byte| *byte == b':')?;
            Some(row.get(..end)?.trim_ascii().to_vec())
        });
        return Ok(names.collect());
    }
    fs::read_dir("/sys/class/net")?.map(|entry| Ok(entry?.file_name().into_vec())).collect()
}
