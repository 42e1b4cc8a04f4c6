//! The cases of the role `runtime`: as they are shown, and on real runtimes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code, reason = "these cases need no engine")]
mod peers;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use cornercast_conformance::bundles::{self, Runtime};
use cornercast_conformance::results::{Line, Verdict};
use cornercast_conformance::suite::Task;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::{Value, json};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = vec![
        Trial::test("what_explain_says", explain),
        Trial::test("what_list_says", list),
        Trial::test("what_is_no_runtime_is_refused", no_runtime),
        Trial::ignorable_test("a_relative_path_is_of_this_directory", || on("runc", relative)),
        Trial::ignorable_test("cases_on_runc", || on("runc", cases)),
        Trial::ignorable_test("what_nothing_decides_is_no_pass", || on("runc", recorded)),
        Trial::ignorable_test("a_known_difference_is_found", || on("crun", difference)),
        Trial::ignorable_test("a_runtime_that_does_nothing_passes_nothing", || on("runc", nothing)),
        Trial::ignorable_test("mutants_are_noticed", || on("runc", mutants)),
        Trial::ignorable_test("what_was_not_put_to_a_mutant_notices_none", || on("runc", no_mutants)),
        Trial::ignorable_test("the_script_of_reproduce_works", || on("runc", reproduce)),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Runs a test if the runtime is there.
fn on(runtime: &str, test: fn() -> Result<(), Failed>) -> Result<Completion, Failed> {
    match Runtime::new(runtime).version() {
        Ok(_) => test().map(|()| Completion::Completed),
        Err(reason) => Ok(peers::missing(reason)),
    }
}

fn suite(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast-conformance"));
    let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The lines and the result of a run.
fn results(arguments: &[&str]) -> (i32, Vec<Line>, Value) {
    let probe = peers::probe().display().to_string();
    let all = [&["bundles", "--json", "-", "--probe", &probe], arguments].concat();
    let (status, output, errors) = suite(&all);
    let mut lines: Vec<&str> = output.lines().skip(1).collect();
    let footer = lines.pop().unwrap_or_else(|| panic!("{errors}"));
    let lines = lines.into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    (status, lines, serde_json::from_str(footer).unwrap())
}

/// What comes of putting cases to broken runtimes.
fn on_mutants(arguments: &[&str]) -> (i32, String, String) {
    let probe = peers::probe().display().to_string();
    suite(&[&["mutants", "--role", "runtime", "--probe", &probe], arguments].concat())
}

fn explain() -> Result<(), Failed> {
    let (status, output, _) = suite(&["explain", "cwd/relative"]);
    assert_eq!(status, 0);
    insta::assert_snapshot!("explain", output);
    Ok(())
}

fn list() -> Result<(), Failed> {
    let (status, output, _) = suite(&["list", "--role", "runtime", "--case", "version"]);
    assert_eq!(status, 0);
    insta::assert_snapshot!("list", output);
    Ok(())
}

fn no_runtime() -> Result<(), Failed> {
    for (name, why) in [
        ("embedded", "`embedded` is no OCI runtime that is known"),
        ("mine=/missing/runtime", "/missing/runtime is not installed"),
    ] {
        let (status, _, errors) = suite(&["bundles", "--impl", name]);
        if rustix::process::geteuid().is_root() || !name.contains('=') {
            assert!(errors.contains(why), "{errors}");
        }
        assert_ne!(status, 0);
    }
    Ok(())
}

/// Calls are made in the directory of the bundle.
fn relative() -> Result<(), Failed> {
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let runc = std::env::split_paths(&path).map(|folder| folder.join("runc")).find(|path| path.exists()).unwrap();
    std::os::unix::fs::symlink(runc, folder.path().join("mine")).unwrap();
    for program in ["mine=./mine", "mine=mine"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast-conformance"));
        command.args(["bundles", "--case", "cwd/given", "--impl", program, "--probe"]).arg(peers::probe());
        let output = command.current_dir(folder.path()).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    Ok(())
}

fn cases() -> Result<(), Failed> {
    let (status, lines, footer) = results(&["--impl", "runc", "--case", "cwd", "--case", "umask", "--case", "unknown"]);
    let judged: Vec<&Line> = lines.iter().filter(|line| line.verdict != Verdict::Recorded).collect();
    assert!(judged.iter().all(|line| line.verdict == Verdict::Pass), "{judged:#?}");
    assert!(judged.len() > 10 && judged.len() < lines.len());
    assert_eq!((status, &footer["result"]), (0, &json!("conformant")));
    let missing = lines.iter().find(|line| line.case == "cwd/missing").unwrap();
    assert_eq!(missing.values["observed"]["added"]["/missing/below"], "040755", "{missing:#?}");
    Ok(())
}

fn recorded() -> Result<(), Failed> {
    let (status, lines, footer) = results(&["--impl", "runc", "--case", "cwd/missing"]);
    assert_eq!((status, lines[0].verdict, &footer["result"]), (0, Verdict::Recorded, &json!("recorded")));
    assert_eq!(footer["counts"], json!({"runc": {"recorded": 1}}));
    Ok(())
}

fn difference() -> Result<(), Failed> {
    if Runtime::new("runc").version().is_err() {
        return Ok(());
    }
    let probe = peers::probe().display().to_string();
    let (status, output, _) =
        suite(&["bundles", "--impl", "runc", "--impl", "crun", "--case", "host/domainname", "--probe", &probe]);
    assert_eq!(status, 0, "{output}");
    assert!(output.contains("/domainname  (in host/domainname)"), "{output}");
    assert!(output.contains("    crun: \"example.com\"\n    runc: \"(none)\""), "{output}");
    Ok(())
}

/// A program that answers `--version`, and otherwise does what a shell makes of `does`.
fn program(folder: &Path, name: &str, does: &str) -> String {
    let path = folder.join(name);
    let script = format!("#!/bin/sh\ncase $1 in --version) echo {name} version 1;; *) {does};; esac\n");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// Whoever says that everything was done, or that nothing can be, passes no case that something decides.
fn nothing() -> Result<(), Failed> {
    let folder = tempfile::tempdir().unwrap();
    let refuses = format!("refuses={}", program(folder.path(), "refuses", "exit 1"));
    let all = bundles::cases();
    let is_judged = |task: &Task| matches!(task, Task::Bundle(case) if case.rule.is_some());
    let judged: Vec<&str> =
        all.iter().filter(|entry| is_judged(&entry.task)).map(|entry| entry.name.as_str()).collect();
    let mut arguments = vec!["--impl", "nothing=/bin/true", "--impl", &refuses, "--timeout", "3"];
    arguments.extend(judged.iter().flat_map(|name| ["--case", name]));
    let (status, lines, _) = results(&arguments);
    assert_eq!((status, lines.len()), (1, 2 * judged.len()));
    let wrong: Vec<(&str, &str, Verdict)> = lines
        .iter()
        .filter(|line| line.verdict != Verdict::Fail)
        .map(|line| (line.implementation.as_str(), line.case.as_str(), line.verdict))
        .collect();
    assert_eq!(wrong, []);
    Ok(())
}

/// A case that the runtime fails as it is shows nothing, and neither do no mutants, or a runtime that does not answer.
fn no_mutants() -> Result<(), Failed> {
    let (status, output, errors) = on_mutants(&["--case", "version/word"]);
    assert_eq!(status, 1, "{output}{errors}");
    assert!(output.contains("the runtime fails version/word as it is"), "{output}");
    assert!(output.contains("no mutant was put to the test"), "{output}");
    let folder = tempfile::tempdir().unwrap();
    let slow = program(folder.path(), "slow", "sleep 30");
    let (status, output, errors) = on_mutants(&["--case", "cwd/given", "--timeout", "1", "--runtime", &slow]);
    assert_ne!(status, 0, "{output}");
    assert!(errors.contains("cwd/given cannot be put to the runtime as it is: `create` did not end"), "{errors}");
    Ok(())
}

fn mutants() -> Result<(), Failed> {
    let (status, output, errors) = on_mutants(&["--case", "cwd", "--case", "lifecycle/deleted", "--case", "umask"]);
    assert_eq!(status, 0, "{output}{errors}");
    assert!(output.contains("runtime-directory-from-the-root  noticed by 2 of 2"), "{output}");
    Ok(())
}

fn reproduce() -> Result<(), Failed> {
    let (_, script, _) = suite(&["reproduce", "cwd/given", "--impl", "runc"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.sh");
    assert!(script.contains("--container \"$id\"") && !script.contains("@CONTAINER@"), "{script}");
    std::fs::write(&path, script).unwrap();
    // Twice at once: each has a control group of its own.
    let start = || {
        let mut command = Command::new("sh");
        command.arg(&path).env("CORNERCAST_PROBE", peers::probe()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    for child in [start(), start()] {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("\"workingDirectory\":\"/work/below\""), "{said}{errors}");
        assert!(said.contains("delete: ok"), "{said}{errors}");
    }
    Ok(())
}
