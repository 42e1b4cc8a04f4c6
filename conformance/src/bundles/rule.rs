//! What a sentence asks for, and whether the evidence has it.

use serde_json::json;

use super::evidence::{Called, Evidence};
use super::left::Left;
use super::oci::{self, Sentence};

/// A sentence that decides, and how.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The sentence.
    pub sentence: &'static Sentence,
    /// What it asks for.
    pub wants: Wants,
    /// Whether an error must not even leave a control group without a process.
    ///
    /// Such a group can stay once in a while, where a runtime does not wait for the end of what it has killed: that is seen
    /// alike in each run only where nothing was begun.
    pub no_group: bool,
}

/// Why a check does not find what it looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmet {
    /// The application cannot see this.
    Untold(String),
    /// This is what it is instead.
    Otherwise(String),
}

/// What a check says.
pub type Checked = Result<(), Unmet>;

/// Whether the evidence is as it has to be.
pub type Check = fn(&Evidence) -> Checked;

/// What a check says of what is not as it has to be.
pub(super) fn otherwise(why: impl Into<String>) -> Checked {
    Err(Unmet::Otherwise(why.into()))
}

/// What a sentence asks for.
#[derive(Debug, Clone, Copy)]
pub enum Wants {
    /// An error: the application does not run, and all is as it was before.
    Error,
    /// This, unless there is an error: a runtime can leave out what it does not support, but not in silence.
    Unless(Check),
    /// This.
    This(Check),
}

/// What a rule says of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It is met.
    Met,
    /// It leaves open what has happened.
    Open(String),
    /// This is broken, a sentence that says something else.
    Broken(String, &'static Sentence),
}

impl Rule {
    /// What the rule says of a run.
    #[must_use]
    pub fn judge(&self, evidence: &Evidence) -> Ruling {
        let check = match self.wants {
            Wants::Error if evidence.has_begun() => {
                return Ruling::Broken("the application ran".to_owned(), self.sentence);
            }
            // How errors are told, and whether they are, is left open; what they leave is not.
            Wants::Error => return ruling(self.as_before(evidence), Ruling::Met, &oci::ERROR),
            Wants::Unless(_) if evidence.is_refused() && !evidence.has_begun() => {
                let refused = Ruling::Open("it was refused, which a runtime can do".to_owned());
                return ruling(self.as_before(evidence), refused, &oci::ERROR);
            }
            Wants::Unless(check) | Wants::This(check) => check,
        };
        ruling(check(evidence), Ruling::Met, self.sentence)
    }

    /// Whether an error has left everything as it was: no container that goes on, and if none was made or the one that was
    /// is deleted, none that is known, and nothing of it.
    fn as_before(&self, evidence: &Evidence) -> Checked {
        let succeeded = |names: &[&str]| {
            let is_one = |called: &&Called| names.contains(&called.name.as_str());
            evidence.calls.iter().filter(is_one).any(|called| called.end.is_success())
        };
        let is_made = succeeded(&["create"]);
        for state in evidence.calls.iter().filter_map(|called| called.document.as_ref()) {
            let status = &state["status"];
            if status == "running" || (!is_made && status.is_string()) {
                return otherwise(format!("the status of the container is {status}"));
            }
        }
        if is_made && !succeeded(&["delete"]) {
            return Ok(());
        }
        let left = Left { group: evidence.left.group && self.no_group, ..evidence.left.clone() };
        if !left.is_nothing() {
            return otherwise(format!("this is left: {}", json!(left)));
        }
        let added: Vec<&String> = evidence.added.keys().collect();
        if is_made || added.is_empty() {
            Ok(())
        } else {
            otherwise(format!("the root tree has new entries: {}", json!(added)))
        }
    }
}

fn ruling(checked: Checked, met: Ruling, sentence: &'static Sentence) -> Ruling {
    match checked {
        Ok(()) => met,
        Err(Unmet::Untold(what)) => Ruling::Open(format!("the application cannot tell {what}")),
        Err(Unmet::Otherwise(why)) => Ruling::Broken(why, sentence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundles::evidence::End;

    const RULE: Rule = Rule { sentence: &oci::CWD, wants: Wants::Error, no_group: false };

    fn called(name: &str, end: End) -> Called {
        Called { name: name.to_owned(), end, said: None, document: None }
    }

    fn refused() -> Evidence {
        let calls = vec![called("create", End::Exited(1)), called("state", End::Exited(1))];
        Evidence { calls, ..Evidence::default() }
    }

    fn broken(evidence: &Evidence) -> (String, &'static str) {
        match RULE.judge(evidence) {
            Ruling::Broken(why, sentence) => (why, sentence.section),
            other => (format!("{other:?}"), ""),
        }
    }

    #[test]
    fn an_error_leaves_nothing() {
        assert_eq!(RULE.judge(&refused()), Ruling::Met);
        let mut ran = refused();
        ran.output = "{\"step\":\"ready\"}".to_owned();
        assert_eq!(broken(&ran), ("the application ran".to_owned(), "Process"));
        let mut known = refused();
        known.calls[1].document = Some(json!({"status": "created"}));
        assert_eq!(broken(&known).0, "the status of the container is \"created\"");
        let left = Evidence { left: Left { processes: 1, ..Left::default() }, ..refused() };
        assert_eq!(broken(&left), ("this is left: {\"processes\":1}".to_owned(), "Errors"));
        let group = Evidence { left: Left { group: true, ..Left::default() }, ..refused() };
        assert_eq!(RULE.judge(&group), Ruling::Met);
        assert!(matches!(Rule { no_group: true, ..RULE }.judge(&group), Ruling::Broken(..)));
        let mut added = refused();
        added.added.insert("/new".to_owned(), "040755".to_owned());
        assert_eq!(broken(&added).0, "the root tree has new entries: [\"/new\"]");
    }

    /// What is created and cannot be started is there until it is deleted.
    #[test]
    fn an_error_of_start_leaves_the_container() {
        let mut evidence = refused();
        evidence.calls = vec![called("create", End::Exited(0)), called("start", End::Exited(1))];
        evidence.calls.push(Called { document: Some(json!({"status": "created"})), ..called("state", End::Exited(0)) });
        evidence.left = Left { state: true, ..Left::default() };
        assert_eq!(RULE.judge(&evidence), Ruling::Met);
        evidence.calls.push(called("delete", End::Exited(0)));
        assert_eq!(broken(&evidence).0, "this is left: {\"state\":true}");
        evidence.calls[2].document = Some(json!({"status": "running"}));
        assert_eq!(broken(&evidence).0, "the status of the container is \"running\"");
    }

    #[test]
    fn what_is_refused_is_left_open_if_nothing_stays() {
        let rule = Rule { wants: Wants::Unless(|_| otherwise("it is not looked at")), ..RULE };
        assert!(matches!(rule.judge(&refused()), Ruling::Open(_)));
        let left = Evidence { left: Left { mounts: 1, ..Left::default() }, ..refused() };
        assert!(
            matches!(rule.judge(&left), Ruling::Broken(why, sentence) if why.contains("left") && *sentence == oci::ERROR)
        );
        let untold = Rule { wants: Wants::This(|_| Err(Unmet::Untold("it".to_owned()))), ..RULE };
        assert_eq!(untold.judge(&refused()), Ruling::Open("the application cannot tell it".to_owned()));
    }
}
