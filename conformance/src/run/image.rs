//! The image of a case: the probe and a small tree, packed with the reference library.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use cornercast::digest::Digest;
use cornercast::input::Kind;
use cornercast::json::to_canonical;
use cornercast::layer::{Attributes, Entry, LayerWriter, ListingKind, Node, Tree, Xattrs, read_listing, write_line};
use cornercast::limits::Limits;
use cornercast::manifest::{
    App, Descriptor, FORMAT_VERSION, ImageKind, Isolation, Layer, ListingDescriptor, Manifest, Platform, Rootfs, Stop,
    User,
};
use cornercast::store::{FileKind, MARKER, path_of};

use super::Scenario;
use crate::builtin;

/// Where the probe is in the image.
const PROBE: &str = "/usr/lib/cornercast/probe";

/// An image in a store.
#[derive(Debug)]
pub struct PackedImage {
    /// The image id.
    pub id: Digest,
    /// The manifest.
    pub manifest: Manifest,
    /// The lines of the merged listing, without newlines.
    pub listing: Vec<String>,
}

/// The entries of a layer with the files' contents, depth first.
#[derive(Default)]
struct Contents(BTreeMap<String, (Entry, Vec<u8>)>);

impl Contents {
    fn put(&mut self, path: &str, node: Node, content: &[u8]) {
        // U+0000 for `/` sorts a directory's entries right after it.
        self.0.insert(path.replace('/', "\0"), (Entry { path: path.to_owned(), node }, content.to_vec()));
    }

    fn dir(&mut self, path: &str, mode: u32, (uid, gid): (u32, u32), mtime: u64) {
        let attributes = Attributes { mode, uid, gid, mtime, xattrs: Xattrs::new() };
        self.put(path, Node::Dir { attributes, opaque: false }, b"");
    }

    fn file(&mut self, path: &str, attributes: Attributes, content: &[u8]) {
        let node = Node::File { attributes, size: content.len() as u64, sha256: Digest::of(content) };
        self.put(path, node, content);
    }

    fn hardlink(&mut self, path: &str, target: &str, attributes: Attributes, content: &[u8]) {
        let (size, sha256) = (content.len() as u64, Digest::of(content));
        self.put(path, Node::Hardlink { attributes, size, sha256, target: target.to_owned() }, b"");
    }

    fn symlink(&mut self, path: &str, target: &str, (uid, gid): (u32, u32), mtime: u64) {
        self.put(path, Node::Symlink { uid, gid, mtime, target: target.to_owned() }, b"");
    }
}

/// Packs the image of `scenario` into a new store at `store`.
///
/// # Errors
///
/// Errors of the file system, and of a tree that is no layer.
pub(super) fn pack(scenario: &Scenario, probe: &[u8], store: &Path) -> io::Result<PackedImage> {
    let contents = contents(scenario, probe);
    let mut writer = LayerWriter::new(Vec::new());
    let mut listing = Vec::new();
    for (entry, content) in contents.0.values() {
        writer.entry(entry, &mut content.as_slice())?;
        write_line(&mut listing, &entry.path, &entry.node);
    }
    let layer = writer.finish()?;
    let mut tree = Tree::default();
    tree.merge(read_listing(&listing, ListingKind::Layer, &Limits::FORMAT).entries);
    let manifest = manifest(scenario, &layer, &listing, &tree);
    let bytes = serde_json::to_value(&manifest)?;
    let bytes = to_canonical(&bytes).ok_or_else(|| io::Error::other("the manifest has no canonical form"))?;
    let id = Digest::of(&bytes);
    for (kind, bytes) in [
        (FileKind::Marker, MARKER),
        (FileKind::Manifest(id), &bytes),
        (FileKind::Blob(Digest::of(&listing)), &listing),
        (FileKind::Blob(Digest::of(&layer)), &layer),
    ] {
        let path = store.join(path_of(&kind));
        fs::create_dir_all(path.parent().unwrap_or(store))?;
        fs::write(path, bytes)?;
    }
    let mut lines = Vec::new();
    tree.for_each_line(|line| lines.push(String::from_utf8_lossy(line).trim_end_matches('\n').to_owned()));
    Ok(PackedImage { id, manifest, listing: lines })
}

/// Has the reference check a store.
///
/// # Errors
///
/// If it finds anything: then the suite is wrong, not the runtime.
pub(super) fn check(store: &Path) -> io::Result<()> {
    let findings = builtin::findings(store, Kind::Store)?;
    match findings.list().first() {
        None => Ok(()),
        Some(finding) => {
            let message = format!("the suite made an image that breaks {}: {}", finding.id, finding.message);
            Err(io::Error::other(message))
        }
    }
}

fn manifest(scenario: &Scenario, layer: &[u8], listing: &[u8], tree: &Tree) -> Manifest {
    let owned = |strings: &[&str]| strings.iter().map(|string| (*string).to_owned()).collect::<Vec<String>>();
    let summary = tree.summary();
    let layer = Descriptor { digest: Digest::of(layer), size: layer.len() as u64 };
    Manifest {
        cornercast: FORMAT_VERSION.to_owned(),
        kind: ImageKind::Image,
        name: "example.com/conformance/probe".to_owned(),
        version: "1.0.0".to_owned(),
        platform: Platform { os: "linux".to_owned(), architecture: architecture().to_owned(), variant: None },
        app: Some(App {
            exec: [owned(&[PROBE]), owned(scenario.exec)].concat(),
            arguments: owned(scenario.arguments),
            user: User { uid: 0, gid: 0, supplementary_gids: Vec::new() },
            working_directory: "/".to_owned(),
            environment: scenario
                .environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            stop: Stop::default(),
            ports: Vec::new(),
            mounts: Vec::new(),
            isolation: Isolation::default(),
        }),
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

/// This machine's processor, as Go calls it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "loongarch64" => "loong64",
        other => other,
    }
}

/// A tree in which every kind of entry, and every attribute that an unpacker can lose, stands once.
fn contents(scenario: &Scenario, probe: &[u8]) -> Contents {
    let plain = |mode, mtime| Attributes { mode, mtime, ..Attributes::default() };
    let mut tree = Contents::default();
    tree.dir("etc", 0o755, (0, 0), 1_000_000_000);
    tree.file("etc/os-release", plain(0o644, 1_000_000_001), b"ID=fixture\n");
    tree.dir("run", 0o755, (0, 0), 1_000_000_002);
    if scenario.mount_points {
        for path in super::MOUNT_POINTS {
            tree.dir(path.trim_start_matches('/'), 0o755, (0, 0), 1_000_000_003);
        }
    }
    tree.dir("srv", 0o755, (0, 0), 0);
    tree.dir("srv/closed", 0o700, (1000, 1001), 1);
    tree.file("srv/closed/empty", Attributes { uid: 1000, gid: 1001, ..plain(0o000, 0) }, b"");
    tree.dir("srv/drop", 0o1777, (0, 0), 1_234_567_890);
    // The last second of a layer is in the year 2242; some file systems end before it.
    tree.file("srv/future", plain(0o644, 4_294_967_296), b"after 32 bits\n");
    let linked = Attributes { uid: 65_534, gid: 65_533, ..plain(0o640, 1_500_000_000) };
    tree.file("srv/grün", linked.clone(), b"one file, two names\n");
    tree.hardlink("srv/linked", "srv/grün", linked, b"one file, two names\n");
    tree.dir("srv/group", 0o2775, (0, 44), 1_234_567_891);
    tree.symlink("srv/nowhere", "/does/../not/exist", (1000, 1001), 1_111_111_111);
    tree.symlink("srv/up", "../etc/os-release", (0, 0), 0);
    let xattrs = Xattrs::from([("user.fixture".to_owned(), b"\0\xFFvalue".to_vec())]);
    tree.file("srv/attributes", Attributes { xattrs, ..plain(0o644, 1_600_000_000) }, b"attributes\n");
    tree.dir("usr", 0o755, (0, 0), 1_700_000_000);
    tree.dir("usr/bin", 0o755, (0, 0), 1_700_000_001);
    tree.file("usr/bin/setuid", Attributes { gid: 44, ..plain(0o6755, 1_700_000_002) }, b"#!/nowhere\n");
    // CAP_NET_BIND_SERVICE, permitted and effective.
    let capability = [[1, 0, 0, 2], [0, 4, 0, 0], [0; 4], [0; 4], [0; 4]].concat();
    let xattrs = Xattrs::from([("security.capability".to_owned(), capability)]);
    tree.file("usr/bin/capable", Attributes { xattrs, ..plain(0o755, 1_700_000_003) }, b"#!/nowhere\n");
    tree.dir("usr/lib", 0o755, (0, 0), 1_700_000_004);
    tree.dir("usr/lib/cornercast", 0o755, (0, 0), 1_700_000_005);
    tree.file(PROBE.trim_start_matches('/'), plain(0o755, 1_700_000_006), probe);
    tree
}
