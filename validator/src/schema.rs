//! The JSON Schemas (2020-12), made from the types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};

use crate::audit::Audit;
use crate::catalogue::Requirement;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::difference::Difference;
use crate::inspection::Inspection;
use crate::manifest::Manifest;
use crate::store::{Index, Marker};
use crate::trust;

/// A line of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
#[schemars(deny_unknown_fields, transform = empty_file)]
pub enum ListingLine {
    /// A regular file.
    File {
        /// Group id.
        #[schemars(range(min = 0, max = 4_294_967_294_u64))]
        gid: u64,
        /// Mode.
        #[schemars(range(min = 0, max = 4095))]
        mode: u64,
        /// Seconds since 1970.
        #[schemars(range(min = 0, max = 8_589_934_591_u64))]
        mtime: u64,
        /// Path.
        #[schemars(schema_with = "path")]
        path: String,
        /// SHA-256 of the content.
        #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
        sha256: String,
        /// Size in bytes.
        #[schemars(range(min = 0, max = 1_099_511_627_776_u64))]
        size: u64,
        /// User id.
        #[schemars(range(min = 0, max = 4_294_967_294_u64))]
        uid: u64,
        /// Extended attributes in base64.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(schema_with = "xattrs")]
        xattrs: Option<serde_json::Value>,
    },
    /// Another name of a file.
    Hardlink {
        /// Group id.
        #[schemars(range(min = 0, max = 4_294_967_294_u64))]
        gid: u64,
        /// Mode.
        #[schemars(range(min = 0, max = 4095))]
        mode: u64,
        /// Seconds since 1970.
        #[schemars(range(min = 0, max = 8_589_934_591_u64))]
        mtime: u64,
        /// Path.
        #[schemars(schema_with = "path")]
        path: String,
        /// SHA-256 of the content.
        #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
        sha256: String,
        /// Size in bytes.
        #[schemars(range(min = 0, max = 1_099_511_627_776_u64))]
        size: u64,
        /// The path of the file.
        #[schemars(schema_with = "path")]
        target: String,
        /// User id.
        #[schemars(range(min = 0, max = 4_294_967_294_u64))]
        uid: u64,
        /// Extended attributes in base64.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(schema_with = "xattrs")]
        xattrs: Option<serde_json::Value>,
    },
    /// A directory.
    Dir {
        /// Group id.
        #[schemars(range(min = 0, max = 4_294_967_294_u64))]
        gid: u64,
        /// Mode.
        #[schemars(range(min = 0, max = 4095))]
        mode: u64,
        /// Seconds since 1970.
        #[schemars(range(min = 0, max = 8_589_934_591_u64))]
        mtime: u64,
        /// Whether it hides what lower layers have in it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(schema_with = "only_true")]
        opaque: Option<bool>,
        /// Path.
        #[schemars(schema_with = "path")]
        path: String,
        /// User id.
        #[schemars(range(min = 0, max = 4_294_967_294_u64))]
        uid: u64,
        /// Extended attributes in base64.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(schema_with = "directory_xattrs")]
        xattrs: Option<serde_json::Value>,
    },
    /// A symbolic link.
    Symlink {
        /// Group id.
        #[schemars(range(min = 0, max = 4_294_967_294_u64))]
        gid: u64,
        /// Seconds since 1970.
        #[schemars(range(min = 0, max = 8_589_934_591_u64))]
        mtime: u64,
        /// Path.
        #[schemars(schema_with = "path")]
        path: String,
        /// Where it leads.
        #[schemars(schema_with = "target")]
        target: String,
        /// User id.
        #[schemars(range(min = 0, max = 4_294_967_294_u64))]
        uid: u64,
    },
    /// Hides a path of lower layers.
    Whiteout {
        /// The path that it hides.
        #[schemars(schema_with = "path")]
        path: String,
    },
}

/// A path of a tree. A length in a schema counts characters; there are never more of them than bytes.
fn path(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "string",
        "maxLength": 4095,
        "pattern": "^[^/\\x00-\\x1f\\x7f-\\x9f]+(/[^/\\x00-\\x1f\\x7f-\\x9f]+){0,127}$",
        "not": {"anyOf": [{"pattern": "(^|/)(\\.|\\.\\.|\\.wh\\.[^/]*)(/|$)"}, {"pattern": "[^/]{256}"}]}
    })
}

fn target(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "string", "maxLength": 4095, "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]+$"})
}

/// Names of attributes that anyone can set, and of some that an overlay file system would take for its own.
const USER: &str = "^user\\.[!-<>-~]{1,250}$";
/// Base64 of at least one byte, with unused bits zero.
const BASE64: &str =
    "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)$";

/// A file of the size 0 has the digest of the empty string.
fn empty_file(schema: &mut schemars::Schema) {
    let empty = crate::digest::Digest::of(b"").hex();
    let condition = serde_json::json!({
        "properties": {"type": {"const": "file"}, "size": {"const": 0}},
        "required": ["type", "size"]
    });
    schema.insert("if".to_owned(), condition);
    schema.insert("then".to_owned(), serde_json::json!({"properties": {"sha256": {"const": empty}}}));
}

fn directory_xattrs(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 64,
        "propertyNames": {"not": {"pattern": "^user\\.overlay\\."}},
        "patternProperties": {(USER): {"type": "string", "pattern": BASE64}},
        "additionalProperties": false
    })
}

fn xattrs(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let mut schema = directory_xattrs(generator);
    // Twenty bytes that begin with 00 00 00 02 or 01 00 00 02.
    let capability = serde_json::json!({
        "type": "string",
        "pattern": "^(AAAA|AQAA)A[g-v][A-Za-z0-9+/]{20}[AEIMQUYcgkosw048]=$"
    });
    schema.insert("properties".to_owned(), serde_json::json!({"security.capability": capability}));
    schema
}

fn only_true(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"const": true})
}

/// The names of the schemas.
pub const NAMES: [&str; 18] = [
    "manifest",
    "listing-line",
    "store-marker",
    "signature-index",
    "envelope",
    "release",
    "keyring",
    "catalog",
    "attestation",
    "policy",
    "state",
    "verdict",
    "diagnostic",
    "inspection",
    "difference",
    "audit",
    "requirements",
    "lint-configuration",
];

/// The schema `name`, pretty-printed; `None` if there is none of that name.
///
/// ```
/// assert!(cornercast::schema::schema("manifest").unwrap().contains("2020-12"));
/// ```
#[must_use]
pub fn schema(name: &str) -> Option<String> {
    let generator = || SchemaSettings::draft2020_12().into_generator();
    let schema = match name {
        "manifest" => generator().into_root_schema_for::<Manifest>(),
        "listing-line" => generator().into_root_schema_for::<ListingLine>(),
        "store-marker" => generator().into_root_schema_for::<Marker>(),
        "signature-index" => generator().into_root_schema_for::<Index>(),
        "envelope" => generator().into_root_schema_for::<trust::Envelope>(),
        "release" => generator().into_root_schema_for::<trust::Release>(),
        "keyring" => generator().into_root_schema_for::<trust::Keyring>(),
        "catalog" => generator().into_root_schema_for::<trust::Catalog>(),
        "attestation" => generator().into_root_schema_for::<trust::Attestation>(),
        "policy" => generator().into_root_schema_for::<trust::Policy>(),
        "state" => generator().into_root_schema_for::<trust::State>(),
        "diagnostic" => {
            SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Diagnostic>()
        }
        "inspection" => {
            SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Inspection>()
        }
        "difference" => {
            SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Difference>()
        }
        "verdict" => SchemaSettings::draft2020_12()
            .for_serialize()
            .into_generator()
            .into_root_schema_for::<trust::VerdictDocument>(),
        "audit" => SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Audit>(),
        "requirements" => generator().into_root_schema_for::<Vec<Requirement>>(),
        "lint-configuration" => generator().into_root_schema_for::<Config>(),
        _ => return None,
    };
    let mut value = schema.to_value();
    without_formats(&mut value);
    if let Some(object) = value.as_object_mut() {
        object.insert("$id".to_owned(), format!("urn:cornercast:1.0:schema:{name}").into());
    }
    let mut text = serde_json::to_string_pretty(&value).ok()?;
    text.push('\n');
    Some(text)
}

/// Removes the formats of Rust's integers, which JSON Schema does not know.
fn without_formats(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            if members.get("format").is_some_and(|format| {
                format.as_str().is_some_and(|format| format.starts_with("uint") || format.starts_with("int"))
            }) {
                members.remove("format");
            }
            members.values_mut().for_each(without_formats);
        }
        serde_json::Value::Array(elements) => elements.iter_mut().for_each(without_formats),
        _ => {}
    }
}
