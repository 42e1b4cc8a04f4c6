//! The original manifest of an image, if an artifact of the layout has it (OCI-132).

use super::export::config;
use super::found::{Found, FoundArtifact};
use super::media;
use crate::build::{BuildError, Content};
use crate::diagnostic::Severity;
use crate::digest::Digest;
use crate::limits::Limits;
use crate::manifest::{self, Manifest};
use crate::shown::quoted;
use crate::store::{FileKind, classify};

/// The manifest that an image was exported from, and the files of a store that belong to it.
pub(crate) struct Original {
    pub(crate) id: Digest,
    pub(crate) source: Vec<u8>,
    pub(crate) manifest: Manifest,
    /// Envelopes, proofs and indexes, in the order of an archive.
    pub(crate) files: Vec<(FileKind, Vec<u8>)>,
    /// Where the attachments are, in the order of the manifest.
    pub(crate) attachments: Vec<(Digest, u64, Content)>,
}

/// Finds the original: the first artifact whose manifest is valid by itself and exports to exactly the config that the
/// image has, which names its layers.
///
/// # Errors
///
/// Blobs of that artifact that are missing or damaged.
pub(crate) fn find(found: &Found<'_>) -> Result<Option<Original>, BuildError> {
    let limits = Limits::FORMAT;
    for artifact in &found.artifacts {
        let Some(source) = found.artifact_layer(artifact, 0, media::IMAGE_MANIFEST, limits.manifest)? else { continue };
        let (_, violations) = manifest::check(&source, &limits);
        let is_valid = !violations.iter().any(|violation| violation.clause.severity == Severity::Error);
        let parsed = is_valid.then(|| serde_json::from_slice::<Manifest>(&source).ok()).flatten();
        let Some(manifest) = parsed.filter(|manifest| config(manifest) == found.config_source) else { continue };
        return original(found, artifact, source, manifest).map(Some);
    }
    Ok(None)
}

fn original(
    found: &Found<'_>,
    artifact: &FoundArtifact,
    source: Vec<u8>,
    manifest: Manifest,
) -> Result<Original, BuildError> {
    let limits = Limits::FORMAT;
    let id = Digest::of(&source);
    let mut files = Vec::new();
    for (number, path) in Found::store_paths(artifact) {
        let kind =
            match classify(path, &limits) {
                Ok(
                    kind @ (FileKind::Index(_, image) | FileKind::Envelope(_, image, _) | FileKind::Proof(_, image, _)),
                ) if image == id => kind,
                _ => {
                    let what = format!("names the file {}, which is no envelope, proof or index of {id}", quoted(path));
                    return Err(BuildError::Refused(format!("the artifact {} {what}", artifact.digest)));
                }
            };
        if let Some(bytes) = found.artifact_layer(artifact, number, media::STORE_FILE, limits.document)? {
            files.push((kind, bytes));
        }
    }
    files.sort_by_key(|(kind, _)| order(kind));
    let mut attachments = Vec::new();
    for attachment in &manifest.attachments {
        let Some(content) = found.blob(attachment.digest, attachment.size) else {
            let message = format!(
                "the attachment {} of {} bytes, which the manifest of the image names, is missing",
                attachment.digest, attachment.size
            );
            return Err(BuildError::Refused(message));
        };
        attachments.push((attachment.digest, attachment.size, content));
    }
    Ok(Original { id, source, manifest, files, attachments })
}

/// Signatures before attestations; in each set the index, then the envelopes, each before its proof (STO-029).
fn order(kind: &FileKind) -> (Option<crate::store::SignatureSet>, Option<Digest>, bool) {
    match kind {
        FileKind::Index(set, _) => (Some(*set), None, false),
        FileKind::Envelope(set, _, digest) => (Some(*set), Some(*digest), false),
        FileKind::Proof(set, _, digest) => (Some(*set), Some(*digest), true),
        _ => (None, None, false),
    }
}
