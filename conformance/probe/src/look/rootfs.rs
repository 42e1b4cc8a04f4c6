//! The root tree.

use std::os::unix::fs::MetadataExt;

use serde_json::json;

use super::Seen;
use crate::tree;

/// The root itself, which no listing has a line for.
pub(super) fn root() -> Seen {
    let root = std::fs::symlink_metadata("/")?;
    Ok(json!({"mode": root.mode() & 0o7777, "uid": root.uid(), "gid": root.gid(), "mtime": root.mtime()}))
}

/// The tree outside the engine's own paths and the mounts.
pub(super) fn rootfs() -> Seen {
    let seen = tree::walk()?;
    Ok(json!({
        "digest": seen.digest.to_string(),
        "listing": seen.lines,
        "passedOver": seen.passed_over,
        "problems": seen.problems,
    }))
}
