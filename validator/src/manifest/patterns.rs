//! Parts of the schema of manifests that the types alone do not say.

use schemars::{Schema, SchemaGenerator, json_schema};

pub(crate) fn name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 255,
        "not": {"pattern": "^[^/]{254}"},
        "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\\.[a-z]([a-z0-9-]{0,61}[a-z0-9])?(/[a-z0-9]+([._-][a-z0-9]+)*)+$"
    })
}

pub(crate) fn version(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 128,
        "pattern": "^(0|[1-9][0-9]{0,15})\\.(0|[1-9][0-9]{0,15})\\.(0|[1-9][0-9]{0,15})(-(0|[1-9][0-9]{0,15}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(\\.(0|[1-9][0-9]{0,15}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?$"
    })
}

pub(crate) fn annotations(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"maxLength": 256, "pattern": "^[a-z][a-z0-9]*(\\.[A-Za-z0-9_-]+)+$"},
        "additionalProperties": {"type": "string", "maxLength": 131_072}
    })
}

pub(crate) fn media_type(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": "^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$"
    })
}

pub(super) fn environment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[!-<>-~]{1,255}$", "not": {"pattern": "^CORNERCAST_"}},
        "additionalProperties": {"type": "string", "maxLength": 131_069}
    })
}

/// The form and the ranges; that the day exists in its month is not said.
pub(crate) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "not": {"pattern": "^0000"},
        "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$"
    })
}

/// A path that is absolute and clean, other than `/`, and none that matches `but`.
///
/// A length in a schema counts characters; there are never more of them than bytes.
fn absolute(but: Option<&str>) -> serde_json::Value {
    let mut not = vec![
        serde_json::json!({"pattern": "/(\\.|\\.\\.|\\.wh\\.[^/]*)(/|$)"}),
        serde_json::json!({"pattern": "[^/]{256}"}),
    ];
    not.extend(but.map(|pattern| serde_json::json!({"pattern": pattern})));
    serde_json::json!({
        "type": "string",
        "maxLength": 4096,
        "pattern": "^(/[^/\\x00-\\x1f\\x7f-\\x9f]+){1,128}$",
        "not": {"anyOf": not}
    })
}

pub(super) fn directory(_: &mut SchemaGenerator) -> Schema {
    absolute(None).try_into().unwrap_or_default()
}

pub(super) fn mount_path(_: &mut SchemaGenerator) -> Schema {
    absolute(Some("^/(run|etc|(proc|sys|dev|run/cornercast)(/.*)?)$")).try_into().unwrap_or_default()
}

pub(super) fn exec(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 1024,
        "prefixItems": [{"anyOf": [{"const": "/"}, absolute(None)]}],
        "items": {"type": "string", "maxLength": 131_071}
    })
}

pub(super) fn gids(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 1024,
        "uniqueItems": true,
        "items": {"type": "integer", "minimum": 0, "maximum": 4_294_967_294_u64}
    })
}

pub(super) fn signal(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": "^SIG(ABRT|ALRM|CONT|HUP|INT|IO|KILL|PWR|QUIT|USR1|USR2|WINCH|RTMIN\\+([0-9]|[12][0-9]|30))$"
    })
}

pub(super) fn grace(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "minimum": 0, "maximum": 86_400, "not": {"const": 10}})
}

pub(super) fn only_true(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"const": true})
}

pub(super) fn only_false(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"const": false})
}

pub(super) fn isolators(generator: &mut SchemaGenerator) -> Schema {
    let isolator = generator.subschema_for::<super::Isolator>();
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": {
            "not": {"pattern": "^[^/]{254}"},
            "pattern": "^(cornercast/(capabilities|devices|ipc|kernel-boundary|network|no-new-privileges|process-view|readonly-rootfs|syscalls|sysinfo|user-mapping)|resource/(cpu|memory|nofile|pids|storage)|[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\\.[a-z]([a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9]+(-[a-z0-9]+)*)$"
        },
        "additionalProperties": isolator
    })
}

/// An image that runs, or that was made from another one, has a layer.
pub(super) fn needs_layers(schema: &mut Schema) {
    let one = serde_json::json!({"properties": {"layers": {"minItems": 1}}});
    schema.insert("dependentSchemas".to_owned(), serde_json::json!({"app": one, "base": one}));
}

/// `variant` depends on `architecture`.
pub(super) fn variants(schema: &mut Schema) {
    schema.insert(
        "oneOf".to_owned(),
        serde_json::json!([
            {
                "properties": {"architecture": {"const": "arm"}, "variant": {"pattern": "^v[5-8]$"}},
                "required": ["variant"]
            },
            {"properties": {"architecture": {"const": "amd64"}, "variant": {"pattern": "^v[2-4]$"}}},
            {
                "properties": {"architecture": {"not": {"enum": ["arm", "amd64"]}}},
                "not": {"required": ["variant"]}
            }
        ]),
    );
}
