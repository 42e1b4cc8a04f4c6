//! The crate tar.

use std::collections::BTreeSet;
use std::io::{self, Read};

use cornercast::layer::Walker;
use cornercast::limits::Limits;
use cornercast::tar::{BLOCK, END, EntryHeader, Profile, header_bytes};
use proptest::prelude::*;
use proptest::sample::Index;

use super::{compare, listed};
use crate::laws::layer::walk;
use crate::laws::tar::{File, read};
use crate::mend::mend_checksums;
use crate::mutant::{changes, mutant};
use crate::seeds::Seed;
use crate::{SEEDS, effort};

const HEADING: &str = "The crate tar";

/// What the two readers say of an entry.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    typeflag: u8,
    path: Vec<u8>,
    target: Option<Vec<u8>>,
    mode: u64,
    uid: u64,
    gid: u64,
    mtime: u64,
    size: u64,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    data: Vec<u8>,
}

/// The entries of a layer as the crate reads them, if it reads them all.
fn theirs(layer: &[u8]) -> io::Result<Vec<Seen>> {
    let mut archive = ::tar::Archive::new(layer);
    let mut seen = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let mut xattrs = Vec::new();
        for record in entry.pax_extensions()?.into_iter().flatten() {
            let record = record?;
            if let Some(name) = record.key_bytes().strip_prefix(b"SCHILY.xattr.") {
                xattrs.push((name.to_vec(), record.value_bytes().to_vec()));
            }
        }
        let mut data = Vec::new();
        entry.read_to_end(&mut data)?;
        let header = entry.header();
        seen.push(Seen {
            typeflag: header.entry_type().as_byte(),
            path: entry.path_bytes().into_owned(),
            target: entry.link_name_bytes().map(|target| target.into_owned()),
            mode: header.mode()?.into(),
            uid: header.uid()?,
            gid: header.gid()?,
            mtime: header.mtime()?,
            size: entry.size(),
            xattrs,
            data,
        });
    }
    Ok(seen)
}

fn ours(file: &File) -> Seen {
    Seen {
        typeflag: file.typeflag,
        path: file.path.clone(),
        target: matches!(file.typeflag, b'1' | b'2').then(|| file.target.clone()),
        mode: file.mode,
        uid: file.uid,
        gid: file.gid,
        mtime: file.mtime,
        size: file.size,
        xattrs: file.xattrs.clone(),
        data: file.data.clone(),
    }
}

/// What came of comparing the two readers on one layer.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Both accept it, with the same entries.
    Same,
    /// It has a newline in the value of a record, which the crate takes for the end of the record.
    Newline,
    /// Both reject it.
    Neither,
    /// The crate alone accepts it: the clauses that it breaks.
    Beyond(Vec<String>),
}

fn compared(layer: &[u8]) -> Outcome {
    let walk = walk(Walker::new(Limits::FORMAT), [layer]);
    let theirs = theirs(layer);
    if !walk.violations.is_empty() {
        let ids = walk.violations.iter().map(|violation| violation.clause.id.to_owned());
        return theirs.map_or(Outcome::Neither, |_| Outcome::Beyond(ids.collect()));
    }
    let read = read(Profile::Layer, [layer]);
    let ours: Vec<Seen> = read.entries(layer).into_iter().map(ours).collect();
    if ours.iter().flat_map(|seen| &seen.xattrs).any(|(_, value)| value.contains(&b'\n')) {
        return Outcome::Newline;
    }
    let theirs = theirs.unwrap_or_else(|error| panic!("tar does not read an accepted layer: {error}"));
    assert_eq!(theirs, ours, "tar reads other entries");
    Outcome::Same
}

/// Layers that are too long to be kept as cases: each a directory with one thing that is too long.
fn long_layers() -> Vec<Vec<u8>> {
    let limits = Limits::FORMAT;
    let named = |path: String, value: usize| {
        let xattrs = [("user.a".to_owned(), vec![b'a'; value])];
        let header =
            EntryHeader { typeflag: b'5', path: &path, mode: 0o755, xattrs: &xattrs, ..EntryHeader::default() };
        [header_bytes(&header), END.to_vec()].concat()
    };
    vec![
        named("a/".repeat(limits.path_components + 1), 1),
        named(format!("{}/", "a".repeat(limits.path + 1)), 1),
        named("a/".to_owned(), limits.xattr_values + 1),
        named("a/".to_owned(), limits.pax_body as usize),
    ]
}

/// PAX headers that the crate takes for entries, since it does not know their magic number: one without its entry, and
/// one at whose end the layer is cut off.
fn foreign_pax_headers() -> [Vec<u8>; 2] {
    let xattrs = [("user.a".to_owned(), b"a".to_vec())];
    let header = EntryHeader { typeflag: b'5', path: "a/", mode: 0o755, xattrs: &xattrs, ..EntryHeader::default() };
    let mut header = header_bytes(&header);
    header.truncate(2 * BLOCK);
    header[257] = b'x';
    mend_checksums(&mut header);
    [[&*header, &END].concat(), header]
}

/// A checksum with a tab where its first zero was, which the crate takes for a space.
fn checksum_with_a_tab() -> Vec<u8> {
    let header = EntryHeader { typeflag: b'5', path: "a/", mode: 0o755, ..EntryHeader::default() };
    let mut header = header_bytes(&header);
    assert_eq!(header[148], b'0');
    header[148] = b'\t';
    [header, END.to_vec()].concat()
}

#[test]
fn the_page_lists_what_tar_accepts_beyond() {
    let (mut seen, mut same, mut newline) = (BTreeSet::new(), 0, 0);
    let cases = SEEDS.iter().filter(|seed| seed.kind == "layer").map(|seed| &seed.bytes);
    for layer in cases.chain(&long_layers()).chain(&foreign_pax_headers()).chain([&checksum_with_a_tab()]) {
        match compared(layer) {
            Outcome::Same => same += 1,
            Outcome::Newline => newline += 1,
            Outcome::Neither => {}
            Outcome::Beyond(ids) => seen.extend(ids),
        }
    }
    assert!(same > 100 && newline > 0, "{same} layers are read the same, {newline} have a newline in a value");
    compare(HEADING, &seen);
}

#[test]
fn no_mutant_adds_a_difference() {
    let layers: Vec<&Seed> = SEEDS.iter().filter(|seed| seed.suits("layer")).collect();
    let listed = listed(HEADING);
    proptest!(effort(4000), |(pick in any::<Index>(), changes in changes(4))| {
        let seed = pick.get(&layers);
        if let Outcome::Beyond(ids) = compared(&mutant(&seed.bytes, &changes)) {
            let unlisted: Vec<&String> = ids.iter().filter(|id| !listed.contains(*id)).collect();
            prop_assert!(unlisted.is_empty(), "{unlisted:?}: {changes:?} of {}", seed.case);
        }
    });
}
