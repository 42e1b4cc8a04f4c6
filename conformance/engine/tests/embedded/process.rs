//! What the application sees of itself.

use std::path::Path;

use serde_json::{Value, json};

use super::Test;
use super::instance::Instance;

pub(crate) const TESTS: &[Test] = &[
    ("arguments_and_variables", arguments_and_variables),
    ("ids_and_groups", ids_and_groups),
    ("no_groups", no_groups),
    ("capabilities_of_root", capabilities_of_root),
    ("capabilities_of_a_user", capabilities_of_a_user),
    ("umask", umask),
    ("signals", signals),
    ("descriptors", descriptors),
    ("working_directory", working_directory),
];

fn arguments_and_variables(probe: &Path) {
    let mut instance = Instance::of(probe, &["", "two words", "--three"]);
    let variables = json!(["Z=1", "PATH=/bin", "A=x=y", "HOME=/", "EMPTY="]);
    instance.config["process"]["env"] = variables.clone();
    let seen = instance.look();
    assert_eq!(seen["arguments"], json!(["/bin/probe", "", "two words", "--three"]));
    // As they are, in their order.
    assert_eq!(seen["environment"], variables);
}

fn ids_and_groups(probe: &Path) {
    let mut instance = Instance::of(probe, &[]).with_user(1000);
    instance.config["process"]["user"]["additionalGids"] = json!([5, 44, 1000]);
    let seen = instance.look();
    for id in ["uid", "euid", "suid", "gid", "egid", "sgid"] {
        assert_eq!(seen[id], 1000, "{id}");
    }
    assert_eq!(seen["groups"], json!([5, 44, 1000]));
    assert_eq!((&seen["pid"], &seen["ppid"], &seen["session"]), (&json!(1), &json!(0), &json!(1)));
}

/// Where none are given, there are none, whatever this process has.
fn no_groups(probe: &Path) {
    let mut instance = Instance::of(probe, &[]);
    instance.config["process"]["user"]["additionalGids"] = json!([]);
    assert_eq!(instance.look()["groups"], json!([]));
}

fn capabilities_of_root(probe: &Path) {
    let instance = Instance::of(probe, &[]);
    assert_eq!(instance.look()["capabilities"], instance.config["process"]["capabilities"]);
    // What root executes permits all that the bounding set has.
    let mut instance = Instance::of(probe, &[]);
    for set in ["bounding", "effective", "permitted"] {
        instance.config["process"]["capabilities"][set] = json!(["CAP_CHOWN"]);
    }
    assert_eq!(instance.look()["capabilities"], instance.config["process"]["capabilities"]);
}

fn capabilities_of_a_user(probe: &Path) {
    let instance = Instance::of(probe, &[]).with_user(1000);
    let none: Value = json!([]);
    let seen = instance.look()["capabilities"].clone();
    assert_eq!(seen, instance.config["process"]["capabilities"]);
    assert_eq!((&seen["effective"], &seen["permitted"]), (&none, &none));
    let mut instance = Instance::of(probe, &[]).with_user(1000);
    for set in ["effective", "permitted", "inheritable", "ambient"] {
        instance.config["process"]["capabilities"][set] = json!(["CAP_NET_BIND_SERVICE"]);
    }
    assert_eq!(instance.look()["capabilities"], instance.config["process"]["capabilities"]);
}

fn umask(probe: &Path) {
    let mut instance = Instance::of(probe, &[]);
    instance.config["process"]["user"]["umask"] = 0o077.into();
    assert_eq!(instance.look()["umask"], 0o077);
}

fn signals(probe: &Path) {
    assert_eq!(Instance::of(probe, &[]).look()["signals"], json!({"blocked": [], "ignored": []}));
}

fn descriptors(probe: &Path) {
    let seen = Instance::of(probe, &[]).look();
    let open: Vec<(&Value, &Value)> =
        seen["descriptors"].as_array().unwrap().iter().map(|one| (&one["fd"], &one["kind"])).collect();
    assert_eq!(json!(open), json!([[0, "character"], [1, "file"], [2, "file"]]));
}

fn working_directory(probe: &Path) {
    let mut instance = Instance::of(probe, &[]);
    instance.config["process"]["cwd"] = "/bin".into();
    assert_eq!(instance.look()["workingDirectory"], "/bin");
    instance.config["process"]["cwd"] = "/nowhere".into();
    let refused = instance.create().unwrap_err();
    assert!(refused.contains("ENOENT"), "{refused}");
    instance.delete();
}
