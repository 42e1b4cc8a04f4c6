//! The entries of a tar archive of any common dialect: v7, ustar, GNU, PAX.
//!
//! This reader is lenient on purpose, and for input only: what it reads is written anew in the one form
//! that layers have. It is not used to check anything.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use super::split::SplitArchive;
use super::tree::{BuildError, Content};
use crate::shown::shown_bytes;

/// The largest extension header that is read into memory.
const MAX_EXTENSION: u64 = 1 << 20;

/// Bytes read at once.
const CHUNK: usize = 256 << 10;
const SMALL_CHUNK: usize = 2 << 10;

/// An entry with all that headers say of it.
#[derive(Debug)]
pub(crate) struct Foreign {
    pub(crate) path: Vec<u8>,
    pub(crate) target: Vec<u8>,
    pub(crate) kind: ForeignKind,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Whole seconds, rounded down.
    pub(crate) mtime: i64,
    /// What was rounded was not zero.
    pub(crate) has_fraction: bool,
    /// The owner or group has a name, too.
    pub(crate) has_names: bool,
    pub(crate) size: u64,
    pub(crate) content: Content,
    /// Names and values, as the records have them.
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keywords of records that say something of the file that is known nowhere else, such as ACLs.
    pub(crate) others: Vec<Vec<u8>>,
    /// Where the header of the entry stands.
    pub(crate) at: u64,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForeignKind {
    File,
    Hardlink,
    Symlink,
    Directory,
    /// A device, a FIFO and so on, as a message calls it.
    Special(&'static str),
    Unknown(u8),
}

/// What extension headers say about the next entry.
#[derive(Default)]
struct Extensions {
    pax: HashMap<Vec<u8>, Vec<u8>>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

/// Reads the entries one after the other.
pub(crate) struct Reader<'a> {
    input: BufReader<File>,
    source: &'a Path,
    /// Where the contents are, if they are not in `source`.
    split: Option<&'a SplitArchive>,
    name: &'a str,
    at: u64,
    /// Where the next header stands.
    next: u64,
    /// Whether records of `g` headers count for the entries after them.
    applies_globals: bool,
    extensions: Extensions,
    global: HashMap<Vec<u8>, Vec<u8>>,
}

/// A header block as it is.
struct Header([u8; 512]);

impl Header {
    fn field(&self, start: usize, length: usize) -> &[u8] {
        self.0.get(start..start + length).unwrap_or_default()
    }

    fn text(&self, start: usize, length: usize) -> Vec<u8> {
        self.field(start, length).split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
    }

    /// An octal or base-256 number; `None` if it is neither.
    fn number(&self, start: usize, length: usize) -> Option<i64> {
        let field = self.field(start, length);
        if field.first().is_some_and(|first| first & 0x80 != 0) {
            let negative = field.first().is_some_and(|first| first & 0x40 != 0);
            let start = if negative { -1_i128 } else { 0 };
            let value = field.iter().enumerate().fold(start, |value, (at, byte)| {
                let byte = if at == 0 && !negative { byte & 0x7F } else { *byte };
                value.wrapping_mul(256).wrapping_add(i128::from(byte))
            });
            return i64::try_from(value).ok();
        }
        let digits = field.iter().skip_while(|byte| **byte == b' ').take_while(|byte| !matches!(byte, b' ' | 0));
        digits.copied().try_fold(0_i64, |value, digit| match digit {
            b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
            _ => None,
        })
    }

    fn checksum_is_right(&self) -> bool {
        let unsigned: i64 = self.sum(|byte| i64::from(*byte));
        let signed: i64 = self.sum(|byte| i64::from(i8::from_ne_bytes([*byte])));
        self.number(148, 8).is_some_and(|stored| stored == unsigned || stored == signed)
    }

    fn sum(&self, value: impl Fn(&u8) -> i64) -> i64 {
        let all: i64 = self.0.iter().map(&value).sum();
        let checksum: i64 = self.field(148, 8).iter().map(&value).sum();
        all - checksum + 8 * i64::from(b' ')
    }
}

impl<'a> Reader<'a> {
    /// A reader of the uncompressed archive `source`, which messages call `name`.
    ///
    /// # Errors
    ///
    /// Errors of the file system.
    pub(crate) fn open(source: &'a Path, name: &'a str, applies_globals: bool) -> Result<Self, BuildError> {
        let input = BufReader::with_capacity(CHUNK, File::open(source).map_err(BuildError::io(name))?);
        let (extensions, global) = (Extensions::default(), HashMap::new());
        Ok(Self { input, source, split: None, name, at: 0, next: 0, applies_globals, extensions, global })
    }

    /// The same for an archive whose files have been taken out.
    ///
    /// # Errors
    ///
    /// Errors of the file system.
    pub(crate) fn open_split(split: &'a SplitArchive, name: &'a str) -> Result<Self, BuildError> {
        let reader = Self::open(&split.frame, name, false)?;
        // Most of what stands after a header is a hole.
        let input = BufReader::with_capacity(SMALL_CHUNK, reader.input.into_inner());
        Ok(Self { input, split: Some(split), ..reader })
    }

    /// The next entry; `None` at the end of the archive.
    ///
    /// # Errors
    ///
    /// Errors of the file system; an archive that is damaged; a sparse file.
    pub(crate) fn next(&mut self) -> Result<Option<Foreign>, BuildError> {
        loop {
            self.skip_to(self.next)?;
            let Some(header) = self.header()? else { return Ok(None) };
            if let Some(entry) = self.entry(&header)? {
                return Ok(Some(entry));
            }
        }
    }

    fn refuse<T>(&self, why: &str) -> Result<T, BuildError> {
        Err(BuildError::Refused(format!("{}: at byte {}: {why}", self.name, self.at)))
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<(), BuildError> {
        self.input.read_exact(buffer).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => BuildError::Refused(format!(
                "{}: at byte {}: the archive ends inside an extension header",
                self.name, self.at
            )),
            _ => BuildError::Io(self.name.to_owned(), error),
        })?;
        self.at += buffer.len() as u64;
        Ok(())
    }

    /// The next header; `None` at the end of the archive.
    fn header(&mut self) -> Result<Option<Header>, BuildError> {
        let mut block = [0; 512];
        let mut filled = 0;
        while let Some(room) = block.get_mut(filled..).filter(|room| !room.is_empty()) {
            let read = self.input.read(room).map_err(BuildError::io(self.name))?;
            if read == 0 {
                break;
            }
            filled += read;
        }
        if filled == 0 || block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = Header(block);
        if self.at == 0 && (filled < block.len() || !header.checksum_is_right()) {
            let message = "neither a directory nor a tar archive, plain or compressed with gzip or zstd";
            return Err(BuildError::Refused(format!("{}: it is {message}", self.name)));
        }
        if filled < block.len() {
            return self.refuse("the archive ends inside a header");
        }
        if !header.checksum_is_right() {
            return self.refuse("this is no tar header, its checksum is wrong");
        }
        self.at += 512;
        Ok(Some(header))
    }

    /// The data of an extension header.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, BuildError> {
        if size > MAX_EXTENSION {
            return self.refuse(&format!("an extension header has {size} bytes; the limit is {MAX_EXTENSION}"));
        }
        let mut data = vec![0; usize::try_from(size).unwrap_or_default()];
        self.read(&mut data)?;
        self.next = self.at + size.wrapping_neg() % 512;
        Ok(data)
    }

    fn skip_to(&mut self, end: u64) -> Result<(), BuildError> {
        if end > self.at {
            let length = i64::try_from(end - self.at).unwrap_or(i64::MAX);
            self.input.seek_relative(length).map_err(BuildError::io(self.name))?;
            self.at = end;
        }
        Ok(())
    }

    /// The entry of a header; `None` if it is an extension of the next one.
    fn entry(&mut self, header: &Header) -> Result<Option<Foreign>, BuildError> {
        let Some(size) = header.number(124, 12).and_then(|size| u64::try_from(size).ok()) else {
            return self.refuse(&format!(
                "the size of \"{}\" is \"{}\", not a number",
                shown_bytes(&header.text(0, 100)),
                shown_bytes(&header.text(124, 12))
            ));
        };
        let typeflag = header.field(156, 1).first().copied().unwrap_or_default();
        match typeflag {
            b'x' | b'X' => {
                let data = self.extension(size)?;
                self.extensions.pax = self.records(&data)?;
                return Ok(None);
            }
            b'g' => {
                let data = self.extension(size)?;
                let records = self.records(&data)?;
                if self.applies_globals {
                    self.global.extend(records);
                }
                return Ok(None);
            }
            b'L' | b'K' => {
                let mut data = self.extension(size)?;
                data.truncate(data.iter().position(|byte| *byte == 0).unwrap_or(data.len()));
                if typeflag == b'L' {
                    self.extensions.long_name = Some(data);
                } else {
                    self.extensions.long_link = Some(data);
                }
                return Ok(None);
            }
            _ => {}
        }
        let extensions = std::mem::take(&mut self.extensions);
        // A record without a value takes back what was said before.
        let pax = |key: &[u8]| {
            let record = extensions.pax.get(key).or_else(|| self.global.get(key));
            record.filter(|value| !value.is_empty()).cloned()
        };
        let mut records = extensions.pax.iter();
        let is_sparse =
            typeflag == b'S' || records.any(|(key, value)| key.starts_with(b"GNU.sparse.") && !value.is_empty());
        let raw_name = pax(b"path").or(extensions.long_name.clone()).unwrap_or_else(|| full_name(header));
        let raw_target = pax(b"linkpath").or(extensions.long_link.clone()).unwrap_or_else(|| header.text(157, 100));
        let not_a_number = |key: &str, text: &[u8]| {
            let (path, text) = (shown_bytes(&raw_name), shown_bytes(text));
            self.refuse(&format!("the PAX record `{key}` of \"{path}\" is \"{text}\", not a number"))
        };
        let size = match pax(b"size") {
            Some(text) => match digits(&text).and_then(|digits| digits.parse().ok()) {
                Some(size) => size,
                None => return not_a_number("size", &text),
            },
            None => size,
        };
        let (mtime, has_fraction) = match pax(b"mtime") {
            Some(text) => match floor(&text) {
                Some(time) => time,
                None => return not_a_number("mtime", &text),
            },
            None => (header.number(136, 12).unwrap_or_default(), false),
        };
        let has_names = [(265, b"uname"), (297, b"gname")]
            .into_iter()
            .any(|(start, key)| !header.text(start, 32).is_empty() || pax(key).is_some());
        let id = |text: Option<Vec<u8>>, start: usize| match text {
            Some(text) => digits(&text).and_then(|digits| digits.parse::<u32>().ok()),
            None => header.number(start, 8).and_then(|id| u32::try_from(id).ok()),
        };
        let (uid, gid) = (id(pax(b"uid"), 108), id(pax(b"gid"), 116));
        let mode = header.number(100, 8).and_then(|mode| u32::try_from(mode & 0o7777).ok()).unwrap_or_default();
        if is_sparse {
            return self.refuse(&format!(
                "the file \"{}\" is sparse; write the archive without --sparse",
                shown_bytes(&raw_name)
            ));
        }
        let (Some(uid), Some(gid)) = (uid, gid) else {
            let message = "is not given in numbers up to 4294967295";
            return self.refuse(&format!("the owner of \"{}\" {message}", shown_bytes(&raw_name)));
        };
        let kind = match typeflag {
            b'0' | 0 | b'7' if raw_name.ends_with(b"/") => ForeignKind::Directory,
            b'0' | 0 | b'7' => ForeignKind::File,
            b'1' => ForeignKind::Hardlink,
            b'2' => ForeignKind::Symlink,
            b'3' | b'4' => ForeignKind::Special("the device"),
            b'5' => ForeignKind::Directory,
            b'6' => ForeignKind::Special("the FIFO"),
            b'V' => ForeignKind::Special("the volume label"),
            other => ForeignKind::Unknown(other),
        };
        let at = self.at - 512;
        let content = match self.split {
            None => Content::Part(self.source.to_owned(), self.at, size),
            Some(split) => match split.content(self.at, size) {
                Some(content) => content,
                None => {
                    let message = "does not stand where it did when the archive was checked";
                    return self.refuse(&format!("\"{}\" {message}", shown_bytes(&raw_name)));
                }
            },
        };
        // Links and directories of old archives can give a size without data.
        let data = if matches!(typeflag, b'1'..=b'6') { 0 } else { size };
        self.next = self.at.saturating_add(data).saturating_add(data.wrapping_neg() % 512);
        let (mut xattrs, mut others) = (Vec::new(), Vec::new());
        for (key, value) in extensions.pax {
            if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                xattrs.push((name.to_vec(), value));
            } else if [&b"SCHILY.acl."[..], b"SCHILY.fflags", b"LIBARCHIVE.", b"RHT.security."]
                .iter()
                .any(|prefix| key.starts_with(prefix))
            {
                others.push(key);
            }
        }
        xattrs.sort();
        others.sort();
        let (path, target) = (raw_name, raw_target);
        Ok(Some(Foreign {
            path,
            target,
            kind,
            mode,
            uid,
            gid,
            mtime,
            has_fraction,
            has_names,
            size,
            content,
            xattrs,
            others,
            at,
        }))
    }

    fn records(&self, body: &[u8]) -> Result<HashMap<Vec<u8>, Vec<u8>>, BuildError> {
        let mut records = HashMap::new();
        let mut rest = body;
        while !rest.is_empty() {
            let Some((key, value, length)) = record(rest) else {
                return self.refuse("a PAX header is not well formed");
            };
            records.insert(key.to_vec(), value.to_vec());
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(records)
    }
}

/// The name in the header, with the prefix of ustar.
fn full_name(header: &Header) -> Vec<u8> {
    let name = header.text(0, 100);
    let prefix = header.text(345, 155);
    // GNU archives hold times where ustar has the prefix.
    let is_ustar = header.field(257, 6) == b"ustar\0";
    if !is_ustar || prefix.is_empty() {
        return name;
    }
    [prefix.as_slice(), b"/", name.as_slice()].concat()
}

/// The whole seconds of a decimal time, rounded down, and whether that changed it; the nearest that there is, if they
/// are too many.
fn floor(text: &[u8]) -> Option<(i64, bool)> {
    let (is_negative, text) = text.strip_prefix(b"-").map_or((false, text), |rest| (true, rest));
    let dot = text.iter().position(|byte| *byte == b'.').unwrap_or(text.len());
    let (whole, rest) = text.split_at_checked(dot)?;
    let fraction = if rest.is_empty() { "" } else { digits(rest.get(1..)?)? };
    let seconds: i64 = digits(whole)?.parse().unwrap_or(i64::MAX);
    let has_fraction = fraction.bytes().any(|digit| digit != b'0');
    let seconds = if is_negative { (-seconds).saturating_sub(i64::from(has_fraction)) } else { seconds };
    Some((seconds, has_fraction))
}

/// A text that is nothing but digits.
fn digits(text: &[u8]) -> Option<&str> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_number)
}

/// Keyword, value and length of the record at the head of `rest`.
fn record(rest: &[u8]) -> Option<(&[u8], &[u8], usize)> {
    let space = rest.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(rest.get(..space)?).ok()?.parse().ok()?;
    let content = rest.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = content.iter().position(|byte| *byte == b'=')?;
    Some((content.get(..equals)?, content.get(equals + 1..)?, length))
}
