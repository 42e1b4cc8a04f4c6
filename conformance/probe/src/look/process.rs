//! What the process was started with, and what it is to the kernel.

use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use rustix::process::{self, Pid, Resource};
use rustix::thread;
use serde_json::{Map, Value, json};

use super::Seen;
use crate::{signal, sys, value};

/// The limits, by their names.
pub(crate) const LIMITS: [(&str, Resource); 16] = [
    ("RLIMIT_AS", Resource::As),
    ("RLIMIT_CORE", Resource::Core),
    ("RLIMIT_CPU", Resource::Cpu),
    ("RLIMIT_DATA", Resource::Data),
    ("RLIMIT_FSIZE", Resource::Fsize),
    ("RLIMIT_LOCKS", Resource::Locks),
    ("RLIMIT_MEMLOCK", Resource::Memlock),
    ("RLIMIT_MSGQUEUE", Resource::Msgqueue),
    ("RLIMIT_NICE", Resource::Nice),
    ("RLIMIT_NOFILE", Resource::Nofile),
    ("RLIMIT_NPROC", Resource::Nproc),
    ("RLIMIT_RSS", Resource::Rss),
    ("RLIMIT_RTPRIO", Resource::Rtprio),
    ("RLIMIT_RTTIME", Resource::Rttime),
    ("RLIMIT_SIGPENDING", Resource::Sigpending),
    ("RLIMIT_STACK", Resource::Stack),
];

pub(super) fn arguments() -> Seen {
    Ok(std::env::args_os().map(|argument| value::text(argument.as_bytes())).collect())
}

/// The variables as the kernel got them, in order, malformed and repeated ones included; where
/// `/proc` cannot tell, as the library of the language sees them.
pub(super) fn environment() -> Seen {
    let variables: Vec<Vec<u8>> = match std::fs::read("/proc/self/environ") {
        Ok(block) => block.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).map(<[u8]>::to_vec).collect(),
        Err(_) => std::env::vars_os().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat()).collect(),
    };
    Ok(variables.iter().map(|variable| value::text(variable)).collect())
}

pub(super) fn working_directory() -> Seen {
    Ok(value::text(&std::env::current_dir()?.into_os_string().into_vec()))
}

pub(super) fn id() -> Seen {
    Ok(process::getpid().as_raw_nonzero().get().into())
}

/// The parent; 0 if it is in a namespace that this one does not see.
pub(super) fn parent() -> Seen {
    Ok(Pid::as_raw(process::getppid()).into())
}

/// The session; 0 if it began in a namespace that this one does not see, which is why the safe
/// interface is not used: its numbers are never 0.
pub(super) fn session() -> Seen {
    let [session, _] = sys::session_and_group()?;
    Ok(session.into())
}

/// The process group; 0 as for the session.
pub(super) fn group() -> Seen {
    let [_, group] = sys::session_and_group()?;
    Ok(group.into())
}

/// The umask, which can only be read by setting it.
pub(super) fn umask() -> Seen {
    let mask = process::umask(rustix::fs::Mode::empty());
    process::umask(mask);
    Ok(mask.bits().into())
}

/// The signals that are ignored, and those that are blocked, in the order of their numbers.
pub(super) fn signals() -> Seen {
    let (ignored, blocked) = sys::signals()?;
    let names = |signals: Vec<i32>| signals.into_iter().map(signal::name).collect::<Vec<_>>();
    Ok(json!({"ignored": names(ignored), "blocked": names(blocked)}))
}

/// `null` is no limit.
pub(super) fn limits() -> Seen {
    let limits = LIMITS.map(|(name, resource)| {
        let limit = process::getrlimit(resource);
        (name.to_owned(), json!({"soft": limit.current, "hard": limit.maximum}))
    });
    Ok(Map::from_iter(limits).into())
}

pub(super) fn nice() -> Seen {
    Ok(process::getpriority_process(None)?.into())
}

pub(super) fn oom_score_adj() -> Seen {
    let text = std::fs::read_to_string("/proc/self/oom_score_adj")?;
    let score: i32 = text.trim().parse().map_err(|_| io::Error::other("the score is not a number"))?;
    Ok(score.into())
}

/// How many processors the process may run on.
pub(super) fn affinity() -> Seen {
    Ok(Value::from(thread::sched_getaffinity(None)?.count()))
}
