//! Images of others: OCI image layouts, as directories and tar archives, and archives of `docker save`.
//!
//! Followed are image-layout.md, image-index.md, manifest.md and descriptor.md of the OCI image
//! specification 1.1, and what `docker save` writes in `manifest.json`. Every document is read within a
//! limit and compared with the digest and size that name it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::config::Config;
use super::rootfs::Rootfs;
use crate::build::{Content, Ownership, SourceNode, SourceTree, private_in, read_tar};
use crate::cli::Failure;
use crate::cli::image::plain_file;
use crate::cli::progress;
use crate::digest::{Digest, Hasher};
use crate::manifest::Platform;
use crate::shown::quoted;

/// What registries take for a manifest at most, as the OCI distribution specification advises.
const MAX_DOCUMENT: u64 = 4 << 20;
/// Indexes within indexes that are followed.
const MAX_DEPTH: usize = 4;
/// The annotation that names an image of an index.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// An image that was found.
pub(super) struct Found {
    pub(super) config: Config,
    pub(super) annotations: BTreeMap<String, String>,
    /// What it is called there, such as `example.com/app:1.0`.
    pub(super) reference: Option<String>,
    layers: Vec<Layer>,
}

struct Layer {
    content: Content,
    digest: Digest,
    /// Whether the digest is that of the archive itself, and not of what is stored.
    of_decoded: bool,
}

/// Which image is meant, where there are several.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) tag: Option<String>,
    pub(super) platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize, Clone)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: Option<String>,
    digest: String,
    size: u64,
    platform: Option<Platform>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Manifest {
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
pub(super) fn find(files: &SourceTree, wanted: &Wanted) -> Result<Option<Found>, Failure> {
    let layout = Layout { files };
    if layout.size("oci-layout").is_some() && layout.size("index.json").is_some() {
        return layout.image(wanted).map(Some);
    }
    match layout.document::<Vec<Saved>>("manifest.json") {
        Ok(saved) => layout.saved(saved, wanted).map(Some),
        Err(_) => Ok(None),
    }
}

struct Layout<'a> {
    files: &'a SourceTree,
}

impl Layout<'_> {
    fn image(&self, wanted: &Wanted) -> Result<Found, Failure> {
        let index: Index = self.document("index.json")?;
        let mut candidates = Vec::new();
        self.collect(index, None, 0, &mut candidates)?;
        let mut chosen: BTreeMap<String, (Descriptor, Option<String>)> = BTreeMap::new();
        let all = candidates.clone();
        for (descriptor, reference) in candidates {
            let has_tag =
                wanted.tag.as_ref().is_none_or(|tag| reference.as_ref().is_some_and(|name| is_tagged(name, tag)));
            if has_tag && self.is_wanted(&descriptor, wanted)? {
                chosen.entry(descriptor.digest.clone()).or_insert((descriptor, reference));
            }
        }
        let list = |(descriptor, reference): &(Descriptor, Option<String>)| {
            let platform = descriptor
                .platform
                .as_ref()
                .map_or_else(String::new, |platform| format!(" for {}", show_platform(platform)));
            format!("{}{platform}", quoted(reference.as_deref().unwrap_or(&descriptor.digest)))
        };
        let all = all.iter().map(list).collect();
        let (descriptor, reference) = one(chosen.into_values().collect(), list, wanted, all)?;
        let manifest: Manifest = self.blob(&descriptor)?;
        if !is_config(manifest.config.media_type.as_deref()) {
            let kind = manifest.config.media_type.unwrap_or_default();
            return refuse(format!("{} is no image: its config is of the type {}", descriptor.digest, quoted(&kind)));
        }
        let config = self.blob(&manifest.config)?;
        let layers = manifest.layers.iter().map(|layer| {
            let (content, digest) = self.stored(layer)?;
            Ok(Layer { content, digest, of_decoded: false })
        });
        let layers = layers.collect::<Result<Vec<_>, Failure>>()?;
        Ok(Found { config, annotations: manifest.annotations.unwrap_or_default(), reference, layers })
    }

    /// The manifests below an index, each with the reference that leads to it.
    fn collect(
        &self,
        index: Index,
        reference: Option<&str>,
        depth: usize,
        out: &mut Vec<(Descriptor, Option<String>)>,
    ) -> Result<(), Failure> {
        if depth > MAX_DEPTH {
            return refuse(format!("indexes stand within indexes more than {MAX_DEPTH} deep"));
        }
        for descriptor in index.manifests {
            let annotations = descriptor.annotations.as_ref();
            let named = annotations
                .and_then(|annotations| annotations.get("io.containerd.image.name").or(annotations.get(REF_NAME)));
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

    /// Whether a manifest is of the platform that is wanted, and of one at all: attestations are not. Of
    /// an image for several platforms often only one is in the layout.
    fn is_wanted(&self, descriptor: &Descriptor, wanted: &Wanted) -> Result<bool, Failure> {
        if descriptor.platform.as_ref().is_some_and(|platform| platform.architecture == "unknown") {
            return Ok(false);
        }
        if descriptor.platform.is_some() && self.size(&blob_path(descriptor)?).is_none() {
            return Ok(false);
        }
        let Some(wanted) = &wanted.platform else { return Ok(true) };
        let platform = match &descriptor.platform {
            Some(platform) => Some(platform.clone()),
            None => self.blob::<Config>(&self.blob::<Manifest>(descriptor)?.config)?.platform(),
        };
        Ok(platform.is_some_and(|platform| normal(platform) == *wanted))
    }

    fn saved(&self, saved: Vec<Saved>, wanted: &Wanted) -> Result<Found, Failure> {
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
        let ids = config.diff_ids();
        if ids.len() != image.layers.len() {
            return refuse(format!("the config names {} layers, and there are {}", ids.len(), image.layers.len()));
        }
        let layers = image.layers.iter().zip(ids).map(|(path, id)| {
            let Some(digest) = Digest::parse(&id) else {
                return refuse(format!("{} is no SHA-256 digest", quoted(&id)));
            };
            let Some((content, _)) = self.file(path) else { return missing(path) };
            Ok(Layer { content, digest, of_decoded: true })
        });
        let layers = layers.collect::<Result<Vec<_>, Failure>>()?;
        let reference = tags(&image).into_iter().next();
        Ok(Found { config, annotations: BTreeMap::new(), reference, layers })
    }

    /// The document that a descriptor names.
    fn blob<T: DeserializeOwned>(&self, descriptor: &Descriptor) -> Result<T, Failure> {
        let (_, digest) = self.stored(descriptor)?;
        let bytes = self.bytes(&blob_path(descriptor)?)?;
        if Digest::of(&bytes) != digest {
            return refuse(format!("the blob {digest} is damaged: its digest is {}", Digest::of(&bytes)));
        }
        parse(&descriptor.digest, &bytes)
    }

    /// Where the blob is that a descriptor names, which has the size that it says.
    fn stored(&self, descriptor: &Descriptor) -> Result<(Content, Digest), Failure> {
        let path = blob_path(descriptor)?;
        let (Some((content, size)), Some(digest)) = (self.file(&path), Digest::parse(&descriptor.digest)) else {
            return missing(&path);
        };
        if size != descriptor.size {
            return refuse(format!("the blob {digest} has {size} bytes, and its descriptor says {}", descriptor.size));
        }
        Ok((content, digest))
    }

    fn document<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        parse(path, &self.bytes(path)?)
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let Some((content, size)) = self.file(path) else { return missing(path) };
        if size > MAX_DOCUMENT {
            return refuse(format!("{} has {size} bytes; at most {MAX_DOCUMENT} are read", quoted(path)));
        }
        let mut bytes = Vec::new();
        let read = content.open().and_then(|input| input.take(MAX_DOCUMENT).read_to_end(&mut bytes));
        read.map_err(|error| Failure::Error(format!("{}: {error}", quoted(path))))?;
        Ok(bytes)
    }

    fn size(&self, path: &str) -> Option<u64> {
        self.file(path).map(|(_, size)| size)
    }

    /// A file, also through one link, as `docker save` made them for layers that it has twice.
    fn file(&self, path: &str) -> Option<(Content, u64)> {
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

impl Found {
    /// The merged tree of the layers, each of which has the digest that names it.
    pub(super) fn rootfs(&self) -> Result<Rootfs, Failure> {
        let mut rootfs = Rootfs::default();
        for layer in &self.layers {
            let fail = |error: io::Error| Failure::Error(format!("the layer {}: {error}", layer.digest));
            let mut raw = private_in(&std::env::temp_dir()).map_err(fail)?;
            let stored = copy(&mut layer.content.open().map_err(fail)?, raw.as_file_mut()).map_err(fail)?;
            let (path, decoded) = plain_file(raw.path()).map_err(fail)?;
            let digest = if layer.of_decoded {
                copy(&mut std::fs::File::open(&path).map_err(fail)?, &mut io::sink()).map_err(fail)?
            } else {
                stored
            };
            if digest != layer.digest {
                return refuse(format!("the layer {} is damaged: its digest is {digest}", layer.digest));
            }
            let mut tree = SourceTree::new(None);
            tree.on_read = Some(progress::add);
            read_tar(&path, &format!("the layer {}", layer.digest), &Ownership::default(), &mut tree)?;
            rootfs.add_source(tree, decoded.or(Some(raw)))?;
        }
        Ok(rootfs)
    }
}

/// Copies everything, and says its digest.
fn copy(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<Digest> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 256 << 10];
    loop {
        let read = from.read(&mut buffer)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(hasher.finish());
        }
        hasher.update(bytes);
        to.write_all(bytes)?;
    }
}

/// The only one, or what to choose from; `all` are shown if none is what is wanted.
fn one<T>(mut found: Vec<T>, show: impl Fn(&T) -> String, wanted: &Wanted, all: Vec<String>) -> Result<T, Failure> {
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
pub(super) fn normal(mut platform: Platform) -> Platform {
    let (architecture, variant) = (platform.architecture.as_str(), platform.variant.as_deref());
    if matches!((architecture, variant), ("amd64", Some("v1")) | ("arm64", Some("v8")) | (_, Some(""))) {
        platform.variant = None;
    }
    platform
}

/// `os/architecture` or `os/architecture/variant`.
pub(super) fn show_platform(platform: &Platform) -> String {
    let variant = platform.variant.iter().map(|variant| format!("/{variant}")).collect::<String>();
    format!("{}/{}{variant}", platform.os, platform.architecture)
}

fn blob_path(descriptor: &Descriptor) -> Result<String, Failure> {
    match Digest::parse(&descriptor.digest) {
        Some(digest) => Ok(format!("blobs/sha256/{}", digest.hex())),
        None => refuse(format!("{} is no SHA-256 digest", quoted(&descriptor.digest))),
    }
}

fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| Failure::Refused(format!("{}: {error}", quoted(name))))
}

fn missing<T>(path: &str) -> Result<T, Failure> {
    refuse(format!("the file {} is missing", quoted(path)))
}

fn refuse<T>(message: String) -> Result<T, Failure> {
    Err(Failure::Refused(message))
}
