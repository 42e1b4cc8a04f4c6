//! The documents about trust: what envelopes hold, policies and states.

use cornercast::diagnostic::Violation;
use cornercast::json::to_canonical;
use cornercast::limits::Limits;
use cornercast::trust::{check_attestation, check_catalog, check_keyring, check_policy, check_release, check_state};
use serde::Serialize;
use serde_json::Value;

use super::{place, schemas};

/// The checker keeps no more violations of one document.
const MOST: usize = 1000;

/// What holds of any bytes.
pub fn hold(bytes: &[u8]) {
    let limits = Limits::FORMAT;
    of_one("release", bytes, check_release(bytes, &limits));
    of_one("keyring", bytes, check_keyring(bytes, &limits));
    of_one("catalog", bytes, check_catalog(bytes, &limits));
    of_one("attestation", bytes, check_attestation(bytes, &limits));
    of_one("policy", bytes, check_policy(bytes, &limits));
    of_one("state", bytes, check_state(bytes, &limits));
}

fn of_one<Document: Serialize>(name: &str, bytes: &[u8], (document, violations): (Option<Document>, Vec<Violation>)) {
    place::inside(&violations, bytes);
    place::has_lines(&violations, bytes);
    assert!(violations.len() <= MOST);
    place::sorted(&violations);
    assert_eq!(document.is_some(), violations.is_empty(), "a {name} breaks a clause or can be read");
    let Some(document) = document else { return };
    let value: Value = serde_json::from_slice(bytes).expect("an accepted document is JSON");
    schemas::accepts_document(name, &value);
    let typed = serde_json::to_value(document).expect("the types become JSON");
    assert_eq!(to_canonical(&typed), to_canonical(&value), "the types make another {name}");
}
