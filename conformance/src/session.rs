//! Sessions: an adapter that answers one message after another, until it is told `bye`.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::adapter::{Adapter, Fault};
use crate::process::{ERROR_LIMIT, MARK, group_of, has_ended, last_words, mark};
use crate::protocol::{Answer, Codec, OUTPUT_LIMIT, Request};

/// How long a process that has closed its output can take to end before it is said that it did not.
const AFTERMATH: Duration = Duration::from_millis(500);

/// How long it takes until the suite looks again whether a process has ended.
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// Pieces of output that are read ahead.
const PIECES: usize = 16;

/// A piece of what an adapter writes: at most 64 KiB.
type Piece = Vec<u8>;

/// The sessions of one thread, by the names of the implementations.
#[derive(Debug, Default)]
pub struct Sessions(BTreeMap<String, Session>);

impl Sessions {
    /// Puts a case to the implementation `name`, in its session if it has sessions.
    ///
    /// # Errors
    ///
    /// Why there is no proper answer. The session has ended then.
    pub fn ask(
        &mut self,
        name: &str,
        adapter: &Adapter,
        codec: &Codec,
        request: &Request,
        time: Duration,
    ) -> Result<Answer, Fault> {
        if !adapter.has_sessions {
            return adapter.run(codec, request, time);
        }
        let line = codec.write(request).map_err(Fault::new)?;
        let mut session = match self.0.remove(name) {
            Some(session) => session,
            None => Session::start(adapter)?,
        };
        let answer = session.ask(line, time)?;
        let answer = codec.read_answer(&answer, request.seq()).map_err(|reason| session.fault(reason))?;
        self.0.insert(name.to_owned(), session);
        Ok(answer)
    }

    /// Says `bye` to all of them; those that do not end within `time` are killed.
    pub fn end(self, codec: &Codec, time: Duration) {
        for session in self.0.into_values() {
            // Whoever does not end was found out at the beginning, or was not as it was then; its answers stand.
            let _ = session.bye(codec, time);
        }
    }
}

/// Whether an adapter ends when it is told `bye`.
///
/// # Errors
///
/// What it does instead.
pub fn try_bye(adapter: &Adapter, codec: &Codec, time: Duration) -> Result<(), Fault> {
    Session::start(adapter)?.bye(codec, time)
}

/// A process that answers one message after another. It and its process group do not outlive this value.
#[derive(Debug)]
struct Session {
    child: Child,
    /// Its process group, until it is dead.
    group: Option<Pid>,
    /// Lines for its standard input, which is closed when this is.
    input: Option<Sender<String>>,
    output: Receiver<Piece>,
    /// What it has written and nobody has looked at.
    pending: Vec<u8>,
    /// What it has written to standard error since the last message, as far as it is kept.
    errors: Arc<Mutex<Vec<u8>>>,
    /// What keeps that.
    keeper: JoinHandle<()>,
}

impl Session {
    fn start(adapter: &Adapter) -> Result<Self, Fault> {
        let start = || -> io::Result<Self> {
            let mut command = adapter.command();
            command.env(MARK, mark());
            let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.process_group(0).spawn()?;
            let group = Some(group_of(&child)?);
            let input = writer(child.stdin.take());
            let output = reader(child.stdout.take());
            let (errors, keeper) = keeper(child.stderr.take());
            Ok(Self { child, group, input: Some(input), output, pending: Vec::new(), errors, keeper })
        };
        start().map_err(|error| Fault::new(format!("the adapter could not be run: {error}")))
    }

    /// One line for another.
    fn ask(&mut self, line: String, time: Duration) -> Result<Vec<u8>, Fault> {
        while let Ok(piece) = self.output.try_recv() {
            self.pending.extend(piece);
        }
        if !self.pending.is_empty() {
            return Err(self.fault("the adapter answered more than one line to the message before"));
        }
        if let Ok(mut errors) = self.errors.lock() {
            errors.clear();
        }
        self.say(line);
        let end = Instant::now() + time;
        loop {
            if let Some(at) = self.pending.iter().position(|byte| *byte == b'\n') {
                let rest = self.pending.split_off(at + 1);
                if !rest.is_empty() {
                    return Err(self.fault("the adapter answered more than one line"));
                }
                return Ok(std::mem::take(&mut self.pending));
            }
            if self.pending.len() > OUTPUT_LIMIT {
                return Err(self.fault(format!("the adapter wrote more than {OUTPUT_LIMIT} bytes")));
            }
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(piece) => self.pending.extend(piece),
                // What it has left behind can still hold the output.
                Err(RecvTimeoutError::Timeout) if self.has_ended_within(Duration::ZERO) => return Err(self.gone()),
                Err(RecvTimeoutError::Timeout) => {
                    let time = time.as_secs_f32();
                    return Err(self.fault(format!("the adapter took longer than {time} s and was killed")));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.gone()),
            }
        }
    }

    /// Why there is no more output.
    fn gone(&mut self) -> Fault {
        if !self.has_ended_within(AFTERMATH) {
            return self.fault("the adapter closed its output before it answered");
        }
        match self.reap() {
            Ok(status) if status.success() => self.fault("the adapter ended before it answered"),
            // The standard library writes `exit status: 3` and `signal: 9 (SIGKILL)`.
            Ok(status) => self.fault(format!("the adapter ended with {}", status.to_string().replace(": ", " "))),
            Err(error) => self.fault(format!("the adapter cannot be waited for: {error}")),
        }
    }

    /// Says the last word, and waits for the end.
    fn bye(mut self, codec: &Codec, time: Duration) -> Result<(), Fault> {
        let line = codec.write(&Request::Bye {}).map_err(Fault::new)?;
        self.say(line);
        self.input = None;
        if !self.has_ended_within(time) {
            return Err(self.fault("the adapter does not end after `bye`"));
        }
        let status = self.reap();
        let mut said = self.pending.len();
        while let Ok(piece) = self.output.recv_timeout(AFTERMATH) {
            said += piece.len();
        }
        if said > 0 {
            return Err(self.fault("the adapter answers `bye`"));
        }
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => {
                Err(self.fault(format!("the adapter ends with {} after `bye`", status.to_string().replace(": ", " "))))
            }
            Err(error) => Err(self.fault(format!("the adapter cannot be waited for: {error}"))),
        }
    }

    fn say(&self, line: String) {
        if let Some(input) = &self.input {
            // Whoever does not listen does not answer either.
            let _ = input.send(line);
        }
    }

    fn has_ended_within(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while !self.group.is_none_or(has_ended) {
            if Instant::now() >= end {
                return false;
            }
            thread::sleep(BETWEEN_LOOKS);
        }
        true
    }

    /// Kills the process group, if it is not dead, and takes the status of its leader.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        if let Some(group) = self.group.take() {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let status = self.child.wait();
        // Its last words come through a pipe.
        let end = Instant::now() + AFTERMATH;
        while !self.keeper.is_finished() && Instant::now() < end {
            thread::sleep(BETWEEN_LOOKS);
        }
        status
    }

    fn fault(&self, reason: impl Into<String>) -> Fault {
        let stderr = self.errors.lock().ok().and_then(|errors| last_words(&errors));
        Fault { reason: reason.into(), stderr }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.reap();
    }
}

/// Writes lines on a thread of its own: a process that does not read holds nobody up.
fn writer(pipe: Option<impl Write + Send + 'static>) -> Sender<String> {
    let (sender, lines) = channel::<String>();
    thread::spawn(move || {
        let mut pipe = pipe;
        while let (Some(pipe), Ok(line)) = (&mut pipe, lines.recv()) {
            if pipe.write_all(line.as_bytes()).is_err() {
                break;
            }
        }
    });
    sender
}

/// Reads a pipe on a thread of its own, no further ahead than a megabyte.
fn reader(pipe: Option<impl Read + Send + 'static>) -> Receiver<Piece> {
    let (sender, pieces) = sync_channel(PIECES);
    thread::spawn(move || pump(pipe, |piece| sender.send(piece.to_owned()).is_ok()));
    pieces
}

/// Keeps the last bytes of a pipe.
fn keeper(pipe: Option<impl Read + Send + 'static>) -> (Arc<Mutex<Vec<u8>>>, JoinHandle<()>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&kept);
    let keeper = thread::spawn(move || {
        pump(pipe, |piece| {
            let Ok(mut kept) = shared.lock() else { return false };
            kept.extend_from_slice(piece);
            let surplus = kept.len().saturating_sub(ERROR_LIMIT);
            kept.drain(..surplus);
            true
        });
    });
    (kept, keeper)
}

/// Hands on what comes out of a pipe until it ends or nobody takes it.
fn pump(pipe: Option<impl Read>, mut take: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 64 << 10];
    let Some(mut pipe) = pipe else { return };
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) if !take(buffer.get(..read).unwrap_or_default()) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
