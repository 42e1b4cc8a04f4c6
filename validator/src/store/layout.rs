//! Which file stands where.

use crate::clause::{self, Clause};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::name::{judge_host, judge_name};
use crate::shown::quoted;

/// Signatures or attestations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureSet {
    /// `signatures/`
    Signatures,
    /// `attestations/`
    Attestations,
}

impl SignatureSet {
    /// The name of the folder, which is also the `kind` of its index.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Signatures => "signatures",
            Self::Attestations => "attestations",
        }
    }
}

/// What a file of a store is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// `cornercast`
    Marker,
    /// `names/HOST/_/keyring/N.json`
    Keyring {
        /// The host.
        authority: String,
        /// N
        number: u64,
    },
    /// `names/NAME/_/catalog.json`
    Catalog(String),
    /// `images/sha256/HEX`
    Manifest(Digest),
    /// `signatures/sha256/IMAGE/index.json`
    Index(SignatureSet, Digest),
    /// `signatures/sha256/IMAGE/HEX.json`
    Envelope(SignatureSet, Digest, Digest),
    /// `signatures/sha256/IMAGE/HEX.proof`
    Proof(SignatureSet, Digest, Digest),
    /// `blobs/sha256/HEX`
    Blob(Digest),
    /// `packed/sha256/HEX.zst`
    Packed(Digest),
    /// `torrents/sha256/HEX.torrent`
    Torrent(Digest),
}

/// What the file at `path` is; `Err(None)` if the layout does not give this path, `Err(Some)` if it
/// gives one like it (STO-005, STO-009, STO-010).
///
/// # Errors
///
/// The clause that the path breaks, and why, if the layout gives a path like it.
pub fn classify(path: &str, limits: &Limits) -> Result<FileKind, Option<(&'static Clause, String)>> {
    let parts: Vec<&str> = path.split('/').collect();
    let hex = |text: &str| {
        Digest::from_hex(text).ok_or_else(|| {
            Some((
                &clause::STO_005,
                format!("{} is not 64 hexadecimal digits in lower case{}", quoted(text), crate::digest::flaw(text)),
            ))
        })
    };
    match parts.as_slice() {
        ["cornercast"] => Ok(FileKind::Marker),
        ["images", "sha256", name] => Ok(FileKind::Manifest(hex(name)?)),
        ["blobs", "sha256", name] => Ok(FileKind::Blob(hex(name)?)),
        ["packed", "sha256", name] => Ok(FileKind::Packed(hex(name.strip_suffix(".zst").ok_or(None)?)?)),
        ["torrents", "sha256", name] => Ok(FileKind::Torrent(hex(name.strip_suffix(".torrent").ok_or(None)?)?)),
        [folder @ ("signatures" | "attestations"), "sha256", image, name] => {
            let set = if *folder == "signatures" { SignatureSet::Signatures } else { SignatureSet::Attestations };
            let image = hex(image)?;
            if *name == "index.json" {
                return Ok(FileKind::Index(set, image));
            }
            if let Some(envelope) = name.strip_suffix(".json") {
                return Ok(FileKind::Envelope(set, image, hex(envelope)?));
            }
            Ok(FileKind::Proof(set, image, hex(name.strip_suffix(".proof").ok_or(None)?)?))
        }
        ["names", name @ .., "_", "catalog.json"] => {
            let name = name.join("/");
            match judge_name(&name, limits).first() {
                None => Ok(FileKind::Catalog(name)),
                Some((_, reason)) => Err(Some((&clause::STO_009, format!("{} is no name: {reason}", quoted(&name))))),
            }
        }
        ["names", host @ .., "_", "keyring", file] => {
            let host = host.join("/");
            if let Some((_, reason)) = judge_host(&host, limits).first() {
                return Err(Some((&clause::STO_009, format!("{} is no host: {reason}", quoted(&host)))));
            }
            let text = file.strip_suffix(".json").ok_or(None)?;
            let well_formed = text.len() <= 16
                && !text.starts_with('0')
                && !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_digit());
            match text.parse().ok().filter(|_| well_formed) {
                Some(number) => Ok(FileKind::Keyring { authority: host, number }),
                None => Err(Some((
                    &clause::STO_010,
                    format!("the keyring number {} is not 1 to 16 digits without a leading zero", quoted(text)),
                ))),
            }
        }
        _ => Err(None),
    }
}

/// The path of a file.
#[must_use]
pub fn path_of(kind: &FileKind) -> String {
    match kind {
        FileKind::Marker => "cornercast".to_owned(),
        FileKind::Keyring { authority, number } => format!("names/{authority}/_/keyring/{number}.json"),
        FileKind::Catalog(name) => format!("names/{name}/_/catalog.json"),
        FileKind::Manifest(digest) => format!("images/sha256/{}", digest.hex()),
        FileKind::Index(set, image) => format!("{}/sha256/{}/index.json", set.folder(), image.hex()),
        FileKind::Envelope(set, image, digest) => {
            format!("{}/sha256/{}/{}.json", set.folder(), image.hex(), digest.hex())
        }
        FileKind::Proof(set, image, digest) => {
            format!("{}/sha256/{}/{}.proof", set.folder(), image.hex(), digest.hex())
        }
        FileKind::Blob(digest) => format!("blobs/sha256/{}", digest.hex()),
        FileKind::Packed(digest) => format!("packed/sha256/{}.zst", digest.hex()),
        FileKind::Torrent(digest) => format!("torrents/sha256/{}.torrent", digest.hex()),
    }
}
