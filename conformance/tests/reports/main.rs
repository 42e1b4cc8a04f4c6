//! Reports: each form of a fixed set of results, what the command line makes of them, and differences of two runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod badge;
mod book;
mod hostile;
mod join;
mod page;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use cornercast_conformance::protocol::Role;
use cornercast_conformance::report::difference::{Changes, Difference};
use cornercast_conformance::report::{Report, junit, markdown, matrix};
use cornercast_conformance::results::{Footer, Header, Host, Implementation, Line, Stale, Verdict};
use proptest::prelude::*;
use quick_xml::events::Event;
use serde_json::{Value, json};

/// A result; one that is no pass has a reason with characters that mean something somewhere.
fn line(implementation: &str, case: &str, verdict: Verdict) -> Line {
    let role = if case.starts_with("RUN-") { Role::Run } else { Role::Validate };
    let reason = match verdict {
        Verdict::Pass => None,
        Verdict::Fail => Some("expected `1|2`,\n``got`` <script>&\"'\u{1B}[31m @everyone ]]>".to_owned()),
        verdict => Some(format!("it is {}", verdict.name())),
    };
    let values = match verdict {
        Verdict::Errored => BTreeMap::from([("stderr".to_owned(), json!("Killed\u{0} <9>"))]),
        _ => BTreeMap::new(),
    };
    Line {
        case: case.to_owned(),
        clauses: vec![case.split('/').next().unwrap().to_owned()],
        implementation: implementation.to_owned(),
        role,
        verdict,
        reason,
        values,
        duration_ms: 1234,
    }
}

fn text(lines: Vec<Line>, stale: Vec<Stale>) -> String {
    let mut implementations: Vec<Implementation> = Vec::new();
    for line in &lines {
        if implementations.iter().all(|known| known.name != line.implementation) {
            implementations.push(Implementation {
                name: line.implementation.clone(),
                product: format!("a|{}", line.implementation),
                version: "1.0".to_owned(),
                homepage: None,
                issues: None,
                roles: vec![Role::Validate, Role::Run],
            });
        }
    }
    let header = Header {
        suite: "cornercast-conformance".to_owned(),
        version: "X.Y.Z".to_owned(),
        format: "1.0".to_owned(),
        protocol: 1,
        host: Host { os: "linux".to_owned(), architecture: "x86_64".to_owned(), kernel: None, cpus: 2 },
        implementations,
        results: lines.len(),
    };
    let judged: Vec<(Line, bool)> = lines.into_iter().map(|line| (line, true)).collect();
    let footer = Footer::new(judged.iter().map(|(line, is_must)| (line, *is_must)), stale);
    let mut text = serde_json::to_string(&header).unwrap() + "\n";
    judged.iter().for_each(|(line, _)| text += &(serde_json::to_string(line).unwrap() + "\n"));
    text + &serde_json::to_string(&footer).unwrap() + "\n"
}

fn read(text: &str) -> Report {
    let why = |case: &str| if case.ends_with("/one") { "there has to be one".to_owned() } else { String::new() };
    Report::read(text, why, |implementation| format!("--impl {implementation}")).unwrap()
}

/// Every verdict, of two implementations.
fn sample() -> Report {
    let mut lines = vec![
        line("mine", "LAY-001/one", Verdict::Fail),
        line("mine", "LAY-001/two", Verdict::Pass),
        line("mine", "RUN-012/one", Verdict::FalseClaim),
    ];
    for (index, verdict) in Verdict::ALL.into_iter().filter(|verdict| *verdict != Verdict::FalseClaim).enumerate() {
        lines.push(line("other", &format!("LAY-00{index}/one"), verdict));
    }
    lines.push(line("other", "XYZ-001/of-no-chapter", Verdict::Pass));
    read(&text(lines, vec![Stale { implementation: "mine".to_owned(), case: "LAY-009/gone".to_owned() }]))
}

fn plain(write: impl Fn(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string()
}

#[test]
fn as_text() {
    insta::assert_snapshot!(plain(|out| matrix::write(out, &sample())));
}

#[test]
fn as_markdown() {
    insta::assert_snapshot!(markdown::write(&sample()));
}

#[test]
fn as_junit() {
    let document = junit::write(&sample()).unwrap();
    let mut reader = quick_xml::Reader::from_str(&document);
    let mut depth = 0;
    loop {
        match reader.read_event().unwrap() {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0);
    insta::assert_snapshot!(document);
}

#[test]
fn markdown_is_bounded() {
    let lines = (0..60).map(|number| line("mine", &format!("LAY-001/{number}"), Verdict::Fail)).collect();
    let document = markdown::write(&read(&text(lines, Vec::new())));
    assert_eq!(document.matches("- **fail**").count(), 50);
    assert!(document.ends_with("\n10 more are in the JSON lines.\n"), "{document}");
}

#[test]
fn lines_that_are_none_are_refused() {
    let whole = text(vec![line("mine", "LAY-001/one", Verdict::Pass)], Vec::new());
    let lines: Vec<&str> = whole.lines().collect();
    let refused = |lines: &[&str]| {
        let nothing = |_: &str| String::new();
        Report::read(&lines.join("\n"), nothing, nothing).unwrap_err()
    };
    assert_eq!(refused(&[]), "the header is missing: the run has not come to its end");
    assert_eq!(refused(&lines[..1]), "a result is missing: the run has not come to its end");
    assert_eq!(refused(&lines[..2]), "the footer is missing: the run has not come to its end");
    assert!(refused(&[lines[0], lines[2]]).starts_with("line 2 is not a result: "));
    assert_eq!(refused(&[lines[0], lines[1], lines[2], "{}"]), "line 4 is after the footer");
    let twice = lines[0].replace("\"results\":1", "\"results\":2");
    assert_eq!(refused(&[&twice, lines[1], lines[1], lines[2]]), "LAY-001/one has two results of mine");
}

#[test]
fn a_difference() {
    let old = vec![
        line("mine", "LAY-001/one", Verdict::Pass),
        line("mine", "LAY-001/same", Verdict::Fail),
        line("mine", "LAY-002/one", Verdict::Errored),
        line("mine", "LAY-003/one", Verdict::Skipped),
        line("gone", "LAY-001/one", Verdict::Pass),
    ];
    let new = vec![
        line("mine", "LAY-001/one", Verdict::Unsupported),
        line("mine", "LAY-001/same", Verdict::Fail),
        line("mine", "LAY-002/one", Verdict::Pass),
        line("mine", "LAY-004/one", Verdict::Fail),
    ];
    let difference = Difference::of(&read(&text(old, Vec::new())), &read(&text(new, Vec::new())));
    assert!(difference.is_worse());
    insta::assert_snapshot!("difference", plain(|out| difference.write(out)));
    insta::assert_snapshot!("difference_json", serde_json::to_string_pretty(&difference).unwrap());
}

/// Results of some cases, each at most once of each of two implementations.
fn reports() -> impl Strategy<Value = Report> {
    let key = ("[ab]", "LAY-00[1-4]/x");
    let verdict = (0..Verdict::ALL.len()).prop_map(|index| Verdict::ALL[index]);
    proptest::collection::btree_map(key, verdict, 0..8).prop_map(|results| {
        let lines = results.into_iter().map(|((implementation, case), verdict)| line(&implementation, &case, verdict));
        read(&text(lines.collect(), Vec::new()))
    })
}

fn mirrored(difference: Difference) -> Difference {
    let mirrored = |changes: Changes| {
        let turned = |changes: BTreeMap<String, _>| {
            let turn = |(case, change): (String, cornercast_conformance::report::difference::Change)| {
                let (old, new) = (change.new, change.old);
                (case, cornercast_conformance::report::difference::Change { old, new })
            };
            changes.into_iter().map(turn).collect()
        };
        let Changes { worse, better, new, gone } = changes;
        Changes { worse: turned(better), better: turned(worse), new: gone, gone: new }
    };
    let implementations = difference.implementations.into_iter();
    Difference { implementations: implementations.map(|(name, changes)| (name, mirrored(changes))).collect() }
}

proptest! {
    #[test]
    fn a_run_does_not_differ_from_itself(report in reports()) {
        prop_assert_eq!(Difference::of(&report, &report), Difference::default());
    }

    #[test]
    fn a_difference_has_a_mirror(old in reports(), new in reports()) {
        prop_assert_eq!(Difference::of(&new, &old), mirrored(Difference::of(&old, &new)));
    }

    /// Whatever an implementation says, the documents have a form.
    #[test]
    fn any_reason_can_be_written(reason in any::<String>()) {
        let mut report = sample();
        report.rows[0].line.reason = Some(reason);
        let document = junit::write(&report).unwrap();
        let mut reader = quick_xml::Reader::from_str(&document);
        while !matches!(reader.read_event().unwrap(), Event::Eof) {}
        let rows = markdown::write(&report).lines().filter(|line| line.starts_with("- **")).count();
        prop_assert_eq!(rows, 8);
    }
}

fn suite(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast-conformance"));
    command.args(arguments).current_dir(folder).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        suite(folder.path(), &[&["run", "--impl", "reference", "--case", "CNF-002"], arguments].concat())
    };
    let text =
        run(&["--json", "all.jsonl", "--output", "junit=all.xml", "-o", "markdown=all.md", "-o", "html=all.html"]);
    assert_eq!(text.status.code(), Some(0), "{}", String::from_utf8_lossy(&text.stderr));
    let file = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(file("all.md").starts_with("## ✅ Cornercast conformance: conformant\n"));

    // The same from the lines, in each form.
    let report = |arguments: &[&str]| said(&suite(folder.path(), &[&["report", "all.jsonl"], arguments].concat()));
    assert_eq!(report(&[]), said(&text));
    assert_eq!(report(&["-o", "json=-"]), file("all.jsonl"));
    assert_eq!(report(&["-o", "junit=-", "-o", "markdown=again.md"]), file("all.xml"));
    assert_eq!(file("again.md"), file("all.md"));
    assert_eq!(report(&["-o", "html=-"]), file("all.html"));
    let dated = report(&["-o", "html=-", "--date", "2026-11-30"]);
    assert!(dated.contains("<time datetime=\"2026-11-30\">"));
    assert!(report(&["-o", "book=-", "--date", "2026-11-30"]).contains(", of 2026-11-30, "));

    let diff = |arguments: &[&str]| suite(folder.path(), &[&["report", "diff"], arguments].concat());
    let same = diff(&["all.jsonl", "all.jsonl"]);
    assert_eq!((same.status.code(), said(&same).as_str()), (Some(0), "no verdict is another one\n"));
    let worse = file("all.jsonl").replace("\"verdict\":\"pass\"", "\"verdict\":\"fail\",\"reason\":\"now\"");
    let worse = worse.replace("{\"reference\":{\"pass\":", "{\"reference\":{\"fail\":");
    fs::write(folder.path().join("worse.jsonl"), worse).unwrap();
    let worse = diff(&["all.jsonl", "worse.jsonl", "--json"]);
    assert_eq!(worse.status.code(), Some(1));
    let changes: Value = serde_json::from_slice(&worse.stdout).unwrap();
    assert!(changes["reference"]["worse"].as_object().is_some_and(|cases| cases.len() >= 2), "{changes}");
    let better = diff(&["worse.jsonl", "all.jsonl"]);
    assert_eq!(better.status.code(), Some(0));
    assert!(said(&better).starts_with("reference: "), "{}", said(&better));
}

#[test]
fn what_cannot_be_written_or_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, message) in [
        (&["run", "--case", "CNF-002", "--json", "-", "--output", "junit=-"][..], "only one report can go to standard"),
        (&["run", "--output", "yaml=x"], "`yaml` is none of the formats json, junit, markdown, html, book"),
        (&["run", "--output", "junit"], "there is no `=`"),
        (&["run", "--output", "junit="], "the file is missing"),
        (&["run", "--case", "CNF-002", "--output", "junit=nowhere/x"], "nowhere/x: No such file"),
        (&["report"], "FILE"),
        (&["report", "x", "--date", "30.11.2026"], "it is not of the form YYYY-MM-DD"),
        (&["report", "x", "--date", "2026-11-31"], "there is no such day"),
        (&["report", "-", "-"], "standard input can be one file only"),
        (&["report", "badge"], "FILE"),
        (&["report", "nowhere"], "nowhere: No such file"),
        (&["report", "diff", "nowhere", "nowhere"], "nowhere: No such file"),
    ] {
        let output = suite(folder.path(), arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {error}");
        assert!(error.contains(message), "{arguments:?}: {error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
