//! A manifest that has been read: its places, and what of it could be understood.

use std::collections::BTreeMap;

use super::types::{App, Attachment, Base, Layer, Platform, Rootfs};
use crate::diagnostic::Place;
use crate::json::{Node, Value};

/// What of a manifest could be understood. Parts with violations of their form are absent.
#[derive(Debug, Clone)]
pub struct Outline {
    /// The name, if it is a string.
    pub name: Option<String>,
    /// The version, if it is a string.
    pub version: Option<String>,
    /// The platform.
    pub platform: Option<Platform>,
    /// What to run.
    pub app: Option<App>,
    /// The layers, each with its index.
    pub layers: Vec<(usize, Layer)>,
    /// Whether all layers could be understood.
    pub all_layers: bool,
    /// The merged tree.
    pub rootfs: Option<Rootfs>,
    /// The base image.
    pub base: Option<Base>,
    /// The attachments, each with its index.
    pub attachments: Vec<(usize, Attachment)>,
    /// Whether the manifest has no violations of its own, so that it can be compared with the tree.
    pub sound: bool,
    root: Node,
    source: Vec<u8>,
}

impl Outline {
    pub(super) fn new(root: Node, source: &[u8], sound: bool) -> Self {
        let part = |name: &str| root.get(name).map(Node::to_serde);
        let list = |name: &str| root.get(name).map(Node::elements).unwrap_or_default();
        let layers: Vec<(usize, Layer)> = list("layers")
            .iter()
            .enumerate()
            .filter_map(|(index, node)| Some((index, serde_json::from_value(node.to_serde()).ok()?)))
            .collect();
        let attachments = list("attachments")
            .iter()
            .enumerate()
            .filter_map(|(index, node)| Some((index, serde_json::from_value(node.to_serde()).ok()?)))
            .collect();
        let is_list = root.get("layers").is_some_and(|layers| matches!(layers.value, Value::Array(_)));
        Self {
            name: root.get("name").and_then(Node::as_str).map(str::to_owned),
            version: root.get("version").and_then(Node::as_str).map(str::to_owned),
            platform: part("platform").and_then(|value| serde_json::from_value(value).ok()),
            app: part("app").and_then(|value| serde_json::from_value(value).ok()),
            all_layers: is_list && layers.len() == list("layers").len(),
            layers,
            rootfs: part("rootfs").and_then(|value| serde_json::from_value(value).ok()),
            base: part("base").and_then(|value| serde_json::from_value(value).ok()),
            attachments,
            sound,
            root,
            source: source.to_vec(),
        }
    }

    /// The place of the value at `pointer`, or of its closest parent that exists.
    #[must_use]
    pub fn place(&self, pointer: &str) -> Place {
        let mut node = &self.root;
        for segment in pointer.split('/').skip(1) {
            let name = segment.replace("~1", "/").replace("~0", "~");
            let next = match &node.value {
                Value::Array(elements) => name.parse().ok().and_then(|index: usize| elements.get(index)),
                _ => node.get(&name),
            };
            let Some(next) = next else { break };
            node = next;
        }
        Place::value(pointer, node.bytes.start as u64..node.bytes.end as u64).text_excerpt(&self.source)
    }

    /// The name, version and platform of the image, if all could be understood.
    #[must_use]
    pub fn identity(&self) -> Option<(String, String, Platform)> {
        Some((self.name.clone()?, self.version.clone()?, self.platform.clone()?))
    }

    /// The blobs that the manifest names: digest, size, and the pointer of the descriptor.
    #[must_use]
    pub fn descriptors(&self) -> Vec<(crate::digest::Digest, u64, String)> {
        let mut out = Vec::new();
        for (index, attachment) in &self.attachments {
            out.push((attachment.digest, attachment.size, format!("/attachments/{index}")));
        }
        for (index, layer) in &self.layers {
            out.push((layer.listing.digest, layer.listing.size, format!("/layers/{index}/listing")));
            out.push((layer.digest, layer.size, format!("/layers/{index}")));
        }
        out
    }

    /// Names and values of the annotations that are strings.
    #[must_use]
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let members = self.root.get("annotations").map(Node::members).unwrap_or_default();
        members.iter().filter_map(|member| Some((member.name.clone(), member.node.as_str()?.to_owned()))).collect()
    }
}
