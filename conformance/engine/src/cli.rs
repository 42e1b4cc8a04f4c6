//! The command line.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, ValueEnum, ValueHint};
use cornercast::digest::Digest;
use cornercast::limits::Limits;
use cornercast::manifest::Isolator;
use cornercast::name::Reference;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use serde_json::Value;

use crate::backend::{Backend, OciRuntime, Runsc};
#[cfg(feature = "embedded")]
use crate::backend::{Bubblewrap, Embedded, Lxc};
use crate::engine::{self, Ran, Settings};
use crate::instance;
use crate::options::{self, Options, Volume};
use crate::policy::UnderPolicy;
use crate::refusal::Reason;
use crate::report::{Outcome, RunReport};
use crate::signal;

/// The exit status when the instance was refused, and when the application could not be started.
const REFUSED: u8 = 125;
/// See [`REFUSED`].
const FAILED: u8 = 126;

/// The directory of the instances.
const STATE: &str = "/var/lib/cornercast/instances";

/// Run the application of an image
///
/// The image is checked and unpacked, and its application runs in a container of its own. Standard input is passed to
/// it unless it is a terminal, its output and errors are passed on as they are. SIGTERM, SIGINT or SIGHUP stop it as
/// the image says; a second one kills it. Whatever the instance has written is gone afterwards.
///
/// An isolator that cannot be enforced is a refusal, unless the image does not require it.
///
/// Exit status: that of the application, or 128 and the number of the signal that ended it; 125 if the instance was
/// refused, 126 if the application could not be started. The run report tells these apart.
#[derive(Debug, Parser)]
#[command(name = "cornercast-run", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    run: RunArgs,
}

/// What is run, and how.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The image: a store, STORE@sha256:…, or an archive
    #[arg(value_hint = ValueHint::AnyPath, required_unless_present = "clean")]
    image: Option<String>,
    /// Arguments in the place of those of the image; `--` alone gives none
    #[arg(last = true, value_name = "ARG")]
    arguments: Option<Vec<String>>,
    /// Instance options, a JSON document; what is said on the command line comes on top
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    options: Option<PathBuf>,
    /// The instance id [default: one that no other instance has]
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
    /// The hostname [default: the instance id]
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// A variable beside those of the image, or in its place
    #[arg(long = "env", short, value_name = "NAME=VALUE", value_parser = pair)]
    environment: Vec<(String, String)>,
    /// A directory for a mount of the image; NAME=DIR:ro if it cannot be written to, NAME=empty for an empty one
    #[arg(long = "volume", short, value_name = "NAME=DIR", value_parser = pair)]
    volumes: Vec<(String, String)>,
    /// An isolator beside those of the image, or a stricter value: resource/memory={"limit":67108864}
    #[arg(long = "isolator", value_name = "NAME=JSON", value_parser = pair)]
    isolators: Vec<(String, String)>,
    /// The least isolation level
    #[arg(long, value_name = "LEVEL")]
    level: Option<String>,
    /// What makes the container
    #[arg(long, value_enum, value_name = "NAME", default_value_t = BackendName::default())]
    backend: BackendName,
    /// The program of a backend that is one
    #[arg(long, value_name = "PATH", value_hint = ValueHint::CommandName)]
    runtime: Option<PathBuf>,
    /// The directory for what belongs to instances while they are there
    #[arg(long, value_name = "DIR", default_value = STATE, value_hint = ValueHint::DirPath)]
    state: PathBuf,
    /// Run no image but the one that is accepted under this policy, as `cornercast verify` decides
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires_all = ["policy_state", "reference"])]
    policy: Option<PathBuf>,
    /// The directory of what verifiers remember, for --policy
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "policy")]
    policy_state: Option<PathBuf>,
    /// Which image is meant, by its name, for --policy
    #[arg(long, value_parser = reference, requires = "policy")]
    reference: Option<Reference>,
    /// Write run-report.json and isolation-report.json into DIR, which has to be there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    report: Option<PathBuf>,
    /// Say nothing on standard error, which is the application's alone then
    #[arg(long, short)]
    quiet: bool,
    /// Kill the application when the process that has started this one ends
    #[arg(long)]
    die_with_parent: bool,
    /// Only remove what engines that were killed have left
    #[arg(long, conflicts_with_all = ["image", "options", "report", "arguments"])]
    clean: bool,
}

/// The backends by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum BackendName {
    /// What is linked in: libcontainer
    #[cfg(feature = "embedded")]
    #[default]
    Embedded,
    /// The OCI runtime runc
    #[cfg_attr(not(feature = "embedded"), default)]
    Runc,
    /// The OCI runtime crun
    Crun,
    /// The OCI runtime youki
    Youki,
    /// gVisor, a kernel of its own in user space
    Runsc,
    /// bubblewrap, which has no control groups and runs programs as the user that calls it alone
    #[cfg(feature = "embedded")]
    Bubblewrap,
    /// LXC, by lxc-start
    #[cfg(feature = "embedded")]
    Lxc,
}

impl BackendName {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded => "embedded",
            Self::Runc => "runc",
            Self::Crun => "crun",
            Self::Youki => "youki",
            Self::Runsc => "runsc",
            #[cfg(feature = "embedded")]
            Self::Bubblewrap => "bubblewrap",
            #[cfg(feature = "embedded")]
            Self::Lxc => "lxc",
        }
    }

    /// The backend; `program` is where it is, if it is a program and not where it is looked for.
    #[must_use]
    pub fn make(self, program: Option<PathBuf>) -> Arc<dyn Backend> {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded => Arc::new(Embedded),
            Self::Runc => Arc::new(OciRuntime::runc(program)),
            Self::Crun => Arc::new(OciRuntime::crun(program)),
            Self::Youki => Arc::new(OciRuntime::youki(program)),
            Self::Runsc => Arc::new(Runsc::at(program)),
            #[cfg(feature = "embedded")]
            Self::Bubblewrap => Arc::new(Bubblewrap::at(program)),
            #[cfg(feature = "embedded")]
            Self::Lxc => Arc::new(Lxc::at(program)),
        }
    }
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    run(&cli.run, |_| {})
}

/// Does what the arguments say; `amend` sees the settings before.
pub fn run(arguments: &RunArgs, amend: impl FnOnce(&mut Settings)) -> ExitCode {
    match attempt(arguments, amend) {
        Ok(status) => status.into(),
        Err(error) => {
            anstream::eprintln!("cornercast-run: {error}");
            REFUSED.into()
        }
    }
}

fn attempt(arguments: &RunArgs, amend: impl FnOnce(&mut Settings)) -> io::Result<u8> {
    if arguments.clean {
        for id in instance::sweep(&arguments.state)? {
            println!("{id}");
        }
        return Ok(0);
    }
    let parent = if arguments.die_with_parent { Some(parent()?) } else { None };
    let mut settings = Settings { parent, ..settings(arguments)? };
    amend(&mut settings);
    // RUN-028: of the engine's own words, nothing gets among those of an application to whoever wants only these.
    let Ran { report, left } = match engine::run(&settings) {
        Err(_) if arguments.quiet => return Ok(REFUSED),
        ran => ran?,
    };
    if !arguments.quiet {
        tell(&report);
        if let Some(left) = left {
            let left = cornercast::shown::escaped(&left);
            anstream::eprintln!("cornercast-run: something is left of the instance: {left}");
        }
    }
    Ok(status(&report))
}

/// The process that has started this one, whose end is a request to stop from now on.
fn parent() -> io::Result<Pid> {
    let parent = getppid();
    set_parent_process_death_signal(Some(Signal::TERM))?;
    // It can have ended before that.
    parent
        .filter(|_| getppid() == parent)
        .ok_or_else(|| io::Error::other("the process that has started this one has ended or is not to be seen"))
}

fn settings(arguments: &RunArgs) -> io::Result<Settings> {
    let (image, wanted) = split(arguments.image.as_deref().unwrap_or_default());
    if let Some(folder) = &arguments.report
        && !folder.is_dir()
    {
        return Err(io::Error::other(format!("the directory for reports {} is not there", folder.display())));
    }
    let policy = arguments.policy.clone().zip(arguments.policy_state.clone()).zip(arguments.reference.clone());
    Ok(Settings {
        image,
        wanted,
        policy: policy.map(|((file, state), reference)| UnderPolicy { file, state, reference }),
        options: given(arguments)?,
        // A state directory of another working directory would be another one.
        state: std::path::absolute(&arguments.state)?,
        reports: arguments.report.clone(),
        backend: arguments.backend.make(arguments.runtime.clone()),
        parent: None,
        without: BTreeSet::new(),
        tamper: Arc::new(engine::Honest),
    })
}

/// `PATH@sha256:…` or `PATH`.
fn split(argument: &str) -> (PathBuf, Option<Digest>) {
    match argument.rsplit_once('@').and_then(|(path, digest)| Some((path, Digest::parse(digest)?))) {
        Some((path, digest)) => (path.into(), Some(digest)),
        None => (argument.into(), None),
    }
}

fn reference(text: &str) -> Result<Reference, String> {
    Reference::parse(text, &Limits::FORMAT).map_err(|broken| {
        let why: Vec<String> = broken.iter().map(|(clause, why)| format!("{why} [{}]", clause.id)).collect();
        why.join("; ")
    })
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("there is no `=`")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The options of the document with those of the command line on top, or why they are refused.
fn given(arguments: &RunArgs) -> io::Result<Result<Options, Reason>> {
    let mut options = match &arguments.options {
        None => Options::default(),
        Some(path) => match options::read(&read(path)?) {
            Ok(options) => options,
            Err(reason) => return Ok(Err(reason)),
        },
    };
    if let Some(given) = &arguments.arguments {
        options.arguments = Some(given.clone());
    }
    options.instance = arguments.instance.clone().or(options.instance);
    options.hostname = arguments.hostname.clone().or(options.hostname);
    options.environment.extend(arguments.environment.iter().cloned());
    for (name, value) in &arguments.volumes {
        options.volumes.insert(name.clone(), volume(value)?);
    }
    options.isolation.level = arguments.level.clone().or(options.isolation.level);
    for (name, value) in &arguments.isolators {
        let value: Value = serde_json::from_str(value)
            .map_err(|error| io::Error::other(format!("the value of the isolator `{name}`: {error}")))?;
        options.isolation.isolators.insert(name.clone(), Isolator { value, required: true });
    }
    Ok(Ok(options))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut source = Vec::new();
    let file = fs::File::open(path);
    file.and_then(|file| file.take(options::LIMIT + 1).read_to_end(&mut source))
        .map_err(|error| io::Error::new(error.kind(), format!("the instance options {}: {error}", path.display())))?;
    Ok(source)
}

/// `DIR`, `DIR:ro` or `empty`.
fn volume(value: &str) -> io::Result<Volume> {
    if value == "empty" {
        return Ok(Volume::Empty { empty: true });
    }
    let (source, read_only) = match value.strip_suffix(":ro") {
        Some(source) => (source, true),
        None => (value, false),
    };
    let source = std::path::absolute(source)?.to_string_lossy().into_owned();
    Ok(Volume::Directory { source, read_only })
}

/// Says why there was no application.
fn tell(report: &RunReport) {
    let what = match report.outcome {
        Outcome::Exited | Outcome::Signaled => return,
        Outcome::Refused => "refused",
        Outcome::Failed => "the application could not be started",
    };
    for reason in &report.reasons {
        let clause = reason.clause.as_ref().map_or_else(String::new, |clause| format!(" [{clause}]"));
        anstream::eprintln!("cornercast-run: {what}: {}{clause}", cornercast::shown::escaped(&reason.message));
    }
}

fn status(report: &RunReport) -> u8 {
    match (report.outcome, &report.signal) {
        (Outcome::Exited, _) => report.exit_code.unwrap_or(0),
        (Outcome::Signaled, name) => {
            let number = name.as_deref().and_then(signal::number).unwrap_or(0);
            u8::try_from(128 + number).unwrap_or(u8::MAX)
        }
        (Outcome::Refused, _) => REFUSED,
        (Outcome::Failed, _) => FAILED,
    }
}
