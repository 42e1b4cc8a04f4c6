//! The suite itself: adapters that lie, crash or never end are seen for what they are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bench;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bench::{ACCEPTS, Bench, Run, assert_gone, output, write_program};
use cornercast_conformance::fixtures;
use cornercast_conformance::protocol::{self, Codec};
use cornercast_conformance::results::{Conclusion, Verdict};
use cornercast_conformance::schema;
use cornercast_conformance::suite;
use serde_json::{Value, json};

#[test]
fn the_reference_is_conformant() {
    let run = Bench::new().run(&[]);
    assert!(run.lines.iter().all(|line| line.verdict == Verdict::Pass), "{:#?}", run.lines);
    assert_eq!((run.status, run.footer.result), (0, Conclusion::Conformant));
    assert_eq!(run.header.results, run.lines.len());
    assert_eq!(run.line("CNF-001/rejected-next-major").values["ids"], json!(["CNF-001"]));
    assert_eq!(run.line("STO-004/warned-page").values["ids"], json!(["STO-004"]));
}

#[test]
fn the_ids_of_the_reference_are_judged() {
    let bench = Bench::new();
    let path = bench.fixtures().join("CNF-001/rejected-next-major/case.json");
    let wrong = fs::read_to_string(&path).unwrap().replace("\"id\": \"CNF-001\"", "\"id\": \"CNF-002\"");
    fs::write(&path, wrong).unwrap();
    let run = bench.run(&[]);
    let line = run.line("CNF-001/rejected-next-major");
    assert_eq!(line.reason.as_deref(), Some("expected CNF-002, got CNF-001"));
    assert_eq!((line.verdict, run.status), (Verdict::Fail, 1));
}

/// Some of them; CI puts all cases to all mutants.
#[test]
fn mutants_of_the_reference_are_noticed() {
    for (arguments, names) in [
        (["validate", "JSN-009"], ["validator-without-JSN-009", "validator-rejects"]),
        (["build", "OCI-122/completed-gzip"], ["builder-changes-a-blob", "builder-refuses"]),
    ] {
        let [role, case] = arguments;
        let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast-conformance"));
        let output = command.args(["mutants", "--role", role, "--case", case]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(names.iter().all(|name| said.contains(name)), "{said}");
        // The documents that lead to a compressed layer are not judged by their bytes.
        assert_eq!(output.status.success(), role == "validate", "{said}{:?}", String::from_utf8(output.stderr));
        assert_eq!(said.contains("builder-changes-a-document  noticed by 0 of 1"), role == "build", "{said}");
    }
}

// ADP-040, ADP-042
#[test]
fn an_adapter_that_always_accepts_fails_every_rejection() {
    let bench = Bench::new();
    let run = bench.run(&["--impl", &bench.adapter("yes", ACCEPTS)]);
    for line in &run.lines {
        let expected = if line.case.contains("/rejected-") { Verdict::Fail } else { Verdict::Pass };
        assert_eq!(line.verdict, expected, "{line:?}");
    }
    assert_eq!((run.status, run.footer.result), (1, Conclusion::NotConformant));
}

// ADP-002, ADP-003, ADP-004, ADP-015, ADP-039
#[test]
fn garbage_is_no_answer() {
    let bench = Bench::new();
    bench.run(&["--impl", &bench.adapter("noise", "echo '%&!'")]).all_errored("not strict JSON");
    bench.run(&["--impl", &bench.adapter("mute", ":")]).all_errored("answered nothing");
    let twice = format!("{ACCEPTS}; {ACCEPTS}");
    bench.run(&["--impl", &bench.adapter("twice", &twice)]).all_errored("more than one line");
    let unknown = r#"printf '{"seq":%s,"outcome":"perhaps"}\n' "$seq""#;
    bench.run(&["--impl", &bench.adapter("perhaps", unknown)]).all_errored("not what the protocol says at /outcome");
    let member = r#"printf '{"seq":%s,"outcome":"accepted","colour":"red"}\n' "$seq""#;
    bench.run(&["--impl", &bench.adapter("member", member)]).all_errored("colour");
    let other = r#"printf '{"seq":%s,"outcome":"completed"}\n' "$seq""#;
    bench.run(&["--impl", &bench.adapter("other", other)]).all_errored("`completed` is no answer to `check`");
}

// ADP-005
#[test]
fn an_answer_to_another_message_is_no_answer() {
    let bench = Bench::new();
    let wrong = r#"printf '{"seq":%s,"outcome":"rejected"}\n' "$((seq + 1))""#;
    bench.run(&["--impl", &bench.adapter("late", wrong)]).all_errored("has the seq ");
}

// ADP-008
#[test]
fn a_crash_is_no_answer() {
    let bench = Bench::new();
    let crash = format!("{ACCEPTS}; echo 'out of cheese' >&2; exit 3");
    let run = bench.run(&["--impl", &bench.adapter("crash", &crash)]);
    run.all_errored("the adapter ended with exit status 3");
    assert_eq!(run.lines[0].values["stderr"], "out of cheese");
    let signal = format!("{ACCEPTS}; kill -SEGV $$");
    bench.run(&["--impl", &bench.adapter("signal", &signal)]).all_errored("SIGSEGV");
}

// ADP-037
#[test]
fn an_adapter_that_sleeps_is_killed_with_its_process_group() {
    let bench = Bench::new();
    let note = bench.folder.path().join("pid");
    let body = format!("sleep 600 & echo $! > {}; wait", note.display());
    let start = Instant::now();
    let sleeper = bench.adapter("sleeper", &body);
    bench.run(&["--impl", &sleeper, "--timeout", "0.5", "--case", "CNF-002"]).all_errored("took longer than 0.5 s");
    assert!(start.elapsed() < Duration::from_secs(60));
    assert_gone(&note);
}

// ADP-038
#[test]
fn what_an_adapter_leaves_behind_is_killed() {
    let bench = Bench::new();
    let note = bench.folder.path().join("pid");
    let body = format!("sleep 600 & echo $! > {}; {ACCEPTS}", note.display());
    let run = bench.run(&["--impl", &bench.adapter("leaver", &body), "--case", "CNF-002/accepted-linux"]);
    assert_eq!(run.verdict("CNF-002/accepted-linux"), Verdict::Pass);
    assert_gone(&note);
}

// ADP-006
#[test]
fn output_is_bounded() {
    let bench = Bench::new();
    let flood = bench.adapter("flood", "head -c 2097152 /dev/zero | tr '\\0' x");
    bench.run(&["--impl", &flood, "--case", "CNF-002"]).all_errored("wrote more than 1048576 bytes");
    let endless = bench.adapter("endless", "yes >&2");
    bench.run(&["--impl", &endless, "--case", "CNF-002/accepted-linux", "--timeout", "0.5"]).all_errored("took longer");
}

// ADP-040, ADP-042
#[test]
fn a_skip_is_no_pass() {
    let bench = Bench::new();
    let skip = bench.adapter("skip", r#"printf '{"seq":%s,"outcome":"skipped","reason":"later"}\n' "$seq""#);
    let run = bench.run(&["--impl", &skip, "--case", "CNF-002"]);
    assert!(run.lines.iter().all(|line| line.verdict == Verdict::Skipped && line.reason.as_deref() == Some("later")));
    assert_eq!((run.status, run.footer.result), (2, Conclusion::Incomplete));
    // A clause with SHOULD can be left out.
    let run = bench.run(&["--impl", &skip, "--case", "STO-004"]);
    assert_eq!((run.status, run.verdict("STO-004/warned-page")), (0, Verdict::Skipped));
}

// ADP-012, ADP-040
#[test]
fn a_role_that_is_not_there_is_unsupported_when_asked_for() {
    let run = Bench::new().run_images(&["--impl", "reference", "--case", "RUN-01?"]);
    assert!(run.lines.iter().all(|line| line.verdict == Verdict::Unsupported), "{:#?}", run.lines);
    assert_eq!(run.status, 2);
}

fn xfail(bench: &Bench, entries: &[(&str, &str)]) -> String {
    let path = bench.folder.path().join("xfail.toml");
    let entry = |(case, reason): &(&str, &str)| {
        format!(
            "[[expect]]\nimpl = \"yes\"\ncase = \"{case}\"\nreason = \"{reason}\"\nlink = \"https://example.com/1\"\n"
        )
    };
    fs::write(&path, entries.iter().map(entry).collect::<String>()).unwrap();
    path.display().to_string()
}

// ADP-041, ADP-042
#[test]
fn expected_failures_are_told_apart() {
    let bench = Bench::new();
    let yes = bench.adapter("yes", ACCEPTS);
    let arguments = |file: &str| vec!["--impl".to_owned(), yes.clone(), "--xfail".to_owned(), file.to_owned()];
    let run = |file: &str, more: &[&str]| {
        let arguments = arguments(file);
        let mut all: Vec<&str> = arguments.iter().map(String::as_str).collect();
        all.extend(more);
        bench.run(&all)
    };

    let expected = run(&xfail(&bench, &[("CNF-002/rejected-windows", "no OS is wrong")]), &["--case", "CNF-002"]);
    let line = expected.line("CNF-002/rejected-windows");
    assert_eq!(line.verdict, Verdict::Xfail);
    let reason = "expected rejected, got accepted; expected: no OS is wrong (https://example.com/1)";
    assert_eq!(line.reason.as_deref(), Some(reason));
    assert_eq!((expected.status, expected.footer.result), (0, Conclusion::ConformantWithExceptions));

    let unexpected = run(&xfail(&bench, &[("CNF-002/accepted-linux", "no")]), &["--case", "CNF-002/accepted-*"]);
    assert_eq!(unexpected.verdict("CNF-002/accepted-linux"), Verdict::Xpass);
    assert_eq!((unexpected.status, unexpected.footer.result), (1, Conclusion::NotConformant));

    let stale = run(&xfail(&bench, &[("CNF-002/rejected-gone", "no")]), &["--case", "CNF-002/accepted-*"]);
    assert_eq!(stale.footer.stale[0].case, "CNF-002/rejected-gone");
    assert_eq!((stale.status, stale.footer.result), (1, Conclusion::NotConformant));

    // A case that exists and was not selected is not stale.
    let elsewhere = run(&xfail(&bench, &[("CNF-002/rejected-windows", "no")]), &["--case", "CNF-002/accepted-*"]);
    assert_eq!((elsewhere.status, elsewhere.footer.stale.len()), (0, 0));

    let file = xfail(&bench, &[("CNF-002/rejected-windows", " ")]);
    let output = bench.command(&["run", "--impl", &yes, "--xfail", &file]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has no reason"));
}

// ADP-010, ADP-011
#[test]
fn what_cannot_run_says_why() {
    let bench = Bench::new();
    let other_version = bench.folder.path().join("other");
    let hello = r#"echo '{"message":"hello","protocol":2,"name":"x","version":"1","roles":["validate"]}'"#;
    write_program(&other_version, &format!("#!/bin/sh\n{hello}\n"));
    let other_version = format!("other={}", other_version.display());
    let runner = bench.adapter("yes", ACCEPTS);
    for (arguments, message) in [
        (vec!["run", "--impl", "mine=/nowhere/adapter"], "/nowhere/adapter: No such file"),
        (vec!["run", "--impl", "mine"], "; name its adapter: mine=PATH"),
        (vec!["run", "--impl", "runc=/x"], "`runc` is built in"),
        (vec!["run", "--impl", &runner, "--impl", &runner], "two implementations are called `yes`"),
        (vec!["run", "--impl", &other_version], "speaks version 2 of the protocol, not 1"),
        (vec!["run", "--case", "XYZ-*"], "no case matches `XYZ-*`"),
        (vec!["run", "--timeout", "0"], "not more than 0"),
        (vec!["run", "--colour"], "unexpected argument"),
        (vec!["run", "--role", "build"], "no case of the role `build`"),
        (vec!["explain", "XYZ-001"], "no case matches `XYZ-001`"),
        (vec!["reproduce", "XYZ-001"], "no case is called `XYZ-001`"),
    ] {
        let output = bench.command(&arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {error}");
        assert!(error.contains(message), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty());
    }
}

// ADP-044
#[test]
fn two_runs_differ_in_durations_only() {
    let bench = Bench::new();
    let scratch = r#"$(printf '%s\n' "$line" | sed 's/.*"scratch":"\([^"]*\)".*/\1/')"#;
    let errs = format!(r#"printf '{{"seq":%s,"outcome":"errored","reason":"%s is full"}}\n' "$seq" "{scratch}""#);
    let errs = bench.adapter("errs", &errs);
    let yes = bench.adapter("yes", ACCEPTS);
    let lines = |jobs: &str| {
        let arguments = ["--impl", "reference", "--impl", &yes, "--impl", &errs, "--jobs", jobs];
        let output = bench.command(&[&["run", "--json", "-"][..], &arguments].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.iter_mut().for_each(|line| _ = line.as_object_mut().unwrap().remove("durationMs"));
        lines
    };
    let (one, four) = (lines("1"), lines("4"));
    assert_eq!(one, four);
    let line = one.iter().find(|line| line["impl"] == "errs").unwrap();
    assert_eq!(line["reason"], "$SCRATCH/adapter is full");
}

#[test]
fn the_report_as_text() {
    let bench = Bench::new();
    let yes = bench.adapter("yes", ACCEPTS);
    let crash = bench.adapter("crash", "echo 'no space left' >&2; exit 9");
    let skip = bench.adapter("skip", r#"printf '{"seq":%s,"outcome":"skipped","reason":"not today"}\n' "$seq""#);
    insta::assert_snapshot!("reference", bench.text(&[]));
    insta::assert_snapshot!("three", bench.text(&["--impl", "reference", "--impl", &yes, "--impl", &skip]));
    insta::assert_snapshot!("crash", bench.text(&["--impl", &crash, "--case", "CNF-002", "--case", "LAY-*"]));
}

#[test]
fn a_case_can_be_listed_explained_and_repeated() {
    let bench = Bench::new();
    let text = |arguments: &[&str]| {
        let output = bench.command(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    insta::assert_snapshot!("list", text(&["list", "--role", "validate"]));
    let explained = text(&["explain", "LAY-001"]);
    assert!(explained.contains("A layer MUST have at least one entry."), "{explained}");
    for (case, answer) in [
        ("LAY-001/rejected-zeros", r#""outcome":"rejected","ids":["LAY-001"]"#),
        ("CNF-002/accepted-linux", r#""outcome":"accepted""#),
        ("STO-004/warned-page", r#""outcome":"accepted","ids":["STO-004"]"#),
    ] {
        let script = text(&["reproduce", case]);
        let output = output(Command::new("sh").arg("-c").arg(&script));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(answer), "{script}\n{said}{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_shell_adapter_follows_the_exit_status() {
    let bench = Bench::new();
    let adapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("adapters/check.sh");
    let verdicts = |status: &str| {
        let checker = bench.folder.path().join("checker");
        let conditions = "[ \"$1 $2\" = '--as manifest' ] || exit 9\n[ -f \"$3\" ] || exit 9\n";
        write_program(&checker, &format!("#!/bin/sh\necho noise\n{conditions}exit {status}\n"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast-conformance"));
        command.args(["run", "--json", "-", "--case", "CNF-002", "--impl"]).arg(format!("sh={}", adapter.display()));
        command.arg("--fixtures").arg(bench.fixtures()).env("CHECK", checker).env("NAME", "mine").env("VERSION", "7");
        let run = Run::new(&output(&mut command));
        let implementation = &run.header.implementations[0];
        assert_eq!((implementation.product.as_str(), implementation.version.as_str()), ("mine", "7"));
        (run.verdict("CNF-002/accepted-linux"), run.verdict("CNF-002/rejected-windows"))
    };
    assert_eq!(verdicts("0"), (Verdict::Pass, Verdict::Fail));
    assert_eq!(verdicts("1"), (Verdict::Fail, Verdict::Pass));
    assert_eq!(verdicts("2"), (Verdict::Errored, Verdict::Errored));
}

#[test]
fn the_built_in_cases_are_those_of_the_code() {
    let folder = tempfile::tempdir().unwrap();
    suite::write(folder.path()).unwrap();
    let entries = suite::load(folder.path()).unwrap();
    let checked = entries.iter().filter(|entry| entry.role != protocol::Role::Run).count();
    let folders: BTreeSet<String> = fixtures::all().into_iter().map(|fixture| fixture.folder).collect();
    let names: BTreeSet<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    let missing: Vec<&String> = folders.difference(&names).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(checked, folders.len());
}

#[test]
fn the_schemas_are_schemas() {
    for name in schema::NAMES {
        assert!(jsonschema::meta::is_valid(&schema::value(name).unwrap()), "{name}");
    }
    let codec = Codec::new().unwrap();
    let answer = codec.read_answer(br#"{"seq":1,"outcome":"rejected","class":"limit","ids":["X"],"reason":"r"}"#, 1);
    assert_eq!(answer.unwrap().ids, ["X"]);
    for (answer, problem) in [
        (r#"{"seq":1,"outcome":"rejected","reason":null}"#, "null"),
        (r#"{"seq":1,"seq":2,"outcome":"rejected"}"#, "seq"),
        (r#"{"seq":"1","outcome":"rejected"}"#, "/seq"),
        (r#"{"outcome":"rejected"}"#, "seq"),
        (r#"[]"#, "object"),
    ] {
        let error = codec.read_answer(answer.as_bytes(), 1).unwrap_err();
        assert!(error.contains(problem), "{answer}: {error}");
    }
}
