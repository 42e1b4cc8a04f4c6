//! Resolving a path inside a merged tree (MAN: what runs).

use super::entry::{Attributes, Node};
use super::merge::{Tree, TreeEntry};
use crate::limits::Limits;
use crate::shown::shown;

/// What a path resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved<'a> {
    /// The root.
    Root,
    /// An entry that is no symbolic link.
    Entry {
        /// Its path.
        path: String,
        /// The entry.
        entry: TreeEntry<'a>,
    },
    /// Nothing, for this reason.
    Nothing(String),
}

/// A step of resolving a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A directory was searched.
    Searched(Attributes),
    /// A symbolic link was followed.
    Followed(String),
}

impl Tree {
    /// Resolves an absolute path inside the tree, as the manifest chapter says, and tells the steps.
    #[must_use]
    pub fn resolve(&self, absolute: &str, limits: &Limits) -> (Resolved<'_>, Vec<Step>) {
        let mut steps = vec![Step::Searched(Attributes { mode: 0o755, ..Attributes::default() })];
        let mut todo: Vec<String> = reversed(absolute);
        let mut at: Vec<String> = Vec::new();
        let mut followed = 0;
        while let Some(component) = todo.pop() {
            if component.is_empty() || component == "." {
                continue;
            }
            if component == ".." {
                at.pop();
                continue;
            }
            at.push(component);
            let here = at.join("/");
            let Some(entry) = self.get(&here) else {
                return (Resolved::Nothing(format!("`/{}` does not exist", shown(&here))), steps);
            };
            match &entry.node {
                Node::Symlink { target, .. } => {
                    followed += 1;
                    if followed > limits.links_followed {
                        let reason = format!("more than {} symbolic links are passed", limits.links_followed);
                        return (Resolved::Nothing(reason), steps);
                    }
                    steps.push(Step::Followed(here));
                    at.pop();
                    if target.starts_with('/') {
                        at.clear();
                    }
                    todo.extend(reversed(target));
                }
                Node::Dir { attributes, .. } => {
                    if todo.iter().any(|component| !component.is_empty() && component != ".") {
                        steps.push(Step::Searched(attributes.clone()));
                    }
                }
                other => {
                    if todo.iter().any(|component| !component.is_empty() && component != ".") {
                        let reason = format!("`/{}` is {}, not a directory", shown(&here), other.type_name());
                        return (Resolved::Nothing(reason), steps);
                    }
                }
            }
        }
        let path = at.join("/");
        match self.get(&path) {
            Some(entry) => (Resolved::Entry { path, entry }, steps),
            None => (Resolved::Root, steps),
        }
    }
}

fn reversed(path: &str) -> Vec<String> {
    path.split('/').rev().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Entry;

    fn entry(path: &str, node: Node) -> Entry {
        Entry { path: path.to_owned(), node }
    }

    fn dir(path: &str) -> Entry {
        entry(path, Node::Dir { attributes: Attributes::default(), opaque: false })
    }

    fn symlink(path: &str, target: &str) -> Entry {
        entry(path, Node::Symlink { uid: 0, gid: 0, mtime: 0, target: target.to_owned() })
    }

    /// A directory is searched if something below it is looked for, which empty components and `.` are not.
    #[test]
    fn directories_that_are_searched() {
        let mut tree = Tree::default();
        tree.merge(vec![dir("d"), dir("d/e"), symlink("l", "d/./"), symlink("m", "d/./e")]);
        let searched = |path: &str| {
            let (resolved, steps) = tree.resolve(path, &Limits::FORMAT);
            let Resolved::Entry { path, .. } = resolved else { panic!("{resolved:?}") };
            (path, steps.iter().filter(|step| matches!(step, Step::Searched(_))).count())
        };
        assert_eq!(searched("/d"), ("d".to_owned(), 1));
        assert_eq!(searched("/l"), ("d".to_owned(), 1));
        assert_eq!(searched("/m"), ("d/e".to_owned(), 2));
    }
}
