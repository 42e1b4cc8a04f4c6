//! Opening, verifying and unpacking the image.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek};
use std::num::NonZero;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cornercast::diagnostic::{Diagnostic, Findings, Severity};
use cornercast::digest::Digest;
use cornercast::layer::Tree;
use cornercast::limits::Limits;
use cornercast::manifest::Manifest;
use cornercast::store::{Files, Listed, check_archive};
use cornercast::trust::PolicyRule;
use cornercast::unpack::{self, ImageFiles, Skimmed, UnpackError};
use cornercast::zstd::{Decoder, MAGIC};
use rustix::fs::OFlags;

use crate::policy::UnderPolicy;
use crate::refusal::Reason;

/// Findings of an image that are reported.
const MAX_FINDINGS: usize = 20;

/// An image that has been found, of which only the documents have been read.
pub(crate) struct Image {
    pub(crate) id: Digest,
    pub(crate) manifest: Manifest,
    pub(crate) tree: Tree,
    /// The rule of the policy by which it is accepted, if one was given.
    pub(crate) rule: Option<PolicyRule>,
    files: Watched,
    /// Keeps an archive open, or what a compressed one decodes to.
    _kept: Option<File>,
}

/// The files of an image, which cannot be read any more once there is a request to stop.
struct Watched {
    files: ImageFiles,
    stop: Arc<AtomicBool>,
}

/// What is read of them.
struct Stoppable<R> {
    inner: R,
    stop: Arc<AtomicBool>,
}

impl<R: Read> Read for Stoppable<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("it was stopped before the application began"));
        }
        self.inner.read(buffer)
    }
}

impl Files for Watched {
    fn list(&self) -> io::Result<Vec<Listed>> {
        self.files.list()
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(Stoppable { inner: self.files.open(path)?, stop: Arc::clone(&self.stop) }))
    }
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
    /// Under a policy, that is the one that it accepts (RUN-126).
    /// Nothing is judged but what is used unless `is_judged`; nothing more is read when `stop` is true.
    pub(crate) fn open(
        path: &Path,
        wanted: Option<Digest>,
        scratch: &Path,
        is_judged: bool,
        policy: Option<&UnderPolicy>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, Trouble> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let mut accepted = None;
        let (files, kept) = if path.is_dir() {
            (ImageFiles::of_store(path).map_err(named)?, None)
        } else {
            let archive = archive(path, scratch, is_judged, policy, &stop).map_err(|trouble| match trouble {
                Trouble::Io(error) => Trouble::Io(named(error)),
                refused => refused,
            })?;
            accepted = archive.accepted;
            (archive.files, Some(archive.file))
        };
        let files = Watched { files, stop };
        let refuse = |message: String| Trouble::Refused(vec![Reason::new("RUN-001", message)]);
        let name = path.display();
        if !files.files.has_marker() {
            return Err(refuse(format!("{name} is neither a store nor an archive")));
        }
        if let Some(policy) = policy.filter(|_| accepted.is_none()) {
            accepted = Some(policy.decide(&files)?);
        }
        if let (Some(wanted), Some((accepted, _))) = (wanted, &accepted)
            && wanted != *accepted
        {
            let message = format!("the policy accepts the image {accepted}, and {wanted} is asked for");
            return Err(Trouble::Refused(vec![Reason::new("RUN-126", message)]));
        }
        let wanted = accepted.as_ref().map(|(accepted, _)| *accepted).or(wanted);
        let images = files.files.images();
        let id = match (wanted, images.as_slice()) {
            (Some(wanted), images) if images.contains(&wanted) => wanted,
            (Some(wanted), _) => return Err(refuse(format!("{name} has no image {wanted}"))),
            (None, [id]) => *id,
            (None, images) => return Err(refuse(format!("{name} has {} images; name one", images.len()))),
        };
        match unpack::describe(&files, id, &Limits::FORMAT)? {
            Some((manifest, tree)) => {
                Ok(Self { id, manifest, tree, rule: accepted.map(|(_, rule)| rule), files, _kept: kept })
            }
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

/// An archive, of which nothing but documents has been used.
struct Archive {
    files: ImageFiles,
    /// What they are parts of: it is opened once, so that what is judged is what is unpacked, whatever becomes of its name.
    file: File,
    /// What a policy accepts, if it has decided already.
    accepted: Option<(Digest, PolicyRule)>,
}

/// Opens an archive. What a compressed one decodes to is written once the policy, if there is one, accepts an image.
fn archive(
    path: &Path,
    scratch: &Path,
    is_judged: bool,
    policy: Option<&UnderPolicy>,
    stop: &Arc<AtomicBool>,
) -> Result<Archive, Trouble> {
    // Nobody is waited for who would write to a pipe.
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    let mut file = OpenOptions::new().read(true).custom_flags(nonblock).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file").into());
    }
    let mut head = Vec::new();
    (&file).take(MAGIC.len() as u64).read_to_end(&mut head)?;
    file.rewind()?;
    let read = |file: &File| Ok::<_, io::Error>(Stoppable { inner: file.try_clone()?, stop: Arc::clone(stop) });
    let mut accepted = None;
    if head == MAGIC {
        if is_judged {
            judge_archive(&mut read(&file)?)?;
            file.rewind()?;
        }
        if let Some(policy) = policy {
            let mut skimmed = Skimmed::new(Limits::FORMAT);
            io::copy(&mut Decoder::new(BufReader::new(read(&file)?), &Limits::FORMAT), &mut skimmed)?;
            accepted = Some(policy.decide(&skimmed.finish()?)?);
            file.rewind()?;
        }
        let mut plain = tempfile::tempfile_in(scratch)?;
        io::copy(&mut Decoder::new(BufReader::new(read(&file)?), &Limits::FORMAT), &mut plain)?;
        file = plain;
    } else if is_judged {
        judge_archive(&mut read(&file)?)?;
    }
    let files = ImageFiles::of_archive(Path::new(&format!("/proc/self/fd/{}", file.as_raw_fd())))?;
    Ok(Archive { files, file, accepted })
}

/// RUN-001: refuses an archive that has violations.
fn judge_archive(archive: &mut (impl Read + Send)) -> Result<(), Trouble> {
    let jobs = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let mut findings = Findings::new("the image".to_owned(), MAX_FINDINGS);
    check_archive(archive, &Limits::FORMAT, jobs, &mut findings)?;
    if findings.errors > 0 { Err(Trouble::Refused(reasons(&findings))) } else { Ok(()) }
}

/// What is wrong with an image whose documents cannot be used.
fn refused(files: &Watched, id: Digest) -> Trouble {
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
