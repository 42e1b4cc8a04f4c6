//! A log in a directory: what is read is held against the checkpoint, and what is written is there as a whole or not.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::super::super::Failure;
use crate::build::{finish, make_folder, temporary_in, unwritable};
use crate::limits::Limits;
use crate::shown::quoted;
use crate::trust::tiles::{Tile, new_tiles, read_bundle, read_tile, tiles, write_bundle};
use crate::trust::tree::{Hash, empty_root, leaf_hash, root};
use crate::trust::{Checkpoint, PublicKey, log_vkey, read_log_vkey};

/// The file with the origin and the public key of the log, as notes name keys.
pub(super) const KEY: &str = "log.vkey";

/// The file with the newest checkpoint.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// The longest file that names a key: an origin of 255 bytes, and what follows it.
const KEY_LIMIT: u64 = 512;

/// The directory of a log.
pub(super) struct Directory {
    path: PathBuf,
    pub(super) origin: String,
    pub(super) key: PublicKey,
}

impl Directory {
    /// A new one, which has no checkpoint yet.
    pub(super) fn make(path: &Path, origin: &str) -> Result<File, Failure> {
        make_folder(path).map_err(|error| Failure::Error(format!("{}: {error}", path.display())))?;
        let lock = hold(&path.join(".lock"))?;
        if path.join(CHECKPOINT).exists() {
            let message = format!("{} holds a log already; {} would begin another one", path.display(), quoted(origin));
            return Err(Failure::Refused(message));
        }
        Ok(lock)
    }

    /// Writes the file that says whose log it is.
    pub(super) fn name(path: &Path, origin: &str, key: PublicKey) -> Result<Self, Failure> {
        let directory = Self { path: path.to_owned(), origin: origin.to_owned(), key };
        directory.write(KEY, format!("{}\n", log_vkey(origin, &key)).as_bytes())?;
        Ok(directory)
    }

    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let file = path.join(KEY);
        let Some(source) = read(&file, KEY_LIMIT)? else {
            let message =
                format!("{} is no log, since it has no file {KEY}; `cornercast log init` makes one", path.display());
            return Err(Failure::Refused(message));
        };
        let named = std::str::from_utf8(&source).ok().and_then(|text| read_log_vkey(text.strip_suffix('\n')?));
        let (origin, key) =
            named.ok_or_else(|| Failure::Refused(format!("{} does not name the key of a log", file.display())))?;
        Ok(Self { path: path.to_owned(), origin, key })
    }

    /// Keeps others from changing the log until the result is dropped.
    pub(super) fn hold(&self) -> Result<File, Failure> {
        hold(&self.path.join(".lock"))
    }

    /// The checkpoint, which the log has signed.
    pub(super) fn checkpoint(&self) -> Result<Checkpoint, Failure> {
        let path = self.path.join(CHECKPOINT);
        match read_checkpoint(&path)? {
            Some(checkpoint) => self.judge(checkpoint, &path),
            None => Err(Failure::Refused(format!("{} has no checkpoint", self.path.display()))),
        }
    }

    /// A checkpoint that is of this log and signed by it.
    pub(super) fn judge(&self, checkpoint: Checkpoint, path: &Path) -> Result<Checkpoint, Failure> {
        let shown = path.display();
        if checkpoint.origin != self.origin {
            let message = format!("{shown} is a checkpoint of {}, and the log is {}", checkpoint.origin, self.origin);
            return Err(Failure::Refused(message));
        }
        if !checkpoint.is_signed_by(&self.key) {
            return Err(Failure::Refused(format!("{shown} is not signed by the key of the log, {}", self.key)));
        }
        Ok(checkpoint)
    }

    /// The hashes of the leaves, which lead to the root of the checkpoint.
    pub(super) fn leaves(&self, checkpoint: &Checkpoint) -> Result<Vec<Hash>, Failure> {
        let size = self.size(checkpoint)?;
        let mut leaves = Vec::new();
        for tile in tiles(Some(0), 0, size) {
            let (path, content) = self.tile(&tile)?;
            leaves.extend(read_tile(&content, tile.width).ok_or_else(|| wrong_length(&path, &tile))?);
        }
        if root(&leaves).unwrap_or_else(empty_root) != checkpoint.root {
            let message = format!(
                "the hashes of the {size} leaves in {} do not lead to the root of the checkpoint",
                self.path.join("tile/0").display()
            );
            return Err(Failure::Refused(message));
        }
        Ok(leaves)
    }

    fn size(&self, checkpoint: &Checkpoint) -> Result<usize, Failure> {
        usize::try_from(checkpoint.size)
            .map_err(|_| Failure::Error(format!("{} has more entries than fit here", self.path.display())))
    }

    /// The entries of a bundle, which are those of these leaves.
    pub(super) fn entries(&self, bundle: &Tile, leaves: &[Hash]) -> Result<Vec<Vec<u8>>, Failure> {
        let (path, content) = self.tile(bundle)?;
        let entries = read_bundle(&content, bundle.width).ok_or_else(|| wrong_length(&path, bundle))?;
        for ((entry, leaf), number) in entries.iter().zip(leaves.iter().skip(bundle.start())).zip(bundle.start()..) {
            if leaf_hash(entry) != *leaf {
                let message = format!("{}: the entry {number} is not the one of its leaf", path.display());
                return Err(Failure::Refused(message));
            }
        }
        Ok(entries.into_iter().map(<[u8]>::to_vec).collect())
    }

    /// The content of a tile or bundle and where it stands: a whole one can hold a part of it by now.
    fn tile(&self, tile: &Tile) -> Result<(PathBuf, Vec<u8>), Failure> {
        let path = self.path.join(tile.path());
        let entry = 2 + Limits::FORMAT.log_entry;
        let width = if tile.level.is_some() { 32 } else { entry };
        let most = (width * 256) as u64;
        if let Some(content) = read(&path, most)? {
            return Ok((path, content));
        }
        let whole = self.path.join(tile.whole().path());
        let part = match read(&whole, most)?.filter(|_| !tile.is_whole()) {
            Some(content) if tile.level.is_some() => content.get(..tile.width * width).map(<[u8]>::to_vec),
            Some(content) => {
                read_bundle(&content, 256).and_then(|entries| write_bundle(entries.into_iter().take(tile.width)))
            }
            None => return Err(Failure::Refused(format!("{} is missing", path.display()))),
        };
        part.map(|part| (whole.clone(), part)).ok_or_else(|| wrong_length(&whole, &tile.whole()))
    }

    /// Whether all tiles are those of these leaves.
    pub(super) fn check_tiles(&self, leaves: &[Hash]) -> Result<(), Failure> {
        for (tile, expected) in new_tiles(leaves, 0) {
            let (path, content) = self.tile(&tile)?;
            if content != expected {
                return Err(Failure::Refused(format!("{} does not hold the hashes of its tile", path.display())));
            }
        }
        Ok(())
    }

    /// Writes the tiles and bundles of a log that had the first `old` of these leaves, and has got these entries.
    pub(super) fn grow(&self, leaves: &[Hash], old: usize, new: &[Vec<u8>]) -> Result<(), Failure> {
        let mut entries = Vec::new();
        if let Some(cut) = tiles(None, 0, old).last().filter(|bundle| !bundle.is_whole()) {
            entries = self.entries(&cut, leaves)?;
        }
        entries.extend_from_slice(new);
        let first = old / 256 * 256;
        for bundle in tiles(None, old, leaves.len()) {
            let of = entries.iter().skip(bundle.start() - first).take(bundle.width).map(Vec::as_slice);
            let content = write_bundle(of).ok_or_else(|| Failure::Refused("an entry is too long".to_owned()))?;
            self.write(&bundle.path(), &content)?;
        }
        for (tile, content) in new_tiles(leaves, old) {
            self.write(&tile.path(), &content)?;
        }
        Ok(())
    }

    /// Removes the parts of tiles that have become whole since the log had `old` leaves.
    pub(super) fn tidy(&self, leaves: &[Hash], old: usize) -> Result<(), Failure> {
        let whole = new_tiles(leaves, old).into_iter().map(|(tile, _)| tile).chain(tiles(None, old, leaves.len()));
        for tile in whole.filter(Tile::is_whole) {
            let parts = self.path.join(format!("{}.p", tile.path()));
            match fs::remove_dir_all(&parts) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Failure::Error(format!("{}: {error}", parts.display())));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes a file, as a whole or not at all.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        write(&self.path.join(name), content)
    }
}

fn wrong_length(path: &Path, tile: &Tile) -> Failure {
    let what = if tile.level.is_some() { "hashes" } else { "entries" };
    Failure::Refused(format!("{} does not hold {} {what}", path.display(), tile.width))
}

/// A checkpoint in a file; nothing if there is no file.
pub(super) fn read_checkpoint(path: &Path) -> Result<Option<Checkpoint>, Failure> {
    let limits = Limits::FORMAT;
    let Some(source) = read(path, limits.log_proof)? else { return Ok(None) };
    let checkpoint = Checkpoint::read(&source, &limits);
    checkpoint.map(Some).map_err(|why| Failure::Refused(format!("{} is no checkpoint: {why}", path.display())))
}

/// A file that is not longer than `most` bytes; nothing if it is not there.
pub(super) fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Failure> {
    let mut source = Vec::new();
    match File::open(path).and_then(|file| file.take(most.saturating_add(1)).read_to_end(&mut source)) {
        Ok(_) if source.len() as u64 > most => {
            Err(Failure::Refused(format!("{} has more than {most} bytes", path.display())))
        }
        Ok(_) => Ok(Some(source)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::Error(format!("{}: {error}", path.display()))),
    }
}

/// Writes a file, as a whole or not at all, and has it on the disk before anything that follows.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let written = || -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        make_folder(folder)?;
        let mut file = temporary_in(folder)?;
        file.write_all(content)?;
        finish(file, path)?;
        File::open(folder)?.sync_all()
    };
    written().map_err(|error| Failure::from(unwritable(path)(error)))
}

/// Holds the lock in a file until the result is dropped.
pub(super) fn hold(path: &Path) -> Result<File, Failure> {
    let held = || -> io::Result<File> {
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        flock(&lock, FlockOperation::LockExclusive)?;
        Ok(lock)
    };
    held().map_err(|error| Failure::Error(format!("{}: {error}", path.display())))
}
