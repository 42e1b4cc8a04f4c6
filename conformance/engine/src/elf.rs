//! The loader that an ELF file names, read as Linux reads it (elf(5), `fs/binfmt_elf.c`): wherever it stands.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The type of the program header that names a loader.
const PT_INTERP: u64 = 3;

/// Bytes that all program headers can have.
const HEADERS: u64 = 64 << 10;

/// Bytes that the path of a loader can have, with the zero byte at its end.
const PATH: u64 = 4096;

/// Numbers of a file, in its byte order and width.
struct Numbers<'a> {
    bytes: &'a [u8],
    is_wide: bool,
    is_big: bool,
}

impl Numbers<'_> {
    fn at(&self, at: usize, length: usize) -> Result<u64, String> {
        let end = at.checked_add(length).and_then(|end| self.bytes.get(at..end));
        let bytes = end.ok_or_else(|| "has a damaged ELF header".to_owned())?;
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Ok(if self.is_big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    }

    /// A number of the native width, whose place depends on that.
    fn native(&self, narrow: usize, wide: usize) -> Result<u64, String> {
        if self.is_wide { self.at(wide, 8) } else { self.at(narrow, 4) }
    }
}

/// The path of the loader, if the file names one. `head` is the beginning of `file`, which begins with an ELF header.
///
/// # Errors
///
/// Why Linux does not execute it, or that it cannot be read, in words.
pub(crate) fn loader(file: &File, head: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let [_, _, _, _, class @ (1 | 2), order @ (1 | 2), ..] = head else {
        return Err("has a damaged ELF header".to_owned());
    };
    let (is_wide, is_big) = (*class == 2, *order == 2);
    let header = Numbers { bytes: head, is_wide, is_big };
    let table = header.native(28, 32)?;
    let (size, count) =
        if is_wide { (header.at(54, 2)?, header.at(56, 2)?) } else { (header.at(42, 2)?, header.at(44, 2)?) };
    let expected = if is_wide { 56 } else { 32 };
    if size != expected || count == 0 || count * size > HEADERS {
        return Err(format!("has {count} program headers of {size} bytes, which no kernel takes"));
    }
    let all = read(file, table, count * size)?;
    for bytes in all.chunks(usize::try_from(size).unwrap_or(usize::MAX)) {
        let header = Numbers { bytes, is_wide, is_big };
        if header.at(0, 4)? != PT_INTERP {
            continue;
        }
        let (offset, length) = (header.native(4, 8)?, header.native(16, 32)?);
        if !(2..=PATH).contains(&length) {
            return Err(format!("names a loader by a path of {length} bytes, which no kernel takes"));
        }
        let mut path = read(file, offset, length)?;
        if path.last() != Some(&0) {
            return Err("names a loader by a path that has no end".to_owned());
        }
        path.truncate(path.iter().position(|byte| *byte == 0).unwrap_or_default());
        return Ok(Some(path));
    }
    Ok(None)
}

/// So many bytes of a file from a place on.
fn read(file: &File, offset: u64, length: u64) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; usize::try_from(length).map_err(|error| error.to_string())?];
    // An offset that no file can have is refused by the system.
    file.read_exact_at(&mut bytes, offset).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => "ends before what its ELF header names".to_owned(),
        _ => format!("cannot be read: {error}"),
    })?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::io::{Read, Seek, Write};

    use super::*;

    /// A file of 64 bits whose second program header names the loader `path`; where that and the headers stand.
    fn elf(headers: u64, at: u64, path: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7FELF\x02\x01");
        bytes[32..40].copy_from_slice(&headers.to_le_bytes());
        bytes[54..56].copy_from_slice(&56_u16.to_le_bytes());
        bytes[56..58].copy_from_slice(&2_u16.to_le_bytes());
        let mut put = |at: u64, part: &[u8]| {
            let at = usize::try_from(at).unwrap();
            bytes.resize(bytes.len().max(at + part.len()), 0);
            bytes[at..at + part.len()].copy_from_slice(part);
        };
        put(headers, &[0; 112]);
        put(headers + 56, &3_u32.to_le_bytes());
        put(headers + 56 + 8, &at.to_le_bytes());
        put(headers + 56 + 32, &(path.len() as u64).to_le_bytes());
        put(at, path);
        bytes
    }

    fn loader_of(bytes: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        let mut head = Vec::new();
        (&file).take(4096).read_to_end(&mut head).unwrap();
        loader(&file, &head)
    }

    #[test]
    fn it_can_stand_anywhere() {
        for (headers, at) in [(64, 176), (64, 70_000), (70_000, 64), (5_000_000, 6_000_000)] {
            assert_eq!(
                loader_of(&elf(headers, at, b"/lib/ld.so\0")).unwrap().unwrap(),
                b"/lib/ld.so",
                "{headers} {at}"
            );
        }
    }

    #[test]
    fn what_no_kernel_takes_names_none() {
        let good = elf(64, 176, b"/lib/ld.so\0");
        let with = |at: usize, bytes: &[u8]| {
            let mut bad = good.clone();
            bad[at..at + bytes.len()].copy_from_slice(bytes);
            loader_of(&bad).unwrap_err()
        };
        assert!(with(4, &[3]).contains("damaged"));
        assert!(with(54, &[57]).contains("57 bytes"));
        assert!(with(56, &[0]).contains("0 program headers"));
        assert!(with(56, &[0xFF, 0xFF]).contains("65535"));
        assert!(with(32, &[0xFF; 8]).contains("cannot be read"));
        assert!(with(32, &[0, 0xFF]).contains("ends before"));
        assert!(with(64 + 56 + 32, &[1]).contains("of 1 bytes"));
        assert!(with(64 + 56 + 32, &[10]).contains("no end"));
        assert!(with(64 + 56 + 8, &[0, 0xFF]).contains("ends before"));
        assert!(loader_of(b"\x7FELF\x02\x01").is_err());
    }
}
