//! Documents about trust where they stand in a store (STO-032, STO-033): envelopes, keyrings, catalogs and log proofs.

use super::layout::{FileKind, SignatureSet};
use crate::clause::{self, Clause};
use crate::diagnostic::{Place, Severity, Violation};
use crate::limits::Limits;
use crate::shown::shown;
use crate::trust::{self, Opened, PayloadType};

/// How long the document at a place can be; nothing where no document about trust stands.
pub(super) fn limit(kind: &FileKind, limits: &Limits) -> Option<u64> {
    match kind {
        FileKind::Keyring { .. } | FileKind::Catalog(_) | FileKind::Envelope(..) => Some(limits.envelope),
        FileKind::Proof(..) => Some(limits.log_proof),
        _ => None,
    }
}

/// The payload type that a place asks for.
fn wanted(kind: &FileKind) -> Option<PayloadType> {
    match kind {
        FileKind::Keyring { .. } => Some(PayloadType::Keyring),
        FileKind::Catalog(_) => Some(PayloadType::Catalog),
        FileKind::Envelope(SignatureSet::Signatures, ..) => Some(PayloadType::Release),
        FileKind::Envelope(SignatureSet::Attestations, ..) => Some(PayloadType::Attestation),
        _ => None,
    }
}

/// Judges the document at a place, of which no more than its limit and one byte has been read.
pub(super) fn judge(kind: &FileKind, source: &[u8], limits: &Limits) -> Vec<Violation> {
    if matches!(kind, FileKind::Proof(..)) {
        return trust::check_proof(source, limits).1;
    }
    let (opened, mut violations) = trust::open(source, limits);
    let (Some(opened), Some(wanted)) = (opened, wanted(kind)) else { return violations };
    let mut report = |clause: &'static Clause, pointer: &str, message: String| {
        let place = Place { pointer: Some(pointer.to_owned()), ..Place::default() };
        violations.push(Violation::new(clause, place, message));
    };
    if opened.payload_type != wanted {
        let message =
            format!("the envelope holds a {}, and its path asks for a {}", opened.payload_type.noun(), wanted.noun());
        report(&clause::STO_032, "/payloadType", message);
        return violations;
    }
    let found = opened.check(limits);
    let is_sound = !found.iter().any(|violation| violation.clause.severity == Severity::Error);
    if is_sound && let Some((pointer, message)) = other(kind, &opened, limits) {
        report(&clause::STO_033, pointer, message);
        if let Some(last) = violations.last_mut() {
            last.place = std::mem::take(&mut last.place).entry("payload");
        }
    }
    violations.extend(found.into_iter().map(|mut violation| {
        violation.place = violation.place.entry("payload");
        violation
    }));
    violations
}

/// The member of a payload that is another one than in the path, and what it is.
fn other(kind: &FileKind, opened: &Opened, limits: &Limits) -> Option<(&'static str, String)> {
    let payload = &opened.payload;
    match kind {
        FileKind::Keyring { authority, number } => {
            let keyring = trust::check_keyring(payload, limits).0?;
            if keyring.name != *authority {
                return Some(("/name", format!("the keyring is that of {}", shown(&keyring.name))));
            }
            (keyring.version != *number)
                .then(|| ("/version", format!("the keyring has the number {}", keyring.version)))
        }
        FileKind::Catalog(name) => {
            let catalog = trust::check_catalog(payload, limits).0?;
            (catalog.name != *name).then(|| ("/name", format!("the catalog is that of {}", shown(&catalog.name))))
        }
        FileKind::Envelope(set, image, _) => {
            let digest = match set {
                SignatureSet::Signatures => trust::check_release(payload, limits).0?.image.digest,
                SignatureSet::Attestations => trust::check_attestation(payload, limits).0?.image.digest,
            };
            (digest != *image).then(|| ("/image/digest", format!("it is about the image {digest}")))
        }
        _ => None,
    }
}
