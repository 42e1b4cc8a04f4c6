//! The cases of the role `run`.
//!
//! The chapter on the runtime contract is not written yet, so they name no clauses.

use std::collections::BTreeMap;

use crate::protocol::Role;
use crate::suite::{Entry, Task};

/// An image to run, and what to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// The strings of `exec` after the program.
    pub exec: &'static [&'static str],
    /// The `arguments` of the image.
    pub arguments: &'static [&'static str],
    /// The `environment` of the image.
    pub environment: BTreeMap<&'static str, &'static str>,
    /// Whether the image has the directories that the engine mounts on.
    pub mount_points: bool,
    /// What is judged.
    pub look_at: LookAt,
}

/// What is judged of what the probe saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookAt {
    /// The argument vector.
    Arguments,
    /// The environment.
    Environment,
    /// The root tree.
    Rootfs,
}

/// Arguments that a shell, a separator or a decoder on the way would change.
const ARGUMENTS: [&str; 12] = [
    "",
    " ",
    "two words",
    "--",
    "-x",
    "*",
    "$HOME ${PATH} $(id)",
    "'single' \"double\" `back`",
    "back\\slash\\",
    "%s\t%n",
    "grün 💡 e\u{301}",
    "",
];

/// All cases.
#[must_use]
pub fn scenarios() -> Vec<Entry> {
    let plain = || Scenario {
        exec: &[],
        arguments: &[],
        environment: BTreeMap::new(),
        mount_points: true,
        look_at: LookAt::Rootfs,
    };
    vec![
        entry(
            "RUN/arguments",
            "the argument vector is exec followed by arguments, byte for byte",
            Scenario { exec: &["of exec", ""], arguments: &ARGUMENTS, look_at: LookAt::Arguments, ..plain() },
        ),
        entry(
            "RUN/environment-defaults",
            "PATH, HOME and the engine's own variables are there, and nothing else",
            Scenario { look_at: LookAt::Environment, ..plain() },
        ),
        entry(
            "RUN/environment-given",
            "the image's variables are there as they are, its PATH and HOME too",
            Scenario {
                environment: BTreeMap::from([
                    ("EMPTY", ""),
                    ("EQUALS", "a=b=c"),
                    ("HOME", "/srv/home of app"),
                    ("LANG", "C.UTF-8"),
                    ("PATH", "/nowhere"),
                    ("QUOTES", "'a' \"b\" $HOME `c` \\"),
                    ("TEXT", "grün 💡"),
                    ("lower-case.name", " spaces "),
                ]),
                look_at: LookAt::Environment,
                ..plain()
            },
        ),
        entry("RUN/rootfs", "the root tree seen from inside has the digest that the manifest gives", plain()),
        entry(
            "RUN/rootfs-without-mount-points",
            "directories that the engine makes to mount on leave no trace in the image's tree",
            Scenario { mount_points: false, ..plain() },
        ),
    ]
}

fn entry(name: &str, why: &str, scenario: Scenario) -> Entry {
    Entry {
        name: name.to_owned(),
        clauses: Vec::new(),
        role: Role::Run,
        why: why.to_owned(),
        task: Task::Run(scenario),
    }
}
