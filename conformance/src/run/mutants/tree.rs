//! Mutants of the root tree (RUN-035 to RUN-043).

use std::fs;
use std::os::unix::fs::symlink;

use super::Mutant;
use super::change::{append, mode, mutant, rootfs, touch};

pub(super) fn tree() -> Vec<Mutant> {
    vec![
        mutant("mode-is-another", &["RUN-035"], rootfs(|root| mode(&root.join("srv/closed"), 0o755))),
        mutant("time-is-lost", &["RUN-035"], rootfs(|root| touch(&root.join("usr/bin")))),
        mutant(
            "one-file-more",
            &["RUN-035"],
            rootfs(|root| {
                fs::write(root.join(".dockerenv"), b"")?;
                touch(root)
            }),
        ),
        mutant("one-file-less", &["RUN-035"], rootfs(|root| fs::remove_file(root.join("srv/future")))),
        mutant("content-is-another", &["RUN-035"], rootfs(|root| append(&root.join("srv/attributes")))),
        mutant("root-for-its-owner", &["RUN-036"], rootfs(|root| mode(root, 0o700))),
        mutant(
            "made-for-its-owner",
            &["RUN-037"],
            rootfs(|root| {
                mode(&root.join("run"), 0o700)?;
                mode(&root.join("etc"), 0o700)
            }),
        ),
        mutant(
            "times-of-parents",
            &["RUN-038"],
            rootfs(|root| {
                touch(&root.join("run"))?;
                touch(&root.join("etc"))
            }),
        ),
        mutant(
            "links-stay",
            &["RUN-043"],
            rootfs(|root| {
                for name in ["hosts", "hostname", "resolv.conf"] {
                    fs::remove_file(root.join("etc").join(name))?;
                    symlink("/srv/kept", root.join("etc").join(name))?;
                }
                Ok(())
            }),
        ),
    ]
}
