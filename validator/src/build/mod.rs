//! Making images: trees from directories and tar archives of any dialect, layers, manifests, and the
//! store or archive that holds them.

mod dialect;
mod directory;
mod image;
mod output;
mod temporary;
mod tree;

pub use dialect::read_tar;
pub use directory::{Ownership, read_directory};
pub use image::{BaseLayers, Built, BuiltLayer, ManifestInput, build_layer, build_manifest};
pub use output::{OutputBlobs, write_archive, write_store};
pub use temporary::{
    PREFIX, PrivateFolder, finish, make_folder, private_in, remove_all, temporary_in, unwritable, wait_if_ending,
};
pub use tree::{BuildError, Content, Note, SourceNode, SourceTree};
