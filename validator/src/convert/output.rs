//! An image as a layout of OCI or an archive of `docker save`, in files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::compress::compress;
use super::export::{
    Exported, LAYOUT, Stored, artifact, blob_path, docker_config, docker_layer, docker_manifest, export, index,
};
use super::media::{self, LayerForm};
use crate::build::{BuildError, Opener, OutputFiles, PathFiles, private_in, write_folder, write_tar};
use crate::digest::{Digest, HashingWriter};
use crate::limits::Limits;
use crate::manifest::{Layer, Manifest};
use crate::store::{FileKind, path_of};

/// An image that is exported.
pub struct ImageSource<'a> {
    /// The image id.
    pub id: Digest,
    /// The manifest.
    pub manifest: &'a Manifest,
    /// The bytes of the manifest.
    pub bytes: &'a [u8],
    /// The other files of a store that belong to the image, in the order of an archive.
    pub files: OutputFiles<'a>,
}

/// Writes the image as an image layout, with the artifact that holds what OCI cannot say (OCI-120 to OCI-126): into
/// the tar archive `output`, or into a new folder. Compressed layers are in temporary files in `folder` before.
///
/// # Errors
///
/// Errors of reading the image and of writing; a folder that is there and not empty.
pub fn write_layout(
    source: &ImageSource<'_>,
    (output, is_archive): (&Path, bool),
    form: LayerForm,
    folder: &Path,
) -> Result<Exported, BuildError> {
    let ImageSource { id, manifest, bytes, files: own } = source;
    let compressed = compressed(source, form, folder)?;
    let stored = |layer: &Layer| match compressed.get(&layer.digest) {
        Some((stored, _)) => stored.clone(),
        None => plain(layer),
    };
    let layers: Vec<Stored> = manifest.layers.iter().map(stored).collect();
    let exported = export(*id, manifest, &layers);
    let mut seen = BTreeSet::new();
    let distinct = own.iter().filter(|(kind, ..)| seen.insert(kind));
    let others = distinct.map(|(kind, size, open)| in_artifact(manifest, kind, *size, open));
    let others: Vec<Stored> = others.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let artifact = artifact(&exported, manifest, bytes, &others);
    // By path, as in the archive.
    let mut blobs: BTreeMap<String, (u64, Opener<'_>)> = BTreeMap::new();
    for (stored, content) in compressed.values() {
        blobs.insert(blob_path(stored.digest), (stored.size, Box::new(move || Ok(Box::new(content.reopen()?)))));
    }
    for (kind, size, open) in own {
        match kind {
            FileKind::Blob(digest) if compressed.contains_key(digest) => {}
            FileKind::Blob(digest) => {
                blobs.insert(blob_path(*digest), (*size, Box::new(open)));
            }
            _ => {
                let bytes = small(open)?;
                blobs.insert(blob_path(Digest::of(&bytes)), in_memory(bytes));
            }
        }
    }
    for bytes in [bytes, media::EMPTY_CONTENT, &exported.config, &exported.manifest, &artifact.manifest] {
        blobs.insert(blob_path(Digest::of(bytes)), in_memory(bytes.to_vec()));
    }
    let manifests = index([(&exported, Some(&artifact))]);
    let mut files = vec![path_file("oci-layout", LAYOUT.to_vec()), path_file("index.json", manifests)];
    files.extend(blobs.into_iter().map(|(path, (size, open))| (path, size, open)));
    if is_archive {
        write_tar(output, &files)?
    } else {
        write_folder(output, &files)?
    }
    Ok(exported)
}

/// Writes the image as `docker save` would, into the tar archive `output` (OCI-127).
///
/// # Errors
///
/// Errors of reading the image and of writing.
pub fn write_saved(source: &ImageSource<'_>, output: &Path) -> Result<Exported, BuildError> {
    let manifest = source.manifest;
    let exported = export(source.id, manifest, &manifest.layers.iter().map(plain).collect::<Vec<_>>());
    let digest = Digest::of(&exported.config);
    let mut files: PathFiles<'_> = vec![
        path_file("manifest.json", docker_manifest(digest, manifest)),
        path_file(&docker_config(digest), exported.config.clone()),
    ];
    let mut seen = BTreeSet::new();
    for layer in manifest.layers.iter().filter(|layer| seen.insert(layer.digest)) {
        let open = opener(source, layer.digest)?;
        files.push((docker_layer(layer.digest), layer.size, Box::new(open)));
    }
    write_tar(output, &files)?;
    Ok(exported)
}

/// The files that make a store with these images an image layout as well, the index last.
#[must_use]
pub fn layout_of_store<'a>(mut images: Vec<(Digest, Manifest)>) -> PathFiles<'a> {
    images.sort_by_key(|(id, _)| *id);
    let exports: Vec<Exported> = images
        .iter()
        .map(|(id, manifest)| export(*id, manifest, &manifest.layers.iter().map(plain).collect::<Vec<_>>()))
        .collect();
    let documents = exports.iter().flat_map(|exported| [&exported.config, &exported.manifest]);
    let mut files: PathFiles<'a> =
        documents.map(|bytes| path_file(&blob_path(Digest::of(bytes)), bytes.clone())).collect();
    files.push(path_file("oci-layout", LAYOUT.to_vec()));
    files.push(path_file("index.json", index(exports.iter().map(|exported| (exported, None)))));
    files
}

/// The distinct layers of an image, compressed into temporary files.
fn compressed(
    source: &ImageSource<'_>,
    form: LayerForm,
    folder: &Path,
) -> Result<BTreeMap<Digest, (Stored, NamedTempFile)>, BuildError> {
    let mut out = BTreeMap::new();
    if form == LayerForm::Plain {
        return Ok(out);
    }
    for layer in &source.manifest.layers {
        if out.contains_key(&layer.digest) {
            continue;
        }
        let open = opener(source, layer.digest)?;
        let made = private_in(folder).and_then(|mut file| {
            let hasher = {
                let mut hashing = HashingWriter::new(io::BufWriter::new(file.as_file_mut()));
                compress(form, layer.size, &mut open()?, &mut hashing)?;
                hashing.flush()?;
                hashing.hasher
            };
            let (size, digest) = (hasher.size(), hasher.finish());
            Ok((Stored { media_type: form.media_type().to_owned(), digest, size, path: None }, file))
        });
        let what = format!("the layer {} cannot be compressed", layer.digest);
        out.insert(layer.digest, made.map_err(BuildError::io(what))?);
    }
    Ok(out)
}

/// How the blob of an image is read.
fn opener<'a>(source: &'a ImageSource<'_>, digest: Digest) -> Result<&'a Opener<'a>, BuildError> {
    let found = source.files.iter().find(|(kind, ..)| *kind == FileKind::Blob(digest));
    found.map(|(_, _, open)| open).ok_or_else(|| BuildError::Refused(format!("the blob {digest} is missing")))
}

fn plain(layer: &Layer) -> Stored {
    let media_type = LayerForm::Plain.media_type().to_owned();
    Stored { media_type, digest: layer.digest, size: layer.size, path: None }
}

/// A file of the store as a layer of the artifact; the layers of the image are not in it.
fn in_artifact(
    manifest: &Manifest,
    kind: &FileKind,
    size: u64,
    open: &Opener<'_>,
) -> Result<Option<Stored>, BuildError> {
    let FileKind::Blob(digest) = kind else {
        let stored = Stored::of(media::STORE_FILE, &small(open)?);
        return Ok(Some(Stored { path: Some(path_of(kind)), ..stored }));
    };
    let attachment = manifest.attachments.iter().find(|attachment| attachment.digest == *digest);
    let is_listing = manifest.layers.iter().any(|layer| layer.listing.digest == *digest);
    let media_type = match attachment {
        Some(attachment) => attachment.media_type.clone(),
        None if is_listing => media::LISTING.to_owned(),
        None => return Ok(None),
    };
    Ok(Some(Stored { media_type, digest: *digest, size, path: None }))
}

/// The bytes of a small file of a store: an envelope, a proof, an index.
fn small(open: &Opener<'_>) -> Result<Vec<u8>, BuildError> {
    let mut bytes = Vec::new();
    let read = open().and_then(|content| content.take(Limits::FORMAT.document).read_to_end(&mut bytes));
    read.map_err(BuildError::io("a file beside the image"))?;
    Ok(bytes)
}

fn in_memory<'a>(bytes: Vec<u8>) -> (u64, Opener<'a>) {
    (bytes.len() as u64, Box::new(move || Ok(Box::new(io::Cursor::new(bytes.clone())))))
}

fn path_file<'a>(path: &str, bytes: Vec<u8>) -> (String, u64, Opener<'a>) {
    let (size, open) = in_memory(bytes);
    (path.to_owned(), size, open)
}
