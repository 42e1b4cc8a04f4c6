//! The tree of a log.

use cornercast::trust::tree::{Hash, inclusion, leaf_hash, root};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
}

/// The root as RFC 6962 section 2.1 defines it, by recursion over the entries.
fn defined(entries: &[usize]) -> Hash {
    match entries {
        [entry] => Sha256::new().chain_update([0]).chain_update(entry.to_be_bytes()).finalize().into(),
        _ => {
            let mut left = 1;
            while left * 2 < entries.len() {
                left *= 2;
            }
            let (first, second) = entries.split_at(left);
            Sha256::new().chain_update([1]).chain_update(defined(first)).chain_update(defined(second)).finalize().into()
        }
    }
}

#[test]
fn the_root_is_that_of_the_rfc() {
    assert_eq!(root(&[]), None);
    for count in 1..70 {
        let entries: Vec<usize> = (0..count).collect();
        assert_eq!(root(&leaves(count)), Some(defined(&entries)), "{count}");
    }
}

proptest! {
    /// A proof is as long as the way from the leaf to the root, and there is none for what is not there.
    #[test]
    fn proofs_are_short(count in 1_usize..300, index in 0_usize..400) {
        let proof = inclusion(&leaves(count), index);
        prop_assert_eq!(proof.is_some(), index < count);
        let longest = usize::try_from(count.next_power_of_two().trailing_zeros()).unwrap();
        prop_assert!(proof.is_none_or(|proof| proof.len() <= longest));
    }
}
