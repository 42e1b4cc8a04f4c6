//! What a bundle says, as arguments of bubblewrap.

use std::io;
use std::path::Path;

use libcontainer::oci_spec::runtime::{LinuxNamespaceType, Mount, Spec};

use super::staging::{is_staged, place};
use crate::backend::Container;

/// The options of bubblewrap for a bundle.
///
/// # Errors
///
/// What of the bundle it cannot do.
pub(super) fn arguments(spec: &Spec, container: &Container<'_>) -> io::Result<Vec<String>> {
    let process = spec.process().as_ref().ok_or_else(|| io::Error::other("config.json has no process"))?;
    let root = spec.root().as_ref().ok_or_else(|| io::Error::other("config.json has no root"))?;
    let mut arguments = Arguments(Vec::new());
    // It would make the process 1 otherwise, and the application the process 2. In a session that is not its own, the
    // application could send signals to processes of the host.
    arguments.add(["--die-with-parent", "--as-pid-1", "--new-session"]);
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

/// What a bundle can say of mounts that bubblewrap makes in its own way, which is this.
const PROC: &[&str] = &["rw", "nosuid", "noexec", "nodev", "relatime"];
/// Of these, it does not heed the size: what is in `/dev` can take half of the memory of the host.
const DEV: &[&str] = &["nosuid", "strictatime", "mode=755", "mode=0755", "size=65536k"];
const PTS: &[&str] = &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"];
/// Nothing can be there that these would be about.
const QUEUES: &[&str] = &["nosuid", "noexec", "nodev"];
/// Of these, it does not give the last one, which the source has.
const BIND: &[&str] = &["bind", "rbind", "ro", "rw", "nosuid", "nodev", "noexec"];

struct Arguments(Vec<String>);

impl Arguments {
    fn add<const N: usize>(&mut self, arguments: [&str; N]) {
        self.0.extend(arguments.map(str::to_owned));
    }

    fn mount(&mut self, mount: &Mount, container: &Container<'_>) -> io::Result<()> {
        let at = text(mount.destination())?;
        let kind = mount.typ().as_deref().unwrap_or("bind");
        let is_read_only = mount.options().iter().flatten().any(|option| option == "ro");
        let bind = if is_read_only { "--ro-bind" } else { "--bind" };
        if is_staged(kind, at) {
            self.add([bind, text(&place(container, at))?, at]);
            return Ok(());
        }
        let can = match (kind, at) {
            ("proc", _) => PROC,
            ("tmpfs", "/dev") => DEV,
            ("devpts", "/dev/pts") => PTS,
            ("mqueue", _) => QUEUES,
            ("bind", _) => BIND,
            (kind, _) => return Err(io::Error::other(format!("bubblewrap mounts no {kind} at {at}"))),
        };
        if let Some(other) = mount.options().iter().flatten().find(|option| !can.contains(&option.as_str())) {
            return Err(io::Error::other(format!("bubblewrap mounts no {kind} at {at} with the option {other}")));
        }
        match kind {
            "proc" => self.add(["--proc", at]),
            "tmpfs" => self.add(["--dev", at]),
            "mqueue" => self.add(["--mqueue", at]),
            "bind" => {
                let source = mount.source().as_deref().unwrap_or(Path::new(""));
                self.add([bind, text(source)?, at]);
            }
            // A part of what `--dev` makes.
            _ => {}
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

    const ALWAYS: &str = "--die-with-parent --as-pid-1 --new-session --cap-drop ALL";

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
            mount("bind", "/b", &["bind", "rw", "noexec"]),
        ]));
        let wanted = "/ --proc /proc --dev /dev --bind /state/mounts/%2Fdev%2Fshm /dev/shm \
                      --ro-bind /state/mounts/%2Fsys /sys --ro-bind /from /a --bind /from /b";
        assert!(options.as_ref().unwrap().ends_with(wanted), "{options:?}");
        let error = mounts(json!([mount("nfs", "/n", &[])])).unwrap_err().to_string();
        assert_eq!(error, "bubblewrap mounts no nfs at /n");
        for (kind, at, option) in [
            ("bind", "/b", "noatime"),
            ("proc", "/proc", "hidepid=2"),
            ("tmpfs", "/dev", "size=1g"),
            ("devpts", "/dev/pts", "gid=5"),
        ] {
            let error = mounts(json!([mount(kind, at, &["nosuid", option])])).unwrap_err().to_string();
            assert_eq!(error, format!("bubblewrap mounts no {kind} at {at} with the option {option}"));
        }
    }

    #[test]
    fn what_is_masked_or_read_only_is_there_already() {
        let paths = json!({"maskedPaths": ["/proc/version", "/proc/sys", "/proc/none"], "readonlyPaths": ["/proc/fs", "/proc/none"]});
        let options = said(json!({"linux": paths})).unwrap();
        let wanted =
            "/ --dev-bind /dev/null /proc/version --tmpfs /proc/sys --remount-ro /proc/sys --ro-bind /proc/fs /proc/fs";
        assert!(options.ends_with(wanted), "{options}");
    }
}
