//! Images of OCI, which are imported before they are unpacked.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::num::NonZero;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use cornercast::build::{Ownership, SourceTree, read_directory};
use cornercast::convert::{Wish, import, import_tree, layer_paths};
use cornercast::diagnostic::Findings;
use cornercast::digest::Digest;
use cornercast::input::{Kind, check_directory_to};
use cornercast::limits::Limits;
use cornercast::oci::Pass;
use cornercast::store::{Extent, FileKind, MARKER, path_of};
use cornercast::unpack::{Keeping, Unpacked};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::command::{cornercast, fixtures};
use super::disk::{Canary, entries, expected, folder};
use super::hostile::{evil_layer, tree};
use super::image::{Sample, Store, image, mode};
use super::{cases, options, owner, unpack_to};

/// What `docker save` would write of these layers.
fn saved(layers: &[Vec<u8>]) -> TempDir {
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

/// Imports what may be anything, and unpacks what comes of it: by way of a store, without a check before, and from
/// what a check has kept. Where that finds no error, both are the same. Whether it was unpacked.
fn try_layers(layers: &[Vec<u8>], canary: &Canary) -> Result<bool, TestCaseError> {
    let (source, scratch) = (saved(layers), folder());
    let mut files = SourceTree::new(None);
    read_directory(source.path(), &Ownership::default(), &mut files).unwrap();
    let (kept, errors) = try_kept(source.path(), &files, canary)?;
    let imported = try_imported(&files, &scratch, canary)?;
    // What a check rejects may be anything.
    if errors == 0 {
        let seen = |unpacked: &Unpacked| (unpacked.rootfs, unpacked.size, unpacked.unset.clone());
        prop_assert_eq!(kept.as_ref().map(seen), imported.as_ref().map(seen));
    }
    Ok(imported.is_some())
}

/// What a check has kept as a tree, and the errors that it found.
fn try_kept(source: &Path, files: &SourceTree, canary: &Canary) -> Result<(Option<Unpacked>, u64), TestCaseError> {
    let stored = fs::read_dir(source).unwrap().map(|entry| entry.unwrap().path());
    let stored = stored.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()));
    let stored = Store { id: Digest::of(b""), files: stored.collect() };
    let Ok(Some(wanted)) = layer_paths(files, &Wish::default()) else { return Ok((None, 1)) };
    let keeping = Keeping::new(&canary.target(), wanted, &options(true)).unwrap();
    let pass = Pass { keep: Some(&keeping), ..Pass::new(Extent::Whole, NonZero::new(2).unwrap()) };
    let mut findings = Findings::new("saved", 1000);
    check_directory_to(pass, Kind::DockerLayout, &stored, &Limits::FORMAT, &mut findings).unwrap();
    let layers = keeping.layers().unwrap();
    let Ok(Some(tree)) = import_tree(files, &Wish::default(), &layers) else {
        drop(keeping);
        canary.check(false);
        return Ok((None, findings.errors));
    };
    let unpacked = keeping.unpack(&tree, &options(true)).unwrap();
    canary.check(true);
    prop_assert_eq!(entries(&canary.target()), expected(tree.tree(), &unpacked, owner()));
    fs::remove_dir_all(canary.target()).unwrap();
    Ok((Some(unpacked), findings.errors))
}

fn try_imported(files: &SourceTree, scratch: &TempDir, canary: &Canary) -> Result<Option<Unpacked>, TestCaseError> {
    let Ok(Some(imported)) = import(files, &Wish::default(), scratch.path(), |_| {}) else {
        canary.check(false);
        return Ok(None);
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
            Ok(Some(unpacked))
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

/// A hard link to a file of another layer is a file of its own, also where the same layer stands twice, and what a
/// layer hides takes no room.
#[test]
fn files_of_several_layers() {
    let layer = |entries: &[(&str, tar::EntryType, &str)]| {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            if kind.is_hard_link() {
                builder.append_link(&mut header, path, content).unwrap();
            } else {
                header.set_size(content.len() as u64);
                builder.append_data(&mut header, path, content.as_bytes()).unwrap();
            }
        }
        builder.into_inner().unwrap()
    };
    let file = tar::EntryType::Regular;
    let first = layer(&[("a", file, "first"), ("b", file, "second"), ("c", file, "")]);
    let link = layer(&[("a2", tar::EntryType::Link, "a"), ("a3", tar::EntryType::Link, "a"), (".wh.b", file, "")]);
    let canary = Canary::new();
    let layers = [first.clone(), link.clone(), layer(&[("b", file, "third")]), link, first];
    let source = saved(&layers);
    let run = |arguments: &[&str]| {
        let output = cornercast(canary.target().parent().unwrap(), arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    };
    run(&["unpack", source.path().to_str().unwrap(), canary.target().to_str().unwrap(), "--verify"]);
    let found = |name: &str| {
        let metadata = fs::metadata(canary.target().join(name)).unwrap();
        (fs::read_to_string(canary.target().join(name)).unwrap(), metadata.nlink())
    };
    assert_eq!(
        ["a", "a2", "a3", "b", "c"].map(found),
        [
            ("first".to_owned(), 1),
            ("first".to_owned(), 1),
            ("first".to_owned(), 1),
            ("second".to_owned(), 1),
            (String::new(), 1),
        ]
    );
    assert_eq!(fs::read_dir(canary.target()).unwrap().count(), 5);
    assert!(try_layers(&layers, &Canary::new()).unwrap());
}
