//! The cases of the role `verify`: each gives the verdict, the clause and the state that it expects.
//!
//! Those whose policy is missing or can be written by others, and those with a thousand keyrings, are left to the suite.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cornercast::limits::Limits;
use cornercast::manifest::Platform;
use cornercast::name::Reference;
use cornercast::trust::{PublicKey, Question, decide, time};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Store, all_cases, is_of};

/// What this test needs of a `case.json`.
#[derive(Deserialize)]
pub(crate) struct Case {
    #[serde(default)]
    options: BTreeMap<String, String>,
    input: String,
    #[serde(default)]
    links: BTreeMap<String, String>,
    #[serde(rename = "as")]
    kind: String,
    /// What the policy is instead of a file.
    policy: Option<String>,
    /// The number up to which there are keyrings.
    keyrings: Option<u64>,
    expect: Expectation,
}

#[derive(Deserialize)]
struct Expectation {
    verdict: String,
    /// The folder with the states afterwards.
    state: Option<String>,
    #[serde(default)]
    findings: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    id: String,
}

#[test]
fn each_case_of_verifiers_has_its_verdict() {
    let first = env::var("CORNERCAST_FIRST").ok();
    let mut cases: Vec<_> = all_cases().filter(|(_, case)| case["role"] == "verify").collect();
    if let Some(first) = &first {
        cases.sort_by_key(|(folder, _)| !first.split(',').any(|chapter| is_of(folder, chapter)));
    }
    let mut count = 0;
    let mut wrong = Vec::new();
    for (folder, case) in cases {
        let case: Case = serde_json::from_value(case).unwrap();
        if case.policy.is_some() || case.keyrings.is_some() {
            continue;
        }
        count += 1;
        if let Err(why) = judge(&folder, &case) {
            wrong.push(format!("{}: {why}", folder.display()));
            if first.is_some() {
                eprintln!("{}", wrong.join("\n"));
                process::exit(1);
            }
        }
    }
    assert!(count > 400, "{count} cases");
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn judge(folder: &Path, case: &Case) -> Result<(), String> {
    let place = tempfile::tempdir().unwrap();
    let verdict = if case.kind == "signature" {
        signature(&folder.join(&case.input)).map_err(|id| id.to_owned())
    } else {
        verdict(folder, case, &place, &Limits::FORMAT)
    };
    let expected = match case.expect.verdict.as_str() {
        "accepted" => Ok(()),
        _ => Err(case.expect.findings.first().map(|finding| finding.id.clone()).unwrap_or_default()),
    };
    if verdict != expected {
        return Err(format!("expected {expected:?}, got {verdict:?}"));
    }
    match &case.expect.state {
        Some(after) if states(&folder.join(after)) != states(&place.path().join("state")) => {
            Err(format!("the state is {:#?}", states(&place.path().join("state"))))
        }
        _ => Ok(()),
    }
}

/// The verdict on the image of a case, or the clause that stands in the way; the state is in `place`.
pub(crate) fn verdict(folder: &Path, case: &Case, place: &TempDir, limits: &Limits) -> Result<(), String> {
    // A working copy can have any modes.
    let (policy, state) = (place.path().join("policy.json"), place.path().join("state"));
    copy(&folder.join("policy.json"), &policy);
    fs::create_dir(&state).unwrap();
    for file in fs::read_dir(folder.join("state")).into_iter().flatten() {
        let file = file.unwrap();
        copy(&file.path(), &state.join(file.file_name()));
    }
    let reference = Reference::parse(&case.options["reference"], limits).map_err(|broken| broken[0].0.id.to_owned())?;
    let platform = Platform::parse(&case.options["platform"]).unwrap();
    let input = folder.join(&case.input);
    let store = Store { links: &case.links, ..Store::plain(&input) };
    let question = Question {
        policy: &policy,
        state: &state,
        reference: &reference,
        platform: &platform,
        now: time::seconds(&case.options["clock"]).unwrap(),
        // Writing takes its time until it is on the disk.
        is_read_only: case.expect.state.is_none(),
        store: "store",
    };
    let decided = decide(&store, &question, limits).unwrap();
    decided.verdict.outcome.map(drop).map_err(|rejection| rejection.clause.to_owned())
}

fn signature(input: &Path) -> Result<(), &'static str> {
    let vector: BTreeMap<String, String> = serde_json::from_slice(&fs::read(input).unwrap()).unwrap();
    let key = PublicKey::parse(&vector["key"]).map_err(|(clause, _)| clause.id)?;
    let bytes = |name| STANDARD.decode(&vector[name]).unwrap();
    let signature: Result<[u8; 64], _> = bytes("signature").try_into();
    let holds = signature.is_ok_and(|signature| key.verifies(&bytes("message"), &signature));
    if holds { Ok(()) } else { Err("SIG-004") }
}

fn copy(from: &Path, to: &Path) {
    fs::write(to, fs::read(from).unwrap()).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The documents of a folder with states, by their names.
fn states(folder: &Path) -> BTreeMap<String, Value> {
    let files = fs::read_dir(folder).into_iter().flatten().map(|file| file.unwrap().path());
    let documents = files.filter(|file| file.extension().is_some_and(|extension| extension == "json"));
    documents
        .map(|file| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_slice(&fs::read(&file).unwrap()).unwrap())
        })
        .collect()
}
