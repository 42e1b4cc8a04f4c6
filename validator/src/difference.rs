//! What two trees, or two images, differ in, from their listings and manifests alone.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;

use schemars::JsonSchema;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::audit::{EnvelopeSeen, Signed};
use crate::digest::Digest;
use crate::layer::{Attributes, Entry, Node, Xattrs, write_line};
use crate::manifest::Manifest;
use crate::schema::ListingLine;

/// What `cornercast diff --json` prints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Difference {
    /// The id of the first image, if it is one and not a tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Digest>,
    /// The id of the second image, if it is one and not a tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Digest>,
    /// Members of the manifests that differ, by pointer. `rootfs` is left out, as the entries say more, and
    /// so is `layers` if entries differ or something is ignored.
    pub manifest: Vec<MemberChange>,
    /// What is signed of the images that differs, by pointer, if that is compared: see [`between_signed`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<MemberChange>,
    /// Entries that differ, in the order of a listing.
    pub entries: Vec<Change>,
}

/// A member that two manifests differ in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MemberChange {
    /// Where it is, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// Its value in the first manifest, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// Its value in the second manifest, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// An entry that two trees differ in. Entries stand as the lines of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum Change {
    /// Only the second tree has it.
    Added {
        /// The entry.
        #[serde(serialize_with = "as_line")]
        #[schemars(with = "ListingLine")]
        after: Entry,
    },
    /// Only the first tree has it.
    Removed {
        /// The entry.
        #[serde(serialize_with = "as_line")]
        #[schemars(with = "ListingLine")]
        before: Entry,
    },
    /// Both have it, and it differs.
    Changed {
        /// What about it differs.
        attributes: Vec<Attribute>,
        /// The entry in the first tree.
        #[serde(serialize_with = "as_line")]
        #[schemars(with = "ListingLine")]
        before: Entry,
        /// The entry in the second tree.
        #[serde(serialize_with = "as_line")]
        #[schemars(with = "ListingLine")]
        after: Entry,
    },
}

/// Something about an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Attribute {
    /// Whether it is a file, a directory or a symbolic link. Nothing else is compared then.
    Type,
    /// The mode.
    Mode,
    /// User or group.
    Owner,
    /// The time.
    Mtime,
    /// The length of a file.
    Size,
    /// The bytes of a file.
    Content,
    /// Where a symbolic link leads.
    Target,
    /// Which file a name is another name of.
    Link,
    /// Extended attributes.
    Xattrs,
}

impl Difference {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.manifest.is_empty() && self.trust.is_empty() && self.entries.is_empty()
    }
}

/// What two merged trees differ in, apart from what is ignored.
///
/// The entries have to come in the order of a listing, as [`Tree::entries`] gives them.
///
/// [`Tree::entries`]: crate::layer::Tree::entries
pub fn between_trees(
    before: impl Iterator<Item = Entry>,
    after: impl Iterator<Item = Entry>,
    ignored: &BTreeSet<Attribute>,
) -> Vec<Change> {
    let (mut before, mut after) = (before.peekable(), after.peekable());
    let mut changes = Vec::new();
    loop {
        let change = match (next_is(&mut before, &mut after), &mut before, &mut after) {
            (None, ..) => return changes,
            (Some(Ordering::Less), before, _) => before.next().map(|before| Change::Removed { before }),
            (Some(Ordering::Greater), _, after) => after.next().map(|after| Change::Added { after }),
            (Some(Ordering::Equal), before, after) => {
                before.next().zip(after.next()).and_then(|(before, after)| changed(before, after, ignored))
            }
        };
        changes.extend(change);
    }
}

/// Whether the next entry stands in the first tree only, in the second only, or in both.
fn next_is(
    before: &mut Peekable<impl Iterator<Item = Entry>>,
    after: &mut Peekable<impl Iterator<Item = Entry>>,
) -> Option<Ordering> {
    match (before.peek(), after.peek()) {
        (None, None) => None,
        (Some(_), None) => Some(Ordering::Less),
        (None, Some(_)) => Some(Ordering::Greater),
        // Depth first, component by component (LAY-047).
        (Some(before), Some(after)) => Some(before.path.split('/').cmp(after.path.split('/'))),
    }
}

fn changed(before: Entry, after: Entry, ignored: &BTreeSet<Attribute>) -> Option<Change> {
    let attributes: Vec<Attribute> = differing(&before.node, &after.node)
        .into_iter()
        .filter(|(attribute, differs)| *differs && !ignored.contains(attribute))
        .map(|(attribute, _)| attribute)
        .collect();
    (!attributes.is_empty()).then_some(Change::Changed { attributes, before, after })
}

fn differing(before: &Node, after: &Node) -> Vec<(Attribute, bool)> {
    let (old, new) = (Seen::of(before), Seen::of(after));
    if old.kind != new.kind {
        return vec![(Attribute::Type, true)];
    }
    vec![
        (Attribute::Mode, old.mode != new.mode),
        (Attribute::Owner, old.owner != new.owner),
        (Attribute::Mtime, old.mtime != new.mtime),
        (Attribute::Size, old.content.map(|(size, _)| size) != new.content.map(|(size, _)| size)),
        (Attribute::Content, old.content.map(|(_, sha256)| sha256) != new.content.map(|(_, sha256)| sha256)),
        (Attribute::Target, old.target != new.target),
        (Attribute::Link, old.link != new.link),
        (Attribute::Xattrs, old.xattrs != new.xattrs),
    ]
}

/// What an entry is, in the terms of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// What it is; a further name of a file is a file.
    pub kind: &'static str,
    /// Its mode.
    pub mode: Option<u32>,
    /// User and group.
    pub owner: (u32, u32),
    /// Seconds since 1970.
    pub mtime: u64,
    /// Length and SHA-256 of a file.
    pub content: Option<(u64, Digest)>,
    /// Where a symbolic link leads.
    pub target: Option<&'a str>,
    /// Which file it is another name of.
    pub link: Option<&'a str>,
    /// Extended attributes.
    pub xattrs: Option<&'a Xattrs>,
}

impl<'a> Seen<'a> {
    /// What `node` is.
    #[must_use]
    pub fn of(node: &'a Node) -> Self {
        let none = Self {
            kind: node.type_name(),
            mode: None,
            owner: (0, 0),
            mtime: 0,
            content: None,
            target: None,
            link: None,
            xattrs: None,
        };
        let with = |Attributes { mode, uid, gid, mtime, xattrs }: &'a Attributes| Self {
            mode: Some(*mode),
            owner: (*uid, *gid),
            mtime: *mtime,
            xattrs: Some(xattrs),
            ..none
        };
        match node {
            Node::File { attributes, size, sha256 } => Self { content: Some((*size, *sha256)), ..with(attributes) },
            Node::Hardlink { attributes, size, sha256, target } => {
                Self { kind: "a file", content: Some((*size, *sha256)), link: Some(target), ..with(attributes) }
            }
            Node::Dir { attributes, .. } => with(attributes),
            Node::Symlink { uid, gid, mtime, target } => {
                Self { owner: (*uid, *gid), mtime: *mtime, target: Some(target), ..none }
            }
            Node::Whiteout => none,
        }
    }
}

/// What two manifests differ in, by pointer, apart from `rootfs` and the members that are ignored.
#[must_use]
pub fn between_manifests(before: &Manifest, after: &Manifest, ignored: &[&str]) -> Vec<MemberChange> {
    let members = |manifest: &Manifest| {
        let mut value = serde_json::to_value(manifest).unwrap_or_default();
        for name in ["rootfs"].iter().chain(ignored) {
            value.as_object_mut().map(|members| members.remove(*name));
        }
        value
    };
    let mut out = Vec::new();
    compare("", Some(&members(before)), Some(&members(after)), &mut out);
    out
}

/// What is signed of two images that differs, by pointer: `/signatures/KEYID` is whether the signature of a key below a
/// release of the image holds, `/logged` whether a log has one of these releases, `/attestations/DIGEST` the type of a body,
/// `/keyring` the number of the last keyring, `/revoked` why it revokes the image, `/catalog` what it says of it.
#[must_use]
pub fn between_signed(before: &Signed, after: &Signed) -> Vec<MemberChange> {
    let mut out = Vec::new();
    compare("", Some(&members_of(before)), Some(&members_of(after)), &mut out);
    out
}

/// What counts of what is signed, once each.
fn members_of(signed: &Signed) -> Value {
    let mut signatures = BTreeMap::new();
    let is_of_image = |envelope: &&EnvelopeSeen| envelope.release.as_ref().is_some_and(|seen| seen.differs.is_empty());
    for signature in signed.releases.iter().filter(is_of_image).flat_map(|envelope| &envelope.signatures) {
        let known = signatures.entry(&signature.keyid).or_insert(signature.holds);
        // One that holds is enough.
        *known = signature.holds.min(*known);
    }
    let proofs = signed.releases.iter().filter(is_of_image).filter_map(|envelope| envelope.proof.as_ref());
    let attested = signed.attestations.iter().filter_map(|envelope| envelope.attestation.as_ref());
    let attested = attested.filter(|seen| seen.differs.is_empty());
    let last = signed.keyrings.last();
    let catalog = signed.catalog.as_ref().map(|catalog| {
        json!({
            "channels": catalog.channels,
            "listed": catalog.listed,
            "serial": catalog.serial,
            "withdrawn": catalog.withdrawn,
        })
    });
    let mut members = json!({
        "attestations": attested.map(|seen| (seen.body.digest.to_string(), &seen.kind)).collect::<BTreeMap<_, _>>(),
        "catalog": catalog,
        "keyring": last.map(|last| last.number),
        "logged": proofs.filter(|proof| proof.includes == Some(true)).count() > 0,
        "revoked": last.and_then(|last| last.revokes_image.as_ref()),
        "signatures": signatures,
    });
    without_nulls(&mut members);
    members
}

fn without_nulls(value: &mut Value) {
    if let Value::Object(members) = value {
        members.retain(|_, value| !value.is_null());
        members.values_mut().for_each(without_nulls);
    }
}

fn compare(pointer: &str, before: Option<&Value>, after: Option<&Value>, out: &mut Vec<MemberChange>) {
    if let (Some(Value::Object(before)), Some(Value::Object(after))) = (before, after) {
        // One order whatever that of the map is.
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
            compare(&pointer, before.get(name), after.get(name), out);
        }
    } else if before != after {
        out.push(MemberChange { pointer: pointer.to_owned(), before: before.cloned(), after: after.cloned() });
    }
}

fn as_line<S: Serializer>(entry: &Entry, serializer: S) -> Result<S::Ok, S::Error> {
    let mut line = Vec::new();
    write_line(&mut line, &entry.path, &entry.node);
    serde_json::from_slice::<Value>(&line).map_err(S::Error::custom)?.serialize(serializer)
}
