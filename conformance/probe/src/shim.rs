//! What a runtime would do wrong before it executes the application, done in its place.
//!
//! ```text
//! shim STEP… -- PROGRAM [ARGUMENT…]
//! ```
//!
//! The steps are those of [`crate::act`], which print nothing here, and some that only make sense before another
//! program: `leak` leaves a descriptor open, `merge` has standard error go where standard output goes, `block:NAME`
//! blocks a signal, `stdin:PATH` opens a file as standard input, `terminal` a terminal, `controlling-terminal` one that
//! controls the process. What fails is passed over: a
//! suite that notices nothing then will say so.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
use rustix::stdio::{dup2_stderr, dup2_stdin};

use crate::{act, complain, signal, sys};

/// Does the steps, and executes the program; the exit code if that fails.
pub(crate) fn run(arguments: &[OsString]) -> u8 {
    let mut parts = arguments.splitn(2, |argument| argument == "--");
    let (steps, program) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    for step in steps {
        if own(step).is_none() {
            act::quietly(step);
        }
    }
    let words: Vec<&[u8]> = program.iter().map(|word| word.as_bytes()).collect();
    complain(&format!("the program cannot be executed: {}", sys::exec(&words)), 127)
}

/// A step that `act` does not have; nothing if it is none.
fn own(step: &OsString) -> Option<io::Result<()>> {
    let step = step.to_str()?;
    let (name, parameter) = step.split_once(':').unwrap_or((step, ""));
    Some(match name {
        "leak" => open("/", OFlags::PATH).map(std::mem::forget),
        "merge" => dup2_stderr(io::stdout().as_fd()).map_err(Into::into),
        "block" => signal::number(parameter).map_or(Ok(()), sys::block),
        "stdin" => open(parameter, OFlags::RDONLY).and_then(|file| Ok(dup2_stdin(&file)?)),
        "terminal" => terminal(OpenptFlags::NOCTTY),
        "controlling-terminal" => terminal(OpenptFlags::empty()),
        _ => return None,
    })
}

/// Opens something that stays open in the program that is executed.
fn open(path: &str, flags: OFlags) -> io::Result<File> {
    Ok(File::from(openat(CWD, path, flags, Mode::empty())?))
}

/// A terminal as standard input; without `NOCTTY`, the one that signals come from.
fn terminal(controls: OpenptFlags) -> io::Result<()> {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    unlockpt(&controller)?;
    let flags = if controls.is_empty() { OFlags::empty() } else { OFlags::NOCTTY };
    // Only who leads a session gets one.
    let _ = rustix::process::setsid();
    let name = ptsname(&controller, Vec::new())?;
    let terminal = openat(CWD, name, OFlags::RDWR | flags, Mode::empty())?;
    dup2_stdin(&terminal)?;
    std::mem::forget(controller);
    Ok(())
}
