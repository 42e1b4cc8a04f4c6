//! What of the kernel is hidden, and what can be written to.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use rustix::io::Errno;
use serde_json::{Map, Value};

use super::Seen;
use crate::filesystem::is_read_only;
use crate::{content, value};

const MASKED: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

const READ_ONLY: [&str; 6] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/sys"];

/// What reading each path yields: `absent`, `empty`, `denied` or `readable`.
pub(super) fn masked() -> Seen {
    Ok(each(&MASKED, |path| if fs::metadata(path)?.is_dir() { has_entries(path) } else { has_bytes(path) }))
}

/// Whether each path can be written to: `absent`, `read-only` or `writable`; a file on which only the
/// permissions keep the process from that is `denied`. Nothing is written.
pub(super) fn read_only() -> Seen {
    Ok(each(&READ_ONLY, |path| {
        let is_directory = fs::metadata(path)?.is_dir();
        if is_read_only(path) {
            return Ok("read-only");
        }
        if is_directory {
            return Ok("writable");
        }
        match content::opened(path, OpenOptions::new().write(true)) {
            Ok(_) => Ok("writable"),
            Err(error) if is(&error, Errno::ROFS) => Ok("read-only"),
            Err(error) => Err(error),
        }
    }))
}

/// What is found at each path, by the path.
fn each(paths: &[&str], find: impl Fn(&Path) -> io::Result<&'static str>) -> Value {
    let found = paths.iter().map(|path| {
        let found = match find(Path::new(path)) {
            Err(error) if is(&error, Errno::NOENT) => Ok("absent"),
            Err(error) if is(&error, Errno::ACCESS) || is(&error, Errno::PERM) => Ok("denied"),
            found => found,
        };
        ((*path).to_owned(), value::or_error(found.map(Value::from)))
    });
    Map::from_iter(found).into()
}

fn has_entries(path: &Path) -> io::Result<&'static str> {
    Ok(if fs::read_dir(path)?.next().transpose()?.is_some() { "readable" } else { "empty" })
}

fn has_bytes(path: &Path) -> io::Result<&'static str> {
    let read = content::opened(path, OpenOptions::new().read(true))?.read(&mut [0])?;
    Ok(if read == 0 { "empty" } else { "readable" })
}

fn is(error: &io::Error, errno: Errno) -> bool {
    Errno::from_io_error(error) == Some(errno)
}
