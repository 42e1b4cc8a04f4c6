//! Unpacking an image into a directory (LST: unpacking).
//!
//! What is written is known before anything is: the listings of the layers are read, judged and merged to a
//! `plan`. Then each layer is read once. It is hashed, walked as `check` walks it, and of its files those
//! that are left in the merged tree are written, each to the place that the plan gives, and no byte more than
//! the plan says. What a layer says that is not in its listing is never written.
//!
//! | part | does |
//! | --- | --- |
//! | `located` | where the files of a store or archive are |
//! | `view` | the files of a store that one image needs |
//! | `plan` | what will be where |
//! | `layers` | reads the layers |
//! | `writing` | writes the files of a layer |
//! | `kept` | the same of an image of others, whose layers are kept while it is checked |
//! | `disk` | everything that touches the file system, beneath one directory |
//! | `verify` | lists the tree anew, and holds it against the plan |

mod disk;
mod kept;
mod layers;
mod located;
mod plan;
mod skimmed;
mod verify;
mod view;
mod writing;

use std::io;
use std::num::NonZero;
use std::path::Path;

use serde::Serialize;

pub use self::disk::check_place;
use self::disk::{Parents, Target};
pub use self::kept::Keeping;
pub use self::located::ImageFiles;
use self::plan::Plan;
pub use self::skimmed::Skimmed;
pub use self::view::OneImage;
use crate::diagnostic::Findings;
use crate::difference::Change;
use crate::digest::Digest;
use crate::layer::{Node, Summary, Tree};
use crate::limits::Limits;
use crate::manifest::Manifest;
use crate::shown::quoted;
use crate::store::{FileKind, Files, check_store};

/// Violations of an image that are kept.
const MAX_FINDINGS: usize = 1000;

/// Whose the unpacked entries are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The user and group that the image gives each entry.
    Image,
    /// The user and group of the process, all of them.
    Caller,
}

/// How an image is unpacked.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whose the entries are.
    pub owner: Owner,
    /// List the tree anew before it is given its name, and hold it against the image.
    pub verify: bool,
    /// Threads that work at once.
    pub jobs: NonZero<usize>,
    /// What is accepted.
    pub limits: Limits,
    /// Is told how many bytes verifying has read, again and again.
    pub on_read: Option<fn(u64)>,
}

/// What has been unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unpacked {
    /// The image: its id, or for one of others the digest of its manifest, or of its config if it has none.
    pub image: Digest,
    /// Its rootfs digest. The tree has this one too, unless something below is not what the image says.
    pub rootfs: Digest,
    /// Entries of the tree.
    pub entries: u64,
    /// Bytes of its files.
    pub size: u64,
    /// The user and group of all entries, if they are not those of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Ids>,
    /// How many files and directories have a set-user-ID or set-group-ID bit, and with it the rights of `owner`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setid: Option<u64>,
    /// What could not be set, by its name.
    pub unset: Vec<Unset>,
    /// Whether the tree was listed anew and found to be what is said here.
    pub verified: bool,
}

/// A user and a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ids {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// Something that entries have in the image and could not be given on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unset {
    /// The name of an extended attribute, `mode` or `mtime`.
    pub name: String,
    /// How many entries.
    pub entries: u64,
    /// The path of the first of them.
    pub first: String,
    /// Why not.
    pub reason: String,
}

/// Why an image has not been unpacked. Nothing is left behind then.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The image has violations; these are all that are found in it.
    #[error("the image is not valid")]
    Rejected(Findings),
    /// The image was not the same when it was read again, so that nothing can be said of it.
    #[error("the image changed while it was read; unpack it again")]
    Changed,
    /// The tree cannot be put there.
    #[error("{0}")]
    Place(String),
    /// An entry cannot be given to its owner.
    #[error(
        "{} cannot be given to {uid}:{gid}: {error}; use `--owner caller` to give everything to the caller, \
         or unpack as root with the right to change owners (CAP_CHOWN) in a user namespace that has these ids",
        quoted(path)
    )]
    Owner {
        /// The entry.
        path: String,
        /// Its user.
        uid: u32,
        /// Its group.
        gid: u32,
        /// Why not.
        error: io::Error,
    },
    /// The tree on the disk is not that of the image.
    #[error("the tree on the disk is not that of the image")]
    Differs(Vec<Change>),
    /// Reading or writing failed.
    #[error("{0}: {1}")]
    Io(String, #[source] io::Error),
}

impl UnpackError {
    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |error| Self::Io(what, error)
    }
}

/// Unpacks the image `image` of a store into the directory `to`, which must not be there or be empty.
///
/// The directory has the mode 0755, the owner 0:0 (or the caller) and the time 0; it is there as a whole or not
/// at all. An image is judged as a store that holds it alone ([`check_store`]), whose findings have the name
/// `name`.
///
/// # Errors
///
/// See [`UnpackError`].
pub fn unpack(
    files: &dyn Files,
    image: Digest,
    name: &str,
    to: &Path,
    options: &Options,
) -> Result<Unpacked, UnpackError> {
    let unreadable = |error| UnpackError::Io(name.to_owned(), error);
    let view = OneImage::new(files, image, &options.limits).map_err(unreadable)?;
    let Some(documents) = plan::read(&view, &options.limits).map_err(unreadable)? else {
        return Err(rejected(&view, name, options));
    };
    let plan = Plan::new(&documents);
    let target = Target::create(to, options)?;
    make_directories(&target, &plan)?;
    if !layers::write(&view, &documents, &plan, &target, options, unreadable)? {
        drop(target);
        return Err(rejected(&view, name, options));
    }
    complete(target, &plan, image, &documents.summary, options)
}

/// The tree once its directories and files are there.
fn complete(
    target: Target,
    plan: &Plan,
    image: Digest,
    summary: &Summary,
    options: &Options,
) -> Result<Unpacked, UnpackError> {
    make_links(&target, plan)?;
    settle_directories(&target, plan)?;
    let unset = target.take_unset();
    if options.verify {
        verify::verify(&target, plan, &unset, options)?;
        close(&target, plan)?;
    }
    let owner = (options.owner == Owner::Caller).then_some(target.caller);
    target.finish()?;
    Ok(plan.unpacked(image, summary, &unset, owner, options.verify))
}

/// The manifest of an image and the tree that its layers merge to, from its documents alone; nothing if something is
/// wrong with them, which [`unpack`] says.
///
/// # Errors
///
/// Errors of reading.
pub fn describe(files: &dyn Files, image: Digest, limits: &Limits) -> io::Result<Option<(Manifest, Tree)>> {
    let view = OneImage::new(files, image, limits)?;
    let Some(source) = view.document(&FileKind::Manifest(image), limits.manifest)? else { return Ok(None) };
    // It is read once more here, and may be another one by now.
    if Digest::of(&source) != image {
        return Ok(None);
    }
    let Some(documents) = plan::read(&view, limits)? else { return Ok(None) };
    Ok(serde_json::from_slice(&source).ok().map(|manifest| (manifest, documents.tree)))
}

/// Judges the image `image` of a store, and nothing else in it.
///
/// # Errors
///
/// Errors of reading.
pub fn judge(
    files: &dyn Files,
    image: Digest,
    limits: &Limits,
    jobs: NonZero<usize>,
    findings: &mut Findings,
) -> io::Result<()> {
    check_store(&OneImage::new(files, image, limits)?, limits, jobs, findings)
}

/// All that is wrong with an image.
fn rejected(view: &OneImage<'_>, name: &str, options: &Options) -> UnpackError {
    let mut findings = Findings::new(name, MAX_FINDINGS);
    match check_store(view, &options.limits, options.jobs, &mut findings) {
        Err(error) => UnpackError::Io(name.to_owned(), error),
        Ok(()) if findings.errors == 0 => UnpackError::Changed,
        Ok(()) => UnpackError::Rejected(findings),
    }
}

fn make_directories(target: &Target, plan: &Plan) -> Result<(), UnpackError> {
    let mut parents = Parents::default();
    for entry in &plan.entries {
        if let Node::Dir { .. } = entry.node {
            target.make_directory(&mut parents, &entry.path)?;
        }
    }
    Ok(())
}

/// The links come when all files are there: nothing is written to a path that a link could have changed.
fn make_links(target: &Target, plan: &Plan) -> Result<(), UnpackError> {
    let mut parents = <[Parents; 2]>::default();
    for entry in &plan.entries {
        if let Node::Hardlink { target: file, .. } = &entry.node {
            target.make_link(&mut parents, file, &entry.path)?;
        }
    }
    let mut parents = Parents::default();
    for (place, entry) in plan.entries.iter().enumerate() {
        if let Node::Symlink { uid, gid, mtime, target: to } = &entry.node {
            target.make_symlink(&mut parents, (place, &entry.path), to, (*uid, *gid), *mtime)?;
        }
    }
    Ok(())
}

/// Deepest first: what is put into a directory changes its time, and its mode may forbid it.
fn settle_directories(target: &Target, plan: &Plan) -> Result<(), UnpackError> {
    for (place, entry) in plan.entries.iter().enumerate().rev() {
        if let Node::Dir { attributes, .. } = &entry.node {
            target.settle_directory((place, &entry.path), attributes)?;
        }
    }
    Ok(())
}

/// Gives what had to be readable for verifying its own mode, deepest first.
fn close(target: &Target, plan: &Plan) -> Result<(), UnpackError> {
    for entry in plan.entries.iter().rev() {
        if let Node::File { attributes, .. } | Node::Dir { attributes, .. } = &entry.node {
            let is_directory = matches!(entry.node, Node::Dir { .. });
            if target.readable(attributes.mode, is_directory) != attributes.mode {
                target.set_mode(&entry.path, attributes.mode)?;
            }
        }
    }
    Ok(())
}
