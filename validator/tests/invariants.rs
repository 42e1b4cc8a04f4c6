//! The invariants of ARCHITECTURE.md that concern the library.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::io::{self, Read};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use cornercast::diagnostic::Findings;
use cornercast::input::{Kind, check_stream};
use cornercast::limits::Limits;
use proptest::prelude::*;

/// Reads at most `piece` bytes at once, and counts them.
struct Pieces<R> {
    inner: R,
    piece: usize,
    taken: u64,
}

impl<R: Read> Read for Pieces<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = buffer.len().min(self.piece);
        let read = self.inner.read(&mut buffer[..end])?;
        self.taken += read as u64;
        Ok(read)
    }
}

fn streams() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().map(|(_, kind)| kind).filter(|kind| !kind.is_directory() && !kind.needs_file())
}

/// Ids and places of what is found.
fn found(kind: Kind, bytes: &[u8], piece: usize) -> Vec<(String, String)> {
    let mut findings = Findings::new("input", 200);
    let mut input = Pieces { inner: bytes, piece, taken: 0 };
    check_stream(kind, &mut input, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
    findings.list().iter().map(|finding| (finding.id.to_owned(), format!("{:?}", finding.location))).collect()
}

/// Bytes that look like something: pieces of documents and archives, damaged.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..64),
        Just(br#"{"cornercast":"1.0","kind":"image","layers":[{}],"app":{"exec":["/x"]}}"#.to_vec()),
        Just(b"{\"path\":\"a\",\"type\":\"dir\",\"mode\":1,\"gid\":0,\"uid\":0,\"mtime\":0}\n".to_vec()),
        Just(b"example.com/a:1.0.0@sha256:".to_vec()),
        Just(b"[[[[\"\\ud800\\u0000".to_vec()),
        Just(vec![0x28, 0xB5, 0x2F, 0xFD, 0x24, 0x05, 0x29, 0x00, 0x00]),
        Just(vec![0; 512]),
        Just(fs::read(vectors().join("layer-2.tar")).unwrap()),
    ];
    (
        proptest::collection::vec(pieces, 1..4),
        proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    )
        .prop_map(|(pieces, damage)| {
            let mut bytes = pieces.concat();
            for (index, byte) in damage {
                if !bytes.is_empty() {
                    let at = index.index(bytes.len());
                    bytes[at] = byte;
                }
            }
            bytes
        })
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/vectors")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// No reader panics, and none cares how its input is cut.
    #[test]
    fn readers_take_any_bytes_in_any_pieces(bytes in bytes(), piece in 1_usize..700) {
        for kind in streams() {
            prop_assert_eq!(found(kind, &bytes, 1 << 20), found(kind, &bytes, piece), "as {}", kind.name());
        }
    }
}

/// Reading a layer of OCI ends where it has decoded as much as a layer may have.
#[test]
fn an_endless_layer_of_oci_ends() {
    let limits = Limits { layer: 1 << 22, ..Limits::FORMAT };
    let gzip = {
        // A stored block that is followed by ever more of them.
        let block = [&[0, 0, 4, 0xFF, 0xFB][..], &[0; 1024]].concat();
        [b"\x1F\x8B\x08\0\0\0\0\0\0\xFF".to_vec(), block.repeat(8192)].concat()
    };
    for bytes in [vec![0; 1 << 23], gzip] {
        let mut input = Pieces { inner: &*bytes, piece: 1 << 20, taken: 0 };
        let mut findings = Findings::new("input", 10);
        let jobs = NonZero::<usize>::MIN;
        let error = check_stream(Kind::OciLayer, &mut input, &limits, jobs, &mut findings).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(input.taken < (1 << 22) + (2 << 20), "{} bytes were read", input.taken);
    }
}

/// An endless input of every kind ends, and no more than its limit is read.
#[test]
fn endless_inputs_end() {
    // A layer of OCI has no size of its own: see below.
    for kind in streams().filter(|kind| *kind != Kind::OciLayer) {
        for byte in [0, b' ', b'a', b'\n', b'['] {
            let mut input = Pieces { inner: io::repeat(byte), piece: 1 << 20, taken: 0 };
            let mut findings = Findings::new("input", 10);
            check_stream(kind, &mut input, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
            assert!(findings.errors > 0, "endless {byte:#x} as {} was accepted", kind.name());
            let limit = match kind {
                Kind::Listing | Kind::Rootfs => Limits::FORMAT.listing,
                Kind::Envelope | Kind::Catalog => Limits::FORMAT.envelope,
                Kind::State => Limits::FORMAT.state,
                _ => Limits::FORMAT.document,
            };
            assert!(
                input.taken <= limit + 1,
                "{} bytes of endless {byte:#x} were read as {}",
                input.taken,
                kind.name()
            );
        }
    }
}

fn sources(folder: &Path, out: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else {
            let name = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
            // Documentation shows how others use the library.
            let text = fs::read_to_string(&path).unwrap();
            let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            out.push((name.to_string_lossy().into_owned(), code.join("\n")));
        }
    }
}

fn all_sources() -> Vec<(String, String)> {
    let mut out = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut out);
    assert!(out.len() > 40);
    out
}

/// The core does no I/O: only `build`, `cli`, four files of `unpack` and one each of `store`, `trust` and `bundle` touch files, and nothing touches the network.
#[test]
fn only_build_unpack_and_cli_touch_the_world() {
    for (name, code) in all_sources() {
        let outer = name.starts_with("build/") || name.starts_with("cli/") || name == "main.rs";
        let outer = outer
            || matches!(
                name.as_str(),
                "unpack/disk.rs"
                    | "unpack/writing.rs"
                    | "unpack/kept.rs"
                    | "unpack/located.rs"
                    | "store/folder.rs"
                    | "bundle/making.rs"
                    | "trust/folder.rs"
            );
        // An import keeps the temporary files that `build` makes for it.
        let code = if name.starts_with("convert/") { code.replace("tempfile::NamedTempFile", "") } else { code };
        for word in ["std::fs", "std::env", "std::process", "File::open", "tempfile", "rustix"] {
            assert!(
                outer || !code.contains(word),
                "{name} uses {word}; only build/, cli/, four files of unpack/, store/folder.rs, trust/folder.rs and bundle/making.rs do"
            );
        }
        assert!(!code.contains("std::net"), "{name} uses the network");
    }
}

/// No limit is a bare number: the values of `Limits` stand in limits.rs only (and in the schemas).
#[test]
fn limits_stand_in_one_place() {
    let mut spellings = Vec::new();
    for (id, value) in Limits::FORMAT.by_clause() {
        let digits = value.to_string();
        // Small numbers mean other things as well.
        if value > 1000 {
            spellings.push((id, digits.clone()));
            let grouped: Vec<&str> =
                digits.as_bytes().rchunks(3).rev().map(|chunk| std::str::from_utf8(chunk).unwrap()).collect();
            spellings.push((id, grouped.join("_")));
        }
    }
    for (name, code) in all_sources() {
        if matches!(name.as_str(), "limits.rs" | "schema.rs" | "manifest/types.rs" | "manifest/patterns.rs")
            || name.starts_with("clause/")
        {
            continue;
        }
        // The same number is the highest port.
        let is_port = |id: &str| name == "manifest/app.rs" && id == "LOG-016";
        for (id, spelling) in spellings.iter().filter(|(id, _)| !is_port(id)) {
            let alone = code.match_indices(spelling.as_str()).any(|(at, _)| {
                let word = |character: Option<char>| {
                    character.is_some_and(|character| {
                        character.is_alphanumeric() || character == '_' || character == '.' || character == ','
                    })
                };
                !word(code[..at].chars().next_back()) && !word(code[at + spelling.len()..].chars().next())
            });
            assert!(!alone, "{name} holds {spelling}, the limit of {id}; use the field of Limits");
        }
    }
}
