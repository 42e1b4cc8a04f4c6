//! The reference as an unpacker, and as a maker of bundles, of which a tree is a part.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::num::NonZero;
use std::path::Path;

use cornercast::bundle::BundleError;
use cornercast::digest::Digest;
use cornercast::input::Kind;
use cornercast::limits::Limits;
use cornercast::unpack::{ImageFiles, Options, Owner, UnpackError};
use cornercast::zstd::{Decoder, MAGIC};
use tempfile::NamedTempFile;

use super::{Failure, Order};
use crate::builtin;

/// Unpacks a store or an archive with one image.
pub(super) fn unpack(order: &Order<'_>) -> Result<(), Failure> {
    let (files, image, _plain) = open(order)?;
    cornercast::unpack::unpack(&files, image, NAME, order.output, &options()).map(drop).map_err(failure)
}

/// Makes a bundle of a store or an archive with one image.
pub(super) fn bundle(order: &Order<'_>) -> Result<(), Failure> {
    let (files, image, _plain) = open(order)?;
    match cornercast::bundle::make(&files, image, NAME, order.output, &options()) {
        Ok(_) => Ok(()),
        Err(BundleError::Refused(reasons)) => {
            let reasons: Vec<&str> = reasons.iter().map(|refusal| refusal.reason.as_str()).collect();
            Err(Failure::Refused(reasons.join("; ")))
        }
        Err(BundleError::Unpack(error)) => Err(failure(error)),
    }
}

/// What messages call the image.
const NAME: &str = "the image";

fn options() -> Options {
    Options { owner: Owner::Image, verify: true, jobs: NonZero::<usize>::MIN, limits: Limits::FORMAT, on_read: None }
}

fn failure(error: UnpackError) -> Failure {
    match error {
        UnpackError::Rejected(findings) => {
            let first = findings.list().first().map(|finding| finding.message.clone());
            Failure::Refused(first.unwrap_or_default())
        }
        error => Failure::Error(io::Error::other(error.to_string())),
    }
}

/// The files of a store or an archive, and the id of its one image; an archive is judged as a whole.
fn open(order: &Order<'_>) -> Result<(ImageFiles, Digest, Option<NamedTempFile>), Failure> {
    let mut plain = None;
    let files = match Kind::by_name(order.kind) {
        Some(Kind::Store) => ImageFiles::of_store(order.input),
        Some(kind @ Kind::Archive) => {
            let findings = builtin::findings(order.input, kind).map_err(Failure::Error)?;
            if findings.errors > 0 {
                return Err(Failure::Refused("the archive is not valid".to_owned()));
            }
            plain = decoded(order.input).map_err(Failure::Error)?;
            ImageFiles::of_archive(plain.as_ref().map_or(order.input, |file| file.path()))
        }
        _ => return Err(Failure::Unknown),
    };
    let files = files.map_err(Failure::Error)?;
    match files.images().as_slice() {
        [image] => Ok((files, *image, plain)),
        _ => Err(Failure::Refused("there is not one image".to_owned())),
    }
}

/// What an archive decodes to, if it is compressed.
fn decoded(path: &Path) -> io::Result<Option<NamedTempFile>> {
    let mut file = BufReader::new(File::open(path)?);
    if !file.fill_buf()?.starts_with(&MAGIC) {
        return Ok(None);
    }
    let mut plain = NamedTempFile::new()?;
    io::copy(&mut Decoder::new(file, &Limits::FORMAT), &mut plain)?;
    Ok(Some(plain))
}
