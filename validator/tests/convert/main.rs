//! `cornercast convert`: the command, its laws on random images, hostile layouts, and what real tools do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod command;
mod differences;
mod hostile;
mod laws;
mod layout;
#[path = "../author/workplace.rs"]
#[allow(dead_code)] // Some of it is for the tests of other commands.
mod workplace;
