//! Paths in layers of others.

/// A path without empty components, `.` and `..`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Clean {
    pub(super) path: Vec<u8>,
    /// It began with `/` or had a `..`.
    pub(super) is_odd: bool,
}

/// The clean path of `path`; `None` if it leads above the root.
pub(super) fn clean(path: &[u8]) -> Option<Clean> {
    let mut out: Vec<&[u8]> = Vec::new();
    let mut is_odd = path.starts_with(b"/");
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                is_odd = true;
                out.pop()?;
            }
            other => out.push(other),
        }
    }
    Some(Clean { path: out.join(&b'/'), is_odd })
}

/// The path of the parent, if there is one: the root has none.
pub(super) fn parent(path: &[u8]) -> Option<&[u8]> {
    if path.is_empty() {
        return None;
    }
    Some(path.iter().rposition(|byte| *byte == b'/').and_then(|slash| path.get(..slash)).unwrap_or_default())
}

/// The last component.
pub(super) fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// `directory` and `name`.
pub(super) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() }
}

/// Whether the target of a link at `path` is absolute or leads above the root.
pub(super) fn leads_out(path: &[u8], target: &[u8]) -> bool {
    target.starts_with(b"/") || clean(&join(parent(path).unwrap_or_default(), target)).is_none()
}

/// The order in which everything below a directory follows it at once.
pub(super) fn depth_first(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    let rank = |byte: &u8| if *byte == b'/' { 0 } else { u16::from(*byte) + 1 };
    a.iter().map(rank).cmp(b.iter().map(rank))
}

/// Whether `path` is below `directory`.
pub(super) fn is_below(path: &[u8], directory: &[u8]) -> bool {
    directory.is_empty() && !path.is_empty() || path.strip_prefix(directory).is_some_and(|rest| rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Paths of few bytes, among them those around `/`.
    fn paths() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let byte = prop::sample::select(b"\0\x01.0a\xFF".to_vec());
        let path = prop::collection::vec(prop::collection::vec(byte, 1..3), 1..4);
        prop::collection::vec(path.prop_map(|components| components.join(&b'/')), 0..20)
    }

    proptest! {
        #[test]
        fn everything_below_a_directory_follows_it_at_once(mut paths in paths()) {
            paths.sort_by(|a, b| depth_first(a, b));
            paths.dedup();
            for (at, directory) in paths.iter().enumerate() {
                let after = paths.iter().skip(at + 1);
                let at_once = after.take_while(|path| is_below(path, directory)).count();
                prop_assert_eq!(at_once, paths.iter().filter(|path| is_below(path, directory)).count());
            }
        }
    }

    #[test]
    fn below_is_not_beside() {
        for (path, directory) in [("a/b", "a"), ("a/b/c", "a"), ("a", ""), ("a/b", "")] {
            assert!(is_below(path.as_bytes(), directory.as_bytes()), "{path} {directory}");
        }
        for (path, directory) in [("a", "a"), ("ab", "a"), ("a", "a/b"), ("", ""), ("", "a"), ("b/a", "a")] {
            assert!(!is_below(path.as_bytes(), directory.as_bytes()), "{path} {directory}");
        }
    }
}
