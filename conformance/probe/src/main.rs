//! The program that runs inside the suite's images: it says what it sees as one JSON document on
//! standard output, and changes nothing (see [`look`]).
//!
//! It has to be a static program, since an image holds nothing else:
//!
//! ```text
//! cargo rustc -p cornercast-probe --release -- -C target-feature=+crt-static
//! ```
//!
//! What it reports has to be what the engine gave it, so nothing may run before it that ignores
//! signals or opens descriptors, as the start of a Rust program does: the entry is C's (see [`sys`]).

#![cfg_attr(not(test), no_main)]
// The tests have an entry of their own, from which nothing here is reached.
#![cfg_attr(test, allow(dead_code))]
#![deny(unsafe_code)]

mod content;
mod entry;
mod errno;
mod filesystem;
mod look;
mod output;
mod signal;
mod sys;
mod tree;
mod value;

/// Does what the name asks for; the exit code.
fn run() -> u8 {
    let document = format!("{}\n", look::document());
    match output::standard(document.as_bytes()) {
        Ok(()) => 0,
        Err(error) => complain(&format!("what was seen cannot be printed: {error}"), 1),
    }
}

/// Says what is wrong on standard error; `code` comes back.
fn complain(message: &str, code: u8) -> u8 {
    // Where that cannot be said either, the code has to do.
    let _ = output::error(format!("cornercast-probe: {message}\n").as_bytes());
    code
}
