//! The listing of the root tree, computed from inside.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use cornercast::digest::{Digest, Hasher};
use cornercast::layer::{Attributes, Node, Xattrs, write_line};
use rustix::fs::{lgetxattr, llistxattr};
use rustix::io::Errno;

/// What an engine has for itself: not part of the image.
const ENGINE: [&str; 7] =
    ["/proc", "/sys", "/dev", "/run/cornercast", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];

/// What the walk saw.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The lines of the listing, without newlines.
    pub(crate) lines: Vec<String>,
    /// SHA-256 of the listing.
    pub(crate) digest: Digest,
    /// Paths of the engine and of mounts that were met, absolute.
    pub(crate) passed_over: Vec<String>,
    /// What no listing can hold, or could not be read.
    pub(crate) problems: Vec<String>,
}

/// Walks the tree from the root, without the engine's own paths and without mounts.
pub(crate) fn walk() -> io::Result<Seen> {
    let mut skip: BTreeSet<Vec<u8>> = mount_points()?.into_iter().filter(|path| path != b"/").collect();
    skip.extend(ENGINE.iter().map(|path| path.as_bytes().to_vec()));
    let mut walk = Walk {
        skip,
        files: HashMap::new(),
        listing: Hasher::default(),
        lines: Vec::new(),
        passed_over: Vec::new(),
        problems: Vec::new(),
    };
    walk.directory(Path::new("/"))?;
    let Walk { listing, lines, passed_over, problems, .. } = walk;
    Ok(Seen { digest: listing.finish(), lines, passed_over, problems })
}

/// Where something is mounted: the fifth field of each line of `mountinfo`, with its octal escapes.
fn mount_points() -> io::Result<Vec<Vec<u8>>> {
    let text = fs::read("/proc/self/mountinfo")?;
    let fields = text.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    Ok(fields.map(unescaped).collect())
}

/// `field` with `\040` and so on as the bytes that they stand for.
pub(crate) fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|digits| *first == b'\\' && digits.iter().all(|d| (b'0'..b'8').contains(d)));
        match digits {
            Some(digits) => {
                out.push(digits.iter().fold(0_u8, |byte, digit| byte.wrapping_mul(8).wrapping_add(digit - b'0')));
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

struct Walk {
    skip: BTreeSet<Vec<u8>>,
    /// The first name of each file with several, by device and inode.
    files: HashMap<(u64, u64), (String, u64, Digest)>,
    listing: Hasher,
    lines: Vec<String>,
    passed_over: Vec<String>,
    problems: Vec<String>,
}

impl Walk {
    /// Everything in a directory, siblings in the order of their bytes, each with what is below it.
    fn directory(&mut self, path: &Path) -> io::Result<()> {
        let mut names: Vec<Vec<u8>> =
            fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().into_vec())).collect::<io::Result<_>>()?;
        names.sort();
        for name in names {
            let path = path.join(std::ffi::OsStr::from_bytes(&name));
            if self.skip.contains(path.as_os_str().as_bytes()) {
                self.passed_over.push(path.display().to_string());
            } else if let Err(error) = self.entry(&path) {
                self.problems.push(format!("{}: {error}", path.display()));
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path) -> io::Result<()> {
        let metadata = fs::symlink_metadata(path)?;
        let kind = metadata.file_type();
        let relative = path.strip_prefix("/").unwrap_or(path);
        let name = relative.to_str().ok_or_else(|| io::Error::other("the name is not UTF-8"))?;
        let node = if kind.is_symlink() {
            let target = fs::read_link(path)?.into_os_string().into_string();
            let target = target.map_err(|_| io::Error::other("the target is not UTF-8"))?;
            Node::Symlink { uid: metadata.uid(), gid: metadata.gid(), mtime: mtime(&metadata)?, target }
        } else if kind.is_dir() {
            Node::Dir { attributes: attributes(path, &metadata)?, opaque: false }
        } else if kind.is_file() {
            self.file(path, name, &metadata)?
        } else {
            return Err(io::Error::other("it is no file, directory or symbolic link"));
        };
        let mut line = Vec::new();
        write_line(&mut line, name, &node);
        self.listing.update(&line);
        line.pop();
        self.lines.push(String::from_utf8_lossy(&line).into_owned());
        if kind.is_dir() { self.directory(path) } else { Ok(()) }
    }

    fn file(&mut self, path: &Path, name: &str, metadata: &Metadata) -> io::Result<Node> {
        let attributes = attributes(path, metadata)?;
        let key = (metadata.dev(), metadata.ino());
        if let Some((target, size, sha256)) = self.files.get(&key) {
            return Ok(Node::Hardlink { attributes, size: *size, sha256: *sha256, target: target.clone() });
        }
        let mut hasher = Hasher::default();
        let mut file = File::open(path)?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                read => hasher.update(buffer.get(..read).unwrap_or_default()),
            }
        }
        let (size, sha256) = (hasher.size(), hasher.finish());
        if metadata.nlink() > 1 {
            self.files.insert(key, (name.to_owned(), size, sha256));
        }
        Ok(Node::File { attributes, size, sha256 })
    }
}

fn attributes(path: &Path, metadata: &Metadata) -> io::Result<Attributes> {
    Ok(Attributes {
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        mtime: mtime(metadata)?,
        xattrs: xattrs(path)?,
    })
}

/// Whole seconds, rounded down: the kernel counts nanoseconds upwards from them.
fn mtime(metadata: &Metadata) -> io::Result<u64> {
    u64::try_from(metadata.mtime()).map_err(|_| io::Error::other("it was changed before 1970"))
}

/// The extended attributes that a layer can hold (LAY-058).
fn xattrs(path: &Path) -> io::Result<Xattrs> {
    let mut names = vec![0_u8; 64 << 10];
    let length = match llistxattr(path, names.as_mut_slice()) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => 0,
        Err(error) => return Err(error.into()),
    };
    let mut xattrs = Xattrs::new();
    for name in names.get(..length).unwrap_or_default().split(|byte| *byte == 0) {
        let Ok(name) = std::str::from_utf8(name) else { continue };
        if name == "security.capability" || (name.starts_with("user.") && !name.starts_with("user.overlay.")) {
            let mut value = vec![0_u8; 64 << 10];
            let length = lgetxattr(path, name, value.as_mut_slice())?;
            value.truncate(length);
            xattrs.insert(name.to_owned(), value);
        }
    }
    Ok(xattrs)
}
