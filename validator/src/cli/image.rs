//! Images as the arguments of a command: a store with one image, `STORE@sha256:…`, or an archive.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::files::{Directory, open_regular};
use super::progress::{self, Counted};
use super::trust::asked::Trust;
use super::trust::compressed::{is_compressed, skim};
use super::{Failure, processors};
use crate::audit::Subject;
use crate::build::{Content, Opener, OutputFiles, private_in};
use crate::diagnostic::{Findings, Severity};
use crate::digest::Digest;
use crate::input::{Kind, recognise};
use crate::layer::{Entry, ListingKind, Tree, read_listing};
use crate::limits::Limits;
use crate::manifest::{self, Layer, Manifest};
use crate::store::{FileKind, Files, Listed, SignatureSet, check_archive, check_store};
use crate::unpack::ImageFiles;
use crate::zstd::{self, Decoder};

/// An image whose blobs can be read.
pub(super) struct Image {
    pub(super) id: Digest,
    pub(super) manifest: Manifest,
    /// The bytes of the manifest.
    pub(super) source: Vec<u8>,
    /// Where it is.
    located: Located,
}

/// Where an image is, of which nothing has been read.
pub(super) struct Located {
    pub(super) id: Digest,
    path: PathBuf,
    on_disk: ImageFiles,
    /// Keeps a decoded archive.
    _spool: Option<NamedTempFile>,
}

impl Image {
    /// Opens an image and checks it, with everything that stands beside it: an image with violations is refused.
    /// `doing` is what a terminal shows meanwhile.
    pub(super) fn open_checked(argument: &str, doing: &str) -> Result<Self, Failure> {
        let (path, wanted) = split(argument);
        let limits = Limits::FORMAT;
        let fail = |error: io::Error| Failure::Error(format!("{argument}: {error}"));
        // Standard input can be read once only.
        let (path, spool) = if path == Path::new("-") { plain_file(&path).map_err(fail)? } else { (path, None) };
        let name = if spool.is_some() { "standard input".to_owned() } else { path.display().to_string() };
        let mut findings = Findings::new(name.clone(), 20);
        let shown = progress::show(doing, super::files::length(&path));
        let checked = if path.is_dir() {
            check_store(&Directory::at(&path), &limits, processors(), &mut findings)
        } else {
            File::open(&path).and_then(|file| check_archive(&mut Counted(file), &limits, processors(), &mut findings))
        };
        drop(shown);
        checked.map_err(|error| Failure::Error(format!("{name}: {error}")))?;
        if findings.errors > 0 {
            let errors: Vec<_> =
                findings.list().iter().filter(|finding| finding.severity == Severity::Error).cloned().collect();
            let text = crate::report::concise(&errors);
            return Err(Failure::Refused(format!("{argument} is no valid image:\n{}", text.trim_end())));
        }
        Self::of(argument, Located::at(argument, path, wanted, spool)?)
    }

    /// Opens an image; only what is read of it is checked against its digest.
    pub(super) fn open(argument: &str) -> Result<Self, Failure> {
        Self::of(argument, Located::find(argument)?)
    }

    fn of(argument: &str, located: Located) -> Result<Self, Failure> {
        let refuse = |message: String| Err(Failure::Refused(format!("{argument}: {message}")));
        let (id, limits) = (located.id, Limits::FORMAT);
        let source = read_content(located.on_disk.files.get(&FileKind::Manifest(id)), limits.manifest)
            .map_err(|error| Failure::Error(format!("{argument}: the manifest {id} cannot be read: {error}")))?;
        if Digest::of(&source) != id {
            return refuse(format!("the manifest {id} is damaged: its digest is {}", Digest::of(&source)));
        }
        let (_, violations) = manifest::check(&source, &limits);
        if let Some(violation) = violations.iter().find(|violation| violation.clause.severity == Severity::Error) {
            return refuse(format!(
                "the manifest is not valid: {} [{}]; `cornercast check {}` shows all that is wrong",
                violation.message,
                violation.clause.id,
                located.path.display()
            ));
        }
        match serde_json::from_slice(&source) {
            Ok(manifest) => Ok(Self { id, manifest, source, located }),
            Err(error) => refuse(format!("the manifest cannot be read: {error}")),
        }
    }

    /// The merged tree, from listings that have the digests of the manifest.
    pub(super) fn tree(&self) -> Result<Tree, Failure> {
        let mut tree = Tree::default();
        for layer in &self.manifest.layers {
            tree.merge(self.entries(layer)?);
        }
        Ok(tree)
    }

    /// The entries of a layer, from a listing that has the digest of the manifest.
    pub(super) fn entries(&self, layer: &Layer) -> Result<Vec<Entry>, Failure> {
        let limits = Limits::FORMAT;
        let listing = layer.listing;
        let what = format!("{}: the listing {}", self.located.path.display(), listing.digest);
        let fail = |error: io::Error| Failure::Error(format!("{what} cannot be read: {error}"));
        let opened = self.open_blob(listing.digest).map_err(fail)?;
        let mut source = Vec::new();
        opened.take(limits.listing.min(listing.size) + 1).read_to_end(&mut source).map_err(fail)?;
        if Digest::of(&source) != listing.digest {
            return Err(Failure::Refused(format!("{what} is damaged: its digest is {}", Digest::of(&source))));
        }
        let parsed = read_listing(&source, ListingKind::Layer, &limits);
        match parsed.violations.first() {
            Some(violation) => {
                Err(Failure::Refused(format!("{what} is not valid: {} [{}]", violation.message, violation.clause.id)))
            }
            None => Ok(parsed.entries),
        }
    }

    /// How many files of a set there are for this image, without their index and proofs.
    pub(super) fn envelopes(&self, set: SignatureSet) -> u64 {
        let is_one =
            |kind: &&FileKind| matches!(kind, FileKind::Envelope(of, image, _) if *of == set && *image == self.id);
        self.located.on_disk.files.keys().filter(is_one).count() as u64
    }

    /// Everything in its store or archive.
    pub(super) fn store(&self) -> &dyn Files {
        &self.located
    }

    /// What signed documents about this image are held against.
    pub(super) fn subject(&self) -> Subject {
        let Manifest { name, version, platform, .. } = &self.manifest;
        Subject {
            id: self.id,
            size: self.source.len() as u64,
            name: name.clone(),
            version: version.clone(),
            platform: platform.clone(),
        }
    }

    /// The files of a store that belong to this image, beside its manifest, in the order of an archive.
    pub(super) fn files(&self) -> OutputFiles<'_> {
        let mut out: OutputFiles<'_> = Vec::new();
        for set in [SignatureSet::Signatures, SignatureSet::Attestations] {
            let index = FileKind::Index(set, self.id);
            let envelopes = self.located.on_disk.files.keys().filter_map(|kind| match kind {
                FileKind::Envelope(of, image, digest) if *of == set && *image == self.id => Some(*digest),
                _ => None,
            });
            let each = envelopes
                .flat_map(|digest| [FileKind::Envelope(set, self.id, digest), FileKind::Proof(set, self.id, digest)]);
            for kind in std::iter::once(index).chain(each) {
                if let Some(content) = self.located.on_disk.files.get(&kind) {
                    out.push((kind, length_of(content), Box::new(move || Ok(content.open()?))));
                }
            }
        }
        for attachment in &self.manifest.attachments {
            out.push(self.blob(attachment.digest, attachment.size));
        }
        for layer in &self.manifest.layers {
            out.push(self.blob(layer.listing.digest, layer.listing.size));
            out.push(self.blob(layer.digest, layer.size));
        }
        out
    }

    fn blob(&self, digest: Digest, size: u64) -> (FileKind, u64, Opener<'_>) {
        (FileKind::Blob(digest), size, Box::new(move || Ok(Box::new(Counted(self.open_blob(digest)?)))))
    }

    /// Opens a blob, decoded.
    pub(super) fn open_blob(&self, digest: Digest) -> io::Result<Box<dyn Read>> {
        if let Some(content) = self.located.on_disk.files.get(&FileKind::Blob(digest)) {
            return Ok(content.open()?);
        }
        match self.located.on_disk.files.get(&FileKind::Packed(digest)) {
            Some(content) => Ok(Box::new(Decoder::new(BufReader::new(content.open()?), &Limits::FORMAT))),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "it is missing")),
        }
    }
}

impl Located {
    /// Finds the image that the argument of a command names.
    pub(super) fn find(argument: &str) -> Result<Self, Failure> {
        let (path, wanted) = split(argument);
        Self::at(argument, path, wanted, None)
    }

    fn at(
        argument: &str,
        path: PathBuf,
        wanted: Option<Digest>,
        spool: Option<NamedTempFile>,
    ) -> Result<Self, Failure> {
        let (on_disk, decoded) = files_of(&path)?;
        Self::of(argument, path, wanted, (on_disk, decoded.or(spool)))
    }

    /// Finds the image that is accepted under a policy, which has to be the one that the argument names.
    pub(super) fn trusted(argument: &str, trust: &Trust) -> Result<Self, Failure> {
        let (path, named) = split(argument);
        let shown = path.display().to_string();
        let (accepted, opened) = if trust.is_asked_for() && is_compressed(&path) {
            let mut unchecked = Findings::new(shown.clone(), 1);
            let accepted = trust.decide(&skim(&path, None, &mut unchecked)?, &shown)?;
            (accepted, files_of(&path)?)
        } else {
            let opened = files_of(&path)?;
            (trust.decide(&opened.0, &shown)?, opened)
        };
        if let (Some(named), Some(accepted)) = (named, accepted)
            && named != accepted
        {
            return Err(Failure::Refused(format!("{argument}: the policy accepts another image, {accepted}")));
        }
        Self::of(argument, path, accepted.or(named), opened)
    }

    fn of(
        argument: &str,
        path: PathBuf,
        wanted: Option<Digest>,
        (on_disk, spool): (ImageFiles, Option<NamedTempFile>),
    ) -> Result<Self, Failure> {
        let ids = on_disk.images();
        let refuse = |message: String| Err(Failure::Refused(format!("{argument}: {message}")));
        let id = match (wanted, ids.as_slice()) {
            (Some(wanted), _) if ids.contains(&wanted) => wanted,
            (None, [id]) => *id,
            (_, []) if !on_disk.has_marker() => {
                return refuse("it is no store: it has no file `cornercast`".to_owned());
            }
            (_, []) => return refuse("the store holds no image".to_owned()),
            (Some(wanted), ids) => {
                let ids: Vec<String> = ids.iter().map(Digest::to_string).collect();
                return refuse(format!("there is no image {wanted}; there is {}", ids.join(", ")));
            }
            (None, ids) => {
                let ids: Vec<String> = ids.iter().map(Digest::to_string).collect();
                return refuse(format!("there are {} images; add @ and one of {}", ids.len(), ids.join(", ")));
            }
        };
        Ok(Self { id, path, on_disk, _spool: spool })
    }

    /// The bytes of the layers and listings as they stand, twice if what they become is going to be read, too.
    pub(super) fn bytes(&self, twice: bool) -> u64 {
        let blobs =
            self.on_disk.files.iter().filter(|(kind, _)| matches!(kind, FileKind::Blob(_) | FileKind::Packed(_)));
        let bytes = blobs.map(|(_, content)| match content {
            Content::File(path) | Content::Kept(path, _) => super::files::length(path),
            Content::Part(_, _, length) => *length,
        });
        bytes.sum::<u64>() * if twice { 2 } else { 1 }
    }
}

impl Files for Located {
    fn list(&self) -> io::Result<Vec<Listed>> {
        self.on_disk.list()
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(Counted(self.on_disk.open(path)?)))
    }
}

/// `PATH@sha256:…` or `PATH`.
pub(super) fn split(argument: &str) -> (PathBuf, Option<Digest>) {
    if let Some((path, digest)) = argument.rsplit_once('@')
        && let Some(digest) = Digest::parse(digest)
    {
        return (PathBuf::from(path), Some(digest));
    }
    (PathBuf::from(argument), None)
}

/// The bytes of a file of a store; 0 if that cannot be told.
fn length_of(content: &Content) -> u64 {
    match content {
        Content::File(path) | Content::Kept(path, _) => super::files::length(path),
        Content::Part(_, _, length) => *length,
    }
}

fn read_content(content: Option<&Content>, limit: u64) -> io::Result<Vec<u8>> {
    let mut source = Vec::new();
    if let Some(content) = content {
        content.open()?.take(limit + 1).read_to_end(&mut source)?;
    }
    Ok(source)
}

/// The files of a store or archive.
fn files_of(path: &Path) -> Result<(ImageFiles, Option<NamedTempFile>), Failure> {
    if !path.is_dir() {
        return archive_files(path);
    }
    let files = ImageFiles::of_store(path);
    Ok((files.map_err(|error| Failure::Error(format!("{}: {error}", path.display())))?, None))
}

/// The files of an archive; a compressed one, or standard input, is spooled first.
pub(super) fn archive_files(path: &Path) -> Result<(ImageFiles, Option<NamedTempFile>), Failure> {
    let shown = path.display().to_string();
    let fail = |error: io::Error| Failure::Error(format!("{shown}: {error}"));
    // What gzip has compressed is no archive.
    let (source, spool) = decoded(path, false).map_err(fail)?;
    let on_disk = ImageFiles::of_archive(&source).map_err(fail)?;
    if !on_disk.has_marker() {
        return Err(Failure::Refused(format!("{shown} is neither a store nor an archive")));
    }
    Ok((on_disk, spool))
}

/// A file that can be read at any place: `path` itself, or its decoded copy if it is compressed or
/// standard input.
pub(super) fn plain_file(path: &Path) -> io::Result<(PathBuf, Option<NamedTempFile>)> {
    decoded(path, true)
}

/// The same; what gzip has compressed is decoded only if `takes_gzip`.
fn decoded(path: &Path, takes_gzip: bool) -> io::Result<(PathBuf, Option<NamedTempFile>)> {
    let is_stdin = path == Path::new("-");
    let mut input: Box<dyn Read> = if is_stdin { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
    let mut head = Vec::new();
    (&mut input).take(4).read_to_end(&mut head)?;
    let is_regular = !is_stdin && fs::metadata(path)?.is_file();
    let is_zstd = head == zstd::MAGIC;
    let is_gzip = takes_gzip && head.starts_with(&[0x1F, 0x8B]);
    if is_regular && !is_zstd && !is_gzip {
        return Ok((path.to_owned(), None));
    }
    let _shown = progress::show("reading", super::files::length(path));
    let folder = std::env::temp_dir();
    let spooling = |error: io::Error| {
        let message =
            format!("its copy in {} cannot be written: {error}; set TMPDIR to another folder", folder.display());
        io::Error::new(error.kind(), message)
    };
    let mut spool = private_in(&folder).map_err(spooling)?;
    let mut whole = head.as_slice().chain(Counted(input));
    if is_zstd {
        let mut decoder = Decoder::new(BufReader::with_capacity(256 << 10, whole), &Limits::FORMAT);
        io::copy(&mut decoder, spool.as_file_mut())?;
        if let Some(violation) = decoder.violations().first() {
            let message = format!("{} [{}]", violation.message, violation.clause.id);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
    } else if is_gzip {
        io::copy(
            &mut flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(256 << 10, whole)),
            spool.as_file_mut(),
        )?;
    } else {
        io::copy(&mut whole, spool.as_file_mut())?;
    }
    spool.as_file_mut().flush()?;
    spool.as_file_mut().rewind()?;
    Ok((spool.path().to_owned(), Some(spool)))
}

/// Whether `path` holds an image rather than a tree: a store, or an archive.
pub(super) fn is_image(argument: &str) -> bool {
    let (path, digest) = split(argument);
    if digest.is_some() || path.join("cornercast").is_file() {
        return true;
    }
    let mut head = Vec::new();
    let read = open_regular(&path).and_then(|file| file.take(1 << 10).read_to_end(&mut head));
    if read.is_err() {
        return false;
    }
    if head.starts_with(&zstd::MAGIC) {
        let mut decoded = Vec::new();
        let Ok(file) = File::open(&path) else { return false };
        let decoder = Decoder::new(BufReader::new(file), &Limits::FORMAT);
        if decoder.take(1 << 10).read_to_end(&mut decoded).is_ok() {
            head = decoded;
        }
    }
    recognise(&head) == Some(Kind::Archive) && head.starts_with(b"cornercast\0")
}
