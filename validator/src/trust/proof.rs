//! Log proofs by themselves (LOG-001 to LOG-009).

use super::key::decode;
use super::policy::is_note_name;
use crate::clause::{self, Clause};
use crate::diagnostic::{Place, Violation};
use crate::limits::Limits;
use crate::shown::quoted;

/// A log proof that breaks no clause of its form. Nothing is known yet of its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The number of the entry, from 0.
    pub index: u64,
    /// The hashes of the inclusion proof, from the sibling of the leaf upwards.
    pub hashes: Vec<[u8; 32]>,
    /// The origin of the checkpoint.
    pub origin: String,
    /// The number of entries.
    pub size: u64,
    /// The root hash.
    pub root: [u8; 32],
    /// The text of the checkpoint, with its last newline.
    pub text: String,
    /// The signature lines.
    pub signatures: Vec<NoteSignature>,
}

/// A signature line of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key.
    pub name: String,
    /// The first four bytes.
    pub number: [u8; 4],
    /// The bytes after them.
    pub signature: Vec<u8>,
}

/// Begins every proof.
pub(super) const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// Reads a proof; it is there if no clause is broken.
#[must_use]
pub fn check_proof(source: &[u8], limits: &Limits) -> (Option<Proof>, Vec<Violation>) {
    let give_up = |clause, bytes: std::ops::Range<usize>, message: String| {
        let place = Place::bytes(bytes.start as u64..bytes.end as u64).text_excerpt(source);
        (None, vec![Violation::new(clause, place, message)])
    };
    let most = usize::try_from(limits.log_proof).unwrap_or(usize::MAX);
    if source.len() > most {
        return give_up(&clause::LOG_001, most..most + 1, format!("the proof has more than {most} bytes"));
    }
    let text = match std::str::from_utf8(source) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            return give_up(&clause::LOG_002, at..at + 1, "the proof is not well-formed UTF-8".to_owned());
        }
    };
    if let Some((at, other)) = text.char_indices().find(|(_, other)| other.is_ascii_control() && *other != '\n') {
        let message = format!("the proof has the control character {}", quoted(&other.to_string()));
        return give_up(&clause::LOG_002, at..at + 1, message);
    }
    let Some(lines) = text.strip_suffix('\n') else {
        let end = source.len();
        return give_up(&clause::LOG_002, end..end, "the last line does not end with a newline".to_owned());
    };
    let mut lines = Lines { rest: Some(lines), start: 0, line: "" };
    match read(&mut lines, limits) {
        Ok(proof) => (Some(proof), Vec::new()),
        Err((clause, message)) => give_up(clause, lines.start..lines.start + lines.line.len(), message),
    }
}

/// Goes through lines, and knows where the last one stands.
struct Lines<'t> {
    rest: Option<&'t str>,
    start: usize,
    line: &'t str,
}

impl<'t> Lines<'t> {
    /// The next line; an empty one after the last.
    fn next(&mut self) -> &'t str {
        if !self.line.is_empty() || self.start > 0 {
            self.start += self.line.len() + 1;
        }
        let (line, rest) =
            match self.rest.map(|rest| rest.split_once('\n').map_or((rest, None), |(line, rest)| (line, Some(rest)))) {
                Some((line, rest)) => (line, rest),
                None => ("", None),
            };
        (self.line, self.rest) = (line, rest);
        line
    }
}

type Broken = (&'static Clause, String);

fn read(lines: &mut Lines<'_>, limits: &Limits) -> Result<Proof, Broken> {
    let first = lines.next();
    if first != FIRST_LINE {
        return Err((&clause::LOG_003, format!("the first line is {}, not `{FIRST_LINE}`", quoted(first))));
    }
    let second = lines.next();
    let Some(index) = second.strip_prefix("index ").and_then(|text| number(text, limits)) else {
        return Err((&clause::LOG_004, format!("the second line {} gives no index", quoted(second))));
    };
    let mut hashes = Vec::new();
    loop {
        let line = lines.next();
        if line.is_empty() && lines.rest.is_some() {
            break;
        }
        let Some(hash) = hash(line) else {
            return Err((&clause::LOG_005, format!("{} is not 32 bytes in base64", quoted(line))));
        };
        hashes.push(hash);
        if hashes.len() > limits.log_hashes {
            return Err((&clause::LOG_005, format!("there are more than {} hashes", limits.log_hashes)));
        }
    }
    let origin = lines.next();
    if !is_note_name(origin) {
        return Err((&clause::LOG_006, format!("{} is no origin of a log", quoted(origin))));
    }
    let line = lines.next();
    let Some(size) = number(line, limits).filter(|size| *size > 0) else {
        return Err((&clause::LOG_006, format!("{} is not the size of a log", quoted(line))));
    };
    let line = lines.next();
    let Some(root) = hash(line) else {
        return Err((&clause::LOG_006, format!("the root hash {} is not 32 bytes in base64", quoted(line))));
    };
    let text = format!("{origin}\n{size}\n{line}\n");
    let line = lines.next();
    if !line.is_empty() {
        return Err((&clause::LOG_006, format!("the checkpoint has the line {} after its root hash", quoted(line))));
    }
    if index >= size {
        return Err((&clause::LOG_007, format!("the index is {index}, and the log has {size} entries")));
    }
    let mut signatures = Vec::new();
    while lines.rest.is_some() {
        let line = lines.next();
        let Some(signature) = signature(line) else {
            return Err((&clause::LOG_008, format!("{} is no signature line", quoted(line))));
        };
        signatures.push(signature);
        if signatures.len() > limits.log_signatures {
            let message = format!("there are more than {} signature lines", limits.log_signatures);
            return Err((&clause::LOG_009, message));
        }
    }
    if signatures.is_empty() {
        return Err((&clause::LOG_009, "there is no signature line".to_owned()));
    }
    Ok(Proof { index, hashes, origin: origin.to_owned(), size, root, text, signatures })
}

/// A number in decimal digits without leading zeros, up to 2^53 − 1.
pub(super) fn number(text: &str, limits: &Limits) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = text == "0" || !text.starts_with('0');
    let number = text.parse().ok().filter(|_| is_number && is_short)?;
    (number <= limits.integer.unsigned_abs()).then_some(number)
}

/// 32 bytes in base64.
pub(super) fn hash(text: &str) -> Option<[u8; 32]> {
    decode(text)?.try_into().ok()
}

/// A line of LOG-008.
pub(super) fn signature(line: &str) -> Option<NoteSignature> {
    let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
    let bytes = decode(encoded)?;
    let (number, signature) = bytes.split_first_chunk::<4>()?;
    (is_note_name(name) && !signature.is_empty()).then(|| NoteSignature {
        name: name.to_owned(),
        number: *number,
        signature: signature.to_vec(),
    })
}
