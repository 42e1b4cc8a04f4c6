//! What the commands about trust say to people and programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

/// The time of all documents.
const EPOCH: &str = "1795521600";
/// A time at which they hold.
const AT: &str = "2026-11-25T00:00:00Z";

/// A folder with keys, an image, and a store with a keyring, a catalog and a release.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
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

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn secret(&self, name: &str, text: &str) {
        let path = self.path(&format!("{name}.key"));
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn public(&self, name: &str) -> String {
        let shown = self.succeeds(&["keygen", "--show", &format!("{name}.key")]);
        shown.lines().find_map(|line| line.strip_prefix("public")).unwrap().trim().to_owned()
    }

    fn policy(&self, rule: &str) {
        let text = format!(r#"{{"rules":[{{"mode":"deny","prefix":""}},{rule}]}}"#);
        fs::write(self.path("policy.json"), text).unwrap();
        fs::set_permissions(self.path("policy.json"), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast"));
        command.args(arguments).current_dir(self.0.path()).env("SOURCE_DATE_EPOCH", EPOCH).stdin(Stdio::null());
        command
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What some commands say, as one text.
    fn transcript(&self, commands: &[&[&str]]) -> String {
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

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// The arguments of `verify` of the image, with others.
fn verify<'a>(reference: &'a str, others: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["verify", "site", reference, "--policy", "policy.json", "--state", "state"];
    arguments.extend(["--platform", "linux/amd64"]);
    arguments.extend(others);
    arguments
}

#[test]
fn keys() {
    let place = Place::new();
    place.secret("open", "cornercast-secret-v1 ed25519:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n");
    place.mode("open.key", 0o644);
    place.secret("none", "ssh-ed25519 AAAA\n");
    insta::assert_snapshot!(place.transcript(&[
        &["keygen", "root.key"],
        &["keygen", "--show", "root.key"],
        &["keygen", "--show", "root.key", "--json"],
        &["sign", "site", "--key", "missing.key"],
        &["sign", "site", "--key", "open.key"],
        &["sign", "site", "--key", "none.key"],
        &["sign", "site"],
        &["sign", "site", "--signer", "false"],
    ]));
}

#[test]
fn verdicts() {
    let place = Place::new();
    let accepted = verify("example.com/hello", &["--at", AT]);
    let json = verify("example.com/hello:1.0.0", &["--at", AT, "--json"]);
    let denied = verify("example.org/hello", &["--at", AT]);
    let expired = verify("example.com/hello", &["--at", "2027-11-24T12:00:00Z"]);
    let no_reference = verify("Example.com", &[]);
    let no_time = verify("example.com/hello", &["--at", "yesterday"]);
    insta::assert_snapshot!(place.transcript(&[&accepted, &json, &denied, &expired, &no_reference, &no_time]));
    place.mode("policy.json", 0o622);
    insta::assert_snapshot!("policy_of_others", place.transcript(&[&accepted]));
    fs::remove_file(place.path("policy.json")).unwrap();
    insta::assert_snapshot!("no_policy", place.transcript(&[&accepted]));
}

#[test]
fn the_schema_of_verdicts_takes_both() {
    let place = Place::new();
    let schema: serde_json::Value = serde_json::from_str(&cornercast::schema::schema("verdict").unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for reference in ["example.com/hello", "example.org/hello", "example.com/hello:2.0.0"] {
        let output = place.command(&verify(reference, &["--at", AT, "--json"])).output().unwrap();
        let line = serde_json::from_slice(&output.stdout).unwrap();
        schema.validate(&line).unwrap_or_else(|error| panic!("{reference}: {error}"));
    }
    assert!(!schema.is_valid(&serde_json::json!({"verdict": "perhaps", "reference": "", "evidence": {}})));
}

#[test]
fn keyrings_and_catalogs() {
    let place = Place::new();
    let name = "example.com/hello";
    insta::assert_snapshot!(place.transcript(&[
        &["keyring", "show", "site", "example.com"],
        &["keyring", "init", "Example.com", "--root", &place.public("root")],
        &["keyring", "init", "example.com", "--root", "ed25519:AAAA"],
        &["keyring", "init", "example.com", "--root", &place.public("root"), "--threshold", "2"],
        &["keyring", "next", "site", "example.org"],
        &["keyring", "next", "site", "example.com", "--remove", &"0".repeat(64)],
        &["catalog", "site", name, "--channel", "stable=2.0.0"],
        &["catalog", "site", name, "--withdraw", "2.0.0=it never was"],
        &["catalog", "site", "example.com/goodbye"],
        &["catalog", "site", name, "--days", "31"],
    ]));
}

/// Nothing is written of an image that is not accepted, whatever else would be wrong.
#[test]
fn unpack_under_a_policy() {
    let place = Place::new();
    let unpack = |reference: &'static str| {
        vec![
            "unpack",
            "site",
            "out",
            "--policy",
            "policy.json",
            "--state",
            "state",
            "--reference",
            reference,
            "--platform",
            "linux/amd64",
        ]
    };
    place.policy(&format!(
        r#"{{"keys":["{}"],"mode":"require","prefix":"example.com","threshold":1}}"#,
        place.public("root")
    ));
    let refused =
        place.transcript(&[&unpack("example.com/hello:1.0.0"), &["unpack", "site", "out", "--policy", "policy.json"]]);
    assert!(!Path::new(&place.path("out")).exists());
    insta::assert_snapshot!(refused);
    place.policy(r#"{"mode":"unsigned","prefix":"example.com"}"#);
    place.succeeds(&unpack("example.com/hello:1.0.0"));
    assert_eq!(fs::read_to_string(place.path("out/hello")).unwrap(), "hello\n");
}

#[test]
fn differences_in_what_is_signed() {
    let place = Place::new();
    place.succeeds(&["pack", "tree", "--manifest", "hello.toml", "-o", "unsigned"]);
    let (plain, trust) = (["diff", "site", "unsigned"], ["diff", "--trust", "site", "unsigned"]);
    let json = ["diff", "--trust", "--json", "site", "unsigned"];
    let (same, tree) = (["diff", "--trust", "site", "site"], ["diff", "--trust", "site", "tree"]);
    insta::assert_snapshot!(place.transcript(&[&plain, &trust, &json, &same, &tree]));
}
