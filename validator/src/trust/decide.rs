//! Deciding under the policy and with the state that files hold (POL-018, POL-040).

use std::io;
use std::path::Path;

use super::folder::{HeldState, StateFolder, read_policy};
use super::policy::PolicyRule;
use super::state::State;
use super::verdict::{Evidence, Rejection, Verdict};
use super::verify::{Request, verify};
use crate::limits::Limits;
use crate::manifest::Platform;
use crate::name::Reference;
use crate::store::Files;

/// What is asked, and where the documents are that decide.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The file of the policy.
    pub policy: &'a Path,
    /// The directory of the states.
    pub state: &'a Path,
    /// Which image is meant.
    pub reference: &'a Reference,
    /// What it has to run on, where the reference leaves that open.
    pub platform: &'a Platform,
    /// The time that decides, in seconds since 1970.
    pub now: i64,
    /// Whether the state is only read, as it has to be where that is another time than now.
    pub is_read_only: bool,
    /// What errors call the store.
    pub store: &'a str,
}

/// The verdict, and the rule of the policy that decided.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The image, or why none is accepted.
    pub verdict: Verdict,
    /// The rule for its name; nothing if there is none.
    pub rule: Option<PolicyRule>,
}

/// Decides whether an image of a store is accepted, and stores what was learned, whatever the verdict.
///
/// # Errors
///
/// Errors of the files, which leave the question open: nothing is accepted.
pub fn decide(files: &dyn Files, question: &Question<'_>, limits: &Limits) -> io::Result<Decided> {
    let rejected = |rejection, rule| {
        Ok(Decided { verdict: Verdict { outcome: Err(rejection), evidence: Evidence::default() }, rule })
    };
    let policy = match read_policy(question.policy, limits, None).map_err(at(question.policy))? {
        Ok(policy) => policy,
        Err(rejection) => return rejected(rejection, None),
    };
    let Question { reference, platform, now, .. } = *question;
    let rule = policy.rule(&reference.name).cloned();
    let authority = reference.name.split('/').next().unwrap_or_default();
    let folder = StateFolder::new(question.state.to_owned());
    let request = Request { files, policy: &policy, reference, platform, now, limits, without: None };
    let mut known = match known(&folder, authority, question.is_read_only, limits).map_err(at(question.state))? {
        Ok(known) => known,
        Err(rejection) => return rejected(rejection, rule),
    };
    let verdict = verify(&request, known.state());
    // POL-037: what was accepted before something could not be read is kept as well.
    if let Known::Held(held) = known {
        held.store().map_err(at(question.state))?;
    }
    Ok(Decided { verdict: verdict.map_err(at(Path::new(question.store)))?, rule })
}

/// A state to be changed, or to be looked at.
enum Known {
    Held(HeldState),
    Seen(State),
}

impl Known {
    fn state(&mut self) -> &mut State {
        match self {
            Self::Held(held) => &mut held.state,
            Self::Seen(state) => state,
        }
    }
}

fn known(
    folder: &StateFolder,
    authority: &str,
    is_read_only: bool,
    limits: &Limits,
) -> io::Result<Result<Known, Rejection>> {
    Ok(if is_read_only {
        folder.look(authority, limits)?.map(Known::Seen)
    } else {
        folder.hold(authority, limits, None)?.map(Known::Held)
    })
}

/// Says in an error which path it is about.
fn at(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
