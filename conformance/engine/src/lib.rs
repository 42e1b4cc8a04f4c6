//! The reference engine: takes an image and instance options, and runs one application.

#![deny(unsafe_code)]

pub mod backend;
#[cfg(feature = "embedded")]
mod sys;

use std::process::ExitCode;

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
