//! `/dev`, and the shared memory in it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::Seen;
use crate::{entry, errno, filesystem, value};

const FOLDER: &str = "/dev";

/// Everything below `/dev`, sorted by path. What is mounted there is said; what is in it is not.
pub(super) fn devices() -> Seen {
    let device = fs::symlink_metadata(FOLDER)?.dev();
    let mut devices = Vec::new();
    walk(Path::new(FOLDER), device, &mut devices)?;
    devices.sort_by(|(one, _), (other, _)| one.as_os_str().cmp(other.as_os_str()));
    Ok(devices.into_iter().map(|(_, members)| Value::from(members)).collect())
}

/// Collects what is in a folder and below, as far as it is on `device`.
fn walk(folder: &Path, device: u64, devices: &mut Vec<(PathBuf, Map<String, Value>)>) -> io::Result<()> {
    for path in paths(folder)? {
        let mut members = Map::new();
        let mut problem = None;
        match fs::symlink_metadata(&path) {
            Ok(metadata) => {
                members = entry::described(&path, &metadata);
                if metadata.is_dir() && metadata.dev() == device {
                    problem = walk(&path, device, devices).err();
                }
            }
            Err(error) => problem = Some(error),
        }
        members.insert("path".to_owned(), value::path(&path));
        members.extend(problem.map(|error| ("error".to_owned(), errno::symbol(&error).into())));
        devices.push((path, members));
    }
    Ok(())
}

/// The paths in a folder.
fn paths(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

/// The file system at `/dev/shm`: its type and its size in bytes.
pub(super) fn shared_memory() -> Seen {
    let there = filesystem::FileSystem::at(Path::new("/dev/shm"))?;
    Ok(json!({"type": there.kind, "size": there.size}))
}
