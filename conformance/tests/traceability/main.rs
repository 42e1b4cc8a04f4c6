//! The specification, the rules, the cases and the schemas say the same (validator/ARCHITECTURE.md).
//!
//! Run with `CORNERCAST_BLESS=1` to write the generated files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod matrix;
mod pages;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cornercast::catalogue::{self, CHAPTERS, Requirement};
use cornercast::clause;
use cornercast::diagnostic::Severity;
use cornercast::limits::Limits;
use cornercast_conformance::case::Verdict;
use cornercast_conformance::fixtures::{self, Fixture};
use cornercast_conformance::protocol::Role;
use cornercast_conformance::run;

const BLESS: &str = "CORNERCAST_BLESS";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The requirements as the text on disk has them now, and what is wrong with the text.
fn extracted() -> (Vec<Requirement>, Vec<String>) {
    let (mut requirements, mut problems) = (Vec::new(), Vec::new());
    for (file, _) in CHAPTERS {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let (found, wrong) = catalogue::extract(file, &text);
        requirements.extend(found);
        problems.extend(wrong);
    }
    (requirements, problems)
}

fn observable(requirement: &Requirement) -> bool {
    requirement.observer == "validator"
}

/// Whether it is about programs that make something: their cases say what comes of it.
fn is_made(requirement: &Requirement) -> bool {
    ["builder", "unpacker"].contains(&requirement.observer.as_str())
}

/// Whether it is about engines: their cases are run.
fn is_run(requirement: &Requirement) -> bool {
    requirement.observer == "runtime"
}

/// Whether it is about verifiers: their cases say what is accepted, and there is a verifier without each.
fn is_verified(requirement: &Requirement) -> bool {
    requirement.observer == "verifier"
}

/// Whether it is about adapters or the suite itself: tests of the suite name it.
fn is_protocol(requirement: &Requirement) -> bool {
    ["adapter", "suite"].contains(&requirement.observer.as_str())
}

/// The ids in the comments of the tests of the suite, such as `// ADP-002, ADP-003`.
fn tested() -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for entry in fs::read_dir(root().join("conformance/tests")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path).unwrap();
            let comments = text.lines().filter_map(|line| line.trim_start().strip_prefix("// "));
            ids.extend(comments.flat_map(|comment| comment.split(", ")).map(str::to_owned));
        }
    }
    ids
}

/// A case that breaks the clause `id`, or in which what is asked for is refused.
fn breaks(fixture: &Fixture, id: &str) -> bool {
    let expect = &fixture.case.expect;
    expect.verdict == Verdict::Refused || expect.findings.iter().any(|finding| finding.id == id)
}

/// A case in which nothing is wrong.
fn passes(fixture: &Fixture) -> bool {
    fixture.case.expect.verdict != Verdict::Refused && fixture.case.expect.findings.is_empty()
}

/// Compares a generated file with what it should be, or writes it.
fn fresh(path: &str, wanted: &str) {
    let file = root().join(path);
    if std::env::var_os(BLESS).is_some() {
        if fs::read_to_string(&file).ok().as_deref() != Some(wanted) {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, wanted).unwrap();
        }
        return;
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    assert!(there == wanted, "{path} is stale; run the tests with {BLESS}=1 and look at the difference");
}

/// Traceability 1: every keyword belongs to exactly one clause, and each clause has exactly one.
#[test]
fn each_keyword_stands_in_one_clause() {
    let (_, mut problems) = extracted();
    for chapter in ["limits", "security", "governance", "history", "index"] {
        let file = format!("spec/{chapter}.md");
        let text = fs::read_to_string(root().join(&file)).unwrap();
        let (found, wrong) = catalogue::extract(&file, &text);
        problems.extend(wrong);
        problems.extend(found.iter().map(|requirement| format!("{file}: {} does not belong here", requirement.id)));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Ids are distinct, have the prefix of their chapter, and are not among the retired ones.
#[test]
fn ids_are_distinct_and_not_retired() {
    let history = fs::read_to_string(root().join("spec/history.md")).unwrap();
    let mut seen = BTreeMap::new();
    let mut prefixes: BTreeMap<String, String> = BTreeMap::new();
    for requirement in extracted().0 {
        let Requirement { id, file, .. } = requirement;
        assert!(!history.contains(&id), "{id} is retired in spec/history.md; take a new number");
        let prefix = id[..3].to_owned();
        let first = prefixes.entry(prefix).or_insert_with(|| file.clone());
        assert_eq!(*first, file, "{id} has the prefix of another chapter");
        assert_eq!(seen.insert(id.clone(), file), None, "{id} stands twice");
    }
}

/// Traceability 2: the catalogue is what the text says.
#[test]
fn the_catalogue_is_fresh() {
    let mut text = serde_json::to_string_pretty(&extracted().0).unwrap();
    text.push('\n');
    fresh("schema/requirements.json", &text);
}

/// Traceability 3: the rules are the clauses that name the validator, with their weight.
#[test]
fn rules_and_clauses_are_the_same() {
    let mut problems = Vec::new();
    let (requirements, _) = extracted();
    let rules: BTreeMap<&str, Severity> = clause::all().map(|clause| (clause.id, clause.severity)).collect();
    assert_eq!(rules.len(), clause::all().count(), "a clause stands twice in validator/src/clause/");
    for requirement in &requirements {
        let severity = match requirement.level.as_str() {
            "MUST" | "MUST NOT" => Severity::Error,
            _ => Severity::Warning,
        };
        let chapter = requirement.id[..3].to_lowercase();
        match (observable(requirement), rules.get(requirement.id.as_str())) {
            (true, Some(rule)) if *rule == severity => {}
            (true, Some(_)) => problems.push(format!(
                "{} is {} in the text, but not in validator/src/clause/{chapter}.rs",
                requirement.id, requirement.level
            )),
            (true, None) => problems.push(format!(
                "{} has no rule; add it to validator/src/clause/{chapter}.rs and enforce it",
                requirement.id
            )),
            (false, Some(_)) => {
                problems.push(format!("{} has a rule, but its observer is {}", requirement.id, requirement.observer))
            }
            (false, None) => {}
        }
    }
    for id in rules.keys().filter(|id| !requirements.iter().any(|requirement| requirement.id == **id)) {
        problems.push(format!("{id} is a rule, but no clause of the text"));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// At most one clause in twenty cannot be observed.
#[test]
fn few_clauses_are_not_observable() {
    let (requirements, _) = extracted();
    let hidden = requirements.iter().filter(|requirement| requirement.observer.starts_with("not observable")).count();
    assert!(hidden * 20 <= requirements.len(), "{hidden} of {} clauses are not observable", requirements.len());
    for requirement in &requirements {
        let known = observable(requirement)
            || is_made(requirement)
            || is_run(requirement)
            || is_verified(requirement)
            || is_protocol(requirement)
            || requirement.observer.starts_with("not observable: ");
        assert!(known, "{}: {} is no observer that this suite knows yet", requirement.id, requirement.observer);
    }
}

/// Traceability 4: each clause has a case that fails and a near miss; no case without a clause.
#[test]
fn each_clause_has_a_case_and_a_near_miss() {
    let (requirements, _) = extracted();
    let all = fixtures::all();
    let mut problems = Vec::new();
    for requirement in requirements.iter().filter(|requirement| observable(requirement)) {
        let mine: Vec<&Fixture> = all.iter().filter(|fixture| fixture.case.clauses.contains(&requirement.id)).collect();
        if !mine.iter().any(|fixture| breaks(fixture, &requirement.id)) {
            problems
                .push(format!("{} has no case that breaks it; add one to conformance/src/fixtures/", requirement.id));
        }
        if !mine.iter().any(|fixture| passes(fixture)) {
            problems.push(format!(
                "{} has no near miss that is accepted; add one to conformance/src/fixtures/",
                requirement.id
            ));
        }
    }
    for requirement in requirements.iter().filter(|requirement| is_made(requirement)) {
        let role = if requirement.observer == "builder" { Role::Build } else { Role::Unpack };
        let is_mine = |fixture: &Fixture| fixture.case.role == role && fixture.case.clauses.contains(&requirement.id);
        if !all.iter().any(is_mine) {
            problems.push(format!(
                "{} has no case of the role `{}`; add one to conformance/src/fixtures/",
                requirement.id,
                role.name()
            ));
        }
    }
    for requirement in requirements.iter().filter(|requirement| is_verified(requirement)) {
        let mine = |verdict: Verdict| {
            all.iter().any(|fixture| {
                fixture.case.role == Role::Verify
                    && fixture.case.expect.verdict == verdict
                    && fixture.case.clauses.contains(&requirement.id)
            })
        };
        for verdict in [Verdict::Accepted, Verdict::Rejected] {
            if !mine(verdict) {
                problems.push(format!("{} has no case of the role `verify` that is {verdict:?}", requirement.id));
            }
        }
    }
    for fixture in &all {
        for id in &fixture.case.clauses {
            if !requirements.iter().any(|requirement| requirement.id == *id) {
                problems.push(format!("{} tests {id}, which is no clause", fixture.folder));
            }
        }
        if fixture.case.clauses.is_empty() && !fixture.folder.starts_with("good/") {
            problems.push(format!("{} tests no clause", fixture.folder));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Traceability 5: each clause about engines has a case that is run, and an engine that breaks it on purpose.
#[test]
fn each_clause_about_engines_has_a_case_and_a_mutant() {
    let (requirements, _) = extracted();
    let (cases, mutants) = (run::cases(), run::mutants::all());
    let mut problems = Vec::new();
    for Requirement { id, .. } in requirements.iter().filter(|requirement| is_run(requirement)) {
        if !cases.iter().any(|case| case.clauses.contains(id)) {
            problems.push(format!("{id} has no case; add one to conformance/src/run/cases/"));
        }
        if !mutants.iter().any(|mutant| mutant.clauses.contains(&id.as_str())) {
            problems.push(format!("{id} has no mutant; add one to conformance/src/run/mutants/table.rs"));
        }
    }
    let exists = |id: &str| requirements.iter().any(|requirement| requirement.id == id);
    for case in &cases {
        for id in case.clauses.iter().filter(|id| !exists(id)) {
            problems.push(format!("{} tests {id}, which is no clause", case.name));
        }
        if case.clauses.is_empty() {
            problems.push(format!("{} tests no clause", case.name));
        }
    }
    for mutant in &mutants {
        for id in mutant.clauses.iter().filter(|id| !exists(id)) {
            problems.push(format!("the mutant {} breaks {id}, which is no clause", mutant.name));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Traceability 6: each clause about adapters and the suite has a test that names it, and no test names another one.
#[test]
fn each_clause_about_adapters_has_a_test() {
    let (requirements, _) = extracted();
    let (tested, mut problems) = (tested(), Vec::new());
    let clauses: Vec<&Requirement> = requirements.iter().filter(|requirement| is_protocol(requirement)).collect();
    for Requirement { id, .. } in &clauses {
        if !tested.contains(id) {
            problems
                .push(format!("{id} has no test; add one to conformance/tests/adapter.rs with the comment // {id}"));
        }
    }
    for id in tested.iter().filter(|id| id.starts_with("ADP-") && id.len() == 7) {
        if !clauses.iter().any(|clause| clause.id == *id) {
            problems.push(format!("a test is for {id}, which is no clause"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The limits chapter has a row for each limit of the code, with its value, and no other row.
#[test]
fn the_limits_chapter_is_complete() {
    let text = fs::read_to_string(root().join("spec/limits.md")).unwrap();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ") && line.contains("](")).collect();
    let mut named = BTreeSet::new();
    for (id, value) in Limits::FORMAT.by_clause() {
        named.insert(id);
        let row = rows.iter().find(|row| row.contains(&format!("[{id}]")));
        let row = row.unwrap_or_else(|| panic!("spec/limits.md has no row for {id}"));
        let spellings = spellings(value);
        assert!(
            spellings.iter().any(|spelling| row.contains(spelling)),
            "{row}\nsays something else than {value} for {id}"
        );
    }
    for row in rows {
        for id in row.split('[').skip(1).filter_map(|part| part.split(']').next()) {
            assert!(named.contains(id), "spec/limits.md has a row for {id}, which is no limit of the code");
        }
    }
}

/// How a number can be written in the limits chapter.
fn spellings(value: u64) -> Vec<String> {
    let mut grouped = String::new();
    let digits = value.to_string();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let mut out = vec![format!(" {grouped} ")];
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if value.is_multiple_of(unit) {
            out.push(format!(" {} {name} ", value / unit));
        }
    }
    for exponent in [32, 33, 40, 42, 53] {
        out.extend((value == 1 << exponent).then(|| format!("2^{exponent} ")));
        out.extend((value == (1 << exponent) - 1).then(|| format!("2^{exponent} − 1")));
        out.extend((value == (1 << exponent) - 2).then(|| format!("2^{exponent} − 2")));
    }
    out.extend((value == (1 << 33) - 1).then(|| "8^11 − 1".to_owned()));
    out
}
