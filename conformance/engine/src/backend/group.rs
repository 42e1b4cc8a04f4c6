//! A group of processes that ends with the engine.
//!
//! What makes a container has children that nobody would end if it were killed: bubblewrap is gone when what it has made
//! waits, and a child of `lxc-start` waits for that for ever until it has said that it is to end with it. So they are in a
//! group of which one process looks whether the engine is still there. The application is in a session of its own. It ends
//! with its parent, or is in the control group of the instance, by which whoever comes after finds it.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::Container;
use crate::sys;

/// The group. All that is in it has ended, and been waited for, when this is gone.
#[derive(Debug)]
pub(super) struct Group {
    /// The process that looks: it reads until there is nobody any more who could write. The number of the group is its own,
    /// and nobody else's as long as its status has not been taken.
    looks: Child,
}

impl Group {
    /// # Errors
    ///
    /// Why there is none, in words.
    pub(super) fn new() -> Result<Self, String> {
        let mut command = Command::new("sh");
        command.args(["-c", "read -r _; kill -KILL 0"]).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let looks = sys::with_default_signals(&mut command).spawn();
        Ok(Self { looks: looks.map_err(|error| format!("a shell cannot be run: {error}"))? })
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

/// The groups of a backend's containers.
#[derive(Debug, Default)]
pub(super) struct Groups(
    /// By the directory of a container's state.
    Mutex<BTreeMap<PathBuf, Group>>,
);

impl Groups {
    /// The group stays until that of the container is to end, or the engine does.
    pub(super) fn keep(&self, container: &Container<'_>, group: Group) {
        self.all(|all| all.insert(container.state.to_owned(), group));
    }

    /// Ends that of the container, if it has one.
    pub(super) fn end(&self, container: &Container<'_>) {
        self.all(|all| all.remove(container.state));
    }

    /// What it returns goes when others can go on.
    fn all(&self, change: impl FnOnce(&mut BTreeMap<PathBuf, Group>) -> Option<Group>) {
        let group = change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        drop(group);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
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
        // Waiting for it would close its input, at whose end it ends.
        let _input = child.stdin.take();
        drop(group.looks.stdin.take());
        assert!(!child.wait().unwrap().success());
    }
}
