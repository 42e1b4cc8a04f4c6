//! One run: from an image and options to a report.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cornercast::digest::Digest;
use cornercast::manifest::App;
use rustix::fs::Mode;
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{Pid, set_child_subreaper};
use serde_json::Value;
use signal_hook::consts::SIGHUP;

use crate::application::{Application, Requests, Stop};
use crate::backend::{Backend, Container, End, Streams};
use crate::ids::Ids;
use crate::image::Image;
use crate::instance::{Instance, State};
use crate::options::{self, Options, is_instance_id};
use crate::policy::{self, UnderPolicy};
use crate::refusal::{Reason, Refusals};
use crate::report::{self, Engine, IsolationReport, Outcome, Row, RunReport};
use crate::stopped::Stopped;
use crate::view::View;
use crate::{cgroup, config, isolation, signal, stack, streams, sys, tree, volume};

/// Changes what the engine does behind its back: a suite that is to notice faults has to make some.
pub trait Tamper: Send + Sync {
    /// The app with the options put over it.
    fn app(&self, _: &mut App) {}

    /// The image, before it is opened.
    fn image(&self, _: &Path) {}

    /// The bundle before the backend gets it, with the content of its `config.json`.
    fn bundle(&self, _: &mut Value, _: &Path) {}

    /// The reports before they are written.
    fn reports(&self, _: &mut RunReport, _: &mut IsolationReport) {}
}

/// Changes nothing.
#[derive(Debug, Clone, Copy)]
pub struct Honest;

impl Tamper for Honest {}

/// What is run, and how.
#[derive(Clone)]
pub struct Settings {
    /// The image: a store or an archive.
    pub image: PathBuf,
    /// Which image of a store.
    pub wanted: Option<Digest>,
    /// What decides which image that is, if anything does.
    pub policy: Option<UnderPolicy>,
    /// The instance options, or why they are refused.
    pub options: Result<Options, Reason>,
    /// The directory that holds those of the instances.
    pub state: PathBuf,
    /// The directory that the reports go to.
    pub reports: Option<PathBuf>,
    /// What makes the container.
    pub backend: Arc<dyn Backend>,
    /// The parent of this process, if the application is to be killed at once when it has ended. Its end has to be
    /// a signal to this process.
    pub parent: Option<Pid>,
    /// Clauses that are not enforced. No engine has a reason to; a suite has one, to see whether it would notice.
    pub without: BTreeSet<String>,
    /// Changes what is done, for the same purpose.
    pub tamper: Arc<dyn Tamper>,
}

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    /// The run report.
    pub report: RunReport,
    /// What could not be removed of an instance whose application has ended, in words.
    pub left: Option<String>,
}

/// Runs an image to its end.
///
/// The calling thread gets a mount namespace of its own, and the process takes orphans; so one process does this once.
///
/// # Errors
///
/// If a report cannot be written, or an older one is in its place and cannot be removed. Everything else is in the
/// report.
pub fn run(settings: &Settings) -> io::Result<Ran> {
    if let Some(folder) = &settings.reports {
        report::remove_old(folder)?;
    }
    let backend = settings.backend.version();
    let mut run = Run {
        settings,
        backend,
        image: None,
        instance: None,
        arguments: None,
        level: None,
        rows: Vec::new(),
        left: None,
    };
    let ended = run.attempt();
    let (mut report, mut isolation) = (run.report(ended), run.isolation_report());
    settings.tamper.reports(&mut report, &mut isolation);
    if let Some(folder) = &settings.reports {
        let written = report::write(folder, report::ISOLATION_REPORT, &isolation);
        // RUN-094: that one cannot be written is no reason not to write the other.
        report::write(folder, report::RUN_REPORT, &report)?;
        written?;
    }
    Ok(Ran { report, left: run.left })
}

/// What is known so far, which goes into the reports.
struct Run<'a> {
    settings: &'a Settings,
    /// The version of the backend, or why it cannot be used.
    backend: Result<String, String>,
    image: Option<Digest>,
    instance: Option<String>,
    arguments: Option<Vec<String>>,
    level: Option<String>,
    rows: Vec<Row>,
    left: Option<String>,
}

impl Run<'_> {
    fn attempt(&mut self) -> Result<(End, bool), Stopped> {
        let settings = self.settings;
        // As by nohup(1): whoever started this one does not want it to end with the terminal.
        let outlives_terminal = sys::is_ignored(SIGHUP);
        sys::default_signals();
        let requests = Requests::listen(settings.parent, outlives_terminal)?;
        sys::unblock_signals()?;
        let mut refusals = Refusals::without(settings.without.clone());
        let options = settings.options.clone().unwrap_or_else(|reason| {
            refusals.push(reason);
            Options::default()
        });
        options::judge(&options).into_iter().for_each(|reason| refusals.push(reason));
        // It is the name of a directory, so it is one whatever is not enforced.
        let id = options.instance.clone().filter(|id| is_instance_id(id)).map_or_else(new_id, Ok)?;
        if options.instance.is_none() || options.instance.as_ref() == Some(&id) {
            self.instance = Some(id.clone());
        }
        refusals.verdict()?;
        self.backend.clone().map_err(|why| vec![Reason::of_host(why)])?;
        // RUN-031: what is started has the same limits.
        if !settings.without.contains("RUN-031") {
            stack::raise()?;
        }
        set_child_subreaper(Some(rustix::process::getpid())).map_err(io::Error::from)?;
        let state = State::make(&settings.state)?;
        if !settings.without.contains("RUN-081") {
            state.sweep(|| requests.are_there())?;
        }
        let instance = match state.create(&id, || requests.are_there()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                refusals.add("RUN-007", format!("there is an instance `{id}` already"));
                refusals.verdict()?;
                state.create(&new_id()?, || requests.are_there())?
            }
            instance => instance?,
        };
        let ended = self.with(&instance, &options, &requests);
        // Removing an instance ends its processes.
        if !["RUN-077", "RUN-099"].iter().any(|clause| settings.without.contains(*clause))
            && let Err(error) = instance.remove()
        {
            // What came of the application counts more; the next engine tries again.
            self.left = Some(error.to_string());
        }
        ended
    }

    /// With the directory of the instance, which whoever calls removes.
    fn with(&mut self, instance: &Instance, options: &Options, requests: &Requests) -> Result<(End, bool), Stopped> {
        let settings = self.settings;
        sys::own_mounts()?;
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(io::Error::from)?;
        settings.tamper.image(&settings.image);
        let is_judged = !settings.without.contains("RUN-001");
        let policy = settings.policy.as_ref().filter(|_| !settings.without.contains("RUN-126"));
        let image = Image::open(&settings.image, settings.wanted, &instance.folder, is_judged, policy, requests.any())?;
        self.image = Some(image.id);
        let mut refusals = Refusals::without(settings.without.clone());
        let (app, volumes) = self.judge(&image, options, &mut refusals);
        refusals.verdict()?;
        let Some(app) = app else { return Err(Stopped::failed("RUN-002", "there is nothing to run")) };
        let bundle = self.prepare(instance, &image, &app, options, volumes, &mut refusals)?;

        let state = instance.folder.join("backend");
        fs::create_dir(&state)?;
        let container = Container { id: &instance.id, bundle: &bundle, state: &state };
        let ended = self.start(&container, &instance.group, &app, requests);
        // RUN-077: this ends its processes, too.
        if !settings.without.contains("RUN-077")
            && let Err(why) = settings.backend.delete(&container)
        {
            self.left = Some(why);
        }
        ended
    }

    /// Makes the container, and waits for the end of the application in it.
    fn start(
        &mut self,
        container: &Container<'_>,
        group: &str,
        app: &App,
        requests: &Requests,
    ) -> Result<(End, bool), Stopped> {
        let settings = self.settings;
        let (streams, mut passing) = streams::open()?;
        let application = match self.begin(container, streams, requests) {
            Ok(application) => application,
            Err(stopped) if settings.backend.says_on_stderr() => return Err(stopped.saying(&passing.withheld())),
            Err(stopped) => return Err(stopped),
        };
        passing.release();
        self.arguments = Some(config::arguments(app));
        let stop = Stop {
            signal: signal::number(&app.stop.signal).unwrap_or(15),
            grace: Duration::from_secs(u64::from(app.stop.grace_seconds)),
        };
        let all = settings.without.contains("RUN-078").then_some(group);
        let ended = application.wait(requests, stop, all)?;
        // Also where a backend has no namespace whose end would end them.
        if !settings.without.contains("RUN-077")
            && let Err(error) = cgroup::kill(group)
        {
            self.left = Some(error.to_string());
        }
        passing.finish(requests);
        Ok(ended)
    }

    /// Makes the container, until the application in it has begun.
    fn begin(&self, container: &Container<'_>, streams: Streams, requests: &Requests) -> Result<Application, Stopped> {
        let backend = &*self.settings.backend;
        let stopped = || Stopped::Failed(vec![Reason::of_host("it was stopped before the application began")]);
        let pid = backend.create(container, streams)?;
        let mut application = Application::waiting(pid)?;
        if requests.take() || requests.are_of_nobody() {
            return Err(stopped());
        }
        if let Some(held) = backend.start(container, pid)? {
            application.hold(held)?;
        }
        match application.begins(requests)? {
            Ok(()) => Ok(application),
            Err(_) if requests.are_there() => Err(stopped()),
            Err(why) => Err(why.into()),
        }
    }

    /// Makes the bundle of the instance: the tree with what the engine puts into it, looked at as the application will
    /// find it, and the configuration.
    fn prepare(
        &self,
        instance: &Instance,
        image: &Image,
        app: &App,
        options: &Options,
        volumes: Vec<volume::Found>,
        refusals: &mut Refusals,
    ) -> Result<PathBuf, Stopped> {
        let settings = self.settings;
        let hostname = options.hostname.as_deref().unwrap_or(&instance.id);
        let bundle = instance.folder.join("bundle");
        let rootfs = bundle.join("rootfs");
        let is_deep = settings.without.contains("RUN-072");
        // All of it is in a directory that is the engine's alone, and has the modes that it is given.
        let umask = rustix::process::umask(Mode::empty());
        fs::create_dir(&bundle)?;
        image.unpack(&rootfs)?;
        if ["RUN-041", "RUN-042"].iter().any(|clause| settings.without.contains(*clause)) {
            tree::replace(&rootfs)?;
        }
        tree::prepare(&rootfs, &image.tree, hostname)?;
        let volumes = volume::stage(volumes, &instance.folder.join("volumes"), is_deep)?;
        let run = instance.folder.join("run");
        fs::create_dir(&run)?;
        fs::set_permissions(&run, fs::Permissions::from_mode(0o755))?;
        rustix::process::umask(umask);

        let view = View::new(&instance.folder.join("view"), &rootfs, &volumes)?;
        if let Err((clause, why)) = view.judge_directory(&app.working_directory) {
            refusals.add(clause, why);
        }
        refusals.verdict()?;
        let program = app.exec.first().map(String::as_str).unwrap_or_default();
        if let Err((clause, why)) = view.judge_program(program)
            && !settings.without.contains(clause)
        {
            return Err(Stopped::failed(clause, why));
        }
        drop(view);

        let described =
            config::Instance { id: &instance.id, group: &instance.group, hostname, volumes: &volumes, run: &run };
        let mut document = config::document(image, app, &described)?;
        settings.tamper.bundle(&mut document, &bundle);
        fs::write(bundle.join("config.json"), serde_json::to_vec(&document).map_err(io::Error::from)?)?;
        Ok(bundle)
    }

    /// Everything that can be said from the documents alone.
    fn judge(
        &mut self,
        image: &Image,
        options: &Options,
        refusals: &mut Refusals,
    ) -> (Option<App>, Vec<volume::Found>) {
        let Some(app) = &image.manifest.app else {
            // RUN-002
            refusals.add("RUN-002", "the image has no `app`, so there is nothing to run");
            return (None, Vec::new());
        };
        let (platform, own) = (&image.manifest.platform, architecture());
        if platform.architecture != own {
            // RUN-003
            let message =
                format!("the image is for the architecture `{}`, and this host is `{own}`", platform.architecture);
            refusals.add("RUN-003", message);
        }
        match Ids::of_this_process(self.settings.backend.greatest_id()) {
            Ok(ids) => ids.judge(&app.user, &image.tree, refusals),
            Err(error) => refusals.push(Reason::of_host(format!("the user namespace of the engine: {error}"))),
        }
        tree::judge(&image.tree, refusals);
        let volumes = volume::find(app, &image.tree, options, refusals);
        policy::judge_exec(options.exec.is_some(), image.rule.as_ref(), refusals);
        let in_force = isolation::merge(&app.isolation, &options.isolation, refusals);
        policy::judge_level(&in_force.isolation.level, image.rule.as_ref(), refusals);
        self.level = Some(in_force.isolation.level.clone());
        self.rows = in_force.rows;
        isolation::of_backend(&mut self.rows, &*self.settings.backend, refusals);
        let mut app = config::effective(app, options, in_force.isolation);
        let mounted: Vec<&str> = volumes.iter().map(volume::Found::path).collect();
        if let Some(why) = self.settings.backend.lacks(&app, &mounted) {
            refusals.push(Reason::of_host(why));
        }
        self.settings.tamper.app(&mut app);
        (Some(app), volumes)
    }

    fn report(&self, ended: Result<(End, bool), Stopped>) -> RunReport {
        let mut report = RunReport {
            cornercast: cornercast::manifest::FORMAT_VERSION.to_owned(),
            kind: "run-report".to_owned(),
            engine: Engine {
                name: "cornercast-run".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                backend: self
                    .backend
                    .as_ref()
                    .ok()
                    .map(|version| format!("{} {version}", self.settings.backend.name())),
            },
            instance: self.instance.clone(),
            image: self.image.map(|id| id.to_string()),
            arguments: self.arguments.clone(),
            outcome: Outcome::Refused,
            exit_code: None,
            signal: None,
            killed: false,
            reasons: Vec::new(),
        };
        match ended {
            Ok((End::Exited(code), killed)) => {
                report.outcome = Outcome::Exited;
                report.exit_code = Some(code);
                report.killed = killed;
            }
            Ok((End::Signaled(number), killed)) => {
                report.outcome = Outcome::Signaled;
                report.signal = Some(signal::name(number));
                report.killed = killed;
            }
            Err(Stopped::Refused(reasons)) => report.reasons = reasons,
            Err(Stopped::Failed(reasons)) => {
                report.outcome = Outcome::Failed;
                report.reasons = reasons;
            }
        }
        report
    }

    fn isolation_report(&self) -> IsolationReport {
        let has_run = self.arguments.is_some();
        IsolationReport {
            cornercast: cornercast::manifest::FORMAT_VERSION.to_owned(),
            kind: "isolation-report".to_owned(),
            level: self.level.clone().filter(|_| has_run),
            isolators: if has_run { self.rows.clone() } else { Vec::new() },
        }
    }
}

/// An instance id that no other instance has.
fn new_id() -> io::Result<String> {
    let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    Ok(uuid.trim().to_owned())
}

/// This machine's processor, as manifests call it.
#[must_use]
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "loongarch64" => "loong64",
        other => other,
    }
}
