//! A group of processes that ends with the engine.
//!
//! What bubblewrap makes is a child of nobody who would end it while it waits: bubblewrap itself is gone then, and without
//! a control group nobody finds it afterwards. So it waits in a group of which one process looks whether the engine is
//! still there. The application is in a session of its own, and ends with its parent, which the engine is.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::sys;

/// The group. All that is in it has ended, and been waited for, when this is gone.
#[derive(Debug)]
pub(super) struct Group {
    /// The process that looks: it reads until there is nobody any more who could write. The number of the group is its own,
    /// and nobody else's as long as its status has not been taken.
    looks: Child,
}

impl Group {
    pub(super) fn new() -> io::Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", "read -r _; kill -KILL 0"]).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { looks: sys::with_default_signals(&mut command).spawn()? })
    }

    /// Has what `command` starts be in the group.
    pub(super) fn join(&self, command: &mut Command) {
        command.process_group(self.number().as_raw_nonzero().get());
    }

    fn number(&self) -> Pid {
        Pid::from_child(&self.looks)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = kill_process_group(self.number(), Signal::KILL);
        while waitid(WaitId::Pgid(Some(self.number())), WaitIdOptions::EXITED).is_ok() {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn waiting(group: &Group) -> (Child, PathBuf) {
        let mut command = Command::new("cat");
        group.join(command.stdin(Stdio::piped()).stdout(Stdio::null()));
        let child = command.spawn().unwrap();
        let place = format!("/proc/{}", child.id());
        (child, place.into())
    }

    #[test]
    fn all_of_it_has_ended_when_it_goes() {
        let group = Group::new().unwrap();
        let (_child, place) = waiting(&group);
        assert!(place.exists());
        drop(group);
        assert!(!place.exists());
    }

    /// Whose end of the pipe goes with it.
    #[test]
    fn it_ends_with_the_engine() {
        let mut group = Group::new().unwrap();
        let (mut child, _) = waiting(&group);
        drop(group.looks.stdin.take());
        assert!(!child.wait().unwrap().success());
    }
}
