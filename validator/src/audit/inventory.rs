//! What in a merged tree deserves a look.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Serialize;

use super::capability::in_words;
use super::links::{Links, OddLink};
use super::secrets::looks_secret;
use crate::inspection::Counts;
use crate::layer::{Attributes, Node, Tree};
use crate::limits::Limits;

/// What in a merged tree deserves a look; all lists are in the order of a listing. A file with several names stands in a
/// list with each of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// Files that run as their owner.
    pub setuid: Vec<Item>,
    /// Files that run as their group.
    pub setgid: Vec<Item>,
    /// Directories that give their group to what is made in them.
    pub setgid_directories: Vec<Item>,
    /// Files with capabilities.
    pub capabilities: Vec<Capable>,
    /// Other extended attributes.
    pub extended_attributes: Vec<ExtendedAttribute>,
    /// Files that everybody can write.
    pub world_writable_files: Vec<Item>,
    /// Directories that everybody can write, in which everybody can remove what others have put there.
    pub world_writable_directories: Vec<Item>,
    /// Directories that everybody can write, in which only the owner of a file can remove it.
    pub sticky_directories: Vec<Item>,
    /// Symbolic links that lead where links usually do not.
    pub odd_links: Vec<OddLink>,
    /// Files that are called as files with secrets are. Nothing is known of what is in them.
    pub secret_names: Vec<Item>,
}

/// A file or directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Item {
    /// Its path.
    pub path: String,
    /// Its mode.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// A file with capabilities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Capable {
    /// Its path.
    pub path: String,
    /// The capabilities, such as `cap_net_raw=ep`, if they could be understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<String>,
    /// The value of `security.capability`, in base64.
    pub value: String,
}

/// An extended attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ExtendedAttribute {
    /// The path of the file or directory.
    pub path: String,
    /// The name of the attribute.
    pub name: String,
    /// Its value, in base64.
    pub value: String,
}

/// The extended attribute that holds the capabilities of a file.
const CAPABILITY: &str = "security.capability";

/// What in a merged tree deserves a look, and what the tree consists of.
#[must_use]
pub fn inventory(tree: &Tree, limits: &Limits) -> (Inventory, Counts) {
    let (mut out, mut counts) = (Inventory::default(), Counts::default());
    for entry in tree.entries() {
        match &entry.node {
            Node::Dir { attributes, .. } => {
                counts.directories += 1;
                out.directory(&entry.path, attributes);
            }
            Node::File { attributes, .. } => {
                counts.files += 1;
                out.file(&entry.path, attributes);
            }
            Node::Hardlink { attributes, .. } => {
                counts.hardlinks += 1;
                out.file(&entry.path, attributes);
            }
            Node::Symlink { .. } => counts.symlinks += 1,
            Node::Whiteout => {}
        }
    }
    out.odd_links = Links::of(tree, limits).odd();
    (out, counts)
}

impl Inventory {
    fn file(&mut self, path: &str, attributes: &Attributes) {
        let item = item(path, attributes);
        if attributes.mode & 0o4000 != 0 {
            self.setuid.push(item.clone());
        }
        if attributes.mode & 0o2000 != 0 {
            self.setgid.push(item.clone());
        }
        if attributes.mode & 0o002 != 0 {
            self.world_writable_files.push(item.clone());
        }
        if looks_secret(path) {
            self.secret_names.push(item);
        }
        self.attributes(path, attributes);
    }

    fn directory(&mut self, path: &str, attributes: &Attributes) {
        let item = item(path, attributes);
        if attributes.mode & 0o2000 != 0 {
            self.setgid_directories.push(item.clone());
        }
        match attributes.mode & 0o1002 {
            0o1002 => self.sticky_directories.push(item),
            0o0002 => self.world_writable_directories.push(item),
            _ => {}
        }
        self.attributes(path, attributes);
    }

    fn attributes(&mut self, path: &str, attributes: &Attributes) {
        for (name, value) in &attributes.xattrs {
            let (path, encoded) = (path.to_owned(), STANDARD.encode(value));
            if name == CAPABILITY {
                self.capabilities.push(Capable { path, capabilities: in_words(value), value: encoded });
            } else {
                self.extended_attributes.push(ExtendedAttribute { path, name: name.clone(), value: encoded });
            }
        }
    }
}

fn item(path: &str, attributes: &Attributes) -> Item {
    Item { path: path.to_owned(), mode: attributes.mode, uid: attributes.uid, gid: attributes.gid }
}
