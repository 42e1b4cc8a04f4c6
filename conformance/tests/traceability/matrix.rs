//! The pages of the book that have real runs side by side, and the result lines that they are made of.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use cornercast_conformance::expectations::Expectations;
use cornercast_conformance::report::Report;
use cornercast_conformance::report::join::join;
use cornercast_conformance::results::Verdict;

use super::{fresh, root};

/// Where the result lines are.
const RESULTS: &str = "spec/reference/results";

/// Whose result lines there are, in the order of the columns.
const IMPLEMENTATIONS: [&str; 11] =
    ["embedded", "runc", "crun", "youki", "runsc", "lxc", "bubblewrap", "rootless", "podman", "docker", "containerd"];

/// The day of the runs.
const DAY: &str = "2026-11-30";

fn read() -> Report {
    let nothing = |_: &str| String::new();
    let reports = IMPLEMENTATIONS.map(|name| {
        let file = format!("{RESULTS}/{name}.jsonl");
        let text = fs::read_to_string(root().join(&file)).unwrap();
        (file, Report::read(&text, nothing, nothing).unwrap())
    });
    join(reports.into()).unwrap()
}

#[test]
fn the_conformance_matrix_is_fresh() {
    let files: BTreeSet<String> = fs::read_dir(root().join(RESULTS))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, IMPLEMENTATIONS.map(|name| format!("{name}.jsonl")).into());
    let folder = tempfile::tempdir().unwrap();
    let mut report = Command::new(env!("CARGO_BIN_EXE_cornercast-conformance"));
    report.current_dir(root()).args(["report", "--date", DAY]);
    report.args(IMPLEMENTATIONS.map(|name| format!("{RESULTS}/{name}.jsonl")));
    for form in ["book", "html"] {
        report.arg("--output").arg(format!("{form}={}", folder.path().join(form).display()));
    }
    let output = report.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let written = |form| fs::read_to_string(folder.path().join(form)).unwrap();
    fresh("spec/reference/matrix.md", &written("book"));
    fresh("spec/reference/matrix-page.html", &written("html"));
}

/// What was expected then is what is expected now.
#[test]
fn the_conformance_matrix_has_the_expected_failures() {
    let expectations = Expectations::read(&root().join("conformance/expected-failures.toml")).unwrap();
    let expected: BTreeSet<(&str, &str)> =
        expectations.keys().filter(|(name, case)| IMPLEMENTATIONS.contains(name) && case.starts_with("RUN-")).collect();
    let report = read();
    let lines = report.rows.iter().map(|row| &row.line).filter(|line| line.verdict == Verdict::Xfail);
    let seen: BTreeSet<(&str, &str)> = lines.map(|line| (line.implementation.as_str(), line.case.as_str())).collect();
    assert_eq!(seen, expected);
}

/// The pages on engines have the figures of the matrix.
#[test]
fn the_pages_on_engines_have_the_figures() {
    let pages = ["spec/reference/runtimes.md", "spec/reference/engines.md"];
    let text: String = pages.map(|page| fs::read_to_string(root().join(page)).unwrap()).concat();
    let report = read();
    for name in IMPLEMENTATIONS {
        let verdicts: Vec<Verdict> =
            report.rows.iter().filter(|row| row.line.implementation == name).map(|row| row.line.verdict).collect();
        let passed = verdicts.iter().filter(|verdict| **verdict == Verdict::Pass).count();
        // The page tells of the same program in the row above.
        let start = if name == "rootless" { "| | the same".to_owned() } else { format!("| {name}") };
        let is_meant = |line: &&str| line.replace('`', "").to_lowercase().starts_with(&start);
        let row = text.lines().find(is_meant).unwrap_or_else(|| panic!("no row is about {name}"));
        assert!(
            row.contains(&format!("{passed} of {}", verdicts.len())),
            "{name}: {passed} of {}: {row}",
            verdicts.len()
        );
    }
}
