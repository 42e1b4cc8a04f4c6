//! Images of others: OCI image layouts, as directories and tar archives, and archives of `docker save`.
//!
//! Followed are image-layout.md, image-index.md, manifest.md and descriptor.md of the OCI image
//! specification 1.1, and what `docker save` writes in `manifest.json`. Every document is read within a
//! limit and compared with the digest and size that name it.

use std::collections::BTreeMap;
use std::io::Read as _;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::config::Config;
use super::found::{Found, FoundArtifact, FoundLayer};
use super::media;
use crate::build::{BuildError, Content, SourceNode, SourceTree};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::manifest::Platform;
use crate::oci::is_layer;
use crate::shown::quoted;

/// Which image is meant, where there are several.
#[derive(Default)]
pub(crate) struct Wanted {
    pub(crate) tag: Option<String>,
    pub(crate) platform: Option<Platform>,
    /// Where there are several platforms and none is wanted, this one is.
    pub(crate) host: Option<Platform>,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize, Clone)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: Option<String>,
    pub(super) digest: String,
    pub(super) size: u64,
    pub(super) platform: Option<Platform>,
    pub(super) artifact_type: Option<String>,
    #[serde(default)]
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    artifact_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// The image in `files` that is wanted; `None` if they are no layout and no saved image.
pub(crate) fn find<'a>(files: &'a SourceTree, wanted: &Wanted) -> Result<Option<Found<'a>>, BuildError> {
    let layout = Layout { files };
    if layout.size("oci-layout").is_some() && layout.size("index.json").is_some() {
        return layout.image(wanted).map(Some);
    }
    match layout.document::<Vec<Saved>>("manifest.json") {
        Ok(saved) => layout.saved(saved, wanted).map(Some),
        Err(_) => Ok(None),
    }
}

#[derive(Clone, Copy)]
pub(super) struct Layout<'a> {
    files: &'a SourceTree,
}

/// An image of a layout, before its config is looked at.
struct Candidate {
    descriptor: Descriptor,
    reference: Option<String>,
    manifest: Manifest,
}

impl<'a> Layout<'a> {
    fn image(self, wanted: &Wanted) -> Result<Found<'a>, BuildError> {
        let index: Index = self.document("index.json")?;
        let mut named = Vec::new();
        self.collect(index, None, 1, &mut named)?;
        let mut chosen: BTreeMap<String, Candidate> = BTreeMap::new();
        let (mut artifacts, mut all) = (Vec::new(), Vec::new());
        for (descriptor, reference) in named {
            // Of an image for several platforms often only one is in the layout; attestations have none.
            let is_attestation = descriptor.platform.as_ref().is_some_and(|of| of.architecture == "unknown");
            let is_elsewhere = descriptor.platform.is_some() && self.size(&blob_path(&descriptor)?).is_none();
            if is_attestation {
                continue;
            }
            let candidate = |manifest| Candidate { descriptor: descriptor.clone(), reference, manifest };
            if is_elsewhere {
                let nothing =
                    Manifest { artifact_type: None, config: descriptor.clone(), layers: vec![], annotations: None };
                all.push(candidate(nothing).shown());
                continue;
            }
            let candidate = candidate(self.blob(&descriptor)?);
            if let Some(artifact) = candidate.artifact() {
                artifacts.push(artifact);
            } else if is_config(candidate.manifest.config.media_type.as_deref()) {
                all.push(candidate.shown());
                if candidate.has_tag(wanted) && self.is_wanted(&candidate, wanted.platform.as_ref())? {
                    chosen.entry(candidate.descriptor.digest.clone()).or_insert(candidate);
                }
            } else if named_alone(wanted, &candidate) {
                let kind = candidate.manifest.config.media_type.unwrap_or_default();
                let digest = candidate.descriptor.digest;
                return refuse(format!("{digest} is no image: its config is of the type {}", quoted(&kind)));
            }
        }
        let mut chosen: Vec<Candidate> = chosen.into_values().collect();
        if let Some(host) = wanted.host.as_ref().filter(|_| wanted.platform.is_none() && chosen.len() > 1) {
            let mut of_host = Vec::new();
            for candidate in chosen {
                of_host.push((self.is_wanted(&candidate, Some(host))?, candidate));
            }
            let is_there = of_host.iter().any(|(is_of_host, _)| *is_of_host);
            chosen = of_host.into_iter().filter(|(is, _)| *is || !is_there).map(|(_, candidate)| candidate).collect();
        }
        let Candidate { descriptor, reference, manifest } = one(chosen, Candidate::shown, wanted, all)?;
        let (_, digest) = self.stored(&descriptor)?;
        let config_source = self.blob_bytes(&manifest.config)?;
        let config: Config = parse(&manifest.config.digest, &config_source)?;
        let mut ids = diff_ids(&config)?.into_iter();
        let layers = manifest.layers.iter().map(|layer| {
            let media_type = layer.media_type.as_deref().unwrap_or_default();
            if !is_layer(media_type) {
                let what = format!("is of the type {}, which is none of a layer", quoted(media_type));
                return refuse(format!("the layer {} {what}", layer.digest));
            }
            let (content, digest) = self.stored(layer)?;
            Ok(FoundLayer { path: blob_path(layer)?, content, digest: Some(digest), diff_id: ids.next() })
        });
        let layers = layers.collect::<Result<Vec<_>, BuildError>>()?;
        let annotations = manifest.annotations.unwrap_or_default();
        Ok(Found { config, config_source, annotations, reference, digest, layers, artifacts, layout: self })
    }

    /// The manifests below an index, each with the reference that leads to it.
    fn collect(
        &self,
        index: Index,
        reference: Option<&str>,
        depth: usize,
        out: &mut Vec<(Descriptor, Option<String>)>,
    ) -> Result<(), BuildError> {
        if depth > Limits::FORMAT.oci_indexes {
            return refuse(format!("indexes name one another more than {} deep", Limits::FORMAT.oci_indexes));
        }
        for descriptor in index.manifests {
            let annotations = descriptor.annotations.as_ref();
            let named = annotations
                .and_then(|annotations| annotations.get(media::CONTAINERD_NAME).or(annotations.get(media::REF_NAME)));
            let reference = named.map(String::as_str).or(reference);
            match descriptor.media_type.as_deref() {
                Some(
                    "application/vnd.oci.image.index.v1+json"
                    | "application/vnd.docker.distribution.manifest.list.v2+json",
                ) => self.collect(self.blob(&descriptor)?, reference, depth + 1, out)?,
                Some(
                    "application/vnd.oci.image.manifest.v1+json"
                    | "application/vnd.docker.distribution.manifest.v2+json",
                ) => out.push((descriptor.clone(), reference.map(str::to_owned))),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether an image is of a platform; one that does not say its variant can be of any.
    fn is_wanted(&self, candidate: &Candidate, wanted: Option<&Platform>) -> Result<bool, BuildError> {
        let Some(wanted) = wanted else { return Ok(true) };
        let platform = match &candidate.descriptor.platform {
            Some(platform) => Some(normal(platform.clone())),
            None => self.blob::<Config>(&candidate.manifest.config)?.platform(),
        };
        Ok(platform.is_some_and(|platform| fits(&platform, wanted)))
    }

    fn saved(self, saved: Vec<Saved>, wanted: &Wanted) -> Result<Found<'a>, BuildError> {
        let tags = |image: &Saved| image.repo_tags.clone().unwrap_or_default();
        let has_tag =
            |image: &Saved| wanted.tag.as_ref().is_none_or(|tag| tags(image).iter().any(|name| is_tagged(name, tag)));
        let show = |image: &Saved| quoted(tags(image).first().unwrap_or(&image.config));
        let all = saved.iter().map(show).collect();
        let chosen = saved.into_iter().filter(has_tag).collect();
        let image = one(chosen, show, wanted, all)?;
        let bytes = self.bytes(&image.config)?;
        // Its name is its digest.
        let name = image.config.trim_end_matches(".json").rsplit('/').next().unwrap_or_default();
        if Digest::from_hex(name).is_some_and(|digest| digest != Digest::of(&bytes)) {
            return refuse(format!(
                "the config {} is damaged: its digest is {}",
                quoted(&image.config),
                Digest::of(&bytes)
            ));
        }
        let config: Config = parse(&image.config, &bytes)?;
        let ids = diff_ids(&config)?;
        if ids.len() != image.layers.len() {
            return refuse(format!("the config names {} layers, and there are {}", ids.len(), image.layers.len()));
        }
        let layers = image.layers.iter().zip(ids).map(|(path, diff_id)| {
            let Some((content, _)) = self.file(path) else { return missing(path) };
            Ok(FoundLayer { path: path.clone(), content, digest: None, diff_id: Some(diff_id) })
        });
        let layers = layers.collect::<Result<Vec<_>, BuildError>>()?;
        let reference = tags(&image).into_iter().next();
        let digest = Digest::of(&bytes);
        let (annotations, artifacts) = (BTreeMap::new(), Vec::new());
        Ok(Found { config, config_source: bytes, annotations, reference, digest, layers, artifacts, layout: self })
    }

    /// The document that a descriptor names.
    fn blob<T: DeserializeOwned>(&self, descriptor: &Descriptor) -> Result<T, BuildError> {
        parse(&descriptor.digest, &self.blob_bytes(descriptor)?)
    }

    pub(super) fn blob_bytes(&self, descriptor: &Descriptor) -> Result<Vec<u8>, BuildError> {
        let (_, digest) = self.stored(descriptor)?;
        let bytes = self.bytes(&blob_path(descriptor)?)?;
        if Digest::of(&bytes) != digest {
            return refuse(format!("the blob {digest} is damaged: its digest is {}", Digest::of(&bytes)));
        }
        Ok(bytes)
    }

    /// Where the blob is that a descriptor names, which has the size that it says.
    fn stored(&self, descriptor: &Descriptor) -> Result<(Content, Digest), BuildError> {
        let path = blob_path(descriptor)?;
        let (Some((content, size)), Some(digest)) = (self.file(&path), Digest::parse(&descriptor.digest)) else {
            return missing(&path);
        };
        if size != descriptor.size {
            return refuse(format!("the blob {digest} has {size} bytes, and its descriptor says {}", descriptor.size));
        }
        Ok((content, digest))
    }

    fn document<T: DeserializeOwned>(&self, path: &str) -> Result<T, BuildError> {
        parse(path, &self.bytes(path)?)
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, BuildError> {
        let Some((content, size)) = self.file(path) else { return missing(path) };
        let limit = Limits::FORMAT.oci_document;
        if size > limit {
            return refuse(format!("{} has {size} bytes; at most {limit} are read", quoted(path)));
        }
        let mut bytes = Vec::new();
        let read = content.open().and_then(|input| input.take(limit).read_to_end(&mut bytes));
        read.map_err(BuildError::io(quoted(path)))?;
        Ok(bytes)
    }

    fn size(&self, path: &str) -> Option<u64> {
        self.file(path).map(|(_, size)| size)
    }

    /// A file, also through one link, as `docker save` made them for layers that it has twice.
    pub(super) fn file(&self, path: &str) -> Option<(Content, u64)> {
        let of = |path: &str| match self.files.get(path)? {
            SourceNode::File { content, size, .. } => Some((content.clone(), *size)),
            _ => None,
        };
        match self.files.get(path)? {
            SourceNode::Symlink { target, .. } => of(target.strip_prefix("../")?),
            _ => of(path),
        }
    }
}

impl Candidate {
    /// What it is called, for a message.
    fn shown(&self) -> String {
        let platform = self.descriptor.platform.as_ref();
        let platform = platform.map_or_else(String::new, |platform| format!(" for {}", show_platform(platform)));
        format!("{}{platform}", quoted(self.reference.as_deref().unwrap_or(&self.descriptor.digest)))
    }

    fn has_tag(&self, wanted: &Wanted) -> bool {
        wanted.tag.as_ref().is_none_or(|tag| self.reference.as_ref().is_some_and(|name| is_tagged(name, tag)))
    }

    /// The artifact that it is, if it is one of this format.
    fn artifact(&self) -> Option<FoundArtifact> {
        let kinds = [&self.descriptor.artifact_type, &self.manifest.artifact_type, &self.manifest.config.media_type];
        let is_ours = kinds.into_iter().flatten().any(|kind| kind == media::ARTIFACT);
        let (digest, layers) = (self.descriptor.digest.clone(), self.manifest.layers.clone());
        is_ours.then_some(FoundArtifact { digest, layers })
    }
}

/// Whether what is no image is meant all the same: by its tag.
fn named_alone(wanted: &Wanted, candidate: &Candidate) -> bool {
    wanted.tag.is_some() && candidate.has_tag(wanted)
}

/// The digests of the layers that the config has.
fn diff_ids(config: &Config) -> Result<Vec<Digest>, BuildError> {
    let parse = |id: &String| match Digest::parse(id) {
        Some(digest) => Ok(digest),
        None => refuse(format!("{} is no SHA-256 digest", quoted(id))),
    };
    config.diff_ids().iter().map(parse).collect()
}

/// The only one, or what to choose from; `all` are shown if none is what is wanted.
fn one<T>(mut found: Vec<T>, show: impl Fn(&T) -> String, wanted: &Wanted, all: Vec<String>) -> Result<T, BuildError> {
    match (found.len(), found.pop()) {
        (1, Some(only)) => Ok(only),
        (_, None) if all.is_empty() => refuse("it names no image".to_owned()),
        (_, None) => {
            let tag = wanted.tag.as_ref().map_or_else(String::new, |tag| format!(" with the tag {}", quoted(tag)));
            let platform =
                wanted.platform.as_ref().map_or_else(String::new, |of| format!(" for {}", show_platform(of)));
            let there_are = if all.len() == 1 { "there is" } else { "there are" };
            refuse(format!("there is no image{tag}{platform}; {there_are} {}", all.join(", ")))
        }
        (count, Some(last)) => {
            let names: Vec<String> = found.iter().chain([&last]).map(show).collect();
            let add = match (&wanted.tag, &wanted.platform) {
                (None, None) => "add `:TAG` or --platform",
                (None, Some(_)) => "add `:TAG`",
                (Some(_), None) => "add --platform",
                (Some(_), Some(_)) => "remove all but one",
            };
            refuse(format!("there are {count} images, {}; {add}", names.join(", ")))
        }
    }
}

fn is_config(media_type: Option<&str>) -> bool {
    matches!(
        media_type,
        Some("application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json")
    )
}

fn is_tagged(reference: &str, tag: &str) -> bool {
    reference == tag || reference.strip_suffix(tag).is_some_and(|name| name.ends_with(':'))
}

/// A platform as this format writes it: what is the least variant anyway is left out.
pub(crate) fn normal(mut platform: Platform) -> Platform {
    let (architecture, variant) = (platform.architecture.as_str(), platform.variant.as_deref());
    if matches!((architecture, variant), ("amd64", Some("v1")) | ("arm64", Some("v8")) | (_, Some(""))) {
        platform.variant = None;
    }
    platform
}

/// Whether an image of the platform `own` is one of `wanted`, which can say more.
fn fits(own: &Platform, wanted: &Platform) -> bool {
    own.os == wanted.os
        && own.architecture == wanted.architecture
        && (own.variant.is_none() || own.variant == wanted.variant)
}

/// `os/architecture` or `os/architecture/variant`.
pub(crate) fn show_platform(platform: &Platform) -> String {
    let variant = platform.variant.iter().map(|variant| format!("/{variant}")).collect::<String>();
    format!("{}/{}{variant}", platform.os, platform.architecture)
}

fn blob_path(descriptor: &Descriptor) -> Result<String, BuildError> {
    match Digest::parse(&descriptor.digest) {
        Some(digest) => Ok(format!("blobs/sha256/{}", digest.hex())),
        None => refuse(format!("{} is no SHA-256 digest", quoted(&descriptor.digest))),
    }
}

fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, BuildError> {
    let refused = |error| BuildError::Refused(format!("the document {} cannot be read: {error}", quoted(name)));
    serde_json::from_slice(bytes).map_err(refused)
}

fn missing<T>(path: &str) -> Result<T, BuildError> {
    refuse(format!("the file {} is missing", quoted(path)))
}

fn refuse<T>(message: String) -> Result<T, BuildError> {
    Err(BuildError::Refused(message))
}
