//! What file system a path is on.

use std::io;
use std::path::Path;

use rustix::fs::{Access, StatVfsMountFlags, access, statfs, statvfs};
use rustix::io::Errno;

/// A file system, as it is mounted.
#[derive(Debug)]
pub(crate) struct FileSystem {
    /// Its name, as in the table of mounts where the number tells it; else the number, as `0x1234`.
    pub(crate) kind: String,
    /// How many bytes it can hold.
    pub(crate) size: u64,
    /// How it is mounted.
    pub(crate) flags: StatVfsMountFlags,
}

/// Whether nothing can be written where `path` is, whoever asks. Not every kernel tells in the flags.
pub(crate) fn is_read_only(path: &Path) -> bool {
    statvfs(path).is_ok_and(|there| there.f_flag.contains(StatVfsMountFlags::RDONLY))
        || access(path, Access::WRITE_OK) == Err(Errno::ROFS)
}

impl FileSystem {
    /// The file system that has what is at `path`.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let (about, flags) = (statfs(path)?, statvfs(path)?.f_flag);
        // The kernel's numbers have 32 bits, whatever the width of the field.
        let number = u64::try_from(about.f_type).unwrap_or_default() & 0xffff_ffff;
        let kind = KINDS.iter().find(|(_, other)| *other == number);
        let block = u64::try_from(about.f_bsize).unwrap_or_default();
        Ok(Self {
            kind: kind.map_or_else(|| format!("{number:#x}"), |(name, _)| (*name).to_owned()),
            size: about.f_blocks.saturating_mul(block),
            flags,
        })
    }
}

/// The numbers that `statfs` has, from `linux/magic.h` and the file systems' own sources.
const KINDS: [(&str, u64); 24] = [
    ("9p", 0x0102_1997),
    ("bpf", 0xcafe_4a11),
    ("btrfs", 0x9123_683e),
    ("cgroup", 0x0027_e0eb),
    ("cgroup2", 0x6367_7270),
    ("debugfs", 0x6462_6720),
    ("devpts", 0x1cd1),
    ("erofs", 0xe0f5_e1e2),
    ("ext4", 0xef53),
    ("f2fs", 0xf2f5_2010),
    ("fuse", 0x6573_5546),
    ("hugetlbfs", 0x9584_58f6),
    ("mqueue", 0x1980_0202),
    ("nfs", 0x6969),
    ("nsfs", 0x6e73_6673),
    ("overlay", 0x794c_7630),
    ("proc", 0x9fa0),
    ("ramfs", 0x8584_58f6),
    ("securityfs", 0x7363_6673),
    ("squashfs", 0x7371_7368),
    ("sysfs", 0x6265_6572),
    ("tmpfs", 0x0102_1994),
    ("xfs", 0x5846_5342),
    ("zfs", 0x2fc1_2fc1),
];
