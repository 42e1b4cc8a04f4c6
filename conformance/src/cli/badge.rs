//! `report badge`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::Trouble;
use super::report::read_all;
use crate::report::badge::Badge;

#[derive(Debug, Args)]
pub(super) struct BadgeArgs {
    /// The JSON lines of a run; - for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The implementation, where the files have several
    #[arg(long = "impl", value_name = "NAME")]
    implementation: Option<String>,
    /// Print the JSON that the endpoint badge of shields.io reads instead
    #[arg(long)]
    json: bool,
}

/// Prints the badge; the exit status.
pub(super) fn badge(arguments: &BadgeArgs) -> Result<u8, Trouble> {
    let report = read_all(&arguments.files, |_| String::new())?;
    let badge = Badge::of(&report, arguments.implementation.as_deref()).map_err(Trouble::new)?;
    let mut out = io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &badge.endpoint()).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        out.write_all(badge.svg().as_bytes())?;
    }
    out.flush()?;
    Ok(0)
}
