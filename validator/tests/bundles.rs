//! Runtime bundles on disk: what is taken for one, and that no link leads out of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use command::cornercast;
use tempfile::TempDir;

mod command;

/// A bundle whose program is `/bin/app` in its own root.
fn bundle(folder: &Path, args: &str) {
    fs::create_dir_all(folder.join("rootfs/bin")).unwrap();
    fs::write(folder.join("rootfs/bin/app"), "a program\n").unwrap();
    fs::set_permissions(folder.join("rootfs/bin/app"), fs::Permissions::from_mode(0o755)).unwrap();
    let config = format!(
        r#"{{"ociVersion":"1.0.2","root":{{"path":"rootfs"}},"process":{{"cwd":"/","user":{{"uid":0,"gid":0}},"args":["{args}"]}}}}"#
    );
    fs::write(folder.join("config.json"), config).unwrap();
}

fn check(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = cornercast(folder, &[&["check", "--format", "concise"], arguments].concat());
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_directory_with_a_config_is_a_bundle() {
    let folder = TempDir::new().unwrap();
    bundle(folder.path(), "/bin/app");
    assert_eq!(check(folder.path(), &["."]), (Some(0), String::new()));
    fs::write(folder.path().join("config.json"), "{}").unwrap();
    let (status, output) = check(folder.path(), &["."]);
    assert_eq!(status, Some(1));
    assert!(output.contains("error[OCI-015]"), "{output}");
}

/// Many a program has a `config.json`: below a directory, only one with a version is that of a bundle.
#[test]
fn other_configs_are_no_bundles() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("other")).unwrap();
    fs::write(folder.path().join("other/config.json"), r#"{"port":80}"#).unwrap();
    assert_eq!(check(folder.path(), &["--recursive", "."]), (Some(0), String::new()));
    fs::create_dir(folder.path().join("bundle")).unwrap();
    bundle(&folder.path().join("bundle"), "/bin/other");
    let (status, output) = check(folder.path(), &["--recursive", "."]);
    assert_eq!(status, Some(0));
    assert!(output.contains("warning[OCI-106]") && output.lines().count() == 1, "{output}");
}

#[test]
fn links_stay_in_the_root() {
    let folder = TempDir::new().unwrap();
    // What is outside has the program and the directory; the root has neither.
    let outside = TempDir::new().unwrap();
    bundle(outside.path(), "/bin/app");
    bundle(folder.path(), "/away/bin/app");
    symlink(outside.path().join("rootfs"), folder.path().join("rootfs/away")).unwrap();
    let (_, output) = check(folder.path(), &["."]);
    assert!(output.contains("warning[OCI-106]"), "{output}");
    fs::rename(folder.path().join("rootfs"), folder.path().join("real")).unwrap();
    symlink("real", folder.path().join("rootfs")).unwrap();
    let (_, output) = check(folder.path(), &["."]);
    assert!(output.contains("warning[OCI-098]") && output.lines().count() == 1, "{output}");
}
