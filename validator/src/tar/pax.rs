//! PAX headers: records and the clauses about them.

use std::ops::Range;

use super::reader::Profile;
use crate::clause;
use crate::diagnostic::{Excerpt, Place, Violation};
use crate::shown::{clip, shown_bytes};

/// What stands before the name of an extended attribute in a keyword.
pub(super) const XATTR: &[u8] = b"SCHILY.xattr.";

/// A record of a PAX header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The keyword.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// The bytes of the archive that the record stands in.
    pub bytes: Range<u64>,
}

impl Record {
    pub(super) fn place(&self) -> Place {
        let mut place = Place::bytes(self.bytes.clone());
        // The record as it stands there, its length first.
        let length = self.bytes.end - self.bytes.start;
        let shown = [format!("{length} ").as_bytes(), &self.key, b"=", &self.value, b"\n"].concat();
        place.excerpt = Some(Excerpt::of_binary(self.bytes.start, &shown));
        place
    }

    /// The name of the extended attribute, if the record holds one.
    #[must_use]
    pub fn xattr(&self) -> Option<&[u8]> {
        self.key.strip_prefix(XATTR)
    }
}

/// Whether a path or target needs a record (LAY-030).
#[must_use]
pub fn needs_record(name: &[u8]) -> bool {
    name.len() > 100 || !name.is_ascii()
}

/// The name that stands in a header for one that a record holds (LAY-034).
#[must_use]
pub(super) fn stub(name: &[u8]) -> Vec<u8> {
    name.iter().take_while(|byte| **byte != 0).take(100).map(|byte| if *byte > 0x7F { b'_' } else { *byte }).collect()
}

/// Writes a record.
pub(super) fn write_record(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while decimal_digits(length) + rest > length {
        length += 1;
    }
    out.extend(length.to_string().bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn decimal_digits(mut number: usize) -> usize {
    let mut digits = 1;
    while number >= 10 {
        number /= 10;
        digits += 1;
    }
    digits
}

/// Reads the body of a PAX header that begins at `offset` of the archive.
///
/// `None` if the body is not a sequence of records: then the entry that follows cannot be judged.
pub(super) fn read_body(body: &[u8], offset: u64, profile: Profile, out: &mut Vec<Violation>) -> Option<Vec<Record>> {
    let mut records: Vec<Record> = Vec::new();
    let mut at = 0;
    while at < body.len() {
        let rest = body.get(at..).unwrap_or_default();
        let start = offset + at as u64;
        let (record, smaller) = match read_record(rest, start) {
            Ok(record) => record,
            Err(message) => {
                // LAY-026
                let mut place = Place::bytes(start..offset + body.len() as u64);
                place.excerpt = Some(Excerpt::of_binary(start, rest));
                out.push(Violation::new(&clause::LAY_026, place, message));
                return None;
            }
        };
        at += usize::try_from(record.bytes.end - record.bytes.start).unwrap_or(usize::MAX);
        // LAY-027
        if smaller {
            let message = format!(
                "the record gives its length as {}, and {} would fit as well",
                record.bytes.end - start,
                record.bytes.end - start - 1
            );
            out.push(Violation::new(&clause::LAY_027, record.place(), message));
        }
        judge_key(&record, profile, out);
        // LAY-029
        if let Some(before) = records.last()
            && before.key >= record.key
        {
            let key = shown_bytes(&record.key);
            let message = if before.key == record.key {
                format!("the record `{key}` stands twice")
            } else {
                format!("the record `{key}` stands after `{}`, not before it", shown_bytes(&before.key))
            };
            out.push(Violation::new(&clause::LAY_029, record.place(), message));
        }
        judge_number(&record, out);
        records.push(record);
    }
    // LAY-031
    if records.is_empty() {
        let place = Place::bytes(offset..offset);
        out.push(Violation::new(&clause::LAY_031, place, "the PAX header has no record"));
    }
    Some(records)
}

/// The record at the head of `rest`, and whether the next smaller length would be right as well.
fn read_record(rest: &[u8], start: u64) -> Result<(Record, bool), String> {
    let shown = || clip(&shown_bytes(rest.get(..rest.len().min(40)).unwrap_or_default()));
    let space = rest.iter().take(8).position(|byte| *byte == b' ');
    let digits = space.and_then(|space| rest.get(..space)).unwrap_or_default();
    if digits.is_empty() || digits.first() == Some(&b'0') || !digits.iter().all(u8::is_ascii_digit) {
        return Err(format!("the record \"{}\" does not begin with its length", shown()));
    }
    let length = digits.iter().fold(0_usize, |value, digit| value * 10 + usize::from(digit - b'0'));
    let Some(record) = rest.get(..length) else {
        return Err(format!(
            "the record \"{}\" gives its length as {length}, and {} bytes follow",
            shown(),
            rest.len()
        ));
    };
    let content = record.get(digits.len() + 1..).and_then(|content| content.strip_suffix(b"\n"));
    let Some(content) = content else {
        return Err(format!("the record \"{}\" does not end in a newline after {length} bytes", shown()));
    };
    let Some(equals) = content.iter().position(|byte| *byte == b'=') else {
        return Err(format!("the record \"{}\" has no `=`", shown()));
    };
    let (key, value) = (content.get(..equals).unwrap_or_default(), content.get(equals + 1..).unwrap_or_default());
    if key.is_empty() {
        return Err(format!("the record \"{}\" has no keyword", shown()));
    }
    let smaller = length - digits.len() + decimal_digits(length - 1) == length - 1;
    let record = Record { key: key.to_vec(), value: value.to_vec(), bytes: start..start + length as u64 };
    Ok((record, smaller))
}

/// LAY-028, and STO-027 for archives.
fn judge_key(record: &Record, profile: Profile, out: &mut Vec<Violation>) {
    let known = match profile {
        Profile::Layer => {
            matches!(record.key.as_slice(), b"gid" | b"linkpath" | b"path" | b"size" | b"uid")
                || record.xattr().is_some()
        }
        Profile::Archive => matches!(record.key.as_slice(), b"path" | b"size"),
    };
    if !known {
        let clause = match profile {
            Profile::Layer => &clause::LAY_028,
            Profile::Archive => &clause::STO_027,
        };
        let message = format!(
            "the record `{}` is not defined for the PAX headers of {}s",
            shown_bytes(&record.key),
            profile.name()
        );
        out.push(Violation::new(clause, record.place(), message));
    }
}

/// LAY-032
fn judge_number(record: &Record, out: &mut Vec<Violation>) {
    if matches!(record.key.as_slice(), b"size" | b"uid" | b"gid") && decimal(&record.value).is_none() {
        let message = format!(
            "the value \"{}\" of the record `{}` is no decimal number without leading zeros",
            shown_bytes(&record.value),
            shown_bytes(&record.key)
        );
        out.push(Violation::new(&clause::LAY_032, record.place(), message));
    }
}

/// The number written as `0|[1-9][0-9]*`; what exceeds 64 bits becomes the largest one.
pub(super) fn decimal(value: &[u8]) -> Option<u64> {
    let plain = match value {
        b"0" => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    plain.then(|| {
        value.iter().fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stubs_are_ascii() {
        assert_eq!(stub("a\u{7F}é".as_bytes()), b"a\x7F__");
        assert_eq!(stub(b"a\0b"), b"a");
        assert_eq!(stub(&[b'a'; 101]), [b'a'; 100]);
    }

    /// The length of a record counts its own digits.
    #[test]
    fn records_know_their_length() {
        for size in (0..120).chain(980..1000) {
            let mut record = Vec::new();
            write_record(&mut record, b"path", &vec![b'x'; size]);
            assert!(record.starts_with(format!("{} path=", record.len()).as_bytes()), "{size}");
            assert!(record.ends_with(b"\n"));
        }
    }
}
