//! Implementations behind an adapter.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::broken::Broken;
use crate::process::{self, Bounds, Ended, Running};
use crate::protocol::{Answer, Codec, Hello, OUTPUT_LIMIT, PROTOCOL, Request};

/// A program that speaks the adapter protocol.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// The program.
    pub program: PathBuf,
    /// What it is called with.
    pub arguments: Vec<OsString>,
    /// Whether one process answers one message after another.
    pub has_sessions: bool,
}

/// An answer that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What went wrong, in words.
    pub reason: String,
    /// The last thing that the adapter wrote to standard error.
    pub stderr: Option<String>,
}

impl Adapter {
    /// The adapter of the reference: this program itself.
    ///
    /// # Errors
    ///
    /// If the system does not tell where this program is.
    pub fn reference() -> std::io::Result<Self> {
        Ok(Self { program: std::env::current_exe()?, arguments: vec!["adapter".into()], has_sessions: false })
    }

    /// The reference that is `broken` on purpose.
    ///
    /// # Errors
    ///
    /// If the system does not tell where this program is.
    pub fn broken_reference(broken: &Broken) -> std::io::Result<Self> {
        let mut adapter = Self::reference()?;
        adapter.arguments.extend(["--break".into(), broken.name().into()]);
        Ok(adapter)
    }

    /// The adapter at `path`.
    ///
    /// # Errors
    ///
    /// If nothing is there.
    pub fn at(path: &Path) -> std::io::Result<Self> {
        Ok(Self { program: path.canonicalize()?, arguments: Vec::new(), has_sessions: false })
    }

    /// Asks who is there.
    ///
    /// # Errors
    ///
    /// Why there is no proper answer.
    pub fn hello(&self, codec: &Codec, time: Duration) -> Result<Hello, Fault> {
        let ended = self.send(codec, &Request::Hello { protocol: PROTOCOL }, time)?;
        codec.read_hello(&ended.output).map_err(|reason| fault(reason, &ended))
    }

    /// Puts a case to the implementation, in a process of its own.
    ///
    /// # Errors
    ///
    /// Why there is no proper answer.
    pub fn run(&self, codec: &Codec, request: &Request, time: Duration) -> Result<Answer, Fault> {
        self.start(codec, request, time)?.answer()
    }

    /// The same in a process of its own, which can be asked to end before there is an answer.
    ///
    /// # Errors
    ///
    /// Why it cannot be started.
    pub fn start<'a>(&self, codec: &'a Codec, request: &Request, time: Duration) -> Result<Asked<'a>, Fault> {
        let seq = request.seq();
        let line = codec.write(request).map_err(Fault::new)?;
        let bounds = Bounds { time, output: OUTPUT_LIMIT };
        let running = Running::start(&mut self.command(), line.as_bytes(), &bounds).map_err(not_run)?;
        Ok(Asked { codec, seq, bounds, running })
    }

    /// The same one, started with another soft limit of the stack, in KiB.
    pub(crate) fn with_stack(&self, limit: u32) -> Self {
        let command = process::with_stack(&self.command(), limit);
        let arguments = command.get_args().map(OsString::from).collect();
        Self { program: command.get_program().into(), arguments, has_sessions: false }
    }

    /// The command that starts it.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }

    fn send(&self, codec: &Codec, request: &Request, time: Duration) -> Result<Ended, Fault> {
        let line = codec.write(request).map_err(Fault::new)?;
        let bounds = Bounds { time, output: OUTPUT_LIMIT };
        let ended = process::run(&mut self.command(), line.as_bytes(), &bounds).map_err(not_run)?;
        ended.success(&bounds).map_err(|how| fault(format!("the adapter {how}"), &ended))?;
        Ok(ended)
    }
}

/// A process that has been given a message and has not been heard yet.
#[derive(Debug)]
pub struct Asked<'a> {
    codec: &'a Codec,
    seq: u64,
    bounds: Bounds,
    running: Running,
}

impl Asked<'_> {
    /// The process.
    #[must_use]
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Waits for its answer and its end.
    ///
    /// # Errors
    ///
    /// Why there is no proper answer.
    pub fn answer(self) -> Result<Answer, Fault> {
        let ended = self.running.end().map_err(not_run)?;
        ended.success(&self.bounds).map_err(|how| fault(format!("the adapter {how}"), &ended))?;
        self.codec.read_answer(&ended.output, self.seq).map_err(|reason| fault(reason, &ended))
    }
}

impl Fault {
    /// One that says nothing of standard error.
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), stderr: None }
    }
}

fn not_run(error: std::io::Error) -> Fault {
    Fault::new(format!("the adapter could not be run: {error}"))
}

fn fault(reason: String, ended: &Ended) -> Fault {
    Fault { reason, stderr: ended.last_words() }
}
