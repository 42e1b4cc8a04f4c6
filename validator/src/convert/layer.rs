//! A layer of an OCI image written anew, in the one form that layers of this format have (OCI-135 to OCI-143).
//!
//! Entries are placed in their order, each where an engine would write it: on what the layers below merge to, from
//! which the layer's own whiteouts have taken what they hide.

use std::collections::{BTreeMap, BTreeSet};

use super::Change;
use super::rootfs::Rootfs;
use crate::build::{
    BuildError, Foreign, ForeignKind, ForeignReader, Ownership, SourceNode, SourceTree, entry_path as child,
};
use crate::layer::{Attributes, Entry, Node, Tree, join};
use crate::limits::Limits;
use crate::shown::{quoted, shown_bytes};

/// Reads a layer, which messages call `name` and which is applied to `below`.
///
/// # Errors
///
/// An archive that is damaged, or holds something that a layer cannot hold; errors of the file system.
pub(crate) fn rebuild(
    mut reader: ForeignReader<'_>,
    name: &str,
    below: &Rootfs,
) -> Result<(SourceTree, Vec<Change>), BuildError> {
    let mut placing = Placing {
        name,
        below,
        lower: below.tree.clone(),
        into: SourceTree::new(None),
        explicit: BTreeMap::new(),
        markers: Vec::new(),
        special: BTreeSet::new(),
        deferred: Vec::new(),
        changes: Vec::new(),
        fractions: Tally::default(),
        names: Tally::default(),
        files: 0,
    };
    let mut entries = Vec::new();
    while let Some(entry) = reader.next()? {
        if let Some(path) = placing.sort_out(&entry)? {
            placing.explicit.insert(path.clone(), entry.kind == ForeignKind::Directory);
            entries.push((path, entry));
        }
    }
    placing.hide()?;
    for (path, entry) in &entries {
        placing.place(path, entry)?;
    }
    placing.link_deferred()?;
    placing.mark()?;
    Ok(placing.finish())
}

/// A whiteout, in a directory.
struct Marker {
    directory: String,
    /// The name that it hides; everything in the directory, if it is none.
    hidden: Option<String>,
}

/// Entries that have something in common, told in one line.
#[derive(Default)]
struct Tally {
    count: u64,
    first: String,
}

impl Tally {
    fn count(&mut self, path: &str) {
        if self.count == 0 {
            path.clone_into(&mut self.first);
        }
        self.count += 1;
    }
}

struct Placing<'a> {
    name: &'a str,
    below: &'a Rootfs,
    /// What is left of the layers below.
    lower: Tree,
    into: SourceTree,
    /// The paths of the layer's own entries, and whether a directory stands there.
    explicit: BTreeMap<String, bool>,
    markers: Vec<Marker>,
    /// Where the layer has devices and FIFOs, which are left out.
    special: BTreeSet<String>,
    /// Hard links, each with its target, which stands later in the archive or nowhere.
    deferred: Vec<(String, String)>,
    changes: Vec<Change>,
    fractions: Tally,
    names: Tally,
    files: u64,
}

impl Placing<'_> {
    fn refuse<T>(&self, why: &str) -> Result<T, BuildError> {
        Err(BuildError::Refused(format!("{}: {why}", self.name)))
    }

    fn change(&mut self, clause: &'static str, path: &str, what: impl Into<String>) {
        self.changes.push(Change::new(clause, path, what));
    }

    /// Notes that the tree has taken, as changes of this clause.
    fn notes(&mut self, clause: &'static str) {
        for note in self.into.take_notes() {
            self.changes.push(Change::new(clause, note.path, note.what));
        }
    }

    /// The clean path of an entry that is placed; markers are kept for later, and the root and what means nothing
    /// are left out (OCI-139, OCI-140).
    fn sort_out(&mut self, entry: &Foreign) -> Result<Option<String>, BuildError> {
        if let ForeignKind::Unknown(_) = entry.kind {
            self.change("OCI-140", &shown_bytes(&entry.path), "an entry of an unknown type is left out");
            return Ok(None);
        }
        let components = self.components(&entry.path)?;
        let shown = shown_bytes(&components.join(&b'/'));
        let Some((last, parents)) = components.split_last() else {
            if entry.mode != 0o755 || (entry.uid, entry.gid) != (0, 0) || !entry.xattrs.is_empty() {
                let what = format!(
                    "the attributes of the root, such as the mode 0{:o} and the owner {}:{}, are left out",
                    entry.mode, entry.uid, entry.gid
                );
                self.change("OCI-140", "/", what);
            }
            return Ok(None);
        };
        if parents.iter().any(|component| component.starts_with(b".wh.")) {
            self.change("OCI-139", &shown, "it is left out: a directory in its path is called like a whiteout");
            return Ok(None);
        }
        let mut directory = String::new();
        for component in parents {
            directory = self.child(&directory, component)?;
        }
        let Some(hidden) = last.strip_prefix(b".wh.") else { return self.child(&directory, last).map(Some) };
        let hidden = match hidden {
            b".wh..opq" => None,
            b"" | b"." | b".." => return self.refuse(&format!("the whiteout {} hides no name", quoted(&shown))),
            name if name.starts_with(b".wh.") => {
                self.change("OCI-139", &shown, "it is left out: it is no whiteout, and called like one");
                return Ok(None);
            }
            name => Some(String::from_utf8_lossy(name).into_owned()).filter(|_| self.child(&directory, name).is_ok()),
        };
        if hidden.is_none() && last != b".wh..wh..opq" {
            self.change("OCI-139", &shown, "it is left out: it hides a name that no layer can have");
            return Ok(None);
        }
        self.markers.push(Marker { directory, hidden });
        Ok(None)
    }

    /// A path without empty components and `.`, after each `..` has removed the one before it.
    fn components<'p>(&self, path: &'p [u8]) -> Result<Vec<&'p [u8]>, BuildError> {
        let mut out: Vec<&[u8]> = Vec::new();
        for component in path.split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." if out.pop().is_none() => {
                    return self.refuse(&format!("the path \"{}\" leads above the root", shown_bytes(path)));
                }
                b".." => {}
                other => out.push(other),
            }
        }
        Ok(out)
    }

    /// OCI-142
    fn child(&self, directory: &str, name: &[u8]) -> Result<String, BuildError> {
        child(directory, name, true).map_err(|error| BuildError::Refused(format!("{}: {error}", self.name)))
    }

    /// Takes what the markers hide from the layers below, so that no entry is placed on it.
    fn hide(&mut self) -> Result<(), BuildError> {
        let mut whiteouts = Vec::new();
        for Marker { directory, hidden } in std::mem::take(&mut self.markers) {
            let Ok(real) = self.directory(&directory) else {
                let what = "a whiteout in it is left out: the symbolic links on the way lead nowhere";
                self.change("OCI-139", &directory, what);
                continue;
            };
            if real != directory {
                let what = format!("a whiteout in it goes to {}, where the symbolic link leads", quoted(&real));
                self.change("OCI-137", &directory, what);
            }
            match &hidden {
                Some(name) => whiteouts.push(join(&real, name)),
                None => whiteouts.extend(children(&self.below.tree, &real)),
            }
            self.markers.push(Marker { directory: real, hidden });
        }
        if !whiteouts.is_empty() {
            let entries = whiteouts.into_iter().map(|path| Entry { path, node: Node::Whiteout });
            self.lower.merge(entries.collect::<Vec<_>>());
        }
        Ok(())
    }

    /// The directory that a path leads to, links followed inside the root (OCI-137). What the layer has an entry for
    /// is the layer's, wherever that entry stands.
    fn directory(&self, path: &str) -> Result<String, BuildError> {
        let mut todo: Vec<&str> = path.split('/').rev().collect();
        let mut at: Vec<&str> = Vec::new();
        let mut followed = 0;
        while let Some(component) = todo.pop() {
            match component {
                "" | "." => continue,
                ".." => {
                    at.pop();
                    continue;
                }
                name => at.push(name),
            }
            let here = at.join("/");
            let own = self.into.get(&here);
            let target = match own {
                Some(SourceNode::Symlink { target, .. }) => Some(target.as_str()),
                Some(_) => None,
                None if self.explicit.contains_key(&here) => None,
                None => match self.lower.get(&here).map(|entry| entry.node) {
                    Some(Node::Symlink { target, .. }) => Some(target.as_str()),
                    _ => None,
                },
            };
            if let Some(target) = target {
                followed += 1;
                if followed > Limits::FORMAT.links_followed {
                    let most = Limits::FORMAT.links_followed;
                    return self.refuse(&format!("more than {most} symbolic links lead to {}", quoted(path)));
                }
                at.pop();
                if target.starts_with('/') {
                    at.clear();
                }
                todo.extend(target.split('/').rev());
            }
        }
        Ok(at.join("/"))
    }

    /// Adds the directories that lead to what stands in `directory`, as the layers below have them, else 0755 and
    /// 0:0 (OCI-136).
    fn add_parents(&mut self, directory: &str) -> Result<(), BuildError> {
        let ends = directory.match_indices('/').map(|(end, _)| end).chain([directory.len()]);
        for end in ends.filter(|end| *end > 0) {
            let parent = directory.get(..end).unwrap_or_default();
            match self.into.get(parent) {
                Some(SourceNode::Dir { .. }) => continue,
                Some(_) => return self.refuse(&format!("something stands below {}, no directory", quoted(parent))),
                None => {}
            }
            let lower = self.lower.get(parent).map(|entry| entry.node);
            let attributes = match lower {
                Some(Node::Dir { attributes, .. }) => attributes.clone(),
                _ => {
                    if self.explicit.get(parent) != Some(&true) {
                        let what = "no layer describes the directory; the mode 0755 and the owner 0:0 are used";
                        self.change("OCI-136", parent, what);
                    }
                    Attributes { mode: 0o755, ..Attributes::default() }
                }
            };
            self.into.insert(parent.to_owned(), SourceNode::Dir { attributes, opaque: false });
        }
        Ok(())
    }

    /// Where a path leads once the links in its directory are followed.
    fn real(&self, path: &str) -> Result<String, BuildError> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok(join(&self.directory(directory)?, name))
    }

    fn place(&mut self, given: &str, entry: &Foreign) -> Result<(), BuildError> {
        let path = self.real(given)?;
        if path != given {
            let what = format!("it goes to {}, where the symbolic link in its path leads", quoted(&path));
            self.change("OCI-137", given, what);
            // A target of a link can make a path too long.
            let mut again = String::new();
            for component in path.split('/') {
                again = self.child(&again, component.as_bytes())?;
            }
        }
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
        let node = match entry.kind {
            ForeignKind::Special(what) => return self.leave_out(path, &format!("{what} is left out")),
            ForeignKind::Unknown(_) => return Ok(()),
            ForeignKind::Hardlink => match self.linked(&path, entry)? {
                Some(node) => node,
                None => return Ok(()),
            },
            _ => {
                if entry.kind == ForeignKind::Symlink && !entry.xattrs.is_empty() {
                    self.change("OCI-141", &path, "the extended attributes of the symbolic link are left out");
                }
                self.files += 1;
                let owner = Ownership::default().map(&path, entry.uid, entry.gid)?;
                let node = entry.node(&path, owner, self.files, &mut self.into)?;
                self.notes("OCI-141");
                for keyword in &entry.others {
                    let what = format!("the record `{}` is left out", shown_bytes(keyword));
                    self.change("OCI-141", &path, what);
                }
                node
            }
        };
        if entry.has_fraction {
            self.fractions.count(&path);
        }
        if entry.has_names {
            self.names.count(&path);
        }
        self.add_parents(&parent)?;
        self.special.remove(&path);
        self.into.insert(path, node);
        Ok(())
    }

    /// Leaves a device or FIFO out; what it would have replaced goes all the same (OCI-140).
    fn leave_out(&mut self, path: String, what: &str) -> Result<(), BuildError> {
        self.change("OCI-140", &path, what);
        self.special.insert(path.clone());
        if self.lower.get(&path).is_some() && !self.is_barred(&path) {
            self.add_parents(path.rsplit_once('/').map_or("", |(parent, _)| parent))?;
            self.lower.merge(vec![Entry { path: path.clone(), node: Node::Whiteout }]);
            self.into.insert(path, SourceNode::Whiteout);
        }
        Ok(())
    }

    /// What a hard link leads to (OCI-138): a name of the same file, or a copy; later, if it is not there yet.
    fn linked(&mut self, path: &str, entry: &Foreign) -> Result<Option<SourceNode>, BuildError> {
        let mut target = String::new();
        for component in self.components(&entry.target)? {
            target = self.child(&target, component)?;
        }
        let target = self.real(&target)?;
        if let Some(node) = self.own(path, &target) {
            self.compare(path, entry, &node);
            return Ok(Some(node));
        }
        if self.special.contains(&target) {
            self.leave_out(path.to_owned(), &format!("the hard link to {} is left out", quoted(&target)))?;
            return Ok(None);
        }
        // What the layer hides can be linked to all the same: a file that was renamed.
        if self.below.tree.get(&target).is_none() {
            self.deferred.push((path.to_owned(), target));
            return Ok(None);
        }
        let node = match self.below.node(&target) {
            Some(SourceNode::File { attributes, size, content, .. }) => SourceNode::File {
                attributes: attributes.clone(),
                size: *size,
                content: content.clone(),
                identity: None,
            },
            Some(link @ SourceNode::Symlink { .. }) => link.clone(),
            _ => return self.refuse(&format!("the hard link {} leads to {}, no file", quoted(path), quoted(&target))),
        };
        self.change("OCI-138", path, format!("it becomes a copy of {}, which a layer below has", quoted(&target)));
        self.compare(path, entry, &node);
        Ok(Some(node))
    }

    /// A hard link has the attributes of the file that it leads to; its own are left out.
    fn compare(&mut self, path: &str, link: &Foreign, node: &SourceNode) {
        let SourceNode::File { attributes: Attributes { mode, uid, gid, .. }, .. } = node else { return };
        if (link.mode, link.uid, link.gid) != (*mode, *uid, *gid) {
            let what = format!(
                "the attributes of the hard link, the mode 0{:o} and the owner {}:{}, are left out; the file has others",
                link.mode, link.uid, link.gid
            );
            self.change("OCI-138", path, what);
        }
    }

    /// What the layer itself has at `target`, as the hard link `path` to it.
    fn own(&mut self, path: &str, target: &str) -> Option<SourceNode> {
        let node = match self.into.get(target)? {
            node @ (SourceNode::File { .. } | SourceNode::Symlink { .. }) => node.clone(),
            _ => return None,
        };
        if matches!(node, SourceNode::Symlink { .. }) {
            self.change("OCI-138", path, format!("it becomes a copy of the symbolic link {}", quoted(target)));
        }
        Some(node)
    }

    fn link_deferred(&mut self) -> Result<(), BuildError> {
        let mut deferred = std::mem::take(&mut self.deferred);
        loop {
            let count = deferred.len();
            // A link can lead to a link that is deferred as well.
            for (path, target) in std::mem::take(&mut deferred) {
                if let Some(node) = self.own(&path, &target) {
                    self.add_parents(path.rsplit_once('/').map_or("", |(parent, _)| parent))?;
                    self.into.insert(path, node);
                } else if self.special.contains(&target) {
                    self.leave_out(path, &format!("the hard link to {} is left out", quoted(&target)))?;
                } else {
                    deferred.push((path, target));
                }
            }
            match deferred.first() {
                None => return Ok(()),
                Some((path, target)) if deferred.len() == count => {
                    let message =
                        format!("the hard link {} leads to {}, which is not there", quoted(path), quoted(target));
                    return self.refuse(&message);
                }
                Some(_) => {}
            }
        }
    }

    /// Whether something of the layer that is no directory stands at a path, or above it.
    fn is_barred(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        ends.filter_map(|end| self.into.get(path.get(..end)?)).any(|node| !matches!(node, SourceNode::Dir { .. }))
    }

    /// OCI-139
    fn mark(&mut self) -> Result<(), BuildError> {
        for Marker { directory, hidden } in std::mem::take(&mut self.markers) {
            let is_directory = matches!(self.into.get(&directory), Some(SourceNode::Dir { .. }))
                || matches!(self.lower.get(&directory).map(|entry| entry.node), Some(Node::Dir { .. }));
            if !directory.is_empty() && (!is_directory || self.is_barred(&directory)) {
                self.change("OCI-139", &directory, "a whiteout in it is left out: there is no such directory");
                continue;
            }
            self.add_parents(&directory)?;
            match hidden {
                Some(name) => self.into.insert(join(&directory, &name), SourceNode::Whiteout),
                None if directory.is_empty() => {
                    for path in children(&self.below.tree, "") {
                        self.into.insert(path, SourceNode::Whiteout);
                    }
                    self.change("OCI-139", "/", "the root is opaque; whiteouts say the same");
                }
                None => {
                    if let Some(SourceNode::Dir { attributes, .. }) = self.into.get(&directory).cloned() {
                        self.into.insert(directory, SourceNode::Dir { attributes, opaque: true });
                    }
                }
            }
        }
        self.into.without_needless_markers();
        self.notes("OCI-139");
        Ok(())
    }

    fn finish(mut self) -> (SourceTree, Vec<Change>) {
        for (tally, what) in [
            (&self.fractions, "the fraction of a second in its time is left out"),
            (&self.names, "the names of its owner are left out"),
        ] {
            let more = match tally.count {
                0 => continue,
                1 => String::new(),
                2 => format!(", and so for 1 more entry of {}", self.name),
                count => format!(", and so for {} more entries of {}", count - 1, self.name),
            };
            self.changes.push(Change::new("OCI-141", tally.first.clone(), format!("{what}{more}")));
        }
        (self.into, self.changes)
    }
}

/// The paths of what stands in a directory of a tree.
fn children(tree: &Tree, directory: &str) -> Vec<String> {
    let is_child = |path: &str| path.rsplit_once('/').map_or("", |(parent, _)| parent) == directory;
    tree.iter().filter(|(path, _)| is_child(path)).map(|(path, _)| path.to_owned()).collect()
}
