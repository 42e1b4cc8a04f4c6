//! What a case at the level of bundles is.

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::evidence::Evidence;
use super::oci::Sentence;
use super::rule::{Check, Rule, Wants};
use crate::protocol::Role;
use crate::suite::{Entry, Task};

/// Changes the one thing in a good `config.json`. The path is that of the folder with the bundle and what is beside it.
pub type Change = fn(&mut Value, &Path);

/// Puts something into the root tree, whose path is given.
pub type Tree = fn(&Path) -> io::Result<()>;

/// What is recorded of the evidence besides.
pub type Extra = fn(&Evidence) -> Value;

/// A bundle, and how a runtime is called with it.
#[derive(Debug, Clone)]
pub struct Case {
    /// What is changed in `config.json`.
    pub change: Change,
    /// What is in the root tree besides.
    pub tree: Tree,
    /// What the application does; it looks if that is nothing.
    pub steps: &'static [&'static str],
    /// The calls, in this order; after a `create` that failed, only the state is asked for.
    pub calls: &'static [Call],
    /// What is particular about the process that calls.
    pub caller: Caller,
    /// The id of the container, if it is not a usual one.
    pub id: Option<&'static str>,
    /// The members of the probe's document that are recorded, as JSON pointers.
    pub seen: &'static [&'static str],
    /// What else is recorded.
    pub extra: Option<Extra>,
    /// Whether what is left of the container is recorded.
    pub left: bool,
    /// What decides, if something does.
    pub rule: Option<Rule>,
}

/// A call of a runtime, or what is done in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `run`, to the end.
    Run,
    /// `run` again and again, until it does not end, at most so often.
    RunOften(u32),
    /// `create`.
    Create,
    /// `create` with a relative path of the bundle.
    CreateHere,
    /// `start`.
    Start,
    /// `state`.
    State,
    /// `kill` with a signal.
    Kill(&'static str),
    /// `delete`.
    Delete,
    /// `delete --force`.
    DeleteForced,
    /// Nothing is called until the application has ended.
    Wait,
    /// Nothing is called until the application says that it is ready.
    Ready,
}

impl Call {
    /// What it is called in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Run | Self::RunOften(_) => "run",
            Self::Create | Self::CreateHere => "create",
            Self::Start => "start",
            Self::State => "state",
            Self::Kill(_) => "kill",
            Self::Delete => "delete",
            Self::DeleteForced => "delete --force",
            Self::Wait => "application",
            Self::Ready => "ready",
        }
    }
}

/// From the making of a container to its removal, once the application has ended by itself.
pub const LIFE: &[Call] = &[Call::Create, Call::Start, Call::Wait, Call::State, Call::Delete];

/// What is particular about the process that calls a runtime. The variants with words are those of a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Nothing: the umask 022, no other descriptors than 0, 1 and 2, no signal ignored.
    Plain,
    /// These commands come before.
    After(&'static str),
    /// These redirections are made.
    With(&'static str),
}

impl Caller {
    /// The script of a shell that executes its arguments.
    #[must_use]
    pub fn script(self) -> Option<String> {
        match self {
            Self::Plain => None,
            Self::After(commands) => Some(format!("{commands}; exec \"$@\"")),
            Self::With(redirections) => Some(format!("exec \"$@\" {redirections}")),
        }
    }
}

impl Case {
    /// A bundle with this change, made, started and deleted.
    #[must_use]
    pub fn new(change: Change) -> Self {
        Self {
            change,
            tree: |_| Ok(()),
            steps: &[],
            calls: LIFE,
            caller: Caller::Plain,
            id: None,
            seen: &[],
            extra: None,
            left: false,
            rule: None,
        }
    }

    /// The good bundle.
    #[must_use]
    pub fn good() -> Self {
        Self::new(|_, _| {})
    }

    /// The application does these steps of the probe, and does not look.
    #[must_use]
    pub fn steps(self, steps: &'static [&'static str]) -> Self {
        Self { steps, ..self }
    }

    /// This is in the root tree besides.
    #[must_use]
    pub fn tree(self, tree: Tree) -> Self {
        Self { tree, ..self }
    }

    /// These are the calls.
    #[must_use]
    pub fn calls(self, calls: &'static [Call]) -> Self {
        Self { calls, ..self }
    }

    /// The calls come from such a process.
    #[must_use]
    pub fn caller(self, caller: Caller) -> Self {
        Self { caller, ..self }
    }

    /// The container has this id.
    #[must_use]
    pub fn id(self, id: &'static str) -> Self {
        Self { id: Some(id), ..self }
    }

    /// These members of the probe's document are recorded.
    #[must_use]
    pub fn seen(self, seen: &'static [&'static str]) -> Self {
        Self { seen, ..self }
    }

    /// This is recorded as well.
    #[must_use]
    pub fn extra(self, extra: Extra) -> Self {
        Self { extra: Some(extra), ..self }
    }

    /// What is left of the container is recorded, too.
    #[must_use]
    pub fn and_left(self) -> Self {
        Self { left: true, ..self }
    }

    fn rule(self, sentence: &'static Sentence, wants: Wants) -> Self {
        Self { rule: Some(Rule { sentence, wants, no_group: false }), ..self }
    }

    /// The error that is asked for must not even leave a control group.
    #[must_use]
    pub fn without_group(self) -> Self {
        Self { rule: self.rule.map(|rule| Rule { no_group: true, ..rule }), ..self }
    }

    /// The sentence asks for an error.
    #[must_use]
    pub fn is_error(self, sentence: &'static Sentence) -> Self {
        self.rule(sentence, Wants::Error)
    }

    /// The sentence asks for this, or for an error.
    #[must_use]
    pub fn unless_error(self, sentence: &'static Sentence, check: Check) -> Self {
        self.rule(sentence, Wants::Unless(check))
    }

    /// The sentence asks for this.
    #[must_use]
    pub fn has_to(self, sentence: &'static Sentence, check: Check) -> Self {
        self.rule(sentence, Wants::This(check))
    }
}

/// The case `name`, which is there for the reason `why`.
pub(super) fn case(name: &str, why: &str, case: Case) -> Entry {
    Entry {
        name: name.to_owned(),
        clauses: Vec::new(),
        role: Role::Runtime,
        why: why.to_owned(),
        task: Task::Bundle(Box::new(case)),
    }
}

/// Sets a member that a JSON pointer names; its parent has to be there.
pub(super) fn set(config: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
    if let Some(object) = config.pointer_mut(parent).and_then(Value::as_object_mut) {
        object.insert(name.to_owned(), value);
    }
}

/// Takes a member away.
pub(super) fn unset(config: &mut Value, pointer: &str) {
    let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
    if let Some(object) = config.pointer_mut(parent).and_then(Value::as_object_mut) {
        object.remove(name);
    }
}

/// Adds an element to an array, which is made if it is not there.
pub(super) fn push(config: &mut Value, pointer: &str, value: Value) {
    if config.pointer(pointer).is_none() {
        set(config, pointer, json!([]));
    }
    if let Some(array) = config.pointer_mut(pointer).and_then(Value::as_array_mut) {
        array.push(value);
    }
}
