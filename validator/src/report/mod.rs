//! Findings as text: one module a format.

mod concise;
mod human;
mod json;

pub use concise::concise;
pub use human::{human, summary};
pub use json::json;
