//! The generated files: schemas, examples, the coverage page and the catalogue of hostile inputs.

use std::fmt::Write as _;

use cornercast::catalogue::{CHAPTERS, Requirement};
use cornercast::diagnostic::Severity;
use cornercast::schema;
use cornercast_conformance::case::Verdict;
use cornercast_conformance::corpus::{self, Covered, Row};
use cornercast_conformance::fixtures::{self, Fixture};
use cornercast_conformance::{reference, run};

use super::{breaks, extracted, fresh, is_made, is_protocol, is_run, is_verified, observable, passes, tested};

/// Traceability 8: the schemas are what the types say.
#[test]
fn the_schemas_are_fresh() {
    for name in schema::NAMES {
        fresh(&format!("schema/{name}.schema.json"), &schema::schema(name).unwrap());
    }
    for name in cornercast_conformance::schema::NAMES {
        let text = cornercast_conformance::schema::schema(name).unwrap();
        fresh(&format!("schema/{name}.schema.json"), &text);
    }
}

/// The examples that `explain` prints come from the cases.
#[test]
fn the_examples_are_fresh() {
    let all = fixtures::all();
    let mut examples = Vec::new();
    for requirement in extracted().0.iter().filter(|requirement| observable(requirement)) {
        let mine = |fixture: &&Fixture| fixture.folder.starts_with(&format!("{}/", requirement.id));
        let bad = all.iter().filter(mine).find(|fixture| breaks(fixture, &requirement.id));
        let good = all.iter().filter(mine).find(|fixture| passes(fixture));
        examples.push(serde_json::json!({
            "id": requirement.id,
            "bad": bad.map(|fixture| example(fixture, true)),
            "good": good.map(|fixture| example(fixture, false)),
        }));
    }
    let mut text = serde_json::to_string_pretty(&examples).unwrap();
    text.push('\n');
    fresh("fixtures/examples.json", &text);
}

fn example(fixture: &Fixture, with_message: bool) -> serde_json::Value {
    let text = fixture.files.iter().next().filter(|_| fixture.files.len() == 1).and_then(|(_, bytes)| {
        let text = String::from_utf8(bytes.clone()).ok()?;
        let is_plain = text.chars().all(|character| !character.is_control() || character == '\n');
        (is_plain && text.len() <= 400).then_some(text)
    });
    let message = with_message.then(|| {
        let found = reference::check(fixture, &[]).unwrap();
        found.first().map(|finding| format!("{}[{}] {}", severity(finding.severity), finding.id, finding.message))
    });
    serde_json::json!({"case": fixture.folder, "why": fixture.case.why, "text": text, "message": message.flatten()})
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// The coverage page of the book is what the cases cover.
#[test]
fn the_coverage_page_is_fresh() {
    let (requirements, _) = extracted();
    let all = fixtures::all();
    let (run, mutants, tested) = (run::cases(), run::mutants::all(), tested());
    let mut out = String::from(
        "# Coverage\n\nThis page is generated. It lists each clause with its observer and its cases: how many inputs break it or are refused, and how many are near misses that are accepted, or of which something is made. Clauses about engines are listed with their cases and with the mutants, engines that break them on purpose; clauses about adapters and the suite with the tests of the suite that name them.\n",
    );
    let (mut observed, mut made, mut verified, mut of_engines, mut of_protocol, mut hidden) = (0, 0, 0, 0, 0, 0);
    let (mut breaking, mut near) = (0, 0);
    let mut body = String::new();
    for (file, text) in CHAPTERS {
        let title = text.lines().next().unwrap_or_default().trim_start_matches("# ");
        let page = file.trim_start_matches("spec/");
        let (mut cases, mut runs, mut tests) = (String::new(), String::new(), String::new());
        for requirement in requirements.iter().filter(|requirement| requirement.file == file) {
            let Requirement { id, level, observer, .. } = requirement;
            let start = format!("| [{id}](../{page}#{id}) | {level} |");
            if is_run(requirement) {
                let count = run.iter().filter(|case| case.clauses.contains(id)).count();
                let broken = mutants.iter().filter(|mutant| mutant.clauses.contains(&id.as_str())).count();
                let _ = writeln!(runs, "{start} {count} | {broken} |");
                of_engines += 1;
                continue;
            }
            if is_protocol(requirement) {
                let _ = writeln!(tests, "{start} {observer} | {} |", if tested.contains(id) { "yes" } else { "no" });
                of_protocol += 1;
                continue;
            }
            let mine: Vec<&Fixture> = all.iter().filter(|fixture| fixture.case.clauses.contains(id)).collect();
            let (breaks, misses) = if is_verified(requirement) {
                let of = |verdict| mine.iter().filter(|fixture| fixture.case.expect.verdict == verdict).count();
                (of(Verdict::Rejected), of(Verdict::Accepted))
            } else {
                let count = |is: &dyn Fn(&Fixture) -> bool| mine.iter().filter(|fixture| is(fixture)).count();
                (count(&|fixture| breaks(fixture, id)), count(&passes))
            };
            let observer = observer.split(':').next().unwrap_or_default();
            let _ = writeln!(cases, "{start} {observer} | {breaks} | {misses} |");
            let kind = if observable(requirement) {
                &mut observed
            } else if is_made(requirement) {
                &mut made
            } else if is_verified(requirement) {
                &mut verified
            } else {
                &mut hidden
            };
            *kind += 1;
            breaking += breaks;
            near += misses;
        }
        let _ = write!(body, "\n## {title}\n");
        for (columns, rows) in [
            ("clause | level | cases that are run | mutants", runs),
            ("clause | level | observer | has a test", tests),
            ("clause | level | observer | cases that break it | near misses, results", cases),
        ] {
            if !rows.is_empty() {
                let line = columns.split(" | ").map(|_| "---").collect::<Vec<_>>().join(" | ");
                let _ = write!(body, "\n| {columns} |\n| {line} |\n{rows}");
            }
        }
    }
    let rejected = all.iter().filter(|fixture| fixture.case.expect.verdict == Verdict::Rejected).count();
    let _ = write!(
        out,
        "\n| | |\n| --- | --- |\n| clauses that a validator observes | {observed} |\n| clauses that builders and unpackers are judged by | {made} |\n| clauses that verifiers are judged by | {verified} |\n| clauses that engines are judged by | {of_engines} |\n| clauses about adapters and the suite | {of_protocol} |\n| clauses that no program can observe | {hidden} |\n| cases | {} |\n| of them rejected | {rejected} |\n| clause × case that breaks it | {breaking} |\n| clause × near miss or result | {near} |\n| cases that are run | {} |\n| mutants | {} |\n",
        all.len(),
        run.len(),
        mutants.len()
    );
    out.push_str(&body);
    fresh("spec/reference/coverage.md", &out);
}

/// The catalogue of hostile inputs names a case for each row, or says why there is none.
#[test]
fn the_catalogue_of_inputs_is_fresh_and_complete() {
    let all = fixtures::all();
    let runs = cornercast_conformance::run::cases();
    let mut out = String::from(
        "# Catalogue of hostile inputs\n\nThis page is generated. Each row is an input that readers have got wrong, with the cases that cover it: JSON (J), digests (D), tar archives (T), compression (C), names and versions (M), signatures and envelopes (S), keyrings, catalogs, policies and states (K), log proofs (L), what an engine must refuse or contain (R), and what real tools do differently (X).\n\n| row | input | covered by |\n| --- | --- | --- |\n",
    );
    let mut problems = Vec::new();
    for Row { id, what, covered } in corpus::rows() {
        let mine: Vec<&str> = all
            .iter()
            .filter(|fixture| fixture.case.corpus.iter().any(|row| row == id))
            .map(|fixture| fixture.folder.as_str())
            .collect();
        if mine.is_empty() && *covered == Covered::Cases {
            problems.push(format!("{id} has no case; tag one with .corpus(&[\"{id}\"])"));
        }
        let mut by: Vec<String> = mine.iter().take(3).map(|folder| format!("`{folder}`")).collect();
        if mine.len() > 3 {
            by.push(format!("{} more", mine.len() - 3));
        }
        match covered {
            Covered::Cases => {}
            Covered::By(names) => {
                let is_known = |name: &&&str| {
                    all.iter().any(|fixture| fixture.folder == ***name)
                        || runs.iter().any(|entry| entry.name == ***name)
                };
                problems
                    .extend(names.iter().filter(|name| !is_known(name)).map(|name| format!("{id}: no case is {name}")));
                by.extend(names.iter().map(|name| format!("`{name}`")));
            }
            Covered::Test(file) => by.insert(0, format!("the test `{file}`")),
            Covered::Later(chapter) => by.push(format!("later: {chapter}")),
            Covered::NotApplicable(reason) => by.push(format!("not applicable: {reason}")),
        }
        let _ = writeln!(out, "| {id} | {} | {} |", what.replace('|', "\\|").replace('<', "&lt;"), by.join(", "));
    }
    for fixture in &all {
        for tag in fixture.case.corpus.iter().filter(|tag| !tag.starts_with("interop-")) {
            if !corpus::rows().any(|row| row.id == tag) {
                problems.push(format!("{} names the row {tag}, which is not there", fixture.folder));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    fresh("fixtures/CATALOGUE.md", &out);
}
