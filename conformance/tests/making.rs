//! The cases in which something is made, put to the reference: the suite looks at what is made.
//!
//! Those that make files of other users need root; without it they are *ignored*, with the reason.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::{Command, ExitCode};

use cornercast_conformance::fixtures;
use cornercast_conformance::protocol::Role;
use cornercast_conformance::results::{Line, Verdict};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let roles = [Role::Build, Role::Unpack];
    let trials = roles.map(|role| Trial::ignorable_test(role.name(), move || cases(role)));
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}

/// All cases of a role; what only root can do is left out for others.
fn cases(role: Role) -> Result<Completion, Failed> {
    let count = fixtures::all().iter().filter(|fixture| fixture.case.role == role).count();
    if count == 0 {
        return Ok(Completion::ignored_with("there is no case of this role yet"));
    }
    let mut suite = Command::new(env!("CARGO_BIN_EXE_cornercast-conformance"));
    let output = suite.args(["run", "--role", role.name(), "--timeout", "60", "--json", "-"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Line> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(lines.len(), count, "{}", String::from_utf8_lossy(&output.stderr));
    let is_root = rustix::process::geteuid().is_root();
    let mut left_out = 0;
    let mut wrong = Vec::new();
    for line in lines {
        match line.verdict {
            Verdict::Pass => {}
            Verdict::Unsupported if !is_root => left_out += 1,
            _ => wrong.push(format!("{}: {}", line.case, line.reason.unwrap_or_default())),
        }
    }
    assert!(wrong.is_empty(), "{} of {count} cases:\n{}", wrong.len(), wrong.join("\n"));
    if left_out > 0 {
        return Ok(Completion::ignored_with(format!("{left_out} of {count} cases need root, the others pass")));
    }
    Ok(Completion::Completed)
}
