//! The names of signals, as manifests have them.

/// What `SIGRTMIN+0` stands for: the C library keeps two for itself.
const REAL_TIME: i32 = 34;

/// The last signal.
pub(crate) const LAST: i32 = 64;

/// The name of a signal: `SIGTERM`, `SIGRTMIN+3`; `SIG32` where there is none.
pub(crate) fn name(number: i32) -> String {
    match NAMES.iter().find(|(_, other)| *other == number) {
        Some((name, _)) => format!("SIG{name}"),
        None if (REAL_TIME..=LAST).contains(&number) => format!("SIGRTMIN+{}", number - REAL_TIME),
        None => format!("SIG{number}"),
    }
}

const NAMES: [(&str, i32); 31] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("STKFLT", libc::SIGSTKFLT),
    ("CHLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("PWR", libc::SIGPWR),
    ("SYS", libc::SIGSYS),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_has_a_name() {
        assert_eq!(name(15), "SIGTERM");
        assert_eq!(name(32), "SIG32");
        assert_eq!(name(34), "SIGRTMIN+0");
        assert_eq!(name(64), "SIGRTMIN+30");
    }
}
