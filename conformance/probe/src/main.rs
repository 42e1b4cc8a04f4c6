//! The program that runs inside the suite's images: it says what it sees, or does what it is told.
//!
//! The last component of its name says which. As `act` it does the steps that its arguments name,
//! and says what came of each (see [`act`]); as `shim` it does steps and then executes another program (see [`shim`]). By any other name it prints what it sees as one JSON
//! document on standard output, and changes nothing (see [`look`]).
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

mod act;
mod content;
mod entry;
mod errno;
mod filesystem;
mod look;
mod output;
mod shim;
mod signal;
mod sys;
mod tree;
mod value;

use std::ffi::OsStr;
use std::path::Path;

/// The name by which the program acts.
const ACT: &str = "act";

/// The name by which it stands before another program.
const SHIM: &str = "shim";

/// Does what the name asks for; the exit code.
fn run() -> u8 {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let name = Path::new(&name).file_name().unwrap_or_default();
    if name == OsStr::new(ACT) {
        return act::run(&arguments.collect::<Vec<_>>());
    }
    if name == OsStr::new(SHIM) {
        return shim::run(&arguments.collect::<Vec<_>>());
    }
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
