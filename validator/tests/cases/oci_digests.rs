//! Images of OCI that are checked without a look into their layers, and how often their files are read.

use std::collections::BTreeMap;
use std::io::{self, Read, Write as _};
use std::num::NonZero;
use std::path::Path;
use std::sync::Mutex;

use cornercast::diagnostic::Findings;
use cornercast::input::{Kind, check_directory};
use cornercast::limits::Limits;
use cornercast::store::{Extent, Files, Listed};
use cornercast::tar::END;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use sha2::{Digest as _, Sha512};

use super::oci_layouts::{Image, LAYER, check_to, entry, ids, image, layer, sha256};

/// Without a look into its layers, the digests of an image are checked all the same, by their algorithms.
#[test]
fn digests_are_checked_by_their_algorithms() {
    fn sha512(content: &[u8]) -> String {
        let hash = Sha512::digest(content);
        format!("sha512:{}", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }
    let damaged = |layer: &[u8]| sha512(&layer[1..]);
    for (digest, expected) in [(sha256 as fn(&[u8]) -> String, vec![]), (sha512, vec![]), (damaged, vec!["OCI-006"])] {
        let archive = Image { digest, ..image() }.archive_with(|_, content| Some(content));
        for extent in [Extent::Whole, Extent::Digests] {
            let found = check_to(extent, Kind::OciArchive, &archive, &Limits::FORMAT);
            assert_eq!(ids(&found), expected, "{found:#?}");
        }
    }
}

fn compressed(layer: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(layer).unwrap();
    encoder.finish().unwrap()
}

/// What a layer decodes to is known without a look into it if it is not compressed.
#[test]
fn plain_layers_are_known_by_their_digests() {
    let plain = layer(&[(b'0', "a", b"")]);
    let gzip = compressed(&plain);
    let wrong = sha256(b"");
    for (media_type, layer, whole, digests) in [
        (LAYER, &plain, vec!["OCI-036"], vec!["OCI-036"]),
        ("application/vnd.oci.image.layer.v1.tar+gzip", &gzip, vec!["OCI-036"], vec![]),
    ] {
        let mut image = Image::new(vec![(media_type, layer.clone())], json!({}));
        image.config["rootfs"] = json!({"type": "layers", "diff_ids": [&wrong]});
        let archive = image.archive_with(|_, content| Some(content));
        let found = |extent| ids(&check_to(extent, Kind::OciArchive, &archive, &Limits::FORMAT));
        assert_eq!((found(Extent::Whole), found(Extent::Digests)), (whole.clone(), digests.clone()));
        // The same of saved images, whose layers say for themselves how they are compressed.
        let manifest = json!([{"Config": "config.json", "Layers": ["layer"]}]).to_string();
        let config = image.documents()[0].clone();
        let files = [("manifest.json", manifest.as_bytes()), ("config.json", &config), ("layer", layer)];
        let files = files.map(|(path, content)| entry(b'0', path, content));
        let archive = [files.concat(), END.to_vec()].concat();
        let found = |extent| ids(&check_to(extent, Kind::DockerArchive, &archive, &Limits::FORMAT));
        assert_eq!((found(Extent::Whole), found(Extent::Digests)), (whole, digests));
    }
}

/// The tree of an image is known if its layers are looked into.
#[test]
fn commands_are_looked_for_in_trees() {
    let image = Image::new(vec![(LAYER, layer(&[(b'0', "a", b"")]))], json!({"Entrypoint": ["/none"]}));
    let layout = image.archive_with(|_, content| Some(content));
    let manifest = json!([{"Config": "config.json", "Layers": ["layer"]}]).to_string();
    let [config, ..] = image.documents();
    let files = [("manifest.json", manifest.as_bytes()), ("config.json", &config), ("layer", &image.layers[0].1)];
    let saved = [files.map(|(path, content)| entry(b'0', path, content)).concat(), END.to_vec()].concat();
    for (kind, archive) in [(Kind::OciArchive, layout), (Kind::DockerArchive, saved)] {
        let found = |extent| ids(&check_to(extent, kind, &archive, &Limits::FORMAT));
        assert_eq!((found(Extent::Whole), found(Extent::Digests)), (vec!["OCI-083"], vec![]), "{}", kind.name());
    }
}

/// The files of a directory, each with how often it has been opened.
struct Counted<'a> {
    store: super::Store<'a>,
    opened: Mutex<BTreeMap<String, usize>>,
}

impl Files for Counted<'_> {
    fn list(&self) -> io::Result<Vec<Listed>> {
        self.store.list()
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        *self.opened.lock().unwrap().entry(path.to_owned()).or_default() += 1;
        self.store.open(path)
    }
}

/// Every file of a layout is read once if nothing is wrong with it, named by an index or not.
#[test]
fn files_are_read_once() {
    for case in ["OCI-006/accepted-right", "OCI-008/warned-unnamed"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(case).join("layout");
        let files = Counted { store: super::Store::plain(&root), opened: Mutex::default() };
        let mut findings = Findings::new("input", 100);
        check_directory(Kind::OciLayout, &files, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
        let opened = files.opened.into_inner().unwrap();
        assert_eq!(opened.len(), files.store.list().unwrap().len(), "{case}");
        assert!(opened.values().all(|count| *count == 1), "{case}: {opened:?}");
    }
}
