//! The cases of the role `runtime`: as they are shown, and on real runtimes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code, reason = "these cases need no engine")]
mod peers;

use std::process::{Command, ExitCode, Stdio};

use cornercast_conformance::bundles::Runtime;
use cornercast_conformance::results::{Line, Verdict};
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
        Trial::ignorable_test("a_runtime_that_does_nothing_fails", || on("runc", nothing)),
        Trial::ignorable_test("mutants_are_noticed", || on("runc", mutants)),
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

/// It says that it has done everything.
fn nothing() -> Result<(), Failed> {
    let (status, lines, _) =
        results(&["--impl", "nothing=/bin/true", "--case", "cwd/given", "--case", "lifecycle/statuses"]);
    assert_eq!(status, 1);
    assert!(lines.iter().all(|line| line.verdict == Verdict::Fail), "{lines:#?}");
    Ok(())
}

fn mutants() -> Result<(), Failed> {
    let (status, output, errors) =
        suite(&["mutants", "--role", "runtime", "--case", "cwd", "--case", "lifecycle/deleted", "--case", "umask"]);
    assert_eq!(status, 0, "{output}{errors}");
    assert!(output.contains("runtime-directory-from-the-root  noticed by 2 of 2"), "{output}");
    Ok(())
}

fn reproduce() -> Result<(), Failed> {
    let (_, script, _) = suite(&["reproduce", "cwd/given", "--impl", "runc"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.sh");
    std::fs::write(&path, script).unwrap();
    let mut command = Command::new("sh");
    let output = command.arg(&path).env("CORNERCAST_PROBE", peers::probe()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("\"workingDirectory\":\"/work/below\""), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("delete: ok"), "{said}");
    Ok(())
}
