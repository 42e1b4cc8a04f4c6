//! Reading files, whatever they are.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// How many bytes of a file are read at most.
const MOST: u64 = 4096;

/// The first 4096 bytes.
pub(crate) fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    opened(path, OpenOptions::new().read(true))?.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens what is there, without waiting for another side and without taking it as the terminal.
pub(crate) fn opened(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed()).open(path)
}
