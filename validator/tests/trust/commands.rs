//! What the commands about trust say to people and programs.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::place::{AT, Place, at_a_terminal, verify};

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

#[test]
fn trust_on_first_use() {
    let place = Place::new();
    fs::remove_file(place.path("policy.json")).unwrap();
    // The clock decides, so it has to hold for ever.
    let (root, release) = (place.public("root"), place.public("release"));
    let init = ["keyring", "init", "example.com", "--root", &root, "--release", &release, "--expires"];
    let keyring = place.succeeds(&[&init[..], &["9999-12-31T23:59:59Z"]].concat());
    fs::write(place.path("keyring.json"), keyring).unwrap();
    fs::remove_file(place.path("site/names/example.com/_/keyring/1.json")).unwrap();
    place.succeeds(&["sign", "keyring.json", "--key", "root.key", "--store", "site"]);
    let image = fs::read_dir(place.path("site/images/sha256")).unwrap().next().unwrap().unwrap().file_name();
    let reference = format!("example.com/hello@sha256:{}", image.to_str().unwrap());
    let trust = ["keyring", "trust", "site", "example.com", "--policy", "policy.json"];
    let mut text = place.transcript(&[&trust]);
    text += &at_a_terminal(&place, &trust, "y\n");
    assert!(!place.path("policy.json").exists());
    text += &at_a_terminal(&place, &trust, "yes\n");
    text += &fs::read_to_string(place.path("policy.json")).unwrap();
    text += "\n";
    text += &place.transcript(&[&verify(&reference, &[])]);
    text += &at_a_terminal(&place, &trust, "yes\n");
    text += &at_a_terminal(&place, &["keyring", "trust", "site", "example.org", "--policy", "policy.json"], "yes\n");
    // What the first one asks for, and nobody has signed.
    let keyring = place.path("site/names/example.com/_/keyring/1.json");
    let mut envelope: Value = serde_json::from_slice(&fs::read(&keyring).unwrap()).unwrap();
    envelope["signatures"][0]["sig"] = STANDARD.encode([1; 64]).into();
    fs::write(&keyring, serde_json::to_string(&envelope).unwrap()).unwrap();
    fs::remove_file(place.path("policy.json")).unwrap();
    text += &at_a_terminal(&place, &trust, "yes\n");
    insta::assert_snapshot!(text);
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
