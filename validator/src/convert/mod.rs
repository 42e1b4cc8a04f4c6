//! From the format to OCI and back (OCI-120 and following).
//!
//! `export` makes the documents of OCI that say what a manifest says, `losses` names what they cannot say, `compress`
//! stores layers, and `output` writes all that; `media` has the names that both directions share.
//!
//! The other way, `layout` finds an image in a layout or an archive of `docker save`, and `found` is what was found.
//! `config` is its configuration, of which `process` and `user` say in the terms of the format what it runs. `layer`
//! writes a layer anew, on the `rootfs` that the `layers` so far merge to; `draft` makes the manifest, and `import`
//! puts that together. `artifact` finds the original manifest, if the layout has it.

mod artifact;
pub mod compress;
pub(crate) mod config;
mod draft;
pub mod export;
pub(crate) mod found;
mod import;
mod layer;
mod layers;
pub(crate) mod layout;
pub mod losses;
pub mod media;
mod output;
pub(crate) mod process;
pub(crate) mod rootfs;
pub(crate) mod user;

pub use import::{ImportError, Imported, ImportedTree, Wish, import, import_tree, layer_paths};
pub use layers::KeptLayers;
pub use output::{ImageSource, layout_of_store, write_layout, write_saved};

/// Something that was lost or changed on the way from one format to the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The clause that says so.
    pub clause: &'static str,
    /// Where: in the manifest, in the config, or the path of a layer's entry.
    pub place: String,
    /// What, as a part of a sentence.
    pub what: String,
}

impl Change {
    pub(crate) fn new(clause: &'static str, place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { clause, place: place.into(), what: what.into() }
    }
}
