//! A check of an archive that is read: decoding, hashing and looking into it beside one another.

use std::io::{self, BufReader, Cursor, Read};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::checker::Checking;
use super::digests::{Digests, Hashed};
use crate::clause;
use crate::diagnostic::Findings;
use crate::limits::Limits;
use crate::store::Extent;
use crate::store::lanes::{self, Lane};
use crate::zstd::{self, Decoder};

/// Compressed bytes read at once.
const CHUNK: usize = 256 << 10;

/// Checks an archive, compressed or not, with `jobs` threads, and adds what is wrong to `findings`. The
/// number of threads changes nothing that is found.
///
/// # Errors
///
/// Errors of `input`, which leave the check incomplete.
pub fn check_archive(
    input: &mut (dyn Read + Send),
    limits: &Limits,
    jobs: NonZero<usize>,
    findings: &mut Findings,
) -> io::Result<()> {
    check_archive_to(Extent::Whole, input, limits, jobs, findings)
}

/// The same as far as `extent` says.
///
/// # Errors
///
/// Errors of `input`, which leave the check incomplete.
pub fn check_archive_to(
    extent: Extent,
    input: &mut (dyn Read + Send),
    limits: &Limits,
    jobs: NonZero<usize>,
    findings: &mut Findings,
) -> io::Result<()> {
    // A pipe can give fewer bytes at once than the magic number has.
    let mut head = Vec::new();
    input.take(zstd::MAGIC.len() as u64).read_to_end(&mut head)?;
    let is_compressed = head == zstd::MAGIC;
    let mut input = Cursor::new(head).chain(input);
    if !is_compressed {
        let checking = check(extent, &mut input, limits, jobs, findings)?;
        findings.extend(checking.finish());
        return Ok(());
    }
    let mut decoder = Decoder::new(BufReader::with_capacity(CHUNK, input), limits);
    let checking = check(extent, &mut decoder, limits, jobs, findings)?;
    // The rest of the frame is not judged where the archive is given up.
    let frame = if checking.gave_up() { Vec::new() } else { decoder.take_violations() };
    if frame.iter().all(|violation| violation.clause == &clause::STO_019) {
        findings.extend(checking.finish());
    }
    findings.extend(frame);
    Ok(())
}

/// Checks what `input` gives until it ends or the archive is given up.
fn check(
    extent: Extent,
    input: &mut (dyn Read + Send),
    limits: &Limits,
    jobs: NonZero<usize>,
    findings: &mut Findings,
) -> io::Result<Checking> {
    let gave_up = AtomicBool::new(false);
    let hashed = Mutex::new(Vec::new());
    let take = || -> Vec<Hashed> { std::mem::take(&mut *hashed.lock().unwrap_or_else(PoisonError::into_inner)) };
    let (mut digests, mut checking) = (Digests::new(limits.clone()), Checking::new(limits.clone(), extent));
    let lane = Lane::new(
        Box::new(|buffer| if gave_up.load(Ordering::Relaxed) { Ok(0) } else { input.read(buffer) }),
        [
            Box::new(|bytes| {
                digests.push(bytes);
                hashed.lock().unwrap_or_else(PoisonError::into_inner).extend(digests.take());
            }),
            Box::new(|bytes| {
                checking.push(bytes);
                checking.digests(take());
                findings.extend(checking.take_violations());
                gave_up.store(checking.gave_up(), Ordering::Relaxed);
            }),
        ],
    );
    let failed = lanes::run(vec![lane], jobs).into_iter().flatten().next();
    checking.digests(take());
    findings.extend(checking.take_violations());
    match failed {
        Some(error) => Err(error),
        None => Ok(checking),
    }
}
