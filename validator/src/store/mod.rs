//! Stores and archives (STO): the layout, and checks of a whole store or archive.

mod archive;
mod blob;
mod directory;
mod extent;
mod files;
#[cfg(target_os = "linux")]
mod folder;
mod image;
pub mod lanes;
mod layout;
mod order;
mod signatures;
mod trusted;
mod walks;
mod writer;

pub use archive::{ArchiveChecker, check_archive, check_archive_to};
pub(crate) use blob::Stored;
pub use directory::{check_store, check_store_to};
pub use extent::Extent;
pub use files::{Files, Listed, Standing};
#[cfg(target_os = "linux")]
pub use folder::{Folder, open_regular};
pub use layout::{FileKind, SignatureSet, classify, path_of};
pub use signatures::{Index, Indexed, Marker, check_index, check_marker};
pub use writer::{ArchiveWriter, MARKER};
