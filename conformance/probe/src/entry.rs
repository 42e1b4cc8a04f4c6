//! What is said of one file, whatever kind it is.

use std::fs::{FileType, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{major, minor};
use serde_json::{Map, Value};

use crate::value;

/// What kind of file it is, in a word.
pub(crate) fn kind(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_file() => "file",
        kind if kind.is_dir() => "directory",
        kind if kind.is_symlink() => "symlink",
        kind if kind.is_fifo() => "pipe",
        kind if kind.is_socket() => "socket",
        kind if kind.is_char_device() => "character",
        kind if kind.is_block_device() => "block",
        _ => "other",
    }
}

/// `kind`, `mode`, `uid`, `gid`; `major` and `minor` of a device; `target` of a symbolic link.
pub(crate) fn described(path: &Path, metadata: &Metadata) -> Map<String, Value> {
    let mut members = Map::new();
    let kind = metadata.file_type();
    members.insert("kind".to_owned(), self::kind(kind).into());
    members.insert("mode".to_owned(), (metadata.mode() & 0o7777).into());
    members.insert("uid".to_owned(), metadata.uid().into());
    members.insert("gid".to_owned(), metadata.gid().into());
    if kind.is_char_device() || kind.is_block_device() {
        members.insert("major".to_owned(), major(metadata.rdev()).into());
        members.insert("minor".to_owned(), minor(metadata.rdev()).into());
    }
    if kind.is_symlink() {
        let target = std::fs::read_link(path).map(|target| value::path(&target));
        members.insert("target".to_owned(), value::or_error(target));
    }
    members
}

/// As [`described`], with `size` and `mtime`.
pub(crate) fn described_in_full(path: &Path, metadata: &Metadata) -> Map<String, Value> {
    let mut members = described(path, metadata);
    members.insert("size".to_owned(), metadata.size().into());
    members.insert("mtime".to_owned(), metadata.mtime().into());
    members
}
