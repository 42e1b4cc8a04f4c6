//! `import` and `export`: images of OCI to those of the format, and back.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use cornercast::build::{BuildError, OutputFiles, Ownership, SourceTree, read_directory, read_tar, write_store};
use cornercast::convert::media::LayerForm;
use cornercast::convert::{self, ImageSource, ImportError, Wish, write_layout, write_saved};
use cornercast::digest::Digest;
use cornercast::input::Kind;
use cornercast::limits::Limits;
use cornercast::manifest::{Manifest, Platform};
use cornercast::store::{FileKind, SignatureSet, classify, path_of};

use super::{Failure, Order};
use crate::builtin;

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Refused(message) => Self::Refused(message),
            error @ BuildError::Io(..) => Self::Error(io::Error::other(error)),
        }
    }
}

/// Refuses an input with errors (OCI-130).
fn check(order: &Order<'_>) -> Result<Kind, Failure> {
    let kind = Kind::by_name(order.kind).ok_or(Failure::Unknown)?;
    let findings = builtin::findings(order.input, kind).map_err(Failure::Error)?;
    let errors = findings.list().iter().find(|finding| finding.severity == cornercast::diagnostic::Severity::Error);
    match errors {
        Some(finding) => Err(Failure::Refused(format!("{}: {}", finding.id, finding.message))),
        None => Ok(kind),
    }
}

/// Where temporary files go.
fn folder<'a>(order: &Order<'a>) -> &'a Path {
    order.output.parent().unwrap_or(order.output)
}

/// Imports an image layout, or images as `docker save` writes them, into a store.
pub(super) fn import(order: &Order<'_>) -> Result<(), Failure> {
    let kind = check(order)?;
    let mut files = SourceTree::new(None);
    if kind.is_directory() {
        read_directory(order.input, &Ownership::default(), &mut files)?;
    } else {
        read_tar(order.input, "the archive", &Ownership::default(), &mut files)?;
    }
    let option = |name: &str| order.options.get(name).cloned();
    let wish = Wish {
        tag: option("tag"),
        host: None,
        name: option("name"),
        version: option("version"),
        platform: option("platform").map(|text| platform(&text)),
    };
    let imported = convert::import(&files, &wish, folder(order), |_| {}).map_err(|error| match error {
        ImportError::Build(error) => error.into(),
        ImportError::Unsaid(message) => Failure::Refused(message),
    })?;
    let imported = imported.ok_or(Failure::Unknown)?;
    Ok(write_store(order.output, &imported.built, &imported.files())?)
}

fn platform(text: &str) -> Platform {
    let mut parts = text.split('/').map(str::to_owned);
    let mut next = || parts.next();
    Platform { os: next().unwrap_or_default(), architecture: next().unwrap_or_default(), variant: next() }
}

/// Exports the one image of a store as an image layout.
pub(super) fn export(order: &Order<'_>) -> Result<(), Failure> {
    check(order)?;
    let form = match order.options.get("layers").map(String::as_str) {
        None | Some("plain") => LayerForm::Plain,
        Some("gzip") => LayerForm::Gzip,
        Some("zstd") => LayerForm::Zstd,
        Some(_) => return Err(Failure::Unknown),
    };
    with_image(order.input, |source| write_layout(source, (order.output, false), form, folder(order)).map(drop))
}

/// Exports the one image of a store in both forms.
pub(super) fn export_both(store: &Path, layout: &Path, saved: &Path) -> Result<(), Failure> {
    with_image(store, |source| {
        write_layout(source, (layout, false), LayerForm::Plain, layout.parent().unwrap_or(layout))?;
        write_saved(source, saved).map(drop)
    })
}

/// Does something with the one image of a store.
fn with_image(store: &Path, write: impl FnOnce(&ImageSource<'_>) -> Result<(), BuildError>) -> Result<(), Failure> {
    let kinds = kinds(store).map_err(Failure::Error)?;
    let ids = kinds.keys().filter_map(|kind| match kind {
        FileKind::Manifest(id) => Some(*id),
        _ => None,
    });
    let [id] = ids.collect::<Vec<_>>()[..] else {
        return Err(Failure::Refused("the store has not one image".to_owned()));
    };
    let bytes = fs::read(store.join(path_of(&FileKind::Manifest(id)))).map_err(Failure::Error)?;
    let manifest: Manifest =
        serde_json::from_slice(&bytes).map_err(|error| Failure::Refused(format!("the manifest: {error}")))?;
    let files = files(store, &kinds, id, &manifest);
    Ok(write(&ImageSource { id, manifest: &manifest, bytes: &bytes, files })?)
}

/// The files of a store, by what they are, with their sizes.
fn kinds(store: &Path) -> io::Result<BTreeMap<FileKind, u64>> {
    let mut out = BTreeMap::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(store.join(&folder))? {
            let entry = entry?;
            let path = cornercast::layer::join(&folder, &entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if let Ok(kind) = classify(&path, &Limits::FORMAT) {
                out.insert(kind, entry.metadata()?.len());
            }
        }
    }
    Ok(out)
}

/// The files that belong to an image, in the order of an archive.
fn files<'a>(store: &'a Path, kinds: &BTreeMap<FileKind, u64>, id: Digest, manifest: &Manifest) -> OutputFiles<'a> {
    let mut wanted = Vec::new();
    for set in [SignatureSet::Signatures, SignatureSet::Attestations] {
        wanted.push(FileKind::Index(set, id));
        for kind in kinds.keys() {
            if let FileKind::Envelope(of, image, digest) = kind
                && (*of, *image) == (set, id)
            {
                wanted.push(kind.clone());
                wanted.push(FileKind::Proof(set, id, *digest));
            }
        }
    }
    wanted.extend(manifest.attachments.iter().map(|attachment| FileKind::Blob(attachment.digest)));
    for layer in &manifest.layers {
        wanted.extend([FileKind::Blob(layer.listing.digest), FileKind::Blob(layer.digest)]);
    }
    let there = wanted.into_iter().filter_map(|kind| Some((kinds.get(&kind).copied()?, kind)));
    there
        .map(|(size, kind)| {
            let path = store.join(path_of(&kind));
            let open = move || -> io::Result<Box<dyn Read>> { Ok(Box::new(File::open(&path)?)) };
            (kind, size, Box::new(open) as _)
        })
        .collect()
}
