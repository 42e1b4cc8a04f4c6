//! Stores and archives (STO): the layout, and checks of a whole store or archive.

mod archive;
mod blob;
mod directory;
mod image;
pub mod lanes;
mod layout;
mod order;
mod signatures;
mod walks;
mod writer;

pub use archive::{ArchiveChecker, check_archive};
pub(crate) use blob::Stored;
pub use directory::{Files, Listed, check_store};
pub use layout::{FileKind, SignatureSet, classify, path_of};
pub use signatures::{Index, Indexed, Marker, check_index, check_marker};
pub use writer::{ArchiveWriter, MARKER};
