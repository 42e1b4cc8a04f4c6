//! Layers for whom a verdict is not enough: what is checked can be kept on the way.

use std::num::NonZero;
use std::ops::Range;

use super::entry::Entry;
use super::header::{BLOCK, Type};
use crate::store::Extent;

/// How the blobs of images are read.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    /// How far they are checked.
    pub extent: Extent,
    /// Threads that work at once.
    pub jobs: NonZero<usize>,
    /// Gets the layers as well, where they are looked into.
    pub keep: Option<&'a dyn Keep>,
}

impl Pass<'_> {
    /// Nobody gets the layers.
    #[must_use]
    pub fn new(extent: Extent, jobs: NonZero<usize>) -> Self {
        Self { extent, jobs, keep: None }
    }
}

/// Gets layers while they are checked. They need not be valid.
pub trait Keep: Sync {
    /// What takes the layer in the file `path`, unless it is not wanted.
    fn layer(&self, path: &str) -> Option<Box<dyn KeepLayer + '_>>;
}

/// Takes one layer, decoded, in order and from its beginning.
pub trait KeepLayer: Send {
    /// The next bytes, which are no data of a file; they stand at `at`.
    fn rest(&mut self, at: u64, bytes: &[u8]);
    /// The data of a file begin at `at`, and are `size` bytes, at least one.
    fn begin(&mut self, at: u64, size: u64);
    /// The next bytes of them.
    fn data(&mut self, bytes: &[u8]);
}

/// Tells the data of files from the rest of a layer.
pub(super) struct Splitter<'a> {
    to: Box<dyn KeepLayer + 'a>,
    /// Where the next piece begins.
    at: u64,
    /// What has not been seen of the data of a file.
    data: Range<u64>,
    /// Where data stand in this piece.
    seen: Vec<Range<u64>>,
}

impl<'a> Splitter<'a> {
    pub(super) fn new(to: Box<dyn KeepLayer + 'a>) -> Self {
        Self { to, at: 0, data: 0..0, seen: Vec::new() }
    }

    /// An entry begins.
    pub(super) fn entry(&mut self, entry: &Entry<'_>) {
        let start = entry.start + BLOCK as u64;
        self.data = start..start;
        if entry.kind == Type::File && !entry.is_sparse && entry.size > 0 {
            self.data.end = start.saturating_add(entry.size);
            self.to.begin(start, entry.size);
        }
    }

    /// Data of the entry that began last.
    pub(super) fn data(&mut self, bytes: &[u8]) {
        let end = self.data.start + bytes.len() as u64;
        if end <= self.data.end {
            self.to.data(bytes);
            self.seen.push(self.data.start..end);
            self.data.start = end;
        }
    }

    /// The whole piece, in which the data have been told before.
    pub(super) fn piece(&mut self, piece: &[u8]) {
        let end = self.at + piece.len() as u64;
        let mut from = self.at;
        for data in self.seen.drain(..).chain(std::iter::once(end..end)) {
            let part = |at: u64| usize::try_from(at.saturating_sub(self.at)).unwrap_or(usize::MAX);
            if let Some(rest) = piece.get(part(from)..part(data.start)).filter(|rest| !rest.is_empty()) {
                self.to.rest(from, rest);
            }
            from = data.end;
        }
        self.at = end;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::layer::Walker;
    use super::*;
    use crate::limits::Limits;

    /// What is told of a layer.
    #[derive(Debug, Default, PartialEq)]
    struct Told {
        /// What is no data, at its place, with zero bytes for the data.
        rest: Vec<u8>,
        /// Where data begin, how many there are, and the data.
        files: Vec<(u64, u64, Vec<u8>)>,
    }

    impl KeepLayer for &Mutex<Told> {
        fn rest(&mut self, at: u64, bytes: &[u8]) {
            let rest = &mut self.lock().unwrap().rest;
            assert!(!bytes.is_empty() && rest.len() as u64 <= at);
            rest.resize(at as usize, 0);
            rest.extend_from_slice(bytes);
        }

        fn begin(&mut self, at: u64, size: u64) {
            self.lock().unwrap().files.push((at, size, Vec::new()));
        }

        fn data(&mut self, bytes: &[u8]) {
            self.lock().unwrap().files.last_mut().unwrap().2.extend_from_slice(bytes);
        }
    }

    fn layer(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, kind, data) in entries {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(*kind);
            header.set_size(data.len() as u64);
            builder.append_data(&mut header, path, *data).unwrap();
        }
        builder.into_inner().unwrap()
    }

    /// The data of files are told apart from the rest, however the layer comes; those of entries that are passed
    /// over, or are no files, belong to the rest.
    #[test]
    fn files_are_taken_out() {
        let (long, file) = (vec![7; 1300], tar::EntryType::Regular);
        let archive = layer(&[
            ("d/", tar::EntryType::Directory, b""),
            ("d/a", file, b"hello"),
            ("d/empty", file, b""),
            (".wh..wh.aufs", file, b"passed over"),
            ("d/block", file, &[8; 512]),
            ("d/unknown", tar::EntryType::new(b'Z'), b"data"),
            ("d/sparse", tar::EntryType::GNUSparse, b"sparse"),
            ("long", file, &long),
        ]);
        let block = |number: u64| number * BLOCK as u64;
        let files = vec![
            (block(2), 5, b"hello".to_vec()),
            (block(7), 512, vec![8; 512]),
            (archive.len() as u64 - block(5), 1300, long.clone()),
        ];
        for size in [1, 7, 511, 512, 513, 1029, 4096, archive.len()] {
            let told = Mutex::new(Told::default());
            let mut walker = Walker::new(&Limits::FORMAT);
            walker.keep(Box::new(&told));
            for piece in archive.chunks(size) {
                walker.push(piece);
            }
            drop(walker);
            let told = told.into_inner().unwrap();
            assert_eq!(told.files, files, "{size}");
            let mut whole = told.rest;
            for (at, _, data) in &told.files {
                let place = &mut whole[*at as usize..][..data.len()];
                assert!(place.iter().all(|byte| *byte == 0), "{size}");
                place.copy_from_slice(data);
            }
            assert!(whole == archive, "{size}");
        }
    }
}
