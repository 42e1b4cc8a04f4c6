//! What an image is made of: layers, rootfs, base, attachments, and the descriptors in them.

use std::collections::BTreeMap;

use super::check::{Checker, integer, string};
use super::table::Presence::Required;
use super::table::{Table, Type};
use crate::clause;
use crate::json::{Node, Value};
use crate::name::{self, judge_digest};
use crate::shown::quoted;

const LAYER: &Table =
    &[("digest", Type::String, Required), ("size", Type::Integer, Required), ("listing", Type::Object, Required)];
const DESCRIPTOR: &Table = &[("digest", Type::String, Required), ("size", Type::Integer, Required)];
const ROOTFS: &Table =
    &[("digest", Type::String, Required), ("entries", Type::Integer, Required), ("size", Type::Integer, Required)];
const BASE: &Table = &[
    ("name", Type::String, Required),
    ("version", Type::String, Required),
    ("image", Type::String, Required),
    ("layers", Type::Integer, Required),
];
const ATTACHMENT: &Table =
    &[("type", Type::String, Required), ("digest", Type::String, Required), ("size", Type::Integer, Required)];

impl Checker<'_> {
    /// MAN-047 to MAN-050, LST-014
    pub(super) fn layers(&mut self, root: &Node) {
        let Some(layers) = root.get("layers").filter(|node| matches!(node.value, Value::Array(_))) else { return };
        let elements = layers.elements();
        if elements.is_empty() && root.get("app").is_some() {
            let message = "the image has an app but no layer".to_owned();
            self.report(&clause::MAN_047, layers, "/layers", message);
        }
        if elements.len() > self.limits.layers {
            let message = format!("the image has {} layers; the limit is {}", elements.len(), self.limits.layers);
            self.report(&clause::MAN_048, layers, "/layers", message);
        }
        let mut total = 0_u64;
        for (index, layer) in elements.iter().enumerate() {
            let pointer = format!("/layers/{index}");
            self.object(layer, &pointer, LAYER, &clause::MAN_006);
            self.digest(layer, "digest", &pointer);
            if let Some((node, size)) = self.size(layer, &pointer) {
                if size > self.limits.layer {
                    let message = format!("the layer has {size} bytes; the limit is {}", self.limits.layer);
                    self.report(&clause::MAN_049, node, &format!("{pointer}/size"), message);
                }
                total = total.saturating_add(size);
            }
            if let Some(listing) = layer.get("listing") {
                let pointer = format!("{pointer}/listing");
                self.object(listing, &pointer, DESCRIPTOR, &clause::MAN_006);
                self.digest(listing, "digest", &pointer);
                if let Some((node, size)) = self.size(listing, &pointer)
                    && size > self.limits.listing
                {
                    let message = format!("the listing has {size} bytes; the limit is {}", self.limits.listing);
                    self.report(&clause::LST_014, node, &format!("{pointer}/size"), message);
                }
            }
        }
        if total > self.limits.layers_total {
            let message = format!("the layers have {total} bytes; the limit is {}", self.limits.layers_total);
            self.report(&clause::MAN_050, layers, "/layers", message);
        }
    }

    /// MAN-058, LST-020
    pub(super) fn rootfs(&mut self, rootfs: &Node) {
        self.object(rootfs, "/rootfs", ROOTFS, &clause::MAN_006);
        self.digest(rootfs, "digest", "/rootfs");
        for name in ["entries", "size"] {
            let Some((node, value)) = integer(rootfs, name) else { continue };
            let pointer = format!("/rootfs/{name}");
            if value < 0 {
                self.report(&clause::MAN_058, node, &pointer, format!("`{name}` is {value}, which is below 0"));
            }
            let lines = i64::try_from(self.limits.rootfs_lines).unwrap_or(i64::MAX);
            if name == "entries" && value > lines {
                let message = format!("the merged listing has {value} lines; the limit is {lines}");
                self.report(&clause::LST_020, node, &pointer, message);
            }
        }
    }

    /// MAN-055
    pub(super) fn base(&mut self, base: &Node, root: &Node) {
        self.object(base, "/base", BASE, &clause::MAN_006);
        if let Some((node, name)) = string(base, "name") {
            let broken = name::judge_name(name, self.limits);
            self.report_all(broken, node, "/base/name");
        }
        if let Some((node, version)) = string(base, "version") {
            let broken = name::judge_version(version, self.limits);
            self.report_all(broken, node, "/base/version");
        }
        self.digest(base, "image", "/base");
        // Without an array there is no number to compare with.
        let layers = root.get("layers").filter(|layers| matches!(layers.value, Value::Array(_)));
        let most = layers.map_or(usize::MAX, |layers| layers.elements().len());
        if let Some((node, count)) = integer(base, "layers")
            && !usize::try_from(count).is_ok_and(|count| (1..=most).contains(&count))
        {
            let of = layers.map_or(String::new(), |_| format!("; the image has {most}"));
            let message = format!("{count} layers come from the base{of}");
            self.report(&clause::MAN_055, node, "/base/layers", message);
        }
    }

    /// MAN-051 to MAN-054
    pub(super) fn attachments(&mut self, attachments: &Node) {
        let elements = attachments.elements();
        if elements.len() > self.limits.attachments {
            let message =
                format!("the image has {} attachments; the limit is {}", elements.len(), self.limits.attachments);
            self.report(&clause::MAN_052, attachments, "/attachments", message);
        }
        let mut last: Option<(&Node, &str)> = None;
        let mut before_index = 0;
        for (index, attachment) in elements.iter().enumerate() {
            let pointer = format!("/attachments/{index}");
            self.object(attachment, &pointer, ATTACHMENT, &clause::MAN_006);
            if let Some((node, media_type)) = string(attachment, "type")
                && !is_media_type(media_type)
            {
                let message =
                    format!("the type {} is no media type in lower case without parameters", quoted(media_type));
                self.report(&clause::MAN_051, node, &format!("{pointer}/type"), message);
            }
            self.digest(attachment, "digest", &pointer);
            if let Some((node, digest)) = string(attachment, "digest") {
                if let Some((before, last)) = last.filter(|(_, last)| *last >= digest) {
                    let message = if last == digest {
                        format!("the attachment {} stands twice", quoted(digest))
                    } else {
                        format!("the attachment {} stands after {}", quoted(digest), quoted(last))
                    };
                    self.report(&clause::MAN_053, node, &format!("{pointer}/digest"), message);
                    let before_pointer = format!("/attachments/{before_index}/digest");
                    self.relate(before, &before_pointer, "the attachment before it is here");
                }
                last = Some((node, digest));
                before_index = index;
            }
            if let Some((node, size)) = self.size(attachment, &pointer)
                && size > self.limits.attachment
            {
                let message = format!("the attachment has {size} bytes; the limit is {}", self.limits.attachment);
                self.report(&clause::MAN_054, node, &format!("{pointer}/size"), message);
            }
        }
    }

    /// NAM-027
    pub(super) fn descriptor_sizes(&mut self, root: &Node) {
        let list = |name: &str| root.get(name).map(Node::elements).unwrap_or_default();
        let mut descriptors: Vec<(String, &Node)> = Vec::new();
        for (index, layer) in list("layers").iter().enumerate() {
            descriptors.push((format!("/layers/{index}"), layer));
            if let Some(listing) = layer.get("listing") {
                descriptors.push((format!("/layers/{index}/listing"), listing));
            }
        }
        for (index, attachment) in list("attachments").iter().enumerate() {
            descriptors.push((format!("/attachments/{index}"), attachment));
        }
        let mut seen: BTreeMap<&str, (i64, &Node, String)> = BTreeMap::new();
        for (pointer, node) in descriptors {
            let (Some((_, digest)), Some((size_node, size))) = (string(node, "digest"), integer(node, "size")) else {
                continue;
            };
            match seen.get(digest) {
                Some((other, first_node, first)) if *other != size => {
                    let message = format!("the size is {size}; {first} gives the same digest the size {other}");
                    self.report(&clause::NAM_027, size_node, &format!("{pointer}/size"), message);
                    self.relate(first_node, &format!("{first}/size"), "the other size is here");
                }
                Some(_) => {}
                None => {
                    seen.insert(digest, (size, size_node, pointer));
                }
            }
        }
    }

    /// NAM-024, NAM-025
    fn digest(&mut self, object: &Node, name: &str, pointer: &str) {
        if let Some((node, digest)) = string(object, name) {
            self.report_all(judge_digest(digest), node, &format!("{pointer}/{name}"));
        }
    }

    /// NAM-026. The size, if it is at least 1.
    fn size<'n>(&mut self, object: &'n Node, pointer: &str) -> Option<(&'n Node, u64)> {
        let (node, size) = integer(object, "size")?;
        if size < 1 {
            self.report(
                &clause::NAM_026,
                node,
                &format!("{pointer}/size"),
                format!("the size is {size}, not 1 or more"),
            );
            return None;
        }
        Some((node, u64::try_from(size).ok()?))
    }
}

/// Whether `text` is a media type without parameters (MAN-051).
pub(crate) fn is_media_type(text: &str) -> bool {
    let is_part = |part: &str| {
        part.len() <= 127
            && part.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
            && part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9') || b"!#$&^_.+-".contains(&byte))
    };
    text.split_once('/').is_some_and(|(kind, subtype)| is_part(kind) && is_part(subtype))
}
