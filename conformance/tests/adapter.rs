//! The clauses of the chapter Adapter protocol that tests/suite.rs does not have: what the suite says, sessions, and
//! the role `run`, whose adapters here have no engine and make up what they leave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bench;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bench::{ACCEPTS, Bench, Run, assert_gone, output, write_program};
use cornercast_conformance::case::Case;
use cornercast_conformance::fixtures;
use cornercast_conformance::results::{Conclusion, Verdict};
use cornercast_conformance::schema;
use serde_json::{Value, json};

/// The messages that an adapter has written down.
fn messages(note: &Path) -> Vec<Value> {
    let text = fs::read_to_string(note).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

// ADP-001, ADP-007, ADP-013, ADP-014
#[test]
fn messages_are_what_the_protocol_says() {
    let bench = Bench::new();
    let note = bench.folder.path().join("note");
    let script = format!(
        r#"line=$(cat)
printf '%s\n' "$line" >>{}
of() {{ printf '%s\n' "$line" | sed -n "s/.*\"$1\":\([^,}}]*\).*/\1/p" | tr -d '"'; }}
case $line in
*'"hello"'*) echo '{{"message":"hello","protocol":1,"name":"x","version":"1","roles":["validate","build"]}}' ;;
*)  [ -d "$(of scratch)" ] && [ -z "$(ls -A "$(of scratch)")" ] || exit 1
    [ -z "$(of output)" ] || [ ! -e "$(of output)" ] || exit 1
    printf '{{"seq":%s,"outcome":"refused"}}\n' "$(of seq)" ;;
esac
"#,
        note.display()
    );
    bench.refused_import();
    let run = bench.run(&["--impl", &bench.program("x", &script), "--jobs", "1"]);
    assert_eq!(run.verdict("OCI-001/refused-nonsense"), Verdict::Pass);
    assert!(run.lines.iter().all(|line| line.role.name() == "build" || line.verdict == Verdict::Errored));
    let (messages, schema) = (messages(&note), schema::validator("adapter-request").unwrap());
    assert_eq!(messages.len(), run.lines.len() + 1);
    for message in &messages {
        assert!(schema.is_valid(message), "{message}");
        for member in ["input", "output", "scratch"] {
            assert!(message.get(member).is_none_or(|path| path.as_str().unwrap().starts_with('/')), "{message}");
        }
    }
}

impl Bench {
    /// A case in which nothing is to be made.
    fn refused_import(&self) {
        let case: Case = serde_json::from_value(json!({
            "clauses": ["OCI-001"], "why": "the input is no layout", "role": "build", "operation": "import",
            "options": {"name": "example.com/a"}, "as": "oci-archive", "input": "nonsense",
            "expect": {"verdict": "refused"}
        }))
        .unwrap();
        let files = [("nonsense".to_owned(), b"nonsense".to_vec())];
        self.case("OCI-001/refused-nonsense", &case, files.iter().map(|(path, bytes)| (path, bytes)));
    }

    /// The same case, in which something is to be made after all.
    fn completed_import(&self) {
        self.refused_import();
        let from = self.fixtures().join("OCI-001/refused-nonsense");
        let text = fs::read_to_string(from.join("case.json")).unwrap().replace("\"refused\"", "\"completed\"");
        let to = self.fixtures().join("OCI-001/completed-nonsense");
        fs::create_dir_all(&to).unwrap();
        fs::write(to.join("case.json"), text).unwrap();
        fs::write(to.join("nonsense"), b"nonsense").unwrap();
    }

    /// An adapter of builders that does `body` with the path `$output`.
    fn builder(&self, name: &str, body: &str) -> String {
        let script = format!(
            r#"IFS= read -r line
output=$(printf '%s\n' "$line" | sed -n 's/.*"output":"\([^"]*\)".*/\1/p')
seq=$(printf '%s\n' "$line" | sed -n 's/.*"seq":\([0-9]*\).*/\1/p')
case $line in
*'"hello"'*) echo '{{"message":"hello","protocol":1,"name":"x","version":"1","roles":["build"]}}' ;;
*) {body} ;;
esac
"#
        );
        self.program(name, &script)
    }
}

// ADP-017, ADP-018
#[test]
fn what_is_made_is_looked_at() {
    let bench = Bench::new();
    bench.completed_import();
    let litter = bench.builder("litter", r#"mkdir "$output"; printf '{"seq":%s,"outcome":"refused"}\n' "$seq""#);
    let run = bench.run(&["--impl", &litter, "--case", "OCI-001"]);
    let line = run.line("OCI-001/refused-nonsense");
    assert_eq!(line.verdict, Verdict::Fail);
    assert_eq!(line.reason.as_deref(), Some("it refused, and something is left of what it made"));
    let boast = bench.builder("boast", r#"printf '{"seq":%s,"outcome":"completed"}\n' "$seq""#);
    let run = bench.run(&["--impl", &boast, "--case", "OCI-001"]);
    assert!(run.lines.iter().all(|line| line.verdict == Verdict::Fail), "{:#?}", run.lines);
}

// ADP-009, ADP-016, ADP-019
#[test]
fn what_is_only_recorded_is_not_judged() {
    let bench = Bench::new();
    let body = r#"echo ERROR >&2
printf '{"seq":%s,"outcome":"accepted","ids":["E42"],"class":"limit","reason":"x"}\n' "$seq""#;
    let run = bench.run(&["--impl", &bench.adapter("chatty", body), "--case", "CNF-002/accepted-*"]);
    assert_eq!((run.status, run.lines[0].values["ids"].clone()), (0, json!(["E42"])));
    let skip = bench.adapter("skip", r#"printf '{"seq":%s,"outcome":"skipped"}\n' "$seq""#);
    let run = bench.run(&["--impl", &skip, "--case", "CNF-002/accepted-*"]);
    assert_eq!(run.lines[0].reason.as_deref(), Some("the adapter gives no reason"));
}

// ADP-043
#[test]
fn results_have_their_schemas() {
    let bench = Bench::new();
    let yes = bench.adapter("yes", ACCEPTS);
    let output = bench.command(&["run", "--json", "-", "--impl", "reference", "--impl", &yes]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (header, footer) = (lines.first().unwrap(), lines.last().unwrap());
    assert!(schema::validator("results-header").unwrap().is_valid(header), "{header}");
    assert!(schema::validator("results-footer").unwrap().is_valid(footer), "{footer}");
    let results = &lines[1..lines.len() - 1];
    assert_eq!(header["results"], results.len());
    let schema = schema::validator("results-line").unwrap();
    for line in results {
        assert!(schema.is_valid(line), "{line}");
    }
}

// ADP-032, ADP-033, ADP-036
#[test]
fn a_session_has_one_process_for_many_messages() {
    let bench = Bench::new();
    let note = bench.folder.path().join("note");
    let body = format!(
        r#"echo $$ >>{}
early=$(timeout 0.05 cat)
[ -z "$early" ] && {ACCEPTS}"#,
        note.display()
    );
    let adapter = bench.session("one", "validate", &body);
    let processes = |more: &[&str]| {
        let _ = fs::remove_file(&note);
        let run = bench.run(&[&["--impl", &adapter, "--case", "*/accepted-*", "--jobs", "1"], more].concat());
        assert_eq!((run.status, run.lines.len()), (0, 2));
        fs::read_to_string(&note).unwrap().lines().map(str::to_owned).collect::<BTreeSet<String>>().len()
    };
    assert_eq!(processes(&[]), 1);
    assert_eq!(processes(&["--oneshot"]), 2);
}

// ADP-033, ADP-037, ADP-039
#[test]
fn a_fault_ends_the_session_and_not_the_run() {
    let bench = Bench::new();
    let pid = bench.folder.path().join("pid");
    let sleep = format!("sleep 600 & echo $! >{}; wait", pid.display());
    for (name, bad, reason) in [
        ("hang", sleep.as_str(), "took longer than 0.5 s"),
        ("crash", "echo 'out of cheese' >&2; exit 3", "ended with exit status 3"),
        ("signal", "kill -SEGV $$", "SIGSEGV"),
        ("leave", "exit 0", "ended before it answered"),
        ("close", "exec >&-; sleep 600", "closed its output"),
        ("noise", "echo '%&!'", "not strict JSON"),
        ("flood", "head -c 2097152 /dev/zero | tr '\\0' x", "wrote more than 1048576 bytes"),
        ("late", r#"printf '{"seq":%s,"outcome":"rejected"}\n' "$((seq + 1))""#, "has the seq "),
        ("twice", r#"printf '{"seq":%s,"outcome":"rejected"}\n\n' "$seq""#, "more than one line"),
    ] {
        let body = format!(r#"case $line in *windows*) {bad} ;; *) {ACCEPTS} ;; esac"#);
        let adapter = bench.session(name, "validate", &body);
        let cases = ["--case", "CNF-002", "--case", "CNF-001/accepted-*", "--case", "STO-004"];
        let arguments = [&["--impl", &adapter, "--jobs", "1", "--timeout", "0.5"][..], &cases].concat();
        let run = bench.run(&arguments);
        let line = run.line("CNF-002/rejected-windows");
        assert_eq!(line.verdict, Verdict::Errored, "{name}: {line:?}");
        assert!(line.reason.as_ref().unwrap().contains(reason), "{name}: {line:?}");
        let others = run.lines.iter().filter(|line| line.case != "CNF-002/rejected-windows");
        for other in others {
            assert_eq!(other.verdict, Verdict::Pass, "{name}: {other:?}");
        }
        assert_eq!((run.lines.len(), run.footer.result), (4, Conclusion::Incomplete));
        if name == "crash" {
            assert_eq!(line.values["stderr"], "out of cheese");
        }
    }
    assert_gone(&pid);
}

// ADP-039
#[test]
fn what_comes_after_an_answer_spoils_the_next() {
    let bench = Bench::new();
    let late = bench.session("late", "validate", &format!("{ACCEPTS}; echo; sleep 0.2"));
    let gone = bench.session("gone", "validate", &format!("{ACCEPTS}; exit 0"));
    for (adapter, reason) in [(late, "more than one line"), (gone, "ended before it answered")] {
        let run = bench.run(&["--impl", &adapter, "--jobs", "1", "--case", "*/accepted-*"]);
        let errored: Vec<_> = run.lines.iter().filter(|line| line.verdict == Verdict::Errored).collect();
        assert!(!errored.is_empty(), "{:#?}", run.lines);
        assert!(errored.iter().all(|line| line.reason.as_ref().unwrap().contains(reason)), "{errored:#?}");
        assert_eq!(run.footer.result, Conclusion::Incomplete);
    }
}

// ADP-011, ADP-034, ADP-035
#[test]
fn a_session_ends_when_it_is_told_to() {
    let bench = Bench::new();
    let hello = r#"{"message":"hello","protocol":1,"name":"x","version":"1","roles":["validate"],"sessions":true}"#;
    let on = |bye: &str| {
        format!("while IFS= read -r line; do case $line in *hello*) echo '{hello}' ;; *) {bye} ;; esac; done")
    };
    for (name, script, reason) in [
        ("survives", on("sleep 600"), "does not end after `bye`"),
        ("replies", on("echo bye; exit 0"), "answers `bye`"),
        ("fails", on("exit 4"), "ends with exit status 4 after `bye`"),
        ("goes-on", format!("{}; sleep 600", on("exit 0")), "took longer than 1 s"),
    ] {
        let adapter = bench.program(name, &script);
        let start = Instant::now();
        let output = bench.command(&["run", "--impl", &adapter, "--timeout", "1"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{name}: {error}");
        assert!(error.contains(reason), "{name}: {error}");
        assert!(start.elapsed() < Duration::from_secs(60), "{name}");
    }
    // One that is not asked to end in the first place.
    let adapter = bench.program("survives", &on(ACCEPTS));
    let _ = bench.command(&["run", "--impl", &adapter, "--oneshot", "--case", "CNF-002", "--timeout", "1"]);
}

const REFUSED: &str = "RUN-002/no-app";
const EXITED: &str = "RUN-075/42";
const STOPPED: &str = "RUN-080/not-killed";

// ADP-026, ADP-028
#[test]
fn an_engine_can_have_its_own_reasons() {
    let bench = Bench::new();
    let engine = bench.engine("no", ": >stdout; : >stderr; refused; answer completed");
    let run = bench.run_images(&["--impl", &engine, "--case", REFUSED, "--case", EXITED]);
    assert_eq!(run.verdict(REFUSED), Verdict::Pass, "{:#?}", run.lines);
    assert_eq!(run.line(REFUSED).values["reasons"], json!(["no"]));
    // That it says of everything.
    assert_eq!(run.verdict(EXITED), Verdict::Unsupported);
    let engine = bench.engine("says", ": >stdout; : >stderr; refused; answer refused");
    let run = bench.run_images(&["--impl", &engine, "--case", REFUSED]);
    assert_eq!(run.line(REFUSED).reason.as_deref(), Some("`refused` is no answer to `run`"));
}

// ADP-020, ADP-021, ADP-022
#[test]
fn what_an_adapter_leaves_is_judged() {
    let bench = Bench::new();
    let verdict = |name: &str, case: &str, body: &str| {
        let run = bench.run_images(&["--impl", &bench.engine(name, body), "--case", case, "--timeout", "2"]);
        let line = run.line(case);
        (line.verdict, line.reason.clone().unwrap_or_default())
    };
    let (is, said) = verdict("right", EXITED, ": >stdout; : >stderr; exited 42; answer completed");
    assert_eq!((is, said.as_str()), (Verdict::Pass, ""));
    let (is, said) = verdict("wrong", EXITED, ": >stdout; : >stderr; exited 43; answer completed");
    assert_eq!((is, said.as_str()), (Verdict::Fail, "expected the exit code 42, got 43"));
    let (is, said) = verdict("mixed", REFUSED, "echo refused >stderr; : >stdout; refused; answer completed");
    assert_eq!(is, Verdict::Fail);
    assert!(said.contains("nothing was to come on the streams"), "{said}");
    let (is, said) = verdict("half", EXITED, ": >stdout; exited 42; answer completed");
    assert_eq!(is, Verdict::Errored);
    assert!(said.contains("leaves no stderr to read"), "{said}");
    let (is, said) = verdict("pipe", EXITED, "mkfifo stdout; : >stderr; exited 42; answer completed");
    assert_eq!(is, Verdict::Errored);
    assert!(said.contains("it is no regular file"), "{said}");
    let (is, said) = verdict("silent", EXITED, ": >stdout; : >stderr; answer completed");
    assert_eq!(is, Verdict::Fail);
    assert!(said.contains("there is no run-report.json"), "{said}");
    let (is, said) =
        verdict("spaced", EXITED, ": >stdout; : >stderr; exited 42; echo >>run-report.json; answer completed");
    assert_eq!(is, Verdict::Fail);
    assert!(said.contains("no canonical document"), "{said}");
}

// ADP-045
#[test]
fn the_state_that_a_verifier_leaves_is_judged() {
    let bench = Bench::new();
    let (known, learns) = ("POL-022/accepted-verify-known", "POL-037/accepted-verify-accepted");
    let all = fixtures::all();
    for name in [known, learns] {
        let fixture = all.iter().find(|fixture| fixture.folder == name).unwrap();
        bench.case(name, &fixture.case, fixture.files.iter());
    }
    let verdict = |name: &str, case: &str, body: &str| {
        let run = bench.run(&["--impl", &bench.session(name, "verify", body), "--case", case]);
        let line = run.line(case);
        (line.verdict, line.reason.clone().unwrap_or_default())
    };
    let accepts = r#"printf '{"seq":%s,"outcome":"accepted"}\n' "$seq""#;
    let state = r#"state=$(printf '%s\n' "$line" | sed -n 's/.*"state":"\([^"]*\)".*/\1/p')"#;
    assert_eq!(verdict("free", known, accepts), (Verdict::Pass, String::new()));
    let (is, said) = verdict("forgets", learns, accepts);
    assert_eq!((is, said.as_str()), (Verdict::Fail, "the state has no file example.com.json"));
    let (is, said) = verdict("scribbles", learns, &format!("{state}; echo x >\"$state/example.com.json\"; {accepts}"));
    assert_eq!(is, Verdict::Fail);
    assert!(said.starts_with("expected the state {"), "{said}");
    let after = bench.fixtures().join(learns).join("after/example.com.json");
    let copy = format!("{state}; cp {} \"$state\"; {accepts}", after.display());
    assert_eq!(verdict("learns", learns, &copy), (Verdict::Pass, String::new()));
    let (is, said) =
        verdict("says-more", learns, &copy.replace("printf '{", "echo x >\"$state/example.org.json\"; printf '{"));
    assert_eq!(
        (is, said.as_str()),
        (Verdict::Fail, "the state has a file example.org.json that was not to be written")
    );
}

/// The body of an adapter that stops when it is asked to, as its application would.
const STOPS: &str = r#": >stderr
trap 'asked=yes' TERM
sleep 600 & other=$!
echo '{"step":"ready","ok":null}' >stdout
while [ -z "$asked" ]; do sleep 0.05; done
kill -0 "$other" && exited 0
answer completed"#;

// ADP-023, ADP-029, ADP-030
#[test]
fn an_adapter_is_asked_to_stop_when_the_application_is_ready() {
    let bench = Bench::new();
    let line = |name: &str, body: &str| {
        let arguments = ["--impl", &bench.engine(name, body), "--case", STOPPED, "--timeout", "2"];
        bench.run_images(&arguments).line(STOPPED).clone()
    };
    // What it has started beside the engine gets no signal.
    let stopped = line("stops", STOPS);
    assert_eq!(stopped.verdict, Verdict::Pass, "{stopped:?}");
    let deaf = line("dies", &STOPS.replace("trap 'asked=yes' TERM", "asked="));
    assert_eq!(deaf.verdict, Verdict::Errored);
    assert!(deaf.reason.unwrap().contains("SIGTERM"));
    let late = line("late", &STOPS.replace(">stdout", ">later"));
    assert_eq!(late.verdict, Verdict::Errored);
    assert!(late.reason.unwrap().contains("took longer than 2 s"));
}

// ADP-027, ADP-031
#[test]
fn another_instance_has_a_process_of_its_own() {
    let bench = Bench::new();
    // The one that is there before waits; the other one is refused, as its id is taken.
    let taken =
        format!("case $line in */other/*) {STOPS} ;; *) : >stdout; : >stderr; refused; answer completed ;; esac");
    let free =
        format!("case $line in */other/*) {STOPS} ;; *) : >stdout; : >stderr; exited 0; answer completed ;; esac");
    for (name, body, verdict) in [("one", &taken, Verdict::Pass), ("two", &free, Verdict::Fail)] {
        let run = bench.run_images(&["--impl", &bench.engine(name, body), "--case", "RUN-007/taken"]);
        assert_eq!(run.verdict("RUN-007/taken"), verdict, "{:#?}", run.lines);
    }
    let gone = bench.engine("gone", ": >stdout; : >stderr; exited 0; answer completed");
    let run = bench.run_images(&["--impl", &gone, "--case", "RUN-007/taken", "--case", "RUN-007/free-again"]);
    assert_eq!(run.verdict("RUN-007/taken"), Verdict::Errored);
    assert_eq!(run.verdict("RUN-007/free-again"), Verdict::Pass);
    // One that never was cannot be killed.
    let there = bench.engine("there", &free);
    for (engine, verdict) in [(&there, Verdict::Pass), (&gone, Verdict::Errored)] {
        let run = bench.run_images(&["--impl", engine, "--case", "RUN-081/killed-engine"]);
        assert_eq!(run.verdict("RUN-081/killed-engine"), verdict, "{:#?}", run.lines);
    }
    // Also where the adapter has sessions.
    let note = bench.folder.path().join("note");
    let body = format!("echo $$ >>{}; printf '{{\"seq\":%s,\"outcome\":\"skipped\"}}\\n' \"$seq\"", note.display());
    let session = bench.session("session", "run", &body);
    let cases = ["--case", STOPPED, "--case", "RUN-080/killed", "--case", EXITED, "--case", "RUN-075/1"];
    bench.run_images(&[&["--impl", &session, "--jobs", "1"][..], &cases].concat());
    let text = fs::read_to_string(&note).unwrap();
    assert_eq!(text.lines().count(), 4);
    assert_eq!(text.lines().collect::<BTreeSet<_>>().len(), 3, "{text}");
}

/// A sample adapter around a command that only says what it was given.
fn sample(bench: &Bench, adapter: &str, cases: &[&str]) -> Run {
    let engine = bench.folder.path().join("engine");
    let script = r#"#!/bin/sh
[ "$1 $2 $4" = "--quiet --report --options" ] && [ -f "$5" ] && [ -f "$6" ] || exit 9
report() {
    id=$(sed -n 's/.*"instance":"\([^"]*\)".*/\1/p' "$options")
    printf '{"cornercast":"1.0","engine":{"name":"x","version":"1"},"exitCode":%s,"instance":"%s","kind":"run-report","outcome":"exited"}' \
        "$1" "$id" >"$reports/run-report.json"
    printf '{"cornercast":"1.0","isolators":[],"kind":"isolation-report"}' >"$reports/isolation-report.json"
}
reports=$3 options=$5
[ -p /dev/fd/1 ] && [ -p /dev/fd/2 ] || exit 9
bytes=$(cat | wc -c)
sum=$(printf '%s' "$bytes" | tr -d ' ')
trap 'report 0; exit 0' TERM
case $CASE in
stop) echo '{"step":"ready","ok":null}'; while :; do sleep 0.05; done ;;
*) [ "$sum" = 1000000 ] && report 7 ;;
esac
"#;
    write_program(&engine, script);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("adapters").join(adapter);
    let mut command = bench.images();
    command.arg("--impl").arg(format!("sample={}", path.display()));
    command.args(cases.iter().flat_map(|case| ["--case", case]));
    command.env("CORNERCAST_ENGINE", engine).env("CASE", if cases == [STOPPED] { "stop" } else { "" });
    Run::new(&output(&mut command))
}

// ADP-024, ADP-025, ADP-030
#[test]
fn the_samples_give_the_engine_what_it_needs() {
    let bench = Bench::new();
    for adapter in ["engine.sh", "python/engine.py"] {
        for case in ["RUN-026/unread", STOPPED] {
            let run = sample(&bench, adapter, &[case]);
            assert_eq!(run.verdict(case), Verdict::Pass, "{adapter}: {:#?}", run.lines);
        }
        // The engine that says nothing else has got no input here.
        assert_ne!(sample(&bench, adapter, &["RUN-026/nothing"]).verdict("RUN-026/nothing"), Verdict::Pass);
    }
}

/// What an isolation report claims is tried from inside: a claim that is not true is worse than a fault.
#[test]
fn a_claim_that_is_disproved_is_a_false_claim() {
    let bench = Bench::new();
    let row = r#"{"asked":{"hard":256,"soft":128},"mechanism":"a claim","name":"resource/nofile","required":true,"verdict":"VERDICT"}"#;
    let seen = r#"{"limits":{"RLIMIT_NOFILE":{"hard":4096,"soft":1024}}}"#;
    for (name, verdict, expected) in
        [("liar", "enforced", Verdict::FalseClaim), ("honest", "not-enforced", Verdict::Fail)]
    {
        let row = row.replace("VERDICT", verdict);
        let body = format!("rows='{row}'; echo '{seen}' >stdout; : >stderr; exited 0; answer completed");
        let run = bench.run_images(&["--impl", &bench.engine(name, &body), "--case", "RUN-082/nofile"]);
        assert_eq!(run.verdict("RUN-082/nofile"), expected, "{:#?}", run.lines);
    }
}
