//! The hidden `guard`.

use std::io;
use std::path::PathBuf;

use clap::Args;

use super::Trouble;
use crate::scratch;

#[derive(Debug, Args)]
pub(super) struct GuardArgs {
    /// The scratch folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Waits for the end of standard input, of which the suite has the other end, and removes what it has left.
pub(super) fn guard(arguments: &GuardArgs) -> Result<(), Trouble> {
    Ok(scratch::guard(&arguments.folder, &mut io::stdin())?)
}
