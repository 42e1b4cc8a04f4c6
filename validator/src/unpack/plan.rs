//! What will be where, before anything is written.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};
use std::sync::Arc;

use super::disk::UnsetEntries;
use super::view::OneImage;
use super::{Ids, Unpacked, Unset};
use crate::diagnostic::{Severity, Violation};
use crate::digest::{Digest, Hasher};
use crate::layer::{Entry, ListingKind, Node, Summary, Tree, read_listing};
use crate::limits::Limits;
use crate::manifest::{self, Outline, check_rootfs};
use crate::store::{FileKind, Stored, check_marker};

/// What is known of an image without its layers.
pub(super) struct Documents<'a> {
    pub(super) outline: &'a Outline,
    pub(super) layers: Vec<Layer>,
    pub(super) tree: Tree,
    pub(super) summary: Summary,
}

/// A layer, the file that holds it, and its entries.
pub(super) struct Layer {
    pub(super) descriptor: manifest::Layer,
    pub(super) kind: FileKind,
    pub(super) entries: Arc<Vec<Entry>>,
}

/// Whether a violation makes an image invalid.
pub(super) fn is_error(violation: &Violation) -> bool {
    violation.clause.severity == Severity::Error
}

/// Reads the documents of an image; nothing if the image has to be rejected.
pub(super) fn read<'a>(view: &'a OneImage<'_>, limits: &Limits) -> io::Result<Option<Documents<'a>>> {
    let Some(marker) = view.document(&FileKind::Marker, limits.document)? else { return Ok(None) };
    let Some(outline) = view.outline.as_ref().filter(|outline| outline.all_layers) else { return Ok(None) };
    if check_marker(&marker, limits).iter().any(is_error) {
        return Ok(None);
    }
    for (_, attachment) in &outline.attachments {
        if blob(view, (attachment.digest, attachment.size), limits, &mut |_| {})?.is_none() {
            return Ok(None);
        }
    }
    let (mut layers, mut tree) = (Vec::new(), Tree::default());
    for (_, layer) in &outline.layers {
        let (Some(kind), Some(entries)) = (view.blob(layer.digest), listing(view, layer, limits)?) else {
            return Ok(None);
        };
        let entries = Arc::new(entries);
        layers.push(Layer { descriptor: *layer, kind, entries: Arc::clone(&entries) });
        if tree.is_new() {
            tree = Tree::of_layer(entries, layer.listing.digest, layer.listing.size);
        } else {
            tree.merge(entries);
        }
    }
    if check_rootfs(outline, &tree, limits).iter().any(is_error) {
        return Ok(None);
    }
    let summary = tree.summary();
    Ok(Some(Documents { outline, layers, tree, summary }))
}

/// The entries of the listing of a layer, if it is the one that is meant and valid.
fn listing(view: &OneImage<'_>, layer: &manifest::Layer, limits: &Limits) -> io::Result<Option<Vec<Entry>>> {
    let key = (layer.listing.digest, layer.listing.size);
    if key.1 > limits.listing {
        return Ok(None);
    }
    let mut source = Vec::new();
    let read = blob(view, key, limits, &mut |bytes| source.extend_from_slice(bytes))?;
    let listing = read.map(|()| read_listing(&source, ListingKind::Layer, limits));
    Ok(listing.filter(|listing| listing.violations.is_empty()).map(|listing| listing.entries))
}

/// Reads a blob; nothing if it is not there or not the one that is meant.
fn blob(
    view: &OneImage<'_>,
    (digest, size): (Digest, u64),
    limits: &Limits,
    take: &mut dyn FnMut(&[u8]),
) -> io::Result<Option<()>> {
    let Some(kind) = view.blob(digest) else { return Ok(None) };
    let mut stored = Stored::open(view, &kind, size, limits)?;
    let (mut hasher, mut buffer) = (Hasher::default(), vec![0; 64 << 10]);
    loop {
        match stored.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                let bytes = buffer.get(..read).unwrap_or_default();
                hasher.update(bytes);
                take(bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let is_named = hasher.size() == size && hasher.finish() == digest && stored.frame().is_empty();
    Ok(is_named.then_some(()))
}

/// The tree that is going to be there.
pub(super) struct Plan {
    /// Its entries in the order of a listing.
    pub(super) entries: Vec<Entry>,
    /// For each layer: the entries of it whose bytes are written, and the places in `entries` of the files that
    /// get them.
    pub(super) files: Vec<BTreeMap<usize, usize>>,
}

impl Plan {
    pub(super) fn new(documents: &Documents<'_>) -> Self {
        let mut files = vec![BTreeMap::new(); documents.layers.len()];
        let mut of_links: Vec<HashMap<&str, usize>> = vec![HashMap::new(); documents.layers.len()];
        let mut entries = Vec::with_capacity(documents.tree.len());
        for (entry, (layer, number)) in documents.tree.entries().zip(documents.tree.origins()) {
            if matches!(entry.node, Node::File { .. })
                && let (Some(source), Some(files), Some(of_links)) =
                    (documents.layers.get(layer), files.get_mut(layer), of_links.get_mut(layer))
            {
                // The bytes of a hard link whose file is hidden stand with that file.
                match source.entries.get(number).map(|entry| &entry.node) {
                    Some(Node::Hardlink { target, .. }) => {
                        of_links.insert(target, entries.len());
                    }
                    _ => {
                        files.insert(number, entries.len());
                    }
                }
            }
            entries.push(entry);
        }
        for ((source, files), of_links) in documents.layers.iter().zip(&mut files).zip(&of_links) {
            if of_links.is_empty() {
                continue;
            }
            for (number, entry) in source.entries.iter().enumerate() {
                if let (Node::File { .. }, Some(place)) = (&entry.node, of_links.get(entry.path.as_str())) {
                    files.insert(number, *place);
                }
            }
        }
        Self { entries, files }
    }

    /// What is told of a tree that has become what is planned.
    pub(super) fn unpacked(
        &self,
        image: Digest,
        summary: &Summary,
        unset: &UnsetEntries,
        owner: Option<Ids>,
        verified: bool,
    ) -> Unpacked {
        let is_setid = |entry: &&Entry| match &entry.node {
            Node::File { attributes, .. } | Node::Dir { attributes, .. } => attributes.mode & 0o6000 != 0,
            _ => false,
        };
        let unset = unset.iter().filter_map(|(name, entries)| {
            let (first, reason) = entries.first_key_value()?;
            Some(Unset {
                name: name.clone(),
                entries: entries.len() as u64,
                first: self.entries.get(*first)?.path.clone(),
                reason: reason.clone(),
            })
        });
        Unpacked {
            image,
            rootfs: summary.digest,
            entries: summary.entries,
            size: summary.size,
            owner,
            setid: owner.map(|_| self.entries.iter().filter(is_setid).count() as u64),
            unset: unset.collect(),
            verified,
        }
    }
}
