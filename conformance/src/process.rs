//! Running one program under the suite's control: with a time limit, limits on what it writes, and
//! in a process group of its own that does not outlive it.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// Bytes of standard error that are kept.
const ERROR_LIMIT: usize = 64 << 10;

/// How long to wait for the end of an output whose process group is dead.
const AFTERMATH: Duration = Duration::from_secs(2);

/// What a program is held to.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The longest it can take.
    pub time: Duration,
    /// The most it can write to standard output, in bytes.
    pub output: usize,
}

/// How a program ended, or was made to.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote to standard output, at most as much as the bounds allow.
    pub output: Vec<u8>,
    /// The first bytes that it wrote to standard error.
    pub errors: Vec<u8>,
    /// Which bound it broke, if it did.
    pub killed: Option<Killed>,
}

/// The bound that a program broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Killed {
    /// It took too long.
    Time,
    /// It wrote too much.
    Output,
    /// Something that left its process group still holds the output.
    Held,
}

impl Ended {
    /// Whether the program ended by itself with the status 0; in words what happened otherwise.
    ///
    /// # Errors
    ///
    /// What happened, a sentence without subject and full stop.
    pub fn success(&self, bounds: &Bounds) -> Result<(), String> {
        match self.killed {
            Some(Killed::Time) => Err(format!("took longer than {} s and was killed", bounds.time.as_secs_f32())),
            Some(Killed::Output) => Err(format!("wrote more than {} bytes", bounds.output)),
            Some(Killed::Held) => Err("left a process behind that holds its output".to_owned()),
            None if self.status.success() => Ok(()),
            // The standard library writes `exit status: 3` and `signal: 9 (SIGKILL)`.
            None => Err(format!("ended with {}", self.status.to_string().replace(": ", " "))),
        }
    }

    /// The last line of standard error, in at most 300 characters.
    #[must_use]
    pub fn last_words(&self) -> Option<String> {
        let errors = String::from_utf8_lossy(&self.errors);
        let line = errors.lines().rev().find(|line| !line.trim().is_empty())?;
        Some(line.trim().chars().take(300).collect())
    }
}

/// Runs `command` with `input` on its standard input, and waits until it and its process group are gone.
///
/// # Errors
///
/// If the program cannot be started or waited for.
pub fn run(command: &mut Command, input: &[u8], bounds: &Bounds) -> io::Result<Ended> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn()?;
    let group = group_of(&child)?;
    let (alarm, alarms) = channel();
    let output = reader(child.stdout.take(), bounds.output, Some(alarm.clone()));
    let errors = reader(child.stderr.take(), ERROR_LIMIT, None);
    let time = bounds.time;
    let watchdog = thread::spawn(move || watch(group, time, &alarms));
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input breaks the pipe; its answer tells what to think of it.
        let _ = stdin.write_all(input);
    }
    // The child stays a zombie until the group has been killed, so its id cannot belong to another one.
    let waited = wait_without_reaping(group);
    let _ = alarm.send(Alarm::Ended);
    let mut killed = watchdog.join().unwrap_or_default();
    let _ = kill_process_group(group, Signal::KILL);
    let status = child.wait()?;
    waited?;
    let (output, errors) = (output.recv_timeout(AFTERMATH), errors.recv_timeout(AFTERMATH));
    if output.is_err() || errors.is_err() {
        killed = killed.or(Some(Killed::Held));
    }
    let mut output = output.unwrap_or_default();
    // The program can end by itself before the watchdog hears of the last bytes.
    if output.len() > bounds.output {
        output.truncate(bounds.output);
        killed = killed.or(Some(Killed::Output));
    }
    Ok(Ended { status, output, errors: errors.unwrap_or_default(), killed })
}

/// The process group of a child that leads one.
fn group_of(child: &Child) -> io::Result<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| io::Error::other("the child has no id"))
}

fn wait_without_reaping(child: Pid) -> io::Result<()> {
    loop {
        match waitid(WaitId::Pid(child), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What wakes the watchdog.
enum Alarm {
    /// The program wrote more than it can.
    Overflow,
    /// The program ended.
    Ended,
}

/// Kills the group when time is up or the output is too long; says why.
fn watch(group: Pid, time: Duration, alarms: &Receiver<Alarm>) -> Option<Killed> {
    let killed = match alarms.recv_timeout(time) {
        Ok(Alarm::Ended) | Err(RecvTimeoutError::Disconnected) => return None,
        Ok(Alarm::Overflow) => Killed::Output,
        Err(RecvTimeoutError::Timeout) => Killed::Time,
    };
    let _ = kill_process_group(group, Signal::KILL);
    Some(killed)
}

/// Reads a pipe to its end on a thread of its own, and keeps at most `limit` bytes and one.
fn reader(
    pipe: Option<impl Read + Send + 'static>,
    limit: usize,
    overflow: Option<Sender<Alarm>>,
) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        let mut overflow = overflow;
        let mut buffer = vec![0; 64 << 10];
        let mut pipe = pipe;
        while let Some(pipe) = &mut pipe {
            let part = match pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => buffer.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            let room = (limit + 1).saturating_sub(kept.len());
            kept.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
            if kept.len() > limit
                && let Some(overflow) = overflow.take()
            {
                let _ = overflow.send(Alarm::Overflow);
            }
        }
        let _ = sender.send(kept);
    });
    receiver
}
