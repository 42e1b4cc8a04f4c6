//! The manifest (MAN) and the platform (NAM): types, and the clauses about a manifest by itself.

mod app;
mod check;
mod content;
mod document;
mod isolation;
pub(crate) mod patterns;
mod platform;
mod rootfs;
mod table;
pub(crate) mod time;
mod types;

pub(crate) use app::{is_reserved, is_signal};
pub use check::check;
pub(crate) use check::escape;
pub(crate) use check::is_annotation_name;
pub(crate) use check::judge_format_version;
pub(crate) use content::is_media_type;
pub use document::Outline;
pub use isolation::{IsolatorNameError, LEVELS, judge_isolator_name};
pub(crate) use platform::judge_platform;
pub use rootfs::{ExecFile, check_interpreter, check_rootfs, exec_file};
pub use types::*;
