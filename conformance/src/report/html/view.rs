//! What the template shows: facts, columns, rows and cells, as texts with hidden characters shown.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use cornercast::shown::escaped;
use serde::Serialize;

use super::change::{self, Since};
use super::data::{MAX_REASON, MAX_VALUE, clipped};
use super::prose;
use super::sheet::{ClauseRow, Sheet};
use crate::report::tally::{Tallies, Tally, words};
use crate::report::{Besides, Report, Row, book, chapters, observed};
use crate::results::{Conclusion, Implementation, Line, Verdict};
use crate::suite;

/// Characters of a clause that its row shows, and the width of a phone never does.
const MAX_EXCERPT: usize = 140;

/// Differences that no clause judges that the page has.
const MAX_DIFFERENCES: usize = 300;

/// Implementations of which a column can be hidden.
const MAX_HIDDEN: usize = 32;

#[derive(Serialize)]
pub(super) struct Page {
    title: String,
    date: Option<String>,
    version: String,
    format: String,
    protocol: u32,
    result: Result,
    cases: usize,
    hosts: Vec<(String, String)>,
    columns: Vec<Column>,
    legend: Vec<Legend>,
    chapters: Vec<Chapter>,
    /// Clauses in the matrix.
    clauses: usize,
    stale: Vec<(String, String)>,
    since: Option<Since>,
    seen: Seen,
    /// Whether a case was not put to all.
    has_gaps: bool,
    max_reason: usize,
    max_value: usize,
}

/// What a run or an implementation comes to.
#[derive(Serialize)]
struct Result {
    words: &'static str,
    class: &'static str,
}

/// An implementation.
#[derive(Serialize)]
struct Column {
    name: String,
    product: String,
    version: String,
    homepage: Option<String>,
    issues: Option<String>,
    roles: String,
    host: String,
    result: Result,
    passed: usize,
    cases: usize,
    /// Verdicts but `pass`, the worst first: name, mark, how often.
    rest: Vec<(&'static str, &'static str, usize)>,
    /// A bar of 1000 units: class, place, width.
    bar: Vec<(&'static str, usize, usize)>,
}

/// A verdict as the page marks it.
#[derive(Serialize)]
struct Legend {
    name: &'static str,
    mark: &'static str,
    says: &'static str,
}

#[derive(Serialize)]
struct Chapter {
    prefix: String,
    title: String,
    cells: Vec<Cell>,
    clauses: Vec<Clause>,
}

#[derive(Serialize)]
struct Clause {
    /// Its place in the JSON document.
    at: usize,
    id: String,
    /// The id of its row in the document.
    anchor: String,
    excerpt: String,
    /// The text as HTML.
    text: String,
    /// Keyword, observer and place.
    about: String,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    /// The worst verdict, or `none`.
    class: &'static str,
    mark: &'static str,
    /// `4`, or `3/4` where not all pass.
    count: String,
    /// The worst verdict, unless it is `pass`.
    word: &'static str,
    /// All of it in words.
    spoken: String,
    /// What is another one since an earlier run.
    change: Option<change::Named>,
}

/// What is recorded differently, judged or not.
#[derive(Serialize)]
struct Seen {
    count: usize,
    more: usize,
    rows: Vec<SeenRow>,
    /// Whether such documents were recorded at all.
    is_recorded: bool,
}

#[derive(Serialize)]
struct SeenRow {
    pointer: String,
    times: String,
    /// Who has it, and the value.
    values: Vec<(String, String)>,
}

pub(super) fn page(report: &Report, sheet: &Sheet<'_>, besides: &Besides) -> Page {
    let header = &report.header;
    let (anchors, tallies) = (anchors(sheet), Tallies::of(report));
    let of_cases = anchors_of_cases(sheet, &anchors);
    let lines = || report.rows.iter().map(|row| &row.line);
    Page {
        title: "Cornercast conformance".to_owned(),
        date: besides.date.as_deref().map(escaped),
        version: escaped(&header.version),
        format: escaped(&header.format),
        protocol: header.protocol,
        result: result(Some(report.footer.result)),
        cases: sheet.cases.len(),
        hosts: hosts(report),
        columns: header
            .implementations
            .iter()
            .map(|known| column(report, known, tallies.get(&known.name, "")))
            .collect(),
        legend: Verdict::ALL
            .map(|verdict| Legend { name: verdict.name(), mark: mark(verdict), says: says(verdict) })
            .into(),
        chapters: sections(report, sheet, besides, &anchors),
        clauses: sheet.clauses.len(),
        stale: report.footer.stale.iter().map(|stale| (escaped(&stale.implementation), escaped(&stale.case))).collect(),
        since: besides
            .since
            .as_ref()
            .map(|since| change::since(since, |case| of_cases.get(case).map(|anchor| (*anchor).to_owned()))),
        seen: seen(lines),
        has_gaps: sheet.cases.iter().any(|case| case.results.iter().any(Option::is_none)),
        max_reason: MAX_REASON,
        max_value: MAX_VALUE,
    }
}

/// Rules that hide a column each, and the width from which on a window has room for all columns, so that the page
/// itself scrolls the matrix and its head stays in sight.
pub(super) fn columns_style(columns: usize) -> String {
    let mut style = String::new();
    for index in 0..columns.min(MAX_HIDDEN) {
        let _ = writeln!(
            style,
            ".without-{index} .grid :is(td,th):nth-child({}):not([colspan]){{display:none}}",
            index + 2
        );
    }
    // The narrowest first column, 16rem, 6.2rem for each other, and the margins.
    let width = 22 + columns * 62 / 10;
    let _ = writeln!(style, ":root{{--columns:{columns}}}");
    let _ = writeln!(
        style,
        "@media (min-width:{width}rem){{#scroll{{overflow:visible;max-height:none}}.grid thead th{{top:var(--bar,0)}}}}"
    );
    style
}

fn hosts(report: &Report) -> Vec<(String, String)> {
    let several = report.hosts.len() > 1;
    let names = |names: &[String]| if several { escaped(&names.join(", ")) } else { String::new() };
    report.hosts.iter().map(|(host, of)| (escaped(&book::shown(host)), names(of))).collect()
}

fn result(conclusion: Option<Conclusion>) -> Result {
    let class = match conclusion {
        None => "none",
        Some(Conclusion::Conformant) => "pass",
        Some(Conclusion::Recorded) => "recorded",
        Some(Conclusion::ConformantWithExceptions) => "xfail",
        Some(Conclusion::Incomplete) => "unsupported",
        Some(Conclusion::NotConformant) => "fail",
    };
    Result { words: words(conclusion), class }
}

fn column(report: &Report, known: &Implementation, tally: &Tally) -> Column {
    let mut bar = Vec::new();
    let mut done = 0;
    for (verdict, count) in tally.verdicts() {
        let at = done * 1000 / tally.cases();
        done += count;
        // What there is can be seen.
        let width = (done * 1000 / tally.cases()).saturating_sub(at).max(4);
        bar.push((verdict.name(), at.min(1000 - width), width));
    }
    let host = report.hosts.iter().find(|(_, names)| names.contains(&known.name));
    Column {
        name: escaped(&known.name),
        product: escaped(&known.product),
        version: escaped(&known.version),
        homepage: known.homepage.as_deref().and_then(address),
        issues: known.issues.as_deref().and_then(address),
        roles: known.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", "),
        host: host.map(|(host, _)| escaped(&book::shown(host))).unwrap_or_default(),
        result: result(tally.conclusion),
        passed: tally.passed(),
        cases: tally.decided(),
        rest: tally.rest().map(|(verdict, count)| (verdict.name(), mark(verdict), count)).collect(),
        bar,
    }
}

/// An address that a browser opens as a page, and nothing else.
fn address(text: &str) -> Option<String> {
    let is_page = text.starts_with("https://") || text.starts_with("http://");
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    (is_page && is_plain).then(|| text.to_owned())
}

/// The chapters with their clauses.
fn sections(report: &Report, sheet: &Sheet<'_>, besides: &Besides, anchors: &[String]) -> Vec<Chapter> {
    let mut sections: Vec<Chapter> = Vec::new();
    let ids: BTreeSet<&str> = sheet.clauses.iter().map(|row| row.id).collect();
    let is_row = |id: &str| ids.contains(id);
    let mut rows: HashMap<&str, HashMap<&str, Vec<&Row>>> = HashMap::new();
    for row in &report.rows {
        rows.entry(&row.chapter).or_default().entry(&row.line.implementation).or_default().push(row);
    }
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, row) in sheet.clauses.iter().enumerate() {
        places.entry(row.chapter).or_default().push(at);
    }
    for prefix in prefixes(report, sheet) {
        let columns = report.header.implementations.iter();
        let rows = rows.remove(prefix).unwrap_or_default();
        let places = places.remove(prefix).into_iter().flatten();
        let clauses = places.filter_map(|at| Some((at, sheet.clauses.get(at)?, anchors.get(at)?)));
        sections.push(Chapter {
            prefix: escaped(prefix),
            title: escaped(suite::chapter_title(prefix)),
            cells: columns
                .map(|known| cell(rows.get(known.name.as_str()).map_or(&[], Vec::as_slice), besides))
                .collect(),
            clauses: clauses.map(|(at, row, anchor)| clause(sheet, (at, row), anchor, besides, &is_row)).collect(),
        });
    }
    sections
}

/// The prefixes of all cases and clauses, in the order of the specification.
fn prefixes<'a>(report: &'a Report, sheet: &Sheet<'a>) -> Vec<&'a str> {
    let all: BTreeSet<&str> =
        chapters(&report.rows).into_iter().chain(sheet.clauses.iter().map(|clause| clause.chapter)).collect();
    let mut prefixes: Vec<&str> = all.into_iter().collect();
    prefixes.sort_by_key(|prefix| suite::chapter_place(prefix));
    prefixes
}

fn clause(
    sheet: &Sheet<'_>,
    (at, row): (usize, &ClauseRow<'_>),
    anchor: &str,
    besides: &Besides,
    is_row: &impl Fn(&str) -> bool,
) -> Clause {
    let cells = (0..sheet.columns.len()).map(|column| cell(&sheet.results(&row.cases, column), besides)).collect();
    let (excerpt, text, about) = match suite::clause(row.id) {
        Some(known) => {
            let place = format!("{} · observer: {} · {}:{}", known.level, known.observer, known.file, known.line);
            (clipped(&prose::plain(&known.text), MAX_EXCERPT), prose::html(&known.text, is_row), place)
        }
        None if suite::chapter_title(row.id).is_empty() => {
            let unknown = "The specification that this report was made with has no such clause.";
            (String::new(), unknown.to_owned(), String::new())
        }
        None => {
            (suite::chapter_title(row.id).to_owned(), "Cases that depend on every clause.".to_owned(), String::new())
        }
    };
    Clause { at, id: escaped(row.id), anchor: anchor.to_owned(), excerpt, text, about, cells }
}

/// The ids of the rows in the document: that of the clause, or a number where a name could be anything.
fn anchors(sheet: &Sheet<'_>) -> Vec<String> {
    let anchor = |(index, clause): (usize, &ClauseRow<'_>)| match suite::clause(clause.id) {
        Some(known) => known.id.clone(),
        None => format!("row-{index}"),
    };
    sheet.clauses.iter().enumerate().map(anchor).collect()
}

/// For each case the anchor of the first clause that it tests.
fn anchors_of_cases<'a>(sheet: &Sheet<'a>, anchors: &'a [String]) -> HashMap<&'a str, &'a str> {
    let mut of_cases = HashMap::new();
    for (clause, anchor) in sheet.clauses.iter().zip(anchors) {
        for case in clause.cases.iter().filter_map(|index| sheet.cases.get(*index)) {
            of_cases.entry(case.name).or_insert(anchor.as_str());
        }
    }
    of_cases
}

fn cell(rows: &[&Row], besides: &Besides) -> Cell {
    let change = besides.since.as_ref().and_then(|since| change::worst(since, rows));
    let tally = Tally::of(rows.iter().map(|row| &row.line));
    let Some(worst) = tally.worst() else {
        let spoken = "not run".to_owned();
        return Cell { class: "none", mark: "·", count: String::new(), word: "", spoken, change };
    };
    let spoken = tally.verdicts().rev().map(|(verdict, count)| format!("{count} {}", verdict.name()));
    let spoken: Vec<String> = spoken.collect();
    Cell {
        class: worst.name(),
        mark: mark(worst),
        // What nothing decides cannot be passed.
        count: match tally.share() {
            None => tally.cases().to_string(),
            Some(_) if tally.passed() == tally.decided() => tally.passed().to_string(),
            Some(share) => share,
        },
        word: if worst == Verdict::Pass { "" } else { worst.name() },
        spoken: spoken.join(", "),
        change,
    }
}

/// A mark that needs no colour. None has a form as an emoji.
fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Fail => "✗",
        Verdict::FalseClaim => "‡",
        Verdict::Unsupported => "○",
        Verdict::Errored => "!",
        Verdict::Skipped => "–",
        Verdict::Xfail => "~",
        Verdict::Xpass => "?",
        Verdict::Recorded => "•",
    }
}

fn says(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "did what the clauses say",
        Verdict::Fail => "did something else",
        Verdict::FalseClaim => "did something else, and reports that it did not",
        Verdict::Unsupported => "the implementation or the host cannot do this",
        Verdict::Errored => "no proper answer",
        Verdict::Skipped => "the adapter does not do this",
        Verdict::Xfail => "did something else, as expected",
        Verdict::Xpass => "did what the clauses say, against expectation",
        Verdict::Recorded => "nothing says what is right",
    }
}

fn seen<'a, I: Iterator<Item = &'a Line>>(lines: impl Fn() -> I) -> Seen {
    let differences = observed::differences(lines());
    let rows = differences.iter().take(MAX_DIFFERENCES).map(|difference| {
        let mut values: Vec<(String, String)> = Vec::new();
        for (name, value) in &difference.values {
            let (name, value) = (escaped(name), clipped(&value.to_string(), MAX_VALUE));
            match values.iter_mut().find(|(_, known)| *known == value) {
                Some((names, _)) => *names = format!("{names}, {name}"),
                None => values.push((name, value)),
            }
        }
        let first = escaped(&difference.first);
        let times = match difference.cases {
            1 => first,
            cases => format!("{cases} cases, such as {first}"),
        };
        SeenRow { pointer: clipped(&difference.pointer, MAX_VALUE), times, values }
    });
    let rows: Vec<SeenRow> = rows.collect();
    let is_recorded = lines().any(|line| line.values.contains_key(observed::OBSERVED));
    Seen { count: differences.len(), more: differences.len() - rows.len(), rows, is_recorded }
}
