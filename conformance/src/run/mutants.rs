//! Engines that are broken on purpose.
use cornercast_engine::cli::RunArgs;
use cornercast_engine::engine::Tamper;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
/// How
pub enum How {
    /// a
    Without(&'static str),
    /// b
    Tamper(Arc<dyn Tamper>),
    /// c
    Wrap(fn(&RunArgs) -> io::Result<ExitCode>),
}
/// M
pub struct Mutant {
    /// n
    pub name: &'static str,
    /// h
    pub how: How,
}
/// F
pub fn find(_: &str) -> Option<Mutant> {
    None
}
