//! Mounts that bubblewrap takes from the host, as it has no words for what a bundle says of them.
//!
//! They are made in a mount namespace of the engine's own, with all that is said. bubblewrap keeps what restricts the
//! source of a bind mount.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use libcontainer::oci_spec::runtime::{Mount, Spec};
use rustix::mount::{MountFlags, mount};

use crate::backend::Container;
use crate::backend::mounting::{Options, restrict};
use crate::sys;

/// The file systems that are made here: memory, and a sysfs that has a network without the interfaces of the host.
pub(super) fn is_staged(kind: &str, at: &str) -> bool {
    kind == "sysfs" || (kind == "tmpfs" && at != "/dev")
}

/// Where the mount at a path of the container is made.
pub(super) fn place(container: &Container<'_>, at: &str) -> PathBuf {
    // A name for each path, which has neither separators nor an end too early.
    container.state.join("mounts").join(at.replace('%', "%25").replace('/', "%2F"))
}

/// Makes these mounts, and restricts the sources of the others.
///
/// # Errors
///
/// What cannot be mounted so.
pub(super) fn stage(spec: &Spec, container: &Container<'_>) -> io::Result<()> {
    for mount in spec.mounts().iter().flatten() {
        let at = mount.destination().to_string_lossy();
        let said = mount.options().iter().flatten().map(String::as_str).collect::<Vec<_>>().join(",");
        let kind = mount.typ().as_deref().unwrap_or("bind");
        one(mount, kind, &place(container, &at))
            .map_err(|error| io::Error::new(error.kind(), format!("{kind} at {at} with {said}: {error}")))?;
    }
    Ok(())
}

fn one(mount: &Mount, kind: &str, place: &Path) -> io::Result<()> {
    let options = Options::of(mount);
    match kind {
        kind if is_staged(kind, &mount.destination().to_string_lossy()) => {
            fs::create_dir_all(place)?;
            let (kind, place, flags) = (kind.to_owned(), place.to_owned(), options.flags);
            let data = std::ffi::CString::new(options.data.join(","))?;
            // A network is that of a thread, and what it mounts keeps it.
            let mounted = thread::spawn(move || {
                if kind == "sysfs" {
                    sys::own_network()?;
                }
                Ok(self::mount(kind.as_str(), &place, kind.as_str(), flags, data.as_c_str())?)
            });
            mounted.join().unwrap_or_else(|_| Err(io::Error::other("the thread that mounts has panicked")))
        }
        // It gives all bind mounts the other restrictions by itself.
        "bind" if options.flags.contains(MountFlags::NOEXEC) => {
            restrict(mount.source().as_deref().unwrap_or(Path::new("")), MountFlags::NOEXEC)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_a_place() {
        let container = Container { id: "a", bundle: Path::new("/bundle"), state: Path::new("/state") };
        assert_eq!(place(&container, "/dev/shm"), Path::new("/state/mounts/%2Fdev%2Fshm"));
        assert_ne!(place(&container, "/a/b"), place(&container, "/a%2Fb"));
    }
}
