//! Descriptors and the annotations beside them (OCI-021 to OCI-025, OCI-027, OCI-030).

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::digest::{self, Hasher};
use super::document::{Document, below};
use super::time;
use crate::clause;
use crate::json::Node;
use crate::shown::{quoted, shown};

/// The annotation that names what a descriptor leads to.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The annotation that says when an image was made.
const CREATED: &str = "org.opencontainers.image.created";

/// A descriptor, as far as it could be understood.
#[derive(Debug, Clone)]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    /// A digest without flaw.
    pub(super) digest: Option<String>,
    pub(super) size: Option<u64>,
    /// Where it stands in its document.
    pub(super) spot: Spot,
    /// Where its size stands.
    pub(super) size_spot: Spot,
    /// The content can be found elsewhere, or in the descriptor.
    pub(super) is_elsewhere: bool,
    /// Whether its media type is one.
    pub(super) has_type: bool,
    pub(super) platform: Option<Platform>,
    /// The value of [`REF_NAME`], and where it stands.
    pub(super) reference: Option<(String, Spot)>,
}

/// A value of a document that may be reported later, when the document is no longer at hand.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) pointer: String,
    pub(super) bytes: Range<usize>,
}

/// A platform: what is compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Platform {
    pub(super) os: String,
    pub(super) architecture: String,
    pub(super) variant: Option<String>,
}

impl Platform {
    /// The platform that an object gives, a descriptor's or a config.
    pub(super) fn of(node: &Node) -> Option<Self> {
        let text = |name: &str| node.get(name).and_then(Node::as_str).filter(|text| !text.is_empty());
        Some(Self {
            os: text("os")?.to_owned(),
            architecture: text("architecture")?.to_owned(),
            variant: text("variant").map(str::to_owned),
        })
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", shown(&self.os), shown(&self.architecture))?;
        self.variant.iter().try_for_each(|variant| write!(formatter, "/{}", shown(variant)))
    }
}

impl Descriptor {
    /// Judges the descriptor `node` of a document, whose table has been judged.
    pub(super) fn judge(document: &mut Document, node: &Node, pointer: &str) -> Self {
        judge_media_type(document, node, pointer, "mediaType");
        judge_media_type(document, node, pointer, "artifactType");
        let digest = judge_digest(document, node, pointer);
        let size = node.get("size").and_then(Node::as_integer);
        // OCI-025
        if let (Some(negative @ ..0), Some(member)) = (size, node.get("size")) {
            document.report(&clause::OCI_025, member, &below(pointer, "size"), format!("the size is {negative}"));
        }
        let size = size.and_then(|size| u64::try_from(size).ok());
        judge_data(document, node, pointer, digest.as_deref(), size);
        judge_annotations(document, node, pointer);
        let spot = |node: &Node, pointer: String| Spot { pointer, bytes: node.bytes.clone() };
        let whole = spot(node, pointer.to_owned());
        let media_type = node.get("mediaType").and_then(Node::as_str).filter(|text| is_media_type(text));
        Self {
            media_type: media_type.unwrap_or_default().to_owned(),
            size_spot: node.get("size").map_or_else(|| whole.clone(), |size| spot(size, below(pointer, "size"))),
            spot: whole,
            is_elsewhere: node.get("urls").is_some_and(|urls| !urls.elements().is_empty())
                || node.get("data").is_some_and(|data| data.as_str().is_some()),
            has_type: media_type.is_some(),
            platform: node.get("platform").and_then(Platform::of),
            digest,
            size,
            reference: node.get("annotations").and_then(|annotations| {
                let member = annotations.get(REF_NAME)?;
                let pointer = below(&below(pointer, "annotations"), REF_NAME);
                Some((member.as_str()?.to_owned(), spot(member, pointer)))
            }),
        }
    }
}

/// OCI-022: the member `name` of an object, if it is there.
pub(super) fn judge_media_type(document: &mut Document, node: &Node, pointer: &str, name: &str) {
    let Some((member, text)) = node.get(name).and_then(|member| Some((member, member.as_str()?))) else { return };
    if !(is_media_type(text) || name == "artifactType" && text.is_empty()) {
        let message = format!("`{name}` is {}, which is no media type", quoted(text));
        document.report(&clause::OCI_022, member, &below(pointer, name), message);
    }
}

/// RFC 6838, section 4.2
fn is_media_type(text: &str) -> bool {
    let is_name = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        (1..=127).contains(&name.len())
            && name.bytes().all(allowed)
            && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
    };
    text.split_once('/').is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
}

/// OCI-023, OCI-024
fn judge_digest(document: &mut Document, node: &Node, pointer: &str) -> Option<String> {
    let member = node.get("digest")?;
    let text = member.as_str()?;
    let pointer = below(pointer, "digest");
    if let Some(flaw) = digest::flaw(text) {
        document.report(&clause::OCI_023, member, &pointer, flaw);
        return None;
    }
    if !digest::is_known(text) {
        let message = format!("the algorithm of {} is one that this reader cannot compute", quoted(text));
        document.report(&clause::OCI_024, member, &pointer, message);
    }
    Some(text.to_owned())
}

/// OCI-027
fn judge_data(document: &mut Document, node: &Node, pointer: &str, digest: Option<&str>, size: Option<u64>) {
    let Some((member, text)) = node.get("data").and_then(|member| Some((member, member.as_str()?))) else { return };
    let message = match STANDARD.decode(text) {
        Err(error) => format!("`data` is no base64: {error}"),
        Ok(data) => {
            let (length, content) = Hasher::of(digest.unwrap_or_default(), &data);
            let seen = content.as_deref();
            if size.is_some_and(|size| size != length) {
                format!("`data` has {length} bytes; the descriptor gives {}", size.unwrap_or_default())
            } else if let (Some(digest), Some(seen)) = (digest, seen)
                && digest != seen
            {
                format!("`data` has the digest {seen}; the descriptor gives {digest}")
            } else {
                return;
            }
        }
    };
    document.report(&clause::OCI_027, member, &below(pointer, "data"), message);
}

/// OCI-021 and OCI-030: the annotations of an object.
pub(super) fn judge_annotations(document: &mut Document, node: &Node, pointer: &str) {
    let Some(annotations) = node.get("annotations") else { return };
    let pointer = below(pointer, "annotations");
    judge_time(document, annotations, &pointer, CREATED);
    let Some((member, name)) = annotations.get(REF_NAME).and_then(|member| Some((member, member.as_str()?))) else {
        return;
    };
    if !is_reference(name) {
        let message =
            format!("the name {} is not letters and digits with single separators between them", quoted(name));
        document.report(&clause::OCI_030, member, &below(&pointer, REF_NAME), message);
    }
}

/// OCI-021: the member `name` of an object, if it is there.
pub(super) fn judge_time(document: &mut Document, node: &Node, pointer: &str, name: &str) {
    let Some((member, text)) = node.get(name).and_then(|member| Some((member, member.as_str()?))) else { return };
    if !(text.is_empty() || time::is_rfc3339(text)) {
        let message = format!("`{name}` is {}, which is no date and time of RFC 3339", quoted(text));
        document.report(&clause::OCI_021, member, &below(pointer, name), message);
    }
}

/// Components of letters and digits, which single separators stand between; `--` counts as one.
fn is_reference(name: &str) -> bool {
    name.split('/').all(|component| {
        component
            .replace("--", "-")
            .split(['-', '.', '_', ':', '@', '+'])
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    })
}
