//! The reference engine: takes an image and instance options, and runs one application.
//!
//! What it does is what the chapter Runtime of the specification says of engines; the clauses stand in comments where
//! they are met. What makes the container is a [`backend::Backend`].
//!
//! | module | does |
//! | --- | --- |
//! | [`engine`], `stopped` | one run, from the image to the report |
//! | [`options`], [`report`] | the documents that go in and come out |
//! | `image`, `tree`, `volume`, `view`, `elf` | the root tree, and what is judged of it |
//! | `isolation` | what is asked of isolation, and what becomes of it |
//! | [`cli`] | the command |
//! | `config` | the bundle that the backend gets |
//! | `before`, `sys` | system calls that have no safe interface |
//! | `application`, `streams` | waiting for the application, and its output |
//! | [`instance`], [`removal`], [`cgroup`] | what has to be removed, also after a killed engine |

#![deny(unsafe_code)]

mod application;
pub mod backend;
mod before;
pub mod cgroup;
pub mod cli;
mod config;
mod elf;
pub mod engine;
mod ids;
mod image;
pub mod instance;
mod isolation;
pub mod options;
pub mod policy;
pub mod refusal;
pub mod removal;
pub mod report;
pub mod signal;
mod stack;
mod stopped;
mod streams;
mod sys;
pub mod tree;
mod view;
mod volume;

use std::process::ExitCode;

pub use config::RUN_DIRECTORY;

/// Does what a backend executed this program again for, if it did. To be called first in `main`, whose exit code
/// the result then is:
///
/// ```no_run
/// # use std::process::ExitCode;
/// fn main() -> ExitCode {
///     if let Some(code) = cornercast_engine::helper() {
///         return code;
///     }
///     // ...
/// #   ExitCode::SUCCESS
/// }
/// ```
#[must_use]
pub fn helper() -> Option<ExitCode> {
    #[cfg(feature = "embedded")]
    return backend::embedded::helper();
    #[cfg(not(feature = "embedded"))]
    None
}
