//! What always has to hold of the readers, whatever the bytes.
//!
//! Nothing here needs libFuzzer: the fuzz targets call [`laws`], and so does the test `robustness` of the
//! validator, which includes these files.

pub mod laws;
pub mod mend;
pub mod seeds;
