//! An image as a layout of OCI or an archive of `docker save`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::{Outcome, folder_of, is_archive};
use crate::build::{BuildError, Opener, PathFiles, add_files, private_in, unwritable, write_folder, write_tar};
use crate::cli::Failure;
use crate::cli::files::Directory;
use crate::cli::image::Image;
use crate::cli::progress;
use crate::convert::compress::compress;
use crate::convert::export::{
    Exported, LAYOUT, Stored, artifact, blob_path, docker_config, docker_layer, docker_manifest, export, index,
};
use crate::convert::media::{self, LayerForm};
use crate::digest::{Digest, HashingWriter};
use crate::limits::Limits;
use crate::manifest::Layer;
use crate::store::{FileKind, Files as _, classify, path_of};

/// Writes the image as an image layout, with the artifact that holds what OCI cannot say.
pub(super) fn to_layout(image: &Image, output: &Path, form: LayerForm) -> Result<Outcome, Failure> {
    let compressed = compressed(image, output, form)?;
    let stored = |layer: &Layer| match compressed.get(&layer.digest) {
        Some((stored, _)) => stored.clone(),
        None => plain(layer),
    };
    let layers: Vec<Stored> = image.manifest.layers.iter().map(stored).collect();
    let exported = export(image.id, &image.manifest, &layers);
    let own = image.files();
    let mut seen = BTreeSet::new();
    let distinct = own.iter().filter(|(kind, ..)| seen.insert(kind));
    let others: Vec<Stored> = distinct.filter_map(|(kind, size, open)| in_artifact(image, kind, *size, open)).collect();
    let artifact = artifact(&exported, &image.manifest, &image.source, &others);
    // By path, as in the archive.
    let mut blobs: BTreeMap<String, (u64, Opener<'_>)> = BTreeMap::new();
    for (stored, content) in compressed.values() {
        let path = content.path();
        let open: Opener<'_> = Box::new(move || Ok(Box::new(File::open(path)?)));
        blobs.insert(blob_path(stored.digest), (stored.size, open));
    }
    for (kind, size, open) in own {
        match kind {
            FileKind::Blob(digest) if compressed.contains_key(&digest) => {}
            FileKind::Blob(digest) => {
                blobs.insert(blob_path(digest), (size, open));
            }
            _ => {
                let bytes = read(&open)?;
                blobs.insert(blob_path(Digest::of(&bytes)), in_memory(bytes));
            }
        }
    }
    let digest = Digest::of(&exported.manifest);
    let manifests = index([(&exported, Some(&artifact))]);
    for bytes in [&*image.source, media::EMPTY_CONTENT, &exported.config, &exported.manifest, &artifact.manifest] {
        blobs.insert(blob_path(Digest::of(bytes)), in_memory(bytes.to_vec()));
    }
    let mut files = vec![file("oci-layout", LAYOUT.to_vec()), file("index.json", manifests)];
    files.extend(blobs.into_iter().map(|(path, (size, open))| (path, size, open)));
    write(output, is_archive(output, "tar"), &files)?;
    Ok(Outcome { digest: digest.to_string(), changes: exported.losses })
}

/// Writes the image as `docker save` would.
pub(super) fn to_docker(image: &Image, output: &Path) -> Result<Outcome, Failure> {
    let layers: Vec<Stored> = image.manifest.layers.iter().map(plain).collect();
    let exported = export(image.id, &image.manifest, &layers);
    let digest = Digest::of(&exported.config);
    let mut files = vec![
        file("manifest.json", docker_manifest(digest, &image.manifest)),
        file(&docker_config(digest), exported.config.clone()),
    ];
    for layer in &image.manifest.layers {
        let path = docker_layer(layer.digest);
        if !files.iter().any(|(other, ..)| *other == path) {
            let open = move || -> io::Result<Box<dyn io::Read>> {
                Ok(Box::new(progress::Counted(image.open_blob(layer.digest)?)))
            };
            files.push((path, layer.size, Box::new(open)));
        }
    }
    write(output, true, &files)?;
    Ok(Outcome { digest: digest.to_string(), changes: exported.losses })
}

/// Adds to a store what makes it an image layout: the documents of all its images, and last the index.
pub(super) fn make_layout(store: &Path) -> Result<(), Failure> {
    let listed = Directory(store.to_owned()).list().map_err(|error| Failure::Error(error.to_string()))?;
    let mut files: PathFiles<'_> = Vec::new();
    let mut exports: Vec<Exported> = Vec::new();
    for id in listed.iter().filter_map(|file| match classify(&file.path, &Limits::FORMAT) {
        Ok(FileKind::Manifest(id)) => Some(id),
        _ => None,
    }) {
        let image = Image::open(&format!("{}@{id}", store.display()))?;
        for layer in &image.manifest.layers {
            if !store.join(path_of(&FileKind::Blob(layer.digest))).is_file() {
                let message = format!(
                    "{}: the layer {} of the image {id} does not stand in `blobs`, so the store cannot be an image layout",
                    store.display(),
                    layer.digest
                );
                return Err(Failure::Refused(message));
            }
        }
        let layers: Vec<Stored> = image.manifest.layers.iter().map(plain).collect();
        exports.push(export(image.id, &image.manifest, &layers));
    }
    exports.sort_by(|a, b| a.manifest.cmp(&b.manifest));
    for exported in &exports {
        for bytes in [&exported.config, &exported.manifest] {
            files.push(file(&blob_path(Digest::of(bytes)), bytes.clone()));
        }
    }
    files.push(file("oci-layout", LAYOUT.to_vec()));
    files.push(file("index.json", index(exports.iter().map(|exported| (exported, None)))));
    add_files(store, &files).map_err(unwritable(&store.join("index.json"))).map_err(Failure::from)
}

/// The distinct layers of an image, compressed into temporary files.
fn compressed(
    image: &Image,
    output: &Path,
    form: LayerForm,
) -> Result<BTreeMap<Digest, (Stored, NamedTempFile)>, Failure> {
    let mut out = BTreeMap::new();
    if form == LayerForm::Plain {
        return Ok(out);
    }
    let folder = folder_of(output);
    let _shown = progress::show("compressing", image.manifest.layers.iter().map(|layer| layer.size).sum());
    for layer in &image.manifest.layers {
        if out.contains_key(&layer.digest) {
            continue;
        }
        let what = format!("the layer {} cannot be compressed", layer.digest);
        let made = private_in(&folder).and_then(|mut file| {
            let mut content = progress::Counted(image.open_blob(layer.digest)?);
            let hasher = {
                let mut hashing = HashingWriter::new(io::BufWriter::new(file.as_file_mut()));
                compress(form, layer.size, &mut content, &mut hashing)?;
                hashing.flush()?;
                hashing.hasher
            };
            let (size, digest) = (hasher.size(), hasher.finish());
            Ok((Stored { media_type: form.media_type().to_owned(), digest, size, path: None }, file))
        });
        out.insert(layer.digest, made.map_err(BuildError::io(what))?);
    }
    Ok(out)
}

fn plain(layer: &Layer) -> Stored {
    let media_type = LayerForm::Plain.media_type().to_owned();
    Stored { media_type, digest: layer.digest, size: layer.size, path: None }
}

/// A file of the store as a layer of the artifact; the layers of the image are not in it.
fn in_artifact(image: &Image, kind: &FileKind, size: u64, open: &Opener<'_>) -> Option<Stored> {
    let manifest = &image.manifest;
    match kind {
        FileKind::Blob(digest) => {
            let attachment = manifest.attachments.iter().find(|attachment| attachment.digest == *digest);
            let is_listing = manifest.layers.iter().any(|layer| layer.listing.digest == *digest);
            let media_type = match attachment {
                Some(attachment) => attachment.media_type.clone(),
                None if is_listing => media::LISTING.to_owned(),
                None => return None,
            };
            Some(Stored { media_type, digest: *digest, size, path: None })
        }
        other => {
            let stored = Stored::of(media::STORE_FILE, &read(open).ok()?);
            Some(Stored { path: Some(path_of(other)), ..stored })
        }
    }
}

/// A small file of a store: an envelope, a proof, an index.
fn read(open: &Opener<'_>) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let limit = Limits::FORMAT.document;
    open()
        .and_then(|content| io::Read::read_to_end(&mut io::Read::take(content, limit), &mut bytes))
        .map_err(|error| Failure::Error(error.to_string()))?;
    Ok(bytes)
}

fn in_memory<'a>(bytes: Vec<u8>) -> (u64, Opener<'a>) {
    (bytes.len() as u64, Box::new(move || Ok(Box::new(io::Cursor::new(bytes.clone())))))
}

fn file<'a>(path: &str, bytes: Vec<u8>) -> (String, u64, Opener<'a>) {
    let (size, open) = in_memory(bytes);
    (path.to_owned(), size, open)
}

fn write(output: &Path, is_archive: bool, files: &PathFiles<'_>) -> Result<(), Failure> {
    let _shown = progress::show("writing", files.iter().map(|(_, size, _)| size).sum());
    let written = if is_archive { write_tar(output, files) } else { write_folder(output, files) };
    written.map_err(Failure::from)
}
