//! Images in memory.

use std::collections::BTreeMap;
use std::io::{self, Read};

use cornercast::digest::Digest;
use cornercast::layer::{Attributes, Entry, LayerWriter, Node, Tree, write_line};
use cornercast::manifest::{Layer, ListingDescriptor};
use cornercast::store::{FileKind, Files, Listed, MARKER, path_of};

/// A store with one image.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) id: Digest,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Files for Store {
    fn list(&self) -> io::Result<Vec<Listed>> {
        Ok(self.files.keys().map(|path| Listed { path: path.clone(), irregular: None }).collect())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        self.files.get(path).map(|bytes| Box::new(bytes.as_slice()) as _).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Store {
    /// A store with an image of layers, each with its listing, that is said to merge to `tree`.
    pub(crate) fn new(layers: &[(Vec<u8>, Vec<u8>)], tree: &Tree) -> Self {
        let mut files = BTreeMap::from([(path_of(&FileKind::Marker), MARKER.to_vec())]);
        let mut descriptors = Vec::new();
        for (layer, listing) in layers {
            for blob in [layer, listing] {
                files.insert(path_of(&FileKind::Blob(Digest::of(blob))), blob.clone());
            }
            let listing = ListingDescriptor { digest: Digest::of(listing), size: listing.len() as u64 };
            descriptors.push(Layer { digest: Digest::of(layer), size: layer.len() as u64, listing });
        }
        // Written out, since `build_manifest` refuses what a hostile image may say. The members are sorted.
        let rootfs = tree.summary();
        let manifest = serde_json::json!({
            "cornercast": "1.0", "kind": "image", "layers": descriptors, "name": "example.com/a",
            "platform": {"architecture": "amd64", "os": "linux"},
            "rootfs": {"digest": rootfs.digest, "entries": rootfs.entries, "size": rootfs.size}, "version": "1.0.0",
        });
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let id = Digest::of(&manifest);
        files.insert(path_of(&FileKind::Manifest(id)), manifest);
        Self { id, files }
    }

    /// Writes the store to a directory.
    pub(crate) fn write(&self, folder: &std::path::Path) {
        for (path, bytes) in &self.files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
}

/// Entries of a layer in their order, and the contents of the files by path.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    pub(crate) entries: Vec<Entry>,
    pub(crate) contents: BTreeMap<String, Vec<u8>>,
}

/// Attributes with this mode, and otherwise none that stand out.
pub(crate) fn mode(mode: u32) -> Attributes {
    Attributes { mode, mtime: 1_700_000_000, ..Attributes::default() }
}

impl Sample {
    fn add(mut self, path: &str, node: Node) -> Self {
        self.entries.push(Entry { path: path.to_owned(), node });
        self
    }

    pub(crate) fn dir(self, path: &str, attributes: Attributes) -> Self {
        self.add(path, Node::Dir { attributes, opaque: false })
    }

    pub(crate) fn opaque(self, path: &str, attributes: Attributes) -> Self {
        self.add(path, Node::Dir { attributes, opaque: true })
    }

    pub(crate) fn file(mut self, path: &str, attributes: Attributes, content: &[u8]) -> Self {
        self.contents.insert(path.to_owned(), content.to_vec());
        self.add(path, Node::File { attributes, size: content.len() as u64, sha256: Digest::of(content) })
    }

    /// Another name of the file `target`.
    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        let file = self.entries.iter().find(|entry| entry.path == target).map(|entry| &entry.node);
        let Some(Node::File { attributes, size, sha256 }) = file.cloned() else { panic!("{target} is no file") };
        self.add(path, Node::Hardlink { attributes, size, sha256, target: target.to_owned() })
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        self.add(path, Node::Symlink { uid: 1000, gid: 1001, mtime: 1_600_000_000, target: target.to_owned() })
    }

    pub(crate) fn whiteout(self, path: &str) -> Self {
        self.add(path, Node::Whiteout)
    }

    pub(crate) fn layer(&self) -> Vec<u8> {
        let mut writer = LayerWriter::new(Vec::new());
        for entry in &self.entries {
            let content = self.contents.get(&entry.path).map(Vec::as_slice).unwrap_or_default();
            writer.entry(entry, &mut &*content).unwrap();
        }
        writer.finish().unwrap()
    }

    pub(crate) fn listing(&self) -> Vec<u8> {
        let mut listing = Vec::new();
        for Entry { path, node } in &self.entries {
            write_line(&mut listing, path, node);
        }
        listing
    }
}

pub(crate) fn merged(layers: &[Sample]) -> Tree {
    let mut tree = Tree::default();
    for layer in layers {
        tree.merge(layer.entries.clone());
    }
    tree
}

pub(crate) fn image(layers: &[Sample]) -> Store {
    let blobs: Vec<(Vec<u8>, Vec<u8>)> = layers.iter().map(|layer| (layer.layer(), layer.listing())).collect();
    Store::new(&blobs, &merged(layers))
}
