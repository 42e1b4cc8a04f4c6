//! The command `cornercast-run`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cornercast_engine::helper().unwrap_or_else(cornercast_engine::cli::main)
}
