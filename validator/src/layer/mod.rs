//! Layers and listings: the same entries in two forms, and what they merge to.

mod candidate;
mod check;
mod compare;
mod entry;
mod interpreter;
mod line;
mod listing;
mod merge;
mod path;
mod resolve;
mod walk;
mod write;

pub use compare::{Compared, Comparison, Divergence};
pub use entry::{Attributes, Entry, Node, Xattrs};
pub use interpreter::{Interpreter, Interpreters};
pub use line::write_line;
pub use listing::{Listing, ListingKind, read_listing};
pub use merge::{Summary, Tree, TreeEntry};
pub use path::{clean_absolute, contains_control, join};
pub use resolve::{Resolved, Step};
pub use walk::{Contents, Walk, Walker};
pub use write::LayerWriter;
