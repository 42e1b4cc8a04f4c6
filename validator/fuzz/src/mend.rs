//! Mutants that get past the first check: checksums and digests that are right again.

use std::ops::Range;

use cornercast::digest::Digest;

const BLOCK: usize = 512;

/// A member of a tar archive, read as leniently as can be.
struct Member {
    header: usize,
    typeflag: u8,
    data: Range<usize>,
}

/// Writes the right checksum into each header of a tar archive.
pub fn mend_checksums(tar: &mut [u8]) {
    for member in members(tar) {
        let header = &mut tar[member.header..member.header + BLOCK];
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

/// Renames the files of an archive that are named by a digest after the content that they have, and names
/// them so in all other files: blobs first, then manifests, then what signs them.
pub fn mend_digests(tar: &mut [u8]) {
    for folder in [&b"blobs/"[..], b"images/", b"signatures/", b"attestations/"] {
        let mut path = Vec::new();
        for member in members(tar) {
            if member.typeflag == b'x' {
                let body = &tar[member.data];
                let value = body.windows(5).position(|key| key == b"path=").map(|at| &body[at + 5..]);
                path = value.unwrap_or_default().split(|byte| *byte == b'\n').next().unwrap_or_default().to_vec();
                continue;
            }
            if path.is_empty() {
                path = tar[member.header..member.header + 100].to_vec();
            }
            let name = path.rsplit(|byte| *byte == b'/').next().and_then(|name| name.get(..64)).map(<[u8]>::to_vec);
            if let (true, Some(old)) = (path.starts_with(folder), name) {
                let new = Digest::of(&tar[member.data]).hex();
                replace(tar, &old, new.as_bytes());
            }
            path.clear();
        }
    }
    mend_checksums(tar);
}

fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    if old == new || !old.iter().all(u8::is_ascii_hexdigit) {
        return;
    }
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(old.len()).position(|window| window == old) {
        bytes[at + found..at + found + new.len()].copy_from_slice(new);
        at += found + new.len();
    }
}

/// Where the entries of a tar archive stand, each with its PAX header, its data and its padding.
pub fn entries(tar: &[u8]) -> Vec<Range<usize>> {
    let mut entries = Vec::new();
    let mut start = 0;
    for member in members(tar) {
        let end = member.data.end.next_multiple_of(BLOCK).min(tar.len());
        if member.typeflag != b'x' {
            entries.push(start..end);
            start = end;
        }
    }
    entries
}

fn members(tar: &[u8]) -> Vec<Member> {
    let mut members = Vec::new();
    let mut at = 0;
    while let Some(header) = tar.get(at..at + BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        let digits = header[124..136].iter().take_while(|digit| matches!(digit, b'0'..=b'7'));
        let size = digits.fold(0_usize, |size, digit| (size << 3 | usize::from(digit - b'0')) & 0xFFFF_FFFF);
        let start = at + BLOCK;
        let end = (start + size).min(tar.len());
        members.push(Member { header: at, typeflag: header[156], data: start..end });
        at = start + size.next_multiple_of(BLOCK);
    }
    members
}
