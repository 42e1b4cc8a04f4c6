//! Documents about trust and their schemas, and what becomes of a verdict when bytes change.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod mutations;
mod schemas;
