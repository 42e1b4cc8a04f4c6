//! `cornercast diff`

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::process::Stdio;

use super::workplace::Workplace;

#[test]
fn images_and_trees() {
    let here = Workplace::with_images();
    insta::assert_snapshot!("diff", here.transcript(&["diff", "base.ccast", "derived"]));
    insta::assert_snapshot!(
        "diff_tree",
        [
            here.transcript(&["diff", "base.ccast", "tree", "--owner", "0:0"]),
            here.transcript(&["diff", "base.ccast", "tree", "--owner", "7:0"]),
            here.transcript(&["diff", "base.ccast", "tree", "--owner", "7:0", "--ignore", "owner,mtime"]),
        ]
        .join("\n")
    );
}

/// Every attribute that can differ.
#[test]
fn each_attribute_is_named() {
    let here = Workplace::new();
    for side in ["a", "b"] {
        let content = |other: &str| if side == "a" { "content".to_owned() } else { other.to_owned() };
        here.file(&format!("{side}/content"), 0o644, &content("CONTENT"));
        here.file(&format!("{side}/size"), 0o644, &content("more content"));
        here.file(&format!("{side}/mode"), if side == "a" { 0o644 } else { 0o4755 }, "");
        here.file(&format!("{side}/first"), 0o644, "");
        let second = here.path(&format!("{side}/second"));
        if side == "a" {
            fs::hard_link(here.path("a/first"), second).unwrap();
            here.file("a/type", 0o644, "");
        } else {
            fs::write(second, "").unwrap();
            here.file("b/type/inside\u{202e}", 0o644, "");
        }
        symlink(if side == "a" { "first" } else { "second" }, here.path(&format!("{side}/target"))).unwrap();
    }
    for side in ["a", "b"] {
        for file in ["content", "size", "mode", "first", "second"] {
            let file = File::options().write(true).open(here.path(&format!("{side}/{file}"))).unwrap();
            let seconds = if side == "a" { 5 } else { 0 };
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
        }
    }
    // Everything that was made just now gets one time.
    let output = here.command(&["diff", "a", "b", "--ignore", "owner"]).env("SOURCE_DATE_EPOCH", "5").output().unwrap();
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}

/// What is the same has the exit status 0, whatever form it has.
#[test]
fn the_same_in_another_form() {
    let here = Workplace::with_images();
    let archive = Stdio::from(File::open(here.path("base.ccast")).unwrap());
    let output = here.command(&["diff", "-", "base.ccast"]).stdin(archive).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"no differences\n"[..]), "{output:?}");
    here.succeed(&["pack", "tree", "--manifest", "base.toml", "--owner", "0:0", "-o", "store"]);
    here.succeed(&["diff", "store", "base.ccast"]);
    here.succeed(&["diff", "store", "tree", "--owner", "0:0"]);
    assert_eq!(here.run(&["diff", "store", "derived"]).status.code(), Some(1));
}

/// Images with the same files can differ in their manifests, and layers.
#[test]
fn manifests_can_be_ignored() {
    let here = Workplace::with_images();
    let manifest = fs::read_to_string(here.path("base.toml")).unwrap().replace("1.0.0", "1.0.1");
    here.file("next.toml", 0o644, &manifest);
    here.succeed(&["pack", "tree", "--manifest", "next.toml", "--owner", "1:1", "-o", "next.ccast"]);
    insta::assert_snapshot!(here.transcript(&["diff", "base.ccast", "next.ccast", "--ignore", "owner"]));
    here.succeed(&["diff", "base.ccast", "next.ccast", "--ignore", "owner", "--ignore", "manifest"]);
}

/// One tree can come from other layers.
#[test]
fn other_layers_are_a_difference() {
    let here = Workplace::with_images();
    here.succeed(&[
        "pack",
        "tree",
        "--layer",
        "tree",
        "--manifest",
        "base.toml",
        "--owner",
        "0:0",
        "-o",
        "twice.ccast",
    ]);
    insta::assert_snapshot!("diff_layers", here.transcript(&["diff", "base.ccast", "twice.ccast"]));
    here.succeed(&["diff", "base.ccast", "twice.ccast", "--ignore", "manifest"]);
}

#[test]
fn json_has_the_form_of_the_schema() {
    let here = Workplace::with_images();
    let schema: serde_json::Value = serde_json::from_str(&cornercast::schema::schema("difference").unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (a, b) in [("base.ccast", "derived"), ("tree", "derived"), ("tree", "tree")] {
        let output = here.run(&["diff", a, b, "--json"]);
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{value:#}\n{errors:?}");
    }
    insta::assert_snapshot!(
        "diff_json",
        here.transcript(&["diff", "base.ccast", "derived", "--json", "--ignore", "manifest"])
    );
}

/// What cannot be compared is an error, never a difference.
#[test]
fn errors() {
    let here = Workplace::with_images();
    here.file("text", 0o644, "hello\n");
    insta::assert_snapshot!(
        "diff_errors",
        [
            here.transcript(&["diff", "text", "tree"]),
            here.transcript(&["diff", "tree", "missing"]),
            here.transcript(&["diff", "-", "-"]),
            here.transcript(&["diff", "tree", "tree", "--ignore", "content"]),
        ]
        .join("\n")
    );
}
