//! serde_json.

use std::collections::BTreeSet;
use std::num::NonZero;

use cornercast::diagnostic::Findings;
use cornercast::input::{Kind, check_stream};
use cornercast::json::{Form, read};
use cornercast::limits::Limits;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use super::{compare, listed};
use crate::mutant::{changes, mutant};
use crate::seeds::Seed;
use crate::{SEEDS, effort};

const HEADING: &str = "serde_json";

/// Compares the two readers on one document: the clauses for which ours alone rejects it.
fn compared(document: &[u8]) -> Vec<String> {
    let theirs: Result<Value, _> = serde_json::from_slice(document);
    let mut findings = Findings::new("document", 1000);
    check_stream(Kind::Strict, &mut &*document, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
    if findings.errors == 0 {
        let ours = read(document, Form::Strict, &Limits::FORMAT).root.unwrap().to_serde();
        assert_eq!(theirs.expect("serde_json reads what is strict"), ours);
        return Vec::new();
    }
    let ids = findings.list().iter().map(|finding| finding.id.to_owned());
    if theirs.is_ok() { ids.collect() } else { Vec::new() }
}

fn documents() -> Vec<&'static Seed> {
    SEEDS.iter().filter(|seed| seed.suits("json") && seed.kind != "listing").collect()
}

/// Documents that are too long to be kept as cases.
fn long_documents() -> Vec<Vec<u8>> {
    let limits = Limits::FORMAT;
    let text = |length| "a".repeat(length);
    vec![
        format!("{{{}}}", " ".repeat(limits.document as usize)).into_bytes(),
        format!("{{\"{}\":1}}", text(limits.member_name + 1)).into_bytes(),
        format!("{{\"a\":\"{}\"}}", text(limits.string + 1)).into_bytes(),
        format!("{{\"a\":{}{}}}", "[".repeat(limits.depth), "]".repeat(limits.depth)).into_bytes(),
    ]
}

#[test]
fn the_page_lists_what_serde_json_accepts_beyond() {
    let mut seen = BTreeSet::new();
    for document in documents().iter().map(|seed| &seed.bytes).chain(&long_documents()) {
        seen.extend(compared(document));
    }
    compare(HEADING, &seen);
}

#[test]
fn no_mutant_adds_a_difference() {
    let (documents, listed) = (documents(), listed(HEADING));
    proptest!(effort(4000), |(pick in any::<Index>(), changes in changes(4))| {
        let document = mutant(&pick.get(&documents).bytes, &changes);
        let unlisted: Vec<String> = compared(&document).into_iter().filter(|id| !listed.contains(id)).collect();
        prop_assert!(unlisted.is_empty(), "{unlisted:?}: {}", String::from_utf8_lossy(&document));
    });
}
