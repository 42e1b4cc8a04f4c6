//! The page of a book.

use cornercast_conformance::report::{Besides, book};
use cornercast_conformance::results::Verdict;

use super::{line, read, sample, text};

#[test]
fn as_a_page() {
    let besides = Besides { date: Some("2026-11-30".to_owned()), since: None };
    insta::assert_snapshot!(book::write(&sample(), &besides));
}

#[test]
fn where_all_pass_nothing_is_listed() {
    let page =
        book::write(&read(&text(vec![line("mine", "LAY-001/one", Verdict::Pass)], Vec::new())), &Besides::default());
    assert!(page.contains("\nThere is none.\n"), "{page}");
    assert!(!page.contains("| clause |"), "{page}");
}

#[test]
fn why_a_failure_was_expected_is_not_cut_off() {
    let mut expected = line("mine", "LAY-001/one", Verdict::Xfail);
    expected.reason = Some(format!("{}; expected: mine cannot do this", "x".repeat(500)));
    let page = book::write(&read(&text(vec![expected], Vec::new())), &Besides::default());
    assert!(page.contains(&format!("| xfail | `{}…; expected: mine cannot do this` |", "x".repeat(150))), "{page}");
}

#[test]
fn implementations_that_fail_alike_share_a_row_and_rows_are_bounded() {
    let lines = (0..1001).flat_map(|number| {
        let case = format!("LAY-001/{number}");
        ["a", "b"].map(|implementation| line(implementation, &case, Verdict::Skipped))
    });
    let page = book::write(&read(&text(lines.collect(), Vec::new())), &Besides::default());
    assert_eq!(page.matches("| [LAY-001](../layer.md#LAY-001) |").count(), 1000);
    assert!(page.contains("| `LAY-001/7` | `a`, `b` | skipped | `it is skipped` |"), "{page}");
    assert!(page.ends_with("\n1 more are in the result lines.\n"));
}
