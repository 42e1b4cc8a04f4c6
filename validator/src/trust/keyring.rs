//! Keyrings by themselves (REL-010 to REL-020).

use std::collections::{BTreeMap, BTreeSet};

use super::key::{KeyId, PublicKey};
use super::reading::Presence::{Optional, Required};
use super::reading::{At, Reading, Table, Type, value};
use super::types::{Keyring, RevokedKey, Rule};
use crate::clause;
use crate::diagnostic::Violation;
use crate::digest::Digest;
use crate::json::{Form, Value};
use crate::limits::Limits;
use crate::name::judge_name;
use crate::shown::quoted;

const KEYRING: &Table = &[
    ("name", Type::Text, Required),
    ("version", Type::Integer, Required),
    ("issued", Type::Text, Required),
    ("expires", Type::Text, Required),
    ("keys", Type::TextMap, Required),
    ("root", Type::Object, Required),
    ("release", Type::Objects, Required),
    ("catalog", Type::Objects, Optional),
    ("revoked", Type::Object, Optional),
];
const ROOT: &Table = &[("keyids", Type::Texts, Required), ("threshold", Type::Integer, Required)];
const RULE: &Table =
    &[("prefix", Type::Text, Required), ("keyids", Type::Texts, Required), ("threshold", Type::Integer, Required)];
const REVOKED: &Table = &[("keys", Type::Objects, Optional), ("images", Type::Objects, Optional)];
const REVOKED_KEY: &Table =
    &[("keyid", Type::Text, Required), ("reason", Type::Text, Required), ("since", Type::Text, Optional)];
const REVOKED_IMAGE: &Table = &[("image", Type::Object, Required), ("reason", Type::Text, Required)];

/// Judges a keyring; it is there if no clause is broken.
#[must_use]
pub fn check_keyring(source: &[u8], limits: &Limits) -> (Option<Keyring>, Vec<Violation>) {
    let violations = Reading::of(source, Form::Canonical, (limits, limits), &clause::REL_001, |reading, root| {
        reading.object(root, KEYRING);
        reading.host(root, "name");
        reading.keyring_number(root, "version");
        reading.times(root);
        for (name, at) in root.map("keys") {
            let Some(text) = at.node.as_str() else { continue };
            // REL-011
            if let Some(key) = reading.key(&at, text)
                && key.id().hex() != name
            {
                reading.report(&clause::REL_011, &at, format!("the key id of the key is {}", key.id().hex()));
            }
        }
        let is_object = root.get("keys").is_some_and(|keys| matches!(keys.node.value, Value::Object(_)));
        let keys: Option<BTreeSet<&str>> = is_object.then(|| root.map("keys").into_iter().map(|(id, _)| id).collect());
        if let Some(rule) = root.get("root") {
            reading.object(&rule, ROOT);
            let most = reading.limits.root_threshold;
            judge_rule(reading, keys.as_ref(), &rule, most);
        }
        for list in ["release", "catalog"] {
            let rules = root.list(list);
            for rule in &rules {
                reading.object(rule, RULE);
                prefix(reading, root, rule);
                let most = reading.limits.signatures;
                judge_rule(reading, keys.as_ref(), rule, most);
            }
            // REL-018
            reading.ascending(&clause::REL_018, &rules, "prefix", |at| bytes(at, "prefix"));
        }
        if let Some(revoked) = root.get("revoked") {
            judge_revoked(reading, &revoked);
        }
    });
    (value(source, &violations), violations)
}

fn bytes(at: &At<'_>, name: &str) -> Option<Vec<u8>> {
    at.text(name).map(|(_, text)| text.as_bytes().to_vec())
}

/// REL-012 to REL-016; `keys` are those of the keyring, if it has any.
fn judge_rule(reading: &mut Reading<'_>, keys: Option<&BTreeSet<&str>>, rule: &At<'_>, most: usize) {
    reading.key_ids(rule);
    let ids = rule.list("keyids");
    if let Some(keys) = keys {
        for at in &ids {
            if let Some(id) = at.node.as_str().filter(|id| Digest::from_hex(id).is_some() && !keys.contains(*id)) {
                reading.report(&clause::REL_014, at, format!("the key {id} is not among `keys`"));
            }
        }
    }
    if !ids.is_empty() {
        reading.threshold(rule, &clause::REL_015, ids.len());
    }
    if let Some((at, threshold)) = rule.integer("threshold")
        && usize::try_from(threshold).is_ok_and(|threshold| threshold > most && threshold <= ids.len())
    {
        reading.report(&clause::REL_016, &at, format!("{threshold} keys have to sign; the limit is {most}"));
    }
}

/// REL-017
fn prefix(reading: &mut Reading<'_>, root: &At<'_>, rule: &At<'_>) {
    let (Some((at, prefix)), Some((_, name))) = (rule.text("prefix"), root.text("name")) else { return };
    let is_below = prefix.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
    if prefix != name && !(is_below && judge_name(prefix, reading.limits).is_empty()) {
        let message = format!("the prefix {} is neither {} nor a name below it", quoted(prefix), quoted(name));
        reading.report(&clause::REL_017, &at, message);
    }
}

/// REL-019, REL-020
fn judge_revoked(reading: &mut Reading<'_>, revoked: &At<'_>) {
    reading.object(revoked, REVOKED);
    let keys = revoked.list("keys");
    for key in &keys {
        reading.object(key, REVOKED_KEY);
        if let Some((at, text)) = key.text("keyid") {
            reading.key_id(&at, text);
        }
        reading.time(key, "since");
    }
    reading.ascending(&clause::REL_019, &keys, "key id", |at| bytes(at, "keyid"));
    let images = revoked.list("images");
    for image in &images {
        reading.object(image, REVOKED_IMAGE);
        reading.descriptor(image, "image");
    }
    reading.ascending(&clause::REL_020, &images, "digest", |at| bytes(&at.get("image")?, "digest"));
}

impl Keyring {
    /// The keys by their ids.
    #[must_use]
    pub fn keys(&self) -> BTreeMap<KeyId, PublicKey> {
        self.keys.values().filter_map(|text| PublicKey::parse(text).ok()).map(|key| (key.id(), key)).collect()
    }

    /// The revoked key with this id.
    #[must_use]
    pub fn revoked_key(&self, id: &str) -> Option<&RevokedKey> {
        self.revoked.keys.iter().find(|key| key.keyid == id)
    }

    /// The rule for the catalogs of a name (REL-031).
    #[must_use]
    pub fn catalog_rule(&self, name: &str) -> Option<&Rule> {
        longest(self.catalog.iter().map(|rule| (rule.prefix.as_str(), rule)), name)
    }

    /// The rule for the releases of a name (REL-031).
    #[must_use]
    pub fn release_rule(&self, name: &str) -> Option<&Rule> {
        longest(self.release.iter().map(|rule| (rule.prefix.as_str(), rule)), name)
    }
}

/// Whether a rule with this prefix is for a name: it is empty, the name itself, or followed by a `/` in it.
pub(super) fn applies(prefix: &str, name: &str) -> bool {
    prefix.is_empty() || name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What belongs to the longest prefix that is for a name (REL-031, POL-020).
pub(super) fn longest<'r, T>(rules: impl Iterator<Item = (&'r str, T)>, name: &str) -> Option<T> {
    rules.filter(|(prefix, _)| applies(prefix, name)).max_by_key(|(prefix, _)| prefix.len()).map(|(_, rule)| rule)
}
