//! Indexes and manifests (OCI-017 to OCI-019, OCI-028, OCI-029).

use std::collections::BTreeMap;

use super::descriptor::{Descriptor, Platform, Spot, judge_annotations, judge_media_type};
use super::document::{Document, below};
use super::table;
use crate::clause;
use crate::json::Node;
use crate::shown::quoted;

/// Media types without what all of them begin with.
fn short(media_type: &str) -> &str {
    media_type.strip_prefix("application/vnd.").unwrap_or_default()
}

/// Whether a blob of this media type is an index.
pub(super) fn is_index(media_type: &str) -> bool {
    matches!(short(media_type), "oci.image.index.v1+json" | "docker.distribution.manifest.list.v2+json")
}

/// Whether a blob of this media type is a manifest.
pub(super) fn is_manifest(media_type: &str) -> bool {
    matches!(short(media_type), "oci.image.manifest.v1+json" | "docker.distribution.manifest.v2+json")
}

/// Whether a blob of this media type is the config of an image.
pub(super) fn is_config(media_type: &str) -> bool {
    matches!(short(media_type), "oci.image.config.v1+json" | "docker.container.image.v1+json")
}

/// The media type of `index.json`.
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What an index names.
#[derive(Default)]
pub(super) struct Index {
    pub(super) manifests: Vec<Descriptor>,
    pub(super) subject: Option<Descriptor>,
}

/// What a manifest names.
#[derive(Default)]
pub(super) struct Manifest {
    pub(super) config: Option<Descriptor>,
    pub(super) layers: Vec<Descriptor>,
    /// Where they stand.
    pub(super) layers_spot: Option<Spot>,
    pub(super) subject: Option<Descriptor>,
}

/// Judges an index whose descriptor gives `media_type`.
pub(super) fn judge_index(document: &mut Document, media_type: &str) -> Option<Index> {
    let root = document.judge(&table::INDEX)?;
    judge_both(document, &root, media_type, &["config", "layers"]);
    let manifests = descriptors(document, &root, "manifests");
    let subject = descriptor(document, &root, "subject");
    Some(Index { manifests, subject })
}

/// Judges a manifest whose descriptor gives `media_type`.
pub(super) fn judge_manifest(document: &mut Document, media_type: &str) -> Option<Manifest> {
    let root = document.judge(&table::MANIFEST)?;
    judge_both(document, &root, media_type, &["manifests"]);
    let config = descriptor(document, &root, "config");
    let layers = descriptors(document, &root, "layers");
    let subject = descriptor(document, &root, "subject");
    // OCI-028
    let own = root.get("artifactType").filter(|kind| !document.is_null(kind));
    let has_type = own.is_some_and(|kind| kind.as_str().is_none_or(|kind| !kind.is_empty()));
    let is_empty = config.as_ref().is_some_and(|config| config.media_type == "application/vnd.oci.empty.v1+json");
    if let (true, false, Some(config)) = (is_empty, has_type, root.get("config")) {
        let message = "the config is empty, and the manifest has no `artifactType`";
        document.report(&clause::OCI_028, config, "/config", message);
    }
    let spot = |node: &Node| Spot { pointer: "/layers".to_owned(), bytes: node.bytes.clone() };
    let layers_spot = root.get("layers").filter(|node| document.is_array(node)).map(spot);
    Some(Manifest { config, layers, layers_spot, subject })
}

/// OCI-017, OCI-018, OCI-019, OCI-021, OCI-022: what indexes and manifests have in common.
fn judge_both(document: &mut Document, root: &Node, media_type: &str, strangers: &[&str]) {
    // OCI-017
    if let Some((node, version)) = root.get("schemaVersion").and_then(|node| Some((node, node.as_integer()?)))
        && version != 2
    {
        document.report(&clause::OCI_017, node, "/schemaVersion", format!("`schemaVersion` is {version}"));
    }
    // OCI-018
    if let Some((node, own)) = root.get("mediaType").and_then(|node| Some((node, node.as_str()?)))
        && own != media_type
    {
        let message =
            format!("`mediaType` is {}; a descriptor of the document gives {}", quoted(own), quoted(media_type));
        let message = if document.path == "index.json" { format!("`mediaType` is {}", quoted(own)) } else { message };
        document.report(&clause::OCI_018, node, "/mediaType", message);
    }
    // OCI-019
    for name in strangers {
        if let Some(node) = root.get(name).filter(|node| !document.is_null(node)) {
            let (what, other) = if *name == "manifests" { ("manifest", "an index") } else { ("index", "a manifest") };
            let message = format!("the {what} has the member `{name}`, which {other} has");
            document.report(&clause::OCI_019, node, &below("", name), message);
        }
    }
    judge_media_type(document, root, "", "artifactType");
    judge_annotations(document, root, "");
}

fn descriptor(document: &mut Document, root: &Node, name: &str) -> Option<Descriptor> {
    let node = root.get(name).filter(|node| !node.members().is_empty())?;
    Some(Descriptor::judge(document, node, &below("", name)))
}

fn descriptors(document: &mut Document, root: &Node, name: &str) -> Vec<Descriptor> {
    let elements = root.get(name).map(Node::elements).unwrap_or_default().iter().enumerate();
    elements.map(|(index, node)| Descriptor::judge(document, node, &format!("/{name}/{index}"))).collect()
}

/// OCI-029: the names in `index.json`.
pub(super) fn judge_names(document: &mut Document, index: &Index) {
    let mut seen: BTreeMap<&str, Named<'_>> = BTreeMap::new();
    for descriptor in &index.manifests {
        let Some((name, spot)) = &descriptor.reference else { continue };
        let before = seen.entry(name).or_default();
        if let Some(first) = before.conflict(descriptor.platform.as_ref()) {
            document.report_at(&clause::OCI_029, spot, format!("the name {} stands twice", quoted(name)));
            document.relate(first, "the first is here");
        }
        before.first.get_or_insert(spot);
        before.of_platform.entry(descriptor.platform.as_ref()).or_insert(spot);
    }
}

/// Where a name stands: first of all, and first for each platform.
#[derive(Default)]
struct Named<'a> {
    first: Option<&'a Spot>,
    of_platform: BTreeMap<Option<&'a Platform>, &'a Spot>,
}

impl<'a> Named<'a> {
    /// The first place that cannot have the same name as one for `platform`: only known platforms differ.
    fn conflict(&self, platform: Option<&'a Platform>) -> Option<&'a Spot> {
        let Some(platform) = platform else { return self.first };
        let same = [None, Some(platform)].into_iter().filter_map(|platform| self.of_platform.get(&platform).copied());
        same.min_by_key(|spot| spot.bytes.start)
    }
}
