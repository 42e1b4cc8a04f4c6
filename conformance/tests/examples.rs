//! The examples in the text of the specification do what the text says of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::num::NonZero;
use std::path::Path;

use cornercast::diagnostic::{Findings, Severity};
use cornercast::digest::Digest;
use cornercast::input::{Kind, check_stream};
use cornercast::json::{self, Form};
use cornercast::layer::{ListingKind, Tree, Walker, read_listing, write_line};
use cornercast::limits::Limits;
use cornercast_conformance::fixtures::trust::world;
use cornercast_conformance::schema;

/// What the suite's own program says, which no chapter is about.
const PROBE: &str = "probe";

/// A fenced block of a chapter whose info string says `example=`.
struct Example {
    place: String,
    kind: String,
    expect: Option<String>,
    text: String,
}

fn examples() -> Vec<Example> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("spec");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut out: Vec<Example> = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "md")) {
        let text = fs::read_to_string(file).unwrap();
        let mut open = false;
        for (line, content) in (1..).zip(text.lines()) {
            if open && content.starts_with("```") {
                open = false;
            } else if open {
                let example = out.last_mut().unwrap();
                example.text.push_str(content);
                example.text.push('\n');
            } else if let Some(info) = content.strip_prefix("```") {
                let word = |name: &str| info.split(' ').find_map(|word| word.strip_prefix(name)).map(str::to_owned);
                if let Some(kind) = word("example=") {
                    let place = format!("{}:{line}", file.file_name().unwrap().to_string_lossy());
                    out.push(Example { place, kind, expect: word("expect="), text: String::new() });
                    open = true;
                }
            }
        }
    }
    assert!(out.len() >= 10, "the examples were not found");
    out
}

/// The bytes of a hex dump: an offset, the bytes, and after `|` an annotation; `*` repeats the line
/// before up to the next offset.
fn from_hex(dump: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    let mut repeat = false;
    for line in dump.lines() {
        let line = line.split('|').next().unwrap();
        let mut words = line.split_whitespace();
        let Some(first) = words.next() else { continue };
        if first == "*" {
            repeat = true;
            continue;
        }
        let offset = usize::from_str_radix(first, 16).unwrap();
        if std::mem::take(&mut repeat) {
            let last = bytes.len() - 16..bytes.len();
            while bytes.len() < offset {
                bytes.extend_from_within(last.clone());
            }
        }
        assert_eq!(bytes.len(), offset, "the dump has a hole before {first}");
        bytes.extend(words.map(|word| u8::from_str_radix(word, 16).unwrap()));
    }
    bytes
}

fn input(example: &Example) -> (Kind, Vec<u8>) {
    let kind = Kind::by_name(&example.kind).unwrap_or_else(|| panic!("{}: {} is no kind", example.place, example.kind));
    let text = example.text.clone();
    let bytes = match kind {
        // Shown with white space, stored canonical.
        Kind::Manifest | Kind::Release | Kind::Keyring | Kind::Catalog | Kind::Attestation | Kind::State => {
            let document = json::read(text.as_bytes(), Form::Strict, &Limits::FORMAT);
            let root = document.root.unwrap_or_else(|| panic!("{}: {:?}", example.place, document.violations));
            json::to_canonical(&root.to_serde()).unwrap()
        }
        Kind::Layer => from_hex(&text),
        Kind::Listing | Kind::Rootfs | Kind::Proof => text.into_bytes(),
        _ => text.trim_end().as_bytes().to_vec(),
    };
    (kind, bytes)
}

/// Whether it is a document that has a schema.
fn has_schema(example: &Example) -> bool {
    schema::NAMES.contains(&example.kind.as_str())
}

/// Messages, reports and the like have the form that their schemas give them.
#[test]
fn each_document_has_the_form_of_its_schema() {
    let all = examples();
    for example in all.iter().filter(|example| has_schema(example)) {
        let document = json::read(example.text.as_bytes(), Form::Strict, &Limits::FORMAT);
        assert!(document.violations.is_empty(), "{}: {:?}", example.place, document.violations);
        let value = serde_json::from_str(&example.text).unwrap();
        let schema = schema::validator(&example.kind).unwrap();
        schema::judge(&schema, &value).unwrap_or_else(|why| panic!("{}{why}", example.place));
    }
    // Those of isolation reports say more than an example could.
    for name in schema::NAMES.into_iter().filter(|name| !["isolation-report", PROBE].contains(name)) {
        assert!(all.iter().any(|example| example.kind == name), "there is no example of {name}");
    }
}

/// Each schema is named in the chapter that it belongs to.
#[test]
fn each_schema_is_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("spec");
    let text = ["runtime.md", "adapter.md"].map(|file| fs::read_to_string(folder.join(file)).unwrap()).concat();
    for name in schema::NAMES.into_iter().filter(|name| *name != PROBE) {
        assert!(text.contains(&format!("`{name}`")), "no chapter names the schema {name}");
    }
}

/// What has keys, digests or signatures in it is made by code: each block that says `made=`.
#[test]
fn what_is_made_is_fresh() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("spec");
    let mut made = 0;
    for file in ["signatures.md", "release.md", "policy.md", "log.md"] {
        let path = folder.join(file);
        let text = fs::read_to_string(&path).unwrap();
        let mut wanted = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            wanted.push_str(line);
            wanted.push('\n');
            let name =
                line.strip_prefix("```").and_then(|info| info.split(' ').find_map(|word| word.strip_prefix("made=")));
            if let Some(name) = name {
                let content = world::example(name).unwrap_or_else(|| panic!("{file}: nothing is called {name}"));
                wanted.push_str(&format!("{}\n```\n", content.trim_end()));
                lines.by_ref().find(|line| *line == "```").unwrap();
                made += 1;
            }
        }
        if std::env::var_os("CORNERCAST_BLESS").is_some() {
            fs::write(&path, &wanted).unwrap();
        } else {
            assert_eq!(text, wanted, "{file} is not fresh; CORNERCAST_BLESS=1 writes it");
        }
    }
    assert_eq!(made, 13);
}

#[test]
fn each_example_has_the_verdict_that_the_text_gives() {
    for example in examples().iter().filter(|example| example.kind != "merge" && !has_schema(example)) {
        let (kind, bytes) = input(example);
        let mut findings = Findings::new("example", 100);
        check_stream(kind, &mut bytes.as_slice(), &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
        let ids: Vec<&str> = findings.list().iter().map(|finding| finding.id).collect();
        let expected: Vec<&str> = example.expect.as_deref().into_iter().collect();
        assert_eq!(ids, expected, "{}: {:#?}", example.place, findings.list());
        assert!(findings.list().iter().all(|finding| finding.severity == Severity::Error));
    }
}

/// The layer at the head of the layer chapter has the listing at the head of the listing chapter.
#[test]
fn the_tiny_layer_has_the_tiny_listing() {
    let all = examples();
    let layer = all.iter().find(|example| example.kind == "layer").unwrap();
    let listing = all.iter().find(|example| example.kind == "listing").unwrap();
    let mut walker = Walker::new(Limits::FORMAT);
    walker.push(&input(layer).1);
    let (walk, _) = walker.finish();
    let mut written = Vec::new();
    for entry in &walk.entries {
        write_line(&mut written, &entry.path, &entry.node);
    }
    assert_eq!(String::from_utf8(written).unwrap(), listing.text);
}

/// A merge example shows listings, lowest first, and what they merge to, divided by lines with a title.
#[test]
fn the_merge_example_merges() {
    for example in examples().iter().filter(|example| example.kind == "merge") {
        let mut parts: Vec<String> = Vec::new();
        for line in example.text.lines() {
            if line.starts_with('#') {
                parts.push(String::new());
            } else {
                let part = parts.last_mut().unwrap();
                part.push_str(line);
                part.push('\n');
            }
        }
        let (merged, layers) = parts.split_last().unwrap();
        assert!(layers.len() >= 2);
        let mut tree = Tree::default();
        for layer in layers {
            let listing = read_listing(layer.as_bytes(), ListingKind::Layer, &Limits::FORMAT);
            assert!(listing.violations.is_empty(), "{}: {:#?}", example.place, listing.violations);
            tree.merge(listing.entries);
        }
        let mut lines = Vec::new();
        tree.for_each_line(|line| lines.extend_from_slice(line));
        assert_eq!(String::from_utf8(lines).unwrap(), *merged, "{}", example.place);
    }
}

/// Digests that a chapter says are of an example of its own.
#[test]
fn digests_in_the_text_are_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("spec");
    let all = examples();
    let listing = all.iter().find(|example| example.kind == "listing").unwrap();
    let text = fs::read_to_string(folder.join("listing.md")).unwrap();
    let digest = Digest::of(listing.text.as_bytes()).hex();
    assert!(text.contains(&digest), "listing.md does not give the digest of its listing, {digest}");
    let layer = all.iter().find(|example| example.kind == "layer").unwrap();
    let digest = Digest::of(&input(layer).1).hex();
    let text = fs::read_to_string(folder.join("layer.md")).unwrap();
    assert!(text.contains(&digest), "layer.md does not give the digest of its layer, {digest}");
}

/// The manifest chapter shows a manifest as it is stored, and gives its image id.
#[test]
fn the_tiny_manifest_has_the_image_id_of_the_text() {
    let all = examples();
    let tiny =
        all.iter().find(|example| example.kind == "manifest" && example.text.contains("example.com/tiny")).unwrap();
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("spec/manifest.md")).unwrap();
    let id = Digest::of(tiny.text.trim_end().as_bytes()).to_string();
    assert!(text.contains(&id), "manifest.md does not give the image id {id}");
    assert_eq!(input(tiny).1, tiny.text.trim_end().as_bytes(), "the manifest is shown as it is stored");
}
