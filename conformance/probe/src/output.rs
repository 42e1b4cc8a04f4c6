//! Writing to the two streams, byte for byte and at once.
//!
//! The streams of the language's library keep lines back, and take a closed descriptor for success.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::io::{retry_on_intr, write};
use rustix::stdio;

/// Writes all of `bytes` to standard output.
pub(crate) fn standard(bytes: &[u8]) -> io::Result<()> {
    write_all(stdio::stdout(), bytes)
}

/// Writes all of `bytes` to standard error.
pub(crate) fn error(bytes: &[u8]) -> io::Result<()> {
    write_all(stdio::stderr(), bytes)
}

fn write_all(stream: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let written = retry_on_intr(|| write(stream, rest))?;
        rest = rest.get(written..).unwrap_or_default();
    }
    Ok(())
}
