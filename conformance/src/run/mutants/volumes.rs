//! Mutants of writing and of volumes (RUN-062 to RUN-074).

use std::fs;

use serde_json::json;

use super::Mutant;
use super::change::{array, bundle, config, mode, mutant, options, set, without_and};

pub(super) fn volumes() -> Vec<Mutant> {
    vec![
        mutant(
            "always-read-only",
            &["RUN-062", "RUN-063"],
            config(|config| set(config, "/root/readonly", json!(true))),
        ),
        mutant("never-read-only", &["RUN-064"], config(|config| set(config, "/root/readonly", json!(false)))),
        mutant(
            "instances-share",
            &["RUN-063"],
            bundle(|config, bundle| {
                // Beside the directories of the instances.
                let shared = bundle.ancestors().nth(3).unwrap_or(bundle).join("shared");
                let _ = fs::create_dir_all(&shared);
                let _ = mode(&shared, 0o1777);
                let more = json!({"destination": "/srv/drop", "options": ["bind"], "source": shared, "type": "bind"});
                array(config, "/mounts", |all| all.push(more));
            }),
        ),
        mutant("shm-is-read-only", &["RUN-065"], config(|config| options(config, "/dev/shm", &[], &["ro"]))),
        mutant(
            "volumes-are-read-only",
            &["RUN-065", "RUN-069", "RUN-071"],
            config(|config| options(config, "", &["rw"], &["ro"])),
        ),
        mutant("volumes-are-writable", &["RUN-071"], config(|config| options(config, "", &["ro"], &["rw"]))),
        mutant(
            "volumes-are-missing",
            &["RUN-069", "RUN-017", "RUN-074"],
            config(|config| {
                array(config, "/mounts", |all| {
                    all.retain(|mount| {
                        mount["type"] != "bind" || mount["destination"] == cornercast_engine::RUN_DIRECTORY
                    });
                });
            }),
        ),
        mutant("volumes-have-devices", &["RUN-070"], config(|config| options(config, "", &["nodev"], &["dev"]))),
        mutant("volumes-have-set-user-id", &["RUN-070"], config(|config| options(config, "", &["nosuid"], &["suid"]))),
        mutant(
            "mounts-below-volumes",
            &["RUN-072"],
            without_and("RUN-072", |config| options(config, "", &["bind"], &["rbind"])),
        ),
        mutant(
            "volume-without-asking",
            &["RUN-073"],
            config(|config| {
                let more = json!({"destination": "/srv/data", "options": [], "source": "tmpfs", "type": "tmpfs"});
                array(config, "/mounts", |all| all.push(more));
            }),
        ),
        mutant(
            "empty-is-not-empty",
            &["RUN-074"],
            bundle(|_, bundle| {
                let data = bundle.parent().unwrap_or(bundle).join("volumes/data");
                let _ = fs::write(data.join("copied"), b"");
            }),
        ),
        mutant(
            "empty-is-for-all",
            &["RUN-074"],
            bundle(|_, bundle| {
                let _ = mode(&bundle.parent().unwrap_or(bundle).join("volumes/data"), 0o777);
            }),
        ),
    ]
}
