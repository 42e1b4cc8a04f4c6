//! The clauses about paths, which layers, listings and manifests share.

use std::cmp::Ordering;

use crate::clause::{self, Clause};
use crate::limits::Limits;
use crate::shown::quoted;

/// What stands before the name that a whiteout hides.
pub(super) const WHITEOUT: &str = ".wh.";
/// The name of an opaque marker.
pub(super) const OPAQUE: &str = ".wh..wh..opq";

/// Whether `text` holds a control character (U+0000 to U+001F, U+007F to U+009F).
#[must_use]
pub fn contains_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// `directory` and `name` with a `/` between them, or `name` alone in the root.
#[must_use]
pub fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

/// The depth-first order of paths: a directory, everything below it, then its next sibling; siblings by bytes.
pub(super) fn depth_first(a: &str, b: &str) -> Ordering {
    // A `/` ends a component, so it comes before every byte that a component can have.
    let rank = |byte: u8| if byte == b'/' { 0 } else { byte };
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let differing = a.iter().zip(b).find(|(a, b)| a != b);
    differing.map_or_else(|| a.len().cmp(&b.len()), |(a, b)| rank(*a).cmp(&rank(*b)))
}

/// The directory that the last component of `path` stands in, without its `/`, and that component.
pub(super) fn split_last(path: &str) -> (&str, &str) {
    // Components are short: looking at each byte is quicker than searching for a character.
    let slash = path.bytes().rposition(|byte| byte == b'/');
    slash.and_then(|slash| Some((path.get(..slash)?, path.get(slash + 1..)?))).unwrap_or(("", path))
}

/// Whether `path` lies below the directory `directory`.
pub(super) fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether `path` names the root: it is empty or consists of `.` and `/` only (LAY-041).
pub(super) fn is_root(path: &str) -> bool {
    matches!(path.as_bytes().first(), None | Some(b'.' | b'/'))
        && path.split('/').all(|component| component.is_empty() || component == ".")
}

/// Judges the path of an entry, which has no final `/` and does not name the root.
///
/// Says whether its place in the tree is clear, so that its order can be judged.
pub(super) fn judge(path: &str, limits: &Limits, mut report: impl FnMut(&'static Clause, String)) -> bool {
    if is_plain(path.as_bytes(), limits) {
        return true;
    }
    let mut clear = true;
    let mut rest = path;
    // LAY-038
    if let Some(relative) = path.strip_prefix('/') {
        report(&clause::LAY_038, format!("the path {} begins with `/`", quoted(path)));
        clear = false;
        rest = relative;
    }
    // LAY-037
    if contains_control(path) {
        report(&clause::LAY_037, format!("the path {} contains a control character", quoted(path)));
    }
    // LAY-039
    if let Some(dots) = rest.split('/').find(|component| matches!(*component, "." | "..")) {
        report(&clause::LAY_039, format!("the path {} has the component `{dots}`", quoted(path)));
        clear = false;
    }
    // LAY-040
    if rest.split('/').any(str::is_empty) {
        report(&clause::LAY_040, format!("the path {} has an empty component", quoted(path)));
        clear = false;
    }
    // LAY-064
    if let Some(marker) = rest.split('/').find(|component| component.starts_with(WHITEOUT)) {
        report(&clause::LAY_064, format!("the component {} begins with `.wh.`", quoted(marker)));
    }
    // LAY-043
    if path.len() > limits.path {
        report(&clause::LAY_043, format!("the path has {} bytes; the limit is {}", path.len(), limits.path));
    }
    // LAY-044
    let components = rest.split('/').count();
    if components > limits.path_components {
        let message = format!("the path has {components} components; the limit is {}", limits.path_components);
        report(&clause::LAY_044, message);
    }
    // LAY-045
    if let Some(long) = rest.split('/').find(|component| component.len() > limits.component) {
        let message =
            format!("the component {} has {} bytes; the limit is {}", quoted(long), long.len(), limits.component);
        report(&clause::LAY_045, message);
    }
    clear
}

/// Whether `path` keeps all clauses that [`judge`] knows, as far as one look at each byte can tell.
fn is_plain(path: &[u8], limits: &Limits) -> bool {
    let is_plain_component = |component: &[u8]| match component {
        [] | [b'.'] | [b'.', b'.'] => false,
        [b'.', rest @ ..] => !rest.starts_with(b"wh.") && component.len() <= limits.component,
        _ => component.len() <= limits.component,
    };
    let (mut start, mut components) = (0, 1);
    for (at, byte) in path.iter().enumerate() {
        match byte {
            b'/' => {
                if !path.get(start..at).is_some_and(is_plain_component) {
                    return false;
                }
                (start, components) = (at + 1, components + 1);
            }
            // The control characters beyond ASCII are the only ones whose first byte can be 0xC2.
            0..=0x1F | 0x7F | 0xC2 => return false,
            _ => {}
        }
    }
    path.get(start..).is_some_and(is_plain_component)
        && components <= limits.path_components
        && path.len() <= limits.path
}

/// Why `path` is not absolute and clean as the manifest chapter defines it; `None` if it is.
#[must_use]
pub fn clean_absolute(path: &str, limits: &Limits) -> Option<String> {
    if path == "/" {
        return None;
    }
    let Some(relative) = path.strip_prefix('/') else {
        return Some("it does not begin with `/`".to_owned());
    };
    if relative.ends_with('/') {
        return Some("it ends in `/`".to_owned());
    }
    if relative.split('/').any(str::is_empty) {
        return Some("it has an empty component".to_owned());
    }
    let mut reason = None;
    judge(relative, limits, |_, message| {
        reason.get_or_insert(message);
    });
    reason
}
