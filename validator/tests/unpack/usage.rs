//! The command.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cornercast::build::PREFIX;

use super::command::{cornercast, fixtures, transcript};
use super::disk::folder;
use super::image::{Sample, image, mode};

/// A folder with a store, which everyone can enter.
fn workplace(layers: &[Sample]) -> tempfile::TempDir {
    let folder = folder();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    image(layers).write(&folder.path().join("store"));
    folder
}

fn hello() -> tempfile::TempDir {
    let mut attributes = mode(0o4755);
    (attributes.uid, attributes.gid) = (1000, 1000);
    let value = [&[1, 0, 0, 2][..], &[0; 16]].concat();
    attributes.xattrs.insert("security.capability".to_owned(), value);
    workplace(&[Sample::default().dir("bin", mode(0o755)).file("bin/hello", attributes, b"#!/bin/sh\n")])
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What the command says, with the caller's ids taken out.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let said = transcript(folder, arguments);
    let ids = format!("{}:{}", rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    said.replace(&ids, "CALLER")
}

#[test]
fn the_digest_is_printed_alone() {
    let here = hello();
    let output = cornercast(here.path(), &["unpack", "store", "tree", "--verify"]);
    assert!(output.status.success(), "{output:?}");
    let listing = cornercast(here.path(), &["listing", "--digest", "store"]);
    assert_eq!(output.stdout, listing.stdout);
    assert_eq!(names(here.path()), ["store", "tree"]);
}

#[test]
fn what_the_tree_has_not_is_said() {
    if super::is_root() {
        return;
    }
    let here = hello();
    insta::assert_snapshot!(said(here.path(), &["unpack", "store", "tree", "--verify"]));
}

#[test]
fn json_says_all() {
    let here = hello();
    let output = cornercast(here.path(), &["unpack", "store", "tree", "--json", "--owner", "caller"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let uid = rustix::process::geteuid().as_raw();
    assert_eq!((&json["owner"]["uid"], &json["setid"], &json["entries"]), (&uid.into(), &1.into(), &2.into()));
    let unset: Vec<&serde_json::Value> = json["unset"].as_array().unwrap().iter().map(|unset| &unset["name"]).collect();
    assert_eq!(unset, if super::is_root() { vec![] } else { vec!["security.capability"] });
}

/// A place that is taken, and inputs that are no images.
#[test]
fn usage() {
    let here = hello();
    fs::create_dir(here.path().join("full")).unwrap();
    fs::write(here.path().join("full/file"), "").unwrap();
    std::os::unix::fs::symlink("store", here.path().join("link")).unwrap();
    fs::write(here.path().join("other"), "{}").unwrap();
    let mut text = String::new();
    for (image, to) in [
        ("store", "full"),
        ("store", "other"),
        ("store", "link"),
        ("store", "."),
        ("store", "missing/tree"),
        ("other", "tree"),
        ("full", "tree"),
        ("missing", "tree"),
        ("store@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "tree"),
    ] {
        text += &said(here.path(), &["unpack", image, to]);
    }
    let manifest = names(&here.path().join("store/images/sha256")).remove(0);
    insta::assert_snapshot!(text.replace(&manifest, "…"));
    assert_eq!(names(here.path()), ["full", "link", "other", "store"]);
}

#[test]
fn an_empty_directory_is_taken() {
    let here = hello();
    fs::create_dir(here.path().join("tree")).unwrap();
    fs::set_permissions(here.path().join("tree"), PermissionsExt::from_mode(0o700)).unwrap();
    assert!(cornercast(here.path(), &["unpack", "store", "tree/"]).status.success());
    assert_eq!(fs::metadata(here.path().join("tree")).unwrap().mode() & 0o7777, 0o755);
}

/// Everything that is wrong is shown as `check` shows it.
#[test]
fn what_is_wrong_is_shown() {
    for input in ["LAY-038/rejected-file/layer.tar", "STO-029/rejected-attachments/image.ccast"] {
        let (input, here) = (fixtures().join(input), folder());
        let input = input.to_str().unwrap();
        let unpacked = cornercast(here.path(), &["unpack", input, "tree"]);
        assert_eq!(unpacked.status.code(), Some(1), "{unpacked:?}");
        assert_eq!(unpacked.stdout, b"");
        assert!(names(here.path()).is_empty());
        let checked = cornercast(here.path(), &["check", input]);
        let checked = String::from_utf8(checked.stdout).unwrap();
        if input.ends_with(".ccast") {
            assert!(checked.contains("STO-029"));
            assert!(String::from_utf8(unpacked.stderr).unwrap().starts_with(checked.trim_end()));
        }
    }
    let here = workplace(&[Sample::default().file("a", mode(0o644), b"a").file("b", mode(0o644), b"b")]);
    for blob in fs::read_dir(here.path().join("store/blobs/sha256")).unwrap() {
        let path = blob.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        if bytes.starts_with(b"a\0") {
            bytes[512] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
    }
    insta::assert_snapshot!(said(here.path(), &["unpack", "store", "tree"]));
    assert_eq!(names(here.path()), ["store"]);
}

/// An image in an archive, compressed or not, from a file and from a pipe.
#[test]
fn archives() {
    let here = folder();
    let mut digests = Vec::new();
    for (number, case) in ["hello-archive", "hello-archive-zstd"].into_iter().enumerate() {
        let path = fixtures().join("good").join(case).join("image.ccast");
        let file = fs::File::open(&path).unwrap();
        for (input, stdin) in [(path.to_str().unwrap(), Stdio::null()), ("-", Stdio::from(file))] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast"));
            command.args(["unpack", input, &format!("{number}{}", input.len()), "--verify"]).stdin(stdin);
            let output = command.current_dir(here.path()).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            digests.push(output.stdout);
        }
    }
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn the_umask_does_not_count() {
    for mask in ["000", "077", "777"] {
        let here = hello();
        let script = format!("umask {mask}; exec {} unpack store tree --verify", env!("CARGO_BIN_EXE_cornercast"));
        let output = Command::new("sh").args(["-c", &script]).current_dir(here.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(fs::metadata(here.path().join("tree/bin")).unwrap().mode() & 0o7777, 0o755);
    }
}

/// A file that does not fit: the command says so and leaves nothing.
#[test]
fn a_full_disk_leaves_nothing() {
    let here = workplace(&[Sample::default().dir("d", mode(0o555)).file("d/f", mode(0o644), &vec![1; 4 << 20])]);
    // A file can have 1 MiB here; SIGXFSZ is ignored, so that writing fails as on a full disk.
    let script = format!("trap '' XFSZ; ulimit -f 1024; exec {} unpack store tree", env!("CARGO_BIN_EXE_cornercast"));
    let output = Command::new("bash").args(["-c", &script]).current_dir(here.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("\"d/f\" cannot be written"));
    assert_eq!(names(here.path()), ["store"]);
}

/// A signal ends the command in the middle of writing, and nothing is left.
#[test]
fn a_signal_leaves_nothing() {
    let mut layer = Sample::default();
    for directory in 0..100 {
        layer = layer.dir(&format!("d{directory:03}"), mode(0o500));
        for file in 0..300 {
            layer = layer.file(&format!("d{directory:03}/f{file:03}"), mode(0o400), b"file");
        }
    }
    let here = workplace(&[layer]);
    let mut stopped = 0;
    for round in 0..20 {
        let mut command = Command::new("env");
        command.arg("--default-signal=HUP,INT,TERM").arg(env!("CARGO_BIN_EXE_cornercast"));
        command.args(["unpack", "store", "tree", "--verify"]).current_dir(here.path());
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap();
        let begin = Instant::now();
        while !names(here.path()).iter().any(|name| name.starts_with(PREFIX)) {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            assert!(begin.elapsed() < Duration::from_secs(60));
        }
        std::thread::sleep(Duration::from_millis(round * 15));
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT);
        let status = child.wait().unwrap();
        if status.success() {
            assert_eq!(names(here.path()), ["store", "tree"]);
            // The directories do not let their owner change them.
            let script = "chmod -R u+rwX tree && rm -r tree";
            assert!(Command::new("sh").args(["-c", script]).current_dir(here.path()).status().unwrap().success());
        } else {
            assert_eq!(status.signal(), Some(2));
            stopped += 1;
            assert_eq!(names(here.path()), ["store"], "round {round}");
        }
    }
    assert!(stopped > 3, "{stopped} of 20 were stopped");
}
