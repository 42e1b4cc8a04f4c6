//! Writing an image as a store or an archive, and files of other layouts as a folder or a tar archive.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::image::Built;
use super::temporary::{directory_in, finish, make_folder, temporary_in, unwritable};
use super::tree::BuildError;
use crate::store::{ArchiveWriter, FileKind, MARKER, path_of};
use crate::tar::{END, EntryHeader, header_bytes, padding};

/// How a content is opened.
pub type Opener<'a> = Box<dyn Fn() -> io::Result<Box<dyn Read>> + 'a>;

/// The files of an image beside its manifest, in the order of an archive: each with its size in bytes, and how it
/// is read. One that comes again is not written again.
pub type OutputFiles<'a> = Vec<(FileKind, u64, Opener<'a>)>;

/// Files of any layout: path, size in bytes, and how each is read.
pub type PathFiles<'a> = Vec<(String, u64, Opener<'a>)>;

/// Writes an image into the store at `folder`, which is made if it is not there.
///
/// A new store appears whole or not at all; into one that is there the manifest is written last.
///
/// # Errors
///
/// Errors of the file system; a folder that is neither empty nor a store.
pub fn write_store(folder: &Path, built: &Built, files: &OutputFiles<'_>) -> Result<(), BuildError> {
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
        return fill(folder, built, files).map_err(unwritable(folder));
    }
    let temporary = directory_in(parent).map_err(unwritable(folder))?;
    fill(temporary.path(), built, files).map_err(unwritable(folder))?;
    let made = temporary.keep();
    fs::rename(&made, folder).map_err(|error| {
        let _ = fs::remove_dir_all(&made);
        unwritable(folder)(error)
    })
}

fn fill(folder: &Path, built: &Built, files: &OutputFiles<'_>) -> io::Result<()> {
    place(folder, &FileKind::Marker, &mut &*MARKER)?;
    for (kind, _, open) in files {
        if !folder.join(path_of(kind)).exists() {
            place(folder, kind, &mut open()?)?;
        }
    }
    place(folder, &FileKind::Manifest(built.id), &mut built.manifest.as_slice())
}

/// Writes a file under a temporary name and renames it.
fn place(folder: &Path, kind: &FileKind, content: &mut dyn Read) -> io::Result<()> {
    place_at(&folder.join(path_of(kind)), content)
}

fn place_at(path: &Path, content: &mut dyn Read) -> io::Result<()> {
    let directory = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    make_folder(&directory)?;
    let mut file = temporary_in(&directory)?;
    io::copy(content, file.as_file_mut())?;
    finish(file, path)
}

/// Writes an image as an archive to `path`, or to standard output if `path` is `-`.
///
/// # Errors
///
/// Errors of the file system; nothing is left behind then.
pub fn write_archive(path: &Path, built: &Built, files: &OutputFiles<'_>) -> Result<(), BuildError> {
    if path == Path::new("-") {
        let out = io::BufWriter::with_capacity(1 << 20, io::stdout().lock());
        return archive(out, built, files).and_then(|mut out| out.flush()).map_err(BuildError::io("standard output"));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = temporary_in(parent).map_err(unwritable(path))?;
    let out = io::BufWriter::with_capacity(1 << 20, file.as_file_mut());
    archive(out, built, files).and_then(|mut out| out.flush()).map_err(unwritable(path))?;
    finish(file, path).map_err(unwritable(path))
}

fn archive<W: Write>(out: W, built: &Built, files: &OutputFiles<'_>) -> io::Result<W> {
    let mut writer = ArchiveWriter::new(out)?;
    writer.file(&FileKind::Manifest(built.id), built.manifest.len() as u64, &mut built.manifest.as_slice())?;
    let mut seen = BTreeSet::new();
    for (kind, size, open) in files {
        if seen.insert(kind) {
            writer.file(kind, *size, &mut open()?)?;
        }
    }
    writer.finish()
}

/// Writes files into a new folder, which appears whole or not at all.
///
/// # Errors
///
/// Errors of the file system; a folder that is there and not empty.
pub fn write_folder(folder: &Path, files: &PathFiles<'_>) -> Result<(), BuildError> {
    let shown = folder.display().to_string();
    let is_free = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            let message = format!("\"{shown}\" is a file; end the name in .tar to write an archive");
            return Err(BuildError::Refused(message));
        }
        Err(error) => return Err(BuildError::Io(shown, error)),
    };
    if !is_free {
        return Err(BuildError::Refused(format!("\"{shown}\" is not empty; choose another folder")));
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = directory_in(parent).map_err(unwritable(folder))?;
    add_files(temporary.path(), files).map_err(unwritable(folder))?;
    let made = temporary.keep();
    fs::rename(&made, folder).map_err(|error| {
        let _ = fs::remove_dir_all(&made);
        unwritable(folder)(error)
    })
}

/// Writes files into a folder that is there; each replaces the one that is there. A blob is written if it is not
/// there, so a folder that is read meanwhile is always whole if the files that name others come last.
///
/// # Errors
///
/// Errors of the file system.
pub fn add_files(folder: &Path, files: &PathFiles<'_>) -> io::Result<()> {
    for (path, _, open) in files {
        let whole = folder.join(path);
        if !(path.starts_with("blobs/") && whole.exists()) {
            place_at(&whole, &mut open()?)?;
        }
    }
    Ok(())
}

/// Writes files into the tar archive `path`, or to standard output if `path` is `-`: each folder before what is in
/// it, 0755, and the files, 0644, with the owner 0:0 and the time 0.
///
/// # Errors
///
/// Errors of the file system; nothing is left behind then.
pub fn write_tar(path: &Path, files: &PathFiles<'_>) -> Result<(), BuildError> {
    if path == Path::new("-") {
        let out = io::BufWriter::with_capacity(1 << 20, io::stdout().lock());
        return tar(out, files).and_then(|mut out| out.flush()).map_err(BuildError::io("standard output"));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = temporary_in(parent).map_err(unwritable(path))?;
    let out = io::BufWriter::with_capacity(1 << 20, file.as_file_mut());
    tar(out, files).and_then(|mut out| out.flush()).map_err(unwritable(path))?;
    finish(file, path).map_err(unwritable(path))
}

fn tar<W: Write>(mut out: W, files: &PathFiles<'_>) -> io::Result<W> {
    let mut folders = BTreeSet::new();
    for (path, size, open) in files {
        for (end, _) in path.match_indices('/') {
            let folder = path.get(..=end).unwrap_or_default();
            if folders.insert(folder) {
                let header = EntryHeader { typeflag: b'5', path: folder, mode: 0o755, ..EntryHeader::default() };
                out.write_all(&header_bytes(&header))?;
            }
        }
        let header = EntryHeader { typeflag: b'0', path, mode: 0o644, size: *size, ..EntryHeader::default() };
        out.write_all(&header_bytes(&header))?;
        let written = io::copy(&mut open()?.take(size.saturating_add(1)), &mut out)?;
        if written != *size {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("`{path}` has not {size} bytes")));
        }
        out.write_all(&vec![0; padding(*size)])?;
    }
    out.write_all(&END)?;
    Ok(out)
}
