//! Implementations behind an adapter: one process a message.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{self, Bounds, Ended};
use crate::protocol::{Answer, Codec, Hello, OUTPUT_LIMIT, PROTOCOL, Request};

/// A program that speaks the adapter protocol.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// The program.
    pub program: PathBuf,
    /// What it is called with.
    pub arguments: Vec<OsString>,
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
        Ok(Self { program: std::env::current_exe()?, arguments: vec!["adapter".into()] })
    }

    /// The adapter at `path`.
    ///
    /// # Errors
    ///
    /// If nothing is there.
    pub fn at(path: &Path) -> std::io::Result<Self> {
        Ok(Self { program: path.canonicalize()?, arguments: Vec::new() })
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

    /// Puts a case to the implementation.
    ///
    /// # Errors
    ///
    /// Why there is no proper answer.
    pub fn run(&self, codec: &Codec, request: &Request, time: Duration) -> Result<Answer, Fault> {
        let seq = match request {
            Request::Run { seq, .. } => *seq,
            Request::Hello { .. } => 0,
        };
        let ended = self.send(codec, request, time)?;
        codec.read_answer(&ended.output, seq).map_err(|reason| fault(reason, &ended))
    }

    fn send(&self, codec: &Codec, request: &Request, time: Duration) -> Result<Ended, Fault> {
        let none = |reason| Fault { reason, stderr: None };
        let line = codec.write(request).map_err(none)?;
        let bounds = Bounds { time, output: OUTPUT_LIMIT };
        let mut command = Command::new(&self.program);
        let ended = process::run(command.args(&self.arguments), line.as_bytes(), &bounds)
            .map_err(|error| none(format!("the adapter could not be run: {error}")))?;
        ended.success(&bounds).map_err(|how| fault(format!("the adapter {how}"), &ended))?;
        Ok(ended)
    }
}

fn fault(reason: String, ended: &Ended) -> Fault {
    Fault { reason, stderr: ended.last_words() }
}
