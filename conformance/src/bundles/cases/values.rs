//! Versions, properties that are unknown, values of another type.

use serde_json::json;

use crate::bundles::Case;
use crate::bundles::case::{Change, case, set, unset};
use crate::bundles::oci;
use crate::suite::Entry;

/// A property that no release has.
fn unknown(change: Change) -> Case {
    Case::new(change).has_to(&oci::UNKNOWN, |evidence| evidence.ran())
}

pub(super) fn values() -> Vec<Entry> {
    vec![
        case("version/1.0.0", "the first release", Case::new(|config, _| set(config, "/ociVersion", json!("1.0.0")))),
        case(
            "version/1.0.99",
            "a release that there is not, of the same minor version",
            Case::new(|config, _| set(config, "/ociVersion", json!("1.0.99"))),
        ),
        case(
            "version/1.0.2-dev",
            "a version before a release",
            Case::new(|config, _| set(config, "/ociVersion", json!("1.0.2-dev"))),
        ),
        case("version/1.1.0", "release 1.1.0", Case::new(|config, _| set(config, "/ociVersion", json!("1.1.0")))),
        case("version/1.2.0", "release 1.2.0", Case::new(|config, _| set(config, "/ociVersion", json!("1.2.0")))),
        case("version/1.3.0", "release 1.3.0", Case::new(|config, _| set(config, "/ociVersion", json!("1.3.0")))),
        case(
            "version/0.2.0",
            "a version before the first release",
            Case::new(|config, _| set(config, "/ociVersion", json!("0.2.0"))),
        ),
        case(
            "version/2.0.0",
            "another major version, which nobody can support",
            Case::new(|config, _| set(config, "/ociVersion", json!("2.0.0"))).is_error(&oci::VERSION),
        ),
        case(
            "version/1.0",
            "a version of two numbers",
            Case::new(|config, _| set(config, "/ociVersion", json!("1.0"))).is_error(&oci::VERSION),
        ),
        case(
            "version/word",
            "a word",
            Case::new(|config, _| set(config, "/ociVersion", json!("newest"))).is_error(&oci::VERSION),
        ),
        case(
            "version/empty",
            "an empty version",
            Case::new(|config, _| set(config, "/ociVersion", json!(""))).is_error(&oci::VERSION),
        ),
        case(
            "version/absent",
            "no version: it is required, and nothing says that its absence is an error",
            Case::new(|config, _| unset(config, "/ociVersion")),
        ),
        case("unknown/top", "at the top", unknown(|config, _| set(config, "/comExample", json!({"a": [1]})))),
        case("unknown/process", "in `process`", unknown(|config, _| set(config, "/process/comExample", json!("a")))),
        case("unknown/linux", "in `linux`", unknown(|config, _| set(config, "/linux/comExample", json!(null)))),
        case("unknown/mount", "in a mount", unknown(|config, _| set(config, "/mounts/0/comExample", json!(true)))),
        case(
            "unknown/hooks",
            "a kind of hook",
            unknown(|config, _| set(config, "/hooks", json!({"comExample": [{"path": "/bin/false"}]}))),
        ),
        case(
            "unknown/annotation",
            "an annotation",
            unknown(|config, _| set(config, "/annotations", json!({"com.example.unknown": "a"}))),
        ),
        case(
            "type/cwd",
            "a working directory that is a number",
            Case::new(|config, _| set(config, "/process/cwd", json!(1))).is_error(&oci::VALUES),
        ),
        case(
            "type/args",
            "arguments that are a text",
            Case::new(|config, _| set(config, "/process/args", json!("/bin/probe"))).is_error(&oci::VALUES),
        ),
        case(
            "type/uid",
            "a user that is a text",
            Case::new(|config, _| set(config, "/process/user/uid", json!("0"))).is_error(&oci::VALUES),
        ),
        case(
            "type/uid-fraction",
            "a user with a fraction",
            Case::new(|config, _| set(config, "/process/user/uid", json!(0.5))).is_error(&oci::VALUES),
        ),
        case(
            "type/readonly",
            "`readonly` that is a text",
            Case::new(|config, _| set(config, "/root/readonly", json!("true"))).is_error(&oci::VALUES),
        ),
        case(
            "type/null-env",
            "variables that are null",
            Case::new(|config, _| set(config, "/process/env", json!(null))),
        ),
        case("type/null-mounts", "mounts that are null", Case::new(|config, _| set(config, "/mounts", json!(null)))),
        case("type/null-hooks", "hooks that are null", Case::new(|config, _| set(config, "/hooks", json!(null)))),
    ]
}
