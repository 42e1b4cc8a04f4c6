//! The tree on the disk, listed anew as `pack` lists a directory, beside the plan.

use std::collections::{BTreeSet, HashMap};
use std::io;

use super::disk::{Target, UnsetEntries};
use super::plan::Plan;
use super::{Options, UnpackError};
use crate::build::{BuildError, Ownership, SourceTree, read_directory};
use crate::difference::between_trees;
use crate::layer::{Attributes, Entry, Node};

/// Holds the tree against the plan, apart from the extended attributes that could not be set.
pub(super) fn verify(target: &Target, plan: &Plan, unset: &UnsetEntries, options: &Options) -> Result<(), UnpackError> {
    let mut tree = SourceTree::new(None);
    tree.on_read = options.on_read;
    let listed = read_directory(&target.itself(), &Ownership::default(), &mut tree)
        .and_then(|()| tree.write_layer(io::sink()))
        .map_err(|error| match error {
            BuildError::Refused(why) => UnpackError::Place(format!("the tree cannot be verified: {why}")),
            BuildError::Io(what, error) => UnpackError::Io(format!("the tree cannot be verified: {what}"), error),
        })?;
    let changes = between_trees(expected(target, plan, unset), listed.into_iter(), &BTreeSet::new());
    if changes.is_empty() { Ok(()) } else { Err(UnpackError::Differs(changes)) }
}

/// The entries that have to be there.
fn expected<'a>(target: &'a Target, plan: &'a Plan, unset: &'a UnsetEntries) -> impl Iterator<Item = Entry> + 'a {
    let mut without: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, entries) in unset {
        for entry in entries.keys().filter_map(|place| plan.entries.get(*place)) {
            without.entry(&entry.path).or_default().push(name);
        }
    }
    plan.entries.iter().map(move |entry| {
        let mut entry = entry.clone();
        let is_directory = matches!(entry.node, Node::Dir { .. });
        let first = match &entry.node {
            Node::Hardlink { target, .. } => target,
            _ => &entry.path,
        };
        let missing = without.get(first.as_str()).cloned().unwrap_or_default();
        match &mut entry.node {
            Node::File { attributes, .. } | Node::Hardlink { attributes, .. } | Node::Dir { attributes, .. } => {
                let Attributes { mode, uid, gid, xattrs, .. } = attributes;
                let owner = target.owner(*uid, *gid);
                (*uid, *gid) = (owner.uid, owner.gid);
                *mode = target.readable(*mode, is_directory);
                xattrs.retain(|name, _| !missing.contains(&name.as_str()));
            }
            Node::Symlink { uid, gid, .. } => {
                let owner = target.owner(*uid, *gid);
                (*uid, *gid) = (owner.uid, owner.gid);
            }
            Node::Whiteout => {}
        }
        entry
    })
}
