//! What the command prints, its exit status, and what it leaves behind.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use super::layout::{Tar, files, write};
use super::workplace::{Workplace, names};

#[test]
fn an_export_names_what_is_lost() {
    let here = Workplace::with_images();
    insta::assert_snapshot!("export", here.transcript(&["convert", "derived", "layout", "--to", "oci"]));
    let index: Value = serde_json::from_slice(&fs::read(here.path("layout/index.json")).unwrap()).unwrap();
    insta::assert_snapshot!("index", serde_json::to_string_pretty(&index).unwrap());
    insta::assert_snapshot!("saved", here.transcript(&["convert", "derived", "saved.tar", "--to", "docker", "--json"]));
    here.succeed(&["check", "layout", "saved.tar"]);
}

#[test]
fn an_import_names_what_is_lost_and_changed() {
    let here = Workplace::new();
    let lower = Tar::default()
        .dir("bin/")
        .program("bin/serve")
        .symlink("lib", "usr/lib")
        .entry(b'3', "null", "", 0o666, b"")
        .pax(&[("mtime", "7.5"), ("SCHILY.acl.access", "user::rw-")])
        .file("a", b"a\n");
    let upper = Tar::default().file("lib/b", b"").hardlink("c", "a").file(".wh..wh..opq", b"");
    let config = json!({
        "Entrypoint": ["serve"],
        "Healthcheck": {"Test": ["NONE"]},
        "Env": ["A", "PATH=/bin"],
        "StopSignal": "SIGSEGV",
        "ExposedPorts": {"1/sctp": {}},
        "Volumes": {"/proc/x": {}},
        "Labels": {"vendor": "x"},
        "WorkingDir": "/srv"
    });
    let link = Tar::default().file("lib/b", b"").hardlink("c", "a");
    write(&here, "layout", &[lower.clone().end(), link.end()], &config);
    let arguments =
        ["convert", "layout", "image.ccast", "--to", "cornercast", "--name", "example.com/a", "--version", "1.0.0"];
    insta::assert_snapshot!("import", here.transcript(&arguments));
    here.succeed(&["check", "image.ccast"]);
    write(&here, "opaque", &[lower.end(), upper.end()], &json!({}));
    let arguments =
        ["convert", "opaque", "opaque.ccast", "--to", "cornercast", "--name", "example.com/a", "--version", "1.0.0"];
    insta::assert_snapshot!("import_opaque", here.transcript(&arguments));
    here.succeed(&["check", "opaque.ccast"]);
}

#[test]
fn what_cannot_be_done_is_said_and_leaves_nothing() {
    let here = Workplace::with_images();
    write(&here, "layout", &[Tar::default().file("a", b"a\n").end()], &json!({"User": "nobody"}));
    write(&here, "names", &[Tar::default().entry(b'0', "a\\", "", 0o644, b"").set(1, b"\xFF").end()], &json!({}));
    write(&here, "program", &[Tar::default().file("a", b"a\n").end()], &json!({"Cmd": ["serve"]}));
    write(&here, "damaged", &[Tar::default().file("a", b"a\n").end()], &json!({}));
    fs::write(here.path("damaged/index.json"), "{}").unwrap();
    fs::write(here.path("text"), "text").unwrap();
    fs::create_dir(here.path("full")).unwrap();
    fs::write(here.path("full/file"), "").unwrap();
    let before = names(&here.path(""));
    let called = ["--name", "example.com/a", "--version", "1.0.0"];
    let import = |input: &str, more: &[&str]| {
        [&["convert", input, "out", "--to", "cornercast"], more]
            .concat()
            .iter()
            .map(|part| (*part).to_owned())
            .collect::<Vec<_>>()
    };
    let transcript = |arguments: &[String]| here.transcript(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let mut all = String::new();
    for arguments in [
        import("layout", &[]),
        import("layout", &["--name", "example.com/a"]),
        import("names", &called),
        import("program", &called),
        import("damaged", &called),
        import("text", &called),
        import("missing", &called),
        import("layout:v1", &called),
        import("layout", &[&called[..], &["--platform", "linux/arm64"]].concat()),
        import("base.ccast", &["--name", "example.com/a"]),
        import("layout", &[&called[..], &["--layers", "gzip"]].concat()),
    ] {
        all.push_str(&transcript(&arguments));
    }
    for arguments in [
        &["convert", "base.ccast", "full", "--to", "oci"][..],
        &["convert", "base.ccast", "text", "--to", "oci"],
        &["convert", "base.ccast", "missing/out", "--to", "oci"],
        &["convert", "base.ccast", "out.ccast", "--to", "cornercast", "--with-oci"],
        &["convert", "layout", "out", "--to", "oci"],
    ] {
        all.push_str(&here.transcript(arguments));
    }
    insta::assert_snapshot!("errors", all);
    assert_eq!(names(&here.path("")), before);
}

/// A store can be an image layout as well, and a further image makes it one of both.
#[test]
fn a_store_is_a_layout_as_well() {
    let here = Workplace::with_images();
    here.succeed(&["convert", "derived", "both", "--to", "cornercast", "--with-oci"]);
    for arguments in [
        &["check", "both", "--fail-on", "warning"][..],
        &["check", "both", "--as", "oci-layout", "--fail-on", "warning"],
    ] {
        here.succeed(arguments);
    }
    let first = files(&here.path("both"));
    here.succeed(&["convert", "base.ccast", "both", "--to", "cornercast", "--with-oci"]);
    let index: Value = serde_json::from_slice(&fs::read(here.path("both/index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
    here.succeed(&["check", "both", "--fail-on", "warning"]);
    here.succeed(&["check", "both", "--as", "oci-layout", "--fail-on", "warning"]);
    assert!(files(&here.path("both")).len() > first.len());
    // Where a layer is stored compressed, it cannot be.
    let layer = first.iter().map(|(name, _)| name).find(|name| name.starts_with("blobs/")).unwrap();
    fs::remove_file(here.path(&format!("both/{layer}"))).unwrap();
    assert!(!here.run(&["check", "both"]).status.success());
}

/// Archives come from standard input and go to standard output.
#[test]
fn archives_are_piped() {
    let here = Workplace::with_images();
    let id = here.succeed(&["convert", "base.ccast", "copy", "--to", "cornercast"]);
    let mut child = here
        .command(&["convert", "-", "-", "--to", "oci"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(here.path("base.ccast")).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    fs::write(here.path("piped.tar"), &output.stdout).unwrap();
    here.succeed(&["check", "piped.tar"]);
    assert_eq!(here.succeed(&["convert", "piped.tar", "back.ccast", "--to", "cornercast"]), id);
    assert_eq!(fs::read(here.path("back.ccast")).unwrap(), fs::read(here.path("base.ccast")).unwrap());
}
