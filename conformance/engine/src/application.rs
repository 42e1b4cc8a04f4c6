//! The application from its start to its end.

use std::cell::Cell;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, getppid, kill_process, pidfd_open, waitid,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::pipe;

use crate::backend::{CreateError, End, Held};
use crate::{cgroup, sys};

/// How often is looked whether a parent has ended of whose threads one has: each ends with a signal.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// How an application is stopped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop {
    /// The number of the signal that it gets.
    pub(crate) signal: i32,
    /// How long it can take after that.
    pub(crate) grace: Duration,
}

/// Requests to stop, which this process gets as signals.
pub(crate) struct Requests {
    received: UnixStream,
    /// Whether there has been one.
    any: Arc<AtomicBool>,
    parent: Option<Pid>,
}

impl Requests {
    /// From now on, SIGTERM, SIGINT and SIGHUP are such requests, the last one not where this process `outlives_terminal`;
    /// where `parent` is given, one that comes of its end is to be told apart.
    pub(crate) fn listen(parent: Option<Pid>, outlives_terminal: bool) -> io::Result<Self> {
        let (received, sender) = UnixStream::pair()?;
        received.set_nonblocking(true)?;
        let any = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            if signal == SIGHUP && outlives_terminal {
                // It is caught and nothing is done, as an ignored one would be inherited by the application (RUN-030).
                flag::register(signal, Arc::default())?;
                continue;
            }
            flag::register(signal, Arc::clone(&any))?;
            pipe::register(signal, sender.try_clone()?)?;
        }
        Ok(Self { received, any, parent })
    }

    /// Whether there was one since the last time.
    pub(crate) fn take(&self) -> bool {
        let mut bytes = [0; 16];
        matches!(io::Read::read(&mut &self.received, &mut bytes), Ok(read) if read > 0)
    }

    /// Whether there has been one, or nobody waits any more.
    pub(crate) fn are_there(&self) -> bool {
        self.any.load(Ordering::Relaxed) || self.are_of_nobody()
    }

    /// Tells other threads whether there has been one.
    pub(crate) fn any(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.any)
    }

    /// Whether the process has ended without which nobody waits for the application.
    pub(crate) fn are_of_nobody(&self) -> bool {
        self.parent.is_some_and(|parent| getppid() != Some(parent))
    }
}

/// A process that is the application, or waits to become it; it has not been reaped.
pub(crate) struct Application {
    pid: Pid,
    pidfd: OwnedFd,
    /// The process while it waits.
    waiting: Seen,
    /// Whether its program has been executed.
    has_begun: bool,
    /// The application, where that is no process.
    held: Option<Box<dyn Held>>,
    /// Whether its status has been taken.
    is_reaped: Cell<bool>,
}

impl Drop for Application {
    /// Nothing of it outlives an error.
    fn drop(&mut self) {
        if self.is_reaped.get() {
            return;
        }
        if !matches!(self.ended(), Ok(Some(_))) {
            self.kill();
        }
        let _ = self.reap();
    }
}

/// The flag of a process that has executed no program since it was forked (`PF_FORKNOEXEC` of Linux, proc(5)).
const FORKED: u32 = 0x40;

/// What executing a program changes.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// Whether it is a fork that has executed nothing, which can also be told when it has ended, as long as it is there.
    is_fork: Option<bool>,
    /// The name of the process, which stays when it has ended.
    name: Option<Vec<u8>>,
    /// The file that it executes, which can be told until then: its device and number.
    program: Option<(u64, u64)>,
}

impl Seen {
    fn now(pid: Pid) -> Self {
        let folder = format!("/proc/{}", pid.as_raw_nonzero());
        let program = fs::metadata(format!("{folder}/exe")).ok();
        // `PID (NAME) STATE PPID PGRP SESSION TTY TPGID FLAGS …`, where the name can have any character.
        let status = fs::read(format!("{folder}/stat")).unwrap_or_default();
        let status = String::from_utf8_lossy(&status);
        let flags = status.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(6)?.parse::<u32>().ok());
        Self {
            is_fork: flags.map(|flags| flags & FORKED != 0),
            name: fs::read(format!("{folder}/comm")).ok(),
            program: program.map(|program| (program.dev(), program.ino())),
        }
    }

    /// Whether a program has been executed since. An image can call its program as it likes, and the application can
    /// take another name; so that is only looked at where what makes containers has executed a program itself.
    fn is_other(&self, before: &Self) -> bool {
        if before.is_fork == Some(true) {
            return self.is_fork == Some(false);
        }
        self.name != before.name || (self.program.is_some() && self.program != before.program)
    }
}

/// Whether a process is there and has executed a program since it was forked.
#[cfg(feature = "embedded")]
pub(crate) fn has_executed(pid: Pid) -> bool {
    Seen::now(pid).is_fork == Some(false)
}

impl Application {
    /// The process `pid`, a child of this one, which waits.
    pub(crate) fn waiting(pid: Pid) -> io::Result<Self> {
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).inspect_err(|_| {
            let _ = kill_process(pid, Signal::KILL);
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED);
        })?;
        let is_reaped = Cell::new(false);
        Ok(Self { pid, pidfd, waiting: Seen::now(pid), has_begun: false, held: None, is_reaped })
    }

    /// From now on it is what the backend holds: the process is what that waits for.
    pub(crate) fn hold(&mut self, held: Box<dyn Held>) -> io::Result<()> {
        self.pid = held.process();
        self.held = Some(held);
        self.pidfd = pidfd_open(self.pid, PidfdFlags::empty())?;
        Ok(())
    }

    /// Waits until the process executes its program, or has ended without. It ends if that is requested.
    ///
    /// # Errors
    ///
    /// The inner error says why its program was not executed.
    pub(crate) fn begins(&mut self, requests: &Requests) -> io::Result<Result<(), CreateError>> {
        let mut pause = Duration::from_micros(100);
        let mut killed = false;
        loop {
            // In this order: one that has ended keeps the name that it had.
            let ended = self.ended()?;
            let begins = match (&self.held, ended) {
                (Some(held), _) if held.is_running() => Ok(()),
                // It may have ended before anybody has seen it running. What was killed here ends as if it had begun.
                (Some(held), Some(end)) if !killed => held.began(end),
                (None, _) if Seen::now(self.pid).is_other(&self.waiting) => Ok(()),
                _ => Err(CreateError::Program("the program could not be executed".to_owned())),
            };
            self.has_begun = begins.is_ok();
            if self.has_begun || ended.is_some() {
                return Ok(begins);
            }
            if requests.take() || requests.are_of_nobody() {
                killed = true;
                self.kill();
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(5));
        }
    }

    /// Waits for the end, and stops the application when that is requested. Whether it had to be killed, too.
    ///
    /// All processes of `group` get the signal if an instance is named, which no engine has a reason to do.
    pub(crate) fn wait(&self, requests: &Requests, stop: Stop, group: Option<&str>) -> io::Result<(End, bool)> {
        let mut deadline: Option<Instant> = None;
        let mut killed = false;
        while self.ended()?.is_none() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if !killed && (left == Some(Duration::ZERO) || requests.are_of_nobody()) {
                killed = true;
                self.kill();
            }
            let look = if requests.parent.is_some() { BETWEEN_LOOKS } else { Duration::MAX };
            self.sleep(requests, left.filter(|_| !killed).map(|left| left.min(look)))?;
            if requests.take() {
                if (deadline.is_some() || requests.are_of_nobody()) && !killed {
                    // Whoever asks twice does not want to wait.
                    killed = true;
                    self.kill();
                } else if deadline.is_none() {
                    deadline = Some(Instant::now() + stop.grace);
                    let others = group.and_then(|group| cgroup::processes(group).ok()).unwrap_or_default();
                    for other in others.into_iter().filter(|other| *other != self.pid) {
                        let _ = sys::send(other, stop.signal);
                        thread::sleep(Duration::from_millis(20));
                    }
                    // RUN-078
                    self.send(stop.signal);
                }
            }
        }
        Ok((self.reap()?, killed))
    }

    /// Ends the process at once, with everything in its namespace.
    pub(crate) fn kill(&self) {
        self.send(Signal::KILL.as_raw());
    }

    fn send(&self, signal: i32) {
        let _ = match &self.held {
            Some(held) => held.signal(signal),
            None => sys::send(self.pid, signal),
        };
    }

    /// Takes the status of the process, which has ended or is about to.
    pub(crate) fn reap(&self) -> io::Result<End> {
        let status = waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED)?;
        self.is_reaped.set(true);
        let status = status.ok_or_else(|| io::Error::other("the process has no status"))?;
        let end = end(&status);
        Ok(match &self.held {
            Some(held) if self.has_begun => held.end(end),
            _ => end,
        })
    }

    /// How the process has ended, if it has.
    fn ended(&self) -> io::Result<Option<End>> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        Ok(waitid(WaitId::Pid(self.pid), options)?.as_ref().map(end))
    }

    /// Until the process ends, a request comes, or the time is up.
    fn sleep(&self, requests: &Requests, time: Option<Duration>) -> io::Result<()> {
        let mut descriptors = [
            PollFd::new(&self.pidfd, PollFlags::IN),
            PollFd::from_borrowed_fd(requests.received.as_fd(), PollFlags::IN),
        ];
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        match poll(&mut descriptors, time.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn end(status: &WaitIdStatus) -> End {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => End::Exited(u8::try_from(code & 0xFF).unwrap_or(u8::MAX)),
        (None, Some(signal)) => End::Signaled(signal),
        (None, None) => End::Signaled(0),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_terminal_is_no_request_to_what_outlives_it() {
        let deaf = Requests::listen(None, true).unwrap();
        sys::send(rustix::process::getpid(), SIGHUP).unwrap();
        // Not until some time: it can be handled by another thread.
        thread::sleep(Duration::from_millis(100));
        assert!(!deaf.take() && !deaf.are_there());
        let hears = Requests::listen(None, false).unwrap();
        sys::send(rustix::process::getpid(), SIGHUP).unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while !hears.take() && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(hears.are_there() && !deaf.are_there());
    }
}
