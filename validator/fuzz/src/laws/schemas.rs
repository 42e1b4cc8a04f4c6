//! The JSON Schemas, which never reject what the validator accepts.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

static MANIFEST: LazyLock<Validator> = LazyLock::new(|| schema("manifest"));
static LISTING_LINE: LazyLock<Validator> = LazyLock::new(|| schema("listing-line"));

static DOCUMENTS: LazyLock<[(&str, Validator); 6]> = LazyLock::new(|| {
    ["release", "keyring", "catalog", "attestation", "policy", "state"].map(|name| (name, schema(name)))
});

fn schema(name: &str) -> Validator {
    let schema = cornercast::schema::schema(name).unwrap_or_else(|| panic!("there is no schema {name}"));
    let schema = serde_json::from_str(&schema).unwrap_or_else(|error| panic!("the schema {name}: {error}"));
    jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("the schema {name}: {error}"))
}

/// The schema accepts a manifest.
pub fn accepts_manifest(manifest: &Value) {
    accepts(&MANIFEST, manifest);
}

/// The schema accepts a document about trust.
pub fn accepts_document(name: &str, document: &Value) {
    if let Some((_, schema)) = DOCUMENTS.iter().find(|(known, _)| *known == name) {
        accepts(schema, document);
    }
}

/// The schema accepts a line of a listing.
pub fn accepts_line(line: &Value) {
    accepts(&LISTING_LINE, line);
}

fn accepts(schema: &Validator, value: &Value) {
    if let Err(error) = schema.validate(value) {
        panic!("the schema alone rejects {value}: {error} at {}", error.instance_path());
    }
}
