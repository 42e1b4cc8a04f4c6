//! The schemas of documents about trust never contradict the validator.

use cornercast::input::Kind;
use cornercast_conformance::fixtures;
use cornercast_conformance::reference;
use serde_json::Value;

/// The clauses whose violations a schema cannot see: what compares two values, orders, and numbers of bytes; and the form
/// of JSON itself.
const HIDDEN: [&str; 24] = [
    "SIG-002", "SIG-003", "SIG-005", "SIG-006", "SIG-014", "REL-004", "REL-005", "REL-011", "REL-013", "REL-014",
    "REL-015", "REL-017", "REL-018", "REL-019", "REL-020", "REL-039", "REL-041", "REL-042", "REL-043", "REL-044",
    "POL-003", "POL-010", "POL-014", "POL-016",
];

/// What only some of the violations of a clause are.
const PARTLY: [&str; 10] =
    ["POL-005", "POL-006", "POL-007", "POL-008", "POL-011", "POL-015", "POL-030", "POL-031", "POL-032", "REL-010"];

#[test]
fn a_schema_never_contradicts_the_validator() {
    let mut seen = 0;
    for fixture in fixtures::all() {
        let kind = Kind::by_name(&fixture.case.kind);
        let documents =
            [Kind::Envelope, Kind::Release, Kind::Keyring, Kind::Catalog, Kind::Attestation, Kind::Policy, Kind::State];
        if !kind.is_some_and(|kind| documents.contains(&kind)) || !fixture.case.operation.is_check() {
            continue;
        }
        let Some(source) = fixture.case.input.as_ref().and_then(|input| fixture.files.get(input)) else { continue };
        let Ok(value) = serde_json::from_slice::<Value>(source) else { continue };
        let schema = cornercast::schema::schema(&fixture.case.kind).unwrap();
        let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
        let found = reference::check(&fixture, &[]).unwrap();
        let objection = schema.iter_errors(&value).next().map(|error| error.to_string());
        match found.first() {
            None => assert_eq!(objection, None, "{}: the schema alone rejects it", fixture.folder),
            Some(finding) if HIDDEN.contains(&finding.id) || PARTLY.contains(&finding.id) => {}
            Some(finding) if finding.id == "SIG-008" && value["payload"].is_string() => {
                // The payload of an attestation is judged as well.
            }
            Some(finding) => assert!(objection.is_some(), "{}: the schema does not see {}", fixture.folder, finding.id),
        }
        seen += 1;
    }
    assert!(seen > 250, "{seen}");
}
