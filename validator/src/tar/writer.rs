//! The writer: headers, PAX headers and padding as the layer chapter says.

use super::header::{BLOCK, DEVICES, MAGIC, field};
use super::pax;

/// What ends an archive.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// What the header of an entry says.
#[derive(Debug, Clone, Copy, Default)]
pub struct EntryHeader<'a> {
    /// `0`, `1`, `2` or `5`.
    pub typeflag: u8,
    /// The path, with a directory's final `/` and a marker's `.wh.`.
    pub path: &'a str,
    /// The target of a link, otherwise empty.
    pub target: &'a str,
    /// At most 07777.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of data that follow.
    pub size: u64,
    /// Seconds since 1970, less than 8^11.
    pub mtime: u64,
    /// Names and values of the extended attributes, ascending by name.
    pub xattrs: &'a [(String, Vec<u8>)],
}

/// The header of an entry, with a PAX header before it where one is needed.
///
/// ```
/// use cornercast::tar::{EntryHeader, header_bytes};
///
/// let plain = EntryHeader { typeflag: b'5', path: "bin/", mode: 0o755, ..EntryHeader::default() };
/// assert_eq!(header_bytes(&plain).len(), 512);
/// let long = EntryHeader { path: "grün/", ..plain };
/// assert_eq!(header_bytes(&long).len(), 3 * 512);
/// ```
#[must_use]
pub fn header_bytes(entry: &EntryHeader<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    let gid = number_field(&mut body, "gid", u64::from(entry.gid), 7);
    let target = name_field(&mut body, "linkpath", entry.target);
    let path = name_field(&mut body, "path", entry.path);
    let mut xattrs = Vec::new();
    for (name, value) in entry.xattrs {
        pax::write_record(&mut xattrs, &[pax::XATTR, name.as_bytes()].concat(), value);
    }
    let mut tail = Vec::new();
    let size = number_field(&mut tail, "size", entry.size, 11);
    let uid = number_field(&mut tail, "uid", u64::from(entry.uid), 7);
    // Upper case sorts before lower case: the extended attributes come first.
    let body = [xattrs, body, tail].concat();

    let mut out = Vec::with_capacity(BLOCK);
    if !body.is_empty() {
        let header = Fields {
            typeflag: b'x',
            name: b"PaxHeader",
            linkname: b"",
            mode: 0o644,
            uid: 0,
            gid: 0,
            size: body.len() as u64,
            mtime: 0,
        };
        out.extend_from_slice(&header.block());
        out.extend_from_slice(&body);
        out.extend(std::iter::repeat_n(0, padding(body.len() as u64)));
    }
    let header = Fields {
        typeflag: entry.typeflag,
        name: &path,
        linkname: &target,
        mode: u64::from(entry.mode),
        uid,
        gid,
        size,
        mtime: entry.mtime,
    };
    out.extend_from_slice(&header.block());
    out
}

/// How many zero bytes follow `size` bytes of data.
#[must_use]
pub fn padding(size: u64) -> usize {
    usize::try_from(size.wrapping_neg() % BLOCK as u64).unwrap_or_default()
}

/// The value of a field of `digits` octal digits, with a record in its place if it does not fit.
fn number_field(body: &mut Vec<u8>, key: &str, value: u64, digits: u32) -> u64 {
    if value < 8_u64.pow(digits) {
        return value;
    }
    pax::write_record(body, key.as_bytes(), value.to_string().as_bytes());
    0
}

/// The value of a name field, with a record beside it if it does not fit.
fn name_field(body: &mut Vec<u8>, key: &str, value: &str) -> Vec<u8> {
    if !pax::needs_record(value.as_bytes()) {
        return value.as_bytes().to_vec();
    }
    pax::write_record(body, key.as_bytes(), value.as_bytes());
    pax::stub(value.as_bytes())
}

struct Fields<'a> {
    typeflag: u8,
    name: &'a [u8],
    linkname: &'a [u8],
    mode: u64,
    uid: u64,
    gid: u64,
    size: u64,
    mtime: u64,
}

impl Fields<'_> {
    fn block(&self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let mut put = |range: std::ops::Range<usize>, bytes: &[u8]| {
            for (to, from) in block.iter_mut().skip(range.start).take(range.len()).zip(bytes) {
                *to = *from;
            }
        };
        put(field::NAME, self.name);
        put(field::MODE, format!("{:07o}", self.mode).as_bytes());
        put(field::UID, format!("{:07o}", self.uid).as_bytes());
        put(field::GID, format!("{:07o}", self.gid).as_bytes());
        put(field::SIZE, format!("{:011o}", self.size).as_bytes());
        put(field::MTIME, format!("{:011o}", self.mtime).as_bytes());
        put(field::CHKSUM, b"        ");
        put(field::TYPEFLAG, &[self.typeflag]);
        put(field::LINKNAME, self.linkname);
        put(field::MAGIC, MAGIC);
        put(field::DEVICES, DEVICES);
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        for (to, from) in block.iter_mut().skip(field::CHKSUM.start).zip(format!("{sum:06o}\0 ").bytes()) {
            *to = from;
        }
        block
    }
}
