//! Documents about trust, at limits that are lowered so that small ones reach them, and what no case asks for.

use std::fs;
use std::path::Path;
use std::process::Command;

use cornercast::diagnostic::Violation;
use cornercast::limits::Limits;
use cornercast::trust::{SecretKey, check_envelope, check_keyring, check_policy, check_proof, check_state, open};

use crate::verdicts::{Case, verdict};

fn fixture(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(path)).unwrap()
}

fn ids(violations: &[Violation]) -> Vec<&'static str> {
    violations.iter().map(|violation| violation.clause.id).collect()
}

/// What a verifier with these limits says of a case.
fn decided(case: &str, limits: &Limits) -> Result<(), String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(case);
    let document: Case = serde_json::from_slice(&fs::read(folder.join("case.json")).unwrap()).unwrap();
    verdict(&folder, &document, &tempfile::tempdir().unwrap(), limits)
}

/// REL-029: two steps are taken where two may be, and not where one may be.
#[test]
fn steps_of_keyrings() {
    let with = |keyring_steps| decided("REL-027/accepted-verify-third", &Limits { keyring_steps, ..Limits::FORMAT });
    assert_eq!(with(2), Ok(()));
    assert_eq!(with(1), Err("REL-029".to_owned()));
}

/// REL-036: envelopes of other images do not count.
#[test]
fn envelopes_of_other_images() {
    let place = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/REL-035/accepted-verify-other-digest");
    assert!(Command::new("cp").arg("-r").arg(&from).arg(place.path()).status().unwrap().success());
    let folder = place.path().join("accepted-verify-other-digest");
    let document: Case = serde_json::from_slice(&fs::read(folder.join("case.json")).unwrap()).unwrap();
    let judge = |envelopes| {
        let limits = Limits { envelopes, ..Limits::FORMAT };
        verdict(&folder, &document, &tempfile::tempdir().unwrap(), &limits)
    };
    let signatures = folder.join("store/signatures/sha256");
    let own = fs::read_dir(&signatures).unwrap().next().unwrap().unwrap().path();
    let is_envelope = |name: &str| name.ends_with(".json") && name != "index.json";
    let count = fs::read_dir(own)
        .unwrap()
        .filter(|file| is_envelope(&file.as_ref().unwrap().file_name().to_string_lossy()))
        .count();
    assert_eq!(judge(count), Ok(()));
    assert_eq!(judge(count - 1), Err("REL-036".to_owned()));
    let other = signatures.join("a".repeat(64));
    fs::create_dir(&other).unwrap();
    fs::write(other.join(format!("{}.json", "b".repeat(64))), "{}").unwrap();
    assert_eq!(judge(count), Ok(()));
}

/// SIG-005, SIG-006, POL-031: what holds of documents in general is no limit of longer ones.
#[test]
fn longer_than_documents() {
    let small = Limits { document: 10, ..Limits::FORMAT };
    let catalog = fixture("SIG-009/accepted-catalog/envelope.json");
    let envelopes = [&fixture("SIG-009/accepted-attestation/envelope.json"), &catalog];
    for envelope in envelopes {
        let (opened, violations) = open(envelope, &small);
        assert!(opened.is_some(), "{:?}", ids(&violations));
    }
    assert!(check_state(&fixture("POL-032/accepted-all/document.json"), &small).0.is_some());
    let short = Limits { envelope_other: 10, ..Limits::FORMAT };
    assert_eq!(ids(&check_envelope(envelopes[0], &short)), ["SIG-006"]);
    assert_eq!(ids(&check_envelope(&catalog, &short)), Vec::<&str>::new());
}

/// POL-032: a threshold that the keys cannot reach, and serials around the first one.
#[test]
fn catalogs_of_a_state() {
    let state = String::from_utf8(fixture("POL-032/accepted-all/document.json")).unwrap();
    let judge = |from: &str, to: &str| {
        assert!(state.contains(from));
        ids(&check_state(state.replace(from, to).as_bytes(), &Limits::FORMAT).1)
    };
    assert_eq!(judge("\"threshold\":1", "\"threshold\":2"), ["REL-015"]);
    assert_eq!(judge("\"serial\":7", "\"serial\":1"), Vec::<&str>::new());
    assert_eq!(judge("\"serial\":7", "\"serial\":0"), ["REL-038"]);
}

/// LOG-001, LOG-002: the place is one byte.
#[test]
fn places_in_proofs() {
    let place = |source: &[u8], limits: &Limits| {
        let (_, violations) = check_proof(source, limits);
        let bytes = violations[0].place.bytes.clone().unwrap();
        (violations[0].clause.id, bytes.start, bytes.end)
    };
    let short = Limits { log_proof: 7, ..Limits::FORMAT };
    assert_eq!(place(b"12345678", &short), ("LOG-001", 7, 8));
    assert_eq!(place(b"123\xFF\n", &Limits::FORMAT), ("LOG-002", 3, 4));
    assert_eq!(place(b"12\x1B\n", &Limits::FORMAT), ("LOG-002", 2, 3));
}

/// No more is said of a document than of any other input, and what is said tells what is wrong.
#[test]
fn violations_of_documents() {
    let rule = r#"{"mode":"unsigned","prefix":"example.com"},"#;
    let policy = |count: usize| format!("{{\"rules\":[{}]}}", rule.repeat(count).trim_end_matches(','));
    let many = check_policy(policy(3000).as_bytes(), &Limits::FORMAT).1;
    assert_eq!(many.len(), 1000);
    for (case, ends) in [("rejected-twice", "stands twice"), ("rejected-descending", "stands after a higher one")] {
        let found = check_keyring(&fixture(&format!("REL-018/{case}/document.json")), &Limits::FORMAT).1;
        assert_eq!(ids(&found), ["REL-018"]);
        assert!(found[0].message.ends_with(ends), "{}", found[0].message);
    }
}

/// REL-031: the longest prefix that is the name, or a part of it up to a `/`.
#[test]
fn rules_of_keyrings() {
    let (keyring, violations) = check_keyring(&fixture("REL-001/accepted-keyring/document.json"), &Limits::FORMAT);
    let keyring = keyring.unwrap_or_else(|| panic!("{:?}", ids(&violations)));
    assert!(keyring.release_rule("example.com/empty").is_some());
    assert!(keyring.release_rule("other.example/empty").is_none());
}

/// A secret key is not shown where a value is printed for a programmer.
#[test]
fn secrets_are_not_shown() {
    let secret = SecretKey::from_seed(&[7; 32]);
    let shown = format!("{secret:?}");
    assert_eq!(shown, format!("SecretKey({})", secret.public()));
}
