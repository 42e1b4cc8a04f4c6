//! The header block: its fields and the clauses about their form.

use std::ops::Range;

use crate::clause::{self, Clause};
use crate::diagnostic::{Excerpt, Place, Violation};
use crate::shown::shown_bytes;

/// The size of a block.
pub const BLOCK: usize = 512;

/// Where the fields of a header stand.
pub(super) mod field {
    use std::ops::Range;

    pub(crate) const NAME: Range<usize> = 0..100;
    pub(crate) const MODE: Range<usize> = 100..108;
    pub(crate) const UID: Range<usize> = 108..116;
    pub(crate) const GID: Range<usize> = 116..124;
    pub(crate) const SIZE: Range<usize> = 124..136;
    pub(crate) const MTIME: Range<usize> = 136..148;
    pub(crate) const CHKSUM: Range<usize> = 148..156;
    pub(crate) const TYPEFLAG: Range<usize> = 156..157;
    pub(crate) const LINKNAME: Range<usize> = 157..257;
    pub(crate) const MAGIC: Range<usize> = 257..265;
    pub(crate) const UNAME_GNAME: Range<usize> = 265..329;
    pub(crate) const DEVICES: Range<usize> = 329..345;
    pub(crate) const PREFIX: Range<usize> = 345..500;
    pub(crate) const REST: Range<usize> = 500..512;
}

pub(super) const MAGIC: &[u8] = b"ustar\x0000";
pub(super) const DEVICES: &[u8] = b"0000000\x000000000\0";

/// A header block and where it stands in the archive.
#[derive(Debug, Clone)]
pub struct Header {
    block: [u8; BLOCK],
    offset: u64,
}

impl Header {
    pub(super) fn new(block: [u8; BLOCK], offset: u64) -> Self {
        Self { block, offset }
    }

    /// Where the header begins.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes of a field.
    pub(super) fn field(&self, range: Range<usize>) -> &[u8] {
        self.block.get(range).unwrap_or_default()
    }

    /// The type of the entry.
    #[must_use]
    pub fn typeflag(&self) -> u8 {
        self.field(field::TYPEFLAG).first().copied().unwrap_or_default()
    }

    /// The field `name` up to its first zero byte.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        until_zero(self.field(field::NAME))
    }

    /// The field `linkname` up to its first zero byte.
    #[must_use]
    pub fn linkname(&self) -> &[u8] {
        until_zero(self.field(field::LINKNAME))
    }

    /// The value of an octal field, if it has the form that LAY-011 gives it.
    pub(super) fn octal(&self, range: Range<usize>) -> Option<u64> {
        let (zero, digits) = self.field(range).split_last()?;
        if *zero != 0 || !digits.iter().all(|digit| matches!(digit, b'0'..=b'7')) {
            return None;
        }
        Some(digits.iter().fold(0, |value, digit| value * 8 + u64::from(digit - b'0')))
    }

    /// The place of a field.
    pub(super) fn place(&self, range: Range<usize>) -> Place {
        let start = self.offset + range.start as u64;
        let mut place = Place::bytes(start..self.offset + range.end as u64);
        place.excerpt = Some(Excerpt::of_binary(start, self.field(range)));
        place
    }

    fn violation(&self, clause: &'static Clause, range: Range<usize>, message: String) -> Violation {
        Violation::new(clause, self.place(range), message)
    }

    /// Whether the checksum is the header's (LAY-009, LAY-010).
    pub(super) fn judge_checksum(&self, out: &mut Vec<Violation>) -> bool {
        let stored = self.field(field::CHKSUM);
        let sum: u32 = self.block.iter().map(|byte| u32::from(*byte)).sum::<u32>()
            - stored.iter().map(|byte| u32::from(*byte)).sum::<u32>()
            + 8 * u32::from(b' ');
        let digits: [u8; 6] = std::array::from_fn(|at| b'0' + (sum >> (15 - 3 * at) & 7) as u8);
        if stored.strip_prefix(&digits) == Some(b"\0 ") {
            return true;
        }
        // The number itself, however it is written: leading spaces, then octal digits.
        let digits: Vec<u8> = stored
            .iter()
            .copied()
            .skip_while(|byte| *byte == b' ')
            .take_while(|byte| matches!(byte, b'0'..=b'7'))
            .collect();
        let value = digits.iter().fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
        if value == sum && !digits.is_empty() {
            let message =
                format!("the checksum is written as {}, not as six digits, a zero byte and a space", show(stored));
            out.push(self.violation(&clause::LAY_009, field::CHKSUM, message));
            return true;
        }
        let message = format!("the checksum field holds {}; the sum of the header is {sum:06o}", show(stored));
        out.push(self.violation(&clause::LAY_010, field::CHKSUM, message));
        false
    }

    /// The clauses about form that hold for every header with a right checksum.
    pub(super) fn judge_form(&self, out: &mut Vec<Violation>) {
        // LAY-008
        if self.field(field::MAGIC) != MAGIC {
            let message =
                format!("the header is of another format than ustar: its magic is {}", show(self.field(field::MAGIC)));
            out.push(self.violation(&clause::LAY_008, field::MAGIC, message));
        }
        // LAY-011
        for (name, range) in [
            ("mode", field::MODE),
            ("uid", field::UID),
            ("gid", field::GID),
            ("size", field::SIZE),
            ("mtime", field::MTIME),
        ] {
            if self.octal(range.clone()).is_none() {
                let message = format!(
                    "the field `{name}` holds {}, which is not octal digits of its width and a zero byte",
                    show(self.field(range.clone()))
                );
                out.push(self.violation(&clause::LAY_011, range, message));
            }
        }
        // LAY-012
        if self.field(field::DEVICES) != DEVICES {
            let message = format!(
                "the fields `devmajor` and `devminor` hold {}, not zeros in octal digits",
                show(self.field(field::DEVICES))
            );
            out.push(self.violation(&clause::LAY_012, field::DEVICES, message));
        }
        // LAY-013, LAY-014
        for (clause, name, range) in [
            (&clause::LAY_013, "the field `prefix` is", field::PREFIX),
            (&clause::LAY_014, "the fields `uname` and `gname` are", field::UNAME_GNAME),
        ] {
            let bytes = self.field(range.clone());
            if !is_zero(bytes) {
                let message = format!("{name} not zero: {}", show(bytes));
                out.push(self.violation(clause, range, message));
            }
        }
        // LAY-015
        let is_link = matches!(self.typeflag(), b'1' | b'2');
        for (name, range, judged) in [("name", field::NAME, true), ("linkname", field::LINKNAME, is_link)] {
            if !judged {
                continue;
            }
            let used = until_zero(self.field(range.clone())).len();
            let unused = range.start + used..range.end;
            let bytes = self.field(unused.clone());
            if !is_zero(bytes) {
                let message = format!("the bytes after the field `{name}` are not zero: {}", show(bytes));
                out.push(self.violation(&clause::LAY_015, unused, message));
            }
        }
        if !is_zero(self.field(field::REST)) {
            let message = format!("the last 12 bytes of the header are not zero: {}", show(self.field(field::REST)));
            out.push(self.violation(&clause::LAY_015, field::REST, message));
        }
        // LAY-016
        let linkname = self.field(field::LINKNAME);
        if matches!(self.typeflag(), b'0' | b'5') && !is_zero(linkname) {
            let message = format!("a file or directory has the linkname {}", show(linkname));
            out.push(self.violation(&clause::LAY_016, field::LINKNAME, message));
        }
    }

    /// LAY-024, for the header block of a PAX header.
    pub(super) fn judge_pax_header(&self, out: &mut Vec<Violation>) {
        let number = |range| self.octal(range).unwrap_or_default();
        for (what, wanted, range, right) in [
            ("name", "`PaxHeader`", field::NAME, self.name() == b"PaxHeader"),
            ("mode", "0644", field::MODE, number(field::MODE) == 0o644),
            ("uid", "0", field::UID, number(field::UID) == 0),
            ("gid", "0", field::GID, number(field::GID) == 0),
            ("mtime", "0", field::MTIME, number(field::MTIME) == 0),
            ("linkname", "an empty one", field::LINKNAME, is_zero(self.field(field::LINKNAME))),
        ] {
            if !right {
                let message = format!(
                    "the PAX header has the {what} {}, not {wanted}",
                    show(until_zero(self.field(range.clone())))
                );
                out.push(self.violation(&clause::LAY_024, range, message));
            }
        }
    }
}

/// What an entry of a type that no layer has is, with the type itself.
pub(super) fn type_name(typeflag: u8) -> String {
    let name = match typeflag {
        0 => return "a file of the old tar format, with a zero byte as its type".to_owned(),
        b'3' => "a character device",
        b'4' => "a block device",
        b'6' => "a FIFO",
        b'7' => "a contiguous file",
        b'g' => "a global PAX header",
        b'K' | b'L' => "a long name of GNU tar",
        b'S' => "a sparse file of GNU tar",
        b'V' => "a volume label of GNU tar",
        _ => "of an unknown type",
    };
    format!("{name} (type {})", show(&[typeflag]))
}

/// Whether all bytes are zero; without a branch for each, so that the compiler takes many at once.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().fold(0, |all, byte| all | byte) == 0
}

pub(super) fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Bytes of a field in quotes, without the zero bytes that fill it.
pub(super) fn show(bytes: &[u8]) -> String {
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    format!("\"{}\"", shown_bytes(bytes.get(..used).unwrap_or_default()))
}
