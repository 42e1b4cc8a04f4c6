//! Digests: SHA-256, in the one form that the format has.

use std::fmt;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The digest of a blob.
///
/// ```
/// use cornercast::digest::Digest;
///
/// let digest = Digest::of(b"");
/// assert_eq!(digest.to_string(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
/// assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
/// assert_eq!(Digest::parse("sha256:../../etc/passwd"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest written as `text` (`sha256:` and 64 lower-case hexadecimal digits), if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_hex(text.strip_prefix("sha256:")?)
    }

    /// The digest written as 64 lower-case hexadecimal digits, if `hex` is that.
    #[must_use]
    pub fn from_hex(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if hex.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            for digit in pair {
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return None,
                };
                *byte = *byte * 16 + value;
            }
        }
        Some(Self(bytes))
    }

    /// 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// Appends 64 lower-case hexadecimal digits.
    pub fn write_hex(&self, out: &mut Vec<u8>) {
        // In place: digits that are written one by one and then copied as a whole cost more than all the rest.
        let start = out.len();
        out.resize(start + 2 * self.0.len(), 0);
        let digits = out.get_mut(start..).unwrap_or_default();
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            if let [high, low] = pair {
                (*high, *low) = (digit(byte >> 4), digit(byte & 15));
            }
        }
    }
}

/// What keeps `text` from being 64 lower-case hexadecimal digits, as the end of a message: readers do not count 63.
#[must_use]
pub(crate) fn flaw(text: &str) -> String {
    let other = text.chars().find(|character| !matches!(character, '0'..='9' | 'a'..='f'));
    match (text.chars().count(), other) {
        (_, Some(other)) => format!(": {} is none", crate::shown::quoted(&other.to_string())),
        (count, None) => format!(": there are {count}"),
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", self.hex())
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no SHA-256 digest")))
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "The SHA-256 of a blob.",
            "type": "string",
            "pattern": "^sha256:[0-9a-f]{64}$"
        })
    }
}

/// `bytes` in lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).map(char::from).collect()
}

/// The hexadecimal digit of a value from 0 to 15.
fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' - 10 + value }
}

/// Counts and hashes what it takes in.
#[derive(Debug, Clone, Default)]
pub struct Hasher {
    hash: Sha256,
    size: u64,
}

impl Hasher {
    /// Takes `bytes` in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// Bytes taken in so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The digest of all that was taken in.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.hash.finalize().into())
    }
}

/// A writer that hashes what is written through it.
#[derive(Debug)]
pub struct HashingWriter<W> {
    /// Where the bytes go.
    pub out: W,
    /// The hash of what has gone there.
    pub hasher: Hasher,
}

impl<W: Write> HashingWriter<W> {
    /// A writer to `out`.
    pub fn new(out: W) -> Self {
        Self { out, hasher: Hasher::default() }
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_takes_what_is_a_digest() {
        let validator = jsonschema::validator_for(schemars::schema_for!(Digest).as_value()).unwrap();
        let digest = Digest::of(b"a").to_string();
        assert!(validator.is_valid(&digest.clone().into()));
        for other in [digest.to_uppercase(), format!("{digest}0"), digest.replace("sha256", "sha512"), String::new()] {
            assert_eq!(Digest::parse(&other), None);
            assert!(!validator.is_valid(&other.into()));
        }
    }

    /// A writer that takes two bytes at a time.
    #[derive(Default)]
    struct Slow {
        taken: Vec<u8>,
        was_flushed: bool,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let bytes = bytes.get(..2).unwrap_or(bytes);
            self.taken.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.was_flushed = true;
            Ok(())
        }
    }

    #[test]
    fn what_was_written_is_hashed() {
        let mut writer = HashingWriter::new(Slow::default());
        writer.write_all(b"abcde").unwrap();
        writer.flush().unwrap();
        assert_eq!(writer.out.taken, b"abcde");
        assert!(writer.out.was_flushed);
        assert_eq!((writer.hasher.size(), writer.hasher.finish()), (5, Digest::of(b"abcde")));
    }
}
