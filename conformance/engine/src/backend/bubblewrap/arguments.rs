//! What a bundle says, as arguments of bubblewrap.

use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use libcontainer::oci_spec::runtime::{LinuxNamespaceType, Mount, Spec};
use rustix::mount::{MountFlags, mount};

use crate::backend::Container;
use crate::sys;

/// Mounts, in a mount namespace of the engine's own, what bubblewrap can only take from the host: a sysfs that has a
/// network without the interfaces of the host.
pub(super) fn stage(spec: &Spec, container: &Container<'_>) -> io::Result<()> {
    if !spec.mounts().iter().flatten().any(|mount| mount.typ().as_deref() == Some("sysfs")) {
        return Ok(());
    }
    let staged = sysfs(container);
    std::fs::create_dir(&staged)?;
    // A network is that of a thread, and what it mounts keeps it.
    let mounted = thread::spawn(move || {
        sys::own_network()?;
        let flags = MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::NODEV | MountFlags::RDONLY;
        mount("sysfs", &staged, "sysfs", flags, None)?;
        Ok(())
    });
    mounted.join().unwrap_or_else(|_| Err(io::Error::other("the thread that mounts has panicked")))
}

fn sysfs(container: &Container<'_>) -> PathBuf {
    container.state.join("sys")
}

/// The options of bubblewrap for a bundle.
///
/// # Errors
///
/// What of the bundle it cannot do.
pub(super) fn arguments(spec: &Spec, container: &Container<'_>) -> io::Result<Vec<String>> {
    let process = spec.process().as_ref().ok_or_else(|| io::Error::other("config.json has no process"))?;
    let root = spec.root().as_ref().ok_or_else(|| io::Error::other("config.json has no root"))?;
    let mut arguments = Arguments(Vec::new());
    // It would make the process 1 otherwise, and the application the process 2.
    arguments.add(["--die-with-parent", "--as-pid-1"]);
    let linux = spec.linux().as_ref();
    for namespace in linux.and_then(|linux| linux.namespaces().as_ref()).into_iter().flatten() {
        if let Some(option) = unshare(namespace.typ())? {
            arguments.add([option]);
        }
    }
    // What it is called with stays otherwise.
    arguments.add(["--cap-drop", "ALL"]);
    let capabilities = process.capabilities().as_ref().and_then(|all| all.permitted().as_ref());
    for capability in capabilities.into_iter().flatten() {
        arguments.add(["--cap-add", &format!("CAP_{capability}")]);
    }
    if let Some(hostname) = spec.hostname() {
        arguments.add(["--hostname", hostname]);
    }
    for variable in process.env().iter().flatten() {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        arguments.add(["--setenv", name, value]);
    }
    arguments.add(["--chdir", text(process.cwd())?]);
    let bind = if root.readonly().unwrap_or(false) { "--ro-bind" } else { "--bind" };
    let rootfs = container.bundle.join(root.path());
    arguments.add([bind, text(&rootfs)?, "/"]);
    for mount in spec.mounts().iter().flatten() {
        arguments.mount(mount, container)?;
    }
    for path in linux.and_then(|linux| linux.masked_paths().as_ref()).into_iter().flatten() {
        arguments.mask(path);
    }
    for path in linux.and_then(|linux| linux.readonly_paths().as_ref()).into_iter().flatten() {
        // Its own /proc has some of them read-only, but not /proc/sys to the user 0. What is not there is not made.
        if Path::new(path).exists() {
            arguments.add(["--ro-bind", path, path]);
        }
    }
    Ok(arguments.0)
}

/// The option for a namespace; the one of mounts is always a new one.
fn unshare(kind: LinuxNamespaceType) -> io::Result<Option<&'static str>> {
    Ok(Some(match kind {
        LinuxNamespaceType::Cgroup => "--unshare-cgroup",
        LinuxNamespaceType::Ipc => "--unshare-ipc",
        LinuxNamespaceType::Network => "--unshare-net",
        LinuxNamespaceType::Pid => "--unshare-pid",
        LinuxNamespaceType::Uts => "--unshare-uts",
        LinuxNamespaceType::Mount => return Ok(None),
        other => return Err(io::Error::other(format!("bubblewrap makes no namespace of the kind {other}"))),
    }))
}

fn text(path: &Path) -> io::Result<&str> {
    path.to_str().ok_or_else(|| io::Error::other(format!("the path {} is not UTF-8", path.display())))
}

struct Arguments(Vec<String>);

impl Arguments {
    fn add<const N: usize>(&mut self, arguments: [&str; N]) {
        self.0.extend(arguments.map(str::to_owned));
    }

    fn mount(&mut self, mount: &Mount, container: &Container<'_>) -> io::Result<()> {
        let at = text(mount.destination())?;
        let options = mount.options().as_deref().unwrap_or_default();
        let option = |name: &str| options.iter().find_map(|option| option.strip_prefix(name));
        let kind = mount.typ().as_deref().unwrap_or("bind");
        match (kind, at) {
            ("proc", _) => self.add(["--proc", at]),
            ("tmpfs", "/dev") => self.add(["--dev", at]),
            // A part of what `--dev` makes.
            ("devpts", "/dev/pts") => {}
            ("mqueue", _) => self.add(["--mqueue", at]),
            ("tmpfs", _) => {
                if let Some(mode) = option("mode=") {
                    self.add(["--perms", mode]);
                }
                if let Some(bytes) = option("size=").and_then(bytes) {
                    self.add(["--size", &bytes.to_string()]);
                }
                self.add(["--tmpfs", at]);
            }
            ("sysfs", _) => self.add(["--ro-bind", text(&sysfs(container))?, at]),
            ("bind", _) => {
                let bind = if options.iter().any(|option| option == "ro") { "--ro-bind" } else { "--bind" };
                let source = mount.source().as_deref().unwrap_or(Path::new(""));
                self.add([bind, text(source)?, at]);
            }
            (kind, _) => return Err(io::Error::other(format!("bubblewrap mounts no {kind} at {at}"))),
        }
        Ok(())
    }

    /// Has reading yield nothing, where there is something.
    fn mask(&mut self, path: &str) {
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => self.add(["--tmpfs", path, "--remount-ro", path]),
            // The device can be opened only on a mount that says so.
            Ok(_) => self.add(["--dev-bind", "/dev/null", path]),
            Err(_) => {}
        }
    }
}

/// A size as mounts have it, `65536k`, in bytes.
fn bytes(size: &str) -> Option<u64> {
    let (number, unit) = match size.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1 << 10),
        None => (size, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(config: Value) -> io::Result<String> {
        let mut document = json!({
            "ociVersion": "1.0.2",
            "process": {"cwd": "/srv", "user": {"uid": 0, "gid": 0}},
            "root": {"path": "rootfs"},
        });
        merge(&mut document, config);
        let spec: Spec = serde_json::from_value(document).unwrap();
        let container = Container { id: "a", bundle: Path::new("/bundle"), state: Path::new("/state") };
        Ok(arguments(&spec, &container)?.join(" "))
    }

    fn merge(into: &mut Value, from: Value) {
        match (into, from) {
            (Value::Object(into), Value::Object(from)) => {
                from.into_iter().for_each(|(name, value)| merge(into.entry(name).or_insert(Value::Null), value));
            }
            (into, from) => *into = from,
        }
    }

    const ALWAYS: &str = "--die-with-parent --as-pid-1 --cap-drop ALL";

    #[test]
    fn a_bundle_without_anything_has_a_root() {
        assert_eq!(said(json!({})).unwrap(), format!("{ALWAYS} --chdir /srv --bind /bundle/rootfs /"));
        let read_only = said(json!({"root": {"readonly": true}})).unwrap();
        assert_eq!(read_only, format!("{ALWAYS} --chdir /srv --ro-bind /bundle/rootfs /"));
    }

    #[test]
    fn the_process_has_its_variables_and_capabilities() {
        let process = json!({"env": ["B=1", "A=", "C=x=y"], "capabilities": {"permitted": ["CAP_KILL"]}});
        let wanted = "--cap-add CAP_KILL --setenv B 1 --setenv A  --setenv C x=y --chdir /srv --bind /bundle/rootfs /";
        assert_eq!(said(json!({"process": process})).unwrap(), format!("{ALWAYS} {wanted}"));
    }

    #[test]
    fn namespaces_are_options_or_refused() {
        let namespaces = |kinds: &[&str]| {
            let all: Vec<Value> = kinds.iter().map(|kind| json!({"type": kind})).collect();
            said(json!({"hostname": "h", "linux": {"namespaces": all}}))
        };
        let options = namespaces(&["pid", "network", "ipc", "uts", "cgroup", "mount"]).unwrap();
        let wanted =
            "--unshare-pid --unshare-net --unshare-ipc --unshare-uts --unshare-cgroup --cap-drop ALL --hostname h";
        assert!(options.contains(wanted), "{options}");
        let error = namespaces(&["user"]).unwrap_err().to_string();
        assert_eq!(error, "bubblewrap makes no namespace of the kind user");
    }

    #[test]
    fn mounts_are_options_or_refused() {
        let mounts = |mounts: Value| said(json!({"mounts": mounts}));
        let mount = |kind: &str, at: &str, options: &[&str]| json!({"type": kind, "source": "/from", "destination": at, "options": options});
        let options = mounts(json!([
            mount("proc", "/proc", &[]),
            mount("tmpfs", "/dev", &["mode=755"]),
            mount("devpts", "/dev/pts", &[]),
            mount("tmpfs", "/dev/shm", &["mode=1777", "size=65536k"]),
            mount("sysfs", "/sys", &["ro"]),
            mount("bind", "/a", &["bind", "ro"]),
            mount("bind", "/b", &["bind", "rw"]),
        ]));
        let wanted = "/ --proc /proc --dev /dev --perms 1777 --size 67108864 --tmpfs /dev/shm --ro-bind /state/sys /sys \
                      --ro-bind /from /a --bind /from /b";
        assert!(options.as_ref().unwrap().ends_with(wanted), "{options:?}");
        let error = mounts(json!([mount("nfs", "/n", &[])])).unwrap_err().to_string();
        assert_eq!(error, "bubblewrap mounts no nfs at /n");
    }

    #[test]
    fn what_is_masked_or_read_only_is_there_already() {
        let paths = json!({"maskedPaths": ["/proc/version", "/proc/sys", "/proc/none"], "readonlyPaths": ["/proc/fs", "/proc/none"]});
        let options = said(json!({"linux": paths})).unwrap();
        let wanted =
            "/ --dev-bind /dev/null /proc/version --tmpfs /proc/sys --remount-ro /proc/sys --ro-bind /proc/fs /proc/fs";
        assert!(options.ends_with(wanted), "{options}");
    }

    #[test]
    fn sizes_are_bytes() {
        assert_eq!([bytes("65536k"), bytes("12"), bytes("k"), bytes("1g")], [Some(1 << 26), Some(12), None, None]);
    }
}
