//! Mutants of isolation (RUN-082 to RUN-089).

use cornercast_engine::report::Verdict;
use serde_json::json;

use super::Mutant;
use super::change::{capabilities, config, mutant, no_namespace, object, reports, set};

pub(super) fn isolation() -> Vec<Mutant> {
    vec![
        mutant("ipc-of-the-host", &["RUN-082"], config(|config| no_namespace(config, "ipc"))),
        mutant(
            "no-limits",
            &["RUN-082"],
            config(|config| {
                object(config, "/linux/resources", |resources| resources.retain(|name, _| name == "devices"));
            }),
        ),
        mutant(
            "no-limit-of-descriptors",
            &["RUN-082"],
            config(|config| {
                object(config, "/process", |process| drop(process.remove("rlimits")));
            }),
        ),
        mutant(
            "limits-are-tight",
            &["RUN-082"],
            config(|config| {
                set(config, "/linux/resources/memory", json!({"limit": 16 << 20, "swap": 16 << 20}));
            }),
        ),
        mutant(
            "no-filter",
            &["RUN-082"],
            config(|config| {
                object(config, "/linux", |linux| drop(linux.remove("seccomp")));
                // What a filter forbids, a missing capability may forbid as well.
                for set in ["bounding", "permitted", "effective"] {
                    capabilities(config, set, |all| {
                        all.extend(
                            [
                                "CAP_SYS_ADMIN",
                                "CAP_SYS_BOOT",
                                "CAP_SYS_MODULE",
                                "CAP_SYS_PTRACE",
                                "CAP_SYS_RAWIO",
                                "CAP_SYS_TIME",
                            ]
                            .map(|name| json!(name)),
                        );
                    });
                }
                set(config, "/linux/readonlyPaths", json!([]));
            }),
        ),
        mutant(
            "all-capabilities",
            &["RUN-082"],
            config(|config| {
                for set in ["bounding", "permitted", "effective"] {
                    capabilities(config, set, |all| {
                        *all = cornercast::bundle::CAPABILITIES.iter().map(|name| json!(name)).collect()
                    });
                }
            }),
        ),
        mutant("new-privileges", &["RUN-082"], config(|config| set(config, "/process/noNewPrivileges", json!(false)))),
        mutant(
            "never-new-privileges",
            &["RUN-082"],
            config(|config| set(config, "/process/noNewPrivileges", json!(true))),
        ),
        mutant(
            "all-devices",
            &["RUN-082"],
            config(|config| {
                set(config, "/linux/resources/devices", json!([{"access": "rwm", "allow": true}]));
            }),
        ),
        mutant(
            "lowers-the-level",
            &["RUN-083"],
            reports(|_, report| report.level = report.level.as_ref().map(|_| "open".to_owned())),
        ),
        mutant("no-rows", &["RUN-089"], reports(|_, report| report.isolators.clear())),
        mutant(
            "claims-what-is-not",
            &["RUN-089"],
            reports(|_, report| {
                report.isolators.iter_mut().for_each(|row| row.verdict = Verdict::Enforced);
            }),
        ),
        mutant(
            "admits-what-is-not",
            &["RUN-089"],
            reports(|_, report| {
                report.isolators.iter_mut().for_each(|row| row.verdict = Verdict::NotEnforced);
            }),
        ),
    ]
}
