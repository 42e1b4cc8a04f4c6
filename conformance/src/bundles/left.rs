//! What a container leaves: entries in trees, processes, control groups and mounts.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use cornercast_engine::cgroup;
use serde::{Deserialize, Serialize};

/// What is left of a container when the last call has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Left {
    /// Processes.
    #[serde(skip_serializing_if = "is_zero")]
    pub processes: usize,
    /// Whether there is a control group, in whatever hierarchies.
    #[serde(skip_serializing_if = "is_false")]
    pub group: bool,
    /// Mounts that the caller sees.
    #[serde(skip_serializing_if = "is_zero")]
    pub mounts: usize,
    /// Whether the runtime still keeps something.
    #[serde(skip_serializing_if = "is_false")]
    pub state: bool,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn is_false(is: &bool) -> bool {
    !is
}

impl Left {
    /// Whether that is nothing.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// What is there now, of the container with this control group, for a caller that is the first process of its
    /// namespace. `kept` is the directory of the runtime, `mounts` is how many there were before.
    pub(super) fn now(group: &str, kept: &Path, mounts: usize) -> io::Result<Self> {
        Ok(Self {
            processes: processes()?,
            group: !cgroup::directories(group)?.is_empty(),
            mounts: self::mounts()?.saturating_sub(mounts),
            // It can have been removed with what it was in.
            state: fs::read_dir(kept).is_ok_and(|mut entries| entries.next().is_some()),
        })
    }
}

/// The processes of this namespace but the first.
fn processes() -> io::Result<usize> {
    let names = fs::read_dir("/proc")?.flatten().map(|entry| entry.file_name());
    Ok(names.filter(|name| name.to_str().and_then(|name| name.parse().ok()).is_some_and(|id: u32| id != 1)).count())
}

/// The mounts of this namespace.
pub(super) fn mounts() -> io::Result<usize> {
    Ok(fs::read_to_string("/proc/self/mountinfo")?.lines().count())
}

/// The entries below a directory, by path, with their modes: `drwxr-xr-x` as `040755`.
pub(super) fn entries(top: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    let mut left = vec![top.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            let metadata = fs::symlink_metadata(&path)?;
            let name = path.strip_prefix(top).unwrap_or(&path).to_string_lossy().into_owned();
            all.insert(format!("/{name}"), format!("{:06o}", metadata.mode()));
            if metadata.is_dir() {
                left.push(path);
            }
        }
    }
    Ok(all)
}
