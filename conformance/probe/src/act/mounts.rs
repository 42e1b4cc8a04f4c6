//! Steps that work on mounts and on the root.

use rustix::fs::StatVfsMountFlags;
use rustix::mount::{MountFlags, UnmountFlags, mount as mount_at, mount_remount, unmount};
use rustix::process::{chroot as change_root, pivot_root as change_root_mount};
use serde_json::json;

use super::step::{DONE, Done, Outcome, Parameters, Step};
use crate::filesystem::{FileSystem, is_read_only};

pub(super) const STEPS: &[Step] = &[
    Step::new("statfs:PATH", statfs),
    Step::new("mount:PATH", mount),
    Step::new("remount:PATH", remount),
    Step::new("umount:PATH", umount),
    Step::new("pivot-root", pivot_root),
    Step::new("chroot:PATH", chroot),
];

fn statfs(parameters: Parameters<'_>) -> Outcome {
    let path = parameters.path()?;
    let there = FileSystem::at(path)?;
    Ok(Done::Value(json!({
        "type": there.kind,
        "size": there.size,
        "readOnly": is_read_only(path),
        "nosuid": there.flags.contains(StatVfsMountFlags::NOSUID),
        "nodev": there.flags.contains(StatVfsMountFlags::NODEV),
        "noexec": there.flags.contains(StatVfsMountFlags::NOEXEC),
    })))
}

fn mount(parameters: Parameters<'_>) -> Outcome {
    mount_at("tmpfs", parameters.path()?, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, c"size=64k")?;
    DONE
}

/// The other flags are kept, since the kernel may hold on to them: an attempt must not fail for that.
fn remount(parameters: Parameters<'_>) -> Outcome {
    let path = parameters.path()?;
    let kept = [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    let there = FileSystem::at(path)?.flags;
    let kept = kept.into_iter().filter(|(flag, _)| there.contains(*flag)).map(|(_, flag)| flag);
    mount_remount(path, kept.fold(MountFlags::BIND, |flags, flag| flags | flag), c"")?;
    DONE
}

fn umount(parameters: Parameters<'_>) -> Outcome {
    unmount(parameters.path()?, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)?;
    DONE
}

fn pivot_root(_: Parameters<'_>) -> Outcome {
    const NOWHERE: &str = "/cornercast-probe-has-no-such-root";
    change_root_mount(NOWHERE, NOWHERE)?;
    DONE
}

fn chroot(parameters: Parameters<'_>) -> Outcome {
    change_root(parameters.path()?)?;
    DONE
}
