//! A tree from a tar archive of any common dialect: v7, ustar, GNU, PAX.
//!
//! This reader is lenient on purpose, and for input only: what it reads is written anew in the one form
//! that layers have. It is not used to check anything.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::directory::Ownership;
use super::tree::{self, BuildError, Content, SourceNode, SourceTree};
use crate::layer::{Attributes, join};
use crate::shown::{quoted, shown_bytes};

/// The largest extension header that is read into memory.
const MAX_EXTENSION: u64 = 1 << 20;

/// Reads the uncompressed tar archive `source`, which messages call `name`, into `into`.
///
/// Later entries replace earlier ones with the same path; missing parents are added; whiteouts of OCI
/// layers are taken as such.
///
/// # Errors
///
/// Errors of the file system; an archive that is damaged, or holds something that a layer cannot hold.
/// Devices, FIFOs and extended attributes of other kinds are left out with a note.
pub fn read_tar(source: &Path, name: &str, ownership: &Ownership, into: &mut SourceTree) -> Result<(), BuildError> {
    let file = File::open(source).map_err(BuildError::io(name))?;
    let mut reader = Reader {
        input: BufReader::with_capacity(256 << 10, file),
        source,
        name,
        at: 0,
        ownership,
        into,
        extensions: Extensions::default(),
        global: HashMap::new(),
        files: 0,
    };
    while let Some(header) = reader.header()? {
        reader.entry(&header)?;
    }
    reader.into.without_needless_markers();
    Ok(())
}

/// What extension headers say about the next entry.
#[derive(Default)]
struct Extensions {
    pax: HashMap<Vec<u8>, Vec<u8>>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

struct Reader<'a> {
    input: BufReader<File>,
    source: &'a Path,
    name: &'a str,
    at: u64,
    ownership: &'a Ownership,
    into: &'a mut SourceTree,
    extensions: Extensions,
    global: HashMap<Vec<u8>, Vec<u8>>,
    files: u64,
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

impl Reader<'_> {
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
        self.skip(size.wrapping_neg() % 512)?;
        Ok(data)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), BuildError> {
        let end = self.at.saturating_add(bytes);
        self.input.seek(SeekFrom::Start(end)).map_err(BuildError::io(self.name))?;
        self.at = end;
        Ok(())
    }

    fn entry(&mut self, header: &Header) -> Result<(), BuildError> {
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
                return Ok(());
            }
            b'g' => {
                let data = self.extension(size)?;
                let records = self.records(&data)?;
                self.global.extend(records);
                return Ok(());
            }
            b'L' | b'K' => {
                let mut data = self.extension(size)?;
                data.truncate(data.iter().position(|byte| *byte == 0).unwrap_or(data.len()));
                if typeflag == b'L' {
                    self.extensions.long_name = Some(data);
                } else {
                    self.extensions.long_link = Some(data);
                }
                return Ok(());
            }
            _ => {}
        }
        let extensions = std::mem::take(&mut self.extensions);
        let pax = |key: &[u8]| extensions.pax.get(key).or_else(|| self.global.get(key)).cloned();
        let is_sparse = typeflag == b'S' || extensions.pax.keys().any(|key| key.starts_with(b"GNU.sparse."));
        let size = match pax(b"size") {
            Some(text) => match String::from_utf8_lossy(&text).parse() {
                Ok(size) => size,
                Err(_) => {
                    return self.refuse(&format!(
                        "the PAX record `size` of \"{}\" is \"{}\", not a number",
                        shown_bytes(&header.text(0, 100)),
                        shown_bytes(&text)
                    ));
                }
            },
            None => size,
        };
        let raw_name = pax(b"path").or(extensions.long_name.clone()).unwrap_or_else(|| full_name(header));
        let raw_target = pax(b"linkpath").or(extensions.long_link.clone()).unwrap_or_else(|| header.text(157, 100));
        let mtime = pax(b"mtime").and_then(|text| floor(&text)).or_else(|| header.number(136, 12)).unwrap_or_default();
        let id = |text: Option<Vec<u8>>, start: usize| match text {
            Some(text) => String::from_utf8_lossy(&text).parse::<u32>().ok(),
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
        let data_at = self.at;
        let entry = Found { raw_name, raw_target, mode, uid, gid, mtime, size, data_at, typeflag, pax: extensions.pax };
        self.place(entry)?;
        // Links and directories of old archives can give a size without data.
        let has_data = !matches!(typeflag, b'1' | b'2' | b'5') || size % 512 != 0;
        let data = if has_data && !matches!(typeflag, b'1' | b'2' | b'5') { size } else { 0 };
        self.skip(data.saturating_add(data.wrapping_neg() % 512))
    }

    fn place(&mut self, found: Found) -> Result<(), BuildError> {
        let Some((path, is_slashed)) = self.clean(&found.raw_name)? else {
            if found.mode != 0o755 || (found.uid, found.gid) != (0, 0) {
                self.into.note(
                    "",
                    format!("the root's mode 0{:o} and owner {}:{} are left out", found.mode, found.uid, found.gid),
                );
            }
            return Ok(());
        };
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let is_file = matches!(found.typeflag, b'0' | 0 | b'7') && !is_slashed;
        if let Some(hidden) = name.strip_prefix(".wh.").filter(|_| is_file) {
            return self.marker(directory, hidden);
        }
        self.into.add_parents(&path);
        if let Some((end, _)) = path.match_indices('/').find(|(end, _)| {
            !matches!(path.get(..*end).and_then(|parent| self.into.get(parent)), Some(SourceNode::Dir { .. }))
        }) {
            return self.refuse(&format!(
                "the parent {} of {} is no directory",
                quoted(path.get(..end).unwrap_or_default()),
                quoted(&path)
            ));
        }
        let (uid, gid) = self.ownership.map(&path, found.uid, found.gid)?;
        let mtime = self.into.time(&path, found.mtime);
        let xattrs: Vec<(Vec<u8>, Vec<u8>)> = found
            .pax
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(b"SCHILY.xattr.")?.to_vec(), value.clone())))
            .collect();
        let node = match found.typeflag {
            b'0' | 0 | b'7' if !is_slashed => {
                self.files += 1;
                SourceNode::File {
                    attributes: Attributes {
                        mode: found.mode,
                        uid,
                        gid,
                        mtime,
                        xattrs: self.into.xattrs(&path, xattrs)?,
                    },
                    size: found.size,
                    content: Content::Part(self.source.to_owned(), found.data_at, found.size),
                    identity: Some((0, self.files)),
                }
            }
            b'5' | b'0' | 0 | b'7' => {
                let mut xattrs = self.into.xattrs(&path, xattrs)?;
                if xattrs.remove("security.capability").is_some() {
                    self.into.note(&path, "the extended attribute `security.capability` of a directory is left out");
                }
                SourceNode::Dir { attributes: Attributes { mode: found.mode, uid, gid, mtime, xattrs }, opaque: false }
            }
            b'2' => SourceNode::Symlink { uid, gid, mtime, target: tree::target(&path, &found.raw_target)? },
            b'1' => {
                let target = self.clean(&found.raw_target)?.map(|(target, _)| target).unwrap_or_default();
                match self.into.get(&target) {
                    Some(node @ (SourceNode::File { .. } | SourceNode::Symlink { .. })) => node.clone(),
                    _ => {
                        return self.refuse(&format!(
                            "the hard link {} has no earlier file {}",
                            quoted(&path),
                            quoted(&target)
                        ));
                    }
                }
            }
            other => {
                let what = match other {
                    b'3' | b'4' => "the device".to_owned(),
                    b'6' => "the FIFO".to_owned(),
                    b'V' => "the volume label".to_owned(),
                    _ => {
                        return self.refuse(&format!(
                            "{} is of the unknown type \"{}\"",
                            quoted(&path),
                            shown_bytes(&[other])
                        ));
                    }
                };
                self.into.note(&path, format!("{what} is left out"));
                return Ok(());
            }
        };
        self.into.insert(path, node);
        Ok(())
    }

    fn marker(&mut self, directory: &str, hidden: &str) -> Result<(), BuildError> {
        if hidden == ".wh..opq" {
            if directory.is_empty() {
                return self.refuse(
                    "an opaque marker stands in the root; write a whiteout for each entry of the root that goes",
                );
            }
            self.into.add_parents(&format!("{directory}/x"));
            if let Some(SourceNode::Dir { attributes, .. }) = self.into.get(directory).cloned() {
                self.into.insert(directory.to_owned(), SourceNode::Dir { attributes, opaque: true });
            }
            return Ok(());
        }
        if hidden.is_empty() || matches!(hidden, "." | "..") || hidden.starts_with(".wh.") {
            return self.refuse(&format!("the whiteout `.wh.{hidden}` hides no name"));
        }
        let path = join(directory, hidden);
        self.into.add_parents(&path);
        self.into.insert(path, SourceNode::Whiteout);
        Ok(())
    }

    /// The path of an entry without `.`, empty components and leading `/`, and whether it ended in `/`;
    /// `None` for the root.
    fn clean(&mut self, raw: &[u8]) -> Result<Option<(String, bool)>, BuildError> {
        let mut path = String::new();
        for component in raw.split(|byte| *byte == b'/').filter(|component| !matches!(component, [] | [b'.'])) {
            if component == b".." {
                return self.refuse(&format!("the path \"{}\" has the component `..`", shown_bytes(raw)));
            }
            path = tree::name(&path, component, true)?;
        }
        if raw.starts_with(b"/") && !path.is_empty() {
            self.into.note(&path, "the leading `/` of the path is left out");
        }
        Ok((!path.is_empty()).then_some((path, raw.ends_with(b"/"))))
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

/// An entry with all that headers say of it.
struct Found {
    raw_name: Vec<u8>,
    raw_target: Vec<u8>,
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: i64,
    size: u64,
    data_at: u64,
    typeflag: u8,
    pax: HashMap<Vec<u8>, Vec<u8>>,
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

/// The whole seconds of a decimal time, rounded down.
fn floor(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    let below = whole.starts_with('-') && fraction.bytes().any(|digit| digit != b'0');
    Some(seconds.saturating_sub(i64::from(below)))
}

/// Keyword, value and length of the record at the head of `rest`.
fn record(rest: &[u8]) -> Option<(&[u8], &[u8], usize)> {
    let space = rest.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(rest.get(..space)?).ok()?.parse().ok()?;
    let content = rest.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = content.iter().position(|byte| *byte == b'=')?;
    Some((content.get(..equals)?, content.get(equals + 1..)?, length))
}
