//! Writing an image as a store or an archive.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::image::Built;
use super::temporary::{directory_in, finish, make_folder, temporary_in, unwritable};
use super::tree::BuildError;
use crate::digest::Digest;
use crate::store::{ArchiveWriter, FileKind, MARKER, path_of};

/// The blobs of an image in the order of an archive, and where they can be read.
pub type OutputBlobs<'a> = Vec<(Digest, u64, Box<dyn Fn() -> io::Result<Box<dyn Read>> + 'a>)>;

/// Writes an image into the store at `folder`, which is made if it is not there.
///
/// A new store appears whole or not at all; into one that is there the manifest is written last.
///
/// # Errors
///
/// Errors of the file system; a folder that is neither empty nor a store.
pub fn write_store(folder: &Path, built: &Built, blobs: &OutputBlobs<'_>) -> Result<(), BuildError> {
    let shown = folder.display().to_string();
    let is_new = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            let message = format!("\"{shown}\" is a file, and no store; end the name in .ccast to write an archive");
            return Err(BuildError::Refused(message));
        }
        Err(error) => return Err(BuildError::Io(shown, error)),
    };
    if !is_new && !folder.join("cornercast").is_file() {
        let message = format!("\"{shown}\" is neither empty nor a store; choose another folder");
        return Err(BuildError::Refused(message));
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !is_new {
        return fill(folder, built, blobs).map_err(unwritable(folder));
    }
    let temporary = directory_in(parent).map_err(unwritable(folder))?;
    fill(temporary.path(), built, blobs).map_err(unwritable(folder))?;
    let made = temporary.keep();
    fs::rename(&made, folder).map_err(|error| {
        let _ = fs::remove_dir_all(&made);
        unwritable(folder)(error)
    })
}

fn fill(folder: &Path, built: &Built, blobs: &OutputBlobs<'_>) -> io::Result<()> {
    place(folder, &FileKind::Marker, &mut &*MARKER)?;
    for (digest, _, open) in blobs {
        let kind = FileKind::Blob(*digest);
        if !folder.join(path_of(&kind)).exists() {
            place(folder, &kind, &mut open()?)?;
        }
    }
    place(folder, &FileKind::Manifest(built.id), &mut built.manifest.as_slice())
}

/// Writes a file under a temporary name and renames it.
fn place(folder: &Path, kind: &FileKind, content: &mut dyn Read) -> io::Result<()> {
    let path = folder.join(path_of(kind));
    let directory = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    make_folder(&directory)?;
    let mut file = temporary_in(&directory)?;
    io::copy(content, file.as_file_mut())?;
    finish(file, &path)
}

/// Writes an image as an archive to `path`, or to standard output if `path` is `-`.
///
/// # Errors
///
/// Errors of the file system; nothing is left behind then.
pub fn write_archive(path: &Path, built: &Built, blobs: &OutputBlobs<'_>) -> Result<(), BuildError> {
    if path == Path::new("-") {
        let out = io::BufWriter::with_capacity(1 << 20, io::stdout().lock());
        return archive(out, built, blobs).and_then(|mut out| out.flush()).map_err(BuildError::io("standard output"));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = temporary_in(parent).map_err(unwritable(path))?;
    let out = io::BufWriter::with_capacity(1 << 20, file.as_file_mut());
    archive(out, built, blobs).and_then(|mut out| out.flush()).map_err(unwritable(path))?;
    finish(file, path).map_err(unwritable(path))
}

fn archive<W: Write>(out: W, built: &Built, blobs: &OutputBlobs<'_>) -> io::Result<W> {
    let mut writer = ArchiveWriter::new(out)?;
    writer.file(&FileKind::Manifest(built.id), built.manifest.len() as u64, &mut built.manifest.as_slice())?;
    let mut seen = BTreeMap::new();
    for (digest, size, open) in blobs {
        if seen.insert(*digest, ()).is_none() {
            writer.file(&FileKind::Blob(*digest), *size, &mut open()?)?;
        }
    }
    writer.finish()
}
