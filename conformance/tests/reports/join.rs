//! Several runs as one report.

use cornercast_conformance::report::join::join;
use cornercast_conformance::report::{Report, matrix};
use cornercast_conformance::results::{Conclusion, Stale, Verdict};

use super::{line, plain, read, suite, text};

fn joined(reports: Vec<Report>) -> Result<Report, String> {
    join(
        reports
            .into_iter()
            .zip(["a.jsonl", "b.jsonl", "c.jsonl"])
            .map(|(report, file)| (file.to_owned(), report))
            .collect(),
    )
}

fn one(implementation: &str, case: &str, verdict: Verdict) -> Report {
    read(&text(vec![line(implementation, case, verdict)], Vec::new()))
}

#[test]
fn runs_of_different_implementations_stand_side_by_side() {
    let stale = Stale { implementation: "b".to_owned(), case: "LAY-009/gone".to_owned() };
    let runs = vec![
        one("a", "RUN-012/one", Verdict::Pass),
        read(&text(vec![line("b", "LAY-001/one", Verdict::Fail)], vec![stale])),
        one("c", "RUN-012/one", Verdict::Errored),
    ];
    let report = joined(runs).unwrap();
    assert_eq!(report.header.results, 3);
    assert_eq!(report.footer.result, Conclusion::NotConformant);
    assert_eq!(report.footer.stale.len(), 1);
    assert_eq!(report.footer.counts.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(report.conclusion("a"), Some(Conclusion::Conformant));
    assert_eq!(report.conclusion("b"), Some(Conclusion::NotConformant));
    assert_eq!(report.conclusion("c"), Some(Conclusion::Incomplete));
    // They share a host; the chapters come in the order of the specification, whatever ran first.
    assert_eq!(report.hosts.len(), 1);
    insta::assert_snapshot!(plain(|out| matrix::write(out, &report)));
}

#[test]
fn hosts_are_told_apart() {
    let mut other = one("b", "LAY-001/one", Verdict::Pass);
    other.hosts[0].0.architecture = "riscv64".to_owned();
    let report = joined(vec![one("a", "LAY-001/one", Verdict::Pass), other]).unwrap();
    let hosts: Vec<(&str, &[String])> =
        report.hosts.iter().map(|(host, names)| (host.architecture.as_str(), names.as_slice())).collect();
    assert_eq!(hosts, [("x86_64", &["a".to_owned()][..]), ("riscv64", &["b".to_owned()][..])]);
}

#[test]
fn runs_that_do_not_belong_together_are_refused() {
    let refused = |change: fn(&mut Report)| {
        let mut other = one("b", "LAY-001/one", Verdict::Pass);
        change(&mut other);
        joined(vec![one("a", "LAY-001/one", Verdict::Pass), other]).unwrap_err()
    };
    assert_eq!(
        refused(|other| other.header.implementations[0].name = "a".to_owned()),
        "`a` is in a.jsonl and in b.jsonl: an implementation has one column"
    );
    assert_eq!(
        refused(|other| other.header.format = "2.0".to_owned()),
        "the format is 1.0 in a.jsonl and 2.0 in b.jsonl: these runs cannot be joined"
    );
    assert_eq!(
        refused(|other| other.header.version = "9\u{202E}".to_owned()),
        "the version of the suite is X.Y.Z in a.jsonl and 9\\u{202E} in b.jsonl: these runs cannot be joined"
    );
    assert_eq!(
        refused(|other| other.header.protocol = 7),
        "the adapter protocol is 1 in a.jsonl and 7 in b.jsonl: these runs cannot be joined"
    );
    assert_eq!(joined(Vec::new()).unwrap_err(), "there is no file");
}

#[test]
fn files_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let lines = |implementation: &str| text(vec![line(implementation, "LAY-001/one", Verdict::Pass)], Vec::new());
    for (name, text) in [
        ("a", lines("a")),
        ("b", lines("b")),
        ("far", lines("far").replace("\"cpus\":2", "\"cpus\":3")),
        ("two", lines("a").replace("\"name\":\"a\"", "\"name\":\"b\"")),
        ("none", "{\"some\": \"JSON\"}\n".to_owned()),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let report = |arguments: &[&str]| suite(folder.path(), &[&["report"], arguments].concat());
    let both = report(&["a", "b", "-o", "json=-"]);
    assert_eq!(both.status.code(), Some(0));
    std::fs::write(folder.path().join("both"), &both.stdout).unwrap();
    // What was joined is one run again, and the same as its parts.
    assert_eq!(report(&["both"]).stdout, report(&["a", "b"]).stdout);
    assert_eq!(report(&["a", "far"]).status.code(), Some(0));
    for (arguments, message) in [
        (&["a", "a"][..], "`a` is in a and in a"),
        (&["a", "far", "-o", "json=x"], "the runs were made on different hosts"),
        (&["a", "none"], "none: line 1 is not the header: "),
        (&["two"], "LAY-001/one has a result of `a`, which the header does not name"),
        (&["a", "--against", "nowhere"], "nowhere: No such file"),
    ] {
        let output = report(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {error}");
        assert!(error.contains(message), "{arguments:?}: {error}");
    }
    assert!(!folder.path().join("x").exists());
}
