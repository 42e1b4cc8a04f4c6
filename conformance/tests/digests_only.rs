//! `check --digests-only` on the cases: it finds what a whole check finds, as far as layers need not be opened.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use cornercast::input::Kind;
use cornercast::store::Extent;
use cornercast_conformance::fixtures::{self, Fixture};
use cornercast_conformance::reference;

/// Clauses that can be judged without opening a layer.
const WITHOUT_LAYERS: &str = "STO-001 STO-002 STO-003 STO-004 STO-005 STO-006 STO-007 OCI-001 OCI-002 OCI-003 OCI-004 \
                              OCI-005 OCI-006 OCI-007 OCI-008 OCI-009 OCI-010 OCI-011 OCI-012 OCI-013 OCI-014 \
                              OCI-015 OCI-016 OCI-017 OCI-018 OCI-019 OCI-020 OCI-021 OCI-022 OCI-023 OCI-024 \
                              OCI-025 OCI-026 OCI-027 OCI-028 OCI-029 OCI-030 OCI-031 OCI-032 OCI-033 OCI-034 \
                              OCI-035 OCI-037 OCI-038 OCI-039 OCI-040 OCI-041 OCI-090 OCI-091 OCI-092";

/// What is found, each with how often.
fn found(extent: Extent, fixture: &Fixture) -> BTreeMap<String, usize> {
    let mut out = BTreeMap::new();
    for finding in reference::check_to(extent, fixture, &[]).unwrap() {
        *out.entry(format!("{} {} at {:?}", finding.id, finding.message, finding.location)).or_default() += 1;
    }
    out
}

#[test]
fn a_fast_pass_finds_what_needs_no_layer() {
    let with_digests = |fixture: &Fixture| Kind::by_name(&fixture.case.kind).is_some_and(Kind::has_digests);
    let mut same = 0;
    for fixture in fixtures::all().iter().filter(|fixture| with_digests(fixture)) {
        let (whole, fast) = (found(Extent::Whole, fixture), found(Extent::Digests, fixture));
        for (finding, count) in &fast {
            assert!(whole.get(finding) >= Some(count), "{}: only the fast pass finds {finding}", fixture.folder);
        }
        let id = fixture.folder.split('/').next().unwrap();
        if WITHOUT_LAYERS.split_ascii_whitespace().any(|known| known == id) {
            assert_eq!(fast, whole, "{}", fixture.folder);
            same += usize::from(!whole.is_empty());
        }
    }
    assert!(same > 100, "{same} cases were compared");
}

/// Nothing of what is in a layer is said.
#[test]
fn layers_are_not_opened() {
    let cases = fixtures::all();
    let in_layers = ["OCI-043", "OCI-044", "OCI-045", "OCI-054", "OCI-070", "OCI-083"];
    let cases = cases.iter().filter(|fixture| fixture.case.kind == "oci-layout");
    let mut seen = 0;
    for fixture in cases.filter(|fixture| in_layers.iter().any(|id| fixture.folder.starts_with(id))) {
        assert!(found(Extent::Digests, fixture).is_empty(), "{}", fixture.folder);
        seen += 1;
    }
    assert!(seen > 10, "{seen} cases");
}
