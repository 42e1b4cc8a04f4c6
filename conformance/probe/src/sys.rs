//! What no safe interface offers: the entry, and calls of the kernel.
//!
//! This is the only file with `unsafe` in it. The program has one thread, which is what most of the
//! reasons below rest on.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use libc::{c_long, c_short, gid_t, pid_t, uid_t};

use crate::signal;

/// Where the C library starts the program.
///
/// The entry of the language's own library would ignore SIGPIPE, handle SIGSEGV and SIGBUS, and open
/// `/dev/null` for each of the first three descriptors that is closed (or abort, if it cannot).
// SAFETY: it is the one `main` of the program, and has the signature that C gives it.
#[cfg(not(test))]
#[unsafe(no_mangle)]
extern "C" fn main(_count: i32, _arguments: *const *const libc::c_char) -> i32 {
    crate::run().into()
}

/// The descriptor of that number, if it is open.
pub(crate) fn descriptor(number: RawFd) -> Option<BorrowedFd<'static>> {
    // SAFETY: F_GETFD takes any number.
    let open = unsafe { libc::fcntl(number, libc::F_GETFD) } != -1;
    // SAFETY: it is open and not -1; whoever closes it is a step that does so by its number, when
    // no such value is alive.
    open.then(|| unsafe { BorrowedFd::borrow_raw(number) })
}

/// The real, the effective and the saved user id.
pub(crate) fn user_ids() -> io::Result<[uid_t; 3]> {
    let [mut real, mut effective, mut saved] = [0; 3];
    // SAFETY: the three places are there to be written to.
    done(unsafe { libc::getresuid(&raw mut real, &raw mut effective, &raw mut saved) }.into())?;
    Ok([real, effective, saved])
}

/// The real, the effective and the saved group id.
pub(crate) fn group_ids() -> io::Result<[gid_t; 3]> {
    let [mut real, mut effective, mut saved] = [0; 3];
    // SAFETY: the three places are there to be written to.
    done(unsafe { libc::getresgid(&raw mut real, &raw mut effective, &raw mut saved) }.into())?;
    Ok([real, effective, saved])
}

/// The session and the process group; 0 for one that began outside the namespace.
pub(crate) fn session_and_group() -> io::Result<[pid_t; 2]> {
    // SAFETY: neither call takes or leaves anything in memory.
    let (session, group) = unsafe { (libc::getsid(0), libc::getpgrp()) };
    done(session.into())?;
    Ok([session, group])
}

/// What is done with signals: the numbers of those that are ignored, and of those that are blocked.
///
/// The kernel is asked, since the C library shows neither of the two signals that it uses itself.
pub(crate) fn signals() -> io::Result<(Vec<i32>, Vec<i32>)> {
    /// As large as the mask of a signal is for the kernel.
    const MASK: usize = size_of::<u64>();
    let nothing = std::ptr::null::<u64>();
    let mut mask = 0_u64;
    // SAFETY: no new mask is given, and the old one has a place of the size that is told.
    done(unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, nothing, &raw mut mask, MASK) })?;
    let blocked = (1..=signal::LAST).filter(|signal| mask & (1 << (signal - 1)) != 0).collect();
    let mut ignored = Vec::new();
    for signal in 1..=signal::LAST {
        // The handler is the first member of the kernel's structure, which has four or five.
        let mut action = [0_usize; 8];
        // SAFETY: no new action is given, and the old one has more room than it takes.
        done(unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, nothing, action.as_mut_ptr(), MASK) })?;
        if action.first() == Some(&libc::SIG_IGN) {
            ignored.push(signal);
        }
    }
    Ok((ignored, blocked))
}

/// The flags of the network interface of that name (`IFF_UP` and so on); any socket will do.
pub(crate) fn interface_flags(socket: BorrowedFd<'_>, name: &[u8]) -> io::Result<c_short> {
    // SAFETY: zeroes are a value of this structure of numbers.
    let mut request: libc::ifreq = unsafe { MaybeUninit::zeroed().assume_init() };
    let room = request.ifr_name.len() - 1;
    if name.len() > room {
        return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
    }
    for (place, byte) in request.ifr_name.iter_mut().zip(name) {
        *place = byte.cast_signed();
    }
    // SAFETY: SIOCGIFFLAGS reads the name, which ends with a zero, and writes the flags.
    done(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) }.into())?;
    // SAFETY: the call has written the flags.
    Ok(unsafe { request.ifr_ifru.ifru_flags })
}

/// What the C library returned, or the error that it left.
fn done(returned: c_long) -> io::Result<c_long> {
    if returned == -1 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}
