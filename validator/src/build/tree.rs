//! A tree that a layer will be made from: what is where, and where its content can be read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::names::keep_xattr;
use crate::digest::Digest;
use crate::layer::{Attributes, Entry, LayerWriter, Node, Xattrs};
use crate::limits::Limits;
use crate::shown::{quoted, shown_bytes};

/// Where a file's content is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file of the file system.
    File(PathBuf),
    /// A part of a file: offset and length.
    Part(PathBuf, u64, u64),
    /// A file of the file system that nobody else changes, and its digest.
    Kept(PathBuf, Digest),
}

impl Content {
    /// Opens the content.
    ///
    /// # Errors
    ///
    /// Errors of the file system.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::File(path) | Self::Kept(path, _) => Box::new(File::open(path)?),
            Self::Part(path, offset, length) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(*offset))?;
                Box::new(file.take(*length))
            }
        })
    }
}

/// Something that a layer cannot hold and that was left out or changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// Where.
    pub path: String,
    /// What was left out or changed.
    pub what: String,
}

/// Why an image cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The tree holds something that a layer cannot hold, or the input is not what it should be.
    #[error("{0}")]
    Refused(String),
    /// Reading or writing failed.
    #[error("{0}: {1}")]
    Io(String, #[source] io::Error),
}

impl BuildError {
    /// An error of reading or writing `what`.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |error| Self::Io(what, error)
    }
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceNode {
    /// A file; names with the same identity are one file.
    File {
        /// Mode, owner, time, extended attributes.
        attributes: Attributes,
        /// Bytes of content.
        size: u64,
        /// Where the content is.
        content: Content,
        /// Device and inode, or the path of the first name in an archive.
        identity: Option<(u64, u64)>,
    },
    /// A directory.
    Dir {
        /// Mode, owner, time, extended attributes.
        attributes: Attributes,
        /// Whether it hides what lower layers have in it.
        opaque: bool,
    },
    /// A symbolic link.
    Symlink {
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// Seconds since 1970.
        mtime: u64,
        /// Where it leads.
        target: String,
    },
    /// Hides a path of lower layers.
    Whiteout,
}

/// A tree that a layer will be made from.
#[derive(Debug, Default)]
pub struct SourceTree {
    /// By path with `/` replaced by U+0000 and, before a whiteout's name, U+0001: the order of a layer.
    nodes: BTreeMap<String, (String, SourceNode)>,
    notes: Vec<Note>,
    /// No time is later than this.
    pub epoch: Option<u64>,
    /// Is told how many bytes of content have been read, again and again while a layer is written.
    pub on_read: Option<fn(u64)>,
}

/// The largest time that a layer can hold (LAY-021).
const MAX_MTIME: i64 = Limits::FORMAT.mtime;

impl SourceTree {
    /// An empty tree; times later than `epoch` become `epoch`.
    #[must_use]
    pub fn new(epoch: Option<u64>) -> Self {
        Self { epoch, ..Self::default() }
    }

    /// What was left out or changed, in the order of the tree.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        let mut notes = self.notes.clone();
        notes.sort();
        notes
    }

    /// The notes that have been taken since the last call.
    pub(crate) fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// Takes a note.
    pub fn note(&mut self, path: &str, what: impl Into<String>) {
        self.notes.push(Note { path: path.to_owned(), what: what.into() });
    }

    /// Whether `path` is there.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&SourceNode> {
        self.nodes.get(&key(path, false)).map(|(_, node)| node)
    }

    /// Puts `node` at `path`; what was there, and below it unless both are directories, goes.
    pub fn insert(&mut self, path: String, node: SourceNode) {
        let is_whiteout = node == SourceNode::Whiteout;
        let key = key(&path, is_whiteout);
        let keeps = matches!(node, SourceNode::Dir { .. })
            && self.nodes.get(&key).is_some_and(|(_, old)| matches!(old, SourceNode::Dir { .. }));
        if !keeps && !is_whiteout {
            let (from, to) = (format!("{key}\0"), format!("{key}\u{1}"));
            let doomed: Vec<String> = self.nodes.range(from..to).map(|(key, _)| key.clone()).collect();
            for key in doomed {
                self.nodes.remove(&key);
            }
        }
        self.nodes.insert(key, (path, node));
    }

    /// Adds a directory with default attributes for each parent of `path` that is missing.
    pub fn add_parents(&mut self, path: &str) {
        let parents: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
        for end in parents {
            let parent = path.get(..end).unwrap_or_default();
            if self.get(parent).is_none() {
                let attributes = Attributes { mode: 0o755, ..Attributes::default() };
                self.note(parent, "the directory has no entry of its own; the mode 0755 and the owner 0:0 are used");
                self.insert(parent.to_owned(), SourceNode::Dir { attributes, opaque: false });
            }
        }
    }

    /// A time in whole seconds within the range of a layer (LAY-070).
    pub fn time(&mut self, path: &str, seconds: i64) -> u64 {
        let clamped = seconds.clamp(0, MAX_MTIME);
        if clamped != seconds {
            self.note(path, format!("the time {seconds} becomes {clamped}"));
        }
        let time = u64::try_from(clamped).unwrap_or_default();
        self.epoch.map_or(time, |epoch| time.min(epoch))
    }

    /// The extended attributes that a layer can hold; the others are noted.
    ///
    /// # Errors
    ///
    /// More or larger ones than an entry can have.
    pub fn xattrs(&mut self, path: &str, all: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Xattrs, BuildError> {
        let mut kept = Xattrs::new();
        for (name, value) in all {
            match keep_xattr(&name, &value) {
                Ok(name) => {
                    kept.insert(name, value);
                }
                Err(why) => {
                    self.note(path, format!("the extended attribute `{}` is left out{why}", shown_bytes(&name)))
                }
            }
        }
        let bytes: usize = kept.values().map(Vec::len).sum();
        if kept.len() > Limits::FORMAT.xattrs || bytes > Limits::FORMAT.xattr_values {
            let message = format!(
                "{} cannot be in a layer: it has {} extended attributes of {bytes} bytes; the limits are {} and {}",
                quoted(path),
                kept.len(),
                Limits::FORMAT.xattrs,
                Limits::FORMAT.xattr_values
            );
            return Err(BuildError::Refused(message));
        }
        Ok(kept)
    }

    /// Removes markers that a layer must not have, with a note: of what the layer has itself (LAY-067),
    /// and below an opaque directory (LAY-068). A directory whose whiteout goes is opaque.
    pub fn without_needless_markers(&mut self) {
        let mut opaque: Option<String> = None;
        let mut whiteouts = BTreeSet::new();
        let mut directories = Vec::new();
        for (path, node) in self.nodes.values() {
            let inside = opaque
                .as_ref()
                .is_some_and(|opaque| path.strip_prefix(opaque.as_str()).is_some_and(|rest| rest.starts_with('/')));
            let has_whiteout = whiteouts.contains(path);
            match node {
                SourceNode::Whiteout if inside || self.get(path).is_some() => {
                    whiteouts.insert(path.clone());
                }
                SourceNode::Dir { opaque: marked, .. } if *marked || (has_whiteout && !inside) => {
                    directories.push((path.clone(), *marked, inside));
                    if !inside {
                        opaque = Some(path.clone());
                    }
                }
                _ => {}
            }
        }
        for path in whiteouts {
            self.nodes.remove(&key(&path, true));
            let becomes_opaque = directories.iter().any(|(directory, marked, _)| *directory == path && !marked);
            self.note(
                &path,
                if becomes_opaque {
                    "the whiteout of a directory that the layer has becomes an opaque marker in it"
                } else {
                    "the whiteout is left out: it would hide nothing of the layers below"
                },
            );
        }
        for (path, _, inside) in directories {
            if let Some((_, SourceNode::Dir { opaque, .. })) = self.nodes.get_mut(&key(&path, false)) {
                *opaque = !inside;
            }
            if inside {
                self.note(&path, "the opaque marker is left out: a directory above is opaque");
            }
        }
    }

    /// Writes the layer of this tree and gives its entries.
    ///
    /// # Errors
    ///
    /// Errors of reading contents and of `out`; a file that has another length than the tree says.
    pub fn write_layer<W: Write>(&self, out: W) -> Result<Vec<Entry>, BuildError> {
        let mut writer = LayerWriter::new(out);
        let entries = self.each(|entry, content| match (&mut entry.node, content) {
            (Node::File { attributes, size, sha256 }, Some(content)) => {
                *sha256 = self.write_file(&mut writer, &entry.path, (attributes, *size), content)?;
                Ok(())
            }
            _ => writer.entry(entry, &mut io::empty()).map_err(BuildError::io(UNWRITTEN)),
        })?;
        writer.finish().map_err(BuildError::io(UNWRITTEN))?;
        Ok(entries)
    }

    /// The entries of the layer of this tree. Contents are read where their digests are not known.
    ///
    /// # Errors
    ///
    /// Errors of reading contents; a file that has another length than the tree says.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, BuildError> {
        self.each(|entry, content| {
            if let (Node::File { attributes, size, sha256 }, Some(content)) = (&mut entry.node, content) {
                *sha256 = match content {
                    Content::Kept(_, digest) => *digest,
                    other => {
                        let mut nowhere = LayerWriter::new(io::sink());
                        self.write_file(&mut nowhere, &entry.path, (attributes, *size), other)?
                    }
                };
            }
            Ok(())
        })
    }

    /// The entries of the layer of this tree, after `each` has seen them, in order; that of a file comes with its
    /// content and gets its digest there.
    fn each(
        &self,
        mut each: impl FnMut(&mut Entry, Option<&Content>) -> Result<(), BuildError>,
    ) -> Result<Vec<Entry>, BuildError> {
        let mut first_names: HashMap<(u64, u64), (String, Digest)> = HashMap::new();
        let mut entries = Vec::with_capacity(self.nodes.len());
        for (path, node) in self.nodes.values() {
            let mut unread = None;
            let node = match node {
                SourceNode::Whiteout => Node::Whiteout,
                SourceNode::Dir { attributes, opaque } => Node::Dir { attributes: attributes.clone(), opaque: *opaque },
                SourceNode::Symlink { uid, gid, mtime, target } => {
                    Node::Symlink { uid: *uid, gid: *gid, mtime: *mtime, target: target.clone() }
                }
                SourceNode::File { attributes, size, content, identity } => {
                    let attributes = attributes.clone();
                    match identity.and_then(|identity| first_names.get(&identity)) {
                        Some((target, sha256)) => {
                            Node::Hardlink { attributes, size: *size, sha256: *sha256, target: target.clone() }
                        }
                        None => {
                            unread = Some((content, *identity));
                            Node::File { attributes, size: *size, sha256: Digest::of(&[]) }
                        }
                    }
                }
            };
            let mut entry = Entry { path: path.clone(), node };
            each(&mut entry, unread.map(|(content, _)| content))?;
            if let (Some((_, Some(identity))), Node::File { sha256, .. }) = (unread, &entry.node) {
                first_names.insert(identity, (path.clone(), *sha256));
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    /// Writes the file `path` of this tree and gives its digest.
    fn write_file<W: Write>(
        &self,
        writer: &mut LayerWriter<W>,
        path: &str,
        (attributes, size): (&Attributes, u64),
        content: &Content,
    ) -> Result<Digest, BuildError> {
        let unread = match content {
            Content::File(source) => format!("{} cannot be read", source.display()),
            Content::Part(..) | Content::Kept(..) => format!("{} of the archive cannot be read", quoted(path)),
        };
        let reader = content.open().map_err(BuildError::io(&unread))?;
        let mut reader = Observed { content: reader, on_read: self.on_read, failed: false };
        let written = writer.file(path, attributes, size, &mut reader);
        written.map_err(|error| match (content, error.kind()) {
            (Content::File(source), io::ErrorKind::InvalidData) => BuildError::Refused(format!(
                "{} has not the {size} bytes that it had before: it changed while it was read; try again",
                source.display()
            )),
            (Content::Part(..) | Content::Kept(..), io::ErrorKind::InvalidData) => BuildError::Refused(format!(
                "the archive is cut off: it ends before the {size} bytes of {} do",
                quoted(path)
            )),
            _ if reader.failed => BuildError::Io(unread, error),
            _ => BuildError::Io(UNWRITTEN.to_owned(), error),
        })
    }

    /// The sum of the sizes of the files, in bytes, each counted once.
    #[must_use]
    pub fn size(&self) -> u64 {
        let mut seen = HashSet::new();
        let sizes = self.nodes.values().filter_map(|(_, node)| match node {
            SourceNode::File { size, identity, .. } if identity.is_none_or(|identity| seen.insert(identity)) => {
                Some(*size)
            }
            _ => None,
        });
        sizes.fold(0, u64::saturating_add)
    }

    /// Whether the tree has no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// What is said of a layer that cannot be written.
pub(super) const UNWRITTEN: &str = "the temporary file of the layer cannot be written";

struct Observed {
    content: Box<dyn Read + Send>,
    on_read: Option<fn(u64)>,
    /// Whether it was reading that failed.
    failed: bool,
}

impl Read for Observed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer).inspect_err(|_| self.failed = true)?;
        if let Some(on_read) = self.on_read {
            on_read(read as u64);
        }
        Ok(read)
    }
}

/// The key that sorts entries as a layer does (LAY-047).
fn key(path: &str, is_whiteout: bool) -> String {
    let (directory, name) = path.rsplit_once('/').map_or((None, path), |(directory, name)| (Some(directory), name));
    // No name begins with U+0001, so whiteouts come before all their siblings.
    let name = if is_whiteout { format!("\u{1}{name}") } else { name.to_owned() };
    match directory {
        Some(directory) => format!("{}\0{name}", directory.replace('/', "\0")),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_that_a_layer_cannot_have_keep_their_meaning() {
        let dir = |opaque| SourceNode::Dir { attributes: Attributes::default(), opaque };
        let link = || SourceNode::Symlink { uid: 0, gid: 0, mtime: 0, target: "x".to_owned() };
        let mut tree = SourceTree::new(None);
        for (path, node) in [
            // Replaced by a directory: what the layers below have in it stays hidden.
            ("a", SourceNode::Whiteout),
            ("a", dir(false)),
            ("a/b", dir(true)),
            ("a/c", SourceNode::Whiteout),
            // Replaced by a link, which hides whatever was there.
            ("d", SourceNode::Whiteout),
            ("d", link()),
            ("e", dir(true)),
            ("e/f", SourceNode::Whiteout),
            ("e/f", dir(false)),
            ("g", SourceNode::Whiteout),
        ] {
            tree.insert(path.to_owned(), node);
        }
        tree.without_needless_markers();
        let entries = tree.write_layer(io::sink()).unwrap();
        let shown: Vec<(&str, bool)> = entries
            .iter()
            .map(|entry| (&*entry.path, matches!(entry.node, Node::Whiteout | Node::Dir { opaque: true, .. })))
            .collect();
        let expected = [("g", true), ("a", true), ("a/b", false), ("d", false), ("e", true), ("e/f", false)];
        assert_eq!(shown, expected);
        let notes: Vec<String> = tree.notes().iter().map(|note| note.path.clone()).collect();
        assert_eq!(notes, ["a", "a/b", "a/c", "d", "e/f"]);
    }
}
