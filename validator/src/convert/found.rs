//! An image that was found in a layout: what its documents say, and its blobs.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::config::Config;
use super::layout::{Descriptor, Layout};
use super::media;
use crate::build::{BuildError, Content, private_in};
use crate::digest::{Digest, Hasher, HashingWriter};
use crate::limits::Limits;
use crate::oci;

/// An image that was found.
pub(crate) struct Found<'a> {
    pub(crate) config: Config,
    /// The bytes of the config.
    pub(crate) config_source: Vec<u8>,
    pub(crate) annotations: BTreeMap<String, String>,
    /// What it is called there, such as `example.com/app:1.0`.
    pub(crate) reference: Option<String>,
    /// The digest of its manifest, or of the config if it has none.
    pub(crate) digest: Digest,
    pub(crate) layers: Vec<FoundLayer>,
    /// The artifacts of the layout that can hold a manifest of this format.
    pub(crate) artifacts: Vec<FoundArtifact>,
    pub(super) layout: Layout<'a>,
}

/// A layer that was found, and not read yet.
pub(crate) struct FoundLayer {
    /// The file of the layout or archive that holds it.
    pub(super) path: String,
    pub(super) content: Content,
    /// Of what is stored, if a manifest says it.
    pub(super) digest: Option<Digest>,
    /// Of what that decodes to, if the config says it, as it has to (OCI-035).
    pub(super) diff_id: Option<Digest>,
}

/// The layers of an artifact.
pub(crate) struct FoundArtifact {
    pub(crate) digest: String,
    pub(super) layers: Vec<Descriptor>,
}

impl Found<'_> {
    /// The content of the layer `number` of an artifact, if it is of this media type and not longer than `limit`.
    ///
    /// # Errors
    ///
    /// A blob that is missing or damaged.
    pub(crate) fn artifact_layer(
        &self,
        artifact: &FoundArtifact,
        number: usize,
        media_type: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, BuildError> {
        let Some(descriptor) = artifact.layers.get(number) else { return Ok(None) };
        if descriptor.media_type.as_deref() != Some(media_type) || descriptor.size > limit {
            return Ok(None);
        }
        self.layout.blob_bytes(descriptor).map(Some)
    }

    /// The paths in a store of the layers of an artifact, with their numbers.
    pub(crate) fn store_paths(artifact: &FoundArtifact) -> impl Iterator<Item = (usize, &str)> {
        artifact
            .layers
            .iter()
            .enumerate()
            .filter_map(|(number, layer)| Some((number, layer.annotations.as_ref()?.get(media::PATH)?.as_str())))
    }

    /// Where the blob `digest` is, if it has this size.
    pub(crate) fn blob(&self, digest: Digest, size: u64) -> Option<Content> {
        let (content, seen) = self.layout.file(&super::export::blob_path(digest))?;
        (seen == size).then_some(content)
    }
}

impl FoundLayer {
    /// What it is called in a message.
    pub(crate) fn name(&self) -> String {
        let digest = self.digest.or(self.diff_id).map(|digest| format!(" {digest}"));
        format!("the layer{}", digest.unwrap_or_default())
    }

    /// Decodes it into a temporary file in `folder`, if it has the digests that name it; `read` is told of the
    /// bytes that have been read.
    ///
    /// # Errors
    ///
    /// A layer that cannot be decoded, or has another digest; errors of the file system.
    pub(crate) fn decoded(&self, folder: &Path, read: fn(u64)) -> Result<NamedTempFile, BuildError> {
        let fail = |error| BuildError::io(self.name())(error);
        let mut hasher = Hasher::default();
        let mut file = private_in(folder).map_err(fail)?;
        let input = Hashed { input: self.content.open().map_err(fail)?, hasher: &mut hasher, read };
        let decoded = {
            let mut out = HashingWriter::new(io::BufWriter::with_capacity(1 << 20, file.as_file_mut()));
            match oci::decode(Box::new(input), &Limits::FORMAT, &mut out) {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(BuildError::Refused(format!("{}: {error}", self.name())));
                }
                result => result.and_then(|()| out.flush()).map_err(fail)?,
            }
            out.hasher.finish()
        };
        let stored = hasher.finish();
        for (wanted, seen) in [(self.digest, stored), (self.diff_id, decoded)] {
            if let Some(wanted) = wanted.filter(|wanted| *wanted != seen) {
                return Err(BuildError::Refused(if Some(wanted) == self.digest {
                    format!("{} is damaged: its digest is {seen}", self.name())
                } else {
                    format!("{} is not the one of the config, {wanted}: its digest is {seen}", self.name())
                }));
            }
        }
        Ok(file)
    }
}

/// What is stored of a layer, hashed as it is read.
struct Hashed<'a> {
    input: Box<dyn Read + Send>,
    hasher: &'a mut Hasher,
    read: fn(u64),
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        (self.read)(read as u64);
        Ok(read)
    }
}
