//! What a bundle says, in the language of LXC (lxc.container.conf(5)).

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use libcontainer::oci_spec::runtime::{
    LinuxDeviceCgroup, LinuxDeviceType, LinuxNamespaceType, LinuxResources, LinuxSeccomp, LinuxSeccompOperator, Mount,
    Process, Spec,
};

use crate::backend::Container;
use crate::backend::seccomp::Filter;

/// Writes the configuration of a container; where it is.
///
/// # Errors
///
/// What of the bundle it cannot say, and errors of writing.
pub(super) fn write(spec: &Spec, container: &Container<'_>) -> io::Result<PathBuf> {
    let filter = container.state.join("filter");
    let configured = spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref());
    if let Some(configured) = configured {
        // What is not understood is refused here as elsewhere.
        Filter::of(configured).map_err(io::Error::other)?;
        fs::write(&filter, self::filter(configured)?)?;
    }
    let text = configuration(spec, container.bundle, configured.map(|_| filter.as_path()))?;
    let path = container.state.join("configuration");
    fs::write(&path, text)?;
    Ok(path)
}

/// Lines of a configuration.
struct Lines(String);

impl Lines {
    /// A value that has spaces or quotes at its ends keeps them in quotes, of which a pair is taken away.
    fn set(&mut self, key: &str, value: &str) -> io::Result<()> {
        if value.contains(['\n', '\0']) {
            return Err(io::Error::other(format!("{key} has a value with a line end")));
        }
        let _ = writeln!(self.0, "lxc.{key} = \"{value}\"");
        Ok(())
    }
}

fn configuration(spec: &Spec, bundle: &Path, filter: Option<&Path>) -> io::Result<String> {
    let process = spec.process().as_ref().ok_or_else(|| io::Error::other("config.json has no process"))?;
    let root = spec.root().as_ref().ok_or_else(|| io::Error::other("config.json has no root"))?;
    let mut lines = Lines(String::new());
    let is_read_only = root.readonly().unwrap_or(false);
    lines.set("rootfs.path", &format!("dir:{}", text(&bundle.join(root.path()))?))?;
    lines.set("rootfs.options", if is_read_only { "ro" } else { "rw" })?;
    // It would look for a terminal and give it to the application.
    lines.set("console.path", "none")?;
    lines.set("apparmor.profile", "unconfined")?;
    if let Some(hostname) = spec.hostname() {
        lines.set("uts.name", hostname)?;
    }
    self::process(&mut lines, process)?;
    let linux = spec.linux().as_ref();
    for namespace in linux.and_then(|linux| linux.namespaces().as_ref()).into_iter().flatten() {
        // It makes all others by itself.
        if namespace.typ() == LinuxNamespaceType::Network {
            lines.set("net.0.type", "empty")?;
            lines.set("net.0.flags", "up")?;
        }
    }
    for mount in spec.mounts().iter().flatten() {
        self::mount(&mut lines, mount)?;
    }
    for path in linux.and_then(|linux| linux.masked_paths().as_ref()).into_iter().flatten() {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => entry(&mut lines, "tmpfs", path, "tmpfs", "ro")?,
            Ok(_) => entry(&mut lines, "/dev/null", path, "none", "bind")?,
            Err(_) => {}
        }
    }
    for path in linux.and_then(|linux| linux.readonly_paths().as_ref()).into_iter().flatten() {
        if Path::new(path).exists() {
            entry(&mut lines, path, path, "none", "bind,ro")?;
        }
    }
    if let Some(group) = linux.and_then(|linux| linux.cgroups_path().as_ref()) {
        let group = text(group)?.trim_start_matches('/');
        lines.set("cgroup.dir.container", &format!("{group}/container"))?;
        lines.set("cgroup.dir.monitor", &format!("{group}/monitor"))?;
    }
    if let Some(resources) = linux.and_then(|linux| linux.resources().as_ref()) {
        self::resources(&mut lines, resources)?;
    }
    if let Some(filter) = filter {
        lines.set("seccomp.profile", text(filter)?)?;
    }
    Ok(lines.0)
}

fn process(lines: &mut Lines, process: &Process) -> io::Result<()> {
    let user = process.user();
    lines.set("init.uid", &user.uid().to_string())?;
    lines.set("init.gid", &user.gid().to_string())?;
    let groups: Vec<String> = user.additional_gids().iter().flatten().map(u32::to_string).collect();
    lines.set("init.groups", &groups.join(","))?;
    lines.set("init.cwd", text(process.cwd())?)?;
    for variable in process.env().iter().flatten() {
        lines.set("environment", variable)?;
    }
    let bounding = process.capabilities().as_ref().and_then(|all| all.bounding().as_ref());
    let kept: Vec<String> = bounding.into_iter().flatten().map(|one| one.to_string().to_lowercase()).collect();
    lines.set("cap.keep", if kept.is_empty() { "none" } else { "" })?;
    for capability in kept {
        lines.set("cap.keep", &capability)?;
    }
    if process.no_new_privileges().unwrap_or(false) {
        lines.set("no_new_privs", "1")?;
    }
    for limit in process.rlimits().iter().flatten() {
        let name = limit.typ().to_string().trim_start_matches("RLIMIT_").to_lowercase();
        lines.set(&format!("prlimit.{name}"), &format!("{}:{}", limit.soft(), limit.hard()))?;
    }
    Ok(())
}

fn mount(lines: &mut Lines, mount: &Mount) -> io::Result<()> {
    let at = text(mount.destination())?;
    let options = mount.options().as_deref().unwrap_or_default();
    let kind = mount.typ().as_deref().unwrap_or("bind");
    match (kind, at) {
        // It makes /dev as it thinks right, and terminals in it.
        ("tmpfs", "/dev") => lines.set("autodev", "1"),
        ("devpts", "/dev/pts") => lines.set("pty.max", "1024"),
        ("bind", _) => {
            let source = text(mount.source().as_deref().unwrap_or(Path::new("")))?;
            entry(lines, source, at, "none", &options.join(","))
        }
        ("proc" | "sysfs" | "tmpfs" | "mqueue", _) => {
            let options: Vec<&str> = options.iter().map(String::as_str).chain(["create=dir"]).collect();
            entry(lines, kind, at, kind, &options.join(","))
        }
        (kind, _) => Err(io::Error::other(format!("no mount of the kind {kind} at {at}"))),
    }
}

/// A line as fstab(5) has it, with a path below the root tree.
fn entry(lines: &mut Lines, source: &str, at: &str, kind: &str, options: &str) -> io::Result<()> {
    let escaped = |path: &str| path.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011");
    let below = escaped(at.trim_start_matches('/'));
    lines.set("mount.entry", &format!("{} {below} {kind} {options} 0 0", escaped(source)))
}

/// The limits of control groups of both versions; those of the other one have no effect.
fn resources(lines: &mut Lines, resources: &LinuxResources) -> io::Result<()> {
    for rule in resources.devices().iter().flatten() {
        let (key, what) = device(rule);
        lines.set(&format!("cgroup.devices.{key}"), &what)?;
        lines.set(&format!("cgroup2.devices.{key}"), &what)?;
    }
    if let Some(limit) = resources.memory().as_ref().and_then(|memory| memory.limit()) {
        lines.set("cgroup.memory.limit_in_bytes", &limit.to_string())?;
        lines.set("cgroup2.memory.max", &limit.to_string())?;
        lines.set("cgroup.memory.memsw.limit_in_bytes", &limit.to_string())?;
        lines.set("cgroup2.memory.swap.max", "0")?;
    }
    if let Some((quota, period)) = resources.cpu().as_ref().and_then(|cpu| cpu.quota().zip(cpu.period())) {
        lines.set("cgroup.cpu.cfs_period_us", &period.to_string())?;
        lines.set("cgroup.cpu.cfs_quota_us", &quota.to_string())?;
        lines.set("cgroup2.cpu.max", &format!("{quota} {period}"))?;
    }
    if let Some(pids) = resources.pids() {
        lines.set("cgroup.pids.max", &pids.limit().to_string())?;
        lines.set("cgroup2.pids.max", &pids.limit().to_string())?;
    }
    Ok(())
}

fn device(rule: &LinuxDeviceCgroup) -> (&'static str, String) {
    let key = if rule.allow() { "allow" } else { "deny" };
    let kind = match rule.typ() {
        None | Some(LinuxDeviceType::A) => return (key, "a".to_owned()),
        Some(LinuxDeviceType::B) => "b",
        Some(_) => "c",
    };
    let number = |number: Option<i64>| number.map_or_else(|| "*".to_owned(), |number| number.to_string());
    let access = rule.access().as_deref().unwrap_or("rwm");
    (key, format!("{kind} {}:{} {access}", number(rule.major()), number(rule.minor())))
}

/// A filter in the language of LXC, version 2.
fn filter(configured: &LinuxSeccomp) -> io::Result<String> {
    let mut text = "2\ndenylist\n".to_owned();
    for syscall in configured.syscalls().iter().flatten() {
        let errno = syscall.errno_ret().unwrap_or(1);
        let mut condition = String::new();
        for argument in syscall.args().iter().flatten() {
            let (LinuxSeccompOperator::ScmpCmpMaskedEq, Some(datum)) = (argument.op(), argument.value_two()) else {
                return Err(io::Error::other(format!("a filter compares otherwise than by a mask: {argument:?}")));
            };
            // The value of LXC is what is to be found, and the mask comes last.
            let _ = write!(condition, " [{},{datum},SCMP_CMP_MASKED_EQ,{}]", argument.index(), argument.value());
        }
        for name in syscall.names() {
            let _ = writeln!(text, "{name} errno {errno}{condition}");
        }
    }
    Ok(text)
}

fn text(path: &Path) -> io::Result<&str> {
    path.to_str().ok_or_else(|| io::Error::other(format!("the path {} is not UTF-8", path.display())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn lines(process: Value, linux: Value, mounts: Value) -> io::Result<Vec<String>> {
        let document = json!({
            "ociVersion": "1.0.2",
            "process": process,
            "root": {"path": "rootfs", "readonly": true},
            "linux": linux,
            "mounts": mounts,
        });
        let spec: Spec = serde_json::from_value(document).unwrap();
        let text = configuration(&spec, Path::new("/bundle"), None)?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    fn process() -> Value {
        json!({"cwd": "/", "user": {"uid": 1, "gid": 2, "additionalGids": [2, 3]}})
    }

    #[test]
    fn a_process_has_its_user_variables_capabilities_and_limits() {
        let mut process = process();
        process["env"] = json!(["A= \"b\" ", "C="]);
        process["capabilities"] = json!({"bounding": ["CAP_KILL"]});
        process["noNewPrivileges"] = json!(true);
        process["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128}]);
        let wanted = [
            "lxc.rootfs.path = \"dir:/bundle/rootfs\"",
            "lxc.rootfs.options = \"ro\"",
            "lxc.console.path = \"none\"",
            "lxc.apparmor.profile = \"unconfined\"",
            "lxc.init.uid = \"1\"",
            "lxc.init.gid = \"2\"",
            "lxc.init.groups = \"2,3\"",
            "lxc.init.cwd = \"/\"",
            "lxc.environment = \"A= \"b\" \"",
            "lxc.environment = \"C=\"",
            "lxc.cap.keep = \"\"",
            "lxc.cap.keep = \"kill\"",
            "lxc.no_new_privs = \"1\"",
            "lxc.prlimit.nofile = \"64:128\"",
        ];
        assert_eq!(lines(process, json!({}), json!([])).unwrap(), wanted);
        let none = lines(self::process(), json!({}), json!([])).unwrap();
        assert!(none.contains(&"lxc.cap.keep = \"none\"".to_owned()), "{none:?}");
    }

    #[test]
    fn a_line_end_is_refused() {
        let mut process = process();
        process["env"] = json!(["A=b\nlxc.cap.keep ="]);
        let error = lines(process, json!({}), json!([])).unwrap_err().to_string();
        assert_eq!(error, "environment has a value with a line end");
    }

    #[test]
    fn groups_limits_and_devices_are_of_both_versions() {
        let devices = json!([{"allow": false}, {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rw"}]);
        let resources = json!({"devices": devices, "memory": {"limit": 9}, "pids": {"limit": 7},
                               "cpu": {"quota": 5, "period": 6}});
        let linux =
            json!({"cgroupsPath": "/cornercast/a", "resources": resources, "namespaces": [{"type": "network"}]});
        let all = lines(process(), linux, json!([])).unwrap();
        for wanted in [
            "lxc.cgroup.dir.container = \"cornercast/a/container\"",
            "lxc.cgroup.dir.monitor = \"cornercast/a/monitor\"",
            "lxc.cgroup.devices.deny = \"a\"",
            "lxc.cgroup2.devices.allow = \"c 1:3 rw\"",
            "lxc.cgroup.memory.limit_in_bytes = \"9\"",
            "lxc.cgroup2.memory.swap.max = \"0\"",
            "lxc.cgroup2.cpu.max = \"5 6\"",
            "lxc.cgroup.pids.max = \"7\"",
            "lxc.net.0.type = \"empty\"",
        ] {
            assert!(all.contains(&wanted.to_owned()), "{wanted} is not in {all:#?}");
        }
    }

    #[test]
    fn mounts_are_lines_of_fstab_or_refused() {
        let mounts = json!([
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["mode=1777"]},
            {"destination": "/a b", "type": "bind", "source": "/from\\x", "options": ["bind", "ro"]},
        ]);
        let all = lines(process(), json!({}), mounts).unwrap();
        assert!(
            all.contains(&"lxc.mount.entry = \"tmpfs dev/shm tmpfs mode=1777,create=dir 0 0\"".to_owned()),
            "{all:?}"
        );
        assert!(all.contains(&"lxc.mount.entry = \"/from\\134x a\\040b none bind,ro 0 0\"".to_owned()), "{all:?}");
        let other = json!([{"destination": "/n", "type": "nfs", "source": "s", "options": []}]);
        let error = lines(process(), json!({}), other).unwrap_err().to_string();
        assert_eq!(error, "no mount of the kind nfs at /n");
    }

    #[test]
    fn a_filter_names_each_system_call() {
        let argument = json!({"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": 15, "valueTwo": 4});
        let mut filter = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["mount", "bpf"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
            {"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "args": [argument]},
        ]});
        let text = |value: &Value| self::filter(&serde_json::from_value(value.clone()).unwrap());
        let wanted = "2\ndenylist\nmount errno 1\nbpf errno 1\nclone errno 38 [0,4,SCMP_CMP_MASKED_EQ,15]\n";
        assert_eq!(text(&filter).unwrap(), wanted);
        filter["syscalls"][1]["args"][0]["op"] = json!("SCMP_CMP_NE");
        assert!(text(&filter).unwrap_err().to_string().starts_with("a filter compares otherwise than by a mask"));
    }
}
