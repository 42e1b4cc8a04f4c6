//! JUnit reports against the XSD of the Jenkins xunit plugin, with a peer: `xmllint` of libxml2.
//!
//! Where it is missing the test is *ignored*, with the reason, or *failed* if the variable below is 1.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

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
    let lint = |document: &[u8]| {
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/third-party/junit/junit-10.xsd");
        let mut child = Command::new("xmllint")
            .args(["--noout", "--nonet", "--huge", "--schema"])
            .arg(schema)
            .arg("-")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child.stdin.take().unwrap().write_all(document)?;
        child.wait_with_output()
    };
    let output = lint(&report())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).chars().take(2000).collect::<String>().into());
    }
    // The peer sees what is wrong.
    if lint(b"<testsuites><testsuite/></testsuites>")?.status.success() {
        return Err("xmllint takes a suite without its attributes".into());
    }
    Ok(Completion::Completed)
}

/// A report in which cases pass, fail, are skipped, and crash, with an expected failure that is stale.
fn report() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let adapter = folder.path().join("adapter");
    let script = r#"#!/bin/sh
IFS= read -r line
seq=$(printf '%s\n' "$line" | sed -n 's/.*"seq":\([0-9]*\).*/\1/p')
case $line in
*'"hello"'*) echo '{"message":"hello","protocol":1,"name":"x & <y>","version":"1","roles":["validate"]}' ;;
*CNF-001*) printf '{"seq":%s,"outcome":"accepted"}\n' "$seq" ;;
*CNF-002*) printf '{"seq":%s,"outcome":"skipped","reason":"<later> & \\u0001"}\n' "$seq" ;;
*) echo '<out> of ]]> cheese' >&2; exit 3 ;;
esac
"#;
    fs::write(&adapter, script).unwrap();
    fs::set_permissions(&adapter, fs::Permissions::from_mode(0o755)).unwrap();
    let xfail = folder.path().join("xfail.toml");
    let stale =
        "[[expect]]\nimpl = \"mine\"\ncase = \"CNF-001/gone\"\nreason = \"r\"\nlink = \"https://example.com/1\"\n";
    fs::write(&xfail, stale).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast-conformance"));
    command.args(["run", "--case", "CNF-*", "--case", "MAN-001", "--impl", "reference", "--impl"]);
    command.arg(format!("mine={}", adapter.display())).arg("--xfail").arg(xfail).args(["--output", "junit=-"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    for element in ["<failure type=\"fail\"", "<failure type=\"stale\"", "<error ", "<skipped ", "<system-err>"] {
        assert!(said.contains(element), "there is no {element} in {said}{}", String::from_utf8_lossy(&output.stderr));
    }
    output.stdout
}
