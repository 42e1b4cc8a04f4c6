//! `check --baseline`, `--fix` and `--diff`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use command::{cornercast, fixtures, transcript};
use tempfile::TempDir;

mod command;

/// A store marker that is canonical but for white space, and has a member too many.
const MARKER: &str = "{\n  \"kind\": \"store\",\n  \"cornercast\": \"1.\\u0030\",\n  \"extra\": 1.0e1\n}\n";

#[test]
fn a_baseline_hides_what_it_knows_as_often_as_it_knows_it() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("a.json", "{\"cornercast\":\"1.0\",\"extra\":1,\"kind\":\"store\"}");
    write("b.json", "{\"cornercast\":\"1.0\",\"extra\":1,\"kind\":\"store\",\"other\":2}");
    let run = |arguments: &[&str]| transcript(folder.path(), &[&["check"], arguments].concat());
    let of = |arguments: &[&str]| {
        String::from_utf8(cornercast(folder.path(), &[&["check", "--format", "json"], arguments].concat()).stdout)
            .unwrap()
    };
    let mut text = String::new();
    write("known", &of(&["a.json", "missing"]));
    // The same finding in a second file is new; a notice is never known.
    text.push_str(&run(&["--baseline", "known", "a.json", "b.json"]));
    text.push_str(&run(&["--baseline", "known", "--format", "concise", "a.json", "missing"]));
    write("known", &of(&["a.json", "b.json"]));
    for arguments in [&["a.json", "b.json"][..], &["b.json"], &["--fail-on", "warning", "b.json"]] {
        text.push_str(&run(&[&["--baseline", "known"], arguments].concat()));
    }
    write("known", "{\"id\":\"MAN-001\",\"fingerprint\":\"0\"}\nnone\n");
    text.push_str(&run(&["--baseline", "known", "a.json"]));
    text.push_str(&run(&["--baseline", "none", "a.json"]));
    insta::assert_snapshot!(text);
}

#[test]
fn fix_writes_the_canonical_form_and_the_rest_is_reported() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("marker.json");
    fs::write(&path, MARKER).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    let mut text = transcript(folder.path(), &["check", "--diff", "marker.json"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), MARKER, "--diff writes");
    text.push_str(&transcript(folder.path(), &["check", "--fix", "marker.json"]));
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"cornercast\":\"1.0\",\"extra\":10,\"kind\":\"store\"}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
    text.push_str(&transcript(folder.path(), &["check", "--diff", "marker.json"]));
    text.push_str(&transcript(folder.path(), &["check", "--fix", "--fail-on", "never", "marker.json"]));
    insta::assert_snapshot!(text);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something is left behind");
}

#[test]
fn what_is_not_mechanical_or_has_a_digest_for_a_name_is_left() {
    let folder = TempDir::new().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("store/images/sha256")).unwrap();
    fs::create_dir(at("loose")).unwrap();
    fs::write(at("store/cornercast"), "{\"cornercast\":\"1.0\",\"kind\":\"store\"}").unwrap();
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let loose = format!("loose/{digest}");
    fs::write(at("twice.json"), "{\"kind\": 1,\"kind\": 2}").unwrap();
    fs::write(at("linked.json"), MARKER).unwrap();
    std::os::unix::fs::symlink("linked.json", at("link.json")).unwrap();
    fs::copy(fixtures().join("LAY-010/rejected-one-too-high/layer.tar"), at("layer.tar")).unwrap();
    for path in ["store/images/sha256/manifest.json", &loose] {
        fs::write(at(path), MARKER).unwrap();
    }
    for path in ["store/images/sha256/manifest.json", &loose, "twice.json", "link.json", "layer.tar"] {
        let before = fs::read(at(path)).unwrap();
        let output = cornercast(folder.path(), &["check", "--fix", path]);
        assert_eq!(output.status.code(), Some(1), "{path}");
        assert_eq!(fs::read(at(path)).unwrap(), before, "{path}");
        let note = String::from_utf8(output.stderr).unwrap();
        let is_named = path.contains("sha256") || path == loose;
        assert_eq!(note.contains("is not fixed: it is part of a store"), is_named, "{path}: {note}");
        assert_eq!(cornercast(folder.path(), &["check", "--diff", path]).status.code(), Some(0), "{path}");
    }
    assert!(at("link.json").is_symlink());
    // A program of that name makes no store.
    fs::write(at("cornercast"), b"\x7FELF").unwrap();
    assert_eq!(cornercast(folder.path(), &["check", "--diff", "linked.json"]).status.code(), Some(1));
    assert_eq!(cornercast(folder.path(), &["check", "--diff", "missing.json"]).status.code(), Some(2));
}

/// Every fixture that breaks the canonical form alone is accepted once it is fixed.
#[test]
fn fixtures_of_the_form_are_accepted_after_a_fix() {
    let mut fixed = 0;
    for clause in ["JSN-002", "JSN-012", "JSN-013", "JSN-017", "JSN-018", "JSN-019", "LST-001"] {
        for case in fs::read_dir(fixtures().join(clause)).unwrap() {
            let case = case.unwrap().path();
            let is_rejected = case.file_name().unwrap().to_string_lossy().starts_with("rejected-");
            for name in ["document.json", "manifest.json", "layer.listing"] {
                let input = case.join(name);
                if !is_rejected || !input.is_file() {
                    continue;
                }
                let folder = TempDir::new().unwrap();
                fs::copy(&input, folder.path().join(name)).unwrap();
                let kind = match name {
                    "document.json" => "canonical",
                    "manifest.json" => "manifest",
                    _ => "listing",
                };
                let output = cornercast(folder.path(), &["check", "--as", kind, "--fix", name]);
                if !output.stderr.is_empty() {
                    assert_eq!(output.status.code(), Some(0), "{case:?}: {}", String::from_utf8_lossy(&output.stdout));
                    fixed += 1;
                }
            }
        }
    }
    assert!(fixed > 20, "{fixed}");
}
