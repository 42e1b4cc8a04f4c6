//! The JSON Schemas (2020-12) of what the suite, adapters and engines write, made from the types.

use cornercast_engine::options::Options;
use cornercast_engine::report::{IsolationReport, RunReport};
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::protocol::{Answer, Hello, Request, Role};
use crate::results::{Footer, Header, Line};
use crate::run::document::Document;

/// The names of the schemas.
pub const NAMES: [&str; 10] = [
    "adapter-request",
    "adapter-hello",
    "adapter-answer",
    "results-header",
    "results-line",
    "results-footer",
    "instance-options",
    "run-report",
    "isolation-report",
    "probe",
];

/// The schema `name`, pretty-printed; `None` if there is none of that name.
///
/// ```
/// assert!(cornercast_conformance::schema::schema("adapter-answer").unwrap().contains("outcome"));
/// ```
#[must_use]
pub fn schema(name: &str) -> Option<String> {
    let mut text = serde_json::to_string_pretty(&value(name)?).ok()?;
    text.push('\n');
    Some(text)
}

/// The same as a document.
#[must_use]
pub fn value(name: &str) -> Option<Value> {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let schema = match name {
        "adapter-request" => generator.into_root_schema_for::<Request>(),
        "adapter-hello" => generator.into_root_schema_for::<Hello>(),
        "adapter-answer" => generator.into_root_schema_for::<Answer>(),
        "results-header" => generator.into_root_schema_for::<Header>(),
        "results-line" => generator.into_root_schema_for::<Line>(),
        "results-footer" => generator.into_root_schema_for::<Footer>(),
        "instance-options" => generator.into_root_schema_for::<Options>(),
        "run-report" => generator.into_root_schema_for::<RunReport>(),
        "isolation-report" => generator.into_root_schema_for::<IsolationReport>(),
        "probe" => generator.into_root_schema_for::<Document>(),
        _ => return None,
    };
    let mut value = schema.to_value();
    without_formats(&mut value);
    if name.starts_with("adapter-") {
        without_runtimes(&mut value);
    }
    if let Some(object) = value.as_object_mut() {
        object.insert("$id".to_owned(), format!("urn:cornercast:1.0:schema:{name}").into());
    }
    Some(value)
}

/// What reads documents of the schema `name`.
///
/// # Errors
///
/// A schema that is none, which is a bug of the suite.
pub fn validator(name: &str) -> Result<jsonschema::Validator, String> {
    let schema = value(name).ok_or_else(|| format!("there is no schema `{name}`"))?;
    jsonschema::validator_for(&schema).map_err(|error| format!("the schema `{name}`: {error}"))
}

/// Whether a document has the form that its schema gives it.
///
/// # Errors
///
/// Where it has not, in words.
pub fn judge(schema: &jsonschema::Validator, value: &Value) -> Result<(), String> {
    schema.validate(value).map_err(|error| {
        let at = error.instance_path().to_string();
        let at = if at.is_empty() { String::new() } else { format!(" at {at}") };
        format!("{at}: {error}")
    })
}

/// Removes the role `runtime`, of which there are no messages.
fn without_runtimes(value: &mut Value) {
    let roles = value.pointer_mut("/$defs/Role/oneOf").and_then(Value::as_array_mut);
    if let Some(roles) = roles {
        roles.retain(|role| role.get("const").and_then(Value::as_str) != Some(Role::Runtime.name()));
    }
}

/// Removes the formats of Rust's integers, which JSON Schema does not know.
fn without_formats(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                members.remove("format");
            }
            members.values_mut().for_each(without_formats);
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_formats),
        _ => {}
    }
}
