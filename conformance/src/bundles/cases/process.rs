//! What a process gets from whoever called the runtime: umask, descriptors, signals, limits.

use serde_json::json;

use crate::bundles::Case;
use crate::bundles::case::{Caller, LIFE, case, set};
use crate::bundles::oci;
use crate::suite::Entry;

/// Two limits that can be lowered anywhere.
fn limits(types: [&str; 2]) -> serde_json::Value {
    json!([{"type": types[0], "soft": 64, "hard": 128}, {"type": types[1], "soft": 32, "hard": 32}])
}

/// An application that says nothing, as what it writes to a terminal that nobody reads may or may not be heard; the file
/// that it makes shows that it ran.
const UNHEARD: &[&str] = &["close:1", "create:/tmp/ran", "sleep:200"];

pub(super) fn process() -> Vec<Entry> {
    vec![
        case(
            "umask/given",
            "a umask in the bundle",
            Case::new(|config, _| set(config, "/process/user/umask", json!(0o027)))
                .seen(&["/umask"])
                .unless_error(&oci::PROCESS, |evidence| evidence.is("/umask", &json!(0o027))),
        ),
        case(
            "umask/zero",
            "a umask of no bits, which is not the same as none",
            Case::new(|config, _| set(config, "/process/user/umask", json!(0)))
                .seen(&["/umask"])
                .unless_error(&oci::PROCESS, |evidence| evidence.is("/umask", &json!(0))),
        ),
        case(
            "umask/absent",
            "none in the bundle, where that of the caller is 077: some runtimes have one of their own",
            Case::good().caller(Caller::After("umask 077")).seen(&["/umask"]),
        ),
        case("descriptors/plain", "what is open where the caller has 0, 1 and 2", Case::good().seen(&["/descriptors"])),
        case(
            "descriptors/inherited",
            "a descriptor of the caller that is not closed on its own",
            Case::good().caller(Caller::With("7</dev/null")).seen(&["/descriptors"]),
        ),
        case(
            "descriptors/sockets",
            "a caller that says that it hands over a socket, and does not: LISTEN_FDS",
            Case::good()
                .caller(Caller::After("LISTEN_FDS=1 LISTEN_PID=$$; export LISTEN_FDS LISTEN_PID"))
                .seen(&["/descriptors"])
                .extra(|evidence| evidence.at("/environment").as_array().map_or(0, Vec::len).into()),
        ),
        case(
            "descriptors/closed-input",
            "a caller without standard input",
            Case::good().caller(Caller::With("<&-")).seen(&["/descriptors"]),
        ),
        case(
            "signals/plain",
            "what is ignored and blocked where the caller ignores nothing",
            Case::good().seen(&["/signals"]),
        ),
        case(
            "signals/ignored",
            "a caller that ignores SIGHUP and SIGUSR1, as under nohup(1)",
            Case::good().caller(Caller::After("trap '' HUP USR1")).seen(&["/signals"]),
        ),
        case(
            "rlimits/given",
            "limits that are lower than those of the caller",
            Case::new(|config, _| set(config, "/process/rlimits", limits(["RLIMIT_NOFILE", "RLIMIT_CORE"])))
                .seen(&["/limits/RLIMIT_NOFILE", "/limits/RLIMIT_CORE"])
                .unless_error(&oci::RLIMIT_VALUE, |evidence| {
                    evidence.is("/limits/RLIMIT_NOFILE", &json!({"soft": 64, "hard": 128}))?;
                    evidence.is("/limits/RLIMIT_CORE", &json!({"soft": 32, "hard": 32}))
                }),
        ),
        case(
            "rlimits/unknown",
            "a limit that no kernel has",
            Case::new(|config, _| set(config, "/process/rlimits", limits(["RLIMIT_NOFILE", "RLIMIT_NOTHING"])))
                .is_error(&oci::RLIMIT_UNKNOWN),
        ),
        case(
            "rlimits/twice",
            "two limits of the same type",
            Case::new(|config, _| set(config, "/process/rlimits", limits(["RLIMIT_NOFILE", "RLIMIT_NOFILE"])))
                .is_error(&oci::RLIMIT_TWICE),
        ),
        case(
            "rlimits/soft-above-hard",
            "a limit that is above its own ceiling, which the kernel does not take: no program can run with it",
            Case::new(|config, _| {
                set(config, "/process/rlimits", json!([{"type": "RLIMIT_NOFILE", "soft": 128, "hard": 64}]));
            })
            .is_error(&oci::RLIMIT_VALUE),
        ),
        case(
            "oom/given",
            "a score that is higher than that of the caller",
            Case::new(|config, _| set(config, "/process/oomScoreAdj", json!(321)))
                .extra(|evidence| evidence.at("/oomScoreAdj"))
                .unless_error(&oci::OOM_SCORE, |evidence| evidence.is("/oomScoreAdj", &json!(321))),
        ),
        case(
            "oom/absent",
            "no score: that of the caller, which is another one than that of most processes",
            Case::good()
                .caller(Caller::After("echo 123 >/proc/self/oom_score_adj"))
                .extra(|evidence| evidence.at("/oomScoreAdj"))
                .unless_error(&oci::OOM_SCORE, |evidence| evidence.is("/oomScoreAdj", &json!(123))),
        ),
        case(
            "terminal/no-console",
            "a terminal, and nobody who takes its other end",
            Case::new(|config, _| set(config, "/process/terminal", json!(true))).steps(UNHEARD),
        ),
        case(
            "terminal/size",
            "a size of the console, without a terminal",
            Case::new(|config, _| set(config, "/process/consoleSize", json!({"height": 25, "width": 80})))
                .calls(LIFE)
                .has_to(&oci::CONSOLE_SIZE, |evidence| evidence.ran()),
        ),
    ]
}
