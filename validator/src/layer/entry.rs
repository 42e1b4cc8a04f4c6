//! An entry of a layer: one line of a listing.

use std::collections::BTreeMap;

use crate::digest::Digest;

/// Names and values of extended attributes.
pub type Xattrs = BTreeMap<String, Vec<u8>>;

/// An entry of a layer or of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path, without a final `/`; for a whiteout the path that it hides.
    pub path: String,
    /// What is there.
    pub node: Node,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File {
        /// Mode, owner, time, extended attributes.
        attributes: Attributes,
        /// Its length in bytes.
        size: u64,
        /// The SHA-256 of its bytes.
        sha256: Digest,
    },
    /// Another name of a file of the same layer; everything but the target is the file's.
    Hardlink {
        /// Mode, owner, time, extended attributes.
        attributes: Attributes,
        /// Its length in bytes.
        size: u64,
        /// The SHA-256 of its bytes.
        sha256: Digest,
        /// The path of the file.
        target: String,
    },
    /// A directory.
    Dir {
        /// Mode, owner, time, extended attributes.
        attributes: Attributes,
        /// Whether it hides what lower layers have in it.
        opaque: bool,
    },
    /// A symbolic link.
    Symlink {
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// Seconds since 1970.
        mtime: u64,
        /// Where it leads, as it is.
        target: String,
    },
    /// Hides a path of lower layers.
    Whiteout,
}

/// What files and directories have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// At most 07777.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: u64,
    /// Extended attributes.
    pub xattrs: Xattrs,
}

impl Node {
    /// What the node is called in a message.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::File { .. } => "a file",
            Self::Hardlink { .. } => "a hard link",
            Self::Dir { .. } => "a directory",
            Self::Symlink { .. } => "a symbolic link",
            Self::Whiteout => "a whiteout",
        }
    }

    /// Mode, owner, time and extended attributes of a file, hard link or directory.
    #[must_use]
    pub fn attributes(&self) -> Option<&Attributes> {
        match self {
            Self::File { attributes, .. } | Self::Hardlink { attributes, .. } | Self::Dir { attributes, .. } => {
                Some(attributes)
            }
            Self::Symlink { .. } | Self::Whiteout => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_attributes() {
        let attributes = Attributes { mode: 0o640, uid: 1, ..Attributes::default() };
        let of = |attributes| Node::Dir { attributes, opaque: false };
        assert_eq!(of(attributes.clone()).attributes(), Some(&attributes));
        assert_eq!(Node::Whiteout.attributes(), None);
    }
}
