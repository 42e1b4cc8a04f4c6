//! Result lines that say something untrue, or very much of it.

use std::time::Instant;

use cornercast_conformance::report::badge::Badge;
use cornercast_conformance::report::difference::Difference;
use cornercast_conformance::report::{
    Besides, MAX_IMPLEMENTATIONS, Report, book, html, junit, markdown, matrix, observed,
};
use cornercast_conformance::results::{Conclusion, Verdict};

use super::page::filled;
use super::{line, plain, read, text};

fn refused(text: &str) -> String {
    let nothing = |_: &str| String::new();
    Report::read(text, nothing, nothing).unwrap_err()
}

#[test]
fn a_footer_is_not_believed() {
    let whole = text(vec![line("mine", "LAY-001/one", Verdict::Fail)], Vec::new());
    let other = whole.replace("\"mine\":{\"fail\":1}", "\"mine\":{\"pass\":1}");
    assert_eq!(refused(&other), "the footer counts other verdicts of mine than the results have");
    let better = whole.replace("\"not-conformant\"", "\"conformant\"");
    assert_ne!(better, whole);
    let report = read(&better);
    assert_eq!(report.footer.result, Conclusion::NotConformant);
    assert_eq!(report.conclusion("mine"), Some(Conclusion::NotConformant));
}

#[test]
fn an_implementation_without_a_case_is_not_conformant() {
    let mut report = read(&text(vec![line("mine", "LAY-001/one", Verdict::Pass)], Vec::new()));
    let mut second = report.header.implementations[0].clone();
    second.name = "idle".to_owned();
    report.header.implementations.push(second);
    assert_eq!(report.conclusion("idle"), None);
    assert_eq!(Badge::of(&report, Some("idle")).unwrap_err(), "no case was put to `idle`");
    let page = book::write(&report, &Besides::default());
    assert!(page.contains("| 0 of 0 | no case |"), "{page}");
    assert!(html::write(&report, &Besides::default()).unwrap().contains("no case"));
}

#[test]
fn what_nothing_decides_is_nowhere_among_what_can_be_passed() {
    let verdicts = [Verdict::Pass, Verdict::Recorded, Verdict::Pass, Verdict::Recorded, Verdict::Recorded];
    let lines = verdicts.iter().enumerate();
    let lines = lines.map(|(number, verdict)| line("mine", &format!("LAY-001/{number}"), *verdict)).collect();
    let report = read(&text(lines, Vec::new()));
    assert!(plain(|out| matrix::write(out, &report)).contains("2/2  3 recorded"));
    assert!(markdown::write(&report).contains("2/2, 3 recorded"));
    assert!(book::write(&report, &Besides::default()).contains("| 2 of 2 | conformant |"));
    let badge = serde_json::to_value(Badge::of(&report, None).unwrap().endpoint()).unwrap();
    assert_eq!(badge["message"], "conformant 2/2");
    let page = html::write(&report, &Besides::default()).unwrap();
    assert!(!page.contains("2/5") && !page.contains("2 of 5"));
}

/// Whatever the names are, a terminal is told nothing, and each stands in its line.
#[test]
fn no_name_speaks_to_a_terminal() {
    let (hostile, harmless) = (filled("\u{7}\u{202E}\r\n\u{9B}"), filled("x"));
    let differs = |report: &Report| {
        let mut old = report.clone();
        old.rows[0].line.verdict = Verdict::Pass;
        old.rows[1].line.case.push_str("gone");
        Difference::of(&old, report)
    };
    let texts = |report: &Report| {
        let mut out = Vec::new();
        matrix::write(&mut out, report).unwrap();
        differs(report).write(&mut out).unwrap();
        observed::write(&mut out, &report.differences()).unwrap();
        String::from_utf8(out).unwrap()
    };
    let (hostile, harmless) = (texts(&hostile), texts(&harmless));
    assert!(!hostile.contains(['\u{7}', '\u{202E}', '\r', '\u{9B}']), "{hostile:?}");
    assert_eq!(hostile.lines().count(), harmless.lines().count());
}

/// Coarse bounds: each form takes a time that grows with the lines, not with their square.
#[test]
fn many_chapters_and_clauses_take_their_time_once() {
    let lines: Vec<_> = (0..20_000).map(|number| line("mine", &format!("X{number}-1/a"), Verdict::Fail)).collect();
    let report = read(&text(lines, Vec::new()));
    let mut old = report.clone();
    old.rows.iter_mut().for_each(|row| row.line.verdict = Verdict::Pass);
    let since = Some(Difference::of(&old, &report));
    let start = Instant::now();
    let besides = Besides { date: None, since };
    let sizes = [
        plain(|out| matrix::write(out, &report)).len(),
        markdown::write(&report).len(),
        book::write(&report, &besides).len(),
        junit::write(&report).unwrap().len(),
        html::write(&report, &besides).unwrap().len(),
    ];
    assert!(sizes.iter().all(|size| *size > 0));
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn a_report_has_room_for_so_many_implementations() {
    let lines =
        |many: usize| (0..many).map(|number| line(&format!("i{number}"), "LAY-001/one", Verdict::Pass)).collect();
    let most = text(lines(MAX_IMPLEMENTATIONS), Vec::new());
    assert_eq!(read(&most).header.implementations.len(), MAX_IMPLEMENTATIONS);
    let more = text(lines(MAX_IMPLEMENTATIONS + 1), Vec::new());
    assert_eq!(refused(&more), "there are 257 implementations, and a report has at most 256");
}
