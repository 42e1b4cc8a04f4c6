//! A case as a shell script.

use std::path::Path;

use super::caller::{NAMESPACES, arguments};
use super::case::{Call, Case};
use super::make::{BUNDLE, RUNTIME};
use super::runtime::Runtime;
use crate::process::quote;
use crate::suite::Entry;

/// What stands for the scratch folder until the script knows it.
const SCRATCH: &str = "/@SCRATCH@";

/// What stands for the id of the container, which is another one each time, so that two scripts can run at once.
const CONTAINER: &str = "@CONTAINER@";

/// The script that repeats a case by hand: `make` is the command that makes its folder, `$scratch/case`, once it is told
/// the id of the container.
#[must_use]
pub fn script(entry: &Entry, case: &Case, runtime: &Runtime, make: &str) -> String {
    let mut lines = vec![
        "#!/bin/sh".to_owned(),
        format!("# {}: {}", entry.name, entry.why),
        expected(case),
        "set -eu".to_owned(),
        "if [ $$ != 1 ]; then".to_owned(),
        format!("  exec env --default-signal unshare {} sh \"$0\"", NAMESPACES.join(" ")),
        "fi".to_owned(),
        "scratch=$(mktemp -d)".to_owned(),
        "id=cornercast-reproduce-${scratch##*[./]}".to_owned(),
        "trap 'rm -rf \"$scratch\"; find /sys/fs/cgroup -depth -type d -name \"$id\" -exec rmdir {} + || true' EXIT"
            .to_owned(),
        "# A host with control groups of both versions is one of version 1 here.".to_owned(),
        "if mountpoint -q /sys/fs/cgroup/unified; then mount -t tmpfs none /sys/fs/cgroup/unified; fi".to_owned(),
        format!("{make} --container \"$id\""),
        format!("cd \"$scratch/case/{BUNDLE}\""),
    ];
    let before = case.caller.script().map(|script| format!("sh -c {} sh ", quote(&script))).unwrap_or_default();
    for call in case.calls {
        lines.push(line(*call, case, runtime, &before));
    }
    lines.push("ls -R \"$scratch/case\" | head -40".to_owned());
    lines.join("\n") + "\n"
}

fn expected(case: &Case) -> String {
    match &case.rule {
        Some(rule) => format!("# The rule: {} ({}).", rule.sentence.says, rule.sentence.place()),
        None => "# Nothing decides; what comes of it is recorded.".to_owned(),
    }
}

fn line(call: Call, case: &Case, runtime: &Runtime, before: &str) -> String {
    let folder = Path::new(SCRATCH).join("case");
    match call {
        Call::Wait => return "# Wait until the application has ended.\nsleep 1".to_owned(),
        Call::Ready => return "# Wait for the line {\"step\":\"ready\"…}.\nsleep 1".to_owned(),
        _ => {}
    }
    let words = runtime.words(&folder.join(RUNTIME).join("root"), &folder.join("log")).unwrap_or_default();
    let id = case.id.unwrap_or(CONTAINER);
    let words = words.into_iter().chain(arguments(call, &folder.join(BUNDLE), &folder.join("pid"), id));
    // Whoever repeats a case wants to see what is said.
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<String> = words.iter().map(|word| filled(&quote(word))).collect();
    let command =
        format!("{before}{} </dev/null && echo '{}: ok' || echo \"{}: $?\"", words.join(" "), call.name(), call.name());
    match call {
        Call::RunOften(times) => format!("for _ in $(seq {times}); do {command}; done"),
        _ => command,
    }
}

/// A word of a shell with what is known only when the script runs.
fn filled(word: &str) -> String {
    word.replace(SCRATCH, "'\"$scratch\"'").replace(CONTAINER, "'\"$id\"'")
}
