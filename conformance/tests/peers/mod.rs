//! What tests that run images need: root, a backend, and the probe, which is built here.
//!
//! What is missing makes a test *ignored*, with the reason, or *failed* if the variable below is 1.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cornercast_conformance::run::Engine;
use cornercast_engine::cli::BackendName;
use libtest_mimic::Completion;

/// Set this to 1 where the backends have to be there.
const REQUIRE: &str = "CORNERCAST_REQUIRE_PEERS";

/// The probe, or why images cannot be run with this backend here.
pub(crate) fn probe_for(backend: BackendName) -> Result<&'static Path, Completion> {
    match Engine::new(backend).ready() {
        Ok(()) => Ok(probe()),
        Err(reason) => Err(missing(reason)),
    }
}

/// What becomes of a test for which this host lacks something.
pub(crate) fn missing(reason: String) -> Completion {
    assert!(std::env::var_os(REQUIRE).is_none_or(|value| value != "1"), "{REQUIRE}: {reason}");
    Completion::ignored_with(reason)
}

/// The probe as it is in this checkout.
pub(crate) fn probe() -> &'static Path {
    static PROBE: OnceLock<PathBuf> = OnceLock::new();
    PROBE.get_or_init(build)
}

fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // A folder of its own: the same program without the flag is built in the usual one.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("probe");
    let mut command = Command::new(cargo);
    command.args(["rustc", "--quiet", "--locked", "-p", "cornercast-probe", "--release", "--target-dir"]).arg(&target);
    command.args(["--", "-C", "target-feature=+crt-static"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "the probe cannot be built:\n{}", String::from_utf8_lossy(&output.stderr));
    target.join("release/cornercast-probe")
}
