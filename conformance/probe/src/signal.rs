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

/// The signal of that name, which may lack its `SIG`, or number.
pub(crate) fn number(name: &str) -> Option<i32> {
    let short = name.strip_prefix("SIG").unwrap_or(name);
    let named = NAMES.iter().find(|(other, _)| *other == short).map(|(_, number)| *number);
    let offset = || short.strip_prefix("RTMIN+")?.parse::<i32>().ok()?.checked_add(REAL_TIME);
    named.or_else(offset).or_else(|| short.parse().ok()).filter(|number| (1..=LAST).contains(number))
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
    fn every_signal_has_one_name() {
        for signal in 1..=LAST {
            assert_eq!(number(&name(signal)), Some(signal));
        }
        assert_eq!(name(34), "SIGRTMIN+0");
        assert_eq!(name(64), "SIGRTMIN+30");
    }

    #[test]
    fn names_may_be_short() {
        assert_eq!(number("TERM"), Some(15));
        assert_eq!(number("SIGTERM"), Some(15));
        assert_eq!(number("RTMIN+3"), Some(37));
        for wrong in ["", "SIG", "term", "0", "65", "RTMIN+31", "RTMIN+2147483647"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }
}
