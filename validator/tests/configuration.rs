//! The lint configuration: what it changes in a report, and what is said of a wrong one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use command::{cornercast, fixtures, transcript};
use serde_json::Value;
use tempfile::TempDir;

mod command;

/// Copies the input of a fixture.
fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

/// A folder with two stores of which each breaks one recommendation, STO-004.
fn stores() -> TempDir {
    let folder = TempDir::new().unwrap();
    for place in ["new", "old/deep"] {
        fs::create_dir_all(folder.path().join(place)).unwrap();
        copy(&fixtures().join("STO-004/warned-marker-below/store"), &folder.path().join(place).join("store"));
    }
    folder
}

/// `SEVERITY ID INPUT` of each finding, and the exit status.
fn found(folder: &Path, arguments: &[&str]) -> (Vec<String>, i32) {
    let output = cornercast(folder, &[&["check", "--format", "json"], arguments].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| {
        let value: Value = serde_json::from_str(line).unwrap();
        let part = |value: &Value| value.as_str().unwrap().to_owned();
        format!("{} {} {}", part(&value["severity"]), part(&value["id"]), part(&value["location"]["chain"][0]))
    });
    (lines.collect(), output.status.code().unwrap())
}

#[test]
fn it_changes_what_is_reported() {
    let folder = stores();
    let inputs = ["new/store", "old/deep/store"];
    for (text, wanted, status) in [
        ("", vec!["warning STO-004 new/store", "warning STO-004 old/deep/store"], 0),
        ("severity.STO = \"error\"", vec!["error STO-004 new/store", "error STO-004 old/deep/store"], 1),
        ("ignore.S = \"r\"", vec![], 0),
        ("select = [\"MAN\"]", vec![], 0),
        ("[[path]]\nglob = \"old/**\"\nignore.STO = \"r\"", vec!["warning STO-004 new/store"], 0),
        (
            "ignore.STO-004 = \"r\"\n[[path]]\nglob = \"*/store\"\nseverity.STO = \"error\"",
            vec!["error STO-004 new/store"],
            1,
        ),
    ] {
        fs::write(folder.path().join("cornercast.toml"), text).unwrap();
        let wanted = (wanted.into_iter().map(str::to_owned).collect::<Vec<_>>(), status);
        assert_eq!(found(folder.path(), &inputs), wanted, "{text}");
    }
}

/// Globs begin at the file, wherever the command runs and however the input is written.
#[test]
fn it_is_found_above_and_globs_begin_there() {
    let folder = stores();
    fs::write(folder.path().join("cornercast.toml"), "[[path]]\nglob = \"old/*/store\"\nignore.STO = \"r\"\n").unwrap();
    let old = folder.path().join("old/deep");
    let absolute = old.join("store").display().to_string();
    for (here, input) in [
        (&old, "store"),
        (&old, "../deep/./store"),
        (&old, &absolute),
        (&folder.path().join("new"), "../old/deep/store"),
    ] {
        assert_eq!(found(here, &[input]), (vec![], 0), "{input}");
    }
    assert_eq!(found(&old, &["../../new/store"]).0.len(), 1);
    // One that was named has its own folder.
    fs::rename(folder.path().join("cornercast.toml"), folder.path().join("new/c.toml")).unwrap();
    assert_eq!(found(folder.path(), &["--config", "new/c.toml", "old/deep/store"]).0.len(), 1);
}

const WRONG: &str = r#"select = ["STO", "STA-004", 3]
selct = true

[ignore]
STO-016 = ""
MAN-012 = "we do not care"
MAN-017 = "published before the rule"
LAY-900 = "x"

[severity]
STO-004 = "warnin"
MAN-017 = "error"
JSN = "warning"

[[path]]
glob = "../x/**"
severity.STO = 1

[[path]]
glob = "a***b"
ignor = {}

[[path]]
"#;

#[test]
fn errors_are_reported_at_once_with_their_places() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("below")).unwrap();
    let below = folder.path().join("below");
    let mut text = String::new();
    for (name, content) in [("wrong", WRONG.as_bytes()), ("syntax", b"a = \n[[x]\n"), ("latin", b"# \xE9\n")] {
        fs::write(folder.path().join("cornercast.toml"), content).unwrap();
        text.push_str(&format!("# {name}\n{}", transcript(&below, &["check", "x.json"])));
    }
    text.push_str(&transcript(&below, &["check", "--config", "none.toml", "x.json"]));
    insta::assert_snapshot!(text);
}

/// Each notice about the configuration can be explained, and occurs in the file above or its neighbours.
#[test]
fn errors_have_ids_in_every_format() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("cornercast.toml"), WRONG).unwrap();
    let (lines, status) = found(folder.path(), &["x.json"]);
    assert_eq!(status, 2);
    let mut ids: BTreeSet<&str> = lines.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
    ids.insert("CFG-001");
    let known: BTreeSet<&str> =
        cornercast::notice::all().map(|(notice, _)| notice.id).filter(|id| id.starts_with("CFG")).collect();
    assert_eq!(ids, known);
    for id in known {
        assert_eq!(cornercast(folder.path(), &["explain", id]).status.code(), Some(0), "{id}");
        if id == "CFG-001" {
            continue;
        }
        for format in ["human", "concise", "sarif", "junit", "github", "gitlab"] {
            let output = cornercast(folder.path(), &["check", "--format", format, "x.json"]);
            assert_eq!(output.status.code(), Some(2));
            assert!(String::from_utf8(output.stdout).unwrap().contains(id), "{id} in {format}");
        }
    }
}

/// What the schema refuses, the reader refuses, and the example of the book is accepted by both.
#[test]
fn the_schema_agrees_with_the_reader() {
    let schema: Value = serde_json::from_str(&cornercast::schema::schema("lint-configuration").unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let book = fs::read_to_string(fixtures().join("../spec/reference/check.md")).unwrap();
    let example = book.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    for (text, is_valid) in [
        (example, true),
        ("", true),
        ("selct = []", false),
        ("select = [1]", false),
        ("select = [\"sto\"]", false),
        ("ignore.STO = \" \"", false),
        ("severity.STO = \"info\"", false),
        ("[[path]]\nignore.STO = \"r\"", false),
        ("[[path]]\nglob = \"a\"\nselect = []", false),
    ] {
        let value = serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap();
        assert_eq!(validator.is_valid(&value), is_valid, "{text}");
        assert_eq!(cornercast::config::read(text.as_bytes()).1.is_empty(), is_valid, "{text}");
    }
}
