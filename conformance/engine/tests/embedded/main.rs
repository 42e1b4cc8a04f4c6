//! The embedded backend, for real: what a program sees that it starts, and what is left when it has ended.
//!
//! It needs root, and the probe, which is built here. What is missing makes the tests *ignored*, with the reason, or
//! *failed* if the variable below is 1.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod ends;
mod instance;
mod isolation;
mod process;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;

use cornercast_engine::backend::{Backend, Embedded};
use libtest_mimic::{Arguments, Completion, Trial};

/// Set this to 1 where the tests have to run.
const REQUIRE: &str = "CORNERCAST_REQUIRE_PEERS";

fn main() -> ExitCode {
    // A container is made by this program, executed again.
    if let Some(code) = cornercast_engine::helper() {
        return code;
    }
    let mut arguments = Arguments::from_args();
    // A test writes a program and starts it; a child of another one would hold it open meanwhile.
    arguments.test_threads = Some(1);
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    let tests = process::TESTS.iter().chain(isolation::TESTS).chain(ends::TESTS);
    let trials = tests.map(|(name, test)| Trial::ignorable_test(*name, || Ok(run(*test)))).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test: its name, and what gets the probe.
type Test = (&'static str, fn(&Path));

fn run(test: fn(&Path)) -> Completion {
    static PROBE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PROBE.get_or_init(|| Embedded.version().and_then(|_| build_probe())) {
        Ok(probe) => test(probe),
        Err(reason) if std::env::var_os(REQUIRE).is_some_and(|value| value == "1") => panic!("{REQUIRE}: {reason}"),
        Err(reason) => return Completion::ignored_with(reason.as_str()),
    }
    Completion::Completed
}

fn build_probe() -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // A folder of its own: the same program without the flag is built in the usual one.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("probe");
    let mut command = Command::new(cargo);
    command.args(["rustc", "--quiet", "--locked", "-p", "cornercast-probe", "--release", "--target-dir"]).arg(&target);
    command.args(["--", "-C", "target-feature=+crt-static"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !output.status.success() {
        // Not a missing peer: the probe is ours.
        panic!("the probe cannot be built:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(target.join("release/cornercast-probe"))
}
