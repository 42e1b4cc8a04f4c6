//! Mutants that stand around the engine: it is right, and what comes of it is changed.

use std::io::{self, Write};
use std::process::{Command, ExitCode, Stdio};

use cornercast_engine::cli::RunArgs;
use rustix::process::{Signal, set_parent_process_death_signal};

/// Bytes of output that come through.
const SOME: usize = 60_000;

/// The same engine as a process of its own, with what it writes.
fn inner() -> io::Result<(Vec<u8>, Vec<u8>, ExitCode)> {
    // The same holds of the other one and this one.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut command = Command::new(std::env::current_exe()?);
    let mut skip = false;
    for argument in std::env::args_os().skip(1) {
        if skip {
            skip = false;
        } else if argument == "--break" {
            skip = true;
        } else {
            command.arg(argument);
        }
    }
    let output = command.stdin(Stdio::inherit()).output()?;
    let code = output.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok((output.stdout, output.stderr, code.into()))
}

fn pass(output: &[u8], errors: &[u8]) -> io::Result<()> {
    io::stdout().write_all(output)?;
    io::stderr().write_all(errors)
}

/// The end of what is long is lost.
pub(super) fn truncates(_: &RunArgs) -> io::Result<ExitCode> {
    let (output, errors, code) = inner()?;
    pass(output.get(..SOME).unwrap_or(&output), &errors)?;
    Ok(code)
}

/// A line feed becomes two bytes, as on a terminal.
pub(super) fn translates(_: &RunArgs) -> io::Result<ExitCode> {
    let (output, errors, code) = inner()?;
    let translated: Vec<u8> =
        output.iter().flat_map(|byte| if *byte == b'\n' { vec![b'\r', b'\n'] } else { vec![*byte] }).collect();
    pass(&translated, &errors)?;
    Ok(code)
}

/// The last byte waits for a newline that does not come.
pub(super) fn waits_for_a_newline(_: &RunArgs) -> io::Result<ExitCode> {
    let (mut output, errors, code) = inner()?;
    while output.last().is_some_and(|byte| *byte != b'\n') {
        output.pop();
    }
    pass(&output, &errors)?;
    Ok(code)
}

/// The engine has something to say among what the application writes.
pub(super) fn talks(_: &RunArgs) -> io::Result<ExitCode> {
    let (output, mut errors, code) = inner()?;
    errors.extend(b"starting the instance\n");
    pass(&output, &errors)?;
    Ok(code)
}

/// Errors come where the output comes.
pub(super) fn merges(_: &RunArgs) -> io::Result<ExitCode> {
    let (mut output, errors, code) = inner()?;
    output.extend(errors);
    pass(&output, b"")?;
    Ok(code)
}
