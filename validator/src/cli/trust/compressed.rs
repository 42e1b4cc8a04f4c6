//! Compressed archives of strangers: nothing of them is written before somebody is trusted.

use std::io::{self, BufReader, Read, Write};
use std::num::NonZero;
use std::path::Path;

use super::super::Failure;
use super::super::files::open_regular;
use super::super::progress::{self, Counted};
use crate::diagnostic::Findings;
use crate::limits::Limits;
use crate::store::{FileKind, Files, check_archive, path_of};
use crate::unpack::Skimmed;
use crate::zstd::{self, Decoder};

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// Whether a regular file begins as what is compressed does. Nothing of a pipe is taken away.
pub(in super::super) fn is_compressed(path: &Path) -> bool {
    let mut head = [0; zstd::MAGIC.len()];
    !path.is_dir() && open_regular(path).is_ok_and(|mut file| file.read_exact(&mut head).is_ok()) && head == zstd::MAGIC
}

/// Reads a compressed archive once: its documents are kept, and all of it is checked by so many `jobs`, if any, with what
/// is wrong in `findings`.
pub(in super::super) fn skim(
    path: &Path,
    jobs: Option<NonZero<usize>>,
    findings: &mut Findings,
) -> Result<impl Files + use<>, Failure> {
    let fail = |error: io::Error| Failure::Error(format!("{}: {error}", path.display()));
    let limits = Limits::FORMAT;
    let file = Counted(open_regular(path).map_err(fail)?);
    let mut decoder = Decoder::new(BufReader::with_capacity(PIECE, file), &limits);
    let mut skimmed = Skimmed::new(limits.clone());
    let shown = progress::show(if jobs.is_some() { "checking" } else { "reading" }, super::super::files::length(path));
    if let Some(jobs) = jobs {
        let mut both = Skimming { from: &mut decoder, skimmed: &mut skimmed };
        check_archive(&mut both, &limits, jobs, findings).map_err(fail)?;
    }
    // A check gives up where it makes no sense to go on.
    io::copy(&mut decoder, &mut skimmed).map_err(fail)?;
    drop(shown);
    let files = skimmed.finish().map_err(fail)?;
    if let Some(violation) = decoder.violations().first() {
        return Err(Failure::Error(format!("{}: {} [{}]", path.display(), violation.message, violation.clause.id)));
    }
    if files.open(&path_of(&FileKind::Marker)).is_err() {
        return Err(Failure::Refused(format!("{} is neither a store nor an archive", path.display())));
    }
    Ok(files)
}

/// A reader whose bytes are skimmed as well.
struct Skimming<'a, R> {
    from: R,
    skimmed: &'a mut Skimmed,
}

impl<R: Read> Read for Skimming<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.skimmed.write_all(buffer.get(..read).unwrap_or_default())?;
        Ok(read)
    }
}
