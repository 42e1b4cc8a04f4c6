//! Mutants of the process: arguments, variables, ids, capabilities (RUN-012 to RUN-034), and of the image (RUN-004).

use std::fs;

use serde_json::json;

use super::Mutant;
use super::change::{append, array, capabilities, config, image, mutant, object, set, shim, variables};

pub(super) fn process() -> Vec<Mutant> {
    vec![
        mutant(
            "touches-the-image",
            &["RUN-004"],
            image(|path| {
                let _ = if path.is_dir() { fs::write(path.join("used"), b"") } else { append(path) };
            }),
        ),
        mutant(
            "one-argument-more",
            &["RUN-012"],
            config(|config| array(config, "/process/args", |all| all.push(json!("")))),
        ),
        mutant(
            "arguments-are-split",
            &["RUN-012"],
            config(|config| {
                array(config, "/process/args", |all| {
                    let words = all.iter().filter_map(|word| word.as_str()).flat_map(str::split_whitespace);
                    *all = words.map(|word| json!(word)).collect();
                });
            }),
        ),
        mutant(
            "link-is-resolved",
            &["RUN-012"],
            config(|config| {
                set(config, "/process/args/0", json!("/usr/lib/cornercast/probe"));
                array(config, "/process/args", |all| all.truncate(1));
            }),
        ),
        mutant(
            "one-variable-more",
            &["RUN-013", "RUN-014", "RUN-015"],
            config(|config| {
                array(config, "/process/env", |all| all.push(json!("container=oci")));
            }),
        ),
        mutant(
            "variables-of-loaders-are-dropped",
            &["RUN-013"],
            config(|config| {
                array(config, "/process/env", |all| {
                    all.retain(|one| !one.as_str().unwrap_or_default().starts_with("LD_"))
                });
            }),
        ),
        mutant(
            "variable-twice",
            &["RUN-013"],
            config(|config| {
                array(config, "/process/env", |all| all.extend(all.first().cloned()));
            }),
        ),
        mutant(
            "values-are-trimmed",
            &["RUN-013"],
            config(|config| {
                variables(config, |one| {
                    let (name, value) = one.split_once('=')?;
                    Some(format!("{name}={}", value.trim()))
                });
            }),
        ),
        mutant(
            "options-lose",
            &["RUN-013"],
            config(|config| {
                variables(config, |one| one.ends_with("=of the options").then(|| "A=of the image".to_owned()));
            }),
        ),
        mutant(
            "home-of-root",
            &["RUN-014"],
            config(|config| {
                variables(config, |one| (one == "HOME=/").then(|| "HOME=/root".to_owned()));
            }),
        ),
        mutant(
            "path-of-debian",
            &["RUN-014"],
            config(|config| {
                variables(config, |one| one.starts_with("PATH=").then(|| "PATH=/usr/bin:/bin".to_owned()));
            }),
        ),
        mutant(
            "no-instance-in-the-environment",
            &["RUN-015"],
            config(|config| {
                array(config, "/process/env", |all| {
                    all.retain(|one| !one.as_str().unwrap_or_default().starts_with("CORNERCAST_INSTANCE="));
                });
            }),
        ),
        mutant(
            "another-image-in-the-environment",
            &["RUN-015"],
            config(|config| {
                variables(config, |one| {
                    one.starts_with("CORNERCAST_IMAGE=").then(|| "CORNERCAST_IMAGE=sha256:0".to_owned())
                });
            }),
        ),
        mutant("another-directory", &["RUN-017"], config(|config| set(config, "/process/cwd", json!("/usr/lib")))),
        mutant(
            "another-user",
            &["RUN-020"],
            config(|config| {
                let uid = config.pointer("/process/user/uid").and_then(serde_json::Value::as_u64).unwrap_or(0);
                set(config, "/process/user/uid", json!(uid ^ 1));
            }),
        ),
        mutant(
            "another-group",
            &["RUN-020"],
            config(|config| {
                let gid = config.pointer("/process/user/gid").and_then(serde_json::Value::as_u64).unwrap_or(0);
                set(config, "/process/user/gid", json!(gid ^ 1));
            }),
        ),
        mutant(
            "primary-group-is-dropped",
            &["RUN-021"],
            config(|config| set(config, "/process/user/additionalGids", json!([]))),
        ),
        mutant(
            "group-of-root",
            &["RUN-021"],
            config(|config| {
                array(config, "/process/user/additionalGids", |all| all.push(json!(10)));
            }),
        ),
        mutant(
            "ids-are-truncated",
            &["RUN-022"],
            config(|config| {
                for id in ["uid", "gid"] {
                    let pointer = format!("/process/user/{id}");
                    let value = config.pointer(&pointer).and_then(serde_json::Value::as_u64).unwrap_or(0);
                    set(config, &pointer, json!(value & 0x7FFF_FFFF));
                }
            }),
        ),
        mutant("umask-of-the-caller", &["RUN-023"], config(|config| set(config, "/process/user/umask", json!(0o077)))),
        mutant("controlling-terminal", &["RUN-029"], shim(&["controlling-terminal"])),
        mutant("ignored-signal", &["RUN-030"], shim(&["ignore:SIGPIPE"])),
        mutant("blocked-signal", &["RUN-030"], shim(&["block:SIGUSR1"])),
        mutant(
            "small-stack",
            &["RUN-031"],
            config(|config| {
                let limit = json!({"hard": 1 << 20, "soft": 1 << 20, "type": "RLIMIT_STACK"});
                object(config, "/process", |process| {
                    let limits = process.entry("rlimits").or_insert_with(|| json!([]));
                    limits.as_array_mut().into_iter().for_each(|limits| limits.push(limit.clone()));
                });
            }),
        ),
        mutant(
            "one-capability-more",
            &["RUN-032"],
            config(|config| {
                capabilities(config, "bounding", |all| all.push(json!("CAP_SYS_PTRACE")));
            }),
        ),
        mutant(
            "one-capability-less",
            &["RUN-032", "RUN-033"],
            config(|config| {
                for set in ["bounding", "permitted", "effective"] {
                    capabilities(config, set, |all| drop(all.pop()));
                }
            }),
        ),
        mutant(
            "capability-of-a-user",
            &["RUN-033"],
            config(|config| {
                for set in ["permitted", "effective", "inheritable", "ambient"] {
                    capabilities(config, set, |all| all.push(json!("CAP_CHOWN")));
                }
            }),
        ),
        mutant(
            "inheritable-capability",
            &["RUN-034"],
            config(|config| {
                capabilities(config, "inheritable", |all| all.push(json!("CAP_CHOWN")));
            }),
        ),
        mutant(
            "ambient-capability",
            &["RUN-034"],
            config(|config| {
                for set in ["permitted", "inheritable", "ambient"] {
                    capabilities(config, set, |all| all.push(json!("CAP_CHOWN")));
                }
            }),
        ),
    ]
}
