//! The root tree.

use serde_json::json;

use crate::bundles::Case;
use crate::bundles::case::{case, set, unset};
use crate::bundles::make::{BUNDLE, ROOT};
use crate::bundles::oci;
use crate::bundles::rule::otherwise;
use crate::suite::Entry;

pub(super) fn root() -> Vec<Entry> {
    vec![
        case(
            "root/absolute",
            "an absolute path",
            Case::new(|config, folder| set(config, "/root/path", json!(folder.join(BUNDLE).join(ROOT))))
                .unless_error(&oci::APPLIED, |evidence| evidence.ran()),
        ),
        case(
            "root/dots",
            "a path that leads out of the bundle and back",
            Case::new(|config, _| set(config, "/root/path", json!("../bundle/rootfs"))),
        ),
        case(
            "root/link",
            "a symbolic link to the root tree",
            Case::new(|config, folder| {
                let _ = std::os::unix::fs::symlink(ROOT, folder.join(BUNDLE).join("other"));
                set(config, "/root/path", json!("other"));
            }),
        ),
        case(
            "root/missing",
            "a path that is not there",
            Case::new(|config, _| set(config, "/root/path", json!("missing"))).is_error(&oci::ROOT_PATH),
        ),
        case(
            "root/file",
            "a path of a file",
            Case::new(|config, _| set(config, "/root/path", json!("config.json"))).is_error(&oci::ROOT_PATH),
        ),
        case("root/absent", "no `root`", Case::new(|config, _| unset(config, "/root"))),
        case(
            "root/read-only",
            "a root that is read-only",
            Case::new(|config, _| set(config, "/root/readonly", json!(true)))
                .steps(&["ready", "create:/new", "create:/work/new", "create:/dev/shm/new"])
                .unless_error(&oci::ROOT_READONLY, |evidence| {
                    let made = evidence.step("create:/work/new");
                    if made == "EROFS" { Ok(()) } else { otherwise(format!("making a file came to {made}, not EROFS")) }
                }),
        ),
        case(
            "root/writable",
            "a root that is not read-only: what the application makes is in the bundle",
            Case::good().steps(&["ready", "create:/work/new"]),
        ),
        case(
            "root/empty-directories",
            "a tree without directories to mount at: what is made in it",
            Case::good()
                .tree(|root| ["proc", "sys", "dev"].iter().try_for_each(|name| std::fs::remove_dir(root.join(name)))),
        ),
    ]
}
