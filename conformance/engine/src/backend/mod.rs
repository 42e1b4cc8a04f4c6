//! Backends: what makes a container of a bundle.
//!
//! The engine decides what the application is to see, and writes that into an OCI bundle. A backend makes the
//! container and starts the application in it, nothing else: the engine waits for the application, stops it and
//! judges how it ended, so that this is the same whatever the backend.

#[cfg(feature = "embedded")]
mod bubblewrap;
#[cfg(feature = "embedded")]
mod capability;
#[cfg(feature = "embedded")]
pub mod embedded;
mod gate;
#[cfg(feature = "embedded")]
mod limits;
#[cfg(feature = "embedded")]
mod lxc;
#[cfg(feature = "embedded")]
mod mounting;
mod oci;
mod process_group;
pub mod program;
mod runsc;
#[cfg(feature = "embedded")]
mod seccomp;

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use cornercast::manifest::App;
use rustix::process::Pid;

#[cfg(feature = "embedded")]
pub use self::bubblewrap::Bubblewrap;
#[cfg(feature = "embedded")]
pub use self::embedded::Embedded;
#[cfg(feature = "embedded")]
pub use self::lxc::Lxc;
pub use self::oci::{OciRuntime, last_error};
pub use self::runsc::{RUNSC_OPTIONS, Runsc};

/// A container that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Container<'a> {
    /// Its name, which is a valid instance id.
    pub id: &'a str,
    /// The OCI bundle: a directory with `config.json` and the root tree that it names.
    pub bundle: &'a Path,
    /// A directory for the backend's own state of this container, which exists.
    pub state: &'a Path,
}

/// The descriptors 0, 1 and 2 of the application.
#[derive(Debug)]
pub struct Streams {
    /// Standard input.
    pub stdin: OwnedFd,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
}

/// Why there is no container, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// The program could not be executed.
    #[error("{0}")]
    Program(String),
    /// Anything else, which is a matter of the host.
    #[error("{0}")]
    Host(String),
}

impl From<String> for CreateError {
    fn from(message: String) -> Self {
        Self::Host(message)
    }
}

/// How an application has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With an exit code.
    Exited(u8),
    /// By the signal of this number.
    Signaled(i32),
}

/// An application that is no process of this host, as its backend has a kernel of its own.
pub trait Held: Send {
    /// A child of the calling process that ends when the application has.
    fn process(&self) -> Pid;

    /// Whether it is running; it may have ended before that is seen.
    fn is_running(&self) -> bool;

    /// Whether its program was executed, where the process has ended in this way. It takes a sign that it was.
    ///
    /// # Errors
    ///
    /// Why it was not.
    fn began(&self, process: End) -> Result<(), CreateError>;

    /// Sends it the signal of this number.
    ///
    /// # Errors
    ///
    /// If that cannot be done; the application may have ended.
    fn signal(&self, signal: i32) -> io::Result<()>;

    /// How it has ended, by the end of the process.
    fn end(&self, process: End) -> End;
}

/// A way of isolating an application.
pub trait Backend: Send + Sync {
    /// What it is called: `embedded`, `runc`.
    fn name(&self) -> &str;

    /// Its version.
    ///
    /// # Errors
    ///
    /// Why it cannot be used on this host, in words.
    fn version(&self) -> Result<String, String>;

    /// The greatest user or group id that it can represent.
    fn greatest_id(&self) -> u32 {
        u32::MAX - 1
    }

    /// What it cannot do that this application, with the instance options, needs, in words; volumes are to be `mounted` at
    /// these paths.
    fn lacks(&self, _app: &App, _mounted: &[&str]) -> Option<String> {
        None
    }

    /// Why it cannot enforce an isolator that others can, in words.
    fn cannot_enforce(&self, _isolator: &str) -> Option<&'static str> {
        None
    }

    /// By what it enforces an isolator, if not as runtimes on the host's kernel do.
    fn mechanism(&self, _isolator: &str) -> Option<&'static str> {
        None
    }

    /// Whether what it says of an error is on the standard error of the application that there is not.
    fn says_on_stderr(&self) -> bool {
        false
    }

    /// Makes the container, with a process in it that waits to become the application.
    ///
    /// The process is a child of the calling process when this returns, or becomes one: the caller has said that
    /// it takes orphans (`PR_SET_CHILD_SUBREAPER`). Nothing but the application writes to the streams.
    ///
    /// # Errors
    ///
    /// Why there is no container; nothing of it is left but what [`Backend::delete`] removes.
    fn create(&self, container: &Container<'_>, streams: Streams) -> Result<Pid, CreateError>;

    /// Lets `process`, which was made for it, become the application. It may fail to, which is seen from how it ends.
    /// Where the application is no process, it is returned.
    ///
    /// # Errors
    ///
    /// Why there is no application.
    fn start(&self, container: &Container<'_>, process: Pid) -> Result<Option<Box<dyn Held>>, CreateError>;

    /// Removes what is left of the container, whose processes have ended. It may never have been made.
    ///
    /// # Errors
    ///
    /// Why something could not be removed, in words.
    fn delete(&self, container: &Container<'_>) -> Result<(), String>;
}
