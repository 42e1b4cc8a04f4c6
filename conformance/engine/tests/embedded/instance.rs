//! Containers of a tree that holds the probe and nothing else.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use cornercast::bundle;
use cornercast::digest::Digest;
use cornercast::layer::Tree;
use cornercast::manifest::Manifest;
use cornercast_engine::backend::embedded::INIT_NAME;
use cornercast_engine::backend::{Backend, Container, Embedded, Streams};
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A container, and the folder with all that is its own.
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) config: Value,
    folder: TempDir,
}

/// What became of an application.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Exit(i32),
    Signal(i32),
    /// It never was one.
    NotStarted,
}

impl Instance {
    /// A container that runs `/bin/probe` with these arguments.
    pub(crate) fn of(probe: &Path, arguments: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = format!("cornercast-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().unwrap();
        // A temporary folder is for its owner only, and the application has other ids.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["bundle/rootfs/bin", "bundle/rootfs/dev", "bundle/rootfs/proc", "bundle/rootfs/sys", "state"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        fs::copy(probe, folder.path().join("bundle/rootfs/bin/probe")).unwrap();
        let mut config = config(arguments);
        config["linux"]["cgroupsPath"] = format!("/cornercast/{id}").into();
        config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "cgroup"}));
        Self { id, config, folder }
    }

    /// A container in which the probe does these steps.
    pub(crate) fn acting(probe: &Path, steps: &[&str]) -> Self {
        let mut instance = Self::of(probe, steps);
        // Its name says what it is to do.
        fs::rename(instance.rootfs().join("bin/probe"), instance.rootfs().join("bin/act")).unwrap();
        fs::create_dir(instance.rootfs().join("tmp")).unwrap();
        instance.config["process"]["args"][0] = "/bin/act".into();
        instance
    }

    pub(crate) fn with_user(mut self, uid: u32) -> Self {
        self.config["process"]["user"] = json!({"additionalGids": [uid], "gid": uid, "uid": uid, "umask": 0o022});
        for set in ["effective", "permitted"] {
            self.config["process"]["capabilities"][set] = json!([]);
        }
        self
    }

    pub(crate) fn rootfs(&self) -> PathBuf {
        self.folder.path().join("bundle/rootfs")
    }

    /// Makes the container; its streams are files.
    pub(crate) fn create(&self) -> Result<Pid, String> {
        let file = |name| OwnedFd::from(File::create(self.folder.path().join(name)).unwrap());
        let stdin = OwnedFd::from(File::open("/dev/null").unwrap());
        self.create_with(Streams { stdin, stdout: file("stdout"), stderr: file("stderr") })
    }

    pub(crate) fn create_with(&self, streams: Streams) -> Result<Pid, String> {
        let bundle = self.folder.path().join("bundle");
        fs::write(bundle.join("config.json"), self.config.to_string()).unwrap();
        self.with(|container| Embedded.create(container, streams).map_err(|error| error.to_string()))
    }

    pub(crate) fn start(&self) {
        self.with(|container| Embedded.start(container, rustix::process::getpid())).unwrap();
    }

    pub(crate) fn delete(&self) {
        self.with(|container| Embedded.delete(container)).unwrap();
        assert_eq!(self.leftovers(), Vec::<PathBuf>::new());
    }

    /// Makes, starts, awaits and deletes the container.
    pub(crate) fn run(&self) -> Ended {
        let pid = self.create().unwrap();
        self.start();
        let ended = wait(pid);
        self.delete();
        ended
    }

    /// What the probe says that it sees.
    pub(crate) fn look(&self) -> Value {
        assert_eq!(self.run(), Ended::Exit(0), "{}", self.said("stderr"));
        assert_eq!(self.said("stderr"), "");
        serde_json::from_str(&self.said("stdout")).unwrap()
    }

    /// What the probe says of its steps, and how it ended.
    pub(crate) fn act(&self) -> (Ended, Vec<Value>) {
        let ended = self.run();
        assert_eq!(self.said("stderr"), "");
        (ended, self.said("stdout").lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// What it says of them where it comes to their end.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let (ended, lines) = self.act();
        assert_eq!(ended, Ended::Exit(0));
        lines
    }

    /// What was written to a stream that is a file.
    pub(crate) fn said(&self, stream: &str) -> String {
        fs::read_to_string(self.folder.path().join(stream)).unwrap()
    }

    fn with<T>(&self, act: impl FnOnce(&Container<'_>) -> T) -> T {
        let (bundle, state) = (self.folder.path().join("bundle"), self.folder.path().join("state"));
        act(&Container { id: &self.id, bundle: &bundle, state: &state })
    }

    /// Control groups and state.
    fn leftovers(&self) -> Vec<PathBuf> {
        let entries = |folder: &Path| -> Vec<PathBuf> {
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
        };
        let hierarchies = entries(Path::new("/sys/fs/cgroup")).into_iter().chain(["/sys/fs/cgroup".into()]);
        let groups = hierarchies.map(|hierarchy| hierarchy.join("cornercast").join(&self.id));
        groups.filter(|group| group.exists()).chain(entries(&self.folder.path().join("state"))).collect()
    }
}

/// Waits for a process, which is a child of this one, and reaps it.
pub(crate) fn wait(pid: Pid) -> Ended {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    let status = rustix::process::waitid(WaitId::Pid(pid), options).unwrap().unwrap();
    let name = fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero())).unwrap();
    rustix::process::waitpid(Some(pid), WaitOptions::empty()).unwrap();
    match (status.exit_status(), status.terminating_signal()) {
        _ if name.trim_end() == INIT_NAME => Ended::NotStarted,
        (Some(code), _) => Ended::Exit(code),
        (_, signal) => Ended::Signal(signal.unwrap()),
    }
}

/// Pipes for the streams, whose other ends come back in the same order.
pub(crate) fn pipes() -> (Streams, [File; 3]) {
    let [stdin, stdout, stderr] = [(); 3].map(|()| std::io::pipe().unwrap());
    let streams = Streams { stdin: stdin.0.into(), stdout: stdout.1.into(), stderr: stderr.1.into() };
    let files = [OwnedFd::from(stdin.1).into(), OwnedFd::from(stdout.0).into(), OwnedFd::from(stderr.0).into()];
    (streams, files)
}

/// The configuration of the bundle of an image.
fn config(arguments: &[&str]) -> Value {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let digest = Digest::of(b"");
    let manifest = json!({
        "cornercast": "1.0", "kind": "image", "name": "example.com/probe", "version": "1.0.0",
        "platform": {"os": "linux", "architecture": architecture},
        "app": {"exec": ["/bin/probe"], "arguments": arguments, "user": {"uid": 0, "gid": 0}},
        "layers": [{"digest": digest, "size": 1, "listing": {"digest": digest, "size": 1}}],
        "rootfs": {"digest": digest, "entries": 1, "size": 1},
    });
    let manifest: Manifest = serde_json::from_value(manifest).unwrap();
    let config = bundle::config(&manifest, digest, &Tree::default()).unwrap();
    serde_json::from_slice(&config.bytes).unwrap()
}

/// Nothing, for the three streams.
pub(crate) fn null_streams() -> Streams {
    let null = || OwnedFd::from(File::options().read(true).write(true).open("/dev/null").unwrap());
    Streams { stdin: null(), stdout: null(), stderr: null() }
}
