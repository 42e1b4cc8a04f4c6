//! Options of mounts, and mounts in the mount namespace of the engine that others take theirs from.

use std::io;
use std::path::Path;

use libcontainer::oci_spec::runtime::Mount;
use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::mount::{MountFlags, mount_bind, mount_remount};

/// The options of a mount of a bundle, as mount(2) has them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options<'a> {
    pub(super) flags: MountFlags,
    /// What is for the file system.
    pub(super) data: Vec<&'a str>,
}

impl<'a> Options<'a> {
    pub(super) fn of(mount: &'a Mount) -> Self {
        let mut all = Self { flags: MountFlags::empty(), data: Vec::new() };
        for option in mount.options().iter().flatten() {
            match option.as_str() {
                // They say what is so anyway, or what kind of mount it is.
                "rw" | "bind" | "rbind" | "defaults" => {}
                "ro" => all.flags |= MountFlags::RDONLY,
                "nosuid" => all.flags |= MountFlags::NOSUID,
                "nodev" => all.flags |= MountFlags::NODEV,
                "noexec" => all.flags |= MountFlags::NOEXEC,
                "noatime" => all.flags |= MountFlags::NOATIME,
                "nodiratime" => all.flags |= MountFlags::NODIRATIME,
                "relatime" => all.flags |= MountFlags::RELATIME,
                "strictatime" => all.flags |= MountFlags::STRICTATIME,
                "sync" => all.flags |= MountFlags::SYNCHRONOUS,
                "dirsync" => all.flags |= MountFlags::DIRSYNC,
                other => all.data.push(other),
            }
        }
        all
    }
}

/// Restricts what is mounted of a directory from here on, beside how it is restricted already.
pub(super) fn restrict(source: &Path, flags: MountFlags) -> io::Result<()> {
    let own = statvfs(source)?.f_flag;
    mount_bind(source, source)?;
    Ok(mount_remount(source, MountFlags::BIND | flags | kept(own), "")?)
}

/// What a mount has, of which the root of a user namespace must not take away anything.
fn kept(own: StatVfsMountFlags) -> MountFlags {
    let pairs = [
        (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    let kept = pairs.iter().filter(|(has, _)| own.contains(*has)).fold(MountFlags::empty(), |all, (_, one)| all | *one);
    let times = MountFlags::NOATIME | MountFlags::RELATIME;
    if kept.intersects(times) { kept } else { kept | MountFlags::STRICTATIME }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn options_are_flags_or_for_the_file_system() {
        let document =
            serde_json::json!({"destination": "/a", "options": ["nosuid", "rw", "size=1g", "noexec", "huge"]});
        let mount: Mount = serde_json::from_value(document).unwrap();
        let wanted = Options { flags: MountFlags::NOSUID | MountFlags::NOEXEC, data: vec!["size=1g", "huge"] };
        assert_eq!(Options::of(&mount), wanted);
    }

    #[test]
    fn restrictions_stay() {
        let own = StatVfsMountFlags::RDONLY | StatVfsMountFlags::RELATIME;
        assert_eq!(kept(own), MountFlags::RDONLY | MountFlags::RELATIME);
        assert_eq!(kept(StatVfsMountFlags::NOSUID), MountFlags::NOSUID | MountFlags::STRICTATIME);
    }
}
