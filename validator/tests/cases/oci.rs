//! Layouts and layers of OCI: what holds of all cases, and the places that cases do not give.

use std::fs;
use std::num::NonZero;

use cornercast::diagnostic::{Diagnostic, Findings, Location};
use cornercast::input::{Kind, check_file};
use cornercast::limits::Limits;
use cornercast::store::Files;
use cornercast::tar::{END, EntryHeader, header_bytes};

use super::oci_layers;
use super::several::found_in_cases;

/// An entry of an archive.
fn entry(typeflag: u8, path: &str, content: &[u8]) -> Vec<u8> {
    let size = content.len() as u64;
    let target = if matches!(typeflag, b'1' | b'2') { "nowhere" } else { "" };
    let header = EntryHeader { typeflag, path, target, mode: 0o644, size, ..EntryHeader::default() };
    let padding = vec![0; content.len().next_multiple_of(512) - content.len()];
    [header_bytes(&header), content.to_vec(), padding].concat()
}

fn found_in_file(kind: Kind, archive: &Vec<u8>) -> Vec<Diagnostic> {
    let mut findings = Findings::new("input", 100);
    check_file(kind, archive, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
    findings.list().to_vec()
}

/// The files of a layout in an archive are judged as they are in a directory.
#[test]
fn archives_are_judged_like_directories() {
    let mut count = 0;
    for (folder, case, found) in super::checked() {
        let kind = match Kind::by_name(&case.kind) {
            Some(Kind::OciLayout) => Kind::OciArchive,
            Some(Kind::DockerLayout) => Kind::DockerArchive,
            _ => continue,
        };
        let root = folder.join(case.input.as_ref().unwrap());
        let files = super::Store { root: &root, links: &case.links, executables: &case.executables };
        let mut archive = Vec::new();
        for listed in files.list().unwrap() {
            archive.extend(match listed.irregular {
                Some(_) => entry(b'2', &listed.path, b""),
                None => entry(b'0', &listed.path, &fs::read(root.join(&listed.path)).unwrap()),
            });
        }
        archive.extend(END);
        assert_eq!(found_in_file(kind, &archive), found.list(), "{}", folder.display());
        count += 1;
    }
    assert!(count > 200, "{count} layouts");
}

/// What has no content of its own in an archive is no file of a layout.
#[test]
fn only_files_are_files_of_a_layout() {
    for (typeflag, what) in
        [(b'1', "a hard link"), (b'2', "a symbolic link"), (b'3', "a device or FIFO"), (b'S', "a sparse file")]
    {
        let archive = [entry(typeflag, "oci-layout", b""), END.to_vec()].concat();
        let found = found_in_file(Kind::OciArchive, &archive);
        let message = found.iter().find(|found| found.id == "OCI-009").map(|found| found.message.clone());
        assert_eq!(message, Some(format!("the file is {what}, which is not opened")), "{found:#?}");
    }
}

/// The place of an entry is its header, or a field in that, which is shown.
#[test]
fn entries_are_in_their_headers() {
    let mut count = 0;
    for (folder, case, found) in super::checked() {
        if !matches!(&*case.kind, "oci-layer" | "oci-archive" | "docker-archive") {
            continue;
        }
        let input = fs::read(folder.join(case.input.as_ref().unwrap())).unwrap();
        for found in found.list() {
            let second = found.related.iter().map(|related| (&related.location, None));
            for (location, excerpt) in second.chain([(&found.location, found.excerpt.as_ref())]) {
                let Location { chain, bytes: Some(bytes), .. } = location else { continue };
                // In the archive itself, not in a layer that lies there.
                if chain.len() != 2 || found.id < "OCI-053" {
                    continue;
                }
                let header = bytes.start / 512 * 512;
                let is_header = (bytes.start, bytes.end) == (header, header + 512);
                let is_field = excerpt.is_some_and(|excerpt| {
                    let field = &input[bytes.start as usize..bytes.end as usize];
                    !field.is_empty() && excerpt.bytes == field && bytes.end < header + 512
                });
                assert!(is_header || is_field, "{}: {found:#?}", folder.display());
                count += 1;
            }
        }
    }
    assert!(count > 50, "{count} entries");
}

/// The excerpts of what is wrong with how layers are compressed, and where the places end.
#[test]
fn in_compressed_layers() {
    let clauses =
        ["OCI-042", "OCI-043", "OCI-044", "OCI-045", "OCI-046", "OCI-047", "OCI-048", "OCI-049", "OCI-050", "OCI-051"];
    insta::assert_snapshot!(found_in_cases(Kind::OciLayer, &clauses));
}

#[test]
fn frames_are_counted_and_placed() {
    let frame = zstd::encode_all(&END[..], 3).unwrap();
    let mut reserved = frame.clone();
    reserved[4] |= 0b1000;
    let skippable = |length: usize| {
        [&[0x50, 0x2A, 0x4D, 0x18], (length as u32).to_le_bytes().as_slice(), &vec![7; length]].concat()
    };
    let cut = |length: usize, at: usize| skippable(length)[..at].to_vec();
    let ends = "the layer ends inside a Zstandard frame";
    let wrong = "the header of a frame is incomplete or uses its reserved bit";
    for (frames, expected) in [
        (
            vec![frame.clone(), skippable(0)],
            vec![(1, "OCI-051", "the layer has 2 Zstandard frames, 1 of them skippable")],
        ),
        (
            vec![skippable(5), frame.clone(), skippable(300), reserved.clone()],
            vec![(0, "OCI-051", "the layer has 4 Zstandard frames, 2 of them skippable"), (3, "OCI-048", wrong)],
        ),
        (
            vec![frame.clone(), skippable(100_000), cut(200_000, 150_000)],
            vec![(1, "OCI-051", "the layer has 3 Zstandard frames, 2 of them skippable"), (3, "OCI-048", ends)],
        ),
        (
            vec![frame.clone(), cut(10, 6)],
            vec![(1, "OCI-051", "the layer has 2 Zstandard frames, 1 of them skippable"), (2, "OCI-048", ends)],
        ),
    ] {
        let starts = |number: usize| frames[..number].iter().map(|frame| frame.len() as u64).sum::<u64>();
        let expected = expected.into_iter().map(|(number, id, message)| (id, starts(number), message.to_owned()));
        let found = oci_layers::found(&frames.concat()).into_iter();
        let found = found.map(|found| (found.id, found.location.bytes.unwrap().start, found.message));
        assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}
