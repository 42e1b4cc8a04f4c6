//! What is on the disk, seen with other means than those of the library.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cornercast::digest::Digest;
use cornercast::layer::{Attributes, Entry, Node, Tree, Xattrs};
use cornercast::unpack::{Owner, Unpacked};
use tempfile::TempDir;

/// A folder in memory, where there is one: unpacking waits until everything is on the disk.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

/// The entries below `root` in the order of a listing. Makes everything readable after it was looked at.
pub(crate) fn entries(root: &Path) -> Vec<Entry> {
    let mut out = Vec::new();
    let mut first_names = BTreeMap::new();
    below(root, "", &mut first_names, &mut out);
    out
}

fn below(folder: &Path, parent: &str, first_names: &mut BTreeMap<(u64, u64), String>, out: &mut Vec<Entry>) {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    for name in names {
        let at = folder.join(&name);
        let path = format!("{parent}{}", name.to_str().unwrap());
        let metadata = fs::symlink_metadata(&at).unwrap();
        assert_eq!(metadata.mtime_nsec(), 0, "{path}");
        let (uid, gid, mtime) = (metadata.uid(), metadata.gid(), u64::try_from(metadata.mtime()).unwrap());
        if metadata.is_symlink() {
            let target = fs::read_link(&at).unwrap().to_str().unwrap().to_owned();
            out.push(Entry { path, node: Node::Symlink { uid, gid, mtime, target } });
            continue;
        }
        let mode = metadata.mode() & 0o7777;
        if mode & 0o700 != 0o700 {
            fs::set_permissions(&at, PermissionsExt::from_mode(mode | 0o700)).unwrap();
        }
        let attributes = Attributes { mode, uid, gid, mtime, xattrs: xattrs(&at) };
        if metadata.is_dir() {
            out.push(Entry { path: path.clone(), node: Node::Dir { attributes, opaque: false } });
            below(&at, &format!("{path}/"), first_names, out);
            continue;
        }
        assert!(metadata.is_file(), "{path} is {:?}", metadata.file_type());
        let content = fs::read(&at).unwrap();
        let (size, sha256) = (content.len() as u64, Digest::of(&content));
        let first = first_names.entry((metadata.dev(), metadata.ino())).or_insert_with(|| path.clone());
        let node = if *first == path {
            Node::File { attributes, size, sha256 }
        } else {
            // Its mode may have been changed above, under its first name.
            let target = first.clone();
            let mode = out.iter().find(|entry| entry.path == target).unwrap().node.attributes().unwrap().mode;
            Node::Hardlink { attributes: Attributes { mode, ..attributes }, size, sha256, target }
        };
        out.push(Entry { path, node });
    }
}

fn xattrs(path: &Path) -> Xattrs {
    let mut names = vec![0; 64 << 10];
    let length = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    let names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let names = names.map(|name| std::str::from_utf8(name).unwrap().to_owned());
    let value = |name: String| {
        let mut value = vec![0; 64 << 10];
        let length = rustix::fs::lgetxattr(path, name.as_str(), &mut value[..]).unwrap();
        (name, value[..length].to_vec())
    };
    names.filter(|name| name != "security.selinux").map(value).collect()
}

/// The entries that an image has to become, with the owner that they get and without what could not be set.
pub(crate) fn expected(tree: &Tree, unpacked: &Unpacked, owner: Owner) -> Vec<Entry> {
    let caller = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let unset: Vec<&str> = unpacked.unset.iter().map(|unset| unset.name.as_str()).collect();
    assert!(unset.iter().all(|name| *name == "security.capability"), "{unset:?}");
    let map = |(uid, gid): (&mut u32, &mut u32)| {
        if owner == Owner::Caller {
            (*uid, *gid) = caller;
        }
    };
    let mut entries: Vec<Entry> = tree.entries().collect();
    for entry in &mut entries {
        match &mut entry.node {
            Node::File { attributes, .. } | Node::Hardlink { attributes, .. } | Node::Dir { attributes, .. } => {
                map((&mut attributes.uid, &mut attributes.gid));
                attributes.xattrs.retain(|name, _| !unset.contains(&name.as_str()));
            }
            Node::Symlink { uid, gid, .. } => map((uid, gid)),
            Node::Whiteout => {}
        }
    }
    entries
}

/// A folder that nothing may change, beside the place that is unpacked to.
pub(crate) struct Canary {
    folder: TempDir,
    before: Vec<String>,
}

impl Canary {
    pub(crate) fn new() -> Self {
        let folder = folder();
        fs::create_dir(folder.path().join("canary")).unwrap();
        fs::create_dir(folder.path().join("canary/dir")).unwrap();
        fs::write(folder.path().join("canary/file"), "alive").unwrap();
        fs::write(folder.path().join("canary/dir/file"), "alive").unwrap();
        std::os::unix::fs::symlink("file", folder.path().join("canary/link")).unwrap();
        let mut canary = Self { folder, before: Vec::new() };
        canary.before = canary.state();
        canary
    }

    /// Where to unpack to; nothing is there.
    pub(crate) fn target(&self) -> PathBuf {
        self.folder.path().join("target")
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("canary")
    }

    fn state(&self) -> Vec<String> {
        let mut todo = vec![self.path()];
        let mut out = Vec::new();
        while let Some(path) = todo.pop() {
            let metadata = fs::symlink_metadata(&path).unwrap();
            let content = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            let changed = (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec());
            let what = (metadata.mode(), metadata.uid(), metadata.nlink(), metadata.ino());
            out.push(format!("{:?} {changed:?} {what:?} {content:?}", path.as_os_str().as_bytes()));
            if metadata.is_dir() {
                todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        out.sort();
        out
    }

    /// Nothing has changed, and in the folder is nothing else but the target, if it is `there`.
    pub(crate) fn check(&self, there: bool) {
        assert_eq!(self.state(), self.before);
        let mut names: Vec<_> =
            fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        if there {
            assert_eq!(names, ["canary", "target"]);
        } else {
            assert_eq!(names, ["canary"]);
        }
    }
}
