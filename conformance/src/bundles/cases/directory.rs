//! The working directory.

use std::os::unix::fs::symlink;

use serde_json::json;

use crate::bundles::Case;
use crate::bundles::case::{case, set};
use crate::bundles::make::{USER, directory as make};
use crate::bundles::oci;
use crate::suite::Entry;

/// A case that records where the application began.
fn began(change: crate::bundles::case::Change) -> Case {
    Case::new(change).seen(&["/workingDirectory"])
}

pub(super) fn directory() -> Vec<Entry> {
    vec![
        case(
            "cwd/given",
            "an absolute path of a directory that is there",
            began(|config, _| set(config, "/process/cwd", json!("/work/below")))
                .unless_error(&oci::PROCESS, |evidence| evidence.is("/workingDirectory", &json!("/work/below"))),
        ),
        case(
            "cwd/relative",
            "a path that is not absolute, of a directory that is there",
            began(|config, _| set(config, "/process/cwd", json!("work"))).is_error(&oci::CWD),
        ),
        case(
            "cwd/empty",
            "an empty path, which is not absolute",
            began(|config, _| set(config, "/process/cwd", json!(""))).is_error(&oci::CWD),
        ),
        case(
            "cwd/missing",
            "a directory that is not there: some runtimes make it",
            began(|config, _| set(config, "/process/cwd", json!("/missing/below"))),
        ),
        case(
            "cwd/missing-read-only",
            "a directory that is not there, in a root that is read-only: some runtimes make it all the same",
            began(|config, _| {
                set(config, "/process/cwd", json!("/missing"));
                set(config, "/root/readonly", json!(true));
            }),
        ),
        case(
            "cwd/missing-user",
            "a directory that is not there, for a user who could not make it: whose is it then?",
            began(|config, _| {
                set(config, "/process/cwd", json!("/missing"));
                set(config, "/process/user", json!({"uid": USER, "gid": USER}));
            }),
        ),
        case(
            "cwd/link",
            "a symbolic link to a directory: the application begins where it leads",
            began(|config, _| set(config, "/process/cwd", json!("/link/below"))),
        ),
        case(
            "cwd/link-out",
            "a symbolic link to what is a directory of the host, and nothing in the root tree",
            began(|config, folder| {
                let outside = folder.join("outside");
                // What cannot be made is missed by what is recorded.
                let _ = symlink(&outside, folder.join("bundle/rootfs/out"));
                set(config, "/process/cwd", json!("/out"));
            })
            .extra(|evidence| json!({"outside": evidence.outside.len()})),
        ),
        case(
            "cwd/file",
            "a regular file, which is no directory",
            began(|config, _| set(config, "/process/cwd", json!("/etc/file"))),
        ),
        case(
            "cwd/closed",
            "a directory that the user cannot enter, but root can",
            began(|config, _| {
                set(config, "/process/cwd", json!("/closed"));
                set(config, "/process/user", json!({"uid": USER, "gid": USER}));
            }),
        ),
        case(
            "cwd/of-the-user",
            "a directory that only the user can enter, who has no capabilities",
            began(|config, _| {
                set(config, "/process/cwd", json!("/home"));
                set(config, "/process/user", json!({"uid": USER, "gid": USER}));
            })
            .tree(|root| {
                let home = make(root, "home", 0o700)?;
                std::os::unix::fs::chown(home, Some(USER), Some(USER))
            })
            .unless_error(&oci::PROCESS, |evidence| evidence.is("/workingDirectory", &json!("/home"))),
        ),
        case(
            "cwd/dots",
            "a path with `..` that leads above the root, which has nothing above it",
            began(|config, _| set(config, "/process/cwd", json!("/../../work"))),
        ),
    ]
}
