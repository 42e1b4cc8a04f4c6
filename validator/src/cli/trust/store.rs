//! Putting signed documents into stores.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use super::super::Failure;
use crate::build::{finish, make_folder, temporary_in, unwritable};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::manifest::Descriptor;
use crate::store::{FileKind, Index, Indexed, SignatureSet, open_regular, path_of};
use crate::trust::canonical;

/// Writes a file of a store, whole or not at all.
pub(super) fn place(store: &Path, kind: &FileKind, content: &[u8]) -> Result<(), Failure> {
    let path = store.join(path_of(kind));
    let written = || -> io::Result<()> {
        let folder = path.parent().unwrap_or(store);
        make_folder(folder)?;
        let mut file = temporary_in(folder)?;
        file.write_all(content)?;
        finish(file, &path)
    };
    written().map_err(|error| Failure::from(unwritable(&path)(error)))
}

/// A document of a store; nothing if it is not there.
pub(super) fn read(store: &Path, kind: &FileKind, limit: u64) -> Result<Option<Vec<u8>>, Failure> {
    let path = store.join(path_of(kind));
    let mut source = Vec::new();
    match open_regular(&path).and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut source)) {
        Ok(_) => Ok(Some(source)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::Error(format!("{}: {error}", path.display()))),
    }
}

/// The envelopes of an image in a store, by digest.
pub(super) fn envelopes(store: &Path, set: SignatureSet, image: Digest) -> Result<BTreeMap<Digest, Vec<u8>>, Failure> {
    let folder = store.join(format!("{}/sha256/{}", set.folder(), image.hex()));
    let mut out = BTreeMap::new();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(out),
        Err(error) => return Err(Failure::Error(format!("{}: {error}", folder.display()))),
    };
    for entry in entries {
        let entry = entry.map_err(|error| Failure::Error(format!("{}: {error}", folder.display())))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(digest) = name.strip_suffix(".json").and_then(Digest::from_hex) else { continue };
        let kind = FileKind::Envelope(set, image, digest);
        out.extend(read(store, &kind, Limits::FORMAT.envelope)?.map(|source| (digest, source)));
    }
    Ok(out)
}

/// Puts an envelope of an image into a store, in the place of `old` if that is given, and lists it in the index.
pub(super) fn put_envelope(
    store: &Path,
    set: SignatureSet,
    image: Digest,
    envelope: &[u8],
    old: Option<Digest>,
) -> Result<Digest, Failure> {
    let digest = Digest::of(envelope);
    place(store, &FileKind::Envelope(set, image, digest), envelope)?;
    for kind in old
        .filter(|old| *old != digest)
        .into_iter()
        .flat_map(|old| [FileKind::Proof(set, image, old), FileKind::Envelope(set, image, old)])
    {
        let path = store.join(path_of(&kind));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::Error(format!("{}: {error}", path.display())));
            }
            _ => {}
        }
    }
    index(store, set, image)?;
    Ok(digest)
}

/// Makes the index of the envelopes of an image anew.
pub(super) fn index(store: &Path, set: SignatureSet, image: Digest) -> Result<(), Failure> {
    let mut files = Vec::new();
    for (digest, source) in envelopes(store, set, image)? {
        let proof = read(store, &FileKind::Proof(set, image, digest), Limits::FORMAT.log_proof)?;
        let proof = proof.map(|proof| Descriptor { digest: Digest::of(&proof), size: proof.len() as u64 });
        files.push(Indexed { digest, size: source.len() as u64, proof });
    }
    let index = Index { files, kind: set.folder().to_owned() };
    place(store, &FileKind::Index(set, image), &canonical(&index))
}
