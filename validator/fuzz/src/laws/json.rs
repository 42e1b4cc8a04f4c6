//! JSON: strict and canonical documents.

use cornercast::diagnostic::Violation;
use cornercast::json::{Form, Node, Value, read, to_canonical, write_node};
use cornercast::limits::Limits;

use super::place;

/// The clauses that only a canonical document has to meet.
const CANONICAL: [&str; 3] = ["JSN-017", "JSN-018", "JSN-019"];
/// The reader keeps no more violations of one document.
const MOST: usize = 1000;

/// What holds of any bytes.
pub fn hold(bytes: &[u8]) {
    let limits = Limits::FORMAT;
    let strict = read(bytes, Form::Strict, &limits);
    let canonical = read(bytes, Form::Canonical, &limits);
    for document in [&strict, &canonical] {
        place::inside(&document.violations, bytes);
        place::has_lines(&document.violations, bytes);
        place::sorted(&document.violations);
        assert!(document.violations.len() <= MOST);
        assert!(document.root.is_some() || !document.violations.is_empty(), "no value, and nothing said");
    }
    assert_eq!(strict.root, canonical.root, "the form changes the value");
    if canonical.violations.len() < MOST {
        let without: Vec<&Violation> =
            canonical.violations.iter().filter(|violation| !CANONICAL.contains(&violation.clause.id)).collect();
        assert_eq!(strict.violations.iter().collect::<Vec<_>>(), without);
    }
    let Some(root) = &strict.root else { return };
    spans(root, bytes, 1);
    if !strict.violations.is_empty() {
        return;
    }
    let theirs: serde_json::Value = serde_json::from_slice(bytes).expect("serde_json reads what is strict");
    assert_eq!(theirs, root.to_serde(), "serde_json reads another value");
    let mut written = Vec::new();
    write_node(&mut written, root);
    assert_eq!(Some(&written), to_canonical(&theirs).as_ref(), "the two writers disagree");
    // "A document is canonical if and only if parsing it and writing the result gives the same bytes."
    assert_eq!(canonical.violations.is_empty(), written == bytes, "{:?}", canonical.violations);
    let again = read(&written, Form::Canonical, &limits);
    assert!(again.violations.is_empty(), "{:?}", again.violations);
    assert_eq!(again.root.map(|root| root.to_serde()), Some(theirs));
}

/// Each value stands inside its parent and behind the one before it, and begins and ends as its type does.
fn spans(node: &Node, source: &[u8], depth: usize) {
    assert!(depth <= Limits::FORMAT.depth + 1, "deeper than the limit");
    let text = &source[node.bytes.clone()];
    let (first, last) = (text[0], text[text.len() - 1]);
    match &node.value {
        Value::Invalid => assert!(matches!(first, b'n' | b'"' | b'-' | b'0'..=b'9')),
        Value::Boolean(value) => assert_eq!(text, if *value { &b"true"[..] } else { b"false" }),
        Value::Integer(value) => assert_eq!(text, value.to_string().as_bytes()),
        Value::String(_) => assert_eq!((first, last), (b'"', b'"')),
        Value::Array(_) => assert_eq!((first, last), (b'[', b']')),
        Value::Object(_) => assert_eq!((first, last), (b'{', b'}')),
    }
    let mut at = node.bytes.start + 1;
    for member in node.members() {
        assert!(at <= member.name_bytes.start && member.name_bytes.end < member.node.bytes.start);
        assert_eq!(source[member.name_bytes.start], b'"');
        at = member.node.bytes.end;
        spans(&member.node, source, depth + 1);
    }
    for element in node.elements() {
        assert!(at <= element.bytes.start);
        at = element.bytes.end;
        spans(element, source, depth + 1);
    }
    let nested = matches!(node.value, Value::Array(_) | Value::Object(_));
    assert!(!nested || at < node.bytes.end);
}
