//! What a process does between fork and exec.
//!
//! There, other threads are gone, and what they had locked stays so. So it is not code of the caller that runs, but a list
//! of system calls, with what they need made before the fork.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

#[cfg(feature = "embedded")]
pub(crate) use self::container::Entrance;

/// One of these calls, or a few that belong together.
pub(crate) enum Step {
    /// Has the process be killed when the thread that starts it ends, which is one of this process.
    EndWith(Pid),
    /// What a container inherits of the process.
    #[cfg(feature = "embedded")]
    Enter(Entrance),
}

impl Step {
    fn take(&self) -> io::Result<()> {
        match self {
            Self::EndWith(parent) => {
                set_parent_process_death_signal(Some(Signal::KILL))?;
                // It can have ended before that.
                if getppid() == Some(*parent) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
            }
            #[cfg(feature = "embedded")]
            Self::Enter(entrance) => entrance.pass(),
        }
    }
}

/// Has `command` take this step before it executes its program, in the process that becomes it.
pub(crate) fn before_program(command: &mut Command, step: Step) -> &mut Command {
    // SAFETY: each step is system calls alone. It neither allocates nor locks, and its errors are numbers.
    unsafe { command.pre_exec(move || step.take()) }
}

#[cfg(feature = "embedded")]
mod container {
    use std::fs::File;
    use std::io::{self, Write};
    use std::os::fd::OwnedFd;

    use rustix::fs::Mode;
    use rustix::io::{FdFlags, fcntl_setfd};
    use rustix::process::{Resource, Rlimit, setrlimit, umask};
    use rustix::thread::{
        CapabilitySet, Gid, capabilities, remove_capability_from_bounding_set, set_capabilities, set_thread_groups,
        set_thread_res_gid,
    };

    use crate::sys;

    /// What a program that makes a container finds, where it passes on what it has.
    pub(crate) struct Entrance {
        /// The descriptors that it has beside 0, 1 and 2.
        pub(crate) descriptors: Vec<OwnedFd>,
        /// `cgroup.procs` of the control group.
        pub(crate) group: Option<File>,
        pub(crate) umask: Mode,
        pub(crate) gid: Gid,
        pub(crate) groups: Vec<Gid>,
        pub(crate) bounding: CapabilitySet,
        /// The last ones: under some of them nothing else can be done.
        pub(crate) limits: Vec<(Resource, Rlimit)>,
    }

    impl Entrance {
        pub(super) fn pass(&self) -> io::Result<()> {
            sys::keep_streams_alone()?;
            self.descriptors.iter().try_for_each(|descriptor| fcntl_setfd(descriptor, FdFlags::empty()))?;
            if let Some(mut group) = self.group.as_ref() {
                // It is the process that writes, whatever its number is in its namespace.
                group.write_all(b"0")?;
            }
            umask(self.umask);
            set_thread_groups(&self.groups)?;
            set_thread_res_gid(self.gid, self.gid, self.gid)?;
            // What is inheritable is permitted to the program of the user 0 beside the bounding set, so the program has
            // what it needs, and the application, for which it sets both, does not.
            let mut own = capabilities(None)?;
            own.inheritable = own.permitted;
            set_capabilities(None, own)?;
            for capability in (CapabilitySet::all() - self.bounding).iter() {
                match remove_capability_from_bounding_set(capability) {
                    // The kernel does not know it.
                    Err(rustix::io::Errno::INVAL) => {}
                    result => result?,
                }
            }
            Ok(self.limits.iter().try_for_each(|(resource, limit)| setrlimit(*resource, *limit))?)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[test]
    fn a_process_ends_with_the_thread_that_has_started_it() {
        let started = std::thread::spawn(|| {
            let mut command = Command::new("cat");
            command.stdin(Stdio::piped());
            before_program(&mut command, Step::EndWith(rustix::process::getpid())).spawn().unwrap()
        });
        let mut child = started.join().unwrap();
        let status = std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap());
        assert_eq!(status, Some(9));
    }

    #[test]
    fn a_process_whose_parent_has_ended_already_does_not_begin() {
        let step = Step::EndWith(Pid::INIT);
        let error = before_program(&mut Command::new("true"), step).spawn().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::SRCH.raw_os_error()));
    }
}
