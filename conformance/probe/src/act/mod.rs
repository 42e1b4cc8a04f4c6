//! What the program does when it is told.
//!
//! Each argument is a step, a name with what it takes after colons, and the steps are done in order.
//! Each prints one line when it is through: `{"step":"mkdir:/a","ok":true}`, where `ok` has what the
//! step says below and is `true` otherwise, or `{"step":"mkdir:/a","error":"EEXIST"}`; then the next
//! one follows. A step that got through a part of what it was to do has both members. A line that
//! cannot be written is lost, and a step that writes bytes of its own has no line unless it fails.
//! After the last one the program exits with 0. If an argument is no step, nothing is done: the
//! program says so on standard error and exits with 2, as it does when it meets a parameter that
//! makes no sense. Only the last parameter can have colons in it.
//!
//! Streams:
//!
//! - `ready` does nothing: whoever reads the line knows that the program has come this far
//! - `print:TEXT` writes the bytes to standard output
//! - `error:TEXT` writes the bytes to standard error
//! - `echo` copies standard input to standard output until it ends
//! - `stdin` reads standard input until it ends: `{bytes, sha256}`
//! - `flood:BYTES` writes so many bytes to standard output, of which number i is i mod 251
//! - `flood-error:BYTES` writes the same to standard error
//! - `close:FD` closes a descriptor
//! - `reopen:STREAM:TEXT` opens `/dev/stdout` or `/dev/stderr` (`stdout`, `stderr`) and writes the bytes to it
//! - `tty` opens `/dev/tty`, and asks which of 0, 1 and 2 are terminals: `{open, terminals}`
//! - `look[:MEMBER,…]` prints the document, or some members of it, on one line
//!
//! Time, signals and the end:
//!
//! - `exit:CODE` exits
//! - `wait` sleeps for ever
//! - `sleep:MS` sleeps for so many milliseconds
//! - `signal:NAME` sends a signal to the program itself
//! - `fault` touches memory that cannot be touched
//! - `abort` aborts
//! - `trap:NAME[:CODE]` has the signal print `{"caught":"SIGTERM"}` from now on and exit, with 42 if nothing is said,
//!   in children that are started later as well
//! - `ignore:NAME` ignores the signal from now on
//!
//! Files:
//!
//! - `read:PATH` reads 4096 bytes at most: `{size, text}`, or `{size, hex}` if they are no text
//! - `write:PATH:TEXT` creates or empties a file and writes to it
//! - `append:PATH:TEXT` creates a file or goes to its end, and writes to it
//! - `create:PATH` creates a file that must not exist
//! - `mkdir:PATH` creates a directory
//! - `nest:PATH:N` creates a directory, one of the same name in it, and so on, so many in all
//! - `unlink:PATH` removes a file
//! - `rmdir:PATH` removes an empty directory
//! - `rename:FROM:TO` renames
//! - `chmod:PATH:MODE` sets an octal mode
//! - `chown:PATH:UID:GID` sets the owners, not following a link
//! - `link:FROM:TO` makes a hard link
//! - `symlink:TARGET:PATH` makes a symbolic link
//! - `stat:PATH` is told what is there, not following a link: `{kind, mode, uid, gid, size, mtime, …}`
//! - `list:PATH` lists the names in a directory, sorted
//! - `open:PATH:ACCESS` opens for `r`, `w` or `rw`, and closes
//! - `mknod:PATH:KIND:MAJOR:MINOR` makes a device, `c` or `b`, or a named pipe, `p`
//! - `setxattr:PATH:NAME:VALUE` sets an extended attribute
//!
//! Mounts:
//!
//! - `statfs:PATH` is told about the file system: `{type, size, readOnly, nosuid, nodev, noexec}`
//! - `mount:PATH` mounts a small file system in memory
//! - `remount:PATH` makes a mount writable, leaving its other flags as they are
//! - `umount:PATH` unmounts, at once or when it is no longer in use
//! - `pivot-root` would change the root to a path that does not exist: ENOENT if it may
//! - `chroot:PATH` changes the root of the program
//!
//! Processes:
//!
//! - `fork:N` starts children that do nothing and stay: how many
//! - `orphan` leaves a process in a session of its own that does nothing, with the streams open: its number
//! - `spawn-writer:MS:TEXT` starts a child that writes the bytes to standard output after a time: its number
//! - `zombie` starts a child that ends and is not waited for: its number
//! - `exec:PATH[:ARGUMENT…]` goes on as another program, and has a line only if that fails
//! - `kill:PID:NAME` sends a signal to a process
//! - `ptrace:PID` begins to trace a process, without stopping it
//! - `process-vm-readv:PID` reads 8 bytes of another process: how many; EFAULT if it may, but nothing is there
//! - `environ-of:PID` lists the names of the variables of a process
//! - `root-of:PID` lists the root of a process
//!
//! Resources:
//!
//! - `allocate:BYTES` takes memory, touches every page and keeps it: how many bytes
//! - `descriptors:N` opens `/dev/null` so many times, or until that fails, and closes them: how often
//! - `cpu:MS` computes for so many milliseconds: how many of them it had a processor
//! - `setrlimit:NAME:SOFT:HARD` sets a limit, `unlimited` if there is to be none
//! - `nice:N` adds to the nice value: what it is then
//!
//! Ids and namespaces:
//!
//! - `setuid:UID` becomes a user
//! - `setgid:GID` becomes a group
//! - `setgroups:[GID,…]` sets the supplementary groups
//! - `capset-all` makes all capabilities permitted and effective
//! - `unshare:KIND` goes into a new namespace: `user`, `mount`, `net`, `pid`, `uts`, `ipc`, `cgroup`
//! - `clone:KIND` starts a child in one, which ends at once
//! - `clone3:KIND` the same by the newer call
//! - `setns:PATH` goes into the namespace that the path stands for
//! - `sethostname:NAME` sets the name of the host
//!
//! The kernel. All are made so that they come to nothing where they are not refused:
//!
//! - `bpf` makes a map, and drops it
//! - `perf` counts its own time, and stops
//! - `keyctl` asks for the number of the session's keyring
//! - `add-key` adds a key to a keyring that ends with the program
//! - `request-key` asks for a key that does not exist: ENOKEY if it may
//! - `userfaultfd` opens a descriptor for faults of its own, and closes it
//! - `open-by-handle` opens the root by its handle, or by a wrong one where it has none: ESTALE if it may
//! - `init-module` would load an empty module: ENOEXEC if it may
//! - `delete-module` would unload a module that does not exist: ENOENT if it may
//! - `kexec` would load a kernel with wrong flags: EINVAL if it may
//! - `reboot` has wrong magic numbers: EINVAL if it may
//! - `settimeofday` would set a time zone that does not exist, and no time: EINVAL if it may
//! - `clock-settime` has nanoseconds that do not exist: EINVAL, unless a filter comes first
//! - `adjtimex` would set a tick that does not exist: EINVAL if it may
//! - `swapon:PATH` swaps to what must be no swap space: EINVAL or ENOENT if it may
//! - `swapoff:PATH` stops that: EINVAL or ENOENT if it may
//! - `iopl` takes access to the ports, and gives it back
//! - `io-uring` makes a ring, and drops it
//!
//! Network:
//!
//! - `connect:HOST:PORT` connects by TCP, within a second, to an address or a name in `/etc/hosts`: the address
//! - `bind:PORT` listens by TCP at all addresses until the program ends: the port
//! - `socket:KIND` opens a socket: `raw`, `packet` or `udp`
//! - `abstract:NAME` connects to an abstract socket
//! - `unix:PATH` connects to a socket at a path

mod files;
mod identity;
mod kernel;
mod mounts;
mod network;
mod processes;
mod resources;
mod signals;
mod step;
mod streams;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use serde_json::Value;

use self::step::{Done, Failure, Parameters, Step};
use crate::{complain, errno, output, value};

/// The exit code for arguments that make no sense.
const MISUSED: u8 = 2;

/// Does the steps; the exit code.
pub(crate) fn run(arguments: &[OsString]) -> u8 {
    let steps: Result<Vec<Called<'_>>, String> = arguments.iter().map(|argument| called(argument.as_bytes())).collect();
    let steps = match steps {
        Ok(steps) => steps,
        Err(message) => return complain(&message, MISUSED),
    };
    for called in steps {
        match (called.step.act)(called.parameters) {
            Ok(Done::Value(value)) => report(&called, Some(&value), None),
            Ok(Done::Part(value, error)) => report(&called, Some(&value), Some(&errno::symbol(&error))),
            Ok(Done::Printed) => {}
            Ok(Done::Exit(code)) => return code,
            Err(Failure::System(error)) => report(&called, None, Some(&errno::symbol(&error))),
            Err(Failure::Form) => return complain(&called.is_malformed(), MISUSED),
        }
    }
    0
}

/// Does one step, and says nothing of it.
pub(crate) fn quietly(argument: &OsString) {
    if let Ok(called) = called(argument.as_bytes()) {
        let _ = (called.step.act)(called.parameters);
    }
}

/// A step as an argument has it.
struct Called<'a> {
    argument: &'a [u8],
    step: &'static Step,
    parameters: Parameters<'a>,
}

impl Called<'_> {
    fn is_malformed(&self) -> String {
        format!("`{}` is not of the form `{}`", String::from_utf8_lossy(self.argument), self.step.form)
    }
}

/// The step that an argument asks for, with as much as its form says, or what is wrong.
fn called(argument: &[u8]) -> Result<Called<'_>, String> {
    let mut halves = argument.splitn(2, |byte| *byte == b':');
    let (name, parameters) = (halves.next().unwrap_or_default(), halves.next());
    let Some(step) = steps().find(|step| step.name().as_bytes() == name) else {
        return Err(format!("there is no step `{}`", String::from_utf8_lossy(name)));
    };
    let called = Called { argument, step, parameters: Parameters::new(parameters) };
    let fits = match step.form.strip_prefix(step.name()) {
        Some("") => parameters.is_none(),
        Some(form) => parameters.is_some() || form.starts_with('['),
        None => true,
    };
    if fits { Ok(called) } else { Err(called.is_malformed()) }
}

/// All steps, in the order of the list above.
fn steps() -> impl Iterator<Item = &'static Step> {
    let subjects = [
        streams::STEPS,
        signals::STEPS,
        files::STEPS,
        mounts::STEPS,
        processes::STEPS,
        resources::STEPS,
        identity::STEPS,
        kernel::STEPS,
        network::STEPS,
    ];
    subjects.into_iter().flatten()
}

/// Prints the line of a step.
fn report(called: &Called<'_>, value: Option<&Value>, error: Option<&str>) {
    let mut line = format!("{{\"step\":{}", value::text(called.argument));
    if let Some(value) = value {
        line.push_str(&format!(",\"ok\":{value}"));
    }
    if let Some(error) = error {
        line.push_str(&format!(",\"error\":{}", Value::from(error)));
    }
    line.push_str("}\n");
    // A step may have closed the stream; those that follow are done all the same.
    let _ = output::standard(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_above_has_every_step() {
        let listed = include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("//! - `"));
        let listed: Vec<&str> = listed.filter_map(|line| line.split('`').next()).collect();
        let steps: Vec<&str> = steps().map(|step| step.form).collect();
        assert_eq!(listed, steps);
    }

    #[test]
    fn arguments_that_are_no_steps_are_named() {
        let message = |argument: &'static str| called(argument.as_bytes()).err();
        assert_eq!(message("fly:1").as_deref(), Some("there is no step `fly`"));
        assert_eq!(message("ready:1").as_deref(), Some("`ready:1` is not of the form `ready`"));
        assert_eq!(message("exit").as_deref(), Some("`exit` is not of the form `exit:CODE`"));
        assert_eq!(message("look"), None);
        assert_eq!(message("look:pid"), None);
    }
}
