//! Parts of the schemas that the types alone do not say.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::types::Listed;
use crate::manifest::Platform;

const HOST: &str =
    "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\\.[a-z]([a-z0-9-]{0,61}[a-z0-9])?";
const SEGMENTS: &str = "(/[a-z0-9]+([._-][a-z0-9]+)*)";
/// Base64 of any bytes, with unused bits zero.
const BASE64: &str = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?$";
const KEY: &str = "^ed25519:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$";
const KEY_ID: &str = "^[0-9a-f]{64}$";

pub(super) fn base64(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": BASE64})
}

pub(super) fn key(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": KEY})
}

pub(super) fn key_id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": KEY_ID})
}

pub(super) fn key_ids(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "uniqueItems": true,
        "items": {"type": "string", "pattern": KEY_ID}
    })
}

pub(super) fn keys(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": {"pattern": KEY_ID},
        "additionalProperties": {"type": "string", "pattern": KEY}
    })
}

pub(super) fn host(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 253, "pattern": format!("^{HOST}$")})
}

/// A host or a name.
pub(super) fn prefix(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 255, "pattern": format!("^{HOST}{SEGMENTS}*$")})
}

/// The same, or nothing.
pub(super) fn policy_prefix(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 255, "pattern": format!("^({HOST}{SEGMENTS}*)?$")})
}

/// The name of a log or a witness.
pub(super) fn note_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": "^[!-*,-~]{1,255}$"})
}

pub(super) fn channels(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[a-z][a-z0-9-]{0,63}$"},
        "additionalProperties": crate::manifest::patterns::version(generator)
    })
}

pub(super) fn versions(generator: &mut SchemaGenerator) -> Schema {
    let listed = generator.subschema_for::<Listed>();
    json_schema!({
        "type": "object",
        "propertyNames": crate::manifest::patterns::version(generator),
        "additionalProperties": {"type": "array", "minItems": 1, "items": listed}
    })
}

/// Images that were accepted, by version.
pub(super) fn accepted(generator: &mut SchemaGenerator) -> Schema {
    let (platform, digest) =
        (generator.subschema_for::<Platform>(), generator.subschema_for::<crate::digest::Digest>());
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": crate::manifest::patterns::version(generator),
        "additionalProperties": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {"image": digest, "platform": platform},
                "required": ["image", "platform"],
                "additionalProperties": false
            }
        }
    })
}

/// Some member has to be there.
pub(super) fn not_empty(schema: &mut Schema) {
    schema.insert("minProperties".to_owned(), 1.into());
}
