//! Tar archives in the one form that layers and archives have: a reader that takes bytes as they
//! come and reports every violation with its offset, and a writer.
//!
//! The reader knows headers, PAX headers, padding and the end. What an entry may be called, and how
//! entries follow each other, is the matter of [`crate::layer`].

mod entry;
mod header;
mod pax;
mod reader;
mod writer;

pub use entry::{Entry, Part};
pub use header::{BLOCK, Header};
pub use pax::{Record, needs_record};
pub use reader::{Profile, Reader, Sink};
pub use writer::{END, EntryHeader, header_bytes, padding};
