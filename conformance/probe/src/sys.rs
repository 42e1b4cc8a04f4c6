//! What no safe interface offers: the entry, and calls of the kernel.
//!
//! This is the only file with `unsafe` in it. The program has one thread, which is what most of the
//! reasons below rest on.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use libc::{c_char, c_int, c_long, c_short, c_ulong, gid_t, pid_t, uid_t};
use rustix::process::{Pid, WaitOptions, waitpid};

use crate::signal;

/// Where the C library starts the program.
///
/// The entry of the language's own library would ignore SIGPIPE, handle SIGSEGV and SIGBUS, and open
/// `/dev/null` for each of the first three descriptors that is closed (or abort, if it cannot).
/// It knows the arguments all the same: glibc hands them to what initialises itself before this.
// SAFETY: it is the one `main` of the program, and has the signature that C gives it.
#[cfg(not(test))]
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
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
    let nothing = null::<u64>();
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
        *place = c_char::from_ne_bytes([*byte]);
    }
    // SAFETY: SIOCGIFFLAGS reads the name, which ends with a zero, and writes the flags.
    done(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) }.into())?;
    // SAFETY: the call has written the flags.
    Ok(unsafe { request.ifr_ifru.ifru_flags })
}

/// Closes a descriptor.
pub(crate) fn close(number: RawFd) -> io::Result<()> {
    // SAFETY: between two steps no value of the program stands for a descriptor, but for those that
    // steps have forgotten and that nobody uses.
    done(unsafe { libc::close(number) }.into()).map(drop)
}

/// Goes on as another program: the words are its path and what follows its name. Returns if that fails.
pub(crate) fn exec(words: &[&[u8]]) -> io::Error {
    let words: Vec<CString> = match words.iter().map(|word| CString::new(*word)).collect() {
        Ok(words) => words,
        Err(error) => return error.into(),
    };
    let pointers: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).chain([null()]).collect();
    let path = pointers.first().copied().unwrap_or(null());
    // SAFETY: the path and the words end with zeroes, and the list of them with a null.
    unsafe { libc::execv(path, pointers.as_ptr()) };
    io::Error::last_os_error()
}

/// Starts a child that does this and exits with what it returns; the child's number.
pub(crate) fn fork(child: impl FnOnce() -> u8) -> io::Result<pid_t> {
    // SAFETY: with one thread, the child has all that the parent has, in a sound state.
    let forked = done(unsafe { libc::fork() }.into())?;
    if forked == 0 {
        let code = child();
        // SAFETY: it ends the child at once; what the parent would do at its end is the parent's.
        unsafe { libc::_exit(code.into()) }
    }
    Ok(pid_t::try_from(forked).unwrap_or_default())
}

/// Sends a signal to one process.
pub(crate) fn kill(process: u32, signal: i32) -> io::Result<()> {
    let process = pid_t::try_from(process).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    // SAFETY: the call takes any numbers.
    done(unsafe { libc::kill(process, signal) }.into()).map(drop)
}

/// What a trapped signal does.
struct Trap {
    line: OnceLock<String>,
    code: AtomicU8,
}

/// By the numbers of the signals.
static TRAPS: [Trap; signal::LAST as usize + 1] =
    [const { Trap { line: OnceLock::new(), code: AtomicU8::new(0) } }; signal::LAST as usize + 1];

/// Has a signal print a line and exit from now on.
pub(crate) fn trap(signal: i32, line: String, code: u8) -> io::Result<()> {
    let trap = usize::try_from(signal).ok().and_then(|signal| TRAPS.get(signal));
    let trap = trap.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    trap.code.store(code, Ordering::SeqCst);
    trap.line.get_or_init(|| line);
    // SAFETY: zeroes are a value of this structure of numbers.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = caught as *const () as usize;
    // SAFETY: the handler has the signature that no flags ask for, and does only what a handler may.
    done(unsafe { libc::sigaction(signal, &raw const action, null_mut()) }.into()).map(drop)
}

/// Reads, writes and exits without locks or memory of its own: it may come at any time.
extern "C" fn caught(signal: c_int) {
    let trap = usize::try_from(signal).ok().and_then(|signal| TRAPS.get(signal));
    if let Some(line) = trap.and_then(|trap| trap.line.get()) {
        // SAFETY: the line is never changed; where it cannot be written, the code has to do.
        unsafe { libc::write(libc::STDOUT_FILENO, line.as_ptr().cast(), line.len()) };
    }
    let code = trap.map_or(0, |trap| trap.code.load(Ordering::SeqCst));
    // SAFETY: it ends the program at once.
    unsafe { libc::_exit(code.into()) }
}

/// Blocks a signal from now on.
pub(crate) fn block(signal: i32) -> io::Result<()> {
    let mask = 1_u64 << (signal - 1);
    // SAFETY: the mask is as large as is told, and nothing is written.
    done(unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, &raw const mask, null::<u64>(), 8) })
        .map(drop)
}

/// Ignores a signal from now on.
pub(crate) fn ignore(signal: i32) -> io::Result<()> {
    // SAFETY: to ignore takes no handler.
    let before = unsafe { libc::signal(signal, libc::SIG_IGN) };
    if before == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Writes to a page that cannot be written to. Returns if there is no such page.
pub(crate) fn fault() -> io::Result<()> {
    const PAGE: usize = 4096;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, wherever there is room, is in nobody's way.
    let page = unsafe { libc::mmap(null_mut(), PAGE, libc::PROT_NONE, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is not safe: the access is what is wanted. The page is nobody else's, so all that
    // comes of it is the signal.
    unsafe { page.cast::<u8>().write_volatile(1) };
    Ok(())
}

/// Goes into new namespaces, by their flags.
pub(crate) fn unshare(flags: c_int) -> io::Result<()> {
    // SAFETY: the flags are those of namespaces; no table of descriptors comes apart.
    done(unsafe { libc::unshare(flags) }.into()).map(drop)
}

/// Starts a child in new namespaces, by their flags, and waits for its end.
pub(crate) fn clone(flags: c_int) -> io::Result<()> {
    let flags = c_ulong::try_from(flags | libc::SIGCHLD).unwrap_or_default();
    let nothing = 0_usize;
    // SAFETY: without a stack and shared memory it is a fork; the child only exits.
    ended(unsafe { libc::syscall(libc::SYS_clone, flags, nothing, nothing, nothing, nothing) })
}

/// As [`clone`], by the newer call.
pub(crate) fn clone3(flags: c_int) -> io::Result<()> {
    // SAFETY: zeroes are a value of this structure of numbers.
    let mut arguments: libc::clone_args = unsafe { MaybeUninit::zeroed().assume_init() };
    arguments.flags = u64::try_from(flags).unwrap_or_default();
    arguments.exit_signal = u64::try_from(libc::SIGCHLD).unwrap_or_default();
    // SAFETY: as above; the structure is as long as is said.
    ended(unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of_val(&arguments)) })
}

/// Exits in the child, and waits for that in the parent.
fn ended(cloned: c_long) -> io::Result<()> {
    match done(cloned)? {
        // SAFETY: it ends the child at once.
        0 => unsafe { libc::_exit(0) },
        child => {
            let child = pid_t::try_from(child).ok().and_then(Pid::from_raw);
            Ok(waitpid(child, WaitOptions::empty()).map(drop)?)
        }
    }
}

/// Begins to trace a process, without stopping it.
pub(crate) fn trace(process: u32) -> io::Result<()> {
    // SAFETY: the request has neither an address nor options.
    done(unsafe { libc::ptrace(libc::PTRACE_SEIZE, process, 0_usize, 0_usize) }).map(drop)
}

/// Reads a few bytes of a process, where this one has something itself; how many.
pub(crate) fn read_memory(process: u32) -> io::Result<c_long> {
    static THERE: u64 = 0;
    let mut here = 0_u64;
    let local = libc::iovec { iov_base: (&raw mut here).cast(), iov_len: size_of_val(&here) };
    let remote = libc::iovec { iov_base: (&raw const THERE).cast_mut().cast(), iov_len: size_of_val(&here) };
    let process = pid_t::try_from(process).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    // SAFETY: what is written to is as long as is said; what is read is not this process's.
    let read = unsafe { libc::process_vm_readv(process, &raw const local, 1, &raw const remote, 1, 0) };
    done(read.try_into().unwrap_or(-1))
}

/// Makes a map of one element.
pub(crate) fn bpf() -> io::Result<()> {
    const MAP_CREATE: c_int = 0;
    // An array; the sizes of a key and of a value; how many.
    let attributes: [u32; 8] = [2, 4, 8, 1, 0, 0, 0, 0];
    // SAFETY: the attributes are as long as is said.
    opened(unsafe { libc::syscall(libc::SYS_bpf, MAP_CREATE, attributes.as_ptr(), size_of_val(&attributes)) })
}

/// Opens a counter of the program's own time, which does not run.
pub(crate) fn perf() -> io::Result<()> {
    // A counter of software, 64 bytes of attributes; at 40 the flags: disabled, without kernel and hypervisor.
    let attributes: [u32; 16] = [1, 64, 0, 0, 0, 0, 0, 0, 0, 0, 1 | 1 << 5 | 1 << 6, 0, 0, 0, 0, 0];
    // SAFETY: the attributes are as long as they say.
    opened(unsafe { libc::syscall(libc::SYS_perf_event_open, attributes.as_ptr(), 0, -1, -1, 0_usize) })
}

/// Asks for the number of the session's keyring, which is not made for that.
pub(crate) fn keyctl() -> io::Result<()> {
    const GET_KEYRING_ID: c_int = 0;
    const SESSION_KEYRING: c_long = -3;
    // SAFETY: the call takes numbers.
    done(unsafe { libc::syscall(libc::SYS_keyctl, GET_KEYRING_ID, SESSION_KEYRING, 0_usize) }).map(drop)
}

/// Adds a key to the keyring of the process.
pub(crate) fn add_key() -> io::Result<()> {
    const PROCESS_KEYRING: c_int = -2;
    let (kind, name, payload) = (c"user".as_ptr(), c"cornercast-probe".as_ptr(), c"x".as_ptr());
    // SAFETY: the names end with zeroes, and the payload has a byte.
    done(unsafe { libc::syscall(libc::SYS_add_key, kind, name, payload, 1_usize, PROCESS_KEYRING) }).map(drop)
}

/// Asks for a key that does not exist, and not for it to be made.
pub(crate) fn request_key() -> io::Result<()> {
    let (kind, name, nothing) = (c"user".as_ptr(), c"cornercast-probe-has-no-such-key".as_ptr(), null::<c_char>());
    // SAFETY: the names end with zeroes.
    done(unsafe { libc::syscall(libc::SYS_request_key, kind, name, nothing, 0) }).map(drop)
}

/// Opens a descriptor for the program's own faults, which is what most are allowed; before 5.11 it was all or nothing.
pub(crate) fn userfaultfd() -> io::Result<()> {
    const USER_MODE_ONLY: c_int = 1;
    // SAFETY: the call takes flags.
    let made = |flags: c_int| opened(unsafe { libc::syscall(libc::SYS_userfaultfd, flags) });
    match made(libc::O_CLOEXEC | USER_MODE_ONLY) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => made(libc::O_CLOEXEC),
        made => made,
    }
}

/// Opens the root by its handle; where the file system gives none, by one that stands for nothing.
pub(crate) fn open_by_handle() -> io::Result<()> {
    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: i32,
        handle: [u8; 128],
    }
    let mut handle = Handle { bytes: 128, kind: 0, handle: [0; 128] };
    let folder = std::fs::File::open("/")?;
    let (root, path, mut mount) = (folder.as_raw_fd(), c"/".as_ptr(), 0_i32);
    // SAFETY: the handle has as much room as it says, and the number of the mount has its place.
    let named = unsafe { libc::syscall(libc::SYS_name_to_handle_at, root, path, &raw mut handle, &raw mut mount, 0) };
    if named == -1 {
        handle = Handle { bytes: 8, kind: 1, handle: [0xff; 128] };
    }
    // SAFETY: the handle has as many bytes as it says.
    opened(unsafe { libc::syscall(libc::SYS_open_by_handle_at, root, &raw const handle, libc::O_PATH) })
}

/// Would load a kernel of more parts than there can be, with flags that do not exist.
pub(crate) fn kexec() -> io::Result<()> {
    let (parts, nothing, flags): (c_ulong, _, c_ulong) = (c_ulong::MAX, null::<u8>(), 0x8000);
    // SAFETY: the kernel reads no parts where there are too many.
    done(unsafe { libc::syscall(libc::SYS_kexec_load, 0_usize, parts, nothing, flags) }).map(drop)
}

/// Has two magic numbers that mean nothing, and a command that only disables the keys for it.
pub(crate) fn reboot() -> io::Result<()> {
    // SAFETY: nothing is done without the magic numbers.
    done(unsafe { libc::syscall(libc::SYS_reboot, 0, 0, libc::RB_DISABLE_CAD, null::<u8>()) }).map(drop)
}

/// Would set a time zone that is ten weeks away, and no time. The kernel asks for privileges before it sees that.
pub(crate) fn settimeofday() -> io::Result<()> {
    let zone: [c_int; 2] = [100_000, 0];
    // SAFETY: the zone has the two numbers of its structure.
    done(unsafe { libc::syscall(libc::SYS_settimeofday, null::<u8>(), zone.as_ptr()) }).map(drop)
}

/// Would set a tick of no length. The kernel asks for privileges before it sees that.
pub(crate) fn adjtimex() -> io::Result<()> {
    // SAFETY: zeroes are a value of this structure of numbers.
    let mut change: libc::timex = unsafe { MaybeUninit::zeroed().assume_init() };
    change.modes = libc::ADJ_TICK;
    // SAFETY: the structure is there to be read and written.
    done(unsafe { libc::adjtimex(&raw mut change) }.into()).map(drop)
}

/// Swaps to what is at a path, or stops that.
pub(crate) fn swap(path: &[u8], on: bool) -> io::Result<()> {
    let path = CString::new(path)?;
    // SAFETY: the path ends with a zero.
    let returned = unsafe { if on { libc::swapon(path.as_ptr(), 0) } else { libc::swapoff(path.as_ptr()) } };
    done(returned.into()).map(drop)
}

/// Takes access to all ports, and gives it back.
pub(crate) fn iopl() -> io::Result<()> {
    // SAFETY: nothing of the program touches a port.
    #[cfg(target_arch = "x86_64")]
    let set = |level: c_int| done(unsafe { libc::syscall(libc::SYS_iopl, level) }).map(drop);
    #[cfg(not(target_arch = "x86_64"))]
    let set = |_: c_int| Err(io::Error::from_raw_os_error(libc::ENOSYS));
    set(3).and_then(|()| set(0))
}

/// Makes a ring of one entry.
pub(crate) fn io_uring() -> io::Result<()> {
    let mut parameters = [0_u32; 30];
    // SAFETY: the parameters are as long as their structure.
    opened(unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) })
}

/// Closes the descriptor that a call has made, or the error that it left.
fn opened(returned: c_long) -> io::Result<()> {
    let descriptor = RawFd::try_from(done(returned)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made it, for nobody else.
    drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
    Ok(())
}

/// What the C library returned, or the error that it left.
fn done(returned: c_long) -> io::Result<c_long> {
    if returned == -1 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}
