//! One image of a store as a store of its own.

use std::collections::BTreeMap;
use std::io::{self, Read};

use crate::diagnostic::Severity;
use crate::digest::Digest;
use crate::limits::Limits;
use crate::manifest::{self, Outline};
use crate::store::{FileKind, Files, Listed, classify, path_of};

/// The files of a store that one image needs: the marker, its manifest, and each blob once.
pub struct OneImage<'a> {
    files: &'a dyn Files,
    listed: BTreeMap<FileKind, Listed>,
    /// The manifest, as far as it could be understood, if it is the one that is meant and has no errors.
    pub(super) outline: Option<Outline>,
}

impl<'a> OneImage<'a> {
    /// The image `image` of a store.
    ///
    /// # Errors
    ///
    /// Errors of `files`.
    pub fn new(files: &'a dyn Files, image: Digest, limits: &Limits) -> io::Result<Self> {
        let listed = files.list()?;
        let mut all = BTreeMap::new();
        for file in listed {
            if let Ok(kind) = classify(&file.path, limits) {
                all.insert(kind, file);
            }
        }
        let mut view = Self { files, listed: BTreeMap::new(), outline: None };
        for kind in [FileKind::Marker, FileKind::Manifest(image)] {
            view.listed.extend(all.remove_entry(&kind));
        }
        let Some(source) = view.document(&FileKind::Manifest(image), limits.manifest)? else { return Ok(view) };
        let (outline, violations) = manifest::check(&source, limits);
        let Some(outline) = outline else { return Ok(view) };
        for (digest, ..) in outline.descriptors() {
            let mut copies: Vec<(FileKind, Listed)> = [FileKind::Blob(digest), FileKind::Packed(digest)]
                .into_iter()
                .filter_map(|kind| all.get_key_value(&kind).map(|(kind, file)| (kind.clone(), file.clone())))
                .collect();
            // Either can be used; what is no file says why there is none.
            copies.sort_by_key(|(kind, file)| (file.irregular.is_some(), kind.clone()));
            view.listed.extend(copies.into_iter().next());
        }
        let is_sound = !violations.iter().any(|violation| violation.clause.severity == Severity::Error);
        view.outline = Some(outline).filter(|_| is_sound && Digest::of(&source) == image);
        Ok(view)
    }

    /// Whether its manifest is there, is the one that is meant, and has no errors.
    #[must_use]
    pub fn has_manifest(&self) -> bool {
        self.outline.is_some()
    }

    /// A document, and no more than one byte beyond its limit; nothing if it is not there.
    pub(super) fn document(&self, kind: &FileKind, limit: u64) -> io::Result<Option<Vec<u8>>> {
        if self.listed.get(kind).is_none_or(|file| file.irregular.is_some()) {
            return Ok(None);
        }
        let mut source = Vec::new();
        self.files.open(&path_of(kind))?.take(limit + 1).read_to_end(&mut source)?;
        Ok(Some(source))
    }

    /// The file that holds a blob.
    pub(super) fn blob(&self, digest: Digest) -> Option<FileKind> {
        let kinds = [FileKind::Blob(digest), FileKind::Packed(digest)];
        kinds.into_iter().find(|kind| self.listed.get(kind).is_some_and(|file| file.irregular.is_none()))
    }
}

impl Files for OneImage<'_> {
    fn list(&self) -> io::Result<Vec<Listed>> {
        Ok(self.listed.values().cloned().collect())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        self.files.open(path)
    }
}
