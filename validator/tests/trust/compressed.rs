//! Archives that are compressed: the verdict is that on what they are compressed from.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use cornercast::store::{Files as _, Folder};
use cornercast::tar::{END, EntryHeader, header_bytes, padding};
use serde_json::Value;

use crate::place::{AT, Place, verify};

/// The files of a store with one image, in the order of an archive.
fn files(store: &Path) -> Vec<(String, Vec<u8>)> {
    let folder = Folder(store.to_owned());
    let read = |path: String| {
        let content = fs::read(store.join(&path)).unwrap();
        match path.strip_prefix("packed/").and_then(|path| path.strip_suffix(".zst")) {
            Some(path) => (format!("blobs/{path}"), zstd::decode_all(&*content).unwrap()),
            None => (path, content),
        }
    };
    let mut files: Vec<_> = folder.list().unwrap().into_iter().map(|file| read(file.path)).collect();
    let rank = |path: &str, content: &[u8]| match path.split('/').next().unwrap() {
        "cornercast" => 0,
        "names" if path.contains("/keyring/") => 1,
        "names" => 2,
        "images" => 3,
        "signatures" if path.ends_with("/index.json") => 4,
        "signatures" => 5,
        // The listing, then the layer.
        _ if content.starts_with(b"{") => 6,
        _ => 7,
    };
    files.sort_by_key(|(path, content)| (rank(path, content), path.clone()));
    files
}

fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (path, data) in files {
        let size = data.len() as u64;
        bytes.extend(header_bytes(&EntryHeader { typeflag: b'0', path, mode: 0o644, size, ..EntryHeader::default() }));
        bytes.extend(data);
        bytes.resize(bytes.len() + padding(size), 0);
    }
    bytes.extend(END);
    bytes
}

/// What `verify` says of both forms, which is the same; the status and what it printed.
fn said(place: &Place, bytes: &[u8], options: &[&str], scratch: &str) -> (Option<i32>, String) {
    fs::write(place.path("plain.ccast"), bytes).unwrap();
    fs::write(place.path("packed.ccast"), zstd::encode_all(bytes, 3).unwrap()).unwrap();
    let run = |name: &str| {
        let arguments = verify("example.com/hello", &[&["--at", AT, "--json"], options].concat());
        let arguments: Vec<&str> =
            arguments.into_iter().map(|argument| if argument == "site" { name } else { argument }).collect();
        let output = place.command(&arguments).env("TMPDIR", scratch).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let plain = run("plain.ccast");
    assert_eq!(plain, run("packed.ccast"));
    plain
}

/// The clause for which both forms are rejected.
fn clause(said: &(Option<i32>, String)) -> Option<String> {
    let line: Value = serde_json::from_str(&said.1).unwrap();
    assert_eq!(said.0, Some(if line["verdict"] == "accepted" { 0 } else { 1 }));
    line["rejected"]["clause"].as_str().map(str::to_owned)
}

/// Nowhere is written before an image is accepted, and not after that either if the whole archive is in order.
const NOWHERE: &str = "/nowhere";

#[test]
fn what_is_in_order() {
    let place = Place::new();
    let mut files = files(&place.path("site"));
    for options in [&[][..], &["--trust-only"]] {
        assert_eq!(clause(&said(&place, &archive(&files), options, NOWHERE)), None);
    }
    // Nobody has signed it.
    files.retain(|(path, _)| !path.starts_with("signatures/"));
    assert_eq!(clause(&said(&place, &archive(&files), &[], NOWHERE)).as_deref(), Some("REL-037"));
    files.retain(|(path, _)| !path.starts_with("names/"));
    assert_eq!(clause(&said(&place, &archive(&files), &[], NOWHERE)).as_deref(), Some("POL-022"));
}

#[test]
fn what_is_not_in_order() {
    let place = Place::new();
    let good = files(&place.path("site"));
    let scratch = place.path("tree").display().to_string();
    // The layer.
    let mut files = good.clone();
    let (_, layer) = files.last_mut().unwrap();
    let at = layer.iter().position(|byte| *byte == b'h').unwrap();
    layer[at] = b'j';
    assert_eq!(clause(&said(&place, &archive(&files), &[], &scratch)).as_deref(), Some("NAM-029"));
    assert_eq!(clause(&said(&place, &archive(&files), &["--trust-only"], NOWHERE)), None);
    // Another image, which nobody has asked for.
    let mut files = good.clone();
    let other = (format!("images/sha256/{}", "0".repeat(64)), b"{}".to_vec());
    files.insert(files.iter().position(|(path, _)| path.starts_with("images/")).unwrap(), other);
    assert_eq!(clause(&said(&place, &archive(&files), &[], &scratch)), None);
    // What stands twice counts where it stands first; here that is a keyring that nobody knows.
    let mut files = good.clone();
    let keyring = files.iter().position(|(path, _)| path.contains("/keyring/")).unwrap();
    files.insert(keyring, (files[keyring].0.clone(), b"{}".to_vec()));
    assert_eq!(clause(&said(&place, &archive(&files), &[], NOWHERE)).as_deref(), Some("SIG-007"));
}

#[test]
fn what_is_no_archive() {
    let place = Place::new();
    let files = files(&place.path("site"));
    let (code, _) = said(&place, &archive(&files[1..]), &[], NOWHERE);
    assert_eq!(code, Some(1));
    // Whole entries of one that is cut off, in which the image is missing.
    let whole = archive(&files);
    assert_eq!(clause(&said(&place, &whole[..1536], &[], NOWHERE)).as_deref(), Some("JSN-003"));
    // Nor is what another program has compressed.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&whole).unwrap();
    fs::write(place.path("site.ccast"), gzip.finish().unwrap()).unwrap();
    let of_site = |place: &Place| {
        let arguments = verify("example.com/hello", &["--at", AT]);
        let arguments: Vec<&str> =
            arguments.into_iter().map(|argument| if argument == "site" { "site.ccast" } else { argument }).collect();
        let output = place.command(&arguments).env("TMPDIR", NOWHERE).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, why) = of_site(&place);
    assert!(code == Some(1) && why.contains("neither a store nor an archive"), "{code:?} {why}");
    // A frame that is cut off says nothing.
    let frame = zstd::encode_all(&*whole, 3).unwrap();
    fs::write(place.path("site.ccast"), &frame[..frame.len() / 2]).unwrap();
    let (code, why) = of_site(&place);
    assert!(code == Some(2) && why.contains("STO-0"), "{code:?} {why}");
}

/// What is not trusted is not even decoded to the disk. The clock decides, so nothing here expires.
#[test]
fn unpacking() {
    let place = Place::new();
    let files = files(&place.path("site"));
    place.policy(&format!(
        r#"{{"keys":["{}"],"mode":"require","prefix":"example.com","threshold":1}}"#,
        place.public("release")
    ));
    let image = files.iter().find_map(|(path, _)| path.strip_prefix("images/sha256/")).unwrap();
    let reference = format!("example.com/hello:1.0.0@sha256:{image}");
    let unpack = |files: &[(String, Vec<u8>)], scratch: &str| {
        fs::write(place.path("packed.ccast"), zstd::encode_all(&*archive(files), 3).unwrap()).unwrap();
        let mut arguments = vec!["unpack", "packed.ccast", "out", "--policy", "policy.json", "--state", "state"];
        arguments.extend(["--reference", &reference, "--platform", "linux/amd64"]);
        let output = place.command(&arguments).env("TMPDIR", scratch).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let unsigned: Vec<_> = files.iter().filter(|(path, _)| !path.starts_with("signatures/")).cloned().collect();
    let (code, why) = unpack(&unsigned, NOWHERE);
    assert!(code == Some(1) && why.contains("is not trusted"), "{code:?} {why}");
    assert!(!place.path("out").exists());
    let (code, why) = unpack(&files, &place.path("tree").display().to_string());
    assert_eq!(code, Some(0), "{why}");
    assert_eq!(fs::read(place.path("out/hello")).unwrap(), b"hello\n");
}
