//! The command `cornercast`.

fn main() -> std::process::ExitCode {
    cornercast::cli::run()
}
