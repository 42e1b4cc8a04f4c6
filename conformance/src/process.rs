//! Running one program under the suite's control: with a time limit, limits on what it writes, and
//! in a process group of its own that does not outlive it.

use std::cell::Cell;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};

/// Bytes of standard error that are kept.
pub(crate) const ERROR_LIMIT: usize = 64 << 10;

/// How long to wait for the end of an output whose process group is dead.
const AFTERMATH: Duration = Duration::from_secs(2);

/// How long it takes until a program is asked to end once more.
const BETWEEN_STOPS: Duration = Duration::from_millis(250);

/// The variable that marks whatever a suite starts, so that it can be found when the suite has gone.
pub const MARK: &str = "CORNERCAST_SUITE";

/// The value of [`MARK`], which no other suite has, on whatever host.
#[must_use]
pub fn mark() -> &'static str {
    static OWN: OnceLock<String> = OnceLock::new();
    OWN.get_or_init(|| {
        let uuid = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default();
        format!("{}-{}", std::process::id(), uuid.trim())
    })
}

/// What a program is held to.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The longest it can take.
    pub time: Duration,
    /// The most it can write to standard output, in bytes.
    pub output: usize,
}

/// When a program is asked to end: SIGTERM goes to it alone, not to its process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// What it has to write to standard output before.
    pub after: &'static [u8],
    /// How often it is asked, a quarter of a second apart.
    pub times: u32,
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

impl Killed {
    /// The bound in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Time => "it took too long",
            Self::Output => "it wrote too much",
            Self::Held => "it left a process behind that holds its output",
        }
    }
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
        last_words(&self.errors)
    }
}

/// The last line of a program's standard error, in at most 300 characters.
pub(crate) fn last_words(errors: &[u8]) -> Option<String> {
    let errors = String::from_utf8_lossy(errors);
    let line = errors.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(line.trim().chars().take(300).collect())
}

/// `text` as one word of a shell.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// `command` under another soft limit of the stack, in KiB, which it inherits.
#[must_use]
pub(crate) fn with_stack(command: &Command, limit: u32) -> Command {
    let mut limited = Command::new("sh");
    limited.arg("-c").arg(format!("ulimit -Ss {limit} && exec \"$0\" \"$@\""));
    limited.arg(command.get_program()).args(command.get_args());
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited
}

/// Runs `command` with `input` on its standard input, and waits until it and its process group are gone.
///
/// # Errors
///
/// If the program cannot be started or waited for.
pub fn run(command: &mut Command, input: &[u8], bounds: &Bounds) -> io::Result<Ended> {
    run_until(command, input, bounds, None)
}

/// The same of a program that is asked to end at some time.
///
/// # Errors
///
/// If the program cannot be started or waited for.
pub fn run_until(command: &mut Command, input: &[u8], bounds: &Bounds, stop: Option<Stop>) -> io::Result<Ended> {
    Running::begin(command, input, bounds, stop)?.end()
}

/// A program that is running. Whoever has one waits for its [`end`](Running::end).
#[derive(Debug)]
pub struct Running {
    child: Child,
    group: Pid,
    /// Whether it was killed by hand.
    was_killed: Cell<bool>,
    bounds: Bounds,
    alarm: Sender<Alarm>,
    watchdog: JoinHandle<Option<Killed>>,
    output: Receiver<Vec<u8>>,
    errors: Receiver<Vec<u8>>,
}

impl Running {
    /// Starts `command` with `input` on its standard input.
    ///
    /// # Errors
    ///
    /// If the program cannot be started.
    pub fn start(command: &mut Command, input: &[u8], bounds: &Bounds) -> io::Result<Self> {
        Self::begin(command, input, bounds, None)
    }

    fn begin(command: &mut Command, input: &[u8], bounds: &Bounds, stop: Option<Stop>) -> io::Result<Self> {
        command.env(MARK, mark());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn()?;
        let group = group_of(&child)?;
        let (alarm, alarms) = channel();
        let output = reader(child.stdout.take(), bounds.output, Some(alarm.clone()), stop.map(|stop| stop.after));
        let errors = reader(child.stderr.take(), ERROR_LIMIT, None, None);
        let time = bounds.time;
        let times = stop.map_or(0, |stop| stop.times);
        let watchdog = thread::spawn(move || watch(group, time, times, &alarms));
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read its input breaks the pipe; its answer tells what to think of it.
            let _ = stdin.write_all(input);
        }
        Ok(Self { child, group, was_killed: Cell::new(false), bounds: *bounds, alarm, watchdog, output, errors })
    }

    /// Whether it has ended. What it has started can still be there.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        has_ended(self.group)
    }

    /// Kills it with its process group.
    pub fn kill(&self) {
        self.was_killed.set(true);
        let _ = kill_process_group(self.group, Signal::KILL);
    }

    /// Asks it, and nothing else of its process group, to end, `times` times, a quarter of a second apart.
    pub fn ask_to_end(&self, times: u32) {
        for time in 0..times {
            if time > 0 {
                thread::sleep(BETWEEN_STOPS);
            }
            // It has not been reaped, so its id belongs to no other one.
            let _ = kill_process(self.group, Signal::TERM);
        }
    }

    /// Waits until it and its process group are gone.
    ///
    /// # Errors
    ///
    /// If it cannot be waited for.
    pub fn end(mut self) -> io::Result<Ended> {
        // The child stays a zombie until the group has been killed, so its id cannot belong to another one.
        let waited = wait_without_reaping(self.group);
        let _ = self.alarm.send(Alarm::Ended);
        let mut killed = self.watchdog.join().unwrap_or_default();
        let _ = kill_process_group(self.group, Signal::KILL);
        if killed.is_some() || self.was_killed.get() {
            until_gone(self.group);
        }
        let status = self.child.wait()?;
        waited?;
        let (output, errors) = (self.output.recv_timeout(AFTERMATH), self.errors.recv_timeout(AFTERMATH));
        if output.is_err() || errors.is_err() {
            killed = killed.or(Some(Killed::Held));
        }
        let mut output = output.unwrap_or_default();
        // The program can end by itself before the watchdog hears of the last bytes.
        if output.len() > self.bounds.output {
            output.truncate(self.bounds.output);
            killed = killed.or(Some(Killed::Output));
        }
        Ok(Ended { status, output, errors: errors.unwrap_or_default(), killed })
    }
}

/// The process group of a child that leads one.
pub(crate) fn group_of(child: &Child) -> io::Result<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| io::Error::other("the child has no id"))
}

/// Waits until a process group that was killed has no member but those that wait to be reaped: the system takes its time,
/// and what they held is theirs until then.
fn until_gone(group: Pid) {
    let end = Instant::now() + AFTERMATH;
    while has_members(group) && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a process of a group has not yet given up all it held. One whose first thread has ended is called a zombie while
/// its other threads still end, and hold its locks.
fn has_members(group: Pid) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    let group = group.as_raw_nonzero().to_string();
    processes.flatten().any(|process| {
        // `PID (NAME) STATE PPID PGRP …`, where the name can have any character; the number of threads is the 20th field.
        let status = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        let fields: Vec<_> = status.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
        let [state, _, of, ..] = fields[..] else { return false };
        let threads = fields.get(17).and_then(|threads| threads.parse().ok()).unwrap_or(0_u32);
        of == group && (threads > 1 || !["Z", "X"].contains(&state))
    })
}

/// Whether a child has ended; it is not reaped.
pub(crate) fn has_ended(child: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    !matches!(waitid(WaitId::Pid(child), options), Ok(None))
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
#[derive(Debug)]
enum Alarm {
    /// The program wrote what it is to be stopped after.
    Ready,
    /// The program wrote more than it can.
    Overflow,
    /// The program ended.
    Ended,
}

/// Kills the group when time is up or the output is too long; says why. Asks its leader to end, so many times.
fn watch(group: Pid, time: Duration, times: u32, alarms: &Receiver<Alarm>) -> Option<Killed> {
    let end = Instant::now() + time;
    let mut left = times;
    let mut is_ready = false;
    let killed = loop {
        let whole = end.saturating_duration_since(Instant::now());
        let wait = if is_ready && left > 0 { whole.min(BETWEEN_STOPS) } else { whole };
        match alarms.recv_timeout(wait) {
            Ok(Alarm::Ended) | Err(RecvTimeoutError::Disconnected) => return None,
            Ok(Alarm::Overflow) => break Killed::Output,
            Ok(Alarm::Ready) => is_ready = true,
            Err(RecvTimeoutError::Timeout) if Instant::now() >= end => break Killed::Time,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if is_ready && left > 0 {
            left -= 1;
            let _ = kill_process(group, Signal::TERM);
        }
    };
    let _ = kill_process_group(group, Signal::KILL);
    Some(killed)
}

/// Reads a pipe to its end on a thread of its own, and keeps at most `limit` bytes and one.
fn reader(
    pipe: Option<impl Read + Send + 'static>,
    limit: usize,
    alarm: Option<Sender<Alarm>>,
    after: Option<&'static [u8]>,
) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        let mut after = after;
        let mut has_room = true;
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
            if let (Some(needle), Some(alarm)) = (after, &alarm)
                && kept.windows(needle.len()).any(|window| window == needle)
            {
                after = None;
                let _ = alarm.send(Alarm::Ready);
            }
            if kept.len() > limit && has_room {
                has_room = false;
                if let Some(alarm) = &alarm {
                    let _ = alarm.send(Alarm::Overflow);
                }
            }
        }
        let _ = sender.send(kept);
    });
    receiver
}
