//! What stores and archives check of an image in the same way.

use std::collections::BTreeMap;

use super::layout::{FileKind, path_of};
use crate::clause::{self, Clause};
use crate::diagnostic::{Excerpt, Place, Violation};
use crate::digest::Digest;
use crate::layer::{Divergence, Interpreters, Walk};
use crate::manifest::{Layer, Outline};
use crate::shown::clip;

/// The manifests of a store or archive that could be understood, by image id.
pub(super) type Manifests = BTreeMap<Digest, Outline>;

/// STO-008, MAN-056, MAN-057
pub(super) fn judge_manifests(manifests: &Manifests) -> Vec<Violation> {
    let mut out = Vec::new();
    let mut identities = BTreeMap::new();
    for (id, outline) in manifests {
        let path = path_of(&FileKind::Manifest(*id));
        if let Some((name, version, platform)) = outline.identity()
            && let Some(other) = identities.insert((name.clone(), version.clone(), platform), *id)
        {
            let message = format!("the image {other} has the same name, version and platform ({name}:{version})");
            let mut violation = Violation::new(&clause::STO_008, outline.place("/version").file(path.clone()), message);
            if let Some(other_outline) = manifests.get(&other) {
                let place = other_outline.place("/version").file(path_of(&FileKind::Manifest(other)));
                violation = violation.and(place, "the other image says so here");
            }
            out.push(violation);
        }
        let Some((base, base_outline)) =
            outline.base.as_ref().and_then(|base| Some((base, manifests.get(&base.image)?)))
        else {
            continue;
        };
        let mut report = |clause: &'static Clause, pointer: &str, message: String| {
            out.push(Violation::new(clause, outline.place(pointer).file(path.clone()), message));
        };
        let count = usize::try_from(base.layers).unwrap_or(usize::MAX);
        if (1..=outline.layers.len()).contains(&count) && outline.all_layers && base_outline.all_layers {
            let mine: Vec<&Layer> = outline.layers.iter().take(count).map(|(_, layer)| layer).collect();
            let theirs: Vec<&Layer> = base_outline.layers.iter().map(|(_, layer)| layer).collect();
            if mine != theirs {
                let message = format!(
                    "the image does not begin with the layers of its base {}: `layers` is {count}, and the base has {}",
                    base.image,
                    theirs.len()
                );
                report(&clause::MAN_056, "/base/layers", message);
            }
        }
        for (member, mine, theirs) in
            [("name", &base.name, &base_outline.name), ("version", &base.version, &base_outline.version)]
        {
            if let Some(theirs) = theirs
                && mine != theirs
            {
                let message = format!("the base's {member} is \"{}\", not \"{}\"", clip(theirs), clip(mine));
                report(&clause::MAN_057, &format!("/base/{member}"), message);
            }
        }
    }
    out
}

/// LST-016: what the walk of a clean layer says about another listing that a manifest names for it; `source` is that
/// listing.
pub(super) fn judge_listing(walk: &WalkFacts, listing: Digest, source: &[u8]) -> Violation {
    let path = path_of(&FileKind::Blob(listing));
    let Some(Divergence { offset, layer }) = &walk.divergence else {
        let message = format!("the listing of this layer has the digest {}", walk.listing);
        return Violation::new(&clause::LST_016, Place::default().file(path), message);
    };
    let rest = usize::try_from(*offset).ok().and_then(|offset| source.get(offset..)).unwrap_or_default();
    let expected = (!rest.is_empty())
        .then(|| String::from_utf8_lossy(rest.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned());
    let line = |line: &Option<String>| line.as_deref().map_or_else(|| "nothing more".to_owned(), path_of_line);
    let (what, layer_says, listing_says) = difference(layer.as_deref(), expected.as_deref())
        .unwrap_or_else(|| (String::new(), line(layer), line(&expected)));
    let message = format!("{what}the layer has {layer_says}, its listing has {listing_says}");
    let shown = expected.unwrap_or_default();
    let mut place = Place::bytes(*offset..offset + shown.len() as u64).file(path);
    let shown_len = shown.len();
    place.excerpt = (!shown.is_empty()).then(|| Excerpt {
        start: *offset,
        bytes: shown.into_bytes().into_iter().take(160).collect(),
        text: true,
        line_column: None,
        end: None,
        begins_late: false,
        ends_early: shown_len > 160,
    });
    Violation::new(&clause::LST_016, place, message)
}

/// The path that a line is about, or the line itself if it has none.
fn path_of_line(line: &str) -> String {
    let object: Option<BTreeMap<String, serde_json::Value>> = serde_json::from_str(line).ok();
    object.and_then(|object| Some(clip(&object.get("path")?.to_string()))).unwrap_or_else(|| clip(line))
}

/// The member in which two lines of the same path differ.
fn difference(layer: Option<&str>, listing: Option<&str>) -> Option<(String, String, String)> {
    let object = |line: Option<&str>| serde_json::from_str::<BTreeMap<String, serde_json::Value>>(line?).ok();
    let (layer, listing) = (object(layer)?, object(listing)?);
    let path = layer.get("path")?;
    if listing.get("path")? != path {
        return None;
    }
    let name = layer.keys().chain(listing.keys()).find(|name| layer.get(*name) != listing.get(*name))?;
    let text = |value: Option<&serde_json::Value>| {
        value.map_or_else(|| "nothing".to_owned(), |value| clip(&value.to_string()))
    };
    Some((format!("`{name}` of {}: ", clip(&path.to_string())), text(layer.get(name)), text(listing.get(name))))
}

/// What is remembered of a layer that has been walked.
#[derive(Debug, Clone)]
pub(super) struct WalkFacts {
    /// The layer is the one that its descriptor names, and has no violations.
    pub(super) clean: bool,
    /// The digest of its listing.
    pub(super) listing: Digest,
    pub(super) divergence: Option<Divergence>,
    pub(super) interpreters: Interpreters,
}

impl WalkFacts {
    pub(super) fn new(walk: &Walk, divergence: Option<Divergence>, is_named: bool) -> Self {
        Self {
            clean: is_named && walk.violations.is_empty(),
            listing: walk.listing,
            divergence,
            interpreters: walk.interpreters.clone(),
        }
    }
}

/// NAM-028 or NAM-029: a blob against the descriptor that names it.
pub(super) fn judge_blob(path: &str, wanted: (Digest, u64), seen: (u64, Digest)) -> Option<Violation> {
    let ((digest, size), (length, content)) = (wanted, seen);
    let (clause, message) = if length > size {
        (&clause::NAM_028, format!("the blob has more than the {size} bytes that its descriptor gives"))
    } else if length < size {
        (&clause::NAM_028, format!("the blob has {length} bytes; its descriptor gives {size}"))
    } else if content != digest {
        (&clause::NAM_029, format!("the blob has the digest {content}; its descriptor gives {digest}"))
    } else {
        return None;
    };
    Some(Violation::new(clause, Place::bytes(0..length).file(path), message))
}

/// The same violation of a blob, and where the first of `manifests` that has its descriptor has it.
pub(super) fn with_descriptor<'a>(
    violation: Violation,
    (digest, size): (Digest, u64),
    manifests: impl IntoIterator<Item = (&'a Digest, &'a Outline)>,
) -> Violation {
    let descriptor = manifests.into_iter().find_map(|(id, outline)| {
        let mut all = outline.descriptors().into_iter();
        let (.., pointer) = all.find(|(named, length, _)| (*named, *length) == (digest, size))?;
        Some(outline.place(&pointer).file(path_of(&FileKind::Manifest(*id))))
    });
    match descriptor {
        Some(place) => violation.and(place, "its descriptor is here"),
        None => violation,
    }
}

/// STO-006: the content of a file against the digest in its path.
pub(super) fn judge_content(path: &str, name: Digest, content: Digest) -> Option<Violation> {
    (name != content).then(|| {
        let message = format!("the SHA-256 of the content is {}, not the one in the file's name", content.hex());
        Violation::new(&clause::STO_006, Place::default().file(path), message)
    })
}
