//! JSON as the specification narrows it: a reader that reports every violation with its place, and a
//! writer of the canonical form.

mod node;
mod reader;
mod string;
mod writer;

pub use node::{Member, Node, Value};
pub use reader::{Document, Form, read};
pub use writer::{to_canonical, write_node, write_string};
