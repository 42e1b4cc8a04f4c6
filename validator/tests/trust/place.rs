//! A directory to run commands in, with keys, an image and a signed store.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
use tempfile::TempDir;

/// The time of all documents.
pub(crate) const EPOCH: &str = "1795521600";
/// A time at which they hold.
pub(crate) const AT: &str = "2026-11-25T00:00:00Z";

/// A folder with keys, an image, and a store with a keyring, a catalog and a release.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        for (number, name) in [(1, "root"), (2, "release"), (3, "catalog")] {
            place.secret(name, &format!("cornercast-secret-v1 ed25519:{}\n", STANDARD.encode([number; 32])));
        }
        fs::create_dir(place.path("tree")).unwrap();
        fs::write(place.path("tree/hello"), "hello\n").unwrap();
        fs::set_permissions(place.path("tree/hello"), fs::Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(place.path("tree"), fs::Permissions::from_mode(0o755)).unwrap();
        let manifest = "name = \"example.com/hello\"\nversion = \"1.0.0\"\n[platform]\nos = \"linux\"\n\
                        architecture = \"amd64\"\n";
        fs::write(place.path("hello.toml"), manifest).unwrap();
        place.succeeds(&["pack", "tree", "--manifest", "hello.toml", "-o", "site"]);
        place.succeeds(&["sign", "site", "--key", "release.key"]);
        let [root, release, catalog] = ["root", "release", "catalog"].map(|name| place.public(name));
        let keyring = place.succeeds(&[
            "keyring",
            "init",
            "example.com",
            "--root",
            &root,
            "--release",
            &release,
            "--catalog",
            &catalog,
        ]);
        fs::write(place.path("keyring.json"), keyring).unwrap();
        place.succeeds(&["sign", "keyring.json", "--key", "root.key", "--store", "site"]);
        let catalog = place.succeeds(&["catalog", "site", "example.com/hello", "--channel", "stable=1.0.0"]);
        fs::write(place.path("catalog.json"), catalog).unwrap();
        place.succeeds(&["sign", "catalog.json", "--key", "catalog.key", "--store", "site"]);
        let shown = place.succeeds(&["keyring", "show", "site", "example.com"]);
        let pin = shown.lines().find_map(|line| line.strip_prefix("  pin ")).unwrap().trim().to_owned();
        place.policy(&format!(r#"{{"keyring":{pin},"mode":"require","prefix":"example.com"}}"#));
        place
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn secret(&self, name: &str, text: &str) {
        let path = self.path(&format!("{name}.key"));
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn public(&self, name: &str) -> String {
        let shown = self.succeeds(&["keygen", "--show", &format!("{name}.key")]);
        shown.lines().find_map(|line| line.strip_prefix("public")).unwrap().trim().to_owned()
    }

    pub(crate) fn policy(&self, rule: &str) {
        let text = format!(r#"{{"rules":[{{"mode":"deny","prefix":""}},{rule}]}}"#);
        fs::write(self.path("policy.json"), text).unwrap();
        fs::set_permissions(self.path("policy.json"), fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast"));
        command.args(arguments).current_dir(self.0.path()).env("SOURCE_DATE_EPOCH", EPOCH).stdin(Stdio::null());
        command
    }

    pub(crate) fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What some commands say, as one text.
    pub(crate) fn transcript(&self, commands: &[&[&str]]) -> String {
        let mut text = String::new();
        for arguments in commands {
            let output = self.command(arguments).output().unwrap();
            text += &format!("$ cornercast {}\n", arguments.join(" "));
            text += &String::from_utf8(output.stdout).unwrap();
            text += &String::from_utf8(output.stderr).unwrap();
            text += &format!("[exit status {}]\n\n", output.status.code().unwrap());
        }
        text
    }

    pub(crate) fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// The arguments of `verify` of the image, with others.
pub(crate) fn verify<'a>(reference: &'a str, others: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["verify", "site", reference, "--policy", "policy.json", "--state", "state"];
    arguments.extend(["--platform", "linux/amd64"]);
    arguments.extend(others);
    arguments
}

/// Runs a command whose standard input is a terminal at which `answer` is typed.
pub(crate) fn at_a_terminal(place: &Place, arguments: &[&str], answer: &str) -> String {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let controller = openpt(flags).unwrap();
    unlockpt(&controller).unwrap();
    let path = ptsname(&controller, Vec::new()).unwrap();
    let terminal = fs::OpenOptions::new().read(true).write(true).open(path.to_str().unwrap()).unwrap();
    fs::File::from(controller.try_clone().unwrap()).write_all(answer.as_bytes()).unwrap();
    let output = place.command(arguments).stdin(terminal).output().unwrap();
    drop(controller);
    let said = [output.stderr, output.stdout].map(|said| String::from_utf8(said).unwrap()).concat();
    format!("$ cornercast {}\n{said}[exit status {}]\n\n", arguments.join(" "), output.status.code().unwrap())
}
