//! The other side of log proofs: the tree of a log (RFC 6962 section 2.1), and making checkpoints, cosignatures and
//! proofs.

use super::key::{SecretKey, encode};
use super::log::{CHECKPOINT, COSIGNATURE, key_number, node_hash};
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
    let signature = key.sign(format!("cosignature/v1\ntime {seconds}\n{text}").as_bytes());
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
