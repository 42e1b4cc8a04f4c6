//! System calls that the compiler cannot answer for.
#![allow(unsafe_code)]

use std::io;

use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Gives the calling thread, and what it starts, a mount namespace of its own.
pub(crate) fn own_mounts() -> io::Result<()> {
    // SAFETY: with this flag alone, descriptors stay shared with other threads, which is what could be unsound.
    Ok(unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?)
}

/// Sets every signal to its default, as an ignored one is inherited by whatever is started; Rust's own choice for
/// SIGPIPE stays, which it takes back in each process that it starts.
pub(crate) fn default_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        if ![libc::SIGPIPE, libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, libc::SIGBUS].contains(&signal) {
            // SAFETY: nothing of this process has set a handler yet.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
}

/// Sends the signal of this number to a process, also a real-time one.
pub(crate) fn send(process: rustix::process::Pid, signal: i32) -> io::Result<()> {
    // SAFETY: kill(2) takes any numbers.
    match unsafe { libc::kill(process.as_raw_nonzero().get(), signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
