//! Checkpoints (C2SP tlog-checkpoint): the text that a log has signed, and the signature lines under it.

use super::key::{PublicKey, decode, encode};
use super::log::{CHECKPOINT, COSIGNATURE, belongs, cosigned_bytes, key_number};
use super::policy::is_note_name;
use super::proof::{NoteSignature, hash, number, signature};
use super::tree::{Hash, empty_root};
use crate::limits::Limits;
use crate::shown::quoted;

/// A checkpoint. Nothing is known yet of its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The root hash.
    pub root: Hash,
    /// The text, with its last newline.
    pub text: String,
    /// The signature lines.
    pub signatures: Vec<NoteSignature>,
}

impl Checkpoint {
    /// Reads one: the text, an empty line, and signature lines. Other than in a proof, the log can be empty.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(source: &[u8], limits: &Limits) -> Result<Self, String> {
        let source = std::str::from_utf8(source).map_err(|_| "it is not well-formed UTF-8".to_owned())?;
        let (text, lines) = source.split_once("\n\n").ok_or("it has no empty line before its signatures")?;
        let [origin, size, root] = text.split('\n').collect::<Vec<_>>().try_into().map_err(|lines: Vec<_>| {
            format!("it has {} lines before its signatures, not an origin, a size and a root hash", lines.len())
        })?;
        if !is_note_name(origin) {
            return Err(format!("{} is no origin of a log", quoted(origin)));
        }
        let count = number(size, limits).ok_or_else(|| format!("{} is not the size of a log", quoted(size)))?;
        let root = hash(root).ok_or_else(|| format!("the root hash {} is not 32 bytes in base64", quoted(root)))?;
        if count == 0 && root != empty_root() {
            return Err("the root hash is not that of an empty log".to_owned());
        }
        let lines = lines.strip_suffix('\n').ok_or("its last line does not end with a newline")?;
        let signatures = lines
            .split('\n')
            .map(|line| signature(line).ok_or_else(|| format!("{} is no signature line", quoted(line))))
            .collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > limits.log_signatures {
            return Err(format!("it has more than {} signature lines", limits.log_signatures));
        }
        Ok(Self { origin: origin.to_owned(), size: count, root, text: format!("{text}\n"), signatures })
    }

    /// The file.
    #[must_use]
    pub fn write(&self) -> String {
        format!("{}\n{}", self.text, self.lines().concat())
    }

    /// The signature lines, each with its newline.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let line =
            |line: &NoteSignature| format!("— {} {}\n", line.name, encode(&[&line.number, &*line.signature].concat()));
        self.signatures.iter().map(line).collect()
    }

    /// The bytes that a witness signs who has seen this at the time `seconds`.
    #[must_use]
    pub fn cosigned_bytes(&self, seconds: u64) -> Vec<u8> {
        cosigned_bytes(&self.text, seconds)
    }

    /// Whether the log with this key has signed it, once and well.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let mut lines = self.signatures.iter().filter(|line| belongs(line, &self.origin, CHECKPOINT, key));
        let (Some(line), None) = (lines.next(), lines.next()) else { return false };
        line.signature.as_slice().try_into().is_ok_and(|signature| key.verifies(self.text.as_bytes(), signature))
    }

    /// The time at which the witness with this name and key has signed it, in seconds since 1970; `None` if it has not,
    /// or not well.
    #[must_use]
    pub fn witnessed_by(&self, name: &str, key: &PublicKey) -> Option<u64> {
        let mut lines = self.signatures.iter().filter(|line| belongs(line, name, COSIGNATURE, key));
        let (Some(line), None) = (lines.next(), lines.next()) else { return None };
        let (time, signature) = line.signature.split_first_chunk::<8>()?;
        let time = u64::from_be_bytes(*time);
        let is_signed = key.verifies(&self.cosigned_bytes(time), signature.try_into().ok()?);
        is_signed.then_some(time).filter(|time| *time > 0)
    }

    /// Adds the signature of a witness in the place of its lines that are there.
    pub fn add_witness(&mut self, name: &str, key: &PublicKey, seconds: u64, signature: &[u8; 64]) {
        self.signatures.retain(|line| !belongs(line, name, COSIGNATURE, key));
        self.signatures.push(NoteSignature {
            name: name.to_owned(),
            number: key_number(name, COSIGNATURE, key),
            signature: [&seconds.to_be_bytes()[..], signature].concat(),
        });
    }

    /// Adds the signature of the log.
    pub fn add_log(&mut self, key: &PublicKey, signature: &[u8; 64]) {
        self.signatures.push(NoteSignature {
            name: self.origin.clone(),
            number: key_number(&self.origin, CHECKPOINT, key),
            signature: signature.to_vec(),
        });
    }

    /// The checkpoint of a log of these leaves, which nobody has signed yet.
    #[must_use]
    pub fn of(origin: &str, leaves: &[Hash]) -> Self {
        let (size, root) = (leaves.len() as u64, super::tree::root(leaves).unwrap_or_else(empty_root));
        let text = super::tree::checkpoint(origin, size, &root);
        Self { origin: origin.to_owned(), size, root, text, signatures: Vec::new() }
    }
}

/// The key of a log in the form in which notes name keys (C2SP signed-note): name, key number and public key.
///
/// ```
/// use cornercast::trust::{SecretKey, log_vkey, read_log_vkey};
///
/// let key = SecretKey::from_seed(&[7; 32]).public();
/// let text = log_vkey("log.example", &key);
/// assert!(text.starts_with("log.example+"));
/// assert_eq!(read_log_vkey(&text), Some(("log.example".to_owned(), key)));
/// ```
#[must_use]
pub fn log_vkey(origin: &str, key: &PublicKey) -> String {
    let number = u32::from_be_bytes(key_number(origin, CHECKPOINT, key));
    format!("{origin}+{number:08x}+{}", encode(&[&[CHECKPOINT], &key.as_bytes()[..]].concat()))
}

/// The origin and the key that such a text names; `None` if it is none of a log.
#[must_use]
pub fn read_log_vkey(text: &str) -> Option<(String, PublicKey)> {
    let (origin, rest) = text.split_once('+')?;
    let bytes = decode(rest.split_once('+')?.1)?;
    let (CHECKPOINT, key) = bytes.split_first().map(|(signs, key)| (*signs, key))? else { return None };
    let key = PublicKey::from_bytes(key.try_into().ok()?).ok()?;
    (is_note_name(origin) && log_vkey(origin, &key) == text).then(|| (origin.to_owned(), key))
}
