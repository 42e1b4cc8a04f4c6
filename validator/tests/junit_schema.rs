//! JUnit reports against the XSD of the Jenkins xunit plugin, with a peer: `xmllint` of libxml2.
//!
//! Where it is missing the test is *ignored*, with the reason, or *failed* if the variable below is 1.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Write as _;
use std::process::{Command, ExitCode, Stdio};

use command::{cornercast, fixtures};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

mod command;

/// Set this to 1 where xmllint has to be there.
const REQUIRE: &str = "CORNERCAST_REQUIRE_PEERS";

fn main() -> ExitCode {
    let trials = vec![Trial::ignorable_test("xmllint_finds_junit_valid", valid)];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn valid() -> Result<Completion, Failed> {
    if let Err(error) = Command::new("xmllint").arg("--version").stderr(Stdio::null()).status() {
        let reason = format!("xmllint cannot be run: {error}");
        if std::env::var_os(REQUIRE).is_some_and(|value| value == "1") {
            return Err(format!("{REQUIRE}: {reason}").into());
        }
        return Ok(Completion::ignored_with(reason));
    }
    let report = cornercast(&fixtures(), &["check", "--recursive", "--format", "junit", ".", "missing"]).stdout;
    let lint = |document: &[u8]| {
        let mut child = Command::new("xmllint")
            .args(["--noout", "--nonet", "--huge", "--schema"])
            .arg(fixtures().join("third-party/junit/junit-10.xsd"))
            .arg("-")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child.stdin.take().unwrap().write_all(document)?;
        child.wait_with_output()
    };
    let output = lint(&report)?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).chars().take(2000).collect::<String>().into());
    }
    // The peer sees what is wrong.
    if lint(b"<testsuites><testsuite/></testsuites>")?.status.success() {
        return Err("xmllint takes a suite without its attributes".into());
    }
    Ok(Completion::Completed)
}
