//! A header of a tar archive in any common dialect (OCI-053, OCI-054).

use std::ops::Range;

/// Bytes of a block.
pub(super) const BLOCK: usize = 512;

/// The greatest size of an entry (OCI-054).
pub(super) const MAX_SIZE: u64 = i64::MAX.cast_unsigned();

/// The fields of a header.
pub(super) mod field {
    use std::ops::Range;

    pub(crate) const NAME: Range<usize> = 0..100;
    pub(crate) const MODE: Range<usize> = 100..108;
    pub(crate) const UID: Range<usize> = 108..116;
    pub(crate) const GID: Range<usize> = 116..124;
    pub(crate) const SIZE: Range<usize> = 124..136;
    pub(crate) const MTIME: Range<usize> = 136..148;
    pub(crate) const CHECKSUM: Range<usize> = 148..156;
    pub(crate) const TYPE: usize = 156;
    pub(crate) const LINKNAME: Range<usize> = 157..257;
    pub(crate) const MAGIC: Range<usize> = 257..263;
    pub(crate) const PREFIX: Range<usize> = 345..500;
    /// Whether a map of a sparse file goes on in the next block.
    pub(crate) const SPARSE_GOES_ON: usize = 482;
    /// The same in such a block.
    pub(crate) const MAP_GOES_ON: usize = 504;
}

/// The type of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    File,
    Hardlink,
    Symlink,
    /// A character or block device, or a FIFO.
    Special,
    Directory,
    /// Records for the next entry.
    Records,
    /// Records for all entries.
    GlobalRecords,
    LongPath,
    LongTarget,
    Sparse,
    Unknown,
}

impl Type {
    fn of(byte: u8) -> Self {
        match byte {
            b'0' | 0 | b'7' => Self::File,
            b'1' => Self::Hardlink,
            b'2' => Self::Symlink,
            b'3' | b'4' | b'6' => Self::Special,
            b'5' => Self::Directory,
            b'x' => Self::Records,
            b'g' => Self::GlobalRecords,
            b'L' => Self::LongPath,
            b'K' => Self::LongTarget,
            b'S' => Self::Sparse,
            _ => Self::Unknown,
        }
    }

    /// Whether data follows.
    pub(super) fn has_data(self) -> bool {
        !matches!(self, Self::Hardlink | Self::Symlink | Self::Special | Self::Directory)
    }

    /// Whether it says something about entries, and is none itself.
    pub(super) fn is_extension(self) -> bool {
        matches!(self, Self::Records | Self::GlobalRecords | Self::LongPath | Self::LongTarget)
    }
}

/// A header block.
pub(super) struct Header<'a>(pub(super) &'a [u8; BLOCK]);

impl Header<'_> {
    pub(super) fn field(&self, range: Range<usize>) -> &[u8] {
        self.0.get(range).unwrap_or_default()
    }

    pub(super) fn byte(&self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or_default()
    }

    pub(super) fn entry_type(&self) -> Type {
        Type::of(self.byte(field::TYPE))
    }

    fn text(&self, range: Range<usize>) -> &[u8] {
        until_zero(self.field(range))
    }

    /// The path in the header itself.
    pub(super) fn path(&self) -> Vec<u8> {
        let (name, prefix) = (self.text(field::NAME), self.text(field::PREFIX));
        if self.field(field::MAGIC) == b"ustar\0" && !prefix.is_empty() {
            [prefix, b"/", name].concat()
        } else {
            name.to_vec()
        }
    }

    /// The target in the header itself.
    pub(super) fn target(&self) -> Vec<u8> {
        self.text(field::LINKNAME).to_vec()
    }

    /// Whether the checksum is right, by unsigned or by signed bytes.
    pub(super) fn checksum_is_right(&self) -> bool {
        let Some(stored) = number(self.field(field::CHECKSUM)) else { return false };
        let sum = |value: fn(u8) -> i64| {
            let all: i64 = self.0.iter().map(|byte| value(*byte)).sum();
            let own: i64 = self.field(field::CHECKSUM).iter().map(|byte| value(*byte)).sum();
            all - own + 8 * i64::from(b' ')
        };
        stored == i128::from(sum(i64::from)) || stored == i128::from(sum(|byte| i64::from(i8::from_ne_bytes([byte]))))
    }
}

/// What stands before the first zero byte.
pub(super) fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// An octal number, one in base 256, or an empty field, which is 0; `None` if it is none of these.
pub(super) fn number(field: &[u8]) -> Option<i128> {
    let first = *field.first()?;
    if first & 0x80 != 0 {
        // Two's complement without its highest bit, which only says that the number is in base 256.
        let start = if first & 0x40 != 0 { -1 } else { 0 };
        let value = |value: i128, (at, byte): (usize, &u8)| {
            let byte = if at == 0 && start == 0 { byte & 0x7F } else { *byte };
            value.wrapping_mul(256).wrapping_add(i128::from(byte))
        };
        return Some(field.iter().enumerate().fold(start, value));
    }
    let digits = field.iter().skip_while(|byte| **byte == b' ');
    let digits = digits.take_while(|byte| !matches!(byte, b' ' | 0));
    let mut any = false;
    let value = digits.copied().try_fold(0_i128, |value, digit| {
        any = true;
        matches!(digit, b'0'..=b'7').then(|| value * 8 + i128::from(digit - b'0'))
    })?;
    (any || field.iter().all(|byte| matches!(byte, b' ' | 0))).then_some(value)
}
