//! Images of OCI, which are imported before they are unpacked.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use cornercast::build::{Ownership, SourceTree, read_directory};
use cornercast::convert::{Wish, import};
use cornercast::digest::Digest;
use cornercast::store::{FileKind, MARKER, path_of};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::command::{cornercast, fixtures};
use super::disk::{Canary, entries, expected, folder};
use super::hostile::{evil_layer, tree};
use super::image::{Sample, Store, image, mode};
use super::{cases, owner, unpack_to};

/// What `docker save` would write of these layers.
fn saved(layers: &[Vec<u8>]) -> tempfile::TempDir {
    let here = folder();
    let names: Vec<String> = (0..layers.len()).map(|number| format!("{number}.tar")).collect();
    let diff_ids: Vec<String> = layers.iter().map(|layer| Digest::of(layer).to_string()).collect();
    for (name, layer) in names.iter().zip(layers) {
        fs::write(here.path().join(name), layer).unwrap();
    }
    let config = json!({
        "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let manifest = json!([{"Config": "config.json", "Layers": names, "RepoTags": ["example.com/a:1.0.0"]}]);
    fs::write(here.path().join("config.json"), config.to_string()).unwrap();
    fs::write(here.path().join("manifest.json"), manifest.to_string()).unwrap();
    here
}

/// Imports what may be anything and was not checked before, and unpacks what comes of it. Whether it was.
fn try_layers(layers: &[Vec<u8>], canary: &Canary) -> Result<bool, TestCaseError> {
    let (source, scratch) = (saved(layers), folder());
    let mut files = SourceTree::new(None);
    read_directory(source.path(), &Ownership::default(), &mut files).unwrap();
    let Ok(Some(imported)) = import(&files, &Wish::default(), scratch.path(), |_| {}) else {
        canary.check(false);
        return Ok(false);
    };
    let mut store = BTreeMap::from([
        (path_of(&FileKind::Marker), MARKER.to_vec()),
        (path_of(&FileKind::Manifest(imported.built.id)), imported.built.manifest.clone()),
    ]);
    for (kind, _, open) in imported.files() {
        let mut bytes = Vec::new();
        open().unwrap().read_to_end(&mut bytes).unwrap();
        store.insert(path_of(&kind), bytes);
    }
    let store = Store { id: imported.built.id, files: store };
    let unpacked = unpack_to(&store, &canary.target());
    canary.check(unpacked.is_ok());
    match unpacked {
        Ok(unpacked) => {
            prop_assert_eq!(entries(&canary.target()), expected(&tree(&store), &unpacked, owner()));
            fs::remove_dir_all(canary.target()).unwrap();
            Ok(true)
        }
        // What an import makes is valid, whatever it was made of.
        Err(error) => Err(TestCaseError::fail(format!("{error:?}"))),
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn evil_layers_do_nothing(layers in vec(evil_layer(), 1..4)) {
        try_layers(&layers, &Canary::new())?;
    }
}

/// The layers of the corpus, whatever is wrong with them, alone and above a tree with links.
#[test]
fn the_corpus_of_oci_does_nothing() {
    let below = Sample::default().dir("d", mode(0o755)).symlink("l", "../../canary").layer();
    let (mut unpacked, mut refused) = (0, 0);
    let canary = Canary::new();
    for clause in fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path()) {
        if !clause.file_name().unwrap().to_str().unwrap().starts_with("OCI-") {
            continue;
        }
        for case in fs::read_dir(clause).unwrap().map(|entry| entry.unwrap().path()) {
            let fields: serde_json::Value = serde_json::from_slice(&fs::read(case.join("case.json")).unwrap()).unwrap();
            let (Some("oci-layer"), Some(input)) = (fields["as"].as_str(), fields["input"].as_str()) else { continue };
            let layer = fs::read(case.join(input)).unwrap();
            for layers in [vec![layer.clone()], vec![below.clone(), layer]] {
                match try_layers(&layers, &canary) {
                    Ok(true) => unpacked += 1,
                    Ok(false) => refused += 1,
                    Err(error) => panic!("{}: {error}", case.display()),
                }
            }
        }
    }
    assert!(unpacked > 50 && refused > 50, "{unpacked} unpacked, {refused} refused");
}

/// What an image of this format becomes in the hands of OCI has the same tree.
#[test]
fn an_export_has_the_same_tree() {
    let here = folder();
    let sample = Sample::default().dir("bin", mode(0o755)).file("bin/a", mode(0o4755), b"a").symlink("link", "bin/a");
    image(&[sample]).write(&here.path().join("store"));
    let run = |arguments: &[&str]| {
        let output = cornercast(here.path(), arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        output.stdout
    };
    let digest = run(&["listing", "--digest", "store"]);
    run(&["convert", "store", "layout", "--to", "oci", "--layers", "gzip"]);
    run(&["convert", "store", "layout.tar", "--to", "oci"]);
    run(&["convert", "store", "saved.tar", "--to", "docker"]);
    for (number, source) in ["layout", "layout:1.0.0", "layout.tar", "saved.tar"].iter().enumerate() {
        assert_eq!(run(&["unpack", source, &format!("tree{number}"), "--verify"]), digest, "{source}");
    }
    let left: Vec<_> = fs::read_dir(here.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 8, "{left:?}");
}

/// A damaged layout, a tag that is not there, and a folder that is no image are refused.
#[test]
fn what_is_no_image_is_refused() {
    let here = folder();
    image(&[Sample::default().dir("d", mode(0o755))]).write(&here.path().join("store"));
    assert!(cornercast(here.path(), &["convert", "store", "layout", "--to", "oci"]).status.success());
    let status = |source: &str| {
        let output = cornercast(here.path(), &["unpack", source, "tree"]);
        assert!(!here.path().join("tree").exists(), "{source}");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(status("layout:2.0.0").0, Some(1));
    let blob = largest(&here.path().join("layout/blobs/sha256"));
    let mut bytes = fs::read(&blob).unwrap();
    bytes[0] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let (code, text) = status("layout");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("OCI-006"), "{text}");
    assert_eq!(status("layout/blobs").0, Some(1));
}

fn largest(folder: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap()
}
