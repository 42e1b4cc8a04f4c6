//! The tree of a log.

use cornercast::trust::tree::{Hash, consistency, empty_root, inclusion, is_consistent, leaf_hash, root};
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

    /// A tree is consistent with each tree that it begins with, and with no other one.
    #[test]
    fn a_tree_continues_what_it_begins_with(
        size in 1_usize..300,
        old in 1_usize..300,
        other in 0_usize..300,
        at in 0_usize..9,
    ) {
        let (leaves, old) = (leaves(size), old.min(size));
        let (before, now) = (root(&leaves[..old]).unwrap(), root(&leaves).unwrap());
        let proof = consistency(&leaves, old).unwrap();
        let holds = |old, before, proof: &[Hash]| is_consistent((old as u64, before), (size as u64, &now), proof);
        let another = leaf_hash(b"another");
        prop_assert!(holds(old, &before, &proof));
        prop_assert!(other == old || !holds(other, &before, &proof));
        prop_assert!(!holds(old, &another, &proof));
        let longer = [proof.clone(), vec![before]].concat();
        prop_assert!(!holds(old, &before, &longer));
        let mut damaged = proof.clone();
        if let Some(hash) = damaged.get_mut(at) {
            hash[0] ^= 1;
            prop_assert!(!holds(old, &before, &damaged));
            damaged.remove(at);
            prop_assert!(!holds(old, &before, &damaged));
        }
    }
}

#[test]
fn nothing_is_consistent_with_nothing() {
    let none = empty_root();
    assert_eq!(consistency(&leaves(3), 0), None);
    assert_eq!(consistency(&leaves(3), 4), None);
    assert!(is_consistent((0, &none), (0, &none), &[]));
    assert!(!is_consistent((0, &none), (1, &leaf_hash(b"")), &[]));
    assert!(!is_consistent((2, &none), (1, &none), &[]));
}
