//! System calls that have no safe interface.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int};
use std::io;
use std::ptr;

use seccompiler::sock_filter;

/// How long a set of signals is for the kernel, in bytes.
const SET_BYTES: usize = 8;

/// Gives every signal its default action, and blocks none.
///
/// # Errors
///
/// Those of sigprocmask(2).
pub(crate) fn reset_signals() -> io::Result<()> {
    /// The number of the last signal.
    const LAST: c_int = 64;
    // The call itself, since the C library keeps two signals from its callers, which can be ignored all the same.
    // Zeros are the default action in the structure of every architecture, none of which is longer than this.
    let default = [0_u64; 8];
    for signal in 1..=LAST {
        // SAFETY: the structure is as long as the kernel reads, and no function of ours is in it. What cannot be
        // changed (KILL, STOP) is refused and stays as it is.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), ptr::null::<u64>(), SET_BYTES) };
    }
    // SAFETY: the set is initialised by sigemptyset before it is read.
    let result = unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
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
