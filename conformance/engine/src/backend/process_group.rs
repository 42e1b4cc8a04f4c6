//! A process group that ends with the engine.
//!
//! What makes a container forks, and not all of that ends with it: bubblewrap is gone when what it has made waits, and a
//! child of `lxc-start` waits for a message from it before it asks to be killed with its parent. If the engine is killed
//! meanwhile, nobody knows of them. So they are in a process group that one process, the watcher, kills when the engine has
//! gone. The application leaves it for a session of its own; by then it ends with its parent, or is in the control group
//! of the instance, by which whoever comes after finds it.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::Container;
use crate::sys;

/// The process group. All that is in it has ended, and been waited for, when this is dropped.
#[derive(Debug)]
pub(super) struct ProcessGroup {
    /// Reads until there is nobody any more who could write. The id of the group is its own, and nobody else's as long as
    /// its status has not been taken.
    watcher: Child,
}

impl ProcessGroup {
    /// Starts the watcher, which is alone in the group.
    ///
    /// # Errors
    ///
    /// Why there is none, in words.
    pub(super) fn new() -> Result<Self, String> {
        let mut command = Command::new("sh");
        command.args(["-c", "read -r _; kill -KILL 0"]).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let watcher = sys::with_default_signals(&mut command).spawn();
        Ok(Self { watcher: watcher.map_err(|error| format!("a shell cannot be run: {error}"))? })
    }

    /// Has what `command` starts be in the group.
    pub(super) fn join(&self, command: &mut Command) {
        command.process_group(self.id().as_raw_nonzero().get());
    }

    fn id(&self) -> Pid {
        Pid::from_child(&self.watcher)
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        let _ = kill_process_group(self.id(), Signal::KILL);
        while waitid(WaitId::Pgid(Some(self.id())), WaitIdOptions::EXITED).is_ok() {}
    }
}

/// The process groups of a backend's containers.
#[derive(Debug, Default)]
pub(super) struct ProcessGroups(
    /// By the directory of a container's state.
    Mutex<BTreeMap<PathBuf, ProcessGroup>>,
);

impl ProcessGroups {
    /// Keeps that of a container until [`end`](Self::end), or until the engine ends.
    pub(super) fn keep(&self, container: &Container<'_>, group: ProcessGroup) {
        self.lock().insert(container.state.to_owned(), group);
    }

    /// Ends that of a container, if it has one.
    pub(super) fn end(&self, container: &Container<'_>) {
        // Not while others wait for the lock.
        let group = self.lock().remove(container.state);
        drop(group);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, ProcessGroup>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn waiting(group: &ProcessGroup) -> (Child, PathBuf) {
        let mut command = Command::new("cat");
        group.join(command.stdin(Stdio::piped()).stdout(Stdio::null()));
        let child = command.spawn().unwrap();
        let place = format!("/proc/{}", child.id());
        (child, place.into())
    }

    #[test]
    fn all_of_it_has_ended_when_it_goes() {
        let group = ProcessGroup::new().unwrap();
        let (_child, place) = waiting(&group);
        assert!(place.exists());
        drop(group);
        assert!(!place.exists());
    }

    /// Whose end of the pipe goes with it.
    #[test]
    fn it_ends_with_the_engine() {
        let mut group = ProcessGroup::new().unwrap();
        let (mut child, _) = waiting(&group);
        // Waiting for it would close its input, at whose end it ends.
        let _input = child.stdin.take();
        drop(group.watcher.stdin.take());
        assert!(!child.wait().unwrap().success());
    }
}
