//! What `isolation` can say: its levels, and how isolators are called (MAN-044 to MAN-046).

use super::check::{Checker, escape, string};
use super::table::Presence::Required;
use super::table::{Default, Presence, Table, Type};
use crate::clause;
use crate::json::Node;
use crate::limits::Limits;
use crate::name::judge_host;
use crate::shown::quoted;

/// The isolation levels, the loosest first (MAN-044).
pub const LEVELS: [&str; 4] = ["open", "separated", "hardened", "sealed"];

/// The isolators that the format itself has (MAN-046).
const ISOLATORS: [&str; 16] = [
    "cornercast/capabilities",
    "cornercast/devices",
    "cornercast/ipc",
    "cornercast/kernel-boundary",
    "cornercast/network",
    "cornercast/no-new-privileges",
    "cornercast/process-view",
    "cornercast/readonly-rootfs",
    "cornercast/syscalls",
    "cornercast/sysinfo",
    "cornercast/user-mapping",
    "resource/cpu",
    "resource/memory",
    "resource/nofile",
    "resource/pids",
    "resource/storage",
];

const ISOLATION: &Table = &[
    ("level", Type::String, Presence::Default(Default::String("separated"))),
    ("isolators", Type::Objects, Presence::Default(Default::Empty)),
];
const ISOLATOR: &Table =
    &[("value", Type::Any, Required), ("required", Type::Boolean, Presence::Default(Default::Boolean(true)))];

/// Why no isolator can be called so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IsolatorNameError {
    /// It is not of the form of a name; why, in words (MAN-045).
    #[error("the isolator name {name} is not well formed{why}")]
    Malformed {
        /// The name, as it is shown.
        name: String,
        /// Nothing, or `: ` and what is wrong with the host.
        why: String,
    },
    /// The format itself has no isolator of this name (MAN-046).
    #[error("the isolator {} is not defined", quoted(.0))]
    Undefined(String),
}

/// Judges the name of an isolator.
///
/// # Errors
///
/// What is wrong with it.
pub fn judge_isolator_name(name: &str, limits: &Limits) -> Result<(), IsolatorNameError> {
    let malformed = |why: String| Err(IsolatorNameError::Malformed { name: quoted(name), why });
    let Some((owner, _)) = name.split_once('/').filter(|(_, rest)| rest.split('-').all(is_word)) else {
        return malformed(String::new());
    };
    if !["cornercast", "resource"].contains(&owner) {
        return match judge_host(owner, limits).first() {
            Some((_, reason)) => malformed(format!(": {reason}")),
            None => Ok(()),
        };
    }
    if ISOLATORS.contains(&name) { Ok(()) } else { Err(IsolatorNameError::Undefined(name.to_owned())) }
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'))
}

pub(super) fn check(checker: &mut Checker<'_>, isolation: &Node) {
    checker.object(isolation, "/app/isolation", ISOLATION, &clause::MAN_006);
    if let Some((node, level)) = string(isolation, "level")
        && !LEVELS.contains(&level)
    {
        // MAN-044
        let message = format!("the isolation level {} is not defined", quoted(level));
        checker.report_unknown(&clause::MAN_044, node, "/app/isolation/level", message, (level, LEVELS));
    }
    for member in isolation.get("isolators").map(Node::members).unwrap_or_default() {
        let pointer = format!("/app/isolation/isolators/{}", escape(&member.name));
        checker.object(&member.node, &pointer, ISOLATOR, &clause::MAN_006);
        let Err(error) = judge_isolator_name(&member.name, checker.limits) else { continue };
        let message = error.to_string();
        match error {
            // MAN-045
            IsolatorNameError::Malformed { .. } => checker.report(&clause::MAN_045, &member.node, &pointer, message),
            // MAN-046
            IsolatorNameError::Undefined(name) => {
                let owner = name.split_inclusive('/').next().unwrap_or_default();
                let known = ISOLATORS.into_iter().filter(|known| known.starts_with(owner));
                checker.report_unknown(&clause::MAN_046, &member.node, &pointer, message, (&name, known));
            }
        }
    }
}
