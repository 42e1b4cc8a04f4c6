//! What is accepted means one thing: no two byte strings that are accepted mean the same.
//!
//! So a damaged or rewritten input is rejected, or its digest tells that it is another one, and says something else.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZero;

use cornercast::diagnostic::Findings;
use cornercast::input::{Kind, check_stream};
use cornercast::layer::{ListingKind, Walker, read_listing};
use cornercast::limits::Limits;
use cornercast::tar::Profile;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::laws::{layer, tar};
use crate::mutant::{changes, mutant};
use crate::{SEEDS, effort};

/// What an accepted input of a kind says, without regard to its bytes; `None` if it is rejected.
fn meaning(kind: &str, bytes: &[u8]) -> Option<String> {
    let mut findings = Findings::new("input", 1);
    check_stream(Kind::by_name(kind).unwrap(), &mut &*bytes, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings)
        .unwrap();
    if findings.errors > 0 {
        return None;
    }
    Some(match kind {
        // The entries hold the digests of the files' contents.
        "layer" => format!("{:?}", layer::walk(Walker::new(Limits::FORMAT), [bytes]).entries),
        "listing" => format!("{:?}", read_listing(bytes, ListingKind::Layer, &Limits::FORMAT).entries),
        "rootfs" => format!("{:?}", read_listing(bytes, ListingKind::Rootfs, &Limits::FORMAT).entries),
        "archive" => {
            let read = tar::read(Profile::Archive, [bytes]);
            let files: BTreeMap<_, _> = read.entries(bytes).iter().map(|file| (&file.path, &file.data)).collect();
            format!("{files:?}")
        }
        // Another reader of JSON; its maps are sorted.
        _ => serde_json::from_slice::<serde_json::Value>(bytes).unwrap().to_string(),
    })
}

/// Tries mutants of the accepted cases of a kind, and mutants of those that are accepted as well; at least one of
/// `one_in` is.
fn one_meaning_each(kind: &str, cases: u32, one_in: usize) {
    // A frame of zstd is transport: its bytes mean nothing.
    let mut pool: Vec<Vec<u8>> = SEEDS
        .iter()
        .filter(|seed| seed.kind == kind && seed.accepted && !seed.suits("zstd"))
        .map(|seed| seed.bytes.clone())
        .collect();
    pool.sort();
    pool.dedup();
    let mut known: HashMap<String, Vec<u8>> = HashMap::new();
    for bytes in &pool {
        let same = known.insert(meaning(kind, bytes).unwrap(), bytes.clone());
        assert!(same.is_none(), "two cases of the kind {kind} mean the same");
    }
    let config = effort(cases);
    let (tries, strategy) = (config.cases as usize, (any::<Index>(), changes(3)));
    let mut runner = TestRunner::new(config);
    let mut accepted = 0;
    for _ in 0..tries {
        let (pick, changes) = strategy.new_tree(&mut runner).unwrap().current();
        let original = pick.get(&pool).clone();
        let bytes = mutant(&original, &changes);
        let Some(meaning) = meaning(kind, &bytes) else { continue };
        accepted += usize::from(bytes != original);
        if let Some(other) = known.insert(meaning.clone(), bytes.clone()) {
            assert!(
                other == bytes,
                "{changes:?} of an accepted {kind} give {} bytes that mean the same as {} others: {meaning}",
                bytes.len(),
                other.len()
            );
        } else if pool.len() < 4000 {
            pool.push(bytes);
        }
    }
    assert!(accepted * one_in > tries, "{accepted} of {tries} mutants of the kind {kind} were accepted");
}

#[test]
fn a_layer_means_one_thing() {
    one_meaning_each("layer", 6000, 100);
}

#[test]
fn a_listing_means_one_thing() {
    one_meaning_each("listing", 6000, 100);
}

#[test]
fn a_merged_listing_means_one_thing() {
    one_meaning_each("rootfs", 3000, 100);
}

#[test]
fn a_manifest_means_one_thing() {
    one_meaning_each("manifest", 6000, 100);
}

#[test]
fn an_archive_means_one_thing() {
    one_meaning_each("archive", 3000, 300);
}

#[test]
fn a_canonical_document_means_one_thing() {
    one_meaning_each("canonical", 6000, 50);
}

#[test]
fn an_index_means_one_thing() {
    one_meaning_each("index", 3000, 50);
}
