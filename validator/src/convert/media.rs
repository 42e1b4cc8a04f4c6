//! Media types and annotations that an export writes and an import looks for (OCI-121 to OCI-126).

/// An index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// A manifest, of an image or of an artifact.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The config of an image.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The config of an artifact, which says nothing.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// The content of that config.
pub const EMPTY_CONTENT: &[u8] = b"{}";

/// The artifact that holds the manifest of the image.
pub const ARTIFACT: &str = "application/vnd.cornercast.image.v1";
/// That manifest, the first layer of the artifact.
pub const IMAGE_MANIFEST: &str = "application/vnd.cornercast.manifest.v1+json";
/// The listing of a layer.
pub const LISTING: &str = "application/vnd.cornercast.listing.v1+jsonl";
/// Another file of a store, whose path the annotation [`PATH`] gives: an envelope, a log proof, an index of them.
pub const STORE_FILE: &str = "application/vnd.cornercast.store-file.v1";

/// The name of the image.
pub const NAME: &str = "cornercast.name";
/// The version of the image.
pub const VERSION: &str = "cornercast.version";
/// The image id.
pub const IMAGE: &str = "cornercast.image";
/// What engines of OCI do not learn, as JSON Pointers into the manifest, separated by spaces.
pub const LOST: &str = "cornercast.lost";
/// Of an imported image, the digest of what it was imported from.
pub const ORIGIN: &str = "cornercast.origin";
/// The path of a file in a store.
pub const PATH: &str = "cornercast.path";

/// What an image is called in a layout.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The name and version by which Docker and containerd know it.
pub const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// When it was made.
pub const CREATED: &str = "org.opencontainers.image.created";
/// Which version it is of what it holds.
pub const OCI_VERSION: &str = "org.opencontainers.image.version";

/// How the layers of an export are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum LayerForm {
    /// As they are
    Plain,
    /// Compressed by gzip
    Gzip,
    /// Compressed by Zstandard
    Zstd,
}

impl LayerForm {
    /// The media type of such a layer.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Plain => "application/vnd.oci.image.layer.v1.tar",
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }
}
