//! An entry of an archive: its header, and what the records of its PAX header say instead.

use std::ops::Range;

use super::header::{self, Header, field};
use super::pax::{self, Record};
use crate::clause;
use crate::diagnostic::{Place, Violation};

/// An entry as its headers describe it. Numbers that could not be read are 0.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The header block.
    pub header: Header,
    /// Where the entry begins, its PAX header included.
    pub start: u64,
    /// The path, with a directory's final `/` and a marker's `.wh.`.
    pub path: Vec<u8>,
    /// The target of a link.
    pub target: Vec<u8>,
    /// Permission bits and more.
    pub mode: u64,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Bytes of data that follow.
    pub size: u64,
    /// Seconds since 1970.
    pub mtime: u64,
    /// The records of the PAX header.
    pub records: Vec<Record>,
}

/// A part of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The names of the fields.
pub enum Part<'a> {
    Path,
    Mode,
    Uid,
    Gid,
    Mtime,
    Size,
    Target,
    /// The extended attribute of that name.
    Xattr(&'a [u8]),
}

impl Entry {
    /// The entry of `header`, with the records of its PAX header, which begins at `start`.
    pub(super) fn new(header: Header, start: u64, records: Vec<Record>, out: &mut Vec<Violation>) -> Self {
        let number = |range| header.octal(range).unwrap_or_default();
        let mut entry = Self {
            start,
            path: header.name().to_vec(),
            target: header.linkname().to_vec(),
            mode: number(field::MODE),
            uid: number(field::UID),
            gid: number(field::GID),
            size: number(field::SIZE),
            mtime: number(field::MTIME),
            records: Vec::new(),
            header,
        };
        entry.apply(&records, out);
        entry.records = records;
        entry
    }

    /// Where a part of the entry stands: in its record if there is one, else in the header's field.
    #[must_use]
    pub fn place_of(&self, part: Part<'_>) -> Place {
        let (key, range): (&[u8], _) = match part {
            Part::Path => (b"path", field::NAME),
            Part::Mode => (b"", field::MODE),
            Part::Uid => (b"uid", field::UID),
            Part::Gid => (b"gid", field::GID),
            Part::Mtime => (b"", field::MTIME),
            Part::Size => (b"size", field::SIZE),
            Part::Target => (b"linkpath", field::LINKNAME),
            Part::Xattr(name) => {
                let record = self.records.iter().rfind(|record| record.xattr() == Some(name));
                return record.map_or_else(|| self.header.place(field::NAME), Record::place);
            }
        };
        let record = self.records.iter().rfind(|record| record.key == key);
        record.map_or_else(|| self.header.place(range), Record::place)
    }

    /// The records of extended attributes.
    pub fn xattrs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.records.iter().filter_map(|record| Some((record.xattr()?, record.value.as_slice())))
    }

    /// Puts the records into the entry: LAY-030, LAY-033, LAY-034, LAY-035.
    fn apply(&mut self, records: &[Record], out: &mut Vec<Violation>) {
        let is_link = matches!(self.header.typeflag(), b'1' | b'2');
        let (mut path, mut target) = (false, false);
        for key in ["gid", "linkpath", "path", "size", "uid"] {
            // Of records with the same keyword the last one counts.
            let Some(record) = records.iter().rfind(|record| record.key == key.as_bytes()) else { continue };
            match key {
                "path" => {
                    path = true;
                    judge_name_record(record, &self.header, field::NAME, pax::needs_record(&record.value), out);
                    self.path.clone_from(&record.value);
                }
                "linkpath" => {
                    target = true;
                    judge_name_record(
                        record,
                        &self.header,
                        field::LINKNAME,
                        is_link && pax::needs_record(&record.value),
                        out,
                    );
                    self.target.clone_from(&record.value);
                }
                "size" => judge_number_record(record, &self.header, field::SIZE, &mut self.size, out),
                "uid" => judge_number_record(record, &self.header, field::UID, &mut self.uid, out),
                _ => judge_number_record(record, &self.header, field::GID, &mut self.gid, out),
            }
        }
        // LAY-035
        for (overridden, name, range) in [(path, "name", field::NAME), (target, "linkname", field::LINKNAME)] {
            let bytes = header::until_zero(self.header.field(range.clone()));
            if !overridden && !bytes.is_ascii() {
                let message = format!("the field `{name}` holds {}, which is not ASCII", header::show(bytes));
                out.push(Violation::new(&clause::LAY_035, self.header.place(range), message));
            }
        }
    }
}

/// LAY-030, LAY-034
fn judge_name_record(record: &Record, header: &Header, range: Range<usize>, needed: bool, out: &mut Vec<Violation>) {
    let key = String::from_utf8_lossy(&record.key);
    if !needed {
        let message = format!("the record `{key}` holds {}, which the header can hold", header::show(&record.value));
        out.push(Violation::new(&clause::LAY_030, record.place(), message));
        return;
    }
    let stub = pax::stub(&record.value);
    let held = header::until_zero(header.field(range.clone()));
    if held != stub {
        let message = format!(
            "the field that the record `{key}` overrides holds {}, not {}",
            header::show(held),
            header::show(&stub)
        );
        out.push(Violation::new(&clause::LAY_034, header.place(range), message));
    }
}

/// LAY-030, LAY-033
fn judge_number_record(
    record: &Record,
    header: &Header,
    range: Range<usize>,
    value: &mut u64,
    out: &mut Vec<Violation>,
) {
    let Some(number) = pax::decimal(&record.value) else { return };
    let key = String::from_utf8_lossy(&record.key);
    let digits = range.len() as u32 - 1;
    let held = header.octal(range.clone()).unwrap_or_default();
    if number < 8_u64.pow(digits) {
        let message = format!("the record `{key}` holds {number}, which the header can hold");
        out.push(Violation::new(&clause::LAY_030, record.place(), message));
    } else if held != 0 {
        let message = format!("the field that the record `{key}` overrides holds {held}, not 0");
        out.push(Violation::new(&clause::LAY_033, header.place(range), message));
    }
    *value = number;
}
