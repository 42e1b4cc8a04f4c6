//! States (POL-030 to POL-038): what a verifier remembers of an authority.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::patterns;
use super::reading::Presence::{Optional, Required};
use super::reading::{At, Reading, Table, Type, value};
use super::types::{Keyring, KeyringPin};
use crate::clause;
use crate::diagnostic::{Place, Violation};
use crate::digest::Digest;
use crate::json::Form;
use crate::limits::Limits;
use crate::manifest::Platform;
use crate::name::judge_name;
use crate::shown::quoted;

/// What a verifier remembers of an authority.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct State {
    /// The host.
    #[schemars(schema_with = "patterns::host")]
    pub authority: String,
    /// The last keyring that was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyring: Option<KeyringPin>,
    /// What is known of names below the authority.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, KnownName>,
}

/// What is known of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct KnownName {
    /// The last catalog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<KnownCatalog>,
    /// Images that were accepted, by version.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "patterns::accepted")]
    pub images: BTreeMap<String, Vec<KnownImage>>,
}

/// The last catalog of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct KnownCatalog {
    /// Its payload digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The lowest `keyring.version` of catalogs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 9_007_199_254_740_991_u64))]
    pub floor: Option<u64>,
    /// The keys of the rule that it met.
    #[schemars(schema_with = "patterns::key_ids")]
    pub keyids: Vec<String>,
    /// Its serial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 9_007_199_254_740_991_u64))]
    pub serial: Option<u64>,
    /// How many of the keys had to sign.
    #[schemars(range(min = 1, max = 16))]
    pub threshold: u64,
}

/// An image that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct KnownImage {
    /// Its id.
    pub image: Digest,
    /// What it runs on.
    pub platform: Platform,
}

const STATE: &Table =
    &[("authority", Type::Text, Required), ("keyring", Type::Object, Optional), ("names", Type::ObjectMap, Optional)];
const NAME: &Table = &[("catalog", Type::Object, Optional), ("images", Type::ListMap, Optional)];
const CATALOG: &Table = &[
    ("keyids", Type::Texts, Required),
    ("threshold", Type::Integer, Required),
    ("serial", Type::Integer, Optional),
    ("digest", Type::Text, Optional),
    ("floor", Type::Integer, Optional),
];
const IMAGE: &Table = &[("platform", Type::Object, Required), ("image", Type::Text, Required)];

/// Judges a state; it is there if no clause is broken.
#[must_use]
pub fn check_state(source: &[u8], limits: &Limits) -> (Option<State>, Vec<Violation>) {
    if source.len() as u64 > limits.state {
        let message = format!("the state has more than {} bytes", limits.state);
        let place = Place::bytes(limits.state..limits.state + 1);
        return (None, vec![Violation::new(&clause::POL_031, place, message)]);
    }
    let readers = Limits { document: limits.state, ..limits.clone() };
    let violations = Reading::of(source, Form::Canonical, (limits, &readers), &clause::POL_030, |reading, root| {
        reading.object(root, STATE);
        reading.host(root, "authority");
        reading.keyring_pin(root);
        for (name, at) in root.map("names") {
            let is_below = root
                .text("authority")
                .is_none_or(|(_, authority)| name.strip_prefix(authority).is_some_and(|rest| rest.starts_with('/')));
            if !is_below || !judge_name(name, reading.limits).is_empty() {
                reading.report(&clause::POL_030, &at, format!("{} is no name below the authority", quoted(name)));
            }
            reading.object(&at, NAME);
            if let Some(catalog) = at.get("catalog") {
                judge_catalog(reading, &catalog);
            }
            for (version, list) in at.map("images") {
                judge_images(reading, version, &list);
            }
        }
    });
    (value(source, &violations), violations)
}

/// POL-032, and the rule
fn judge_catalog(reading: &mut Reading<'_>, catalog: &At<'_>) {
    reading.object(catalog, CATALOG);
    reading.key_ids(catalog);
    let count = catalog.list("keyids").len();
    if count > 0 {
        reading.threshold(catalog, &clause::REL_015, count);
    }
    reading.digest(catalog, "digest");
    reading.keyring_number(catalog, "floor");
    if let Some((at, serial)) = catalog.integer("serial").filter(|(_, serial)| *serial < 1) {
        reading.report(&clause::REL_038, &at, format!("the serial is {serial}, not 1 or more"));
    }
    let has = |name: &str| catalog.get(name).is_some();
    if has("serial") != has("digest") || !(has("serial") || has("floor")) {
        let message = "the catalog has not both `serial` and `digest`, nor a `floor` in their place";
        reading.report(&clause::POL_032, catalog, message.to_owned());
    }
}

fn judge_images(reading: &mut Reading<'_>, version: &str, list: &At<'_>) {
    reading.version(list, version);
    let elements = list.elements();
    if elements.is_empty() {
        reading.report(&clause::POL_030, list, "the version has no image".to_owned());
    }
    for element in &elements {
        reading.object(element, IMAGE);
        reading.platform(element);
        reading.digest(element, "image");
    }
    reading.ascending(&clause::REL_041, &elements, "platform", |at| at.get("platform").map(|_| at.form("platform")));
}

impl State {
    /// What nothing is known of.
    #[must_use]
    pub fn of(authority: &str) -> Self {
        Self { authority: authority.to_owned(), ..Self::default() }
    }

    /// Remembers the last of the keyrings `read`, whose numbers ascend (POL-037). Of the names for
    /// which `has_floor`, serials by another rule become floors (POL-038).
    pub fn store_keyring(&mut self, read: &[(KeyringPin, Keyring)], has_floor: impl Fn(&str) -> bool) {
        let Some((pin, last)) = read.last() else { return };
        self.keyring = Some(*pin);
        for (name, known) in self.names.iter_mut().filter(|(name, _)| has_floor(name)) {
            let (Some(catalog), Some(rule)) = (&mut known.catalog, last.catalog_rule(name)) else { continue };
            let new = (&rule.keyids, rule.threshold);
            if new == (&catalog.keyids, catalog.threshold) {
                continue;
            }
            let has_new = |keyring: &Keyring| {
                keyring.catalog_rule(name).is_some_and(|rule| (&rule.keyids, rule.threshold) == new)
            };
            let since = read.iter().rev().take_while(|(_, keyring)| has_new(keyring)).last();
            *catalog = KnownCatalog {
                floor: since.map(|(pin, _)| pin.version),
                keyids: rule.keyids.clone(),
                threshold: rule.threshold,
                serial: None,
                digest: None,
            };
        }
    }

    /// The image that was accepted for a name, version and platform.
    #[must_use]
    pub fn image(&self, name: &str, version: &str, platform: &Platform) -> Option<Digest> {
        let images = self.names.get(name)?.images.get(version)?;
        images.iter().find(|known| known.platform == *platform).map(|known| known.image)
    }

    /// Remembers an image that was accepted (POL-039).
    pub fn store_image(&mut self, name: &str, version: &str, platform: &Platform, image: Digest) {
        if self.image(name, version, platform).is_some() {
            return;
        }
        let images = &mut self.names.entry(name.to_owned()).or_default().images;
        let list = images.entry(version.to_owned()).or_default();
        list.push(KnownImage { image, platform: platform.clone() });
        list.sort_by_cached_key(|known| super::types::canonical(&known.platform));
    }
}
