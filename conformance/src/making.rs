//! The reference as a builder and unpacker: what the operations of the adapter protocol make.

mod convert;
mod unpack;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::protocol::Operation;

/// What is asked of a builder or unpacker.
#[derive(Debug)]
pub struct Order<'a> {
    /// What to do.
    pub operation: Operation,
    /// The input, a file or directory.
    pub input: &'a Path,
    /// Its kind, as `cornercast check --as` calls it.
    pub kind: &'a str,
    /// What the operation is told besides.
    pub options: &'a BTreeMap<String, String>,
    /// Where the result goes; nothing is there yet.
    pub output: &'a Path,
}

/// Why nothing was made.
#[derive(Debug)]
pub enum Failure {
    /// The input is not to be made anything of, for this reason; nothing is left at the output.
    Refused(String),
    /// It could not be done.
    Error(io::Error),
    /// The reference does not do this.
    Unknown,
}

/// Exports the one image of a store as an image layout and as what `docker save` writes.
///
/// # Errors
///
/// Why it was not.
pub fn export_both(store: &Path, layout: &Path, saved: &Path) -> Result<(), Failure> {
    convert::export_both(store, layout, saved)
}

/// Makes what is ordered.
///
/// # Errors
///
/// Why nothing was made.
pub fn make(order: &Order<'_>) -> Result<(), Failure> {
    match order.operation {
        Operation::Unpack => unpack::unpack(order),
        Operation::Bundle => unpack::bundle(order),
        Operation::Import => convert::import(order),
        Operation::Export => convert::export(order),
        Operation::Check | Operation::Run | Operation::Verify => Err(Failure::Unknown),
    }
}
