//! Opening, verifying and unpacking the image.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::num::NonZero;
use std::path::Path;

use cornercast::diagnostic::{Diagnostic, Findings, Severity};
use cornercast::digest::Digest;
use cornercast::layer::Tree;
use cornercast::limits::Limits;
use cornercast::manifest::Manifest;
use cornercast::store::check_archive;
use cornercast::unpack::{self, ImageFiles, UnpackError};
use cornercast::zstd::{Decoder, MAGIC};
use tempfile::NamedTempFile;

use crate::refusal::Reason;

/// Findings of an image that are reported.
const MAX_FINDINGS: usize = 20;

/// An image that has been found, of which only the documents have been read.
pub(crate) struct Image {
    pub(crate) id: Digest,
    pub(crate) manifest: Manifest,
    pub(crate) tree: Tree,
    files: ImageFiles,
    /// Keeps what a compressed archive decodes to.
    _plain: Option<NamedTempFile>,
}

/// Why there is no image.
pub(crate) enum Trouble {
    /// It breaks these clauses.
    Refused(Vec<Reason>),
    /// It cannot be read.
    Io(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Image {
    /// Opens `path`, a store or an archive; `wanted` is the image that is meant where there are several. An archive
    /// is judged as a whole, of a store what the image needs. What a compressed archive decodes to is kept in `scratch`.
    /// Nothing is judged but what is used unless `is_judged`.
    pub(crate) fn open(path: &Path, wanted: Option<Digest>, scratch: &Path, is_judged: bool) -> Result<Self, Trouble> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let (files, plain) = if path.is_dir() {
            (ImageFiles::of_store(path).map_err(named)?, None)
        } else {
            if is_judged {
                judge_archive(path)?;
            }
            archive(path, scratch).map_err(named)?
        };
        let refuse = |message: String| Trouble::Refused(vec![Reason::new("RUN-001", message)]);
        let name = path.display();
        if !files.has_marker() {
            return Err(refuse(format!("{name} is neither a store nor an archive")));
        }
        let images = files.images();
        let id = match (wanted, images.as_slice()) {
            (Some(wanted), images) if images.contains(&wanted) => wanted,
            (Some(wanted), _) => return Err(refuse(format!("{name} has no image {wanted}"))),
            (None, [id]) => *id,
            (None, images) => return Err(refuse(format!("{name} has {} images; name one", images.len()))),
        };
        match unpack::describe(&files, id, &Limits::FORMAT)? {
            Some((manifest, tree)) => Ok(Self { id, manifest, tree, files, _plain: plain }),
            None => Err(refused(&files, id)),
        }
    }

    /// Unpacks the image to `to`, which is not there yet, and hashes it on the way.
    pub(crate) fn unpack(&self, to: &Path) -> Result<(), Trouble> {
        let options = unpack::Options {
            owner: unpack::Owner::Image,
            verify: false,
            jobs: std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
            limits: Limits::FORMAT,
            on_read: None,
        };
        match unpack::unpack(&self.files, self.id, "the image", to, &options) {
            Ok(unpacked) => match unpacked.unset.first() {
                None => Ok(()),
                Some(unset) => {
                    let message = format!("{} of /{} cannot be set here: {}", unset.name, unset.first, unset.reason);
                    Err(Trouble::Refused(vec![Reason::of_host(message)]))
                }
            },
            Err(UnpackError::Rejected(findings)) => Err(Trouble::Refused(reasons(&findings))),
            Err(UnpackError::Io(what, error)) => Err(io::Error::new(error.kind(), format!("{what}: {error}")).into()),
            Err(error) => Err(io::Error::other(error.to_string()).into()),
        }
    }
}

/// RUN-001: refuses an archive that has violations.
fn judge_archive(path: &Path) -> Result<(), Trouble> {
    let jobs = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let mut findings = Findings::new("the image".to_owned(), MAX_FINDINGS);
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut file = File::open(path).map_err(named)?;
    check_archive(&mut file, &Limits::FORMAT, jobs, &mut findings).map_err(named)?;
    if findings.errors > 0 { Err(Trouble::Refused(reasons(&findings))) } else { Ok(()) }
}

/// The files of an archive.
fn archive(path: &Path, scratch: &Path) -> io::Result<(ImageFiles, Option<NamedTempFile>)> {
    let mut file = BufReader::new(File::open(path)?);
    if !file.fill_buf()?.starts_with(&MAGIC) {
        return Ok((ImageFiles::of_archive(path)?, None));
    }
    let mut plain = NamedTempFile::new_in(scratch)?;
    io::copy(&mut Decoder::new(file, &Limits::FORMAT), &mut plain)?;
    Ok((ImageFiles::of_archive(plain.path())?, Some(plain)))
}

/// What is wrong with an image whose documents cannot be used.
fn refused(files: &ImageFiles, id: Digest) -> Trouble {
    let jobs = NonZero::<usize>::MIN;
    let mut findings = Findings::new("the image".to_owned(), MAX_FINDINGS);
    match unpack::judge(files, id, &Limits::FORMAT, jobs, &mut findings) {
        Err(error) => Trouble::Io(error),
        Ok(()) => Trouble::Refused(reasons(&findings)),
    }
}

/// RUN-001: what is found, with the clauses.
fn reasons(findings: &Findings) -> Vec<Reason> {
    let is_error = |finding: &&Diagnostic| finding.severity == Severity::Error;
    let reason = |finding: &Diagnostic| Reason::new(finding.id, finding.message.clone());
    let mut reasons: Vec<Reason> = findings.list().iter().filter(is_error).map(reason).collect();
    if reasons.is_empty() {
        reasons.push(Reason::new("RUN-001", "the image changed while it was read"));
    }
    reasons
}
