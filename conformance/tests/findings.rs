//! The findings: the page is made of the file, and every expected failure is among them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cornercast_conformance::expectations::Expectations;
use cornercast_conformance::findings::Findings;
use cornercast_conformance::suite::{self, Entry, Task};

const BLESS: &str = "CORNERCAST_BLESS";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn findings() -> Findings {
    Findings::read(&fs::read_to_string(root().join("conformance/findings.toml")).unwrap()).unwrap()
}

fn entries() -> Vec<Entry> {
    suite::load_all(&suite::checkout()).unwrap()
}

#[test]
fn the_page_is_fresh() {
    let page = findings().page(&entries()).unwrap();
    let path = root().join("spec/reference/findings.md");
    if std::env::var_os(BLESS).is_some() {
        fs::write(&path, &page).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == page, "the page is stale; run the test with {BLESS}=1 and look at the difference");
}

/// A failure that is expected is a finding, and a finding that a clause or a sentence decides is an expected failure.
#[test]
fn expected_failures_are_findings() {
    let expected = Expectations::read(&root().join("conformance/expected-failures.toml")).unwrap();
    let expected: BTreeSet<(String, String)> =
        expected.keys().map(|(implementation, case)| (implementation.to_owned(), case.to_owned())).collect();
    let entries = entries();
    let decides = |name: &str| match &entries.iter().find(|entry| entry.name == name).unwrap().task {
        Task::Bundle(case) => case.rule.is_some(),
        Task::Case { .. } | Task::Run(_) => true,
    };
    let (mut found, mut decided, mut open) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for finding in findings().findings {
        for case in finding.cases {
            let key = (finding.implementation.clone(), case);
            if finding.open {
                open.insert(key.clone());
            } else if decides(&key.1) {
                decided.insert(key.clone());
            }
            found.insert(key);
        }
    }
    assert_eq!(
        expected.difference(&found).collect::<Vec<_>>(),
        Vec::<&(String, String)>::new(),
        "no finding has these"
    );
    let failing: Vec<_> = open.intersection(&expected).collect();
    assert_eq!(failing, Vec::<&(String, String)>::new(), "these are open, and a failure is expected");
    let more: Vec<_> = decided.difference(&expected).collect();
    assert_eq!(more, Vec::<&(String, String)>::new(), "these are decided, and no failure is expected");
}
