//! Records of PAX as others write them (OCI-058).

use std::ops::Range;

/// A record, by the bytes of the data that hold its keyword and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
}

/// The records in the data of a header; the first byte where they are none.
pub(super) fn read(data: &[u8]) -> Result<Vec<Record>, usize> {
    let mut records = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let record = one(data.get(at..).unwrap_or_default()).ok_or(at)?;
        let shift = |range: &Range<usize>| range.start + at..range.end + at;
        records.push(Record { key: shift(&record.key), value: shift(&record.value) });
        at += record.value.end + 1;
    }
    Ok(records)
}

/// The record that `data` begins with.
fn one(data: &[u8]) -> Option<Record> {
    let space = data.iter().take(20).position(|byte| *byte == b' ')?;
    let digits = data.get(..space).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let record = data.get(..length)?;
    let content = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = content.iter().position(|byte| *byte == b'=').filter(|equals| *equals > 0)?;
    let start = space + 1;
    Some(Record { key: start..start + equals, value: start + equals + 1..length - 1 })
}
