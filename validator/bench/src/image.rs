//! The images that are measured, made from a fixed seed.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use cornercast::build::{Built, ManifestInput, build_manifest};
use cornercast::digest::{Digest, HashingWriter};
use cornercast::layer::{Attributes, Entry, LayerWriter, Node, Tree, write_line};
use cornercast::limits::Limits;
use cornercast::manifest::{Layer, ListingDescriptor};
use cornercast::store::{ArchiveWriter, FileKind, MARKER, path_of};
use serde_json::Value;

use crate::plan::{self, plan_of};
use crate::signed::sign_image;

/// What an image consists of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) layers: usize,
    /// Files in each layer.
    files: usize,
    /// Bytes of files in each layer.
    bytes: u64,
}

/// The images of the benchmark; the sizes are those of the layers together.
pub(crate) const SHAPES: [Shape; 7] = [
    Shape { name: "1-mb", layers: 1, files: 20, bytes: 1_000_000 },
    Shape { name: "5-mb", layers: 1, files: 100, bytes: 5_000_000 },
    Shape { name: "40-mb", layers: 1, files: 800, bytes: 40_000_000 },
    Shape { name: "390-mb-4-layers", layers: 4, files: 2_000, bytes: 97_500_000 },
    Shape { name: "390-mb-1-layer", layers: 1, files: 8_000, bytes: 390_000_000 },
    Shape { name: "2.2-gb-8-layers", layers: 8, files: 4_000, bytes: 275_000_000 },
    Shape { name: "200000-tiny-files", layers: 1, files: 200_000, bytes: 200_000_000 },
];

/// How blobs are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Zstd,
}

impl Encoding {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Zstd => "zstd",
        }
    }
}

/// Makes the store of an image in `folder`, unless it is there.
///
/// Its plan has a list for each layer: the places of the files in it.
pub(crate) fn make(folder: &Path, shape: &Shape, encoding: Encoding) -> io::Result<PathBuf> {
    let store = folder.join(format!("{}-{}", shape.name, encoding.name()));
    if store.is_dir() {
        return Ok(store);
    }
    let unfinished = folder.join(format!("{}-{}.unfinished", shape.name, encoding.name()));
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    let write = |kind: &FileKind, bytes: &[u8]| {
        let path = unfinished.join(path_of(kind));
        fs::create_dir_all(path.parent().unwrap_or(&unfinished))?;
        fs::write(path, bytes)
    };
    write(&FileKind::Marker, MARKER)?;
    let mut plan = BufWriter::new(File::create(plan_of(&store))?);
    let (mut tree, mut layers) = (Tree::default(), Vec::new());
    for number in 0..shape.layers {
        let made = make_layer(&unfinished, shape, number, encoding, &mut plan)?;
        write_blob(&unfinished, made.descriptor.listing.digest, &made.listing, encoding)?;
        layers.push(made.descriptor);
        tree.merge(made.entries);
    }
    plan.flush()?;
    let limits = Limits::FORMAT;
    let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidData, error);
    let input = ManifestInput::parse(MANIFEST.as_bytes(), &limits).map_err(|error| invalid(error.to_string()))?;
    let built: Built = build_manifest(&input, None, &layers, tree.summary(), &limits)
        .map_err(|violations| invalid(format!("{violations:?}")))?;
    write(&FileKind::Manifest(built.id), &built.manifest)?;
    sign_image(&unfinished)?;
    fs::rename(&unfinished, &store)?;
    Ok(store)
}

/// Makes an archive of a store whose blobs stand as they are, unless it is there.
///
/// Its plan has two lists: the places of the blobs, and those of the files in all of them.
pub(crate) fn make_archive(store: &Path, encoding: Encoding) -> io::Result<PathBuf> {
    let name = store.file_name().unwrap_or_default().to_string_lossy().replace("identity", encoding.name());
    let path = store.with_file_name(format!("{name}.ccast"));
    if path.is_file() {
        return Ok(path);
    }
    let unfinished = path.with_extension("unfinished");
    let mut out = ArchiveWriter::new(Stored::new(File::create(&unfinished)?, encoding)?)?;
    let mut at = padded(MARKER.len() as u64);
    // Where it stands in the archive, if it does not get compressed.
    let mut add = |kind: &FileKind, path: &Path| {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let start = at + HEADER;
        at += padded(size);
        out.file(kind, size, &mut file).map(|()| (start, size))
    };
    let manifest = manifest_of(store)?;
    add(&FileKind::Manifest(Digest::of(&fs::read(&manifest)?)), &manifest)?;
    let (kind, envelope) = sign_image(store)?;
    add(&kind, &envelope)?;
    let mut plan = plan::read(store)?;
    let (mut blobs, mut files) = (Vec::new(), Vec::new());
    for (listing, layer) in layers(store)? {
        let mut add = |digest| add(&FileKind::Blob(digest), &store.join(path_of(&FileKind::Blob(digest))));
        blobs.push(add(listing)?);
        let (start, size) = add(layer)?;
        blobs.push((start, size));
        files.extend(plan.next().into_iter().flatten().map(|(at, size)| (start + at, size)));
    }
    out.finish()?.finish()?;
    let mut plan = BufWriter::new(File::create(plan_of(&path))?);
    plan::write(&mut plan, &blobs)?;
    plan::write(&mut plan, &files)?;
    plan.flush()?;
    fs::rename(&unfinished, &path)?;
    Ok(path)
}

/// Bytes of a header of an archive.
const HEADER: u64 = 512;

/// What a file of `size` bytes takes in an archive.
fn padded(size: u64) -> u64 {
    HEADER + size.next_multiple_of(512)
}

/// Where the only manifest of a store is.
pub(crate) fn manifest_of(store: &Path) -> io::Result<PathBuf> {
    let images = store.join("images/sha256").read_dir()?.collect::<io::Result<Vec<_>>>()?;
    let [image] = images.as_slice() else { return Err(io::Error::other("there is not one image")) };
    Ok(image.path())
}

/// The listing and the layer that each layer of a store's manifest names.
pub(crate) fn layers(store: &Path) -> io::Result<Vec<(Digest, Digest)>> {
    let manifest: Value = serde_json::from_slice(&fs::read(manifest_of(store)?)?)?;
    let layers = manifest.pointer("/layers").and_then(Value::as_array).cloned().unwrap_or_default();
    let pairs = layers.iter().map(|layer| {
        let digest = |pointer| Digest::parse(layer.pointer(pointer)?.as_str()?);
        Some((digest("/listing/digest")?, digest("/digest")?))
    });
    pairs.collect::<Option<_>>().ok_or_else(|| io::Error::other("a digest is missing"))
}

const MANIFEST: &str = r#"
name = "example.com/benchmark"
version = "1.0.0"

[platform]
os = "linux"
architecture = "amd64"

[app]
exec = ["/bin/program"]
user = { uid = 0, gid = 0 }
"#;

struct Made {
    descriptor: Layer,
    listing: Vec<u8>,
    entries: Vec<Entry>,
}

fn make_layer(
    store: &Path,
    shape: &Shape,
    number: usize,
    encoding: Encoding,
    plan: &mut impl Write,
) -> io::Result<Made> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ (number as u64 + 1));
    let sizes = sizes(&mut random, shape);
    let temporary = store.join("layer");
    let out = Stored::new(File::create(&temporary)?, encoding)?;
    let mut writer = LayerWriter::new(HashingWriter::new(out));
    let (mut entries, mut places) = (Vec::new(), Vec::new());
    let attributes = |mode| Attributes { mode, mtime: 1_700_000_000, ..Attributes::default() };
    let directory = || Node::Dir { attributes: attributes(0o755), opaque: false };
    let mut files = Vec::new();
    if number == 0 {
        files.push(("bin".to_owned(), "program".to_owned(), 0o755));
    }
    for index in 0..sizes.len() - files.len() {
        let folder = format!("usr/share/package-{number}-{:04}", index / 50);
        files.push((folder, format!("file-{:02}.data", index % 50), 0o644));
    }
    let mut last = String::new();
    for ((folder, name, mode), size) in files.into_iter().zip(sizes) {
        if folder != last {
            for (end, _) in folder.match_indices('/').chain([(folder.len(), "")]) {
                let parent = folder.get(..end).unwrap_or_default();
                if !format!("{last}/").starts_with(&format!("{parent}/")) {
                    let entry = Entry { path: parent.to_owned(), node: directory() };
                    writer.entry(&entry, &mut io::empty())?;
                    entries.push(entry);
                }
            }
            last.clone_from(&folder);
        }
        let path = format!("{folder}/{name}");
        let attributes = attributes(mode);
        let sha256 =
            writer.file(&path, &attributes, size, &mut Content { random: Random(random.next()), left: size })?;
        let end = writer.get_ref().hasher.size();
        places.push((end - size - (size.wrapping_neg() % 512), size));
        entries.push(Entry { path, node: Node::File { attributes, size, sha256 } });
    }
    let HashingWriter { out, hasher } = writer.finish()?;
    out.finish()?;
    plan::write(plan, &places)?;
    let mut listing = Vec::new();
    for entry in &entries {
        write_line(&mut listing, &entry.path, &entry.node);
    }
    let size = hasher.size();
    let digest = hasher.finish();
    let path = store.join(path_of(&blob_kind(digest, encoding)));
    fs::create_dir_all(path.parent().unwrap_or(store))?;
    fs::rename(temporary, path)?;
    let described = ListingDescriptor { digest: Digest::of(&listing), size: listing.len() as u64 };
    Ok(Made { descriptor: Layer { digest, size, listing: described }, listing, entries })
}

/// The sizes of a layer's files: many small ones and a few large ones, as in an operating system.
fn sizes(random: &mut Random, shape: &Shape) -> Vec<u64> {
    let weights: Vec<u64> = (0..shape.files)
        .map(|_| {
            let weight = 1 + random.next() % 1_000;
            if shape.files >= 100_000 { weight } else { weight * weight * weight / 1_000 + 1 }
        })
        .collect();
    let total: u64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight * shape.bytes / total).collect()
}

fn blob_kind(digest: Digest, encoding: Encoding) -> FileKind {
    match encoding {
        Encoding::Identity => FileKind::Blob(digest),
        Encoding::Zstd => FileKind::Packed(digest),
    }
}

fn write_blob(store: &Path, digest: Digest, bytes: &[u8], encoding: Encoding) -> io::Result<()> {
    let path = store.join(path_of(&blob_kind(digest, encoding)));
    fs::create_dir_all(path.parent().unwrap_or(store))?;
    let mut out = Stored::new(File::create(path)?, encoding)?;
    out.write_all(bytes)?;
    out.finish()
}

/// A file that is written as it is, or as a Zstandard frame of the library's default level.
enum Stored {
    Plain(BufWriter<File>),
    Packed(zstd::Encoder<'static, BufWriter<File>>),
}

impl Stored {
    fn new(file: File, encoding: Encoding) -> io::Result<Self> {
        let out = BufWriter::with_capacity(1 << 20, file);
        Ok(match encoding {
            Encoding::Identity => Self::Plain(out),
            Encoding::Zstd => Self::Packed(zstd::Encoder::new(out, 3)?),
        })
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut out) => out.flush(),
            Self::Packed(out) => out.finish()?.flush(),
        }
    }
}

impl Write for Stored {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Packed(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Packed(out) => out.flush(),
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }
}

/// The content of a file: of each 64 bytes, 24 are random and 40 repeat a word, so that it packs to
/// about half, as programs and documents do.
struct Content {
    random: Random,
    left: u64,
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        for piece in buffer.get_mut(..length).unwrap_or_default().chunks_mut(64) {
            let word = self.random.next() % 61;
            for (index, part) in piece.chunks_mut(8).enumerate() {
                let value = if index < 3 { self.random.next() } else { word * 0x0101_0103_0507 };
                part.copy_from_slice(value.to_le_bytes().get(..part.len()).unwrap_or_default());
            }
        }
        self.left -= length as u64;
        Ok(length)
    }
}
