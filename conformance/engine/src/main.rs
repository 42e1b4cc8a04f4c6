//! The command `cornercast-run`.
fn main() {}
