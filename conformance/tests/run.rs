//! The cases of the role `run` on the reference engine, for real.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod peers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::ValueEnum;
use cornercast_conformance::results::{Conclusion, Footer, Line, Verdict};
use cornercast_conformance::run::document::Document;
use cornercast_engine::cli::BackendName;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for backend in BackendName::value_variants() {
        if [BackendName::default(), BackendName::Runc].contains(backend) {
            let name = format!("all_cases_on_{}", backend.name());
            trials.push(Trial::ignorable_test(name, move || all_cases(*backend)));
        } else {
            let name = format!("some_cases_on_{}", backend.name());
            trials.push(Trial::ignorable_test(name, move || some_cases(*backend)));
        }
    }
    trials.push(Trial::ignorable_test("mutants_are_noticed", mutants_are_noticed));
    trials.push(Trial::ignorable_test("the_script_of_reproduce_works", reproduce));
    trials.push(Trial::ignorable_test("results_are_the_same_again", same_again));
    for adapter in ["engine.sh", "python/engine.py"] {
        let name = format!("cases_through_{}", adapter.rsplit('/').next().unwrap_or(adapter));
        trials.push(Trial::ignorable_test(name, move || cases_through(adapter)));
    }
    trials.push(Trial::ignorable_test("adapters_that_lie_are_caught", lies));
    trials.push(Trial::ignorable_test("an_honest_wrapper_scores_as_what_it_wraps", wrappers));
    trials.push(Trial::test("the_probe_says_what_its_type_says", document));
    trials.push(Trial::test("without_runc_nothing_is_claimed", without_runc));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn suite(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast-conformance"));
    command.args(arguments);
    command
}

fn results(command: &mut Command) -> (i32, Vec<Line>, Footer) {
    let output = command.args(["--json", "-"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> = text.lines().skip(1).collect();
    let footer = lines.pop().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let lines = lines.into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code().unwrap(), lines, serde_json::from_str(footer).unwrap())
}

/// Every case passes, but for what this host cannot do.
fn all_cases(backend: BackendName) -> Result<Completion, Failed> {
    let probe = match peers::probe_for(backend) {
        Ok(probe) => probe,
        Err(ignored) => return Ok(ignored),
    };
    let (status, lines, footer) =
        results(suite(&["run", "--role", "run", "--impl", backend.name(), "--probe"]).arg(probe));
    let wrong: Vec<&Line> = lines.iter().filter(|line| line.verdict != Verdict::Pass).collect();
    assert!(wrong.iter().all(|line| line.verdict == Verdict::Unsupported), "{wrong:#?}");
    assert!(lines.len() >= 300, "there are only {} cases", lines.len());
    if let Some(line) = wrong.first() {
        return Ok(peers::missing(line.reason.clone().unwrap_or_default()));
    }
    assert_eq!((status, footer.result), (0, Conclusion::Conformant));
    Ok(Completion::Completed)
}

/// Other runtimes pass some cases, but for what they are expected to fail; CI runs them all.
fn some_cases(backend: BackendName) -> Result<Completion, Failed> {
    let probe = match peers::probe_for(backend) {
        Ok(probe) => probe,
        Err(ignored) => return Ok(ignored),
    };
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("expected-failures.toml");
    let mut command = suite(&["run", "--role", "run", "--impl", backend.name()]);
    command.args(["RUN-012", "RUN-030", "RUN-07?", "RUN-093"].iter().flat_map(|case| ["--case", case]));
    let (_, lines, _) = results(command.arg("--xfail").arg(expected).arg("--probe").arg(probe));
    // What cannot be judged on some of them is counted where all cases are run.
    let is_good = |line: &&Line| match line.verdict {
        Verdict::Pass | Verdict::Xfail => true,
        Verdict::Unsupported => [BackendName::Runsc, BackendName::Bubblewrap].contains(&backend),
        _ => false,
    };
    let wrong: Vec<&Line> = lines.iter().filter(|line| !is_good(line)).collect();
    if let Some(line) = wrong.first().filter(|line| line.verdict == Verdict::Unsupported) {
        return Ok(peers::missing(line.reason.clone().unwrap_or_default()));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(lines.iter().filter(|line| line.verdict == Verdict::Pass).count() >= 30, "{lines:#?}");
    Ok(Completion::Completed)
}

/// An adapter of the checkout.
fn sample(adapter: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("adapters").join(adapter)
}

/// The suite on the engine behind the adapter `path`.
fn through(path: &Path, probe: &Path, cases: &[&str]) -> (i32, Vec<Line>, Footer) {
    let mut command = suite(&["run", "--role", "run", "--impl"]);
    command.arg(format!("sample={}", path.display())).arg("--probe").arg(probe);
    command.args(cases.iter().flat_map(|case| ["--case", case]));
    let state = tempfile::tempdir().unwrap();
    let engine = format!("{} engine --state {}", env!("CARGO_BIN_EXE_cornercast-conformance"), state.path().display());
    results(command.env("CORNERCAST_ENGINE", engine).env("SAMPLE", sample("engine.sh")))
}

/// Cases in which an adapter could be in the way; CI runs them all.
const THROUGH: [&str; 6] = ["RUN-007", "RUN-02?", "RUN-063", "RUN-07?", "RUN-09?", "RUN-126"];

/// Behind an adapter, the engine passes every one of them but those in which it is killed.
// ADP-021, ADP-022, ADP-025, ADP-027, ADP-030, ADP-046
fn cases_through(adapter: &str) -> Result<Completion, Failed> {
    let probe = match peers::probe_for(BackendName::default()) {
        Ok(probe) => probe,
        Err(ignored) => return Ok(ignored),
    };
    let (status, lines, footer) = through(&sample(adapter), probe, &THROUGH);
    let wrong: Vec<&Line> = lines.iter().filter(|line| line.verdict != Verdict::Pass).collect();
    assert!(wrong.iter().all(|line| line.verdict == Verdict::Unsupported), "{wrong:#?}");
    if let Some(line) = wrong.first() {
        return Ok(peers::missing(line.reason.clone().unwrap_or_default()));
    }
    assert!(lines.len() >= 60, "there are only {} cases", lines.len());
    assert_eq!((status, footer.result), (0, Conclusion::Conformant));
    Ok(Completion::Completed)
}

/// One byte of the output, or of a report, is not what the engine has said.
// ADP-021, ADP-022
fn lies() -> Result<Completion, Failed> {
    let probe = match peers::probe_for(BackendName::default()) {
        Ok(probe) => probe,
        Err(ignored) => return Ok(ignored),
    };
    let folder = tempfile::tempdir().unwrap();
    for (name, case, lie) in [
        ("honest", "RUN-012/exec-and-arguments", ":"),
        ("stdout", "RUN-012/exec-and-arguments", "sed -i 's/of exec/of exes/' stdout"),
        ("code", "RUN-075/0", "sed -i 's/\"exitCode\":0/\"exitCode\":1/' run-report.json"),
        ("stderr", "RUN-095/refused", "printf x >>stderr"),
        ("instance", "RUN-096/exited", "sed -i 's/\"instance\":\"s/\"instance\":\"t/' run-report.json"),
    ] {
        let path = folder.path().join(name);
        let script = format!(
            r#"#!/bin/sh
IFS= read -r line
printf '%s\n' "$line" | "$SAMPLE"
case $line in
*'"hello"'*) ;;
*)  cd "$(printf '%s\n' "$line" | sed -n 's/.*"output":"\([^"]*\)".*/\1/p')" || exit
    {lie} ;;
esac
"#
        );
        write_program(&path, &script);
        let (_, lines, _) = through(&path, probe, &[case]);
        let expected = if name == "honest" { Verdict::Pass } else { Verdict::Fail };
        assert_eq!(lines.len(), 1, "{name}: there is no case {case}");
        assert_eq!(lines[0].verdict, expected, "{name}: {lines:#?}");
    }
    Ok(Completion::Completed)
}

/// Writes a program by another one: what this process has open for writing, a child that another test has just forked
/// would hold, and then the program could not be started.
fn write_program(path: &Path, script: &str) {
    let write = "printf %s \"$1\" >\"$2\" && chmod +x \"$2\"";
    assert!(Command::new("sh").args(["-c", write, "sh", script]).arg(path).status().unwrap().success());
}

/// Some mutants, one of each sort; CI runs them all.
fn mutants_are_noticed() -> Result<Completion, Failed> {
    let probe = match peers::probe_for(BackendName::default()) {
        Ok(probe) => probe,
        Err(ignored) => return Ok(ignored),
    };
    let cases = ["RUN-003", "RUN-004", "RUN-024", "RUN-028", "RUN-078", "RUN-089"];
    let mut command = suite(&["mutants", "--probe"]);
    command.arg(probe).args(cases.iter().flat_map(|case| ["--case", case]));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("descriptor-leaks"), "{said}");
    Ok(Completion::Completed)
}

fn reproduce() -> Result<Completion, Failed> {
    let probe = match peers::probe_for(BackendName::default()) {
        Ok(probe) => probe,
        Err(ignored) => return Ok(ignored),
    };
    let backend = BackendName::default().name();
    let script = suite(&["reproduce", "RUN-012/exec-and-arguments", "--impl", backend]).output().unwrap();
    let script = String::from_utf8(script.stdout).unwrap();
    let output = Command::new("sh").arg("-c").arg(&script).env("CORNERCAST_PROBE", probe).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("\"of exec\""), "{script}\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("\"outcome\":\"exited\""), "{script}\n{said}");
    Ok(Completion::Completed)
}

/// A second run says the same of each case, its values too.
fn same_again() -> Result<Completion, Failed> {
    let probe = match peers::probe_for(BackendName::default()) {
        Ok(probe) => probe,
        Err(ignored) => return Ok(ignored),
    };
    let run = || {
        let mut arguments = vec!["run", "--impl", BackendName::default().name()];
        // Those of RUN-006 have paths of the run in what they report.
        arguments.extend(["RUN-006", "RUN-01*", "RUN-05*"].iter().flat_map(|case| ["--case", case]));
        let (_, lines, _) = results(suite(&arguments).arg("--probe").arg(probe));
        lines.into_iter().map(|line| (line.case.clone(), (line.verdict, line.values))).collect::<BTreeMap<_, _>>()
    };
    let (one, other) = (run(), run());
    assert!(!one.is_empty());
    assert_eq!(one, other);
    Ok(Completion::Completed)
}

/// An honest program around runc scores as runc does, and one that lies about one thing is caught.
fn wrappers() -> Result<Completion, Failed> {
    use std::os::unix::fs::PermissionsExt;

    let probe = match peers::probe_for(BackendName::Runc) {
        Ok(probe) => probe,
        Err(ignored) => return Ok(ignored),
    };
    let path = std::env::var("PATH").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run = |script: &str, cases: &str| {
        let runc = folder.path().join("runc");
        std::fs::write(&runc, format!("#!/bin/sh\nPATH='{path}'\n{script}\nexec runc \"$@\"\n")).unwrap();
        std::fs::set_permissions(&runc, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = suite(&["run", "--impl", "runc", "--case", cases]);
        command.arg("--probe").arg(probe).env("PATH", format!("{}:{path}", folder.path().display()));
        let (status, lines, _) = results(&mut command);
        (status, lines.into_iter().map(|line| (line.case.clone(), (line.verdict, line.values))).collect::<Vec<_>>())
    };
    let (status, honest) = run("", "RUN-07*");
    assert_eq!(status, 0, "{honest:#?}");
    let (_, lines, _) = results(suite(&["run", "--impl", "runc", "--case", "RUN-07*"]).arg("--probe").arg(probe));
    let direct: Vec<_> = lines.into_iter().map(|line| (line.case.clone(), (line.verdict, line.values))).collect();
    assert_eq!(honest, direct);
    // Called as `runc --root STATE --log LOG --log-format json create --bundle BUNDLE …`.
    for (lie, cases) in [
        ("[ \"$7\" != create ] || sed -i 's/\"umask\":18/\"umask\":0/' \"$9/config.json\"", "RUN-02*"),
        ("[ \"$7\" != create ] || chmod 700 \"$9/rootfs/srv/drop\"", "RUN-03*"),
    ] {
        let (status, lines) = run(lie, cases);
        let is_caught = status == 1 && lines.iter().any(|(_, (verdict, _))| *verdict == Verdict::Fail);
        assert!(is_caught, "{lie}: {lines:#?}");
    }
    Ok(Completion::Completed)
}

/// On this host as anywhere, but for the tree, which would take a while.
fn document() -> Result<(), Failed> {
    let folder = tempfile::tempdir().unwrap();
    let act = folder.path().join("act");
    std::fs::copy(peers::probe(), &act).unwrap();
    let schema = schemars::schema_for!(Document).to_value();
    let members: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    let members: Vec<&str> = members.iter().map(|name| name.as_str()).filter(|name| *name != "rootfs").collect();
    let output = Command::new(&act).arg(format!("look:{}", members.join(","))).output().unwrap();
    let mut seen: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    seen["rootfs"] = serde_json::json!({"error": "EPERM"});
    let schema = cornercast_conformance::schema::validator("probe").unwrap();
    cornercast_conformance::schema::judge(&schema, &seen).unwrap();
    let typed: Document = serde_json::from_value(seen.clone()).unwrap();
    let again = serde_json::to_value(&typed).unwrap();
    for (name, value) in seen.as_object().unwrap() {
        assert_eq!(again[name], *value, "{name}");
    }
    assert_eq!(typed.probe, 2);
    Ok(())
}

/// A missing runtime is said to be missing, and the run is incomplete.
fn without_runc() -> Result<(), Failed> {
    let (status, lines, footer) =
        results(suite(&["run", "--impl", "runc", "--case", "RUN-012"]).env("PATH", "/nowhere"));
    assert!(!lines.is_empty());
    for line in lines {
        assert_eq!(line.verdict, Verdict::Unsupported);
    }
    assert_eq!((status, footer.result), (2, Conclusion::Incomplete));
    Ok(())
}
