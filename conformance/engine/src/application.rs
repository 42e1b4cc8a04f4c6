//! The application from its start to its end.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, getppid, kill_process, pidfd_open, waitid,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::cgroup;

/// How often is looked whether a parent has ended of whose threads one has: each ends with a signal.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// How an application has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With an exit code.
    Exited(u8),
    /// By the signal of this number.
    Signaled(i32),
    /// It never began: its program was not executed.
    NeverBegan,
}

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
    parent: Option<Pid>,
}

impl Requests {
    /// From now on, SIGTERM, SIGINT and SIGHUP are such requests; where `parent` is given, one that comes of its end
    /// is to be told apart.
    pub(crate) fn listen(parent: Option<Pid>) -> io::Result<Self> {
        let (received, sender) = UnixStream::pair()?;
        received.set_nonblocking(true)?;
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            pipe::register(signal, sender.try_clone()?)?;
        }
        Ok(Self { received, parent })
    }

    /// Whether there was one since the last time.
    pub(crate) fn take(&self) -> bool {
        let mut bytes = [0; 16];
        matches!(io::Read::read(&mut &self.received, &mut bytes), Ok(read) if read > 0)
    }

    /// Whether the process has ended without which nobody waits for the application.
    fn are_of_nobody(&self) -> bool {
        self.parent.is_some_and(|parent| getppid() != Some(parent))
    }
}

/// A process that is the application, or waits to become it; it has not been reaped.
pub(crate) struct Application {
    pid: Pid,
    pidfd: OwnedFd,
    /// The name of the process while it waits.
    waiting: Option<String>,
}

impl Application {
    /// The process `pid`, a child of this one, which waits.
    pub(crate) fn waiting(pid: Pid) -> io::Result<Self> {
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self { pid, pidfd, waiting: name(pid) })
    }

    /// Waits until the process executes its program; whether it does. It may already have ended.
    pub(crate) fn begins(&self) -> io::Result<bool> {
        let mut pause = Duration::from_micros(100);
        loop {
            // In this order: one that has ended keeps the name that it had.
            let has_ended = self.has_ended()?;
            if name(self.pid) != self.waiting {
                return Ok(true);
            }
            if has_ended {
                return Ok(false);
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
        while !self.has_ended()? {
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
                    for other in group.into_iter().flat_map(cgroup::processes).filter(|other| *other != self.pid) {
                        let _ = crate::sys::send(other, stop.signal);
                        thread::sleep(Duration::from_millis(20));
                    }
                    // RUN-078
                    let _ = crate::sys::send(self.pid, stop.signal);
                }
            }
        }
        Ok((self.reap()?, killed))
    }

    /// Ends the process at once, with everything in its namespace.
    pub(crate) fn kill(&self) {
        let _ = kill_process(self.pid, Signal::KILL);
    }

    /// Takes the status of the process, which has ended or is about to.
    pub(crate) fn reap(&self) -> io::Result<End> {
        // The name goes with the process.
        let has_begun = {
            waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
            name(self.pid) != self.waiting
        };
        let status = waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED)?;
        let status = status.ok_or_else(|| io::Error::other("the process has no status"))?;
        Ok(if has_begun { end(&status) } else { End::NeverBegan })
    }

    fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        Ok(waitid(WaitId::Pid(self.pid), options)?.is_some())
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

/// The name of a process, which executing a program changes; nothing once it has been reaped.
fn name(pid: Pid) -> Option<String> {
    fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero())).ok()
}
