//! The command `cornercast-run`.
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = cornercast_engine::helper() {
        return code;
    }
    ExitCode::SUCCESS
}
