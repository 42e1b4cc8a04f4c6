//! Tar archives: what the reader tells, in both profiles.

use cornercast::diagnostic::Violation;
use cornercast::limits::Limits;
use cornercast::tar::{BLOCK, Entry, Profile, Reader, Sink};

use super::pieces::pieces;
use super::place;

/// What holds of any bytes.
pub fn hold(bytes: &[u8]) {
    for profile in [Profile::Layer, Profile::Archive] {
        let whole = read(profile, [bytes]);
        let cut = read(profile, pieces(bytes));
        assert!(whole.told == cut.told, "the pieces change what is told");
        assert_eq!(whole.violations, cut.violations, "the pieces change what is wrong");
        place::inside(&whole.violations, bytes);
        // A header has 512 bytes and some 20 clauses, a record at least 5 and at most as many.
        assert!(whole.violations.len() <= 20 + bytes.len(), "{} violations", whole.violations.len());
        whole.entries(bytes);
        // The reader leaves it to others that an archive has entries.
        if whole.violations.is_empty() && !whole.told.is_empty() {
            assert!(bytes.len().is_multiple_of(BLOCK) && bytes.ends_with(&[0; 2 * BLOCK]));
        }
    }
}

/// Reads an archive that comes in pieces.
pub fn read<'a>(profile: Profile, pieces: impl IntoIterator<Item = &'a [u8]>) -> Recorded {
    let mut recorded = Recorded::default();
    let mut reader = Reader::new(profile, Limits::FORMAT);
    for piece in pieces {
        reader.push(piece, &mut recorded);
        let found = reader.take_violations();
        recorded.violations.extend(found);
    }
    reader.finish();
    recorded.violations.extend(reader.take_violations());
    recorded
}

/// What the reader told.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Entries, their data, and what was passed over, in order.
    pub told: Vec<Told>,
    /// What is wrong.
    pub violations: Vec<Violation>,
}

/// Something that the reader told.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// An entry.
    Entry(Box<File>),
    /// An entry was passed over.
    PassedOver,
}

/// An entry with its data.
#[derive(Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The fields of `Entry`.
pub struct File {
    pub typeflag: u8,
    pub path: Vec<u8>,
    pub target: Vec<u8>,
    pub mode: u64,
    pub uid: u64,
    pub gid: u64,
    pub size: u64,
    pub mtime: u64,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where the header begins.
    pub header: u64,
    pub data: Vec<u8>,
    pub complete: bool,
}

impl Recorded {
    /// The entries; the data of each is what follows its header in `source`.
    pub fn entries(&self, source: &[u8]) -> Vec<&File> {
        let mut entries = Vec::new();
        for told in &self.told {
            let Told::Entry(file) = told else { continue };
            let start = file.header as usize + BLOCK;
            assert!(
                source.get(start..start + file.data.len()) == Some(&*file.data),
                "the data of the entry at {}",
                file.header
            );
            assert!(!file.complete || file.data.len() as u64 == file.size);
            entries.push(&**file);
        }
        entries
    }
}

impl Sink for Recorded {
    fn entry(&mut self, entry: &Entry, _: &mut Vec<Violation>) {
        self.told.push(Told::Entry(Box::new(File {
            typeflag: entry.header.typeflag(),
            xattrs: entry.xattrs().map(|(name, value)| (name.to_vec(), value.to_vec())).collect(),
            header: entry.header.offset(),
            path: entry.path.clone(),
            target: entry.target.clone(),
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            size: entry.size,
            mtime: entry.mtime,
            data: Vec::new(),
            complete: false,
        })));
    }

    fn data(&mut self, bytes: &[u8]) {
        match self.told.last_mut() {
            Some(Told::Entry(file)) if !file.complete => file.data.extend_from_slice(bytes),
            other => panic!("data of {other:?}"),
        }
    }

    fn end_of_entry(&mut self, _: &mut Vec<Violation>) {
        match self.told.last_mut() {
            Some(Told::Entry(file)) if !file.complete => file.complete = true,
            other => panic!("the end of {other:?}"),
        }
    }

    fn passed_over(&mut self) {
        self.told.push(Told::PassedOver);
    }
}
