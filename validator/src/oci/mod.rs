//! OCI images.
//!
//! `layout` follows the descriptors of an image layout; `document` reads one of its documents by a `table`, and
//! `manifest`, `config` and `descriptor` say what is wrong with what stands in it. `blobs` knows the blobs, and `reading` reads them: `stored`
//! hashes and decodes one with `gzip` and `frames`, `tar` reads its entries with `header`, `extensions` and `records`, and `layer`
//! says what they do; `keep` gives them to who wants them as well. `image` holds a config against the layers and the `tree` that they merge to, `process` what it
//! runs. `docker` is what `docker save` writes, `archive` that or a layout in one file. `bundle` is what a runtime runs.

mod archive;
mod blobs;
mod bundle;
mod config;
mod descriptor;
mod digest;
mod docker;
mod document;
mod entry;
mod extensions;
mod frames;
mod gzip;
mod header;
mod image;
mod keep;
mod layer;
mod layout;
mod manifest;
mod path;
mod process;
mod reading;
mod records;
mod stored;
mod table;
mod tar;
mod time;
mod tree;
mod violations;

pub use archive::{ImageArchive, ReadAt, check_archive, check_saved_archive, is_compressed, recognise};
pub use bundle::check_bundle;
pub use docker::check_saved;
pub use keep::{Keep, KeepLayer, Pass};
pub use layer::check_layer;
pub use layout::check_layout;
pub(crate) use stored::{decode, is_layer};
