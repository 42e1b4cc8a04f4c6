//! Layers of OCI: what a damaged header or record spoils, how archives end, and what entries mean together.

use std::io::{self, Read, Write as _};
use std::num::NonZero;

use cornercast::diagnostic::{Diagnostic, Findings};
use cornercast::input::{Kind, check_stream};
use cornercast::limits::Limits;
use cornercast::tar::{END, EntryHeader, header_bytes};
use flate2::Compression;
use flate2::write::GzEncoder;

/// An entry; links lead to what `content` says.
fn entry(typeflag: u8, path: &str, content: &[u8]) -> Vec<u8> {
    let is_link = matches!(typeflag, b'1' | b'2');
    let (target, content) = if is_link { (std::str::from_utf8(content).unwrap(), &[][..]) } else { ("", content) };
    let size = content.len() as u64;
    let header = EntryHeader { typeflag, path, target, mode: 0o644, size, ..EntryHeader::default() };
    let padding = vec![0; content.len().next_multiple_of(512) - content.len()];
    [header_bytes(&header), content.to_vec(), padding].concat()
}

/// An entry whose header has `bytes` at an offset.
fn patched(mut entry: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    entry[at..at + bytes.len()].copy_from_slice(bytes);
    entry[148..156].copy_from_slice(b"        ");
    let sum: u32 = entry[..512].iter().map(|byte| u32::from(*byte)).sum();
    entry[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    entry
}

/// A header of records.
fn records(typeflag: u8, records: &[(&str, &str)]) -> Vec<u8> {
    let record = |(key, value): &(&str, &str)| {
        let rest = key.len() + value.len() + 3;
        let length = (rest + 1..).find(|length| rest + length.to_string().len() == *length).unwrap();
        format!("{length} {key}={value}\n")
    };
    entry(typeflag, "records", records.iter().map(record).collect::<String>().as_bytes())
}

/// A reader that gives one byte at a time, and is interrupted before each.
struct Slow<'a> {
    rest: &'a [u8],
    is_interrupted: bool,
}

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.is_interrupted = !self.is_interrupted;
        if self.is_interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let room = buffer.len().min(1);
        self.rest.read(&mut buffer[..room])
    }
}

/// What is found in a layer, however it is read.
pub(super) fn found(layer: &[u8]) -> Vec<Diagnostic> {
    let readers: [Box<dyn Read + Send>; 2] = [Box::new(layer), Box::new(Slow { rest: layer, is_interrupted: false })];
    let [whole, slow] = readers.map(|mut reader| {
        let mut findings = Findings::new("input", 100);
        check_stream(Kind::OciLayer, &mut reader, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
        findings.list().to_vec()
    });
    assert_eq!(whole, slow);
    whole
}

/// The clauses that are broken, each with where.
fn places(entries: &[Vec<u8>]) -> Vec<(&'static str, u64)> {
    found(&entries.concat()).iter().map(|found| (found.id, found.location.bytes.unwrap().start)).collect()
}

/// What is said of a layer.
fn messages(entries: &[Vec<u8>]) -> Vec<String> {
    found(&entries.concat()).into_iter().map(|found| found.message).collect()
}

fn file(path: &str) -> Vec<u8> {
    entry(b'0', path, b"")
}

#[test]
fn nothing_is_read_behind_a_size_that_is_unknown() {
    let bad = ("size", "abc");
    for records in [records(b'x', &[bad]), records(b'x', &[bad, ("path", "a")]), records(b'x', &[("path", "a"), bad])] {
        let found = places(&[records, file("b"), file("../x"), END.to_vec()]);
        assert_eq!(found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ["OCI-054"]);
    }
}

#[test]
fn a_size_is_below_two_to_the_63() {
    let most = (1_u64 << 63) - 1;
    let of_records = |size: u64| records(b'x', &[("size", &size.to_string())]);
    let of_header = |size: u64| patched(file("a"), 124, &[&[0x80, 0, 0, 0], &size.to_be_bytes()[..]].concat());
    assert_eq!(places(&[of_records(most), file("a")]), [("OCI-055", 1536)]);
    assert_eq!(places(&[of_records(most + 1), file("a")]), [("OCI-054", 520)]);
    assert_eq!(places(&[of_header(most)]), [("OCI-055", 512)]);
    assert_eq!(places(&[of_header(most + 1)]), [("OCI-054", 124)]);
}

#[test]
fn broken_records_spoil_the_next_entry_alone() {
    let end = || END.to_vec();
    assert_eq!(
        places(&[entry(b'x', "records", b"none"), file("../x"), file("../y"), end()]),
        [("OCI-058", 512), ("OCI-067", 1536)]
    );
    assert_eq!(places(&[entry(b'g', "records", b"none"), file("../x"), end()]), [("OCI-058", 512), ("OCI-067", 1024)]);
    let (good, rest) = (records(b'x', &[("path", "a")]), "x".repeat(60));
    let data = [&good[512..521], rest.as_bytes()].concat();
    let broken = || [entry(b'x', "records", &data), file("b"), end()];
    assert_eq!(places(&broken()), [("OCI-058", 512 + 9)]);
    assert_eq!(messages(&broken()), [format!("\"{}\" does not begin with a record", &rest[..40])]);
}

#[test]
fn an_entry_has_one_path() {
    let long = |path: &str| entry(b'L', "././@LongLink", path.as_bytes());
    let end = || END.to_vec();
    assert_eq!(places(&[long("a"), long("a"), file("b"), end()]), []);
    assert_eq!(places(&[long("a"), long("c"), file("b"), end()]), [("OCI-061", 1024 + 512)]);
    assert_eq!(places(&[records(b'x', &[("path", "a"), ("path", "c")]), file("b"), end()]), [("OCI-061", 512 + 16)]);
}

/// An empty value takes back what an earlier record or header says.
#[test]
fn empty_records_mean_the_header() {
    let link = || entry(b'1', "b", b"../a");
    let end = || END.to_vec();
    assert_eq!(places(&[records(b'x', &[("linkpath", "c/d")]), link(), end()]), [("OCI-075", 1024)]);
    assert_eq!(places(&[records(b'x', &[("linkpath", "")]), link(), end()]), [("OCI-076", 1024)]);
    assert_eq!(places(&[records(b'x', &[("path", "../a"), ("path", "")]), file("b"), end()]), []);
    assert_eq!(places(&[records(b'x', &[("size", "9999"), ("size", "")]), file("b"), end()]), []);
    assert_eq!(places(&[records(b'x', &[("path", "")]), file("../b"), end()]), [("OCI-067", 1024)]);
}

#[test]
fn ends_of_archives_are_told_apart() {
    let full = records(b'x', &[("comment", &"x".repeat(512 - 13))]);
    assert_eq!(full.len(), 1024);
    let no_end = "the layer ends without the blocks of zero bytes";
    let pending = "the archive ends after an extension header, before its entry";
    for (end, expected) in [
        (vec![], vec![no_end.to_owned()]),
        (vec![0; 100], vec![format!("{no_end} but 100")]),
        (vec![1; 100], vec!["the layer ends after 100 of the 512 bytes of a header".to_owned()]),
        (vec![0; 512], vec!["the layer ends after 512 of the 1,024 zero bytes that end it".to_owned()]),
        (vec![0; 1023], vec!["the layer ends after 1023 of the 1,024 zero bytes that end it".to_owned()]),
        (vec![0; 1024], vec![]),
        (full, vec![pending.to_owned(), no_end.to_owned()]),
        (
            entry(b'0', "b", b"content")[..600].to_vec(),
            vec!["the layer ends without the padding of its last entry".to_owned()],
        ),
        (
            entry(b'0', "b", b"content")[..515].to_vec(),
            vec!["the layer ends 4 bytes before the end of an entry's data".to_owned()],
        ),
    ] {
        assert_eq!(messages(&[file("a"), end]), expected);
    }
}

#[test]
fn what_follows_the_end_is_shown_by_its_first_byte() {
    let found = found(&[file("a"), END.to_vec(), vec![0; 7], b"more".to_vec()].concat());
    let [found] = found.as_slice() else { panic!("{found:#?}") };
    let bytes = found.location.bytes.unwrap();
    assert_eq!((found.id, bytes.start, bytes.end), ("OCI-057", 1543, 1544));
    assert_eq!(found.excerpt.as_ref().unwrap().bytes, b"m");
}

/// The map of a sparse file goes on in further blocks where its header says so, and other headers have names there.
#[test]
fn maps_belong_to_sparse_files() {
    let bad = || file("../x");
    let sparse = patched(entry(b'S', "a", b"content"), 257, &[0; 88]);
    let (header, content) = sparse.split_at(512);
    let goes_on = patched(header.to_vec(), 482, &[1]);
    let mut more = vec![0; 512];
    more[504] = 1;
    let end = || END.to_vec();
    assert_eq!(places(&[sparse.clone(), bad(), end()]), [("OCI-065", 0), ("OCI-067", 1024)]);
    assert_eq!(
        places(&[goes_on, more, vec![0; 512], content.to_vec(), bad(), end()]),
        [("OCI-065", 0), ("OCI-067", 2048)]
    );
    let long = patched(file("a"), 345, &[b'd'; 150]);
    assert_eq!(places(&[long, bad(), end()]), [("OCI-067", 512)]);
}

/// The prefix of a path belongs to it in archives of POSIX, and the field means other things in those of GNU tar.
#[test]
fn prefixes_are_those_of_posix() {
    let above = |magic: &[u8]| patched(patched(file("x"), 345, b".."), 257, magic);
    assert_eq!(places(&[above(b"ustar\0"), END.to_vec()]), [("OCI-067", 0)]);
    assert_eq!(places(&[above(b"ustar "), END.to_vec()]), []);
    assert_eq!(places(&[file("x/../../y"), END.to_vec()]), [("OCI-067", 0)]);
}

/// Where an entry is not known, nothing can be missing.
#[test]
fn links_are_judged_if_all_entries_are_known() {
    let link = || entry(b'1', "b", b"a");
    let end = || END.to_vec();
    assert_eq!(places(&[file("a"), link(), end()]), []);
    assert_eq!(places(&[link(), end()]), [("OCI-075", 0)]);
    assert_eq!(places(&[link(), entry(b'Z', "a", b""), end()]), [("OCI-064", 668)]);
    assert_eq!(places(&[entry(b'Z', "a", b""), link(), end()]), [("OCI-064", 156)]);
    assert_eq!(places(&[entry(b'Z', "x", b""), link(), file("c"), end()]), [("OCI-064", 156)]);
}

#[test]
fn hard_links_lead_to_what_stands_before_them() {
    let link = |target: &str| entry(b'1', "b", target.as_bytes());
    let end = || END.to_vec();
    for (entries, expected) in [
        (vec![file("a"), link("a")], vec![]),
        (vec![link("a"), file("a")], vec!["\"a\" stands after the hard link to it"]),
        (
            vec![file("a"), link("a"), file("a")],
            vec!["\"a\" stands after the hard link to it", "the path has been there before"],
        ),
        (vec![link("b")], vec!["the hard link leads to itself"]),
        (vec![entry(b'5', "a/", b""), link("a")], vec!["the hard link leads to the directory \"a\""]),
        (vec![link("a"), entry(b'5', "a/", b"")], vec!["the hard link leads to the directory \"a\""]),
        (vec![link("a")], vec!["the hard link leads to \"a\", which another layer has"]),
        (vec![file(".wh.a"), link(".wh.a")], vec!["the hard link leads to \".wh.a\", which another layer has"]),
    ] {
        assert_eq!(messages(&[entries.concat(), end()]), expected);
    }
}

#[test]
fn whiteouts_are_empty_files() {
    let end = || END.to_vec();
    assert_eq!(messages(&[file(".wh.a"), end()]), [""; 0]);
    assert_eq!(messages(&[entry(b'0', ".wh.a", b"a"), end()]), ["the whiteout is not empty"]);
    assert_eq!(messages(&[entry(b'2', ".wh.a", b"a"), end()]), ["the whiteout is no file"]);
    // What it hides is no place for entries to stand below.
    assert_eq!(messages(&[file(".wh.a"), file("a/b"), end()]), [""; 0]);
}

/// What is only strange about its compression keeps no layer from being judged.
#[test]
fn layers_of_several_members_are_judged() {
    let layer = [file("../x"), END.to_vec()].concat();
    let member = |content: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    };
    let (one, two) = layer.split_at(700);
    let members = [member(one), member(two), b"more".to_vec()];
    let ids = |members: &[Vec<u8>]| found(&members.concat()).iter().map(|found| found.id).collect::<Vec<_>>();
    assert_eq!(ids(&members[..2]), ["OCI-046", "OCI-067"]);
    assert_eq!(ids(&members), ["OCI-046", "OCI-047", "OCI-067"]);
    let length = members[0].len();
    assert_eq!(ids(&[members[0][..length - 1].to_vec()]), ["OCI-044"]);
}

/// A layer decodes to no more than the limit; one that does not is given up.
#[test]
fn layers_have_a_limit() {
    let layer = [file("a"), END.to_vec()].concat();
    let zstd = zstd::encode_all(&layer[..], 3).unwrap();
    let length = layer.len() as u64;
    for (stored, limit, fits) in
        [(&layer, length, true), (&zstd, length, true), (&layer, length - 1, false), (&zstd, 1, false)]
    {
        let mut findings = Findings::new("input", 100);
        let limits = Limits { layer: limit, ..Limits::FORMAT };
        let result = check_stream(Kind::OciLayer, &mut &stored[..], &limits, NonZero::<usize>::MIN, &mut findings);
        assert_eq!(result.err().map(|error| error.kind()), (!fits).then_some(io::ErrorKind::FileTooLarge));
        assert_eq!(findings.list(), []);
    }
}
