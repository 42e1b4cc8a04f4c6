//! Keys and signatures (SIG-001 to SIG-004): Ed25519 of RFC 8032, in the one profile that the format has.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::clause;
use crate::digest::Digest;
use crate::name::Broken;
use crate::shown::quoted;

/// What stands before a public key in documents.
const PREFIX: &str = "ed25519:";

/// What stands before the seed in a file with a secret key.
const SECRET_PREFIX: &str = "cornercast-secret-v1 ed25519:";

/// The key id of a public key: the SHA-256 of its 32 bytes, which documents show as 64 hexadecimal digits.
pub type KeyId = Digest;

/// A public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// The key written as `text`.
    ///
    /// ```
    /// use cornercast::trust::PublicKey;
    ///
    /// // The neutral element: signatures "by" it hold for any message.
    /// let broken = PublicKey::parse("ed25519:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap_err();
    /// assert_eq!(broken.0.id, "SIG-003");
    /// ```
    ///
    /// # Errors
    ///
    /// The clause of SIG-001 to SIG-003 that the text breaks, and why.
    pub fn parse(text: &str) -> Result<Self, Broken> {
        let bytes = text.strip_prefix(PREFIX).and_then(decode).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        match bytes {
            Some(bytes) => Self::from_bytes(&bytes),
            // SIG-001
            None => {
                let message = format!("{} is not `{PREFIX}` and 32 bytes in base64", quoted(text));
                Err((&clause::SIG_001, message))
            }
        }
    }

    /// The key of these bytes.
    ///
    /// # Errors
    ///
    /// SIG-002 or SIG-003, and why.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Broken> {
        let key = VerifyingKey::from_bytes(bytes).ok().filter(|key| key.to_edwards().compress().as_bytes() == bytes);
        // SIG-002. The library takes encodings that RFC 8032 does not make.
        let Some(key) = key else {
            return Err((&clause::SIG_002, "the key is not the encoding of a point of edwards25519".to_owned()));
        };
        // SIG-003
        if key.is_weak() || !key.to_edwards().is_torsion_free() {
            return Err((&clause::SIG_003, "the point of the key has not the order of the base point".to_owned()));
        }
        Ok(Self(key))
    }

    /// Its key id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        Digest::of(self.0.as_bytes())
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Whether `signature` is one of `message` by this key (SIG-004).
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PREFIX}{}", encode(self.0.as_bytes()))
    }
}

/// A secret key. It is wiped from memory when it is dropped, and prints as its public key.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key of the seed `seed` (RFC 8032 section 5.1.5).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The key in a file with the content `text`; `None` if it is none.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let line = text.strip_suffix(b"\n")?.strip_prefix(SECRET_PREFIX.as_bytes())?;
        let mut seed = Zeroizing::new([0; 32]);
        // The library asks for room for what might come of the longest text of this length.
        let mut decoded = Zeroizing::new([0; 36]);
        let length = STANDARD.decode_slice(line, decoded.as_mut()).ok()?;
        seed.copy_from_slice(decoded.get(..length)?.get(..32).filter(|_| length == 32)?);
        Some(Self::from_seed(&seed))
    }

    /// The content of a file with this key.
    #[must_use]
    pub fn to_file(&self) -> Zeroizing<String> {
        let seed = Zeroizing::new(self.0.to_bytes());
        let encoded = Zeroizing::new(encode(seed.as_ref()));
        // With room for all of it from the beginning, so that nothing is moved and left behind.
        let mut file = Zeroizing::new(String::with_capacity(SECRET_PREFIX.len() + encoded.len() + 1));
        for part in [SECRET_PREFIX, encoded.as_str(), "\n"] {
            file.push_str(part);
        }
        file
    }

    /// The public key, which is always derived from the secret one.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The signature of `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SecretKey({})", self.public())
    }
}

/// The bytes that `text` is the base64 of: RFC 4648 section 4 with padding, and nothing else.
#[must_use]
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// The base64 of `bytes`.
#[must_use]
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_key_comes_out_of_its_file_as_it_went_in() {
        let key = SecretKey::from_seed(&[7; 32]);
        let file = key.to_file();
        assert_eq!(SecretKey::parse(file.as_bytes()).unwrap().public(), key.public());
        for other in [file.trim_end(), &file.replace("v1", "v2"), &file.replace('=', ""), &format!("{}\n", *file)] {
            assert!(SecretKey::parse(other.as_bytes()).is_none(), "{other}");
        }
        assert!(!format!("{key:?}").contains(file.split_once("ed25519:").unwrap().1.trim_end()));
    }

    #[test]
    fn a_public_key_has_one_form() {
        let text = SecretKey::from_seed(&[7; 32]).public().to_string();
        assert_eq!(PublicKey::parse(&text).unwrap().to_string(), text);
        for other in [text.to_uppercase(), text.replace("ed25519:", ""), format!("{text}="), text.replace('=', "")] {
            assert_eq!(PublicKey::parse(&other).unwrap_err().0.id, "SIG-001", "{other}");
        }
    }
}
