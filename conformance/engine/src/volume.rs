//! Volumes: what is put at the mounts of the image.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use cornercast::layer::{Attributes, Node, Tree};
use cornercast::manifest::App;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{mount_bind, mount_bind_recursive};

use crate::options::{Options, Volume};
use crate::refusal::Refusals;

/// A volume that is going to be mounted.
#[derive(Debug)]
pub(crate) struct Staged {
    /// The directory that is mounted.
    pub(crate) source: PathBuf,
    /// Where it is mounted in the image: absolute, and no link is on the way.
    pub(crate) path: String,
    /// Whether the application cannot write to it.
    pub(crate) read_only: bool,
}

/// A volume that has been found, and not yet been put anywhere.
#[derive(Debug)]
pub(crate) struct Found {
    name: String,
    path: String,
    read_only: bool,
    origin: Origin,
}

impl Found {
    /// Where it is to be mounted in the image.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

#[derive(Debug)]
enum Origin {
    /// The directory of the host, open.
    Directory(OwnedFd),
    /// A new one with the attributes of the image's directory.
    Empty(Attributes),
}

/// Finds the volumes of an app.
pub(crate) fn find(app: &App, tree: &Tree, options: &Options, refusals: &mut Refusals) -> Vec<Found> {
    for name in options.volumes.keys().filter(|name| app.mounts.iter().all(|mount| mount.name != **name)) {
        // RUN-066
        refusals.add("RUN-066", format!("the image has no mount that is called `{name}`"));
    }
    let mut found = Vec::new();
    for mount in &app.mounts {
        let read_only = |given: bool| given || mount.read_only;
        let (read_only, origin) = match options.volumes.get(&mount.name) {
            None if mount.required => {
                // RUN-067
                refusals.add(
                    "RUN-067",
                    format!("the mount `{}` at {} is required, and no volume is given", mount.name, mount.path),
                );
                continue;
            }
            None => continue,
            Some(Volume::Empty { .. }) => (read_only(false), Origin::Empty(attributes(tree, &mount.path))),
            Some(Volume::Directory { source, read_only: given }) => match open(source) {
                Ok(directory) => (read_only(*given), Origin::Directory(directory)),
                Err(why) => {
                    // RUN-068
                    refusals.add("RUN-068", format!("the source {source} of the volume `{}` {why}", mount.name));
                    continue;
                }
            },
        };
        found.push(Found { name: mount.name.clone(), path: mount.path.clone(), read_only, origin });
    }
    found
}

fn attributes(tree: &Tree, path: &str) -> Attributes {
    match tree.get(path.trim_start_matches('/')).map(|entry| entry.node) {
        Some(Node::Dir { attributes, .. }) => attributes.clone(),
        _ => Attributes { mode: 0o755, ..Attributes::default() },
    }
}

/// Opens a directory of the host; in its last component no link is followed.
fn open(source: &str) -> Result<OwnedFd, String> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(CWD, source, flags, Mode::empty()).map_err(|error| match error {
        Errno::NOENT => "does not exist".to_owned(),
        Errno::NOTDIR | Errno::LOOP => "is no directory, or a symbolic link".to_owned(),
        error => format!("cannot be opened: {error}"),
    })
}

/// Puts the volumes into directories below `folder`, in a mount namespace of the engine's own. What is opened is what
/// is mounted, whatever has become of its name, and what is mounted below it is not included.
///
/// With `is_deep` it is included after all, which no engine has a reason for.
pub(crate) fn stage(found: Vec<Found>, folder: &Path, is_deep: bool) -> io::Result<Vec<Staged>> {
    let mut staged = Vec::new();
    fs::create_dir_all(folder)?;
    for Found { name, path, read_only, origin } in found {
        let source = folder.join(name);
        DirBuilder::new().mode(0o700).create(&source)?;
        match origin {
            Origin::Directory(directory) => {
                let place = format!("/proc/self/fd/{}", directory.as_raw_fd());
                // RUN-072
                if is_deep { mount_bind_recursive(place, &source) } else { mount_bind(place, &source) }?;
            }
            Origin::Empty(attributes) => {
                chown(&source, Some(attributes.uid), Some(attributes.gid))?;
                fs::set_permissions(&source, fs::Permissions::from_mode(attributes.mode))?;
            }
        }
        staged.push(Staged { source, path, read_only });
    }
    Ok(staged)
}
