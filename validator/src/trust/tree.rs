//! The other side of log proofs: the tree of a log (RFC 6962 section 2.1), and making checkpoints, cosignatures and
//! proofs.

use sha2::{Digest as _, Sha256};

use super::key::{SecretKey, encode};
use super::log::{CHECKPOINT, COSIGNATURE, cosigned_bytes, key_number, node_hash};
use super::proof::FIRST_LINE;

pub use super::log::{is_included, leaf_hash};

/// The hash of a leaf or a node.
pub type Hash = [u8; 32];

/// The largest power of two below `size`, which is at least 2.
fn split(size: usize) -> usize {
    size.div_ceil(2).next_power_of_two()
}

/// The root of the tree of these leaves; `None` of none.
#[must_use]
pub fn root(leaves: &[Hash]) -> Option<Hash> {
    match leaves {
        [] => None,
        [leaf] => Some(*leaf),
        _ => {
            let (left, right) = leaves.split_at_checked(split(leaves.len()))?;
            Some(node_hash(&root(left)?, &root(right)?))
        }
    }
}

/// The root hash that stands in the checkpoint of a log without entries: the SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest(b"").into()
}

/// The hashes that lead from the leaf `index` to the root, from its sibling upwards; `None` if there is no such leaf.
#[must_use]
pub fn inclusion(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if leaves.len() <= 1 {
        return (index < leaves.len()).then(Vec::new);
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at_checked(at)?;
    let (mut hashes, other) =
        if index < at { (inclusion(left, index)?, right) } else { (inclusion(right, index - at)?, left) };
    hashes.push(root(other)?);
    Some(hashes)
}

/// The hashes that lead from the root of the first `old` leaves to that of all (RFC 6962 section 2.1.2); `None` if
/// there are not that many, or `old` is 0.
#[must_use]
pub fn consistency(leaves: &[Hash], old: usize) -> Option<Vec<Hash>> {
    (1..=leaves.len()).contains(&old).then_some(())?;
    below(leaves, old, true)
}

/// The part of a consistency proof in the tree of `leaves`. A tree that is whole in the old one too is known to whoever
/// asks only if it is the old one itself.
fn below(leaves: &[Hash], old: usize, is_known: bool) -> Option<Vec<Hash>> {
    if old == leaves.len() {
        return if is_known { Some(Vec::new()) } else { Some(vec![root(leaves)?]) };
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at_checked(at)?;
    let (mut hashes, other) =
        if old <= at { (below(left, old, is_known)?, right) } else { (below(right, old - at, false)?, left) };
    hashes.push(root(other)?);
    Some(hashes)
}

/// Whether the hashes lead from the root of a tree of `old` leaves to that of a tree of `size` leaves that begins with
/// it (RFC 9162 section 2.1.4.2).
#[must_use]
pub fn is_consistent((old, old_root): (u64, &Hash), (size, root): (u64, &Hash), hashes: &[Hash]) -> bool {
    if old == 0 || old >= size {
        return old == size && old_root == root && hashes.is_empty();
    }
    let (mut index, mut last) = (old - 1, size - 1);
    while index & 1 == 1 {
        (index, last) = (index >> 1, last >> 1);
    }
    // A whole tree is its own first hash.
    let mut hashes = hashes.iter();
    let first = if index == 0 { Some(old_root) } else { hashes.next() };
    let Some(first) = first else { return false };
    let (mut before, mut now) = (*first, *first);
    for hash in hashes {
        if last == 0 {
            return false;
        }
        if index & 1 == 1 || index == last {
            (before, now) = (node_hash(hash, &before), node_hash(hash, &now));
            while index & 1 == 0 && index != 0 {
                (index, last) = (index >> 1, last >> 1);
            }
        } else {
            now = node_hash(&now, hash);
        }
        (index, last) = (index >> 1, last >> 1);
    }
    last == 0 && before == *old_root && now == *root
}

/// The text of a checkpoint, with its last newline.
#[must_use]
pub fn checkpoint(origin: &str, size: u64, root: &Hash) -> String {
    format!("{origin}\n{size}\n{}\n", encode(root))
}

/// The signature line of a log under a checkpoint, with its newline.
#[must_use]
pub fn sign_checkpoint(text: &str, origin: &str, key: &SecretKey) -> String {
    let number = key_number(origin, CHECKPOINT, &key.public());
    line(origin, &[&number, &key.sign(text.as_bytes())])
}

/// The signature line of a witness that has seen the checkpoint `text` at the time `seconds`, with its newline.
#[must_use]
pub fn cosign(text: &str, name: &str, key: &SecretKey, seconds: u64) -> String {
    let number = key_number(name, COSIGNATURE, &key.public());
    let signature = key.sign(&cosigned_bytes(text, seconds));
    line(name, &[&number, &seconds.to_be_bytes(), &signature])
}

fn line(name: &str, parts: &[&[u8]]) -> String {
    format!("— {name} {}\n", encode(&parts.concat()))
}

/// A log proof: the entry with the number `index` is in the log of the checkpoint `note`, text and signature lines.
#[must_use]
pub fn write_proof(index: u64, hashes: &[Hash], text: &str, signatures: &[String]) -> String {
    let hashes: String = hashes.iter().map(|hash| format!("{}\n", encode(hash))).collect();
    format!("{FIRST_LINE}\nindex {index}\n{hashes}\n{text}\n{}", signatures.concat())
}
