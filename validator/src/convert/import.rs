//! An image of OCI as one of this format.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;

use tempfile::NamedTempFile;

use super::Change;
use super::artifact::{self, Original};
use super::draft::Draft;
use super::found::Found;
use super::layers::{KeptLayers, Layers, Origin};
use super::layout::{self, Wanted, normal};
use super::media;
use super::rootfs::Rootfs;
use crate::build::{BuildError, Built, Content, OutputFiles, SourceNode, SourceTree};
use crate::diagnostic::{Severity, Violation};
use crate::digest::Digest;
use crate::json::to_canonical;
use crate::layer::{Entry, Tree, Walker};
use crate::limits::Limits;
use crate::manifest::{self, Layer, Manifest, Platform, check_rootfs};
use crate::name::{judge_name, judge_version};
use crate::shown::quoted;
use crate::store::FileKind;

/// What whoever imports an image says of it.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The tag of the image, where there are several.
    pub tag: Option<String>,
    /// Where there are several platforms and none is wished, this one is taken.
    pub host: Option<Platform>,
    /// The name.
    pub name: Option<String>,
    /// The version.
    pub version: Option<String>,
    /// The platform.
    pub platform: Option<Platform>,
}

/// Why an image is not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The input is not what it should be, or reading or writing failed.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Something has to be said that the image does not say.
    #[error("{0}")]
    Unsaid(String),
}

/// An image that was imported, in temporary files.
#[derive(Debug)]
pub struct Imported {
    /// The manifest.
    pub built: Built,
    /// What was lost or changed.
    pub changes: Vec<Change>,
    files: Vec<(FileKind, u64, Source)>,
}

/// Where the content of a file is.
#[derive(Debug)]
enum Source {
    Temporary(NamedTempFile),
    Memory(Vec<u8>),
    Part(Content),
}

impl Imported {
    /// The files of a store beside the manifest, in the order of an archive.
    #[must_use]
    pub fn files(&self) -> OutputFiles<'_> {
        let open = |source: &Source| -> io::Result<Box<dyn Read>> {
            Ok(match source {
                Source::Temporary(file) => Box::new(file.reopen()?),
                Source::Memory(bytes) => Box::new(io::Cursor::new(bytes.clone())),
                Source::Part(content) => content.open()?,
            })
        };
        let each = self.files.iter();
        each.map(|(kind, size, source)| (kind.clone(), *size, Box::new(move || open(source)) as _)).collect()
    }
}

/// Imports the image that is wished from `files`, those of an image layout or of images as `docker save` writes them,
/// which have to be checked before (OCI-130). Temporary files are in `folder`; `read` is told of the bytes that have
/// been read. `None` if the files are neither.
///
/// # Errors
///
/// What the format cannot hold, and what is damaged; errors of the file system; a name or version that nothing says.
pub fn import(files: &SourceTree, wish: &Wish, folder: &Path, read: fn(u64)) -> Result<Option<Imported>, ImportError> {
    let Some(found) = layout::find(files, &wanted(wish))? else { return Ok(None) };
    import_found(&found, wish, folder, read).map(Some)
}

fn wanted(wish: &Wish) -> Wanted {
    Wanted { tag: wish.tag.clone(), platform: wish.platform.clone().map(normal), host: wish.host.clone() }
}

/// The tree of an image of others, as importing it makes it.
#[derive(Debug)]
pub struct ImportedTree {
    /// The digest of its manifest, or of its config if it has none.
    pub source: Digest,
    /// What was lost or changed.
    pub changes: Vec<Change>,
    rootfs: Rootfs,
}

impl ImportedTree {
    /// The entries.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.rootfs.tree
    }

    /// Where the content of the file or hard link at `path` is.
    #[must_use]
    pub fn content(&self, path: &str) -> Option<&Content> {
        match self.rootfs.node(path)? {
            SourceNode::File { content, .. } => Some(content),
            _ => None,
        }
    }
}

/// The files of the layers of the image that is wished, which [`import_tree`] needs. `None` if the image was exported
/// and its own manifest is at hand, so that its layers are known, and if there is no image.
///
/// # Errors
///
/// As for [`import`].
pub fn layer_paths(files: &SourceTree, wish: &Wish) -> Result<Option<BTreeSet<String>>, ImportError> {
    let Some(found) = layout::find(files, &wanted(wish))? else { return Ok(None) };
    if artifact::find(&found)?.is_some() {
        return Ok(None);
    }
    Ok(Some(found.layers.into_iter().map(|layer| layer.path).collect()))
}

/// Imports the tree of the image that is wished, whose layers were kept when `files` were checked. It is that of the
/// image that [`import`] makes, for all images of which [`layer_paths`] gives the layers. `None` if there is no image.
///
/// # Errors
///
/// As for [`import`].
pub fn import_tree(files: &SourceTree, wish: &Wish, kept: &KeptLayers) -> Result<Option<ImportedTree>, ImportError> {
    let Some(found) = layout::find(files, &wanted(wish))? else { return Ok(None) };
    let (layers, _) = assemble(&found, wish, Layers::new(Origin::Kept(kept), Vec::new()))?;
    let Layers { rootfs, changes, .. } = layers;
    Ok(Some(ImportedTree { source: found.digest, changes, rootfs }))
}

fn import_found(found: &Found<'_>, wish: &Wish, folder: &Path, read: fn(u64)) -> Result<Imported, ImportError> {
    let mut changes = Vec::new();
    if let Some(original) = artifact::find(found)? {
        if agrees(&original.manifest, wish) {
            return Ok(restore(found, original, folder, read)?);
        }
        let Manifest { name, version, .. } = &original.manifest;
        let what =
            format!("the manifest of {} {version} in the layout, as it says other than the options", quoted(name));
        changes.push(Change::new("OCI-132", "", what));
    }
    let (layers, built) = assemble(found, wish, Layers::new(Origin::Stored(folder, read), changes))?;
    let changes = layers.changes;
    let files = layers.built.into_iter().flat_map(|layer| {
        let Layer { digest, size, listing } = layer.descriptor;
        [
            (FileKind::Blob(listing.digest), listing.size, Source::Memory(layer.listing)),
            (FileKind::Blob(digest), size, Source::Temporary(layer.file)),
        ]
    });
    Ok(Imported { built, changes, files: files.collect() })
}

/// The layers and the manifest, which is valid; its id is that of the image if the layers have been written.
fn assemble<'a>(found: &Found<'_>, wish: &Wish, mut layers: Layers<'a>) -> Result<(Layers<'a>, Built), ImportError> {
    let (name, version) = identity(found, wish)?;
    for layer in &found.layers {
        layers.add(layer)?;
    }
    let manifest = Draft { found, wish, name, version }.manifest(&mut layers)?;
    let built = judged(&manifest, &layers)?;
    Ok((layers, built))
}

/// Whether a manifest says what is wished.
fn agrees(manifest: &Manifest, wish: &Wish) -> bool {
    wish.name.as_ref().is_none_or(|name| *name == manifest.name)
        && wish.version.as_ref().is_none_or(|version| *version == manifest.version)
        && wish.platform.as_ref().is_none_or(|platform| normal(platform.clone()) == manifest.platform)
}

/// The image that was exported, of which only the layers have to be decoded (OCI-132).
fn restore(found: &Found<'_>, original: Original, folder: &Path, read: fn(u64)) -> Result<Imported, BuildError> {
    let Original { id, source, manifest, files, attachments } = original;
    let mut out: Vec<(FileKind, u64, Source)> = Vec::new();
    out.extend(files.into_iter().map(|(kind, bytes)| (kind, bytes.len() as u64, Source::Memory(bytes))));
    out.extend(
        attachments.into_iter().map(|(digest, size, content)| (FileKind::Blob(digest), size, Source::Part(content))),
    );
    let mut tree = Tree::default();
    for (layer, stored) in manifest.layers.iter().zip(&found.layers) {
        let file = stored.decoded(folder, read)?;
        let (entries, listing) = listed(&file, &stored.name())?;
        let digest = Digest::of(&listing);
        if digest != layer.listing.digest || listing.len() as u64 != layer.listing.size {
            let message = format!("the listing of {} is {digest}, not the one in the manifest {id}", stored.name());
            return Err(BuildError::Refused(message));
        }
        let size = file.as_file().metadata().map_err(BuildError::io(stored.name()))?.len();
        if size != layer.size {
            let message = format!("{} has {size} bytes, and the manifest {id} says {}", stored.name(), layer.size);
            return Err(BuildError::Refused(message));
        }
        tree.merge(entries);
        out.push((FileKind::Blob(layer.listing.digest), listing.len() as u64, Source::Memory(listing)));
        out.push((FileKind::Blob(layer.digest), layer.size, Source::Temporary(file)));
    }
    let violations =
        manifest::check(&source, &Limits::FORMAT).0.map(|outline| check_rootfs(&outline, &tree, &Limits::FORMAT));
    refuse_errors(&format!("the manifest {id} in the layout is not valid"), violations.unwrap_or_default())?;
    Ok(Imported { built: Built { manifest: source, id }, changes: Vec::new(), files: out })
}

/// The entries and the listing of a layer, which is canonical.
fn listed(layer: &NamedTempFile, name: &str) -> Result<(Vec<Entry>, Vec<u8>), BuildError> {
    let fail = |error| BuildError::io(name)(error);
    let mut walker = Walker::new(Limits::FORMAT);
    let (mut input, mut buffer, mut listing) = (layer.reopen().map_err(fail)?, vec![0; CHUNK], Vec::new());
    loop {
        let length = input.read(&mut buffer).map_err(fail)?;
        if length == 0 {
            break;
        }
        walker.push(buffer.get(..length).unwrap_or_default());
        listing.extend_from_slice(walker.lines());
    }
    let (walk, rest) = walker.finish();
    listing.extend_from_slice(&rest);
    refuse_errors(&format!("{name} is no layer of this format"), walk.violations)?;
    Ok((walk.entries, listing))
}

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// The name and version of the image (OCI-133).
fn identity(found: &Found<'_>, wish: &Wish) -> Result<(String, String), ImportError> {
    let limits = Limits::FORMAT;
    let said = |name: &str| found.annotations.get(name).cloned();
    let reference = found.reference.clone().unwrap_or_default();
    let (name, tag) = match reference.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((name, tag)) => (name.to_owned(), tag.to_owned()),
        None => (String::new(), reference),
    };
    let is_name = |name: &String| judge_name(name, &limits).is_empty();
    let is_version = |version: &String| judge_version(version, &limits).is_empty();
    let name = wish.name.clone().or_else(|| [said(media::NAME), Some(name)].into_iter().flatten().find(is_name));
    let versions = [said(media::VERSION), Some(tag), said(media::OCI_VERSION)];
    let version = wish.version.clone().or_else(|| versions.into_iter().flatten().find(is_version));
    let unsaid = |what: &str, example: &str| {
        let message = format!("the image does not say which {what} it has; add --{what}, such as --{what} {example}");
        ImportError::Unsaid(message)
    };
    let name = name.ok_or_else(|| unsaid("name", "example.com/team/api"))?;
    let version = version.ok_or_else(|| unsaid("version", "1.0.0"))?;
    Ok((name, version))
}

/// The manifest in canonical form, if nothing is wrong with it.
fn judged(manifest: &Manifest, layers: &Layers<'_>) -> Result<Built, BuildError> {
    let limits = Limits::FORMAT;
    let value = serde_json::to_value(manifest).unwrap_or_default();
    let bytes = to_canonical(&value).unwrap_or_default();
    let (outline, mut violations) = manifest::check(&bytes, &limits);
    if let Some(outline) = outline {
        violations.extend(check_rootfs(&outline, &layers.rootfs.tree, &limits));
    }
    refuse_errors("a manifest cannot say what the image does", violations)?;
    Ok(Built { id: Digest::of(&bytes), manifest: bytes })
}

/// Refuses what has errors among its violations, and shows them.
fn refuse_errors(what: &str, violations: Vec<Violation>) -> Result<(), BuildError> {
    let describe = |violation: Violation| {
        let place = violation.place.pointer.map(|pointer| format!("{pointer}: ")).unwrap_or_default();
        format!("\n{place}{} [{}]", violation.message, violation.clause.id)
    };
    let errors = violations.into_iter().filter(|violation| violation.clause.severity == Severity::Error);
    let wrong: String = errors.map(describe).collect();
    if wrong.is_empty() { Ok(()) } else { Err(BuildError::Refused(format!("{what}:{wrong}"))) }
}
