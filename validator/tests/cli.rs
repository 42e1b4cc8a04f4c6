//! The command: what it prints, its exit status, and what it leaves behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use command::{cornercast, fixtures, transcript};
use tempfile::TempDir;

mod command;

/// A folder with a tree that an image can be made from.
fn workplace() -> TempDir {
    let folder = TempDir::new().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("tree/bin")).unwrap();
    fs::create_dir_all(at("tree/srv")).unwrap();
    fs::write(at("tree/bin/serve"), "#!/bin/sh\n").unwrap();
    fs::write(at("tree/bin/sh"), "a shell\n").unwrap();
    for program in ["tree/bin/serve", "tree/bin/sh"] {
        fs::set_permissions(at(program), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    for directory in ["tree/bin", "tree/srv"] {
        fs::set_permissions(at(directory), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let manifest = "name = \"example.com/team/serve\"\nversion = \"1.0.0\"\n\n[platform]\nos = \"linux\"\narchitecture = \"amd64\"\n\n[app]\nexec = [\"/bin/serve\"]\nuser = { uid = 0, gid = 0 }\nworkingDirectory = \"/srv\"\n";
    fs::write(at("manifest.toml"), manifest).unwrap();
    folder
}

const PACK: [&str; 7] = ["pack", "tree", "--manifest", "manifest.toml", "--owner", "0:0", "-o"];

fn pack(folder: &Path, out: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cornercast"))
        .args(PACK)
        .arg(out)
        .current_dir(folder)
        .env("SOURCE_DATE_EPOCH", "0")
        .output()
        .unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn pack_prints_the_image_id_alone_and_the_same_everywhere() {
    let (one, two) = (workplace(), workplace());
    let first = pack(one.path(), "image.ccast");
    let second = pack(two.path(), "store");
    assert!(first.status.success(), "{first:?}");
    assert_eq!(first.stdout, second.stdout);
    let id = String::from_utf8(first.stdout).unwrap();
    insta::assert_snapshot!("image_id", id.trim_end());
    for (folder, out) in [(&one, "image.ccast"), (&two, "store")] {
        let checked = cornercast(folder.path(), &["check", out]);
        assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    }
    pack(one.path(), "again.ccast");
    assert_eq!(fs::read(one.path().join("image.ccast")).unwrap(), fs::read(one.path().join("again.ccast")).unwrap());
}

#[test]
fn listing_gives_tree_and_image_the_same_digest() {
    let folder = workplace();
    pack(folder.path(), "image.ccast");
    let of = |input: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_cornercast"))
            .args(["listing", input, "--digest", "--owner", "0:0"])
            .env("SOURCE_DATE_EPOCH", "0")
            .current_dir(folder.path())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let digest = of("tree");
    assert!(digest.starts_with("sha256:"), "{digest}");
    assert_eq!(of("image.ccast"), digest);
}

#[test]
fn a_layer_above_a_base() {
    let folder = workplace();
    let base = String::from_utf8(pack(folder.path(), "base.ccast").stdout).unwrap();
    fs::create_dir_all(folder.path().join("more/srv")).unwrap();
    fs::write(folder.path().join("more/srv/data"), "1\n").unwrap();
    let manifest = fs::read_to_string(folder.path().join("manifest.toml")).unwrap().replace("1.0.0", "1.1.0");
    fs::write(folder.path().join("more.toml"), manifest).unwrap();
    let output = cornercast(
        folder.path(),
        &["pack", "more", "--manifest", "more.toml", "--base", "base.ccast", "--owner", "0:0", "-o", "derived"],
    );
    assert!(output.status.success(), "{output:?}");
    assert_eq!(cornercast(folder.path(), &["check", "derived"]).status.code(), Some(0));
    let id = String::from_utf8(output.stdout).unwrap();
    let hex = id.trim_end().strip_prefix("sha256:").unwrap();
    let manifest = fs::read_to_string(folder.path().join("derived/images/sha256").join(hex)).unwrap();
    assert!(manifest.contains(&format!("\"image\":\"{}\"", base.trim_end())), "{manifest}");
    assert!(manifest.contains("\"layers\":1"), "{manifest}");
}

#[test]
fn what_a_layer_cannot_hold_is_named_and_strict_refuses_it() {
    let folder = workplace();
    let fifo = folder.path().join("tree/pipe");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let output = pack(folder.path(), "image.ccast");
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "note: pipe: the FIFO is left out\n");
    let before = names(folder.path());
    let strict =
        cornercast(folder.path(), &["pack", "tree", "--manifest", "manifest.toml", "--strict", "-o", "strict.ccast"]);
    assert_eq!(strict.status.code(), Some(1));
    assert_eq!(names(folder.path()), before);
}

/// A pack that fails leaves neither an output nor a temporary file.
#[test]
fn a_failed_pack_leaves_nothing_behind() {
    let folder = workplace();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir(at("other")).unwrap();
    fs::write(at("other/file"), "").unwrap();
    fs::write(
        at("bad.toml"),
        "name = \"nowhere\"\nversion = \"1\"\nplatform = { os = \"linux\", architecture = \"amd64\" }\n",
    )
    .unwrap();
    fs::write(at("broken.toml"), "name = \n").unwrap();
    fs::write(at("bad.tar"), [b'x'; 700]).unwrap();
    fs::create_dir(at("markers")).unwrap();
    fs::write(at("markers/.wh.gone"), "").unwrap();
    fs::write(at("noexec.toml"), fs::read_to_string(at("manifest.toml")).unwrap().replace("/bin/serve", "/bin/none"))
        .unwrap();
    fs::create_dir(at("empty")).unwrap();
    let before = names(folder.path());
    let cases: [(&[&str], i32); 9] = [
        (&["tree", "--manifest", "missing.toml", "-o", "out"], 2),
        (&["tree", "--manifest", "broken.toml", "-o", "out"], 1),
        (&["tree", "--manifest", "bad.toml", "-o", "out.ccast"], 1),
        (&["missing", "--manifest", "manifest.toml", "-o", "out"], 2),
        (&["bad.tar", "--manifest", "manifest.toml", "-o", "out"], 1),
        (&["markers", "--manifest", "manifest.toml", "-o", "out.ccast"], 1),
        (&["tree", "--manifest", "noexec.toml", "-o", "out"], 1),
        (&["empty", "--manifest", "manifest.toml", "-o", "out"], 1),
        (&["tree", "--manifest", "manifest.toml", "-o", "other"], 1),
    ];
    for (arguments, status) in cases {
        let arguments = [&["pack"], arguments].concat();
        let output = cornercast(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?} says nothing");
        assert!(output.stdout.is_empty());
        assert_eq!(names(folder.path()), before, "{arguments:?} left something behind");
    }
    assert_eq!(names(&at("other")), ["file"]);
}

/// Everything that is wrong, in one run and every form.
#[test]
fn reports() {
    let folder = TempDir::new().unwrap();
    let manifest = br#"{"cornercast":"1.0","kind":"image","layers":[],"name":"example.com/Team/api","platform":{"architecture":"arm","os":"linux"},"rootfs":{"digest":"sha256:E3","entries":0,"size":0},"version":"1.0","verzion":"1.0.0"}"#;
    fs::write(folder.path().join("manifest.json"), manifest).unwrap();
    let mut layer = fs::read(fixtures().join("vectors/layer-1.tar")).unwrap();
    layer[512 + 257] = b'U';
    layer.truncate(layer.len() - 512);
    fs::write(folder.path().join("layer.tar"), layer).unwrap();
    for format in ["human", "concise", "json"] {
        insta::assert_snapshot!(
            format,
            transcript(folder.path(), &["check", "--format", format, "manifest.json", "layer.tar"])
        );
    }
}

#[test]
fn errors_of_usage() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("text"), "hello\n").unwrap();
    fs::write(folder.path().join("empty"), "").unwrap();
    let mut all = String::new();
    for arguments in [
        &["check", "missing"][..],
        &["check", "text"],
        &["check", "empty"],
        &["check", "."],
        &["check", "--as", "manifst", "text"],
        &["check", "--as", "manifest", "text"],
        &["check", "--output", "sarif=missing/x", "text"],
        &["check", "--jobs", "0", "text"],
        &["explain", "LAY-900"],
        &["explain", "MAN-12"],
        &["schema", "manifst"],
        &["listing", "missing"],
        &["listing", "text"],
    ] {
        all.push_str(&transcript(folder.path(), arguments));
        all.push('\n');
    }
    insta::assert_snapshot!(all);
}

#[test]
fn explain_rules_and_schema() {
    let folder = TempDir::new().unwrap();
    insta::assert_snapshot!("explain", transcript(folder.path(), &["explain", "man-012"]));
    let rules = String::from_utf8(cornercast(folder.path(), &["rules"]).stdout).unwrap();
    assert_eq!(rules.lines().count(), cornercast::clause::all().count());
    let json: serde_json::Value =
        serde_json::from_slice(&cornercast(folder.path(), &["rules", "--json"]).stdout).unwrap();
    assert_eq!(json.as_array().unwrap().len(), cornercast::clause::all().count());
    insta::assert_snapshot!("schema", transcript(folder.path(), &["schema"]));
    let manifest = cornercast(folder.path(), &["schema", "manifest"]).stdout;
    assert_eq!(String::from_utf8(manifest).unwrap(), cornercast::schema::schema("manifest").unwrap());
}

/// The order of findings does not depend on the number of jobs.
#[test]
fn jobs_do_not_change_the_output() {
    let folder = fixtures();
    let mut inputs: Vec<String> = Vec::new();
    for clause in ["JSN-001", "JSN-008", "LAY-010", "NAM-001", "MAN-012", "LAY-047"] {
        for case in names(&folder.join(clause)) {
            for file in names(&folder.join(clause).join(&case)) {
                inputs.extend((file != "case.json").then(|| format!("{clause}/{case}/{file}")));
            }
        }
    }
    let run = |jobs: &str| {
        let mut arguments = vec!["check", "--format", "json", "--jobs", jobs];
        arguments.extend(inputs.iter().map(String::as_str));
        cornercast(&folder, &arguments).stdout
    };
    let one = run("1");
    assert!(!one.is_empty());
    assert_eq!(run("7"), one);
}

/// Each JSON line is what the shipped schema says.
#[test]
fn json_lines_have_the_form_of_the_schema() {
    let folder = fixtures();
    let output =
        cornercast(&folder, &["check", "--recursive", "--format", "json", "LAY-010", "MAN-012", "LST-016", "STO-019"]);
    let schema: serde_json::Value = serde_json::from_str(&cornercast::schema::schema("diagnostic").unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().count() >= 4, "{text}");
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{line}\n{errors:?}");
    }
}

/// What the input holds reaches a terminal as text only.
#[test]
fn escape_sequences_do_not_reach_the_terminal() {
    let folder = TempDir::new().unwrap();
    let manifest = b"{\"a\\u001b[31m\":1,\"kind\":\"\\u001b[2J\\u202e\"}";
    fs::write(folder.path().join("manifest.json"), manifest).unwrap();
    for format in ["human", "concise"] {
        let output = Command::new(env!("CARGO_BIN_EXE_cornercast"))
            .args(["check", "--as", "manifest", "--format", format, "manifest.json"])
            .current_dir(folder.path())
            .env("CLICOLOR_FORCE", "1")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains("\u{1b}[31ma") && !text.contains("\u{1b}[2J") && !text.contains('\u{202e}'), "{text:?}");
    }
}

/// An archive is checked from a pipe.
#[test]
fn standard_input_is_checked_in_one_pass() {
    let folder = workplace();
    pack(folder.path(), "image.ccast");
    let archive = fs::File::open(folder.path().join("image.ccast")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_cornercast")).args(["check", "-"]).stdin(archive).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
