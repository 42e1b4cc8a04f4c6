//! The clauses about paths, which layers, listings and manifests share.

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

/// Whether `path` names the root: it is empty or consists of `.` and `/` only (LAY-041).
pub(super) fn is_root(path: &str) -> bool {
    path.split('/').all(|component| component.is_empty() || component == ".")
}

/// Judges the path of an entry, which has no final `/` and does not name the root.
///
/// Says whether its place in the tree is clear, so that its order can be judged.
pub(super) fn judge(path: &str, limits: &Limits, mut report: impl FnMut(&'static Clause, String)) -> bool {
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
