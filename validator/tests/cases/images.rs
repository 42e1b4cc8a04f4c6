//! Images in memory, in a store or an archive, whose parts can be others than their manifests say.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::num::NonZero;

use cornercast::diagnostic::{Diagnostic, Findings};
use cornercast::digest::Digest;
use cornercast::input::{Kind, check_directory, check_stream};
use cornercast::json::to_canonical;
use cornercast::layer::{Attributes, Entry, LayerWriter, Node, Tree, write_line};
use cornercast::limits::Limits;
use cornercast::store::{FileKind, Files, Listed, MARKER, path_of};
use cornercast::tar::{END, EntryHeader, header_bytes};
use serde_json::{Value, json};

/// A part of an image: its content, and what stands there instead if it is another one.
#[derive(Clone)]
pub(super) struct Blob {
    pub(super) named: Vec<u8>,
    /// In the place of the blob; not there if that is `None`.
    pub(super) stored: Option<Vec<u8>>,
    /// A frame with the blob beside or instead of it.
    pub(super) packed: Option<Vec<u8>>,
}

impl Blob {
    pub(super) fn new(content: Vec<u8>) -> Self {
        Self { stored: Some(content.clone()), named: content, packed: None }
    }

    fn descriptor(&self) -> Value {
        json!({"digest": Digest::of(&self.named).to_string(), "size": self.named.len()})
    }
}

pub(super) struct Layer {
    pub(super) archive: Blob,
    pub(super) listing: Blob,
    pub(super) entries: Vec<Entry>,
    /// An attachment that goes with the layer.
    pub(super) attachment: Option<Blob>,
}

/// A file whose content is its path, with a mode.
pub(super) fn file(path: &str, mode: u32) -> Entry {
    let attributes = Attributes { mode, ..Attributes::default() };
    let (size, sha256) = (path.len() as u64, Digest::of(path.as_bytes()));
    Entry { path: path.to_owned(), node: Node::File { attributes, size, sha256 } }
}

/// The archive of a layer that has files, and its listing.
pub(super) fn layer(entries: Vec<Entry>) -> Layer {
    let mut writer = LayerWriter::new(Vec::new());
    let mut listing = Vec::new();
    for entry in &entries {
        writer.entry(entry, &mut entry.path.as_bytes()).unwrap();
        write_line(&mut listing, &entry.path, &entry.node);
    }
    Layer { archive: Blob::new(writer.finish().unwrap()), listing: Blob::new(listing), entries, attachment: None }
}

/// The attachments of these layers, in the order of a manifest.
fn attachments<'a>(layers: &[&'a Layer]) -> Vec<&'a Blob> {
    let mut attachments: Vec<&Blob> = layers.iter().filter_map(|layer| layer.attachment.as_ref()).collect();
    attachments.sort_by_key(|attachment| Digest::of(&attachment.named));
    attachments
}

/// A manifest of these layers.
pub(super) fn manifest(version: &str, layers: &[&Layer]) -> Vec<u8> {
    let mut tree = Tree::default();
    layers.iter().for_each(|layer| tree.merge(layer.entries.clone()));
    let summary = tree.summary();
    let descriptors = layers.iter().map(|layer| {
        let mut descriptor = layer.archive.descriptor();
        descriptor["listing"] = layer.listing.descriptor();
        descriptor
    });
    let attachments = attachments(layers).into_iter().map(|attachment| {
        let mut descriptor = attachment.descriptor();
        descriptor["type"] = json!("text/plain");
        descriptor
    });
    let attachments: Vec<Value> = attachments.collect();
    let mut manifest = json!({
        "cornercast": "1.0",
        "kind": "image",
        "layers": descriptors.collect::<Vec<_>>(),
        "name": "example.com/a",
        "platform": {"architecture": "amd64", "os": "linux"},
        "rootfs": {"digest": summary.digest.to_string(), "entries": summary.entries, "size": summary.size},
        "version": version,
    });
    if !attachments.is_empty() {
        manifest["attachments"] = json!(attachments);
    }
    to_canonical(&manifest).unwrap()
}

/// The files of a store in memory.
pub(super) struct Store(pub(super) BTreeMap<String, Vec<u8>>);

impl Files for Store {
    fn list(&self) -> io::Result<Vec<Listed>> {
        Ok(self.0.keys().map(|path| Listed { path: path.clone(), irregular: None }).collect())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(self.0[path].as_slice()))
    }
}

/// The files of images of these layers, in the order of an archive.
pub(super) fn files(images: &[(&str, &[&Layer])]) -> Vec<(String, Vec<u8>)> {
    let mut images: Vec<_> = images.iter().map(|(version, layers)| (manifest(version, layers), layers)).collect();
    images.sort_by_key(|(manifest, _)| Digest::of(manifest));
    let mut files = vec![("cornercast".to_owned(), MARKER.to_vec())];
    for (manifest, layers) in images {
        files.push((path_of(&FileKind::Manifest(Digest::of(&manifest))), manifest));
        let blobs =
            attachments(layers).into_iter().chain(layers.iter().flat_map(|layer| [&layer.listing, &layer.archive]));
        for Blob { named, stored, packed } in blobs {
            let digest = Digest::of(named);
            files.extend(stored.clone().map(|stored| (path_of(&FileKind::Blob(digest)), stored)));
            files.extend(packed.clone().map(|packed| (path_of(&FileKind::Packed(digest)), packed)));
        }
    }
    let mut seen = Vec::new();
    files.retain(|(path, _)| {
        !seen.contains(path) && {
            seen.push(path.clone());
            true
        }
    });
    files
}

pub(super) fn in_store(images: &[(&str, &[&Layer])], limits: &Limits) -> Vec<Diagnostic> {
    let mut findings = Findings::new("input", 100);
    let store = Store(files(images).into_iter().collect());
    check_directory(Kind::Store, &store, limits, NonZero::<usize>::MIN, &mut findings).unwrap();
    findings.list().to_vec()
}

pub(super) fn in_archive(images: &[(&str, &[&Layer])], limits: &Limits) -> Vec<Diagnostic> {
    check_archive(&[entries(&files(images)), END.to_vec()].concat(), limits)
}

/// Files as the entries of an archive, without its end.
pub(super) fn entries(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (path, content) in files {
        let size = content.len() as u64;
        let header = EntryHeader { typeflag: b'0', path, mode: 0o644, size, ..EntryHeader::default() };
        archive.extend([&header_bytes(&header), content.as_slice()].concat());
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive
}

pub(super) fn check_archive(archive: &[u8], limits: &Limits) -> Vec<Diagnostic> {
    let mut findings = Findings::new("input", 100);
    check_stream(Kind::Archive, &mut &*archive, limits, NonZero::<usize>::MIN, &mut findings).unwrap();
    findings.list().to_vec()
}

/// The clauses that are broken, in alphabetical order.
pub(super) fn ids(found: &[Diagnostic]) -> Vec<&'static str> {
    let mut ids: Vec<_> = found.iter().map(|found| found.id).collect();
    ids.sort_unstable();
    ids
}

/// The clauses that images break, in a store and in an archive.
pub(super) fn broken(images: &[(&str, &[&Layer])]) -> Vec<&'static str> {
    let [store, archive] = [in_store, in_archive].map(|check| ids(&check(images, &Limits::FORMAT)));
    assert_eq!(store, archive);
    store
}

/// `named`, in whose place another content of the same length stands.
pub(super) fn other(named: &Blob, stored: Vec<u8>) -> Blob {
    assert_eq!(named.named.len(), stored.len());
    Blob { stored: Some(stored), ..named.clone() }
}

/// The same layer but for a byte of its first file.
pub(super) fn changed(archive: &[u8]) -> Vec<u8> {
    let mut changed = archive.to_vec();
    changed[512] ^= 1;
    changed
}
