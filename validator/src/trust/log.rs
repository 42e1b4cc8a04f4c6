//! Verifying log proofs (LOG-010 to LOG-016): the formats of C2SP, narrowed.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::key::PublicKey;
use super::policy::Log;
use super::proof::{NoteSignature, Proof};
use super::verdict::Rejection;
use super::verify::Verifier;

/// What the key of a log signs.
pub(super) const CHECKPOINT: u8 = 1;
/// What the key of a witness signs.
pub(super) const COSIGNATURE: u8 = 4;

/// The time before which an envelope existed, in seconds since 1970, if the proof of it holds at the time `now`.
pub(super) fn proven_time(
    verifier: &Verifier<'_>,
    proof: &Proof,
    envelope: &[u8],
    log: &Log,
) -> Result<i64, Rejection> {
    let most = verifier.request.limits.log_entry;
    if envelope.len() > most {
        verifier.reject("LOG-016", format!("the envelope has {} bytes; a log takes {most}", envelope.len()))?;
    }
    if proof.origin != log.origin {
        let reason = format!("the proof is of the log {}, and the rule asks for {}", proof.origin, log.origin);
        verifier.reject("LOG-010", reason)?;
    }
    checkpoint(proof, log).or_else(|reason| verifier.reject("LOG-011", reason))?;
    let times = cosignatures(verifier, proof, log)?;
    let quorum = usize::try_from(log.quorum).unwrap_or(usize::MAX);
    if times.len() < quorum {
        verifier.reject("LOG-014", format!("{} of the witnesses have signed; {quorum} have to", times.len()))?;
    }
    if !is_included(leaf_hash(envelope), proof) {
        verifier.reject("LOG-015", "the hashes do not lead from the envelope to the root of the log")?;
    }
    let time = quorum.checked_sub(1).and_then(|before| times.get(before)).or(times.last());
    Ok(time.copied().unwrap_or(verifier.request.now))
}

/// LOG-011: why the log has not signed the checkpoint.
fn checkpoint(proof: &Proof, log: &Log) -> Result<(), String> {
    let key = PublicKey::parse(&log.key).ok();
    let of_log: Vec<&NoteSignature> = proof
        .signatures
        .iter()
        .filter(|line| key.is_some_and(|key| belongs(line, &log.origin, CHECKPOINT, &key)))
        .collect();
    match (key, of_log.as_slice()) {
        (Some(key), [line]) => {
            let signature = <&[u8; 64]>::try_from(line.signature.as_slice()).ok();
            if signature.is_some_and(|signature| key.verifies(proof.text.as_bytes(), signature)) {
                return Ok(());
            }
            Err("the signature of the log does not hold".to_owned())
        }
        (_, lines) => Err(format!("the log has signed the checkpoint {} times, not once", lines.len())),
    }
}

/// LOG-012, LOG-013: the times at which witnesses have signed, ascending.
fn cosignatures(verifier: &Verifier<'_>, proof: &Proof, log: &Log) -> Result<Vec<i64>, Rejection> {
    let mut times = BTreeMap::new();
    let of_log = PublicKey::parse(&log.key).ok();
    let witnesses: Vec<_> =
        log.witnesses.iter().filter_map(|witness| Some((witness, PublicKey::parse(&witness.key).ok()?))).collect();
    for line in &proof.signatures {
        let of = witnesses.iter().find(|(witness, key)| belongs(line, &witness.name, COSIGNATURE, key));
        let Some((witness, key)) = of else {
            let is_of_log = of_log.is_some_and(|key| belongs(line, &log.origin, CHECKPOINT, &key));
            if !is_of_log && !verifier.holds("LOG-012") {
                return Err(Rejection::new("LOG-012", format!("nobody knows {}", line.name)));
            }
            continue;
        };
        let latest = verifier.request.now.saturating_add(verifier.request.limits.clock_ahead);
        let time = cosigned(line, key, proof, latest).and_then(|time| {
            let is_new = !times.contains_key(&key.id());
            if is_new { Ok(time) } else { Err("stands twice") }
        });
        match time {
            Ok(time) => {
                times.insert(key.id(), time);
            }
            Err(fault) => {
                verifier.reject("LOG-013", format!("the signature of the witness {} {fault}", witness.name))?;
            }
        }
    }
    let mut times: Vec<i64> = times.into_values().collect();
    times.sort_unstable();
    Ok(times)
}

/// The time at which a witness has signed, or what is wrong.
fn cosigned(line: &NoteSignature, key: &PublicKey, proof: &Proof, latest: i64) -> Result<i64, &'static str> {
    let (time, signature) = line.signature.split_first_chunk::<8>().ok_or("is too short")?;
    let signature = <&[u8; 64]>::try_from(signature).map_err(|_| "has another length")?;
    let time = u64::from_be_bytes(*time);
    if !key.verifies(&cosigned_bytes(&proof.text, time), signature) {
        return Err("does not hold");
    }
    i64::try_from(time).ok().filter(|time| (1..=latest).contains(time)).ok_or("has a time that cannot be")
}

/// The bytes that a witness signs who has seen the checkpoint `text` at the time `seconds`.
pub(super) fn cosigned_bytes(text: &str, seconds: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}

/// Whether a line is of this key, which signs what the byte `signs` says.
pub(super) fn belongs(line: &NoteSignature, name: &str, signs: u8, key: &PublicKey) -> bool {
    line.name == name && line.number == key_number(name, signs, key)
}

/// The first four bytes of a signature by a key.
pub(super) fn key_number(name: &str, signs: u8, key: &PublicKey) -> [u8; 4] {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(name)
        .chain_update(b"\n")
        .chain_update([signs])
        .chain_update(key.as_bytes())
        .finalize()
        .into();
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

/// The hash of an entry.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// The hash of two trees.
pub(super) fn node_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// LOG-015: whether the hashes lead from `leaf` to the root (RFC 9162 section 2.1.3.2).
#[must_use]
pub fn is_included(leaf: [u8; 32], proof: &Proof) -> bool {
    let (mut index, mut last, mut hash) = (proof.index, proof.size.saturating_sub(1), leaf);
    for other in &proof.hashes {
        if last == 0 {
            return false;
        }
        if index & 1 == 1 || index == last {
            hash = node_hash(other, &hash);
            while index & 1 == 0 && index != 0 {
                (index, last) = (index >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, other);
        }
        (index, last) = (index >> 1, last >> 1);
    }
    last == 0 && hash == proof.root
}
