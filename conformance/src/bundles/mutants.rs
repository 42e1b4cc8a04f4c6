//! Runtimes that are broken on purpose, each in one thing: a program that stands before a real runtime, and changes the
//! bundle, the call, or what the call says.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use serde_json::{Value, json};

use super::case::{push, set, unset};
use super::make::{ROOT, good};

/// A runtime that is broken on purpose.
#[derive(Debug, Clone, Copy)]
pub struct Mutant {
    /// Its name.
    pub name: &'static str,
    /// The cases that are put to it, as patterns of names.
    pub cases: &'static [&'static str],
    /// How it is broken.
    pub how: How,
}

/// How a runtime is broken.
#[derive(Debug, Clone, Copy)]
pub enum How {
    /// `config.json` is changed before a container is made of it.
    Config(fn(&mut Value)),
    /// Something is done before the application, by the probe as a shim.
    Shim(&'static [&'static str]),
    /// A bundle is refused that has one of these words.
    Refuses(&'static [&'static str]),
    /// This call does nothing, and says that it has done it.
    Nothing(&'static str),
    /// This call is another one.
    Instead(&'static str, &'static [&'static str]),
    /// Before this call, the container is deleted.
    DeletesBefore(&'static str),
    /// Where this call fails, the container is deleted.
    DeletesAfter(&'static str),
    /// What is made is started at once.
    StartsAtOnce,
    /// What `state` prints is changed; nothing if the container does not exist.
    State(fn(Option<Value>) -> Value),
    /// Where a container cannot be made, its control group is.
    LeavesGroup,
}

/// The hidden subcommand `runtime`.
#[derive(Debug, Args)]
pub struct RuntimeArgs {
    /// How it is broken
    #[arg(long = "break", value_name = "NAME")]
    broken: String,
    /// The real runtime, and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    words: Vec<OsString>,
}

/// The mutant that is called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Mutant> {
    MUTANTS.iter().find(|mutant| mutant.name == name)
}

/// All mutants.
pub const MUTANTS: &[Mutant] = &[
    config("arguments-are-split", &["args/given"], |config| {
        set(config, "/process/args", json!(["/bin/probe", "a", "b"]))
    }),
    config("default-program", &["args/none", "type/args"], |config| {
        if config.pointer("/process/args").and_then(Value::as_array).is_none_or(Vec::is_empty) {
            set(config, "/process/args", json!(["/bin/probe"]));
        }
    }),
    config("runs-nothing", &["root/absolute", "terminal/size", "unknown/*"], |config| {
        set(config, "/process/args", json!(["/bin/act"]));
    }),
    config("one-variable-more", &["env/given"], |config| push(config, "/process/env", json!("container=oci"))),
    config("capabilities-are-dropped", &["capabilities/given", "capabilities/of-a-user"], |config| {
        unset(config, "/process/capabilities");
    }),
    config("another-directory", &["cwd/given", "cwd/of-the-user"], |config| {
        set(config, "/process/cwd", json!("/work"))
    }),
    config("directory-from-the-root", &["cwd/relative", "cwd/empty", "type/cwd"], |config| {
        let cwd = config["process"]["cwd"].as_str().map_or("/".to_owned(), |path| format!("/{path}"));
        set(config, "/process/cwd", json!(cwd));
    }),
    How::Shim(&["unlink:/dev/full"]).mutant("device-is-missing", &["devices/default"]),
    How::Shim(&["unlink:/dev/stdout"]).mutant("link-is-missing", &["devices/links"]),
    config("devices-are-dropped", &["devices/given"], |config| unset(config, "/linux/devices")),
    config("device-has-other-numbers", &["devices/default"], |config| {
        let zero = json!({"destination": "/dev/full", "type": "bind", "source": "/dev/zero", "options": ["bind"]});
        push(config, "/mounts", zero);
    }),
    config("device-is-another", &["devices/given"], |config| set(config, "/linux/devices/0/minor", json!(5))),
    config("device-for-all", &["devices/given"], |config| set(config, "/linux/devices/0/fileMode", json!(0o666))),
    config("device-of-root", &["devices/given"], |config| set(config, "/linux/devices/0/gid", json!(0))),
    config("hooks-are-dropped", &["hooks/*"], |config| unset(config, "/hooks")),
    config("hooks-backwards", &["hooks/order"], |config| {
        for hooks in config["hooks"].as_object_mut().into_iter().flat_map(|hooks| hooks.values_mut()) {
            hooks.as_array_mut().into_iter().for_each(|hooks| hooks.reverse());
        }
    }),
    config("hooks-without-state", &["hooks/state"], |config| {
        for hook in config["hooks"].as_object_mut().into_iter().flat_map(|hooks| hooks.values_mut()) {
            for hook in hook.as_array_mut().into_iter().flatten() {
                let script = format!("exec </dev/null; {}", hook["args"][2].as_str().unwrap_or_default());
                hook["args"][2] = json!(script);
            }
        }
    }),
    config("another-hostname", &["host/hostname"], |config| set(config, "/hostname", json!("localhost"))),
    config("hostname-is-cut", &["host/hostname-too-long"], |config| {
        let name: String = config["hostname"].as_str().unwrap_or_default().chars().take(64).collect();
        set(config, "/hostname", json!(name));
    }),
    How::DeletesBefore("create").mutant("container-is-replaced", &["lifecycle/create-twice"]),
    How::StartsAtOnce.mutant("starts-at-once", &["lifecycle/created-does-not-run"]),
    How::Instead("delete", &["delete", "--force"])
        .mutant("deletes-all", &["lifecycle/delete-created", "lifecycle/delete-running"]),
    How::Nothing("delete").mutant("deletes-nothing", &["lifecycle/deleted", "lifecycle/deleted-with-orphans"]),
    How::LeavesGroup.mutant("leaves-a-group", &["lifecycle/failed-early"]),
    How::Nothing("kill").mutant("kills-nothing", &["lifecycle/kill-created", "lifecycle/kill-running"]),
    How::DeletesAfter("kill").mutant("kill-deletes", &["lifecycle/kill-stopped"]),
    How::DeletesAfter("start").mutant("start-deletes", &["lifecycle/start-stopped", "lifecycle/start-twice"]),
    config("default-process", &["lifecycle/no-process"], |config| {
        if config.get("process").is_none() {
            config["process"] = good("")["process"].clone();
        }
    }),
    How::State(|state| {
        let mut state = state.unwrap_or_default();
        state["bundle"] = json!(".");
        state
    })
    .mutant("bundle-is-relative", &["lifecycle/state-bundle"]),
    How::State(|state| {
        let mut state = state.unwrap_or_default();
        state["pid"] = json!(0);
        state
    })
    .mutant("no-process-in-the-state", &["lifecycle/state-members"]),
    How::State(|state| {
        let mut state = state.unwrap_or_else(|| json!({"ociVersion": "1.0.2", "id": "none", "bundle": "/"}));
        state["status"] = json!("running");
        state
    })
    .mutant("all-is-running", &["lifecycle/state-missing", "lifecycle/statuses"]),
    config(
        "mounts-are-dropped",
        &["lifecycle/failed-late*", "mounts/missing-source", "mounts/relative-source", "mounts/unknown-type"],
        |config| {
            config["mounts"].as_array_mut().into_iter().for_each(|mounts| mounts.truncate(5));
        },
    ),
    config("mounts-are-sorted", &["mounts/order"], |config| {
        let mounts = config["mounts"].as_array_mut();
        mounts.into_iter().for_each(|mounts| mounts.sort_by_key(|mount| mount["destination"].to_string()));
    }),
    config("mounts-are-writable", &["mounts/read-only"], |config| {
        for mount in config["mounts"].as_array_mut().into_iter().flatten() {
            mount["options"].as_array_mut().into_iter().for_each(|options| options.retain(|option| option != "ro"));
        }
    }),
    config("namespace-is-shared", &["namespaces/new"], |config| {
        let namespaces = config["linux"]["namespaces"].as_array_mut();
        namespaces.into_iter().for_each(|namespaces| namespaces.retain(|namespace| namespace["type"] != "ipc"));
    }),
    config(
        "namespaces-are-always-new",
        &[
            "namespaces/missing-path",
            "namespaces/no-*",
            "namespaces/other-type",
            "namespaces/twice",
            "namespaces/unknown",
        ],
        |config| {
            config["linux"]["namespaces"] = good("")["linux"]["namespaces"].clone();
        },
    ),
    config("score-is-dropped", &["oom/given"], |config| unset(config, "/process/oomScoreAdj")),
    config("score-of-its-own", &["oom/absent"], |config| set(config, "/process/oomScoreAdj", json!(200))),
    config("paths-are-open", &["paths/masked", "paths/masked-relative", "paths/read-only"], |config| {
        unset(config, "/linux/maskedPaths");
        unset(config, "/linux/readonlyPaths");
    }),
    config("new-privileges", &["privileges/none-new"], |config| unset(config, "/process/noNewPrivileges")),
    config("no-new-privileges", &["privileges/new"], |config| set(config, "/process/noNewPrivileges", json!(true))),
    config("limits-are-dropped", &["rlimits/*"], |config| unset(config, "/process/rlimits")),
    config("default-root", &["root/missing", "root/file", "type/readonly"], |config| {
        config["root"] = json!({"path": ROOT});
    }),
    config("root-is-writable", &["root/read-only"], |config| set(config, "/root/readonly", json!(false))),
    config("filter-is-dropped", &["seccomp/*"], |config| unset(config, "/linux/seccomp")),
    config("parameters-are-dropped", &["sysctl/*"], |config| unset(config, "/linux/sysctl")),
    config("umask-of-its-own", &["umask/*"], |config| set(config, "/process/user/umask", json!(0o022))),
    config("user-of-its-own", &["user/*", "type/uid", "type/uid-fraction"], |config| {
        config["process"]["user"] = json!({"uid": 0, "gid": 0});
    }),
    config("groups-are-dropped", &["user/given"], |config| unset(config, "/process/user/additionalGids")),
    config("any-version", &["version/*"], |config| set(config, "/ociVersion", json!("1.0.2"))),
    How::Refuses(&["comExample", "com.example.unknown", "consoleSize"])
        .mutant("refuses-what-it-does-not-know", &["unknown/*", "terminal/size"]),
];

const fn config(name: &'static str, cases: &'static [&'static str], change: fn(&mut Value)) -> Mutant {
    How::Config(change).mutant(name, cases)
}

impl How {
    const fn mutant(self, name: &'static str, cases: &'static [&'static str]) -> Mutant {
        Mutant { name, cases, how: self }
    }
}

/// A call, as its arguments have it.
struct Asked<'a> {
    /// The real runtime.
    program: &'a OsString,
    /// What comes before the subcommand.
    before: &'a [OsString],
    /// The subcommand.
    name: &'a str,
    /// What comes after it.
    after: &'a [OsString],
}

impl<'a> Asked<'a> {
    fn of(words: &'a [OsString]) -> Option<Self> {
        const CALLS: [&str; 6] = ["run", "create", "start", "state", "kill", "delete"];
        let (program, rest) = words.split_first()?;
        let is_call = |word: &OsString| word.to_str().is_some_and(|word| CALLS.contains(&word));
        let at = rest.iter().position(is_call)?;
        let (before, rest) = rest.split_at(at);
        let (name, after) = rest.split_first()?;
        Some(Self { program, before, name: name.to_str()?, after })
    }

    /// The directory of the bundle.
    fn bundle(&self) -> Option<PathBuf> {
        let at = self.after.iter().position(|word| word == "--bundle")?;
        self.after.get(at + 1).map(PathBuf::from)
    }

    fn makes(&self) -> bool {
        ["run", "create"].contains(&self.name)
    }

    /// The id of the container, which comes last but for a signal.
    fn id(&self) -> Option<&OsString> {
        if self.name == "kill" { self.after.first() } else { self.after.last() }
    }

    fn command(&self, words: &[OsString]) -> Command {
        let mut command = Command::new(self.program);
        command.args(self.before).args(words);
        command
    }

    /// The call as it is.
    fn call(&self) -> Command {
        let mut words = vec![OsString::from(self.name)];
        words.extend(self.after.iter().cloned());
        self.command(&words)
    }

    /// Another call for the same container, of which nothing is heard.
    fn quietly(&self, words: &[&str]) -> io::Result<()> {
        let mut words: Vec<OsString> = words.iter().map(OsString::from).collect();
        words.extend(self.id().cloned());
        let mut command = self.command(&words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().map(drop)
    }
}

/// The subcommand `runtime`; the exit status.
///
/// # Errors
///
/// If there is no such mutant; errors of the system.
pub fn main(arguments: &RuntimeArgs) -> io::Result<u8> {
    let mutant = find(&arguments.broken).ok_or_else(|| io::Error::other("there is no such mutant"))?;
    let Some(asked) = Asked::of(&arguments.words) else {
        return Err(io::Error::other("there is no call of an OCI runtime"));
    };
    let call = |command: &mut Command| Ok::<_, io::Error>(code(command.status()?));
    match mutant.how {
        How::Config(change) if asked.makes() => amend(&asked, change)?,
        How::Shim(steps) if asked.makes() => amend(&asked, |config| {
            let arguments = std::mem::take(&mut config["process"]["args"]);
            let before = ["/bin/shim"].iter().chain(steps).chain(["--"].iter()).map(|word| json!(word));
            config["process"]["args"] = before.chain(arguments.as_array().into_iter().flatten().cloned()).collect();
        })?,
        How::Refuses(words) if asked.makes() => {
            let text = fs::read_to_string(asked.bundle().unwrap_or_default().join("config.json"))?;
            if words.iter().any(|word| text.contains(word)) {
                return Ok(1);
            }
        }
        How::Nothing(name) if name == asked.name => return Ok(0),
        How::Instead(name, words) if name == asked.name => {
            asked.quietly(words)?;
            return Ok(0);
        }
        How::DeletesBefore(name) if name == asked.name => asked.quietly(&["delete", "--force"])?,
        How::DeletesAfter(name) if name == asked.name => {
            let status = call(&mut asked.call())?;
            if status != 0 {
                asked.quietly(&["delete", "--force"])?;
            }
            return Ok(status);
        }
        How::StartsAtOnce if asked.name == "create" => {
            let status = call(&mut asked.call())?;
            asked.quietly(&["start"])?;
            return Ok(status);
        }
        How::State(change) if asked.name == "state" => {
            let output = asked.call().stderr(Stdio::null()).output()?;
            let state = change(serde_json::from_slice(&output.stdout).ok());
            writeln!(io::stdout(), "{state}")?;
            return Ok(0);
        }
        How::LeavesGroup if asked.makes() => {
            let status = call(&mut asked.call())?;
            if status != 0 {
                leave_group(&asked)?;
            }
            return Ok(status);
        }
        _ => {}
    }
    call(&mut asked.call())
}

fn code(status: std::process::ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// Changes the configuration of the bundle that a container is made of.
fn amend(asked: &Asked<'_>, change: impl FnOnce(&mut Value)) -> io::Result<()> {
    let path = asked.bundle().unwrap_or_default().join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path)?)?;
    change(&mut config);
    fs::write(path, config.to_string())
}

/// Makes the control group of the bundle, in one hierarchy.
fn leave_group(asked: &Asked<'_>) -> io::Result<()> {
    let config = fs::read(asked.bundle().unwrap_or_default().join("config.json"))?;
    let config: Value = serde_json::from_slice(&config)?;
    let path = config["linux"]["cgroupsPath"].as_str().unwrap_or_default().trim_start_matches('/').to_owned();
    let table = cornercast_engine::cgroup::hierarchies(&fs::read_to_string("/proc/self/mountinfo")?);
    table.first().map_or(Ok(()), |hierarchy| fs::create_dir_all(hierarchy.join(Path::new(&path))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::bundles::cases;
    use crate::suite::{Task, matches};

    #[test]
    fn a_call_is_taken_apart() {
        let words = ["runc", "--root", "/r", "kill", "id", "KILL"].map(OsString::from);
        let asked = Asked::of(&words).unwrap();
        assert_eq!((asked.name, asked.id().unwrap().to_str()), ("kill", Some("id")));
        let words = ["runc", "create", "--bundle", "/b", "id"].map(OsString::from);
        let asked = Asked::of(&words).unwrap();
        assert_eq!((asked.bundle(), asked.id().unwrap().to_str()), (Some("/b".into()), Some("id")));
        assert!(Asked::of(&["runc", "--version"].map(OsString::from)).is_none());
    }

    /// Whoever adds a case that is judged adds what it has to notice.
    #[test]
    fn every_judged_case_has_a_mutant_and_every_mutant_a_case() {
        let cases = cases();
        let judged: Vec<&str> = cases
            .iter()
            .filter(|entry| matches!(&entry.task, Task::Bundle(case) if case.rule.is_some()))
            .map(|entry| entry.name.as_str())
            .collect();
        let is_meant = |mutant: &Mutant, name: &str| mutant.cases.iter().any(|glob| matches(glob, name));
        let without: Vec<&&str> =
            judged.iter().filter(|name| !MUTANTS.iter().any(|mutant| is_meant(mutant, name))).collect();
        assert_eq!(without, Vec::<&&str>::new());
        for mutant in MUTANTS {
            assert!(judged.iter().any(|name| is_meant(mutant, name)), "{} has no case", mutant.name);
        }
    }
}
