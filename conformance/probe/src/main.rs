//! The program that runs inside the suite's images: it says what it sees as one JSON document on
//! standard output, and changes nothing.
//!
//! It has to be a static program, since an image holds nothing else:
//!
//! ```text
//! cargo rustc -p cornercast-probe --release -- -C target-feature=+crt-static
//! ```

#![forbid(unsafe_code)]

mod tree;

use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;

use rustix::process;
use serde_json::{Value, json};

/// The form of the document; another number means another form.
const FORM: u32 = 1;

fn main() -> ExitCode {
    match document().and_then(|document| writeln!(io::stdout(), "{document}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cornercast-probe: {error}");
            ExitCode::FAILURE
        }
    }
}

fn document() -> io::Result<Value> {
    let groups: Vec<u32> = process::getgroups()?.into_iter().map(rustix::process::Gid::as_raw).collect();
    let root = std::fs::symlink_metadata("/")?;
    let seen = tree::walk()?;
    Ok(json!({
        "probe": FORM,
        "arguments": std::env::args_os().map(|argument| text(argument.as_bytes())).collect::<Vec<_>>(),
        "environment": environment().iter().map(|variable| text(variable)).collect::<Vec<_>>(),
        "workingDirectory": text(&std::env::current_dir()?.into_os_string().into_vec()),
        "uid": process::getuid().as_raw(),
        "gid": process::getgid().as_raw(),
        "groups": groups,
        "umask": umask(),
        "root": {"mode": root.mode() & 0o7777, "uid": root.uid(), "gid": root.gid(), "mtime": root.mtime()},
        "rootfs": {
            "digest": seen.digest.to_string(),
            "listing": seen.lines,
            "passedOver": seen.passed_over,
            "problems": seen.problems,
        },
    }))
}

/// A string as it is; bytes that are no text as `{"hex":"…"}`, so that no two values look alike.
fn text(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({"hex": cornercast::digest::hex(bytes)}),
    }
}

/// The variables as the kernel got them, in order, malformed and repeated ones included; where
/// `/proc` cannot tell, as the library of the language sees them.
fn environment() -> Vec<Vec<u8>> {
    match std::fs::read("/proc/self/environ") {
        Ok(block) => block.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).map(<[u8]>::to_vec).collect(),
        Err(_) => std::env::vars_os().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat()).collect(),
    }
}

/// The umask, which can only be read by setting it.
fn umask() -> u32 {
    let mask = process::umask(rustix::fs::Mode::empty());
    process::umask(mask);
    mask.bits()
}
