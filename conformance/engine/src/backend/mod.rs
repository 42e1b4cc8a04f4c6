//! Backends: what makes a container of a bundle.
//!
//! The engine decides what the application is to see, and writes that into an OCI bundle. A backend makes the
//! container and starts the application in it, nothing else: the engine waits for the application, stops it and
//! judges how it ended, so that this is the same whatever the backend.

#[cfg(feature = "embedded")]
pub mod embedded;
mod runc;

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::process::Pid;

#[cfg(feature = "embedded")]
pub use self::embedded::Embedded;
pub use self::runc::Runc;

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

    /// Makes the container, with a process in it that waits to become the application.
    ///
    /// The process is a child of the calling process when this returns, or becomes one: the caller has said that
    /// it takes orphans (`PR_SET_CHILD_SUBREAPER`). Nothing but the application writes to the streams.
    ///
    /// # Errors
    ///
    /// Why there is no container; nothing of it is left but what [`Backend::delete`] removes.
    fn create(&self, container: &Container<'_>, streams: Streams) -> Result<Pid, CreateError>;

    /// Lets the process become the application. It may fail to, which is seen from how it ends.
    ///
    /// # Errors
    ///
    /// Why it was not let, in words.
    fn start(&self, container: &Container<'_>) -> Result<(), String>;

    /// Removes what is left of the container, whose processes have ended. It may never have been made.
    ///
    /// # Errors
    ///
    /// Why something could not be removed, in words.
    fn delete(&self, container: &Container<'_>) -> Result<(), String>;
}
