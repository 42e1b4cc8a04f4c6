//! Time and memory of one process.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// What a process cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) time: Duration,
    /// The most memory that it had, in bytes.
    pub(crate) memory: u64,
}

/// Runs a command, which has to succeed, through this program, whose only child it then is: the system
/// tells the peak of memory of all children together.
pub(crate) fn measure(command: &[String]) -> io::Result<Cost> {
    let output = Command::new(std::env::current_exe()?).arg("child").args(command).stderr(Stdio::inherit()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let mut numbers = said.split_whitespace().map(str::parse::<u64>);
    match (output.status.success(), numbers.next(), numbers.next()) {
        (true, Some(Ok(nanoseconds)), Some(Ok(memory))) => Ok(Cost { time: Duration::from_nanos(nanoseconds), memory }),
        _ => Err(io::Error::other(format!("`{}` failed", command.join(" ")))),
    }
}

/// Runs a command and prints what [`measure`] reads.
pub(crate) fn child(command: &[String]) -> io::Result<()> {
    let Some((program, arguments)) = command.split_first() else { return Err(io::Error::other("no command")) };
    let mut process = Command::new(program);
    process.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let status = process.status()?;
    let time = start.elapsed();
    if !status.success() {
        return Err(io::Error::other(format!("it ended with {status}")));
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(io::Error::from)?;
    println!("{} {}", time.as_nanos(), usage.max_rss() * 1024);
    Ok(())
}

/// The first line that a program prints of its version.
pub(crate) fn version(program: &Path, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    said.lines().next().unwrap_or("not there").to_owned()
}
