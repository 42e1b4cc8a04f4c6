//! Removing what is in a directory, and nothing of what is mounted there.
//!
//! No more than a few descriptors are open however deep the tree is: what is below a directory is moved to the top
//! before the directory is removed. A mount cannot be moved or removed, and is not entered.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, StatxFlags, openat, renameat, statx, unlinkat};
use rustix::io::Errno;

/// Names that are taken from a directory at once.
const BATCH: usize = 1000;

/// How often a directory can be filled again that has just been emptied.
const REFILLED: u32 = 1000;

/// Removes everything in the directory `top` but the entries `keep`.
///
/// # Errors
///
/// Errors of the file system; if something is mounted below, of which nothing is removed.
pub fn empty(top: &OwnedFd, keep: &[&str]) -> io::Result<()> {
    let own = mount_of(top)?;
    let (mut moved, mut refilled) = (0_u64, 0);
    loop {
        let names = names(top, keep)?;
        if names.is_empty() {
            return Ok(());
        }
        for name in names {
            if is_removed(top, &name)? {
                continue;
            }
            // Who has been killed and is ending can remove and move things, too.
            let Some(directory) = open(top, &name)? else { continue };
            if mount_of(&directory)? != own {
                return Err(io::Error::other(format!("something is mounted at {}", name.to_string_lossy())));
            }
            loop {
                let below = self::names(&directory, &[])?;
                if below.is_empty() {
                    break;
                }
                for name in below {
                    if !is_removed(&directory, &name)? {
                        move_to_top(&directory, &name, top, &mut moved)?;
                    }
                }
            }
            match unlinkat(top, &name, AtFlags::REMOVEDIR) {
                // Something was put into it meanwhile, by who has been killed and is ending.
                Err(Errno::NOTEMPTY) if refilled < REFILLED => refilled += 1,
                result => absent(result)?,
            }
        }
    }
}

/// Moves a directory to the top, under a name with the next number. One that was killed here may have left names with
/// numbers, which are passed over; nothing else has to know how far it came.
fn move_to_top(directory: &OwnedFd, name: &CString, top: &OwnedFd, moved: &mut u64) -> io::Result<()> {
    loop {
        *moved += 1;
        match renameat(directory, name, top, format!(".removed.{moved}")) {
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            result => return absent(result),
        }
    }
}

/// Removes what is no directory; whether it was none.
fn is_removed(directory: &OwnedFd, name: &CString) -> io::Result<bool> {
    match unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::ISDIR | Errno::PERM) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn absent(result: rustix::io::Result<()>) -> io::Result<()> {
    match result {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A directory, unless it has gone.
fn open(directory: &OwnedFd, name: &CString) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(directory, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => Ok(None),
        opened => Ok(Some(opened?)),
    }
}

/// Some names of a directory.
fn names(directory: &OwnedFd, keep: &[&str]) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_owned();
        let is_kept = |name: &[u8]| keep.iter().any(|kept| kept.as_bytes() == name);
        if ![&b"."[..], b".."].contains(&name.to_bytes()) && !is_kept(name.to_bytes()) {
            names.push(name);
        }
        if names.len() >= BATCH {
            break;
        }
    }
    Ok(names)
}

/// Which mount a directory is of: the number of the mount, or of the device where the kernel has no such number.
fn mount_of(directory: impl AsFd) -> io::Result<(u64, u32, u32)> {
    let status = statx(directory, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    let number = if status.stx_mask & StatxFlags::MNT_ID.bits() == 0 { 0 } else { status.stx_mnt_id };
    Ok((number, status.stx_dev_major, status.stx_dev_minor))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn everything_goes_and_what_links_lead_to_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (top, outside) = (folder.path().join("top"), folder.path().join("outside"));
        fs::create_dir_all(top.join("a/b/c")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), b"kept").unwrap();
        fs::write(top.join("a/b/file"), b"").unwrap();
        fs::write(top.join("lock"), b"").unwrap();
        symlink(&outside, top.join("link")).unwrap();
        symlink(&outside, top.join("a/link")).unwrap();
        for number in 0..1500 {
            fs::write(top.join(format!("a/b/c/{number}")), b"").unwrap();
        }
        empty(&fs::File::open(&top).unwrap().into(), &["lock"]).unwrap();
        let left: Vec<_> = fs::read_dir(&top).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["lock"]);
        assert_eq!(fs::read(outside.join("file")).unwrap(), b"kept");
    }

    #[test]
    fn what_a_removal_that_was_killed_has_left_goes() {
        let folder = tempfile::tempdir().unwrap();
        for path in [".removed.1/a/b", ".removed.1/.removed.2/c", ".removed.3/d", "e/f/g", "e/.removed.1/h", "i/j"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
            fs::write(folder.path().join(path).join("file"), b"").unwrap();
        }
        fs::write(folder.path().join(".removed.4"), b"").unwrap();
        empty(&fs::File::open(folder.path()).unwrap().into(), &[]).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn depth_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let top: OwnedFd = fs::File::open(folder.path()).unwrap().into();
        let mut here = top.try_clone().unwrap();
        for _ in 0..3000 {
            rustix::fs::mkdirat(&here, "d", Mode::RWXU).unwrap();
            here = open(&here, &CString::new("d").unwrap()).unwrap().unwrap();
        }
        empty(&top, &[]).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
