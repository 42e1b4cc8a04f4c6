//! The documents of OCI that an image is exported as (OCI-120 to OCI-127).
//!
//! All are functions of the image and of how its layers are stored: canonical JSON, no time, no name of a machine.

use serde_json::{Map, Value, json};

use super::Change;
use super::losses::losses;
use super::media;
use crate::digest::Digest;
use crate::json::to_canonical;
use crate::manifest::Manifest;

/// A blob that a document of OCI names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What it is.
    pub media_type: String,
    /// The digest of its bytes as they are stored.
    pub digest: Digest,
    /// Their number.
    pub size: u64,
    /// The path in a store, of a file that is more than its bytes.
    pub path: Option<String>,
}

impl Stored {
    /// A blob of a media type that stands in memory.
    #[must_use]
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        let (digest, size) = (Digest::of(bytes), bytes.len() as u64);
        Self { media_type: media_type.to_owned(), digest, size, path: None }
    }

    fn descriptor(&self) -> Value {
        let mut out = json!({"mediaType": self.media_type, "digest": self.digest.to_string(), "size": self.size});
        if let Some(path) = &self.path {
            insert(&mut out, "annotations", json!({media::PATH: path}));
        }
        out
    }
}

/// An image as documents of OCI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The config.
    pub config: Vec<u8>,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// Its descriptor in an index.
    descriptor: Value,
    /// What they do not say.
    pub losses: Vec<Change>,
}

/// The config of an image (OCI-120), which its manifest alone decides.
#[must_use]
pub fn config(manifest: &Manifest) -> Vec<u8> {
    let diff_ids: Vec<String> = manifest.layers.iter().map(|layer| layer.digest.to_string()).collect();
    let mut out = json!({
        "architecture": manifest.platform.architecture,
        "os": manifest.platform.os,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    if let Some(variant) = &manifest.platform.variant {
        insert(&mut out, "variant", variant.as_str().into());
    }
    if let Some(created) = &manifest.created {
        insert(&mut out, "created", created.as_str().into());
    }
    let execution = execution(manifest);
    if !execution.is_empty() {
        insert(&mut out, "config", execution.into());
    }
    canonical(&out)
}

/// The member `config` of the config.
fn execution(manifest: &Manifest) -> Map<String, Value> {
    let mut out = Map::new();
    if !manifest.annotations.is_empty() {
        out.insert("Labels".to_owned(), json!(manifest.annotations));
    }
    let Some(app) = &manifest.app else { return out };
    out.insert("Entrypoint".to_owned(), json!(app.exec));
    if !app.arguments.is_empty() {
        out.insert("Cmd".to_owned(), json!(app.arguments));
    }
    out.insert("User".to_owned(), format!("{}:{}", app.user.uid, app.user.gid).into());
    out.insert("WorkingDir".to_owned(), app.working_directory.as_str().into());
    if !app.environment.is_empty() {
        let variables = app.environment.iter().map(|(name, value)| format!("{name}={value}"));
        out.insert("Env".to_owned(), variables.collect::<Vec<_>>().into());
    }
    if app.stop.signal != crate::manifest::Stop::default().signal {
        out.insert("StopSignal".to_owned(), app.stop.signal.as_str().into());
    }
    if !app.ports.is_empty() {
        let ports = app.ports.iter().map(|port| (format!("{}/{}", port.port, port.protocol), json!({})));
        out.insert("ExposedPorts".to_owned(), ports.collect::<Map<_, _>>().into());
    }
    if !app.mounts.is_empty() {
        let volumes = app.mounts.iter().map(|mount| (mount.path.clone(), json!({})));
        out.insert("Volumes".to_owned(), volumes.collect::<Map<_, _>>().into());
    }
    out
}

/// Exports the image `id`, whose layers are stored as `layers`, lowest first.
#[must_use]
pub fn export(id: Digest, manifest: &Manifest, layers: &[Stored]) -> Exported {
    let config = config(manifest);
    let losses = losses(manifest);
    let mut annotations = manifest.annotations.clone();
    // What the image says of an earlier export is not copied (OCI-126).
    annotations.remove(media::LOST);
    let mut annotate = |name: &str, value: String| annotations.insert(name.to_owned(), value);
    annotate(media::NAME, manifest.name.clone());
    annotate(media::VERSION, manifest.version.clone());
    annotate(media::IMAGE, id.to_string());
    if !losses.is_empty() {
        let pointers: Vec<&str> = losses.iter().map(|loss| loss.place.as_str()).collect();
        annotate(media::LOST, pointers.join(" "));
    }
    if let Some(created) = &manifest.created {
        annotate(media::CREATED, created.clone());
    }
    let bytes = canonical(&json!({
        "schemaVersion": 2,
        "mediaType": media::MANIFEST,
        "config": Stored::of(media::CONFIG, &config).descriptor(),
        "layers": layers.iter().map(Stored::descriptor).collect::<Vec<_>>(),
        "annotations": annotations,
    }));
    let mut descriptor = Stored::of(media::MANIFEST, &bytes).descriptor();
    insert(&mut descriptor, "platform", json!(manifest.platform));
    let name = json!({
        media::REF_NAME: manifest.version,
        media::CONTAINERD_NAME: reference(manifest),
    });
    insert(&mut descriptor, "annotations", name);
    Exported { config, manifest: bytes, descriptor, losses }
}

/// `NAME:VERSION`
#[must_use]
pub fn reference(manifest: &Manifest) -> String {
    format!("{}:{}", manifest.name, manifest.version)
}

/// The artifact that holds what the documents of OCI do not say (OCI-125), and its descriptor in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its manifest.
    pub manifest: Vec<u8>,
    descriptor: Value,
}

/// The artifact of an image; `manifest` are the bytes of the image's own manifest, and `others` what stands
/// beside that in it.
#[must_use]
pub fn artifact(image: &Exported, parsed: &Manifest, manifest: &[u8], others: &[Stored]) -> Artifact {
    let subject = Stored::of(media::MANIFEST, &image.manifest);
    let layers = std::iter::once(Stored::of(media::IMAGE_MANIFEST, manifest)).chain(others.iter().cloned());
    let bytes = canonical(&json!({
        "schemaVersion": 2,
        "mediaType": media::MANIFEST,
        "artifactType": media::ARTIFACT,
        "config": Stored::of(media::EMPTY, media::EMPTY_CONTENT).descriptor(),
        "layers": layers.map(|layer| layer.descriptor()).collect::<Vec<_>>(),
        "subject": subject.descriptor(),
        "annotations": {media::IMAGE: Digest::of(manifest).to_string()},
    }));
    let mut descriptor = Stored::of(media::MANIFEST, &bytes).descriptor();
    insert(&mut descriptor, "artifactType", media::ARTIFACT.into());
    // No version has this character.
    insert(&mut descriptor, "annotations", json!({media::REF_NAME: format!("{}_cornercast", parsed.version)}));
    Artifact { manifest: bytes, descriptor }
}

/// The file `index.json` of a layout with these images and artifacts (OCI-124).
#[must_use]
pub fn index<'a>(images: impl IntoIterator<Item = (&'a Exported, Option<&'a Artifact>)>) -> Vec<u8> {
    let descriptors = images.into_iter().flat_map(|(image, artifact)| {
        std::iter::once(image.descriptor.clone()).chain(artifact.map(|artifact| artifact.descriptor.clone()))
    });
    canonical(&json!({
        "schemaVersion": 2,
        "mediaType": media::INDEX,
        "manifests": descriptors.collect::<Vec<_>>(),
    }))
}

/// The file `oci-layout`.
pub const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// The file `manifest.json` of an archive as `docker save` writes it (OCI-127).
#[must_use]
pub fn docker_manifest(config: Digest, manifest: &Manifest) -> Vec<u8> {
    let layers: Vec<String> = manifest.layers.iter().map(|layer| docker_layer(layer.digest)).collect();
    canonical(&json!([{
        "Config": docker_config(config),
        "RepoTags": [reference(manifest)],
        "Layers": layers,
    }]))
}

/// The path of a config in such an archive.
#[must_use]
pub fn docker_config(config: Digest) -> String {
    format!("{}.json", config.hex())
}

/// The path of a layer in such an archive.
#[must_use]
pub fn docker_layer(layer: Digest) -> String {
    format!("{}/layer.tar", layer.hex())
}

/// The path of a blob in a layout.
#[must_use]
pub fn blob_path(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// Adds a member to an object.
fn insert(value: &mut Value, name: &str, member: Value) {
    if let Some(members) = value.as_object_mut() {
        members.insert(name.to_owned(), member);
    }
}

/// Canonical JSON; the values made here have no fraction and no `null`.
fn canonical(value: &Value) -> Vec<u8> {
    to_canonical(value).unwrap_or_default()
}
