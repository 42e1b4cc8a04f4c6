//! The descriptors that are open.

use std::fs;
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;

use rustix::fs::{Dir, FileType, Mode, OFlags, fcntl_getfl, fstat, open};
use rustix::termios::isatty;
use serde_json::{Value, json};

use super::Seen;
use crate::{sys, value};

/// All but the one that is used for looking, in the order of their numbers.
pub(super) fn descriptors() -> Seen {
    let folder = open("/proc/self/fd", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let own = folder.as_raw_fd();
    let mut numbers: Vec<RawFd> = Vec::new();
    for entry in Dir::new(folder)? {
        numbers.extend(entry?.file_name().to_str().ok().and_then(|name| name.parse::<RawFd>().ok()));
    }
    numbers.retain(|number| *number != own);
    numbers.sort_unstable();
    Ok(numbers.into_iter().map(|number| value::or_error(described(number))).collect())
}

fn described(number: RawFd) -> Seen {
    let target = fs::read_link(PathBuf::from(format!("/proc/self/fd/{number}"))).map(|target| value::path(&target));
    let Some(descriptor) = sys::descriptor(number) else {
        return Ok(json!({"fd": number, "error": "EBADF"}));
    };
    let kind = match FileType::from_raw_mode(fstat(descriptor)?.st_mode) {
        FileType::Fifo => "pipe",
        FileType::RegularFile => "file",
        FileType::CharacterDevice => "character",
        FileType::Socket => "socket",
        FileType::Directory => "directory",
        _ => "other",
    };
    let access = match fcntl_getfl(descriptor)? & OFlags::RWMODE {
        OFlags::RDWR => Value::from("both"),
        OFlags::WRONLY => "write".into(),
        _ => "read".into(),
    };
    Ok(json!({
        "fd": number,
        "kind": kind,
        "access": access,
        "target": value::or_error(target),
        "terminal": isatty(descriptor),
    }))
}
