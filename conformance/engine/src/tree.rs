//! The root tree of an instance: what the engine puts into the unpacked image.
//!
//! The tree belongs to the instance alone, and the image was judged before, so no link is on the way to what is
//! written here.

use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use cornercast::layer::{Node, Tree};

use crate::refusal::Refusals;

/// The directories that the engine needs, each after the one that it is in (RUN-041).
pub const DIRECTORIES: [&str; 6] = ["dev", "etc", "proc", "run", "run/cornercast", "sys"];

/// The files that the engine writes (RUN-042).
pub const FILES: [&str; 3] = ["etc/hostname", "etc/hosts", "etc/resolv.conf"];

/// What would be hidden or followed where the engine puts something.
pub(crate) fn judge(tree: &Tree, refusals: &mut Refusals) {
    for path in DIRECTORIES {
        // RUN-041
        if let Some(kind) = tree.get(path).map(|entry| entry.node).filter(|node| !matches!(node, Node::Dir { .. })) {
            let kind = kind.type_name();
            refusals
                .add("RUN-041", format!("`/{path}` is {kind} in the image, and the engine needs a directory there"));
        }
    }
    for path in FILES {
        // RUN-042
        if let Some(Node::Dir { .. }) = tree.get(path).map(|entry| entry.node) {
            refusals
                .add("RUN-042", format!("`/{path}` is a directory in the image, and the engine needs a file there"));
        }
    }
}

/// Removes what is in the way of the engine's directories and files, which no engine has a reason to do.
pub(crate) fn replace(root: &Path) -> io::Result<()> {
    for path in DIRECTORIES.map(|path| root.join(path)) {
        if fs::symlink_metadata(&path).is_ok_and(|metadata| !metadata.is_dir()) {
            fs::remove_file(&path)?;
            make_directory(&path)?;
        }
    }
    for path in FILES.map(|path| root.join(path)) {
        if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

/// Puts the engine's directories and files into `root`, and leaves no other trace.
pub(crate) fn prepare(root: &Path, tree: &Tree, hostname: &str) -> io::Result<()> {
    for path in DIRECTORIES.iter().filter(|path| tree.get(path).is_none()) {
        // RUN-037
        make_directory(&root.join(path))?;
    }
    let hosts = format!("127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.0.1\t{hostname}\n");
    for (path, content) in
        [("etc/hostname", format!("{hostname}\n")), ("etc/hosts", hosts), ("etc/resolv.conf", String::new())]
    {
        let path = root.join(path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path)?;
        file.write_all(content.as_bytes())?;
    }
    // RUN-038: what was put into a directory has changed its time.
    for path in ["run", "etc"] {
        let mtime = match tree.get(path).map(|entry| entry.node) {
            Some(Node::Dir { attributes, .. }) => attributes.mtime,
            _ => 0,
        };
        set_mtime(&root.join(path), mtime)?;
    }
    set_mtime(root, 0)
}

fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o755).create(path)
}

fn set_mtime(path: &Path, seconds: u64) -> io::Result<()> {
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    File::open(path)?.set_times(FileTimes::new().set_accessed(time).set_modified(time))
}
