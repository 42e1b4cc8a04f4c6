//! The process that makes one container and ends.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use rustix::fs::{FsWord, Mode, OFlags};
use rustix::process::{Signal, Uid, WaitOptions, set_parent_process_death_signal};

use super::configuration::Configuration;
use super::{HELPER, State, log};
use crate::backend::Streams;

/// Makes a container, if that is what this program was executed again for. To be called before anything else.
///
/// `None` if it was executed for something else.
#[must_use]
pub fn helper() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != HELPER {
        return None;
    }
    let id = arguments.next()?.into_string().ok()?;
    let (bundle, root) = (PathBuf::from(arguments.next()?), PathBuf::from(arguments.next()?));
    // Nobody would know of what it makes.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    // The streams are the application's. And a panic must not unwind into what follows a fork.
    std::panic::set_hook(Box::new(|_| std::process::exit(101)));
    let state = State { root, id };
    let made = take_streams().and_then(|streams| make(&bundle, &state, streams));
    let Err(error) = made else {
        return Some(ExitCode::SUCCESS);
    };
    end_children(&state);
    // Without the file there is still the exit code.
    let _ = fs::write(state.error(), error);
    Some(ExitCode::FAILURE)
}

/// The standard streams of this process, which gets `/dev/null` for them.
fn take_streams() -> Result<Streams, String> {
    let take = || -> rustix::io::Result<Streams> {
        let above = |stream| rustix::io::fcntl_dupfd_cloexec(stream, 3);
        let stdin: OwnedFd = above(rustix::stdio::stdin())?;
        let streams =
            Streams { stdin, stdout: above(rustix::stdio::stdout())?, stderr: above(rustix::stdio::stderr())? };
        let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        rustix::stdio::dup2_stdin(&null)?;
        rustix::stdio::dup2_stdout(&null)?;
        rustix::stdio::dup2_stderr(&null)?;
        Ok(streams)
    };
    take().map_err(|error| format!("the streams cannot be handed over: {error}"))
}

fn make(bundle: &Path, state: &State, streams: Streams) -> Result<(), String> {
    // What the application inherits where its configuration is silent.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    rustix::thread::set_thread_groups(&[]).map_err(|error| format!("the groups cannot be dropped: {error}"))?;
    let configuration = Configuration::read(bundle, &state.id)?;
    own_pipes(&streams, configuration.owner).map_err(|error| format!("the streams cannot be given away: {error}"))?;
    configuration.write(state)?;
    log::to_file(&state.log())?;
    let builder = || {
        ContainerBuilder::new(state.id.clone(), SyscallType::Linux)
            .with_root_path(state.containers())?
            .with_pid_file(Some(state.pid_file()))?
            .with_executor(configuration.application.clone())
            .with_stdin(streams.stdin)
            .with_stdout(streams.stdout)
            .with_stderr(streams.stderr)
            .as_init(state.bundle())
            .with_systemd(false)
            .with_detach(true)
            .build()
    };
    builder().map_err(|error| reason(&error, state))?;
    configuration.complete()
}

/// Gives the streams that are pipes to the user, who could not open `/dev/stdout` otherwise. Files and terminals are
/// others' too, and stay theirs.
fn own_pipes(streams: &Streams, uid: u32) -> rustix::io::Result<()> {
    /// The file system of pipes without a name.
    const PIPEFS: FsWord = 0x5049_5045;
    for stream in [&streams.stdin, &streams.stdout, &streams.stderr] {
        if rustix::fs::fstatfs(stream)?.f_type == PIPEFS {
            rustix::fs::fchown(stream, Some(Uid::from_raw(uid)), None)?;
        }
    }
    Ok(())
}

/// Why libcontainer makes no container. What its forked process says has no cause, but that process has logged it.
fn reason(error: &dyn std::error::Error, state: &State) -> String {
    /// What stands before the words of that process.
    const FORKED: &str = "error in executing process : ";
    let said = chain(error);
    let Some((_, said)) = said.split_once(FORKED) else {
        return said;
    };
    match log::first(&state.log()) {
        Some(cause) if !cause.contains(said) => format!("{said}: {cause}"),
        _ => said.to_owned(),
    }
}

/// An error and what caused it, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = error.source();
    }
    said
}

/// Ends and reaps what was forked, so that no process is left to the caller that it does not know of.
fn end_children(state: &State) {
    if let Ok(pid) = state.pid() {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
    while let Ok(Some(_)) = rustix::process::wait(WaitOptions::empty()) {}
}
