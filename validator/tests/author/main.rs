//! The commands for authors of images: what they print and write, and their exit status.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod diff;
mod guide;
mod init;
mod inspect;
mod manual;
mod signals;
mod workplace;
