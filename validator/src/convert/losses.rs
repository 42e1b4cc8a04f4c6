//! What a plain engine of OCI does not learn of an image (OCI-126).

use super::Change;
use crate::manifest::Manifest;

/// What is lost of an image, each with its place in the manifest as a JSON Pointer, and what an engine does without it.
#[must_use]
pub fn losses(manifest: &Manifest) -> Vec<Change> {
    let mut out = Vec::new();
    let mut lose = |pointer: String, what: &str| out.push(Change::new("OCI-126", pointer, what));
    if let Some(app) = &manifest.app {
        if !app.user.supplementary_gids.is_empty() {
            lose("/app/user/supplementaryGids".to_owned(), "the process is in the one group `gid`");
        }
        if app.stop.grace_seconds != 10 {
            lose("/app/stop/graceSeconds".to_owned(), "engines wait as long as they always do");
        }
        for (index, port) in app.ports.iter().enumerate() {
            if port.name != port_name(&port.protocol, port.port) {
                lose(format!("/app/ports/{index}/name"), "ports have no names");
            }
        }
        let mut paths: Vec<&str> = app.mounts.iter().map(|mount| mount.path.as_str()).collect();
        paths.sort_unstable();
        for (index, mount) in app.mounts.iter().enumerate() {
            let number = paths.partition_point(|path| *path < mount.path.as_str());
            if mount.name != mount_name(number) {
                lose(format!("/app/mounts/{index}/name"), "volumes have no names");
            }
            if mount.read_only {
                lose(format!("/app/mounts/{index}/readOnly"), "volumes can be written to");
            }
            if mount.required {
                lose(format!("/app/mounts/{index}/required"), "engines make an empty volume");
            }
        }
        if app.isolation.level != "separated" {
            lose("/app/isolation/level".to_owned(), "engines isolate as they always do");
        }
        for name in app.isolation.isolators.keys() {
            lose(format!("/app/isolation/isolators/{}", escaped(name)), "engines isolate as they always do");
        }
    }
    if manifest.base.is_some() {
        lose("/base".to_owned(), "engines do not know it");
    }
    for index in 0..manifest.attachments.len() {
        lose(format!("/attachments/{index}"), "engines do not know it");
    }
    out
}

/// The name that a port has which OCI gives without one.
#[must_use]
pub fn port_name(protocol: &str, port: u16) -> String {
    format!("{protocol}-{port}")
}

/// The name that a volume has which OCI gives without one, counted from 0 in the order of the paths.
#[must_use]
pub fn mount_name(number: usize) -> String {
    format!("volume-{}", number.saturating_add(1))
}

/// A member's name as a part of a JSON Pointer (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
