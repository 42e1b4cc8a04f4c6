//! `--impl NAME[=PATH]`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::Trouble;
use crate::adapter::{Adapter, Fault};
use crate::bundles::Runtime;
use crate::bundles::runtime::KNOWN;
use crate::protocol::{Codec, Hello};
use crate::results::Implementation;
use crate::run::Engine;
use crate::runner::{Reach, Subject};
use crate::session;
use clap::ValueEnum;
use cornercast_engine::cli::BackendName;

/// What the reference is called.
pub(super) const REFERENCE: &str = "reference";

/// The backends of the reference engine, each of which is an implementation.
fn backend(name: &str) -> Option<BackendName> {
    BackendName::value_variants().iter().copied().find(|backend| backend.name() == name)
}

/// What is built in, for a message.
fn built_in() -> String {
    let backends = BackendName::value_variants().iter().map(|backend| backend.name());
    std::iter::once(REFERENCE).chain(backends).collect::<Vec<_>>().join(", ")
}

/// An implementation as the command line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) path: Option<PathBuf>,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, path) = match text.split_once('=') {
            Some((name, path)) => (name, Some(path)),
            None => (text, None),
        };
        let is_name = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(format!("the name `{name}` is not made of letters, digits, `.`, `_` and `-`"));
        }
        match path {
            None if name != REFERENCE && backend(name).is_none() => {
                Err(format!("`{name}` is not built in ({}); name its adapter: {name}=PATH", built_in()))
            }
            Some(_) if name == REFERENCE || backend(name).is_some() => {
                Err(format!("`{name}` is built in; give the adapter another name"))
            }
            Some("") => Err(format!("the path of the adapter is missing: {name}=PATH")),
            path => Ok(Self { name: name.to_owned(), path: path.map(PathBuf::from) }),
        }
    }
}

impl Named {
    /// The reference.
    pub(super) fn reference() -> Self {
        Self { name: REFERENCE.to_owned(), path: None }
    }

    /// The reference engine with its own backend.
    pub(super) fn engine() -> Self {
        Self { name: BackendName::default().name().to_owned(), path: None }
    }

    /// The argument that names it.
    pub(super) fn argument(&self) -> String {
        match &self.path {
            Some(path) => format!("{}={}", self.name, path.display()),
            None => self.name.clone(),
        }
    }

    /// How to reach it.
    pub(super) fn reach(&self) -> Result<Reach, Trouble> {
        match (&self.path, backend(&self.name)) {
            (Some(path), _) => Ok(Reach::Adapter(Adapter::at(&program(path)).map_err(Trouble::at(path.display()))?)),
            (None, Some(backend)) => Ok(Reach::Engine(Engine::new(backend))),
            (None, None) => Ok(Reach::Reference(Adapter::reference()?)),
        }
    }

    /// The OCI runtime of this name: a program with its command line.
    pub(super) fn runtime(&self) -> Result<Runtime, String> {
        match &self.path {
            Some(path) => Ok(Runtime::new(program(path))),
            None if KNOWN.contains(&self.name.as_str()) => Ok(Runtime::new(&self.name)),
            None => {
                let (name, known) = (&self.name, KNOWN.join(", "));
                Err(format!("`{name}` is no OCI runtime that is known ({known}); name its program: NAME=PATH"))
            }
        }
    }

    /// The implementation, once it has said hello.
    fn subject(&self, codec: &Codec, time: Duration, is_oneshot: bool) -> Result<Subject, Trouble> {
        let mut reach = self.reach()?;
        let hello = match &mut reach {
            Reach::Engine(engine) => engine.hello(),
            Reach::Runtime(runtime) => runtime.hello().map_err(Trouble::new)?,
            Reach::Reference(adapter) | Reach::Adapter(adapter) => {
                let hello = self.hello(adapter, codec, time)?;
                if hello.sessions && !is_oneshot {
                    session::try_bye(adapter, codec, time).map_err(|fault| self.trouble("has no sessions", fault))?;
                    adapter.has_sessions = true;
                }
                hello
            }
        };
        Ok(Subject { implementation: Implementation::new(&self.name, hello), reach })
    }

    fn hello(&self, adapter: &Adapter, codec: &Codec, time: Duration) -> Result<Hello, Trouble> {
        adapter.hello(codec, time).map_err(|fault| self.trouble("does not say hello", fault))
    }

    fn trouble(&self, what: &str, fault: Fault) -> Trouble {
        let words = fault.stderr.map_or_else(String::new, |words| format!(" (it said: {words})"));
        Trouble::new(format!("`{}` {what}: {}{words}", self.name, fault.reason))
    }
}

/// A path without a folder is of this folder, not of those in `PATH`.
fn program(path: &Path) -> PathBuf {
    if path.parent() == Some(Path::new("")) { Path::new(".").join(path) } else { path.to_owned() }
}

/// All implementations of a run, each with its own name; without sessions if `is_oneshot`.
pub(super) fn subjects(
    named: &[Named],
    codec: &Codec,
    time: Duration,
    is_oneshot: bool,
) -> Result<Vec<Subject>, Trouble> {
    let mut names = BTreeSet::new();
    for implementation in named {
        if !names.insert(&implementation.name) {
            return Err(Trouble::new(format!("two implementations are called `{}`", implementation.name)));
        }
    }
    named.iter().map(|implementation| implementation.subject(codec, time, is_oneshot)).collect()
}
