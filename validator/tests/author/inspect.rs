//! `cornercast inspect`

use std::fs::{self, File};
use std::process::Stdio;

use cornercast::inspection::Inspection;

use super::workplace::Workplace;

#[test]
fn a_summary_layers_and_the_tree() {
    let here = Workplace::with_images();
    insta::assert_snapshot!("inspect", here.transcript(&["inspect", "derived", "--layers", "--tree"]));
    insta::assert_snapshot!("inspect_base", here.transcript(&["inspect", "base.ccast", "--tree", "--depth", "1"]));
}

/// The JSON has the form of its schema, and says the same as the types.
#[test]
fn json_has_the_form_of_the_schema() {
    let here = Workplace::with_images();
    let schema: serde_json::Value = serde_json::from_str(&cornercast::schema::schema("inspection").unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for arguments in [&["inspect", "derived", "--json", "--tree"][..], &["inspect", "base.ccast", "--json"]] {
        let text = here.succeed(arguments);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{text}\n{errors:?}");
        let inspection: Inspection = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_value(&inspection).unwrap(), value);
    }
    insta::assert_snapshot!("inspect_json", here.transcript(&["inspect", "base.ccast", "--json", "--tree"]));
}

/// A store, an archive, a compressed archive and standard input say the same.
#[test]
fn every_form_of_an_image_reads_alike() {
    let here = Workplace::with_images();
    here.succeed(&["pack", "tree", "--manifest", "base.toml", "--owner", "0:0", "-o", "store"]);
    let plain = fs::read(here.path("base.ccast")).unwrap();
    fs::write(here.path("base.zst"), zstd::encode_all(plain.as_slice(), 3).unwrap()).unwrap();
    let expected = here.succeed(&["inspect", "base.ccast"]);
    let id = here.succeed(&["pack", "tree", "--manifest", "base.toml", "--owner", "0:0", "-o", "store"]);
    for form in ["store", "base.zst", &format!("store@{}", id.trim_end())] {
        assert_eq!(here.succeed(&["inspect", form]), expected, "{form}");
    }
    let archive = Stdio::from(File::open(here.path("base.ccast")).unwrap());
    let output = here.command(&["inspect", "-"]).stdin(archive).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

/// The contents of layers are not needed: an image without them can be inspected.
#[test]
fn layers_are_not_read() {
    let here = Workplace::with_images();
    let expected = here.succeed(&["inspect", "derived", "--tree", "--layers"]);
    let inspection: Inspection = serde_json::from_str(&here.succeed(&["inspect", "derived", "--json"])).unwrap();
    for layer in &inspection.manifest.layers {
        fs::remove_file(here.path("derived/blobs/sha256").join(layer.digest.hex())).unwrap();
    }
    assert_eq!(here.succeed(&["inspect", "derived", "--tree", "--layers"]), expected);
}

/// Signatures are counted, and never said to be more than that.
#[test]
fn signatures_are_not_verified() {
    let here = Workplace::with_images();
    let inspection: Inspection = serde_json::from_str(&here.succeed(&["inspect", "derived", "--json"])).unwrap();
    let folder = format!("derived/signatures/sha256/{}", inspection.image.hex());
    for digit in ["1", "2"] {
        here.file(&format!("{folder}/{}.json", digit.repeat(64)), 0o644, "{}");
    }
    here.file(&format!("{folder}/{}.proof", "1".repeat(64)), 0o644, "");
    here.file(&format!("derived/signatures/sha256/{0}/{0}.json", "3".repeat(64)), 0o644, "{}");
    let text = here.succeed(&["inspect", "derived"]);
    assert!(text.contains("\nsignatures    2, not verified\nattestations  none\n"), "{text}");
}

/// What does not have the digest that names it is not shown.
#[test]
fn what_is_not_what_it_should_be_is_refused() {
    let here = Workplace::with_images();
    let inspection: Inspection = serde_json::from_str(&here.succeed(&["inspect", "derived", "--json"])).unwrap();
    let listing = here.path("derived/blobs/sha256").join(inspection.manifest.layers[0].listing.digest.hex());
    let text = fs::read_to_string(&listing).unwrap();
    fs::write(&listing, text.replace("bin/sh", "bin/su")).unwrap();
    let output = here.run(&["inspect", "derived"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("is damaged"));
    fs::remove_file(&listing).unwrap();
    assert_eq!(here.run(&["inspect", "derived"]).status.code(), Some(2));
    fs::write(here.path("text"), "hello\n").unwrap();
    insta::assert_snapshot!(
        "inspect_errors",
        [here.transcript(&["inspect", "text"]), here.transcript(&["inspect", "missing"])].join("\n")
    );
}
