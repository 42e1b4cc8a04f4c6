//! How things are written in JSON.

use std::ffi::CStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::errno;

/// A string as it is; bytes that are no text as `{"hex":"…"}`, so that no two values look alike.
pub(crate) fn text(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({"hex": cornercast::digest::hex(bytes)}),
    }
}

/// A path, as [`text`] has it.
pub(crate) fn path(path: &Path) -> Value {
    text(path.as_os_str().as_bytes())
}

/// A string of C, as [`text`] has it.
pub(crate) fn c_text(text: &CStr) -> Value {
    self::text(text.to_bytes())
}

/// The lines of a file, without their ends.
pub(crate) fn lines(bytes: &[u8]) -> Value {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(text).collect()
}

/// The value, or `{"error":"…"}` with the symbol of the error.
pub(crate) fn or_error(seen: io::Result<Value>) -> Value {
    seen.unwrap_or_else(|error| json!({"error": errno::symbol(&error)}))
}
