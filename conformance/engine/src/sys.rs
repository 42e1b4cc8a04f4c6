//! System calls that have no safe interface.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
#[cfg(feature = "embedded")]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

#[cfg(feature = "embedded")]
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Gives the calling thread, and what it starts, a mount namespace of its own.
pub(crate) fn own_mounts() -> io::Result<()> {
    // SAFETY: with this flag alone, descriptors stay shared with other threads, which is what could be unsound.
    Ok(unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?)
}

/// Gives the calling thread, and what it starts, a network of its own, with a loopback interface that is down.
#[cfg(feature = "embedded")]
pub(crate) fn own_network() -> io::Result<()> {
    // SAFETY: as above.
    Ok(unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?)
}

/// The number of the last signal.
const LAST: c_int = 64;

/// How long a set of signals is for the kernel, in bytes.
const SET_BYTES: usize = 8;

/// Gives a signal its default action; nothing happens to those that have no other.
fn set_default(signal: c_int) {
    // The call itself, since the C library keeps two signals from its callers, which can be ignored all the same.
    // Zeros are the default action in the structure of every architecture, none of which is longer than this.
    let default = [0_u64; 8];
    // SAFETY: the structure is as long as the kernel reads, and no function of ours is in it.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), ptr::null::<u64>(), SET_BYTES) };
}

/// Whether a signal is ignored, which is inherited from whoever started this process.
pub(crate) fn is_ignored(signal: c_int) -> bool {
    // SAFETY: zeroes are a value of the structure, no new action is given, and the old one has a place.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}

/// Sets every signal to its default, as an ignored one is inherited by whatever is started; Rust's own choice for
/// SIGPIPE stays, which it takes back in each process that it starts.
pub(crate) fn default_signals() {
    for signal in 1..=LAST {
        if ![libc::SIGPIPE, libc::SIGSEGV, libc::SIGBUS].contains(&signal) {
            set_default(signal);
        }
    }
}

/// Blocks no signal in this thread and in what it starts: whoever started this process may have blocked those by which
/// it is asked to stop.
pub(crate) fn unblock_signals() -> io::Result<()> {
    // SAFETY: the set is initialised by sigemptyset before it is read.
    let result = unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(result)) }
}

/// Has `command` begin with every signal at its default action.
///
/// Not only with those that this process ignores: posix_spawn(3) of glibc ignores a signal of its own in what it
/// starts, which a container would inherit.
pub fn with_default_signals(command: &mut Command) -> &mut Command {
    // SAFETY: system calls are all that is done between fork and exec.
    unsafe {
        command.pre_exec(|| {
            (1..=LAST).for_each(set_default);
            Ok(())
        })
    }
}

/// Has no descriptor but 0, 1 and 2 be there after the next program is executed.
///
/// # Errors
///
/// Those of close_range(2).
#[cfg(feature = "embedded")]
pub(crate) fn keep_streams_alone() -> io::Result<()> {
    close_at_execution(3)
}

/// Whether that can be done.
///
/// # Errors
///
/// Those of close_range(2), of which Linux has this use since 5.11.
#[cfg(feature = "embedded")]
pub(crate) fn can_keep_streams_alone() -> io::Result<()> {
    // There is no such descriptor.
    close_at_execution(libc::c_uint::MAX)
}

#[cfg(feature = "embedded")]
fn close_at_execution(first: libc::c_uint) -> io::Result<()> {
    // SAFETY: nothing is closed here, and the descriptors of this process are its own.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sends the signal of this number to a process, also a real-time one.
pub(crate) fn send(process: rustix::process::Pid, signal: i32) -> io::Result<()> {
    // SAFETY: kill(2) takes any numbers.
    match unsafe { libc::kill(process.as_raw_nonzero().get(), signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The same for the process that this descriptor stands for, which can have ended, and its number be another's.
#[cfg(feature = "embedded")]
pub(crate) fn send_to(process: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let (process, nothing) = (process.as_raw_fd(), ptr::null::<libc::siginfo_t>());
    // SAFETY: pidfd_send_signal(2) takes any numbers, and makes the information on the signal itself where there is none.
    match unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process, signal, nothing, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether the process that this descriptor stands for has ended.
#[cfg(feature = "embedded")]
pub(crate) fn has_ended(process: impl AsFd) -> io::Result<bool> {
    let mut descriptors = [PollFd::new(&process, PollFlags::IN)];
    Ok(poll(&mut descriptors, Some(&Timespec::default()))? > 0)
}

#[cfg(feature = "embedded")]
pub(crate) use self::container::{attach_device_program, execute, install_filter, reset_signals};

/// What the embedded backend needs.
#[cfg(feature = "embedded")]
mod container {
    use std::ffi::{CString, c_char, c_int};
    use std::io;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::ptr;

    use seccompiler::sock_filter;

    /// Gives every signal its default action, and blocks none.
    ///
    /// # Errors
    ///
    /// Those of sigprocmask(2).
    pub(crate) fn reset_signals() -> io::Result<()> {
        (1..=super::LAST).for_each(super::set_default);
        super::unblock_signals()
    }

    /// Executes the program that `arguments` begins with, a path: no `PATH` and no shell is tried.
    ///
    /// Returns the error of execve(2), if it returns.
    pub(crate) fn execute(arguments: &[CString], environment: &[CString]) -> io::Error {
        let pointers = |strings: &[CString]| -> Vec<*const c_char> {
            strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
        };
        let Some(program) = arguments.first() else {
            return io::Error::from_raw_os_error(libc::EINVAL);
        };
        let (arguments, environment) = (pointers(arguments), pointers(environment));
        // SAFETY: all are zero-terminated strings, and the arrays of them end with a null pointer.
        unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
        io::Error::last_os_error()
    }

    /// Filters the system calls of this thread by one more program.
    ///
    /// # Errors
    ///
    /// Those of prctl(2) for `PR_SET_SECCOMP`.
    pub(crate) fn install_filter(program: &[sock_filter]) -> io::Result<()> {
        let len = u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
        // The kernel does not write to it.
        let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut().cast() };
        // SAFETY: the instructions are as many as `len` says, in the form that the kernel reads (seccompiler declares it
        // as C does), and both structures live until the call returns.
        let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Has the kernel ask a program (`BPF_PROG_TYPE_CGROUP_DEVICE`) for each device that a process of a control group opens
    /// or makes. The program ends with the group.
    ///
    /// # Errors
    ///
    /// Those of bpf(2).
    pub(crate) fn attach_device_program(group: &OwnedFd, program: &[u64]) -> io::Result<()> {
        const PROG_LOAD: c_int = 5;
        const PROG_ATTACH: c_int = 8;
        const CGROUP_DEVICE_PROGRAM: u32 = 15;
        const CGROUP_DEVICE: u32 = 6;
        /// Beside what others attach, all of which have to allow.
        const ALLOW_MULTI: u32 = 2;

        /// What bpf(2) takes to load a program, as far as it is not zero.
        #[repr(C)]
        struct Load {
            kind: u32,
            instructions: u32,
            program: *const u64,
            licence: *const c_char,
        }
        /// What it takes to attach one.
        #[repr(C)]
        struct Attach {
            group: c_int,
            program: c_int,
            kind: u32,
            flags: u32,
        }
        let instructions = u32::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
        let load = Load {
            kind: CGROUP_DEVICE_PROGRAM,
            instructions,
            program: program.as_ptr(),
            licence: c"Apache-2.0".as_ptr(),
        };
        // SAFETY: the structure has the form of the beginning of `union bpf_attr`, the kernel takes the rest as zero, and
        // what it points to lives until the call returns.
        let loaded = unsafe { libc::syscall(libc::SYS_bpf, PROG_LOAD, &raw const load, size_of::<Load>()) };
        let loaded = c_int::try_from(loaded).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
        // SAFETY: the kernel has just made this descriptor, and nobody else knows of it.
        let loaded = unsafe { OwnedFd::from_raw_fd(loaded) };
        let attach =
            Attach { group: group.as_raw_fd(), program: loaded.as_raw_fd(), kind: CGROUP_DEVICE, flags: ALLOW_MULTI };
        // SAFETY: as above; the descriptors are open.
        let attached = unsafe { libc::syscall(libc::SYS_bpf, PROG_ATTACH, &raw const attach, size_of::<Attach>()) };
        if attached == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
