//! The command `cornercast-run`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cornercast_engine::cli::main()
}
