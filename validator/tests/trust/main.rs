//! Keys, the tree of a log, and states in files, against vectors and laws of others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod changed;
mod commands;
mod compressed;
mod folder;
mod guide;
mod interop;
mod log;
mod place;
mod site;
mod tiles;
mod tree;
mod vectors;
