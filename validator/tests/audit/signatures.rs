//! What is said of signatures, and of a policy's verdict.

use std::fs;

use cornercast::digest::Digest;
use cornercast::trust::SecretKey;
use cornercast::trust::tree;
use serde_json::{Value, json};

use super::site::{Site, public};

/// The file of the only envelope, and its folder.
fn envelope(here: &Site) -> (std::path::PathBuf, String) {
    let audit = here.audit(&[]);
    let id = audit["image"]["id"].as_str().unwrap().replace("sha256:", "");
    let digest = audit["trust"]["releases"][0]["digest"].as_str().unwrap().replace("sha256:", "");
    (here.path(&format!("odd/signatures/sha256/{id}")), digest)
}

fn signatures(audit: &Value) -> Vec<[String; 2]> {
    let releases = audit["trust"]["releases"].as_array().unwrap();
    let all = releases.iter().flat_map(|release| release["signatures"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.map(|signature| [text(&signature["keyid"]), text(&signature["holds"])]).collect()
}

#[test]
fn a_key_that_nobody_lists_is_not_known() {
    let here = Site::signed();
    here.succeed(&["sign", "odd", "--key", "mallory.key"]);
    let seen = signatures(&here.audit(&[]));
    let has = |seed, holds: &str| assert!(seen.contains(&[public(seed).id().hex(), holds.to_owned()]), "{seen:?}");
    has(2, "holds");
    has(4, "key not known");
}

#[test]
fn a_changed_signature_does_not_hold() {
    let here = Site::signed();
    let (folder, digest) = envelope(&here);
    let old = fs::read(folder.join(format!("{digest}.json"))).unwrap();
    let mut changed: Value = serde_json::from_slice(&old).unwrap();
    let other = SecretKey::from_seed(&[9; 32]).sign(b"something else");
    changed["signatures"][0]["sig"] = json!(base64(&other));
    let bytes = serde_json::to_vec(&changed).unwrap();
    fs::remove_file(folder.join(format!("{digest}.json"))).unwrap();
    fs::write(folder.join(format!("{}.json", Digest::of(&bytes).hex())), bytes).unwrap();
    // A file whose name is not its digest, and one that is no envelope.
    fs::write(folder.join(format!("{}.json", "1".repeat(64))), &old).unwrap();
    fs::write(folder.join(format!("{}.json", "0".repeat(64))), "{}").unwrap();
    let audit = here.audit(&[]);
    assert!(signatures(&audit).contains(&[public(2).id().hex(), "does not hold".to_owned()]), "{audit}");
    let releases = audit["trust"]["releases"].as_array().unwrap();
    assert_eq!(releases.len(), 3);
    let clauses = |release: &Value| {
        let problems = release["problems"].as_array().unwrap();
        problems.iter().map(|problem| problem["clause"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(clauses(&releases[0]).contains(&"REL-035".to_owned()), "{audit}");
    assert_eq!(clauses(&releases[1]), ["REL-035"]);
}

/// No more envelopes are read than an image may have.
#[test]
fn too_many_envelopes() {
    let here = Site::signed();
    let (folder, _) = envelope(&here);
    for number in 0..64 {
        fs::write(folder.join(format!("{number:064x}.json")), "{}").unwrap();
    }
    let trust = here.audit(&[])["trust"].clone();
    assert_eq!(trust["releases"].as_array().unwrap().len(), 64);
    assert_eq!(trust["problems"][0]["clause"], "STO-015");
}

/// A release of another image that stands beside this one is said to be one.
#[test]
fn a_release_of_another_image() {
    let here = Site::signed();
    let (folder, digest) = envelope(&here);
    let text = fs::read_to_string(here.path("odd.toml")).unwrap().replace("1.2.3", "1.2.4");
    fs::write(here.path("odd.toml"), text).unwrap();
    let other = here.succeed(&["pack", "tree.tar", "--manifest", "odd.toml", "-o", "other"]);
    here.succeed(&["sign", "other", "--key", "release.key"]);
    let id = other.trim_end().replace("sha256:", "");
    let foreign = fs::read_dir(here.path(&format!("other/signatures/sha256/{id}"))).unwrap();
    for file in foreign.map(|file| file.unwrap()).filter(|file| file.file_name() != "index.json") {
        fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    let audit = here.audit(&[]);
    for release in audit["trust"]["releases"].as_array().unwrap() {
        let is_own = release["digest"].as_str().unwrap().ends_with(&digest);
        let expected = if is_own { json!([]) } else { json!(["digest", "version"]) };
        assert_eq!(release["release"]["differs"], expected, "{release}");
    }
}

#[test]
fn log_proofs_and_attestations() {
    let here = Site::signed();
    let (folder, digest) = envelope(&here);
    let source = fs::read(folder.join(format!("{digest}.json"))).unwrap();
    let leaves = [tree::leaf_hash(b"another entry"), tree::leaf_hash(&source)];
    let text = tree::checkpoint("log.example.com", 2, &tree::root(&leaves).unwrap());
    let line = tree::sign_checkpoint(&text, "log.example.com", &SecretKey::from_seed(&[5; 32]));
    let proof = folder.join(format!("{digest}.proof"));
    fs::write(&proof, tree::write_proof(1, &tree::inclusion(&leaves, 1).unwrap(), &text, std::slice::from_ref(&line)))
        .unwrap();
    let seen = here.audit(&[])["trust"]["releases"][0]["proof"].clone();
    let expected = json!({
        "problems": [], "origin": "log.example.com", "index": 1, "entries": 2, "includes": true,
        "signedBy": ["log.example.com"]
    });
    assert_eq!(seen, expected);
    fs::write(&proof, tree::write_proof(0, &tree::inclusion(&leaves, 1).unwrap(), &text, &[line])).unwrap();
    assert_eq!(here.audit(&[])["trust"]["releases"][0]["proof"]["includes"], false);
    fs::write(&proof, "no proof\n").unwrap();
    assert_eq!(here.audit(&[])["trust"]["releases"][0]["proof"]["problems"][0]["clause"], "LOG-003");

    let image = here.audit(&[])["image"].clone();
    let attestation = json!({
        "body": {"digest": Digest::of(b"a scan").to_string(), "size": 6},
        "image": {"digest": image["id"], "size": image["size"]},
        "issued": "2026-11-24T00:00:00Z",
        "type": "application/vnd.example.scan+json"
    });
    fs::write(here.path("scan.json"), attestation.to_string()).unwrap();
    here.succeed(&["sign", "scan.json", "--key", "release.key", "-o", "scan.envelope"]);
    let bytes = fs::read(here.path("scan.envelope")).unwrap();
    let id = image["id"].as_str().unwrap().replace("sha256:", "");
    let folder = here.path(&format!("odd/attestations/sha256/{id}"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{}.json", Digest::of(&bytes).hex())), &bytes).unwrap();
    let seen = here.audit(&[])["trust"]["attestations"][0]["attestation"].clone();
    assert_eq!(seen["type"], attestation["type"]);
    assert_eq!(seen["body"], attestation["body"]);
    assert_eq!(seen["differs"], json!([]));
}

/// A policy's verdict is that of `verify`; the state stays as it is.
#[test]
fn the_verdict_of_a_policy() {
    let here = Site::signed();
    let text = here.succeed(&["keyring", "show", "odd", "example.com"]);
    let pin = text.lines().find_map(|line| line.trim().strip_prefix("pin")).unwrap().trim();
    let rule = format!(r#"{{"rules":[{{"keyring":{pin},"mode":"require","prefix":"example.com"}}]}}"#);
    here.private("policy.json", &rule);
    let options = ["--policy", "policy.json", "--state", "state", "--at"];
    let at = |time| here.audit(&[&options[..], &[time]].concat())["verdict"].clone();
    let verdict = at("2026-11-25T00:00:00Z");
    assert_eq!(verdict["accepted"], true, "{verdict}");
    assert_eq!(verdict["evidence"]["signers"], json!([public(2).id().hex()]));
    assert_eq!(at("2226-11-25T00:00:00Z")["rejected"]["clause"], "REL-007");
    assert!(!here.path("state").exists());
    insta::assert_snapshot!(
        "verdict",
        here.succeed(&[&["audit", "odd"][..], &options, &["2026-11-25T00:00:00Z"]].concat())
            .split("\n\n")
            .find(|part| part.starts_with("Verdict"))
            .unwrap()
    );

    let rule = r#"{"rules":[{"keys":["KEY"],"mode":"require","prefix":"example.com","threshold":1}]}"#;
    here.private("policy.json", &rule.replace("KEY", &public(4).to_string()));
    assert_eq!(at("2026-11-25T00:00:00Z")["rejected"]["clause"], "SIG-019");
    here.succeed(&["sign", "odd", "--key", "mallory.key"]);
    let audit = here.audit(&[&options[..], &["2026-11-25T00:00:00Z"]].concat());
    assert_eq!(audit["verdict"]["accepted"], true, "{audit}");
    let signatures = audit["trust"]["releases"][0]["signatures"].as_array().unwrap();
    assert!(signatures.iter().any(|signature| signature["inPolicy"] == true && signature["holds"] == "holds"));
    fs::remove_file(here.path("policy.json")).unwrap();
    assert_eq!(at("2026-11-25T00:00:00Z")["rejected"]["clause"], "POL-018");
}

#[test]
fn withdrawn_and_revoked() {
    let here = Site::signed();
    // No channel may lead to what is withdrawn, and there is no other version.
    fs::remove_file(here.path("odd/names/example.com/odd/_/catalog.json")).unwrap();
    let catalog = ["catalog", "odd", "example.com/odd", "--days", "30", "--withdraw", "1.2.3=it is odd"];
    fs::write(here.path("catalog.json"), here.succeed(&catalog)).unwrap();
    here.succeed(&["sign", "catalog.json", "--key", "catalog.key", "--store", "odd"]);
    let id = here.audit(&[])["image"]["id"].as_str().unwrap().to_owned();
    let next = ["keyring", "next", "odd", "example.com", "--revoke-image", &id, "--reason", "too odd"];
    fs::write(here.path("keyring.json"), here.succeed(&next)).unwrap();
    here.succeed(&["sign", "keyring.json", "--key", "root.key", "--store", "odd"]);
    let trust = here.audit(&[])["trust"].clone();
    assert_eq!(trust["catalog"]["withdrawn"], "it is odd");
    assert_eq!(trust["catalog"]["listed"], false);
    assert_eq!(trust["catalog"]["channels"], json!([]));
    assert_eq!(trust["keyrings"][1]["revokesImage"], "too odd");
    assert_eq!(trust["keyrings"][0]["revokesImage"], Value::Null);
    assert_eq!(trust["releases"][0]["signatures"][0]["keyrings"], json!([1, 2]));
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
