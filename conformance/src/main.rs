//! The command `cornercast-conformance`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    cornercast_engine::helper().unwrap_or_else(cornercast_conformance::cli::main)
}
