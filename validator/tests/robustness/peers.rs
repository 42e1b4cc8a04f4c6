//! The crates serde_json and tar against our readers: they read what ours accept to the same values, and what
//! they accept beyond that breaks one of the clauses that `spec/reference/robustness.md` lists, and no other.

mod json;
mod tar;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The clauses in the first column of the table below a heading of the page.
fn listed(heading: &str) -> BTreeSet<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/reference/robustness.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).expect(heading);
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| [")?.split_once(']'));
    rows.map(|(id, _)| id.to_owned()).collect()
}

/// What the page lists is what has been seen.
fn compare(heading: &str, seen: &BTreeSet<String>) {
    let listed = listed(heading);
    let missing: Vec<_> = seen.difference(&listed).collect();
    let unseen: Vec<_> = listed.difference(seen).collect();
    assert!(missing.is_empty(), "spec/reference/robustness.md does not list {missing:?} under {heading}");
    assert!(unseen.is_empty(), "spec/reference/robustness.md lists {unseen:?} under {heading}, which is not seen");
}
