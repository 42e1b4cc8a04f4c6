//! The last steps of a process in a container before it becomes the application.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use libcontainer::network::link::LinkClient;
use libcontainer::network::wrapper::create_network_client;
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::workload::{Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError};
use rustix::fs::{FileType, Mode, OFlags, makedev};

use super::INIT_NAME;
use super::capabilities::Capabilities;
use crate::backend::limits::Limit;
use crate::backend::seccomp::Filter;
use crate::sys;

/// The index of the loopback interface of a new network.
const LOOPBACK: u32 = 1;

/// A link to the memory of the kernel, which libcontainer makes and no application has a use for.
const KCORE: &str = "/dev/kcore";

/// What the process becomes, and what libcontainer leaves to do before.
#[derive(Debug, Clone)]
pub(super) struct Application {
    /// The program, an absolute path, and its arguments.
    pub(super) arguments: Vec<CString>,
    /// Its variables, in the order in which it is to see them.
    pub(super) environment: Vec<CString>,
    pub(super) capabilities: Capabilities,
    pub(super) filter: Filter,
    pub(super) limits: Vec<Limit>,
    /// Whether the loopback interface has to be brought up.
    pub(super) loopback: bool,
}

impl Application {
    /// Everything that can be done, and fail with words, before the process waits.
    fn prepare(&self) -> Result<(), String> {
        let name = CString::new(INIT_NAME).map_err(|error| error.to_string())?;
        rustix::thread::set_name(&name).map_err(|error| format!("the name of the process: {error}"))?;
        if self.loopback {
            let raised = LinkClient::new(create_network_client()).and_then(|mut links| links.set_up(LOOPBACK));
            raised.map_err(|error| format!("the loopback interface: {error}"))?;
        }
        remove_kcore().map_err(|error| format!("{KCORE}: {error}"))?;
        self.limits.iter().try_for_each(Limit::prepare)?;
        null_streams().map_err(|error| format!("the streams on /dev/null: {error}"))?;
        sys::reset_signals().map_err(|error| format!("the signals of the process: {error}"))?;
        // What has no leave to gain privileges may filter itself; others need a capability that goes now.
        self.filter.install().map_err(|error| format!("the filter of system calls: {error}"))?;
        self.capabilities.assume().map_err(|error| format!("the capabilities of the process: {error}"))
    }
}

impl Executor for Application {
    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        self.prepare().map_err(ExecutorValidationError::ArgValidationError)
    }

    /// The variables are handed to the program as they are, so those of this process do not matter.
    fn setup_envs(&self, _: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        Ok(())
    }

    /// Returns only if there is no application. Nobody reads the error: the process ends under its own name.
    fn exec(&self, _: &Spec) -> Result<(), ExecutorError> {
        self.limits.iter().try_for_each(Limit::set).map_err(|error| ExecutorError::Other(error.to_string()))?;
        Err(ExecutorError::Other(sys::execute(&self.arguments, &self.environment).to_string()))
    }
}

fn remove_kcore() -> io::Result<()> {
    match fs::read_link(KCORE) {
        Ok(target) if target == Path::new("/proc/kcore") => fs::remove_file(KCORE),
        _ => Ok(()),
    }
}

/// Opens the null device again for the streams that are it: libcontainer opens it for reading only.
fn null_streams() -> rustix::io::Result<()> {
    let streams: [(_, fn(&OwnedFd) -> _); 3] = [
        (rustix::stdio::stdin(), |null| rustix::stdio::dup2_stdin(null)),
        (rustix::stdio::stdout(), |null| rustix::stdio::dup2_stdout(null)),
        (rustix::stdio::stderr(), |null| rustix::stdio::dup2_stderr(null)),
    ];
    for (stream, replace) in streams {
        let seen = rustix::fs::fstat(stream)?;
        let character = FileType::from_raw_mode(seen.st_mode) == FileType::CharacterDevice;
        if character && seen.st_rdev == makedev(1, 3) {
            replace(&rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)?;
        }
    }
    Ok(())
}
