//! The command `cornercast-conformance`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    cornercast_conformance::cli::main()
}
