//! From a listing and the files' contents to the layer.

use std::io::{self, Read, Write};

use super::entry::{Attributes, Entry, Node};
use crate::digest::{Digest, Hasher};
use crate::tar::{END, EntryHeader, header_bytes, padding};

/// Writes a layer entry by entry.
///
/// The entries come in the order of a layer (LAY-047); writing the same entries and contents gives
/// the same bytes.
///
/// ```
/// use cornercast::digest::Digest;
/// use cornercast::layer::{Attributes, Entry, LayerWriter, Node, Walker};
/// use cornercast::limits::Limits;
///
/// let attributes = Attributes { mode: 0o644, ..Attributes::default() };
/// let node = Node::File { attributes, size: 3, sha256: Digest::of(b"hi\n") };
/// let entry = Entry { path: "greeting".to_owned(), node };
///
/// let mut writer = LayerWriter::new(Vec::new());
/// writer.entry(&entry, &mut &b"hi\n"[..])?;
/// let layer = writer.finish()?;
///
/// let mut walker = Walker::new(Limits::FORMAT);
/// walker.push(&layer);
/// let (walk, _) = walker.finish();
/// assert!(walk.violations.is_empty());
/// assert_eq!(walk.entries, [entry]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct LayerWriter<W> {
    out: W,
    buffer: Vec<u8>,
}

impl<W: Write> LayerWriter<W> {
    /// A writer of a layer to `out`.
    pub fn new(out: W) -> Self {
        Self { out, buffer: vec![0; 256 << 10] }
    }

    /// Writes an entry, and a file's data from `content`.
    ///
    /// # Errors
    ///
    /// Errors of `out` and `content`; `InvalidData` if `content` is not as long as the entry says,
    /// or the entry's digest is not its own.
    pub fn entry(&mut self, entry: &Entry, content: &mut dyn Read) -> io::Result<()> {
        match &entry.node {
            Node::File { attributes, size, sha256 } => {
                if self.file(&entry.path, attributes, *size, content)? != *sha256 {
                    return Err(not_as_said(&entry.path));
                }
                Ok(())
            }
            Node::Hardlink { attributes, target, .. } => self.header(b'1', &entry.path, target, attributes, 0),
            Node::Dir { attributes, opaque } => {
                let path = format!("{}/", entry.path);
                self.header(b'5', &path, "", attributes, 0)?;
                if *opaque {
                    self.marker(&format!("{path}{}", super::path::OPAQUE))?;
                }
                Ok(())
            }
            Node::Symlink { uid, gid, mtime, target } => {
                let attributes =
                    Attributes { mode: 0o777, uid: *uid, gid: *gid, mtime: *mtime, ..Attributes::default() };
                self.header(b'2', &entry.path, target, &attributes, 0)
            }
            Node::Whiteout => {
                let (directory, name) = entry.path.rsplit_once('/').unwrap_or(("", &entry.path));
                self.marker(&super::join(directory, &format!("{}{name}", super::path::WHITEOUT)))
            }
        }
    }

    /// Writes a file of `size` bytes from `content` and gives the digest of what it wrote.
    ///
    /// # Errors
    ///
    /// Errors of `out` and `content`; `InvalidData` if `content` is not `size` bytes long.
    pub fn file(
        &mut self,
        path: &str,
        attributes: &Attributes,
        size: u64,
        content: &mut dyn Read,
    ) -> io::Result<Digest> {
        self.header(b'0', path, "", attributes, size)?;
        let mut hasher = Hasher::default();
        loop {
            let read = match content.read(&mut self.buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let part = self.buffer.get(..read).unwrap_or_default();
            if read == 0 {
                break;
            }
            hasher.update(part);
            if hasher.size() > size {
                break;
            }
            self.out.write_all(part)?;
        }
        if hasher.size() != size {
            return Err(not_as_said(path));
        }
        self.out.write_all(&vec![0; padding(size)])?;
        Ok(hasher.finish())
    }

    /// What the layer is written to.
    pub fn get_ref(&self) -> &W {
        &self.out
    }

    /// Writes the end of the layer and gives `out` back.
    ///
    /// # Errors
    ///
    /// Errors of `out`.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&END)?;
        Ok(self.out)
    }

    fn marker(&mut self, path: &str) -> io::Result<()> {
        self.header(b'0', path, "", &Attributes::default(), 0)
    }

    fn header(&mut self, typeflag: u8, path: &str, target: &str, attributes: &Attributes, size: u64) -> io::Result<()> {
        let xattrs: Vec<(String, Vec<u8>)> =
            attributes.xattrs.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        self.out.write_all(&header_bytes(&EntryHeader {
            typeflag,
            path,
            target,
            mode: attributes.mode,
            uid: attributes.uid,
            gid: attributes.gid,
            size,
            mtime: attributes.mtime,
            xattrs: &xattrs,
        }))
    }
}

fn not_as_said(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the content of `{path}` is not what its entry says"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(size: u64, sha256: Digest) -> Entry {
        Entry { path: "a".to_owned(), node: Node::File { attributes: Attributes::default(), size, sha256 } }
    }

    /// What is written is read as what was to be written.
    #[test]
    fn entries_are_read_as_they_are_written() {
        let attributes = |id: u32| Attributes {
            mode: 0o750 + id,
            uid: id,
            gid: 10 * id,
            mtime: 100 * u64::from(id),
            xattrs: [("user.a".to_owned(), vec![0, 1])].into(),
        };
        let sha256 = Digest::of(b"abc");
        let nodes = [
            ("e", Node::Whiteout),
            ("a", Node::Dir { attributes: attributes(1), opaque: true }),
            ("a/b", Node::File { attributes: attributes(2), size: 3, sha256 }),
            ("a/c", Node::Hardlink { attributes: attributes(2), size: 3, sha256, target: "a/b".to_owned() }),
            ("d", Node::Symlink { uid: 3, gid: 30, mtime: 300, target: "a".to_owned() }),
            ("f", Node::Dir { attributes: attributes(4), opaque: false }),
        ];
        let entries = nodes.map(|(path, node)| Entry { path: path.to_owned(), node });
        let mut writer = LayerWriter::new(Vec::new());
        for entry in &entries {
            writer.entry(entry, &mut &b"abc"[..]).unwrap();
        }
        let mut walker = crate::layer::Walker::new(crate::limits::Limits::FORMAT);
        walker.push(&writer.finish().unwrap());
        let (walk, _) = walker.finish();
        assert_eq!(walk.violations, []);
        assert_eq!(walk.entries, entries);
    }

    #[test]
    fn contents_are_what_the_entry_says() {
        let written = |entry: &Entry, content: &[u8]| {
            let mut writer = LayerWriter::new(Vec::new());
            let result = writer.entry(entry, &mut &*content).map_err(|error| error.kind());
            (result, writer.get_ref().len())
        };
        let invalid = Err(io::ErrorKind::InvalidData);
        assert_eq!(written(&file(3, Digest::of(b"abc")), b"abc"), (Ok(()), 2 * crate::tar::BLOCK));
        assert_eq!(written(&file(3, Digest::of(b"abd")), b"abc").0, invalid);
        assert_eq!(written(&file(4, Digest::of(b"abc")), b"abc").0, invalid);
        // Nothing is written beyond the size.
        assert_eq!(written(&file(2, Digest::of(b"abc")), b"abc"), (invalid, 512));
        assert_eq!(written(&file(0, Digest::of(b"abc")), b"abc"), (invalid, 512));
    }

    /// Gives one byte at a time, is interrupted before each, and fails after them.
    struct Slow<'a> {
        left: &'a [u8],
        was_interrupted: bool,
    }

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.was_interrupted = !self.was_interrupted;
            match self.left {
                _ if self.was_interrupted => Err(io::ErrorKind::Interrupted.into()),
                [] => Err(io::ErrorKind::PermissionDenied.into()),
                _ => (&mut self.left).take(1).read(buffer),
            }
        }
    }

    #[test]
    fn reading_may_be_interrupted_but_not_fail() {
        let entry = file(3, Digest::of(b"abc"));
        let mut writer = LayerWriter::new(Vec::new());
        let slow = || Slow { left: b"abc", was_interrupted: false };
        writer.entry(&entry, &mut slow().take(3)).unwrap();
        let failed = writer.entry(&entry, &mut slow()).map_err(|error| error.kind());
        assert_eq!(failed, Err(io::ErrorKind::PermissionDenied));
    }
}
