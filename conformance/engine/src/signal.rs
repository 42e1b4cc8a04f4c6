//! Names and numbers of signals.

pub use crate::sys::with_default_signals;

/// The signals of Linux by their numbers, those of x86, Arm and RISC-V.
const NAMES: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// The first real-time signal that a library leaves to programs (signal(7)).
const REAL_TIME: i32 = 34;

/// The name of a signal: `SIGTERM`, `SIGRTMIN+3`.
#[must_use]
pub fn name(number: i32) -> String {
    let known = usize::try_from(number - 1).ok().and_then(|index| NAMES.get(index));
    match known {
        Some(name) => (*name).to_owned(),
        None if number >= REAL_TIME => format!("SIGRTMIN+{}", number - REAL_TIME),
        None => format!("SIG{number}"),
    }
}

/// The number of a signal that a manifest names.
///
/// ```
/// use cornercast_engine::signal::{name, number};
///
/// assert_eq!(number("SIGTERM"), Some(15));
/// assert_eq!(number("SIGRTMIN+3").map(name).as_deref(), Some("SIGRTMIN+3"));
/// ```
#[must_use]
pub fn number(name: &str) -> Option<i32> {
    if let Some(offset) = name.strip_prefix("SIGRTMIN+") {
        return Some(REAL_TIME + offset.parse::<i32>().ok().filter(|offset| (0..=30).contains(offset))?);
    }
    let index = NAMES.iter().position(|known| *known == name)?;
    i32::try_from(index + 1).ok()
}
