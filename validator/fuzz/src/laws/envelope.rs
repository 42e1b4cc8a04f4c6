//! Envelopes.

use cornercast::limits::Limits;
use cornercast::trust::{check_envelope, open, write};

use super::place;

/// What holds of any bytes.
pub fn hold(bytes: &[u8]) {
    let limits = Limits::FORMAT;
    let (opened, violations) = open(bytes, &limits);
    place::inside(&violations, bytes);
    assert_eq!(opened.is_some(), violations.is_empty(), "an envelope breaks a clause or can be opened");
    let all = check_envelope(bytes, &limits);
    assert!(all.len() >= violations.len(), "the payload takes something back");
    let Some(opened) = opened else { return };
    assert_eq!(write(&opened), bytes, "an envelope has one spelling");
    assert!(!opened.signatures.is_empty());
    assert_eq!(opened.check(&limits).len(), all.len(), "the payload is judged in one way");
}
