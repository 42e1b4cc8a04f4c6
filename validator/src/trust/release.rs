//! Releases and attestations (REL).

use super::reading::Presence::{Optional, Required};
use super::reading::{At, Reading, Table, Type, value};
use super::types::{Attestation, Release};
use crate::clause;
use crate::diagnostic::Violation;
use crate::json::Form;
use crate::limits::Limits;
use crate::manifest::{is_annotation_name, is_media_type};
use crate::shown::quoted;

const RELEASE: &Table = &[
    ("image", Type::Object, Required),
    ("name", Type::Text, Required),
    ("version", Type::Text, Required),
    ("platform", Type::Object, Required),
    ("issued", Type::Text, Required),
    ("expires", Type::Text, Optional),
    ("annotations", Type::TextMap, Optional),
];
const ATTESTATION: &Table = &[
    ("image", Type::Object, Required),
    ("type", Type::Text, Required),
    ("body", Type::Object, Required),
    ("issued", Type::Text, Required),
];

/// Judges a release; it is there if no clause is broken.
#[must_use]
pub fn check_release(source: &[u8], limits: &Limits) -> (Option<Release>, Vec<Violation>) {
    let violations = Reading::of(source, Form::Canonical, (limits, limits), &clause::REL_001, |reading, root| {
        reading.object(root, RELEASE);
        reading.descriptor(root, "image");
        reading.name(root, "name");
        if let Some((at, text)) = root.text("version") {
            reading.version(&at, text);
        }
        reading.platform(root);
        reading.times(root);
        annotations(reading, root);
    });
    (value(source, &violations), violations)
}

/// MAN-011
fn annotations(reading: &mut Reading<'_>, root: &At<'_>) {
    for (name, at) in root.map("annotations").into_iter().filter(|(name, _)| !is_annotation_name(name)) {
        let message = format!("the annotation name {} is not well formed", quoted(name));
        reading.report(&clause::MAN_011, &at, message);
    }
}

/// Judges an attestation; it is there if no clause is broken.
#[must_use]
pub fn check_attestation(source: &[u8], limits: &Limits) -> (Option<Attestation>, Vec<Violation>) {
    let violations = Reading::of(source, Form::Canonical, (limits, limits), &clause::REL_001, |reading, root| {
        reading.object(root, ATTESTATION);
        reading.descriptor(root, "image");
        reading.descriptor(root, "body");
        reading.time(root, "issued");
        // REL-049
        if let Some((at, text)) = root.text("type").filter(|(_, text)| !is_media_type(text)) {
            reading.report(&clause::REL_049, &at, format!("{} is no media type without parameters", quoted(text)));
        }
    });
    (value(source, &violations), violations)
}
