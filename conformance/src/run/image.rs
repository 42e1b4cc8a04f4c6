//! The images of cases: the probe and a small tree, packed with the reference library.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use cornercast::digest::Digest;
use cornercast::json::to_canonical;
use cornercast::layer::{Attributes, Entry, LayerWriter, ListingKind, Node, Tree, Xattrs, read_listing, write_line};
use cornercast::limits::Limits;
use cornercast::manifest::{
    App, Descriptor, FORMAT_VERSION, ImageKind, Isolation, Isolator, Layer, ListingDescriptor, Manifest, Mount,
    Platform, Rootfs, Stop, User,
};
use cornercast::store::{ArchiveWriter, FileKind, MARKER, SignatureSet, path_of};
use cornercast::trust::PayloadType;
pub use cornercast_engine::engine::architecture;
use serde_json::{Value, json};

use crate::fixtures::trust::world;

/// Where the probe is in the image, as a program that looks.
pub const LOOK: &str = "/usr/lib/cornercast/probe";

/// Where it is as a program that acts.
pub const ACT: &str = "/usr/lib/cornercast/act";

/// Where it is as a program that does something before another one.
pub const SHIM: &str = "/usr/lib/cornercast/shim";

/// The key that signs releases of images.
pub const SIGNER: u8 = 1;

/// Where these are.
const PROGRAMS: &str = "usr/lib/cornercast/";

/// What changes a manifest.
type ChangeManifest = Box<dyn Fn(&mut Manifest)>;

/// An image that is being made: a tree that can be changed, and what runs in it.
pub struct Image {
    /// The entries by path, `/` replaced by U+0000, so that those of a directory stand right after it.
    entries: BTreeMap<String, (Entry, Vec<u8>)>,
    /// What runs.
    pub app: App,
    /// Whether the manifest says so.
    pub has_app: bool,
    /// The processor.
    pub architecture: String,
    /// Changes the manifest that would be right.
    pub change: Option<ChangeManifest>,
    /// As what it is packed.
    pub form: Form,
    /// Whether the key [`SIGNER`] has signed a release of it.
    pub is_signed: bool,
}

/// What an image is packed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An archive.
    Archive,
    /// An archive that is compressed.
    Compressed,
    /// A store.
    Store,
}

/// An image that has been packed.
#[derive(Debug, Clone)]
pub struct Packed {
    /// The image id.
    pub id: Digest,
    /// The manifest.
    pub manifest: Manifest,
    /// The lines of the merged listing, without newlines.
    pub listing: Vec<String>,
}

/// Attributes with a mode and a time, of the user 0.
#[must_use]
pub fn plain(mode: u32, mtime: u64) -> Attributes {
    Attributes { mode, mtime, ..Attributes::default() }
}

impl Image {
    /// An image whose tree has every kind of entry, and every attribute that an unpacker can lose, once. It looks.
    #[must_use]
    pub fn new(probe: &[u8]) -> Self {
        let app = App {
            exec: vec![LOOK.to_owned()],
            arguments: Vec::new(),
            user: User { uid: 0, gid: 0, supplementary_gids: Vec::new() },
            working_directory: "/".to_owned(),
            environment: BTreeMap::new(),
            stop: Stop::default(),
            ports: Vec::new(),
            mounts: Vec::new(),
            isolation: Isolation::default(),
        };
        let mut image = Self {
            entries: BTreeMap::new(),
            app,
            has_app: true,
            architecture: architecture().to_owned(),
            change: None,
            form: Form::Archive,
            is_signed: false,
        };
        image.fill(probe);
        image
    }

    /// Has the application do these steps, each an argument that always stands.
    pub fn act(&mut self, steps: &[&str]) {
        let exec = std::iter::once(ACT).chain(steps.iter().copied());
        self.app.exec = exec.map(str::to_owned).collect();
    }

    /// Gives the application a user and group.
    pub fn user(&mut self, uid: u32, gid: u32) {
        self.app.user = User { uid, gid, supplementary_gids: Vec::new() };
    }

    /// Asks for an isolator.
    pub fn isolator(&mut self, name: &str, value: Value, required: bool) {
        self.app.isolation.isolators.insert(name.to_owned(), Isolator { value, required });
    }

    /// A mount with its directory.
    pub fn mount(&mut self, name: &str, path: &str, read_only: bool, required: bool) {
        self.dir(path.trim_start_matches('/'), 0o755, (0, 0), 7);
        let mount = Mount { name: name.to_owned(), path: path.to_owned(), read_only, required };
        self.app.mounts.push(mount);
    }

    /// Puts an entry into the tree, in the place of one that is there.
    pub fn put(&mut self, path: &str, node: Node, content: &[u8]) {
        self.entries.insert(path.replace('/', "\0"), (Entry { path: path.to_owned(), node }, content.to_vec()));
    }

    /// A directory.
    pub fn dir(&mut self, path: &str, mode: u32, (uid, gid): (u32, u32), mtime: u64) {
        let attributes = Attributes { mode, uid, gid, mtime, xattrs: Xattrs::new() };
        self.put(path, Node::Dir { attributes, opaque: false }, b"");
    }

    /// A file.
    pub fn file(&mut self, path: &str, attributes: Attributes, content: &[u8]) {
        let node = Node::File { attributes, size: content.len() as u64, sha256: Digest::of(content) };
        self.put(path, node, content);
    }

    /// Another name of a file.
    pub fn hardlink(&mut self, path: &str, target: &str) {
        let found = self.entries.get(&target.replace('/', "\0"));
        if let Some((Entry { node: Node::File { attributes, size, sha256 }, .. }, _)) = found {
            let (attributes, size, sha256) = (attributes.clone(), *size, *sha256);
            self.put(path, Node::Hardlink { attributes, size, sha256, target: target.to_owned() }, b"");
        }
    }

    /// A symbolic link.
    pub fn symlink(&mut self, path: &str, target: &str, (uid, gid): (u32, u32), mtime: u64) {
        self.put(path, Node::Symlink { uid, gid, mtime, target: target.to_owned() }, b"");
    }

    /// Gives the probe other attributes, under all its names.
    pub fn replace_program(&mut self, attributes: Attributes) {
        for (entry, _) in self.entries.values_mut() {
            let (Node::File { attributes: own, .. } | Node::Hardlink { attributes: own, .. }) = &mut entry.node else {
                continue;
            };
            if entry.path.starts_with(PROGRAMS) {
                *own = attributes.clone();
            }
        }
    }

    /// Removes an entry and everything below.
    pub fn remove(&mut self, path: &str) {
        let below = format!("{path}/");
        self.entries.retain(|_, (entry, _)| entry.path != path && !entry.path.starts_with(&below));
    }

    fn fill(&mut self, probe: &[u8]) {
        self.dir("etc", 0o755, (0, 0), 1_000_000_000);
        self.file("etc/os-release", plain(0o644, 1_000_000_001), b"ID=fixture\n");
        self.dir("run", 0o755, (0, 0), 1_000_000_002);
        for path in ["dev", "proc", "sys"] {
            self.dir(path, 0o755, (0, 0), 1_000_000_003);
        }
        self.dir("srv", 0o755, (0, 0), 0);
        self.dir("srv/closed", 0o700, (1000, 1001), 1);
        self.file("srv/closed/empty", Attributes { uid: 1000, gid: 1001, ..plain(0o000, 0) }, b"");
        self.dir("srv/drop", 0o1777, (0, 0), 1_234_567_890);
        // The last second of a layer is in the year 2242; some file systems end before it.
        self.file("srv/future", plain(0o644, 4_294_967_296), b"after 32 bits\n");
        let linked = Attributes { uid: 65_534, gid: 65_533, ..plain(0o640, 1_500_000_000) };
        self.file("srv/grün", linked, b"one file, two names\n");
        self.hardlink("srv/linked", "srv/grün");
        self.dir("srv/group", 0o2775, (0, 44), 1_234_567_891);
        self.symlink("srv/nowhere", "/does/../not/exist", (1000, 1001), 1_111_111_111);
        self.symlink("srv/up", "../etc/os-release", (0, 0), 0);
        let xattrs = Xattrs::from([("user.fixture".to_owned(), b"\0\xFFvalue".to_vec())]);
        self.file("srv/attributes", Attributes { xattrs, ..plain(0o644, 1_600_000_000) }, b"attributes\n");
        self.dir("usr", 0o755, (0, 0), 1_700_000_000);
        self.dir("usr/bin", 0o755, (0, 0), 1_700_000_001);
        self.file("usr/bin/setuid", Attributes { gid: 44, ..plain(0o6755, 1_700_000_002) }, b"#!/nowhere\n");
        self.file("usr/bin/capable", capable(&[10], 0o755), b"#!/nowhere\n");
        self.dir("usr/lib", 0o755, (0, 0), 1_700_000_004);
        self.dir("usr/lib/cornercast", 0o755, (0, 0), 1_700_000_005);
        self.file(relative(ACT), plain(0o755, 1_700_000_006), probe);
        self.hardlink(relative(LOOK), relative(ACT));
        self.hardlink(relative(SHIM), relative(ACT));
    }

    /// Packs the image into `path`, which is not there yet.
    ///
    /// # Errors
    ///
    /// Errors of the file system, and of a tree that is no layer.
    pub fn pack(&self, path: &Path) -> io::Result<Packed> {
        let mut writer = LayerWriter::new(Vec::new());
        let mut listing = Vec::new();
        for (entry, content) in self.entries.values() {
            writer.entry(entry, &mut content.as_slice())?;
            write_line(&mut listing, &entry.path, &entry.node);
        }
        let layer = writer.finish()?;
        let mut tree = Tree::default();
        tree.merge(read_listing(&listing, ListingKind::Layer, &Limits::FORMAT).entries);
        let mut manifest = self.manifest(&layer, &listing, &tree);
        if let Some(change) = &self.change {
            change(&mut manifest);
        }
        let bytes = to_canonical(&serde_json::to_value(&manifest)?)
            .ok_or_else(|| io::Error::other("the manifest has no canonical form"))?;
        let id = Digest::of(&bytes);
        let envelope = if self.is_signed {
            release(&manifest, Descriptor { digest: id, size: bytes.len() as u64 })
        } else {
            Vec::new()
        };
        let signature = FileKind::Envelope(SignatureSet::Signatures, id, Digest::of(&envelope));
        let files: Vec<(FileKind, &[u8])> = vec![
            (FileKind::Marker, MARKER),
            (FileKind::Manifest(id), &bytes),
            (signature, &envelope),
            (FileKind::Blob(Digest::of(&listing)), &listing),
            (FileKind::Blob(Digest::of(&layer)), &layer),
        ];
        let files = files.into_iter().filter(|(_, bytes)| !bytes.is_empty());
        if self.form == Form::Store {
            for (kind, bytes) in files {
                let path = path.join(path_of(&kind));
                fs::create_dir_all(path.parent().unwrap_or(&path))?;
                fs::write(path, bytes)?;
            }
        } else {
            let mut archive = ArchiveWriter::new(Vec::new())?;
            for (kind, bytes) in files.skip(1) {
                archive.file(&kind, bytes.len() as u64, &mut &*bytes)?;
            }
            let archive = archive.finish()?;
            fs::write(
                path,
                if self.form == Form::Compressed { zstd::encode_all(archive.as_slice(), 1)? } else { archive },
            )?;
        }
        let mut lines = Vec::new();
        tree.for_each_line(|line| lines.push(String::from_utf8_lossy(line).trim_end_matches('\n').to_owned()));
        Ok(Packed { id, manifest, listing: lines })
    }

    fn manifest(&self, layer: &[u8], listing: &[u8], tree: &Tree) -> Manifest {
        let summary = tree.summary();
        let variant = (self.architecture == "arm").then(|| "v7".to_owned());
        let layer = Descriptor { digest: Digest::of(layer), size: layer.len() as u64 };
        Manifest {
            cornercast: FORMAT_VERSION.to_owned(),
            kind: ImageKind::Image,
            name: "example.com/conformance/probe".to_owned(),
            version: "1.0.0".to_owned(),
            platform: Platform { os: "linux".to_owned(), architecture: self.architecture.clone(), variant },
            app: self.has_app.then(|| self.app.clone()),
            layers: vec![Layer {
                digest: layer.digest,
                size: layer.size,
                listing: ListingDescriptor { digest: Digest::of(listing), size: listing.len() as u64 },
            }],
            rootfs: Rootfs { digest: summary.digest, entries: summary.entries, size: summary.size },
            base: None,
            attachments: Vec::new(),
            created: None,
            annotations: BTreeMap::new(),
        }
    }
}

/// The envelope of a release of the image.
fn release(manifest: &Manifest, image: Descriptor) -> Vec<u8> {
    let release = json!({
        "image": image,
        "issued": "2020-02-02T00:00:00Z",
        "name": manifest.name,
        "platform": manifest.platform,
        "version": manifest.version,
    });
    world::envelope(PayloadType::Release, &release, &[SIGNER])
}

/// A path without its first `/`.
fn relative(path: &str) -> &str {
    path.trim_start_matches('/')
}

/// The attributes of a file with these capabilities, permitted and effective.
#[must_use]
pub fn capable(capabilities: &[u32], mode: u32) -> Attributes {
    let bits = capabilities.iter().fold(0_u64, |bits, capability| bits | 1 << capability);
    let mut value = vec![1, 0, 0, 2];
    for half in [bits & 0xFFFF_FFFF, bits >> 32] {
        value.extend(u32::try_from(half).unwrap_or(0).to_le_bytes());
        value.extend([0; 4]);
    }
    let xattrs = Xattrs::from([("security.capability".to_owned(), value)]);
    Attributes { xattrs, ..plain(mode, 1_700_000_003) }
}
