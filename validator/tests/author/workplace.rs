//! Folders with trees and images to work on, and the command run in them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A temporary folder.
pub(crate) struct Workplace(TempDir);

impl Workplace {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// One with the trees `tree` and `more`, and the image `derived`, a store, which has a layer of each
    /// and the base `base.ccast`.
    pub(crate) fn with_images() -> Self {
        let here = Self::new();
        here.file("tree/bin/serve", 0o755, "#!/bin/sh\n");
        here.file("tree/bin/sh", 0o755, "a shell\n");
        here.file("tree/srv/old", 0o644, "old\n");
        here.file("tree/srv/data", 0o600, "data\n");
        fs::hard_link(here.path("tree/srv/data"), here.path("tree/srv/same-data")).unwrap();
        symlink("bin/serve", here.path("tree/start")).unwrap();
        here.file("base.toml", 0o644, BASE);
        here.succeed(&["pack", "tree", "--manifest", "base.toml", "--owner", "0:0", "-o", "base.ccast"]);
        here.file("more/srv/.wh.old", 0o644, "");
        here.file("more/srv/new", 0o644, &"new\n".repeat(1000));
        here.file("more/srv/data", 0o640, "other data\n");
        here.file("more/srv/volume/.gitkeep", 0o644, "");
        here.file("derived.toml", 0o644, DERIVED);
        let tar = ["--sort=name", "--numeric-owner", "--owner=0", "--group=0", "-C", "more", "-cf", "more.tar", "srv"];
        assert!(Command::new("tar").args(tar).current_dir(here.0.path()).status().unwrap().success());
        here.succeed(&["pack", "more.tar", "--manifest", "derived.toml", "--base", "base.ccast", "-o", "derived"]);
        here
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Writes a file; its directories get the mode 0755.
    pub(crate) fn file(&self, path: &str, mode: u32, content: &str) {
        self.bytes(path, mode, content.as_bytes());
    }

    pub(crate) fn bytes(&self, path: &str, mode: u32, content: &[u8]) {
        let whole = self.path(path);
        let folder = whole.parent().unwrap();
        if !folder.is_dir() {
            fs::create_dir_all(folder).unwrap();
            for folder in folder.ancestors().take_while(|folder| *folder != self.0.path()) {
                set_mode(folder, 0o755);
            }
        }
        fs::write(&whole, content).unwrap();
        set_mode(&whole, mode);
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast"));
        command.args(arguments).current_dir(self.0.path()).env("SOURCE_DATE_EPOCH", "0").stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What a command that has to succeed prints.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The command line, standard output, standard error and exit status, as one text for a snapshot.
    pub(crate) fn transcript(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        format!(
            "$ cornercast {}\n{}{}[exit status {}]\n",
            arguments.join(" "),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
            output.status.code().unwrap()
        )
    }
}

/// The names in a folder, hidden ones too.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The beginning of a program for amd64.
pub(crate) const PROGRAM: &[u8] = b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3E\0\x01\0\0\0";

const BASE: &str = r#"name = "example.com/team/serve-base"
version = "1.0.0"

[platform]
os = "linux"
architecture = "arm"
variant = "v7"
"#;

const DERIVED: &str = r#"name = "example.com/team/serve"
version = "2.0.0-rc.1"
created = "2026-11-24T00:00:00Z"

[platform]
os = "linux"
architecture = "arm"
variant = "v7"

[app]
exec = ["/bin/serve", "--root", "a b"]
arguments = ["-v\u001b[31m"]
user = { uid = 0, gid = 1000, supplementaryGids = [5, 6] }
workingDirectory = "/srv"
environment = { LANG = "C.UTF-8", TEXT = "two\nlines" }
stop = { signal = "SIGINT" }
ports = [{ name = "http", protocol = "tcp", port = 80 }]
mounts = [{ name = "data", path = "/srv/volume", readOnly = true, required = true }]

[app.isolation.isolators]
"resource/memory" = { value = { limit = 1000000 } }
"cornercast/network" = { value = "none", required = false }

[annotations]
"org.opencontainers.image.licenses" = "Apache-2.0"
"com.example.note" = "reads \u202ebackwards"
"#;
