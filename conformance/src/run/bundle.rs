//! The root tree of a bundle: a small unpacker.
//!
//! The listings are the plan, read and judged before anything is written. While directories, files
//! and hard links are written, no symbolic link exists that could be passed through: they come last.
//! Contents are written by their digest, so a file that upper layers replace is never written.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, fchown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use cornercast::diagnostic::Violation;
use cornercast::digest::{Digest, Hasher};
use cornercast::layer::{Attributes, Entry, ListingKind, Node, Tree, read_listing};
use cornercast::limits::Limits;
use cornercast::manifest::{self, Manifest};
use cornercast::store::{FileKind, path_of};
use cornercast::tar::{self, Profile, Reader, Sink};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, XattrFlags, fsetxattr, utimensat};

use super::Obstacle;

/// Makes the folder `path`, which must not exist, for nobody else.
///
/// # Errors
///
/// Errors of the file system.
pub fn fresh(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Unpacks the image that `manifest` describes from the store `store` into the new folder `root`, and
/// makes the directories `mount_points` where the image has none, without a trace in the others.
///
/// # Errors
///
/// Errors of the file system; an image whose parts are not what the manifest says; a mount point that
/// is something other than a directory; what this host cannot represent.
pub fn unpack(store: &Path, manifest: &Manifest, root: &Path, mount_points: &[&str]) -> Result<(), Obstacle> {
    let (tree, layers) = plan(store, manifest)?;
    let entries: Vec<Entry> = tree.entries().collect();
    let missing = missing(&tree, mount_points)?;
    fresh(root)?;
    for entry in entries.iter().filter(|entry| matches!(entry.node, Node::Dir { .. })) {
        fresh(&root.join(&entry.path))?;
    }
    let mut wanted: HashMap<Digest, Vec<PathBuf>> = HashMap::new();
    for entry in &entries {
        if let Node::File { sha256, .. } = entry.node {
            wanted.entry(sha256).or_default().push(root.join(&entry.path));
        }
    }
    for (layer, files) in manifest.layers.iter().zip(layers) {
        extract(store, layer, &files, &mut wanted)?;
    }
    if let Some(path) = wanted.values().flatten().next() {
        return Err(io::Error::other(format!("no layer has the content of {}", path.display())).into());
    }
    for entry in &entries {
        match &entry.node {
            Node::File { attributes, .. } => decorate(&root.join(&entry.path), attributes)?,
            Node::Hardlink { target, .. } => fs::hard_link(root.join(target), root.join(&entry.path))?,
            _ => {}
        }
    }
    for entry in &entries {
        if let Node::Symlink { uid, gid, mtime, target } = &entry.node {
            let path = root.join(&entry.path);
            symlink(target, &path)?;
            lchown(&path, Some(*uid), Some(*gid))?;
            let time = Timespec { tv_sec: i64::try_from(*mtime).unwrap_or(i64::MAX), tv_nsec: 0 };
            let times = Timestamps { last_access: time, last_modification: time };
            utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(io::Error::from)?;
        }
    }
    for path in missing {
        DirBuilder::new().mode(0o755).create(root.join(path))?;
    }
    // Deepest first, and after everything that changes a directory.
    for entry in entries.iter().rev() {
        if let Node::Dir { attributes, .. } = &entry.node {
            decorate(&root.join(&entry.path), attributes)?;
        }
    }
    decorate(root, &Attributes { mode: 0o755, ..Attributes::default() })
}

/// The files of a layer: path and digest.
type Files = HashMap<String, Digest>;

/// Reads the listings: the merged tree, and the files of each layer.
fn plan(store: &Path, manifest: &Manifest) -> io::Result<(Tree, Vec<Files>)> {
    let mut tree = Tree::default();
    let mut layers = Vec::new();
    for layer in &manifest.layers {
        let descriptor = layer.listing;
        let mut source = Vec::new();
        blob(store, descriptor.digest)?.take(descriptor.size.saturating_add(1)).read_to_end(&mut source)?;
        if source.len() as u64 != descriptor.size || Digest::of(&source) != descriptor.digest {
            return Err(other("a listing", descriptor.digest));
        }
        let listing = read_listing(&source, ListingKind::Layer, &Limits::FORMAT);
        if let Some(violation) = listing.violations.first() {
            return Err(broken(violation));
        }
        let files = listing.entries.iter().filter_map(|entry| match &entry.node {
            Node::File { sha256, .. } => Some((entry.path.clone(), *sha256)),
            _ => None,
        });
        layers.push(files.collect());
        tree.merge(listing.entries);
    }
    if tree.summary().digest != manifest.rootfs.digest {
        return Err(other("the merged tree", manifest.rootfs.digest));
    }
    Ok((tree, layers))
}

/// The mount points that the image lacks, relative to the root.
fn missing<'a>(tree: &Tree, mount_points: &[&'a str]) -> io::Result<Vec<&'a str>> {
    let mut missing = Vec::new();
    for path in mount_points {
        let path = path.trim_start_matches('/');
        match tree.get(path).map(|entry| entry.node) {
            Some(Node::Dir { .. }) => {}
            Some(other) => {
                let what = other.type_name();
                return Err(io::Error::other(format!("nothing can be mounted on /{path}: the image has {what} there")));
            }
            None => missing.push(path),
        }
    }
    Ok(missing)
}

/// Writes the files of a layer that are wanted, and takes them off the list.
fn extract(
    store: &Path,
    layer: &manifest::Layer,
    files: &Files,
    wanted: &mut HashMap<Digest, Vec<PathBuf>>,
) -> io::Result<()> {
    let mut sink = Extractor { files, wanted, file: None, error: None };
    let mut reader = Reader::new(Profile::Layer, Limits::FORMAT);
    let mut hasher = Hasher::default();
    let mut blob = blob(store, layer.digest)?.take(layer.size.saturating_add(1));
    let mut buffer = vec![0; 256 << 10];
    loop {
        let part = match blob.read(&mut buffer)? {
            0 => break,
            read => buffer.get(..read).unwrap_or_default(),
        };
        hasher.update(part);
        reader.push(part, &mut sink);
        if let Some(error) = sink.error.take() {
            return Err(error);
        }
    }
    reader.finish();
    if let Some(violation) = reader.take_violations().first() {
        return Err(broken(violation));
    }
    if hasher.size() != layer.size || hasher.finish() != layer.digest {
        return Err(other("a layer", layer.digest));
    }
    sink.error.map_or(Ok(()), Err)
}

/// Writes the data of wanted files as it passes.
struct Extractor<'a> {
    files: &'a Files,
    wanted: &'a mut HashMap<Digest, Vec<PathBuf>>,
    /// The file that is being written, and where its content goes besides.
    file: Option<Open>,
    error: Option<io::Error>,
}

struct Open {
    file: File,
    paths: Vec<PathBuf>,
    digest: Digest,
    hasher: Hasher,
}

impl Extractor<'_> {
    fn open(&mut self, entry: &tar::Entry) -> io::Result<()> {
        let path = String::from_utf8_lossy(&entry.path);
        let Some(digest) = self.files.get(path.as_ref()) else { return Ok(()) };
        let Some(paths) = self.wanted.remove(digest) else { return Ok(()) };
        let Some(first) = paths.first() else { return Ok(()) };
        self.file = Some(Open { file: create(first)?, paths, digest: *digest, hasher: Hasher::default() });
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(open) = &mut self.file else { return Ok(()) };
        open.hasher.update(bytes);
        open.file.write_all(bytes)
    }

    fn close(&mut self) -> io::Result<()> {
        let Some(Open { paths, digest, hasher, .. }) = self.file.take() else { return Ok(()) };
        if hasher.finish() != digest {
            return Err(other("a file", digest));
        }
        let mut paths = paths.iter();
        let Some(first) = paths.next() else { return Ok(()) };
        for path in paths {
            io::copy(&mut File::open(first)?, &mut create(path)?)?;
        }
        Ok(())
    }

    fn keep(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }
}

impl Sink for Extractor<'_> {
    fn entry(&mut self, entry: &tar::Entry, _: &mut Vec<Violation>) {
        let result = self.open(entry);
        self.keep(result);
    }

    fn data(&mut self, bytes: &[u8]) {
        let result = self.write(bytes);
        self.keep(result);
    }

    fn end_of_entry(&mut self, _: &mut Vec<Violation>) {
        let result = self.close();
        self.keep(result);
    }

    fn passed_over(&mut self) {
        self.file = None;
    }
}

/// A new file for nobody else; nothing is there yet, not even a link.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Gives a file or directory its owner, mode, extended attributes and time, in the order in which
/// none undoes another.
fn decorate(path: &Path, attributes: &Attributes) -> Result<(), Obstacle> {
    let file = File::open(path)?;
    fchown(&file, Some(attributes.uid), Some(attributes.gid))?;
    file.set_permissions(Permissions::from_mode(attributes.mode))?;
    for (name, value) in &attributes.xattrs {
        match fsetxattr(&file, name.as_str(), value, XattrFlags::CREATE) {
            Ok(()) => {}
            Err(rustix::io::Errno::NOTSUP | rustix::io::Errno::PERM) => {
                return Err(Obstacle::Host(format!("the extended attribute {name} cannot be set here")));
            }
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
    let time = UNIX_EPOCH + Duration::from_secs(attributes.mtime);
    file.set_times(FileTimes::new().set_accessed(time).set_modified(time))?;
    if file.metadata()?.modified()? != time {
        return Err(Obstacle::Host(format!("this file system cannot hold the time {}", attributes.mtime)));
    }
    Ok(())
}

fn blob(store: &Path, digest: Digest) -> io::Result<File> {
    File::open(store.join(path_of(&FileKind::Blob(digest))))
}

fn other(what: &str, digest: Digest) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} is not the one that is named {digest}"))
}

fn broken(violation: &Violation) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the image breaks {}: {}", violation.clause.id, violation.message),
    )
}
