//! Running under a policy: no image but the one that it accepts, and nothing that its rule does not allow.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use cornercast::digest::Digest;
use cornercast::limits::Limits;
use cornercast::manifest::{LEVELS, Platform};
use cornercast::name::Reference;
use cornercast::store::Files;
use cornercast::trust::{PolicyRule, Question, decide};

use crate::engine::architecture;
use crate::image::Trouble;
use crate::refusal::{Reason, Refusals};

/// What decides which image is run.
#[derive(Debug, Clone)]
pub struct UnderPolicy {
    /// The file of the policy.
    pub file: PathBuf,
    /// The directory of what verifiers remember.
    pub state: PathBuf,
    /// Which image is meant.
    pub reference: Reference,
}

impl UnderPolicy {
    /// RUN-126: the image of a store or archive that is accepted, with the rule that says so.
    pub(crate) fn decide(&self, files: &dyn Files) -> Result<(Digest, PolicyRule), Trouble> {
        let platform = Platform { os: "linux".to_owned(), architecture: architecture().to_owned(), variant: None };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let question = Question {
            policy: &self.file,
            state: &self.state,
            reference: &self.reference,
            platform: &platform,
            now: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            is_read_only: false,
            store: "the image",
        };
        let decided = decide(files, &question, &Limits::FORMAT)?;
        match (decided.verdict.outcome, decided.rule) {
            (Ok(accepted), Some(rule)) => Ok((accepted.image, rule)),
            (Ok(_), None) => Err(Trouble::Refused(vec![Reason::new("POL-021", "the policy has no rule for the name")])),
            (Err(rejection), _) => {
                let file = rejection.file.map_or_else(String::new, |file| format!("{file}: "));
                let message = format!("{} is not trusted: {file}{}", self.reference, rejection.reason);
                Err(Trouble::Refused(vec![Reason::new(rejection.clause, message)]))
            }
        }
    }
}

/// RUN-011: whether `exec` can be replaced.
pub(crate) fn judge_exec(is_replaced: bool, rule: Option<&PolicyRule>, refusals: &mut Refusals) {
    if is_replaced && rule.is_none_or(|rule| rule.exec != Some(true)) {
        let message = match rule {
            None => "`exec` is replaced, which needs the leave of a policy, and there is none".to_owned(),
            Some(rule) => {
                format!("`exec` is replaced, and the rule of the policy for `{}` gives no leave", rule.prefix)
            }
        };
        refusals.add("RUN-011", message);
    }
}

/// RUN-127: whether the level is as high as the rule wants it.
pub(crate) fn judge_level(level: &str, rule: Option<&PolicyRule>, refusals: &mut Refusals) {
    let Some((rule, least)) = rule.and_then(|rule| Some((rule, rule.isolation.as_deref()?))) else { return };
    let rank = |level: &str| LEVELS.iter().position(|known| *known == level);
    if rank(level) < rank(least) {
        let message =
            format!("the level is `{level}`, and the rule of the policy for `{}` wants `{least}`", rule.prefix);
        refusals.add("RUN-127", message);
    }
}
