//! Writing the lines of a listing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::entry::{Attributes, Node};
use crate::digest::Digest;
use crate::json::write_string;

/// Writes the line of an entry, with its newline.
pub fn write_line(out: &mut Vec<u8>, path: &str, node: &Node) {
    let mut line = Line { out, first: true };
    match node {
        Node::File { attributes, size, sha256 } => {
            return write_file_line(line.out, path, attributes, *size, *sha256, None);
        }
        Node::Hardlink { attributes, size, sha256, target } => {
            return write_file_line(line.out, path, attributes, *size, *sha256, Some(target));
        }
        Node::Dir { attributes, opaque } => {
            line.head(attributes);
            if *opaque {
                line.name(r#""opaque""#);
                line.out.extend_from_slice(b"true");
            }
            line.string(r#""path""#, path);
            line.tail("dir", attributes);
        }
        Node::Symlink { uid, gid, mtime, target } => {
            line.number(r#""gid""#, u64::from(*gid));
            line.number(r#""mtime""#, *mtime);
            line.string(r#""path""#, path);
            line.string(r#""target""#, target);
            line.string(r#""type""#, "symlink");
            line.number(r#""uid""#, u64::from(*uid));
        }
        Node::Whiteout => {
            line.string(r#""path""#, path);
            line.string(r#""type""#, "whiteout");
        }
    }
    out.extend_from_slice(b"}\n");
}

/// Writes the line of a file, or of a hard link to `target`, with its newline.
pub(super) fn write_file_line(
    out: &mut Vec<u8>,
    path: &str,
    attributes: &Attributes,
    size: u64,
    sha256: Digest,
    target: Option<&str>,
) {
    let mut line = Line { out, first: true };
    line.head(attributes);
    line.string(r#""path""#, path);
    line.name(r#""sha256""#);
    line.out.push(b'"');
    sha256.write_hex(line.out);
    line.out.push(b'"');
    line.number(r#""size""#, size);
    if let Some(target) = target {
        line.string(r#""target""#, target);
    }
    line.tail(if target.is_some() { "hardlink" } else { "file" }, attributes);
    line.out.extend_from_slice(b"}\n");
}

/// A line that is being written; its members come in canonical order.
struct Line<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Line<'_> {
    /// Begins a member; `quoted` is its name in quotes, which needs no escapes.
    fn name(&mut self, quoted: &str) {
        self.out.push(if self.first { b'{' } else { b',' });
        self.first = false;
        self.out.extend_from_slice(quoted.as_bytes());
        self.out.push(b':');
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        let start = self.out.len();
        self.out.resize(start + value.checked_ilog10().unwrap_or_default() as usize + 1, b'0');
        let mut rest = value;
        for digit in self.out.iter_mut().skip(start).rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
    }

    fn string(&mut self, name: &str, value: &str) {
        self.name(name);
        write_string(self.out, value);
    }

    fn head(&mut self, attributes: &Attributes) {
        self.number(r#""gid""#, u64::from(attributes.gid));
        self.number(r#""mode""#, u64::from(attributes.mode));
        self.number(r#""mtime""#, attributes.mtime);
    }

    fn tail(&mut self, kind: &str, attributes: &Attributes) {
        self.string(r#""type""#, kind);
        self.number(r#""uid""#, u64::from(attributes.uid));
        if attributes.xattrs.is_empty() {
            return;
        }
        self.name(r#""xattrs""#);
        let mut inner = Line { out: self.out, first: true };
        for (name, value) in &attributes.xattrs {
            let mut quoted = Vec::new();
            write_string(&mut quoted, name);
            inner.string(&String::from_utf8_lossy(&quoted), &STANDARD.encode(value));
        }
        self.out.push(b'}');
    }
}
