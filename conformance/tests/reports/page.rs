//! The HTML page.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cornercast::digest::Digest;
use cornercast::shown::is_hidden;
use cornercast_conformance::report::difference::Difference;
use cornercast_conformance::report::{Besides, Report, html};
use cornercast_conformance::results::{Stale, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{line, read, sample, text};

fn page(report: &Report) -> String {
    html::write(report, &Besides::default()).unwrap()
}

/// What stands between two texts, the first of which stands once.
fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    assert_eq!(page.matches(before).count(), 1, "{before}");
    page.split_once(before).unwrap().1.split_once(after).unwrap().0
}

fn data(page: &str) -> Value {
    serde_json::from_str(between(page, "<script type=\"application/json\" id=\"data\">", "</script>")).unwrap()
}

#[test]
fn as_html() {
    let besides = Besides { date: Some("2026-11-30".to_owned()), since: None };
    let page = html::write(&sample(), &besides).unwrap();
    let script = between(&page, "</script>\n<script>", "</script>");
    let style = between(&page, "<style>", "</style>");
    let policy = between(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
    let hash = |text: &str| STANDARD.encode(Digest::of(text.as_bytes()).0);
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
            hash(style),
            hash(script)
        )
    );
    let short = page.replace(script, "…").replace(style, "…").replace(policy, "…");
    insta::assert_snapshot!(short);
    insta::assert_snapshot!("data", serde_json::to_string_pretty(&data(&page)).unwrap());
}

#[test]
fn nothing_is_loaded() {
    let page = page(&sample());
    for attribute in [" src=", " srcset=", "<link", "@import", "url(", "fetch(", "XMLHttpRequest", "style=\""] {
        assert!(!page.contains(attribute), "{attribute}");
    }
    // Inside of the page only.
    assert!(page.split(" href=\"").skip(1).all(|rest| rest.starts_with('#')));
}

#[test]
fn what_is_another_one_is_marked_and_listed_the_worse_first() {
    let lines = |one, two| text(vec![line("mine", "LAY-001/one", one), line("mine", "LAY-002/one", two)], Vec::new());
    let (old, new) = (read(&lines(Verdict::Pass, Verdict::Skipped)), read(&lines(Verdict::Fail, Verdict::Pass)));
    let besides = Besides { date: None, since: Some(Difference::of(&old, &new)) };
    let page = html::write(&new, &besides).unwrap();
    let row = |id: &str| between(&page, &format!("<tr class=\"clause\" id=\"{id}\""), "</tr>").to_owned();
    assert!(
        row("LAY-001").contains("<i class=\"turn worse\">▼</i></span><span class=\"v\">1 fail, worse</span>"),
        "{}",
        row("LAY-001")
    );
    assert!(
        row("LAY-002").contains("<i class=\"turn better\">▲</i></span><span class=\"v\">1 pass, better</span>"),
        "{}",
        row("LAY-002")
    );
    let list = between(&page, "<section class=\"changes\"", "</section>");
    let (worse, better) = (list.find("Worse than before: 1").unwrap(), list.find("Better than before: 1").unwrap());
    assert!(worse < better);
    assert!(list.contains("<a href=\"#LAY-001\">"), "{list}");
    // The earlier verdicts are in the document, counted from 1.
    let (passed, skipped) = (Verdict::Pass.badness() + 1, Verdict::Skipped.badness() + 1);
    assert_eq!(data(&page)["cases"][0][4][0][4], passed);
    assert_eq!(data(&page)["cases"][1][4][0][4], skipped);
    // Compared with itself, no verdict is another one.
    let same = html::write(&new, &Besides { date: None, since: Some(Difference::of(&new, &new)) }).unwrap();
    assert!(same.contains("No verdict is another one."));
}

#[test]
fn only_pages_of_the_web_are_linked() {
    let linked = |address: &str| {
        let mut report = sample();
        report.header.implementations[0].homepage = Some(address.to_owned());
        report.header.implementations[0].issues = Some(address.to_owned());
        page(&report).matches("rel=\"noreferrer\"").count()
    };
    assert_eq!(linked("https://example.com/a?b=c#d"), 2);
    for address in
        ["javascript:alert(1)", " https://example.com", "https://example.com/\u{202E}", "data:text/html,x", ""]
    {
        assert_eq!(linked(address), 0, "{address:?}");
    }
}

#[test]
fn values_are_cut_and_documents_left_out() {
    let mut report = sample();
    report.rows[0].line.values = BTreeMap::from([
        ("long".to_owned(), json!("x".repeat(1000))),
        ("observed".to_owned(), json!({"hostname": "secret"})),
    ]);
    report.rows[0].line.reason = Some("y".repeat(1000));
    let page = page(&report);
    assert!(page.contains(&format!("\"{}…\"", "x".repeat(300))));
    assert!(page.contains(&format!("\"{}…\"", "y".repeat(600))));
    assert!(!page.contains("secret"));
}

/// A report that has `text` in each member that the lines can fill with any text.
pub(super) fn filled(text: &str) -> Report {
    let mut report = sample();
    let header = &mut report.header;
    for member in [&mut header.suite, &mut header.version, &mut header.format] {
        *member = text.to_owned();
    }
    for known in &mut header.implementations {
        known.name.push_str(text);
        known.product = text.to_owned();
        known.version = text.to_owned();
        known.homepage = Some(text.to_owned());
        known.issues = Some(text.to_owned());
    }
    for (host, names) in &mut report.hosts {
        (host.os, host.architecture, host.kernel) = (text.to_owned(), text.to_owned(), Some(text.to_owned()));
        *names = report.header.implementations.iter().map(|known| known.name.clone()).collect();
    }
    for row in &mut report.rows {
        let line = &mut row.line;
        line.case.push_str(text);
        // A clause that is not known has no text, so the first of each stays.
        line.clauses.push(format!("LAY-999{text}"));
        line.implementation.push_str(text);
        line.reason = Some(text.to_owned());
        line.values =
            BTreeMap::from([(text.to_owned(), json!({text: [text]})), ("observed".to_owned(), json!(line.case))]);
        (row.why, row.reproduce, row.hint) = (text.to_owned(), text.to_owned(), text.to_owned());
    }
    report.footer.stale = vec![Stale { implementation: text.to_owned(), case: text.to_owned() }];
    report
}

/// With changes of each kind, besides.
fn filled_page(text: &str) -> String {
    let new = filled(text);
    let mut old = new.clone();
    old.rows[0].line.verdict = Verdict::Pass;
    old.rows[1].line.verdict = Verdict::Fail;
    old.rows[2].line.case.push_str("gone");
    html::write(&new, &Besides { date: None, since: Some(Difference::of(&old, &new)) }).unwrap()
}

/// All that is markup: elements with the names of their attributes, without the contents of scripts.
fn markup(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some((_, tag)) = rest.split_once('<') {
        let mut quoted = false;
        let end = tag.find(|character| {
            quoted ^= character == '"';
            character == '>' && !quoted
        });
        let (tag, after) = tag.split_at(end.unwrap());
        found.push(tag.split('"').step_by(2).collect());
        rest = after;
        for element in ["script", "style"] {
            if tag.starts_with(element) {
                rest = rest.split_once(&format!("</{element}")).unwrap().1;
            }
        }
    }
    found
}

const HOSTILE: [&str; 8] = [
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "<!--<script>",
    "]]>&lt;b&gt;&amp;{{ 7 * 7 }}{% raw %}",
    "\u{0}\u{1B}[31m\u{7}\u{85}",
    "\u{202E}\u{2066}\u{2028}\u{2029}\u{FEFF}",
    "javascript:alert(1)",
];

#[test]
fn whatever_the_lines_say_is_text() {
    let plain = markup(&filled_page("x"));
    assert!(plain.len() > 300, "{}", plain.len());
    for text in HOSTILE {
        let page = filled_page(text);
        assert_eq!(markup(&page), plain, "{text:?}");
        let hidden: Vec<char> = page.chars().filter(|character| *character != '\n' && is_hidden(*character)).collect();
        assert_eq!(hidden, [], "{text:?}");
        assert!(!page.contains("7 * 7 = 49"));
        let names = data(&page)["implementations"].to_string();
        assert!(names.contains("mine"), "{names}");
    }
}

#[test]
fn a_command_has_one_word_for_the_case() {
    let lines = text(vec![line("mine", "LAY-001/one; rm -r 'x'", Verdict::Fail)], Vec::new());
    let report = read(&lines);
    let command = "cornercast-conformance reproduce 'LAY-001/one; rm -r '\\''x'\\''' --impl mine";
    assert_eq!(report.rows[0].reproduce, command);
    assert_eq!(data(&page(&report))["cases"][0][3], "'LAY-001/one; rm -r '\\''x'\\'''");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_text(text in any::<String>()) {
        let plain = markup(&filled_page("x"));
        prop_assert_eq!(markup(&filled_page(&text)), plain);
    }
}
