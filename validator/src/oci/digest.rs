//! Digests as OCI writes them (OCI-023, OCI-024): an algorithm and an encoded part.

use sha2::{Digest as _, Sha256, Sha512};

use crate::digest::hex;
use crate::shown::quoted;

/// What is wrong with `text` as a digest; `None` if it is one.
pub(super) fn flaw(text: &str) -> Option<String> {
    let Some((algorithm, encoded)) = text.split_once(':') else {
        return Some(format!("{} has no `:`", quoted(text)));
    };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'));
    if !algorithm.split(['+', '.', '_', '-']).all(is_word) {
        return Some(format!("{} is no algorithm", quoted(algorithm)));
    }
    let digits = match algorithm {
        "sha256" | "blake3" => 64,
        "sha512" => 128,
        _ => {
            let is_encoded = |byte| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'=' | b'_' | b'-');
            let fits = !encoded.is_empty() && encoded.bytes().all(is_encoded);
            return (!fits).then(|| format!("{} is no encoded part of a digest", quoted(encoded)));
        }
    };
    let fits = encoded.len() == digits && encoded.bytes().all(|byte| matches!(byte, b'a'..=b'f' | b'0'..=b'9'));
    (!fits).then(|| {
        let flaw = crate::digest::flaw(encoded);
        format!("`{algorithm}:` is not followed by {digits} hexadecimal digits in lower case{flaw}")
    })
}

/// The path of the blob that `digest`, which has no flaw, names.
pub(super) fn path(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

/// Hashes as an algorithm says, and counts.
pub(super) struct Hasher {
    algorithm: Algorithm,
    size: u64,
}

enum Algorithm {
    Sha256(Sha256),
    Sha512(Sha512),
    Unknown,
}

impl Hasher {
    /// For the algorithm of `digest`.
    pub(super) fn new(digest: &str) -> Self {
        let algorithm = match digest.split_once(':') {
            Some(("sha256", _)) => Algorithm::Sha256(Sha256::new()),
            Some(("sha512", _)) => Algorithm::Sha512(Sha512::new()),
            _ => Algorithm::Unknown,
        };
        Self { algorithm, size: 0 }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        match &mut self.algorithm {
            Algorithm::Sha256(hash) => hash.update(bytes),
            Algorithm::Sha512(hash) => hash.update(bytes),
            Algorithm::Unknown => {}
        }
    }

    /// The number of bytes, and the digest if the algorithm is known.
    pub(super) fn finish(self) -> (u64, Option<String>) {
        let digest = match self.algorithm {
            Algorithm::Sha256(hash) => Some(format!("sha256:{}", hex(&hash.finalize()))),
            Algorithm::Sha512(hash) => Some(format!("sha512:{}", hex(&hash.finalize()))),
            Algorithm::Unknown => None,
        };
        (self.size, digest)
    }

    /// The same of `bytes`.
    pub(super) fn of(digest: &str, bytes: &[u8]) -> (u64, Option<String>) {
        let mut hasher = Self::new(digest);
        hasher.update(bytes);
        hasher.finish()
    }
}

/// Whether this reader can compute the algorithm of `digest`.
pub(super) fn is_known(digest: &str) -> bool {
    matches!(digest.split_once(':'), Some(("sha256" | "sha512", _)))
}
