//! Catalogs by themselves (REL-038 to REL-044).

use std::collections::BTreeSet;

use super::reading::Presence::{Optional, Required};
use super::reading::{At, Reading, Table, Type, value};
use super::time::seconds;
use super::types::Catalog;
use crate::clause;
use crate::diagnostic::Violation;
use crate::json::{Form, Value};
use crate::limits::Limits;
use crate::shown::{quoted, shown};

const CATALOG: &Table = &[
    ("name", Type::Text, Required),
    ("serial", Type::Integer, Required),
    ("issued", Type::Text, Required),
    ("expires", Type::Text, Required),
    ("keyring", Type::Object, Required),
    ("versions", Type::ListMap, Required),
    ("channels", Type::TextMap, Optional),
    ("withdrawn", Type::Objects, Optional),
];
const LISTED: &Table = &[("platform", Type::Object, Required), ("image", Type::Object, Required)];
const WITHDRAWN: &Table =
    &[("version", Type::Text, Required), ("platform", Type::Object, Optional), ("reason", Type::Text, Required)];

/// Judges a catalog; it is there if no clause is broken.
#[must_use]
pub fn check_catalog(source: &[u8], limits: &Limits) -> (Option<Catalog>, Vec<Violation>) {
    let readers = Limits { document: limits.envelope, ..limits.clone() };
    let violations = Reading::of(source, Form::Canonical, (limits, &readers), &clause::REL_001, |reading, root| {
        reading.object(root, CATALOG);
        reading.name(root, "name");
        if let Some((at, serial)) = root.integer("serial").filter(|(_, serial)| *serial < 1) {
            // REL-038
            reading.report(&clause::REL_038, &at, format!("the serial is {serial}, not 1 or more"));
        }
        times(reading, root);
        reading.keyring_pin(root);
        for (version, list) in root.map("versions") {
            judge_version(reading, version, &list);
        }
        withdrawn(reading, root);
        let versions: BTreeSet<&str> = root.map("versions").into_iter().map(|(version, _)| version).collect();
        for (channel, at) in root.map("channels") {
            reading.channel(&at, channel);
            let Some(version) = at.node.as_str() else { continue };
            // REL-044
            if root.get("versions").is_some() && !versions.contains(version) {
                let message = format!("the version {} of the channel is not listed", quoted(version));
                reading.report(&clause::REL_044, &at, message);
            }
        }
    });
    (value(source, &violations), violations)
}

/// REL-003 to REL-005, REL-039
fn times(reading: &mut Reading<'_>, root: &At<'_>) {
    let before = reading.violations.len();
    reading.times(root);
    let (Some((_, issued)), Some((at, expires))) = (root.text("issued"), root.text("expires")) else { return };
    let days = reading.limits.catalog_seconds;
    let lasts = seconds(expires).zip(seconds(issued)).map(|(expires, issued)| expires - issued);
    if reading.violations.len() == before && lasts.is_some_and(|lasts| lasts > days) {
        let message = format!("the catalog lasts from {issued} to {expires}, more than {days} seconds");
        reading.report(&clause::REL_039, &at, message);
    }
}

/// REL-040, REL-041
fn judge_version(reading: &mut Reading<'_>, version: &str, list: &At<'_>) {
    reading.version(list, version);
    let elements = list.elements();
    if matches!(list.node.value, Value::Array(_)) && elements.is_empty() {
        reading.report(&clause::REL_040, list, format!("the version {} lists no image", shown(version)));
    }
    for element in &elements {
        reading.object(element, LISTED);
        reading.platform(element);
        reading.descriptor(element, "image");
    }
    reading.ascending(&clause::REL_041, &elements, "platform", |at| at.get("platform").map(|_| at.form("platform")));
}

/// REL-042, REL-043
fn withdrawn(reading: &mut Reading<'_>, root: &At<'_>) {
    let elements = root.list("withdrawn");
    let mut listed = BTreeSet::new();
    for (version, list) in root.map("versions") {
        listed.insert((version, Vec::new()));
        listed.extend(list.elements().iter().map(|element| (version, element.form("platform"))));
    }
    for element in &elements {
        reading.object(element, WITHDRAWN);
        reading.platform(element);
        let Some((at, version)) = element.text("version") else { continue };
        reading.version(&at, version);
        let form = element.form("platform");
        if listed.contains(&(version, form.clone())) {
            let of = if form.is_empty() { String::new() } else { format!(" for {}", String::from_utf8_lossy(&form)) };
            let message = format!("the version {}{of} is listed and withdrawn", shown(version));
            reading.report(&clause::REL_043, element, message);
        }
    }
    reading.ascending(&clause::REL_042, &elements, "version and platform", |at| {
        // No byte of a version is 0.
        let (_, version) = at.text("version")?;
        Some([version.as_bytes(), &[0], &at.form("platform")].concat())
    });
}
