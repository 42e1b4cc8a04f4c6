//! Badges.

use cornercast_conformance::report::badge::Badge;
use cornercast_conformance::results::Verdict;
use quick_xml::events::Event;

use super::{line, read, sample, text};

#[test]
fn as_svg() {
    let report = read(&text(vec![line("mine", "LAY-001/one", Verdict::Pass)], Vec::new()));
    insta::assert_snapshot!(Badge::of(&report, None).unwrap().svg());
}

#[test]
fn for_shields_io() {
    let message = |verdicts: &[Verdict]| {
        let lines = verdicts.iter().enumerate();
        let lines = lines.map(|(index, verdict)| line("mine", &format!("LAY-001/{index}"), *verdict)).collect();
        let badge = Badge::of(&read(&text(lines, Vec::new())), Some("mine")).unwrap();
        serde_json::to_value(badge.endpoint()).unwrap()
    };
    let passed = message(&[Verdict::Pass, Verdict::Pass]);
    assert_eq!(passed["schemaVersion"], 1);
    assert_eq!(passed["label"], "Cornercast 1.0");
    assert_eq!((&passed["message"], &passed["isError"]), (&"conformant 2/2".into(), &false.into()));
    assert_eq!(message(&[Verdict::Pass, Verdict::Xfail])["message"], "conformant with exceptions 1/2");
    assert_eq!(message(&[Verdict::Skipped])["message"], "incomplete 0/1");
    let failed = message(&[Verdict::Fail]);
    assert_eq!((&failed["message"], &failed["isError"]), (&"not conformant 0/1".into(), &true.into()));
    assert_ne!(failed["color"], passed["color"]);
}

#[test]
fn a_badge_is_of_one_implementation() {
    let refused = |name| Badge::of(&sample(), name).unwrap_err();
    assert_eq!(refused(None), "a badge tells of one implementation: --impl with one of `mine`, `other`");
    assert_eq!(refused(Some("x")), "no implementation is called `x`; there are `mine`, `other`");
    assert!(Badge::of(&sample(), Some("mine")).is_ok());
}

#[test]
fn whatever_the_header_says_it_is_one_image() {
    let mut report = read(&text(vec![line("mine", "LAY-001/one", Verdict::Pass)], Vec::new()));
    let hostile = "</title><script>\u{0}\u{202E}\"'&]]>".to_owned();
    report.header.format = hostile.clone();
    report.header.version = hostile.clone();
    report.header.implementations[0].product = hostile.clone();
    report.header.implementations[0].version = hostile;
    let badge = Badge::of(&report, None).unwrap();
    let svg = badge.svg();
    let mut elements = Vec::new();
    let mut reader = quick_xml::Reader::from_str(&svg);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) | Event::Empty(start) => elements.push(start.name().as_ref().to_owned()),
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(elements, ["svg", "title", "clipPath", "rect", "g", "rect", "rect", "g", "text", "text"]);
    assert!(!svg.contains(['\u{0}', '\u{202E}']), "{svg}");
}
