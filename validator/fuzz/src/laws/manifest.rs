//! Manifests.

use cornercast::diagnostic::Violation;
use cornercast::json::{Form, Node, Value, read, to_canonical, write_node};
use cornercast::limits::Limits;
use cornercast::manifest::{self, Manifest};

use super::{place, schemas};

/// The checker keeps no more violations of one manifest.
const MOST: usize = 1000;

/// What holds of any bytes.
pub fn hold(bytes: &[u8]) {
    let limits = Limits::FORMAT;
    let (outline, violations) = manifest::check(bytes, &limits);
    let document = read(bytes, Form::Canonical, &limits);
    place::inside(&violations, bytes);
    place::has_lines(&violations, bytes);
    assert!(violations.len() <= MOST);
    place::sorted(&violations);
    let json = |violations: &[Violation]| violations.iter().filter(|found| found.clause.id.starts_with("JSN-")).count();
    assert_eq!(json(&violations), json(&document.violations), "the JSON has the same defects");
    for violation in &violations {
        pointer(violation, document.root.as_ref());
    }
    let Some(outline) = outline else {
        assert!(!violations.is_empty(), "nothing was understood, and nothing said");
        return;
    };
    assert_eq!(outline.sound, violations.is_empty());
    let root = document.root.expect("an outline is one of a value");
    assert!(outline.layers.len() <= root.get("layers").map_or(0, |layers| layers.elements().len()));
    if !violations.is_empty() {
        return;
    }
    let mut written = Vec::new();
    write_node(&mut written, &root);
    assert_eq!(written, bytes, "an accepted manifest is canonical");
    let value = root.to_serde();
    schemas::accepts_manifest(&value);
    let typed: Manifest = serde_json::from_value(value).expect("the types hold what is accepted");
    let typed = serde_json::to_value(typed).expect("the types become JSON");
    assert_eq!(to_canonical(&typed).as_deref(), Some(bytes), "the types make another manifest");
    assert!(outline.all_layers && outline.rootfs.is_some() && outline.identity().is_some());
}

/// A pointer leads to the value whose bytes the place has, to the one whose name it has, or to a member
/// that is missing in it.
fn pointer(violation: &Violation, root: Option<&Node>) {
    let (Some(pointer), Some(mut node)) = (&violation.place.pointer, root) else { return };
    let mut start = node.bytes.start as u64;
    for segment in pointer.split('/').skip(1) {
        let name = segment.replace("~1", "/").replace("~0", "~");
        let next = match &node.value {
            Value::Array(elements) => name.parse::<usize>().ok().and_then(|index| elements.get(index)),
            _ => node.get(&name),
        };
        let Some(next) = next else { break };
        let named = node.members().iter().find(|member| std::ptr::eq(&member.node, next));
        start = named.map_or(next.bytes.start, |member| member.name_bytes.start) as u64;
        node = next;
    }
    let bytes = violation.place.bytes.clone().expect("a value stands somewhere");
    let there = start..node.bytes.end as u64;
    assert!(there.start <= bytes.end && bytes.start <= there.end, "{pointer} is at {there:?}, not at {bytes:?}");
}
