//! Mounts.

use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use crate::bundles::Case;
use crate::bundles::case::{case, push, set};
use crate::bundles::evidence::Evidence;
use crate::bundles::make::OUTSIDE;
use crate::bundles::oci;
use crate::bundles::rule::otherwise;
use crate::suite::Entry;

/// Mounts a file system in memory.
fn memory(config: &mut Value, destination: &str, options: &[&str]) {
    push(
        config,
        "/mounts",
        json!({"destination": destination, "type": "tmpfs", "source": "tmpfs", "options": options}),
    );
}

/// Mounts the directory outside of the tree.
fn bind(config: &mut Value, folder: &Path, destination: &str, options: &[&str]) {
    let source = folder.join(OUTSIDE);
    push(config, "/mounts", json!({"destination": destination, "type": "none", "source": source, "options": options}));
}

/// Where something is mounted that no good bundle mounts.
fn points(evidence: &Evidence) -> Value {
    let mounts = evidence.at("/mounts");
    let points = mounts.as_array().into_iter().flatten().filter_map(|mount| mount["point"].as_str());
    let is_usual = |point: &str| point == "/" || ["/proc", "/dev", "/sys"].iter().any(|usual| point.starts_with(usual));
    points.filter(|point| !is_usual(point)).collect()
}

pub(super) fn mounts() -> Vec<Entry> {
    vec![
        case(
            "mounts/order",
            "a mount at /mnt after one at /mnt/below, which it hides",
            Case::new(|config, _| {
                memory(config, "/mnt/below", &[]);
                memory(config, "/mnt", &[]);
            })
            .steps(&["ready", "stat:/mnt/below"])
            .unless_error(&oci::MOUNT_ORDER, |evidence| {
                let seen = evidence.step("stat:/mnt/below");
                if seen == "ENOENT" { Ok(()) } else { otherwise("what was mounted first is not hidden") }
            }),
        ),
        case(
            "mounts/missing",
            "a mount at a path that is not there: what is made for it",
            Case::new(|config, _| memory(config, "/missing/below", &[])).extra(points),
        ),
        case(
            "mounts/missing-read-only",
            "a mount at a path that is not there, in a root that is read-only",
            Case::new(|config, _| {
                memory(config, "/missing", &[]);
                set(config, "/root/readonly", json!(true));
            })
            .extra(points),
        ),
        case(
            "mounts/missing-file",
            "a file that is mounted at a path that is not there",
            Case::new(|config, folder| {
                let file = json!({"destination": "/missing/file", "type": "none", "source": folder.join("bundle/config.json"), "options": ["bind", "ro"]});
                push(config, "/mounts", file);
            })
            .extra(points),
        ),
        case(
            "mounts/relative",
            "a destination that is not absolute: not valid in release 1.0.2, from the root since 1.2.0",
            Case::new(|config, _| memory(config, "mnt", &[])).extra(points),
        ),
        case("mounts/link", "a destination that is a symbolic link to a directory", Case::new(|config, _| memory(config, "/link", &[])).extra(points)),
        case(
            "mounts/link-out",
            "a destination that is a symbolic link to the path of a directory of the host",
            Case::new(|config, folder| {
                let _ = symlink(folder.join(OUTSIDE), folder.join("bundle/rootfs/out"));
                memory(config, "/out/below", &[]);
            })
            .extra(|evidence| json!({"mounts": points(evidence).as_array().map(Vec::len), "outside": evidence.outside.len()})),
        ),
        case("mounts/dots", "a destination with `..` that leads above the root", Case::new(|config, _| memory(config, "/../../mnt", &[])).extra(points)),
        case("mounts/over-file", "a directory that is mounted at a file", Case::new(|config, folder| bind(config, folder, "/etc/file", &["bind"])).extra(points)),
        case("mounts/unknown-option", "an option that no file system has", Case::new(|config, _| memory(config, "/mnt", &["nothing"])).extra(points)),
        case("mounts/unknown-value", "an option of the file system whose value makes no sense", Case::new(|config, _| memory(config, "/mnt", &["size=nothing"])).extra(points)),
        case("mounts/unknown-type", "a file system of a kind that no kernel has", Case::new(|config, _| {
            push(config, "/mounts", json!({"destination": "/mnt", "type": "nothing", "source": "nothing"}));
        }).is_error(&oci::APPLIED)),
        case(
            "mounts/missing-source",
            "a directory that is not there",
            Case::new(|config, folder| {
                bind(config, folder, "/mnt", &["bind"]);
                set(config, "/mounts/5/source", json!(folder.join("missing")));
            })
            .is_error(&oci::APPLIED),
        ),
        case(
            "mounts/relative-source",
            "a source that is relative to the bundle",
            Case::new(|config, folder| {
                bind(config, folder, "/mnt", &["bind"]);
                set(config, "/mounts/5/source", json!("rootfs/work"));
            })
            .steps(&["ready", "list:/mnt"])
            .unless_error(&oci::APPLIED, |evidence| {
                let list = evidence.step("list:/mnt");
                if list == json!(["below", "file"]) { Ok(()) } else { otherwise(format!("/mnt has {list}")) }
            }),
        ),
        case(
            "mounts/read-only",
            "a directory of the host that is mounted read-only",
            Case::new(|config, folder| bind(config, folder, "/mnt", &["bind", "ro"]))
                .steps(&["ready", "create:/mnt/new"])
                .unless_error(&oci::APPLIED, |evidence| {
                    let made = evidence.step("create:/mnt/new");
                    if made == "EROFS" { Ok(()) } else { otherwise(format!("making a file came to {made}, not EROFS")) }
                }),
        ),
        case(
            "mounts/flags",
            "a mount with the options nosuid, nodev and noexec: whether the application can tell",
            Case::new(|config, _| memory(config, "/mnt", &["nosuid", "nodev", "noexec"])).steps(&["ready", "statfs:/mnt"]),
        ),
        case(
            "mounts/mode-of-memory",
            "a file system in memory without a mode, at a directory with one",
            Case::new(|config, _| memory(config, "/closed", &[])).steps(&["ready", "stat:/closed"]).extra(|evidence| evidence.step("stat:/closed")["mode"].clone()),
        ),
        case(
            "mounts/copy-up",
            "a file system in memory at a directory that has something: is that copied?",
            Case::new(|config, _| memory(config, "/work", &[])).steps(&["ready", "list:/work"]),
        ),
        case(
            "mounts/shm-size",
            "the size of /dev/shm",
            Case::new(|config, _| set(config, "/mounts/3/options", json!(["mode=1777", "size=1048576"]))).seen(&["/shm"]),
        ),
        case(
            "mounts/none",
            "no mounts at all: not even /proc",
            Case::new(|config, _| set(config, "/mounts", json!([]))).extra(points),
        ),
    ]
}
