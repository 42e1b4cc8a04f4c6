//! An image as a layout of OCI or an archive of `docker save`.

use std::path::Path;

use super::{Outcome, folder_of, is_archive};
use crate::build::{add_files, unwritable};
use crate::cli::Failure;
use crate::cli::files::Directory;
use crate::cli::image::Image;
use crate::cli::progress;
use crate::convert::media::LayerForm;
use crate::convert::{ImageSource, layout_of_store, write_layout, write_saved};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::store::{FileKind, Files as _, classify, path_of};

/// Writes the image as an image layout, with the artifact that holds what OCI cannot say.
pub(super) fn to_layout(image: &Image, output: &Path, form: LayerForm) -> Result<Outcome, Failure> {
    let source = source(image);
    // Layers that are compressed are read once, and what comes of them is copied.
    let _shown = progress::show("writing", source.files.iter().map(|(_, size, _)| size).sum());
    let place = (output, is_archive(output, "tar"));
    let exported = write_layout(&source, place, form, &folder_of(output))?;
    Ok(Outcome { digest: Digest::of(&exported.manifest).to_string(), changes: exported.losses })
}

/// Writes the image as `docker save` would.
pub(super) fn to_docker(image: &Image, output: &Path) -> Result<Outcome, Failure> {
    let source = source(image);
    let _shown = progress::show("writing", image.manifest.layers.iter().map(|layer| layer.size).sum());
    let exported = write_saved(&source, output)?;
    Ok(Outcome { digest: Digest::of(&exported.config).to_string(), changes: exported.losses })
}

/// Adds to a store what makes it an image layout: the documents of all its images, and last the index.
pub(super) fn make_layout(store: &Path) -> Result<(), Failure> {
    let listed = Directory::at(store).list().map_err(|error| Failure::Error(error.to_string()))?;
    let mut images = Vec::new();
    for id in listed.iter().filter_map(|file| match classify(&file.path, &Limits::FORMAT) {
        Ok(FileKind::Manifest(id)) => Some(id),
        _ => None,
    }) {
        let image = Image::open(&format!("{}@{id}", store.display()))?;
        let is_missing = |layer: &&crate::manifest::Layer| {
            let path = path_of(&FileKind::Blob(layer.digest));
            !listed.iter().any(|file| file.path == path && file.irregular.is_none())
        };
        if let Some(layer) = image.manifest.layers.iter().find(is_missing) {
            let what = format!("the layer {} of the image {id} does not stand in `blobs`", layer.digest);
            let shown = store.display();
            return Err(Failure::Refused(format!("{shown}: {what}, so the store is no image layout")));
        }
        images.push((id, image.manifest));
    }
    add_files(store, &layout_of_store(images)).map_err(unwritable(&store.join("index.json"))).map_err(Failure::from)
}

fn source(image: &Image) -> ImageSource<'_> {
    ImageSource { id: image.id, manifest: &image.manifest, bytes: &image.source, files: image.files() }
}
