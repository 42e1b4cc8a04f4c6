//! What `check` takes: recognising an input by its content, and checking a stream of each kind.

use std::io::{self, Read};
use std::num::NonZero;

use crate::clause;
use crate::diagnostic::{Findings, Place, Violation};
use crate::json::{self, Form};
use crate::layer::{ListingKind, Walker, read_listing};
use crate::limits::Limits;
use crate::manifest;
use crate::name::Reference;
use crate::oci::{self, ImageArchive, Pass, ReadAt};
use crate::store::{Extent, Files, check_archive, check_index, check_marker, check_store_to};
use crate::{trust, zstd};

/// A kind of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory with the layout of a store.
    Store,
    /// A store's files as one tar archive, perhaps compressed.
    Archive,
    /// A manifest.
    Manifest,
    /// The listing of a layer.
    Listing,
    /// A merged listing.
    Rootfs,
    /// A layer.
    Layer,
    /// The marker of a store.
    Marker,
    /// An index of signatures or attestations.
    Index,
    /// An envelope with its payload.
    Envelope,
    /// The payload of an envelope: a release.
    Release,
    /// The same: a keyring.
    Keyring,
    /// The same: a catalog.
    Catalog,
    /// The same: an attestation.
    Attestation,
    /// A policy.
    Policy,
    /// What a verifier remembers of an authority.
    State,
    /// A log proof.
    Proof,
    /// A reference, alone in a file, without newline.
    Reference,
    /// Any canonical JSON document.
    Canonical,
    /// Any strict JSON document.
    Strict,
    /// An OCI image layout.
    OciLayout,
    /// An OCI image layout as one tar archive.
    OciArchive,
    /// A directory with images as `docker save` writes them.
    DockerLayout,
    /// The same as one tar archive.
    DockerArchive,
    /// A layer of an OCI image, perhaps compressed.
    OciLayer,
    /// An OCI runtime bundle.
    OciBundle,
}

impl Kind {
    /// All kinds with their names.
    pub const ALL: [(&'static str, Self); 25] = [
        ("store", Self::Store),
        ("archive", Self::Archive),
        ("manifest", Self::Manifest),
        ("listing", Self::Listing),
        ("rootfs", Self::Rootfs),
        ("layer", Self::Layer),
        ("marker", Self::Marker),
        ("index", Self::Index),
        ("envelope", Self::Envelope),
        ("release", Self::Release),
        ("keyring", Self::Keyring),
        ("catalog", Self::Catalog),
        ("attestation", Self::Attestation),
        ("policy", Self::Policy),
        ("state", Self::State),
        ("proof", Self::Proof),
        ("reference", Self::Reference),
        ("canonical", Self::Canonical),
        ("strict", Self::Strict),
        ("oci-layout", Self::OciLayout),
        ("oci-archive", Self::OciArchive),
        ("oci-layer", Self::OciLayer),
        ("oci-bundle", Self::OciBundle),
        ("docker-layout", Self::DockerLayout),
        ("docker-archive", Self::DockerArchive),
    ];

    /// The name of the kind.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Whether an input of the kind is a directory.
    #[must_use]
    pub fn is_directory(self) -> bool {
        matches!(self, Self::Store | Self::OciLayout | Self::DockerLayout | Self::OciBundle)
    }

    /// Whether an input of the kind can be checked without looking into its layers ([`Extent::Digests`]).
    #[must_use]
    pub fn has_digests(self) -> bool {
        matches!(
            self,
            Self::Store | Self::Archive | Self::OciLayout | Self::OciArchive | Self::DockerLayout | Self::DockerArchive
        )
    }

    /// Whether an input of the kind is a file that has to be read at several places.
    #[must_use]
    pub fn needs_file(self) -> bool {
        matches!(self, Self::OciArchive | Self::DockerArchive)
    }

    /// The kind called `name`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }
}

/// Bytes of an input that [`recognise`] looks at.
pub const HEAD: usize = 64 << 10;

/// What an input is, by its first [`HEAD`] bytes; `None` if it cannot be told.
///
/// ```
/// use cornercast::input::{Kind, recognise};
///
/// assert_eq!(recognise(br#"{"cornercast":"1.0","kind":"store"}"#), Some(Kind::Marker));
/// assert_eq!(recognise(b"MZ"), None);
/// ```
#[must_use]
pub fn recognise(head: &[u8]) -> Option<Kind> {
    if head.starts_with(&zstd::MAGIC) {
        return Some(Kind::Archive);
    }
    if head.starts_with(&[0x1F, 0x8B]) {
        return (!oci::is_compressed(head)).then_some(Kind::OciLayer);
    }
    if head.starts_with(b"c2sp.org/tlog-proof@") {
        return Some(Kind::Proof);
    }
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'{') {
        return Some(recognise_json(text));
    }
    let is_tar =
        head.get(257..262) == Some(b"ustar") || (head.len() >= 512 && head.iter().take(512).all(|byte| *byte == 0));
    if is_tar {
        if head.starts_with(b"cornercast\0") {
            return Some(Kind::Archive);
        }
        return Some(match oci::recognise(head) {
            Some(ImageArchive::Layout) => Kind::OciArchive,
            Some(ImageArchive::Saved) => Kind::DockerArchive,
            None => Kind::Layer,
        });
    }
    None
}

/// Documents are told apart by members that the others do not have.
fn recognise_json(text: &[u8]) -> Kind {
    let (line, rest) = match text.iter().position(|byte| *byte == b'\n') {
        Some(end) => (text.get(..end).unwrap_or_default(), text.get(end + 1..).unwrap_or_default()),
        None => (text, &[][..]),
    };
    let line = json::read(line, Form::Strict, &Limits::FORMAT).root;
    let has = |name: &str| line.as_ref().is_some_and(|root| root.get(name).is_some());
    let kind = |name: &str| line.as_ref().and_then(|root| root.get("kind")?.as_str()) == Some(name);
    if has("path") || (has("type") && rest.first() == Some(&b'{')) {
        Kind::Listing
    } else if kind("store") && !has("layers") {
        Kind::Marker
    } else if has("files") && (kind("signatures") || kind("attestations")) {
        Kind::Index
    } else if has("cornercast") || has("layers") {
        Kind::Manifest
    } else {
        recognise_trust(text)
    }
}

/// The same for documents about trust, which people write on several lines. What is cut off is told by its beginning.
fn recognise_trust(text: &[u8]) -> Kind {
    let root = json::read(text, Form::Strict, &Limits::FORMAT).root;
    let has = |name: &str| match &root {
        Some(root) => root.get(name).is_some(),
        None => {
            let quoted = format!("\"{name}\":");
            text.windows(quoted.len()).any(|window| window == quoted.as_bytes())
        }
    };
    let members: [(&[&str], Kind); 7] = [
        (&["payload"], Kind::Envelope),
        (&["rules"], Kind::Policy),
        (&["authority"], Kind::State),
        (&["root", "keys"], Kind::Keyring),
        (&["serial"], Kind::Catalog),
        (&["body", "issued"], Kind::Attestation),
        (&["image", "issued"], Kind::Release),
    ];
    members.into_iter().find(|(names, _)| names.iter().all(|name| has(name))).map_or(Kind::Manifest, |(_, kind)| kind)
}

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// Checks a directory of a kind that is one with `jobs` threads, and adds what is wrong to `findings`. The number
/// of threads changes nothing that is found.
///
/// # Errors
///
/// Errors of `files`, which leave the check incomplete; `InvalidInput` for another kind.
pub fn check_directory(
    kind: Kind,
    files: &dyn Files,
    limits: &Limits,
    jobs: NonZero<usize>,
    findings: &mut Findings,
) -> io::Result<()> {
    check_directory_to(Pass::new(Extent::Whole, jobs), kind, files, limits, findings)
}

/// The same as `pass` says.
///
/// # Errors
///
/// Errors of `files`, which leave the check incomplete; `InvalidInput` for another kind.
pub fn check_directory_to(
    pass: Pass<'_>,
    kind: Kind,
    files: &dyn Files,
    limits: &Limits,
    findings: &mut Findings,
) -> io::Result<()> {
    match kind {
        Kind::Store => check_store_to(pass.extent, files, limits, pass.jobs, findings),
        Kind::OciLayout => oci::check_layout(pass, files, limits, findings),
        Kind::DockerLayout => oci::check_saved(pass, files, limits, findings),
        Kind::OciBundle => oci::check_bundle(files, limits, findings),
        other => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} is no kind of directory", other.name()))),
    }
}

/// Checks a file of a kind that has to be read at several places, and adds what is wrong to `findings`. The number
/// of threads changes nothing that is found.
///
/// # Errors
///
/// Errors of `file`, which leave the check incomplete; `InvalidInput` for another kind.
pub fn check_file(
    kind: Kind,
    file: &dyn ReadAt,
    limits: &Limits,
    jobs: NonZero<usize>,
    findings: &mut Findings,
) -> io::Result<()> {
    check_file_to(Pass::new(Extent::Whole, jobs), kind, file, limits, findings)
}

/// The same as `pass` says.
///
/// # Errors
///
/// Errors of `file`, which leave the check incomplete; `InvalidInput` for another kind.
pub fn check_file_to(
    pass: Pass<'_>,
    kind: Kind,
    file: &dyn ReadAt,
    limits: &Limits,
    findings: &mut Findings,
) -> io::Result<()> {
    match kind {
        Kind::OciArchive => oci::check_archive(pass, file, limits, findings),
        Kind::DockerArchive => oci::check_saved_archive(pass, file, limits, findings),
        other => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} can be read in one pass", other.name()))),
    }
}

/// Checks a stream of any kind that is no directory and can be read in one pass, and adds what is wrong to `findings`. An archive is checked with
/// `jobs` threads, whose number changes nothing that is found.
///
/// Reads no more than the kind's limit and one byte.
///
/// # Errors
///
/// Errors of `input`, which leave the check incomplete.
pub fn check_stream(
    kind: Kind,
    input: &mut (dyn Read + Send),
    limits: &Limits,
    jobs: NonZero<usize>,
    findings: &mut Findings,
) -> io::Result<()> {
    let mut document = |limit: u64| {
        let mut source = Vec::new();
        input.take(limit.saturating_add(1)).read_to_end(&mut source).map(|_| source)
    };
    match kind {
        Kind::Manifest => findings.extend(manifest::check(&document(limits.manifest)?, limits).1),
        Kind::Marker => findings.extend(check_marker(&document(limits.document)?, limits)),
        Kind::Index => findings.extend(check_index(&document(limits.document)?, None, limits).1),
        Kind::Envelope => findings.extend(trust::check_envelope(&document(limits.envelope)?, limits)),
        Kind::Release => findings.extend(trust::check_release(&document(limits.document)?, limits).1),
        Kind::Keyring => findings.extend(trust::check_keyring(&document(limits.document)?, limits).1),
        Kind::Catalog => findings.extend(trust::check_catalog(&document(limits.envelope)?, limits).1),
        Kind::Attestation => findings.extend(trust::check_attestation(&document(limits.document)?, limits).1),
        Kind::Policy => findings.extend(trust::check_policy(&document(limits.document)?, limits).1),
        Kind::State => findings.extend(trust::check_state(&document(limits.state)?, limits).1),
        Kind::Proof => findings.extend(trust::check_proof(&document(limits.log_proof)?, limits).1),
        Kind::Canonical | Kind::Strict => {
            let source = document(limits.document)?;
            if source.len() as u64 > limits.document {
                // JSN-005
                let message = format!("the document has more than {} bytes", limits.document);
                findings.add(Violation::new(
                    &clause::JSN_005,
                    Place::bytes(limits.document..limits.document + 1),
                    message,
                ));
                return Ok(());
            }
            let form = if kind == Kind::Canonical { Form::Canonical } else { Form::Strict };
            findings.extend(json::read(&source, form, limits).violations);
        }
        Kind::Reference => {
            let source = document(limits.document)?;
            let place = Place::bytes(0..source.len() as u64);
            match std::str::from_utf8(&source) {
                Ok(text) => {
                    if let Err(broken) = Reference::parse(text, limits) {
                        findings.extend(
                            broken.into_iter().map(|(clause, message)| Violation::new(clause, place.clone(), message)),
                        );
                    }
                }
                Err(_) => findings.add(Violation::new(&clause::NAM_014, place, "the reference is not UTF-8")),
            }
        }
        Kind::Listing | Kind::Rootfs => {
            let source = document(limits.listing)?;
            if source.len() as u64 > limits.listing {
                // LST-014
                let message = format!("the listing has more than {} bytes", limits.listing);
                findings.add(Violation::new(
                    &clause::LST_014,
                    Place::bytes(limits.listing..limits.listing + 1),
                    message,
                ));
                return Ok(());
            }
            let kind = if kind == Kind::Rootfs { ListingKind::Rootfs } else { ListingKind::Layer };
            findings.extend(read_listing(&source, kind, limits).violations);
        }
        Kind::Layer => {
            let mut walker = Walker::new(limits.clone());
            each_chunk(input, |bytes| {
                walker.push(bytes);
                !walker.gave_up()
            })?;
            findings.extend(walker.finish().0.violations);
        }
        Kind::Archive => check_archive(input, limits, jobs, findings)?,
        Kind::OciLayer => oci::check_layer(input, limits, findings)?,
        Kind::Store
        | Kind::OciLayout
        | Kind::OciArchive
        | Kind::DockerLayout
        | Kind::DockerArchive
        | Kind::OciBundle => {
            let message = format!("{} cannot be read in one pass", kind.name());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
    }
    Ok(())
}

/// Reads `input` until it ends or `take` says no.
fn each_chunk(input: &mut dyn Read, mut take: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                if !take(buffer.get(..read).unwrap_or_default()) {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_have_digests_and_nothing_else_has() {
        let names = Kind::ALL.iter().filter(|(_, kind)| kind.has_digests()).map(|(name, _)| *name);
        let images = ["store", "archive", "oci-layout", "oci-archive", "docker-layout", "docker-archive"];
        assert_eq!(names.collect::<Vec<_>>(), images);
    }
}
