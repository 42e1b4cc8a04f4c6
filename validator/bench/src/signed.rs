//! The signature of each image, and a policy that accepts it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cornercast::digest::Digest;
use cornercast::json::to_canonical;
use cornercast::manifest::Manifest;
use cornercast::store::{FileKind, SignatureSet, path_of};
use cornercast::trust::{PayloadType, SecretKey, sign};
use serde_json::json;

use crate::image::manifest_of;

/// Puts a release of the only image of a store into it: what it is there, and where.
pub(crate) fn sign_image(store: &Path) -> io::Result<(FileKind, PathBuf)> {
    let source = fs::read(manifest_of(store)?)?;
    let image = Digest::of(&source);
    let Manifest { name, version, platform, .. } = serde_json::from_slice(&source)?;
    let release = json!({
        "image": {"digest": image, "size": source.len()},
        "issued": "2026-01-01T00:00:00Z",
        "name": name,
        "platform": platform,
        "version": version,
    });
    let release = to_canonical(&release).ok_or_else(|| io::Error::other("a release has no canonical form"))?;
    let envelope = sign(PayloadType::Release, &release, &[&key()]);
    let kind = FileKind::Envelope(SignatureSet::Signatures, image, Digest::of(&envelope));
    let path = store.join(path_of(&kind));
    fs::create_dir_all(path.parent().unwrap_or(store))?;
    fs::write(&path, envelope)?;
    Ok((kind, path))
}

/// Writes a policy that trusts the key of the images.
pub(crate) fn write_policy(folder: &Path) -> io::Result<PathBuf> {
    let key = key().public().to_string();
    let rule = json!({"prefix": "example.com", "mode": "require", "keys": [key], "threshold": 1});
    let path = folder.join("policy.json");
    fs::write(&path, json!({"rules": [rule]}).to_string())?;
    // A policy that others can write is none.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(path)
}

/// The reference of the only image of a store, with its digest.
pub(crate) fn reference(store: &Path) -> io::Result<String> {
    let source = fs::read(manifest_of(store)?)?;
    let manifest: Manifest = serde_json::from_slice(&source)?;
    Ok(format!("{}:{}@{}", manifest.name, manifest.version, Digest::of(&source)))
}

fn key() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}
