//! What `audit` says of images, and where the symbolic links of a tree lead.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod links;
mod pages;
mod signatures;
mod site;
