//! Making images: trees from directories and tar archives of any dialect, layers, manifests, and the
//! store or archive that holds them.

mod dialect;
mod directory;
mod image;
mod names;
mod output;
mod placing;
mod split;
mod temporary;
mod tree;

pub(crate) use dialect::{Foreign, ForeignKind, Reader as ForeignReader};
pub use directory::{Ownership, read_directory};
pub(crate) use image::list_layer;
pub use image::{BaseLayers, Built, BuiltLayer, ManifestInput, build_layer, build_manifest};
pub(crate) use names::name as entry_path;
pub use output::{Opener, OutputFiles, PathFiles, add_files, write_archive, write_folder, write_store, write_tar};
pub use placing::read_tar;
pub use split::SplitArchive;
pub use temporary::{
    PREFIX, PrivateFolder, finish, make_folder, private_in, remove_all, temporary_in, unwritable, wait_if_ending,
};
pub use tree::{BuildError, Content, Note, SourceNode, SourceTree};
