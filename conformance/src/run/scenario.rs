//! A case of the role `run`: an image, what is said beside it, and what has to come of it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cornercast_engine::report::Outcome;
use serde_json::{Value, json};

use super::evidence::Evidence;
use super::image::Image;
use crate::protocol::Role;
use crate::suite::{Entry, Task};

/// Makes the image of a case.
type Make = Arc<dyn Fn(&mut Image) + Send + Sync>;

/// The bytes of a case's instance options.
type Options = Arc<dyn Fn(&Place) -> Vec<u8> + Send + Sync>;

/// Makes what a case needs on the host.
type Prepare = Arc<dyn Fn(&Place) -> io::Result<()> + Send + Sync>;

/// What is seen, or why it is wrong.
pub type Judged = Result<Value, String>;

/// Judges what came of a case.
type Judge = Arc<dyn Fn(&Evidence) -> Judged + Send + Sync>;

/// Where a case can have files of the host.
#[derive(Debug, Clone)]
pub struct Place {
    folder: PathBuf,
}

impl Place {
    /// The directory `folder`, which is there.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// A path in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The same as text, for a document.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

/// An instance of the same image that is there before the one that is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Its arguments; the last of them says that it is ready and waits, unless it ends.
    pub arguments: Vec<String>,
    /// What has become of it when the other one begins.
    pub state: State,
    /// Whether it has the same instance id.
    pub has_same_id: bool,
}

impl Other {
    /// What it does, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let state = match self.state {
            State::Ended => "it ends",
            State::Running => "it is still running",
            State::Killed => "its engine is killed",
        };
        format!("arguments {:?}, {state}", self.arguments)
    }
}

/// What has become of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has ended.
    Ended,
    /// It is running.
    Running,
    /// Its engine was killed.
    Killed,
}

/// A case of the role `run`.
#[derive(Clone)]
pub struct Scenario {
    /// The name of the case.
    pub name: String,
    make: Make,
    options: Option<Options>,
    prepare: Prepare,
    clean: Arc<dyn Fn(&Place) + Send + Sync>,
    /// What standard input yields; nothing if it is closed at once.
    pub input: Vec<u8>,
    /// How often the engine is asked to stop, once the application is ready.
    pub stops: u32,
    /// The soft limit of the stack that the engine is started with, in KiB, if not that of the suite.
    pub stack: Option<u32>,
    /// What comes of it.
    pub outcome: Outcome,
    /// The exit code, where it exits.
    pub code: u8,
    /// Whether the options get an instance id where they have none.
    pub has_id: bool,
    /// The clause that the reference names as the reason.
    pub reason: Option<&'static str>,
    /// Whether it can exit with its code as well.
    pub can_exit: bool,
    /// The clause by which an engine can refuse it as well.
    pub alternative: Option<&'static str>,
    judge: Judge,
    /// Another instance of the image.
    pub other: Option<Other>,
    /// Changes the bytes of the packed archive.
    pub corrupt: Option<fn(&mut Vec<u8>)>,
    /// Whether it needs something on the host.
    pub has_host: bool,
    /// The policy that the engine is given, and which image is meant.
    pub policy: Option<(Value, &'static str)>,
}

impl fmt::Debug for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Scenario").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}

impl Scenario {
    /// A case in which the application looks and exits with 0, which `judge` judges.
    pub fn new(judge: impl Fn(&Evidence) -> Judged + Send + Sync + 'static) -> Self {
        Self {
            name: String::new(),
            make: Arc::new(|_| {}),
            options: None,
            prepare: Arc::new(|_| Ok(())),
            clean: Arc::new(|_| {}),
            input: Vec::new(),
            stops: 0,
            outcome: Outcome::Exited,
            code: 0,
            has_id: true,
            reason: None,
            can_exit: false,
            alternative: None,
            judge: Arc::new(judge),
            other: None,
            corrupt: None,
            stack: None,
            has_host: false,
            policy: None,
        }
    }

    /// A case that is refused, for which the reference names `clause`.
    #[must_use]
    pub fn refused(clause: &'static str) -> Self {
        let has_id = clause != "RUN-006";
        Self { outcome: Outcome::Refused, reason: Some(clause), has_id, ..Self::new(|_| Ok(Value::Null)) }
    }

    /// A case whose application does not start, for which the reference names `clause`.
    #[must_use]
    pub fn failed(clause: &'static str) -> Self {
        Self { outcome: Outcome::Failed, reason: Some(clause), ..Self::new(|_| Ok(Value::Null)) }
    }

    /// A case whose application is ended by a signal.
    pub fn signaled(judge: impl Fn(&Evidence) -> Judged + Send + Sync + 'static) -> Self {
        Self { outcome: Outcome::Signaled, ..Self::new(judge) }
    }

    /// Changes the image.
    #[must_use]
    pub fn image(mut self, make: impl Fn(&mut Image) + Send + Sync + 'static) -> Self {
        self.make = Arc::new(make);
        self
    }

    /// Says what is judged.
    #[must_use]
    pub fn judged(mut self, judge: impl Fn(&Evidence) -> Judged + Send + Sync + 'static) -> Self {
        self.judge = Arc::new(judge);
        self
    }

    /// An engine can refuse it as well, for which the reference names `clause`.
    #[must_use]
    pub fn or_refused(mut self, clause: &'static str) -> Self {
        self.alternative = Some(clause);
        self
    }

    /// It can exit with 0 as well.
    #[must_use]
    pub fn or_exits(mut self) -> Self {
        self.can_exit = true;
        self
    }

    /// What standard input yields.
    #[must_use]
    pub fn input(mut self, input: Vec<u8>) -> Self {
        self.input = input;
        self
    }

    /// Before it, there is another instance of the image, which does these steps, also to be given as arguments.
    #[must_use]
    pub fn after(mut self, state: State, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self.other = Some(Other { arguments, state, has_same_id: false });
        self
    }

    /// The other instance has the same id.
    #[must_use]
    pub fn of_the_same_id(mut self) -> Self {
        if let Some(other) = &mut self.other {
            other.has_same_id = true;
        }
        self
    }

    /// The engine is asked to stop so often, once the application has said that it is ready.
    #[must_use]
    pub fn stopped(mut self, times: u32) -> Self {
        self.stops = times;
        self
    }

    /// The engine is started with this soft limit of the stack, in KiB.
    #[must_use]
    pub fn with_stack(mut self, limit: u32) -> Self {
        self.stack = Some(limit);
        self
    }

    /// Gives instance options.
    #[must_use]
    pub fn options(self, options: impl Fn(&Place) -> Value + Send + Sync + 'static) -> Self {
        self.raw_options(move |place| options(place).to_string().into_bytes())
    }

    /// The same as bytes, which can be no JSON.
    #[must_use]
    pub fn raw_options(mut self, options: impl Fn(&Place) -> Vec<u8> + Send + Sync + 'static) -> Self {
        self.options = Some(Arc::new(options));
        self
    }

    /// The engine is given a policy, no state, and the reference by which the image is meant, in which `{image}` stands
    /// for the image id.
    #[must_use]
    pub fn under(mut self, policy: Value, reference: &'static str) -> Self {
        self.policy = Some((policy, reference));
        self
    }

    /// Makes something on the host before.
    #[must_use]
    pub fn host(mut self, prepare: impl Fn(&Place) -> io::Result<()> + Send + Sync + 'static) -> Self {
        self.prepare = Arc::new(prepare);
        self.has_host = true;
        self
    }

    /// Takes back what the folder's removal would not.
    #[must_use]
    pub fn clean(mut self, clean: impl Fn(&Place) + Send + Sync + 'static) -> Self {
        self.clean = Arc::new(clean);
        self
    }

    /// The exit code of the application, which is 0 if nothing is said.
    #[must_use]
    pub fn exits(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// The options stay as they are, without an instance id.
    #[must_use]
    pub fn without_id(mut self) -> Self {
        self.has_id = false;
        self
    }

    /// Changes the image as it is made.
    pub fn make(&self, image: &mut Image) {
        (self.make)(image);
    }

    /// The instance options, with the instance id `id` unless the case says something else.
    #[must_use]
    pub fn instance_options(&self, place: &Place, id: &str) -> Vec<u8> {
        let Some(options) = &self.options else { return json!({"instance": id}).to_string().into_bytes() };
        let bytes = options(place);
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(Value::Object(mut members)) if self.has_id && !members.contains_key("instance") => {
                members.insert("instance".to_owned(), id.into());
                Value::Object(members).to_string().into_bytes()
            }
            _ => bytes,
        }
    }

    /// Makes what the case needs on the host.
    ///
    /// # Errors
    ///
    /// Errors of the file system.
    pub fn prepare(&self, place: &Place) -> io::Result<()> {
        (self.prepare)(place)
    }

    /// Takes back what was made on the host.
    pub fn clean_up(&self, place: &Place) {
        (self.clean)(place);
    }

    /// What is seen, or why it is wrong.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub fn judge(&self, evidence: &Evidence) -> Judged {
        (self.judge)(evidence)
    }
}

/// A case with its name, `RUN-012/exec-and-arguments`, whose first part is the clause that it is for.
#[must_use]
pub fn case(name: &str, why: &str, scenario: Scenario) -> Entry {
    let clause = name.split('/').next().unwrap_or_default().to_owned();
    let scenario = Scenario { name: name.to_owned(), ..scenario };
    Entry {
        name: name.to_owned(),
        clauses: vec![clause],
        role: Role::Run,
        why: why.to_owned(),
        task: Task::Run(Box::new(scenario)),
    }
}
