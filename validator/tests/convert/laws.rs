//! What holds of every image: layouts of random layers are imported, exported, and imported again.

use std::collections::BTreeMap;
use std::fs;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::layout::{Tar, files, import, write};
use super::workplace::{Workplace, names};

/// An entry: its kind, and what it holds or leads to.
type Item = (char, String);

fn path() -> impl Strategy<Value = String> {
    vec(select(vec!["a", "b", "lib", "é"]), 1..4).prop_map(|parts| parts.join("/"))
}

/// Entries by path: few paths, so that layers meet.
fn layer() -> impl Strategy<Value = BTreeMap<String, Item>> {
    let item = (select(vec!['f', 'f', 'd', 'd', 's', 'h', 'w', 'o', 'p']), path());
    proptest::collection::btree_map(path(), item, 0..7)
}

fn tar(entries: &BTreeMap<String, Item>) -> Vec<u8> {
    let mut tar = Tar::default();
    for (path, (kind, other)) in entries {
        let (parent, name) =
            path.rsplit_once('/').map_or((String::new(), path.as_str()), |(parent, name)| (format!("{parent}/"), name));
        // What stands below a file or link is an error of the layer, mostly; a few are kept.
        let is_blocked = path
            .match_indices('/')
            .any(|(end, _)| entries.get(&path[..end]).is_some_and(|(kind, _)| matches!(kind, 'f' | 'h' | 'p')));
        tar = match kind {
            _ if is_blocked => tar,
            'd' => tar.dir(&format!("{path}/")),
            's' => tar.symlink(path, other),
            'h' => tar.hardlink(path, other),
            'w' => tar.file(&format!("{parent}.wh.{name}"), b""),
            'o' => tar.file(&format!("{path}/.wh..wh..opq"), b""),
            'p' => tar.entry(b'6', path, "", 0o600, b""),
            _ => tar.file(path, other.as_bytes()),
        };
    }
    tar.end()
}

/// What `inspect --json` says.
fn said(here: &Workplace, image: &str) -> Value {
    serde_json::from_str(&here.succeed(&["inspect", image, "--json"])).unwrap()
}

/// The layout without the artifact.
fn forget(here: &Workplace, layout: &str) {
    let path = here.path(&format!("{layout}/index.json"));
    let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    index["manifests"].as_array_mut().unwrap().truncate(1);
    fs::write(path, index.to_string()).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn an_export_of_an_import_is_imported_as_it_was(layers in vec(layer(), 1..4)) {
        let here = Workplace::new();
        let layers: Vec<Vec<u8>> = layers.iter().map(tar).collect();
        write(&here, "layout", &layers, &json!({}));
        let Ok(id) = import(&here, "layout", "image") else {
            // Nothing is left.
            prop_assert_eq!(names(&here.path("")), ["layout"]);
            return Ok(());
        };
        here.succeed(&["check", "image"]);
        // Import is deterministic.
        prop_assert_eq!(&import(&here, "layout", "image.ccast").unwrap(), &id);
        let digest = here.succeed(&["listing", "image", "--digest"]);
        for form in ["plain", "gzip", "zstd"] {
            let (layout, again, back) = (format!("{form}.oci"), format!("{form}-again.oci"), format!("{form}.ccast"));
            let export = |out: &str| here.succeed(&["convert", "image", out, "--to", "oci", "--layers", form]);
            // Export is deterministic, of any form of the image.
            prop_assert_eq!(export(&layout), here.succeed(&["convert", "image.ccast", &again, "--to", "oci", "--layers", form]));
            prop_assert_eq!(files(&here.path(&layout)), files(&here.path(&again)));
            here.succeed(&["check", &layout, "--fail-on", "error"]);
            // With the artifact, the image is the same.
            prop_assert_eq!(&here.succeed(&["convert", &layout, &back, "--to", "cornercast"]), &id);
            // Without it, the layers and the tree are.
            forget(&here, &layout);
            let anew = format!("{form}-anew.ccast");
            here.succeed(&["convert", &layout, &anew, "--to", "cornercast"]);
            prop_assert_eq!(&here.succeed(&["listing", &anew, "--digest"]), &digest);
            let blobs = |image: &str| said(&here, image)["layers"].as_array().unwrap().iter().map(|layer| layer["digest"].clone()).collect::<Vec<_>>();
            prop_assert_eq!(blobs(&anew), blobs("image"));
            here.succeed(&["check", &anew]);
        }
        // As docker save writes it, too.
        here.succeed(&["convert", "image", "saved.tar", "--to", "docker"]);
        here.succeed(&["check", "saved.tar"]);
        import(&here, "saved.tar", "saved.ccast").unwrap();
        prop_assert_eq!(here.succeed(&["listing", "saved.ccast", "--digest"]), digest);
    }
}

/// Random layers are imported often enough for the law above to say something.
#[test]
fn random_layers_are_mostly_imported() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let imported = (0..40).filter(|_| {
        let here = Workplace::new();
        let layers = vec(layer(), 1..4).new_tree(&mut runner).unwrap().current();
        write(&here, "layout", &layers.iter().map(tar).collect::<Vec<_>>(), &json!({}));
        import(&here, "layout", "image").is_ok()
    });
    let imported = imported.count();
    assert!((10..40).contains(&imported), "{imported} of 40");
}

/// Where OCI can say it, what runs survives without the artifact.
#[test]
fn what_runs_is_the_same_on_both_sides() {
    let here = Workplace::new();
    let layer = Tar::default().dir("bin/").program("bin/serve").dir("srv/").end();
    let config = json!({
        "Entrypoint": ["serve", "--all"],
        "Cmd": ["x", ""],
        "Env": ["PATH=/bin", "A=b=c"],
        "User": "7:8",
        "WorkingDir": "/srv",
        "StopSignal": "SIGUSR1",
        "ExposedPorts": {"80/tcp": {}},
        "Volumes": {"/srv": {}}
    });
    write(&here, "layout", &[layer], &config);
    import(&here, "layout", "image").unwrap();
    here.succeed(&["convert", "image", "out", "--to", "oci"]);
    forget(&here, "out");
    here.succeed(&["convert", "out", "again", "--to", "cornercast"]);
    let (first, second) = (said(&here, "image"), said(&here, "again"));
    let app = |image: &Value| image.pointer("/manifest/app").or(image.get("app")).cloned().unwrap();
    assert_eq!(app(&first), app(&second));
    assert_eq!(app(&first)["exec"], json!(["/bin/serve", "--all"]));
}
