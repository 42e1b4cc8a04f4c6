//! Envelopes (SIG): DSSE, narrowed to one spelling.

use std::collections::{BTreeMap, BTreeSet};

use super::key::{KeyId, PublicKey, SecretKey, decode, encode};
use super::reading::Presence::Required;
use super::reading::{At, Reading, Table, Type};
use super::types::{Envelope, EnvelopeSignature, PayloadType, canonical};
use super::{catalog, keyring, release};
use crate::clause;
use crate::diagnostic::{Place, Severity, Violation};
use crate::digest::Digest;
use crate::json::{Form, Value};
use crate::limits::Limits;
use crate::shown::quoted;

const ENVELOPE: &Table = &[
    ("payload", Type::Text, Required),
    ("payloadType", Type::Text, Required),
    ("signatures", Type::Objects, Required),
];
const SIGNATURE: &Table = &[("keyid", Type::Text, Required), ("sig", Type::Text, Required)];

/// An envelope that breaks no clause of its form. Nothing is known yet of its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// What the payload is said to be, which the signatures cover.
    pub payload_type: PayloadType,
    /// The payload, decoded.
    pub payload: Vec<u8>,
    /// The signatures by key id.
    pub signatures: BTreeMap<KeyId, [u8; 64]>,
}

/// Reads an envelope and judges its form (SIG-005 to SIG-014), but not its payload.
#[must_use]
pub fn open(source: &[u8], limits: &Limits) -> (Option<Opened>, Vec<Violation>) {
    let size = source.len() as u64;
    let too_long = |limit: u64, clause| {
        let message = format!("the envelope has more than {limit} bytes");
        (None, vec![Violation::new(clause, Place::bytes(limit..limit + 1), message)])
    };
    if size > limits.envelope {
        return too_long(limits.envelope, &clause::SIG_005);
    }
    // The payload is as long as the envelope lets it.
    let long = usize::try_from(limits.envelope).unwrap_or(usize::MAX);
    let readers = Limits { document: limits.envelope, string: long, ..limits.clone() };
    let mut opened = None;
    let mut is_catalog = false;
    let violations = Reading::of(source, Form::Canonical, (limits, &readers), &clause::SIG_007, |reading, root| {
        is_catalog = root.text("payloadType").is_some_and(|(_, text)| text == PayloadType::Catalog.media_type());
        opened = judge(reading, root);
    });
    if size > limits.envelope_other && !is_catalog {
        return too_long(limits.envelope_other, &clause::SIG_006);
    }
    let is_sound = !violations.iter().any(|violation| violation.clause.severity == Severity::Error);
    (opened.filter(|_| is_sound), violations)
}

fn judge(reading: &mut Reading<'_>, root: &At<'_>) -> Option<Opened> {
    reading.object(root, ENVELOPE);
    let payload = root.text("payload").and_then(|(at, text)| {
        let payload = decode(text);
        if payload.is_none() {
            reading.report(&clause::SIG_008, &at, "the payload is not base64 of RFC 4648 with padding".to_owned());
        }
        payload
    });
    let payload_type = root.text("payloadType").and_then(|(at, text)| {
        let known = PayloadType::by_media_type(text);
        if known.is_none() {
            reading.report(&clause::SIG_009, &at, format!("the payload type {} is unknown", quoted(text)));
        }
        known
    });
    let signatures = signatures(reading, root);
    Some(Opened { payload_type: payload_type?, payload: payload?, signatures })
}

/// SIG-010 to SIG-014
fn signatures(reading: &mut Reading<'_>, root: &At<'_>) -> BTreeMap<KeyId, [u8; 64]> {
    let mut out = BTreeMap::new();
    let Some(at) = root.get("signatures").filter(|at| matches!(at.node.value, Value::Array(_))) else { return out };
    let elements = at.elements();
    if elements.is_empty() {
        reading.report(&clause::SIG_010, &at, "the envelope has no signature".to_owned());
    }
    if elements.len() > reading.limits.signatures {
        let limit = reading.limits.signatures;
        reading.report(
            &clause::SIG_011,
            &at,
            format!("the envelope has {} signatures; the limit is {limit}", elements.len()),
        );
        return out;
    }
    for element in &elements {
        reading.object(element, SIGNATURE);
        let id = element.text("keyid").and_then(|(at, text)| reading.key_id(&at, text));
        let signature = element.text("sig").and_then(|(at, text)| {
            let signature = decode(text).and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
            if signature.is_none() {
                let message = format!("the signature {} is not 64 bytes in base64", quoted(text));
                reading.report(&clause::SIG_013, &at, message);
            }
            signature
        });
        out.extend(id.zip(signature));
    }
    reading.ascending(&clause::SIG_014, &elements, "key id", |at| {
        at.text("keyid").map(|(_, text)| text.as_bytes().to_vec())
    });
    out
}

/// Judges an envelope and its payload, for those who only look at documents. No signature is verified.
#[must_use]
pub fn check_envelope(source: &[u8], limits: &Limits) -> Vec<Violation> {
    let (opened, mut violations) = open(source, limits);
    if let Some(opened) = opened {
        let payload = opened.check(limits).into_iter().map(|mut violation| {
            violation.place = violation.place.entry("payload");
            violation
        });
        violations.extend(payload);
    }
    violations
}

/// What is signed of a payload (SIG-015).
#[must_use]
pub fn signed_bytes(payload_type: PayloadType, payload: &[u8]) -> Vec<u8> {
    let media_type = payload_type.media_type();
    let mut out = format!("DSSEv1 {} {media_type} {} ", media_type.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

impl Opened {
    /// Judges the payload as what its type says.
    #[must_use]
    pub fn check(&self, limits: &Limits) -> Vec<Violation> {
        match self.payload_type {
            PayloadType::Release => release::check_release(&self.payload, limits).1,
            PayloadType::Keyring => keyring::check_keyring(&self.payload, limits).1,
            PayloadType::Catalog => catalog::check_catalog(&self.payload, limits).1,
            PayloadType::Attestation => release::check_attestation(&self.payload, limits).1,
        }
    }

    /// The payload digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.payload)
    }

    /// Those of the keys `listed` that have signed (SIG-015, SIG-018).
    ///
    /// # Errors
    ///
    /// SIG-017: the first key that is listed and whose signature does not hold.
    pub fn signers(&self, listed: &BTreeMap<KeyId, PublicKey>) -> Result<BTreeSet<KeyId>, KeyId> {
        let message = signed_bytes(self.payload_type, &self.payload);
        let mut out = BTreeSet::new();
        for (id, signature) in &self.signatures {
            let Some(key) = listed.get(id) else { continue };
            if !key.verifies(&message, signature) {
                return Err(*id);
            }
            out.insert(*id);
        }
        Ok(out)
    }
}

/// The envelope of a payload with signatures by `keys`.
#[must_use]
pub fn sign(payload_type: PayloadType, payload: &[u8], keys: &[&SecretKey]) -> Vec<u8> {
    let message = signed_bytes(payload_type, payload);
    let signatures = keys.iter().map(|key| (key.public().id(), key.sign(&message))).collect();
    write(&Opened { payload_type, payload: payload.to_vec(), signatures })
}

/// The canonical form of an envelope.
#[must_use]
pub fn write(envelope: &Opened) -> Vec<u8> {
    let signature =
        |(id, signature): (&KeyId, &[u8; 64])| EnvelopeSignature { keyid: id.hex(), sig: encode(signature) };
    canonical(&Envelope {
        payload: encode(&envelope.payload),
        payload_type: envelope.payload_type,
        signatures: envelope.signatures.iter().map(signature).collect(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_opened_again() {
        let keys = [SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32])];
        let listed = keys.iter().map(|key| (key.public().id(), key.public())).collect();
        let source = sign(PayloadType::Catalog, b"payload", &keys.iter().collect::<Vec<_>>());
        let (opened, violations) = open(&source, &Limits::FORMAT);
        let opened = opened.unwrap();
        assert!(violations.is_empty());
        assert_eq!((opened.payload_type, opened.payload.as_slice()), (PayloadType::Catalog, b"payload".as_slice()));
        assert_eq!(opened.signers(&listed).unwrap().len(), 2);
        assert_eq!(write(&opened), source);
        // The payload is no catalog.
        assert!(!opened.check(&Limits::FORMAT).is_empty());
    }
}
