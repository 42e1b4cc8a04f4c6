//! One module a reader. Each has a function `hold`, which panics if the reader breaks a law on some bytes.

pub mod archive;
pub mod checkpoint;
pub mod envelope;
pub mod json;
pub mod layer;
pub mod listing;
pub mod manifest;
pub mod oci_archive;
pub mod oci_layer;
pub mod pieces;
pub mod place;
pub mod proof;
pub mod schemas;
pub mod store;
pub mod tar;
pub mod trusted;
pub mod zstd;

/// A law by the name of its fuzz target.
pub type Law = (&'static str, fn(&[u8]));

/// All laws.
pub const ALL: [Law; 14] = [
    ("json", json::hold),
    ("tar", tar::hold),
    ("layer", layer::hold),
    ("listing", listing::hold),
    ("manifest", manifest::hold),
    ("archive", archive::hold),
    ("zstd", zstd::hold),
    ("store", store::hold),
    ("oci_layer", oci_layer::hold),
    ("oci_archive", oci_archive::hold),
    ("envelope", envelope::hold),
    ("trusted", trusted::hold),
    ("proof", proof::hold),
    ("checkpoint", checkpoint::hold),
];
