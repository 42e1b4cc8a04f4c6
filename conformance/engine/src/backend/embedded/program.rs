//! This program, to be executed again.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::OnceLock;

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};

/// The path of a copy of this program that nobody can change, for as long as this process lives.
///
/// The process that waits executes it, and an image can have that executed once more, as `/proc/self/exe`, with
/// loaders of its own, which then have the file open. On the file of the host, that would be a way to write to it
/// (CVE-2019-5736).
///
/// # Errors
///
/// Why there is no copy, in words.
pub(super) fn path() -> Result<PathBuf, String> {
    static COPY: OnceLock<Result<OwnedFd, String>> = OnceLock::new();
    let copied = COPY.get_or_init(|| copy().map_err(|error| format!("this program cannot be copied: {error}")));
    let copy = copied.as_ref().map_err(Clone::clone)?;
    Ok(format!("/proc/self/fd/{}", copy.as_raw_fd()).into())
}

/// How often sealing the copy is tried.
const TRIES: u32 = 500;

fn copy() -> io::Result<OwnedFd> {
    let mut copy = File::from(memory()?);
    // Whatever has become of the file since: this is what runs.
    io::copy(&mut File::open("/proc/self/exe")?, &mut copy)?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    // The kernel refuses as long as somebody else holds a page of it for a moment, a reader ahead for instance.
    let mut tries = 0;
    while let Err(error) = rustix::fs::fcntl_add_seals(&copy, seals) {
        tries += 1;
        if error != rustix::io::Errno::BUSY || tries > TRIES {
            return Err(error.into());
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    // What is open for writing cannot be executed.
    let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
    Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// A file in memory that can be executed.
fn memory() -> rustix::io::Result<OwnedFd> {
    let create = |flags| rustix::fs::memfd_create("cornercast", flags);
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match create(flags | MemfdFlags::EXEC) {
        // Before Linux 6.3 all of them can.
        Err(rustix::io::Errno::INVAL) => create(flags),
        created => created,
    }
}
