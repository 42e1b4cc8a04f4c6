//! The exit status of `run`, of which the specification says nothing.

use crate::bundles::Case;
use crate::bundles::case::{Call, Change, case};
use crate::suite::Entry;

/// How often `run` is called with an application that ends at once.
const OFTEN: u32 = 30;

/// The application lives as long as it takes to be waited for, and ends then.
fn ends(steps: &'static [&'static str]) -> Case {
    Case::good().steps(steps).calls(&[Call::Run])
}

/// The same without a PID namespace.
fn shares_processes(case: Case) -> Case {
    let change: Change = |config, _| {
        if let Some(all) = config.pointer_mut("/linux/namespaces").and_then(|all| all.as_array_mut()) {
            all.retain(|namespace| namespace["type"] != "pid");
        }
    };
    Case { change, ..case }
}

pub(super) fn run() -> Vec<Entry> {
    vec![
        case("run/0", "the exit code 0", ends(&["ready", "sleep:200", "exit:0"])),
        case("run/1", "the exit code 1", ends(&["ready", "sleep:200", "exit:1"])),
        case("run/42", "the exit code 42", ends(&["ready", "sleep:200", "exit:42"])),
        case("run/137", "the exit code 137, as a shell has it for SIGKILL", ends(&["ready", "sleep:200", "exit:137"])),
        case("run/255", "the exit code 255", ends(&["ready", "sleep:200", "exit:255"])),
        case(
            "run/SIGTERM",
            "an application that is ended by SIGTERM: in the PID namespace of the caller, as the first process of another one would not be",
            shares_processes(ends(&["ready", "sleep:200", "signal:SIGTERM", "exit:9"])),
        ),
        case(
            "run/SIGKILL",
            "the same by SIGKILL",
            shares_processes(ends(&["ready", "sleep:200", "signal:SIGKILL", "exit:9"])),
        ),
        case(
            "run/SIGTERM-of-the-first",
            "an application that sends itself SIGTERM, which the first process of a namespace does not get",
            ends(&["ready", "sleep:200", "signal:SIGTERM", "exit:9"]),
        ),
        case(
            "run/SIGSEGV",
            "an application that touches memory that it does not have",
            ends(&["ready", "sleep:200", "fault"]),
        ),
        case("run/SIGABRT", "an application that aborts", ends(&["ready", "sleep:200", "abort"])),
        case(
            "run/fast",
            "an application that ends at once, thirty times: whether `run` always ends",
            Case::good().steps(&["ready", "exit:0"]).calls(&[Call::RunOften(OFTEN)]),
        ),
        case(
            "run/missing-program",
            "a program that is not there",
            Case::new(|config, _| crate::bundles::case::set(config, "/process/args", serde_json::json!(["/missing"])))
                .calls(&[Call::Run]),
        ),
        case(
            "run/not-executable",
            "a program that is not executable",
            Case::new(|config, _| crate::bundles::case::set(config, "/process/args", serde_json::json!(["/etc/file"])))
                .calls(&[Call::Run]),
        ),
        case(
            "run/bad-bundle",
            "a bundle without a root tree",
            Case::new(|config, _| crate::bundles::case::set(config, "/root/path", serde_json::json!("missing")))
                .calls(&[Call::Run]),
        ),
    ]
}
