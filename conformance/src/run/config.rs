//! The `config.json` of a bundle (OCI runtime specification), from a manifest.

use std::collections::BTreeMap;
use std::io;

use cornercast::bundle;
use cornercast::layer::{ListingKind, Tree, read_listing};
use cornercast::limits::Limits;
use cornercast::manifest::Manifest;
use serde_json::Value;

use super::PackedImage;

/// What the engine mounts on, each outside what it is mounted below.
pub const MOUNT_POINTS: [&str; 3] = ["/dev", "/proc", "/sys"];

/// `PATH` where the image gives none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// `HOME` where the image gives none.
const HOME: &str = "/";

/// Where the engine puts its files for the application.
const RUN_DIR: &str = "/run/cornercast";

/// The environment of an instance: the image's, what it leaves to the engine, and the engine's own.
pub(super) fn environment(manifest: &Manifest, image: &str, instance: &str) -> BTreeMap<String, String> {
    let defaults = [("PATH", PATH), ("HOME", HOME)];
    let own = [("CORNERCAST_IMAGE", image), ("CORNERCAST_INSTANCE", instance), ("CORNERCAST_RUN_DIR", RUN_DIR)];
    let mut environment: BTreeMap<String, String> =
        defaults.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    environment.extend(manifest.app.iter().flat_map(|app| app.environment.clone()));
    environment.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
    environment
}

/// The argument vector of an image.
pub(super) fn arguments(manifest: &Manifest) -> Vec<String> {
    manifest.app.iter().flat_map(|app| app.exec.iter().chain(&app.arguments)).cloned().collect()
}

/// The configuration of the instance `instance` of an image: that of its bundle, with what an engine adds.
///
/// # Errors
///
/// If no bundle can be made of the image.
pub(super) fn config(image: &PackedImage, instance: &str) -> io::Result<Value> {
    let listing = image.listing.iter().map(|line| format!("{line}\n")).collect::<String>();
    let mut tree = Tree::default();
    tree.merge(read_listing(listing.as_bytes(), ListingKind::Rootfs, &Limits::FORMAT).entries);
    let config = bundle::config(&image.manifest, image.id, &tree).map_err(|refusals| {
        let reasons: Vec<String> = refusals.into_iter().map(|refusal| refusal.reason).collect();
        io::Error::other(reasons.join("; "))
    })?;
    let environment = environment(&image.manifest, &image.id.to_string(), instance);
    let environment: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut config: Value = serde_json::from_slice(&config.bytes)?;
    for (pointer, value) in [("/hostname", instance.into()), ("/process/env", environment.into())] {
        if let Some(member) = config.pointer_mut(pointer) {
            *member = value;
        }
    }
    Ok(config)
}
