//! What an implementation has made: the suite looks at it, and takes nobody's word for it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use cornercast::build::{BuildError, Ownership, SourceTree, read_directory};
use cornercast::diagnostic::Severity;
use cornercast::digest::{Digest, Hasher};
use cornercast::input::Kind;
use cornercast::layer::write_line;

use crate::builtin;
use crate::case::{Case, Verdict};
use crate::protocol::Operation;

/// What there is to see of a result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Made {
    /// The digest of the document that says what was made: the id of the one image of a store, the digest of
    /// the `index.json` of a layout, or of the `config.json` of a bundle.
    pub result: Option<String>,
    /// The digest of the listing of a tree.
    pub tree: Option<String>,
}

/// Whether `output` is what `case` expects of its operation.
///
/// # Errors
///
/// What is different, in words.
pub fn judge(case: &Case, output: &Path) -> Result<(), String> {
    let expect = &case.expect;
    match (case.operation, expect.verdict) {
        (Operation::Check | Operation::Verify, _) => return Ok(()),
        (_, Verdict::Refused) => {
            return match fs::symlink_metadata(output) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                _ => Err("it refused, and something is left of what it made".to_owned()),
            };
        }
        _ => {}
    }
    let made = look(case.operation, output)?;
    for (what, wanted, seen) in [("result", &expect.result, &made.result), ("tree", &expect.tree, &made.tree)] {
        if let Some(wanted) = wanted
            && seen.as_ref() != Some(wanted)
        {
            let seen = seen.as_deref().unwrap_or("none");
            return Err(format!("expected the {what} {wanted}, got {seen}"));
        }
    }
    Ok(())
}

/// What an operation has made at `output`.
///
/// # Errors
///
/// A result that cannot be read, or that breaks a clause of its own.
pub fn look(operation: Operation, output: &Path) -> Result<Made, String> {
    let fail = |error: io::Error| format!("what was made cannot be read: {error}");
    match operation {
        // A run is judged by its own means.
        Operation::Check | Operation::Run | Operation::Verify => Ok(Made::default()),
        Operation::Unpack => {
            root(output).map_err(fail)??;
            Ok(Made { result: None, tree: Some(tree(output)?.to_string()) })
        }
        Operation::Import => {
            sound(output, Kind::Store)?;
            let images = fs::read_dir(output.join("images/sha256")).map_err(fail)?;
            let mut ids = Vec::new();
            for image in images {
                ids.push(image.map_err(fail)?.file_name().to_string_lossy().into_owned());
            }
            match ids.as_slice() {
                [id] => Ok(Made { result: Some(format!("sha256:{id}")), tree: None }),
                ids => Err(format!("the store has {} images", ids.len())),
            }
        }
        Operation::Export => {
            sound(output, Kind::OciLayout)?;
            let index = fs::read(output.join("index.json")).map_err(fail)?;
            Ok(Made { result: Some(Digest::of(&index).to_string()), tree: None })
        }
        Operation::Bundle => {
            // RUN-101
            let mut names = Vec::new();
            for entry in fs::read_dir(output).map_err(fail)? {
                names.push(entry.map_err(fail)?.file_name().to_string_lossy().into_owned());
            }
            names.sort();
            if names != ["config.json", "rootfs"] {
                return Err(format!("the bundle has the entries {}", names.join(", ")));
            }
            let config = fs::read(output.join("config.json")).map_err(fail)?;
            let rootfs = output.join("rootfs");
            root(&rootfs).map_err(fail)??;
            let tree = tree(&rootfs)?.to_string();
            Ok(Made { result: Some(Digest::of(&config).to_string()), tree: Some(tree) })
        }
    }
}

/// Whether what was made breaks no clause with MUST.
fn sound(output: &Path, kind: Kind) -> Result<(), String> {
    let findings = builtin::findings(output, kind).map_err(|error| format!("what was made cannot be read: {error}"))?;
    match findings.list().iter().find(|finding| finding.severity == Severity::Error) {
        Some(finding) => Err(format!("what was made breaks {}: {}", finding.id, finding.message)),
        None => Ok(()),
    }
}

/// Whether the directory of a tree is the root that every image has (LST-028).
fn root(root: &Path) -> io::Result<Result<(), String>> {
    let metadata = fs::symlink_metadata(root)?;
    if !metadata.is_dir() {
        return Ok(Err("the tree that was made is no directory".to_owned()));
    }
    let (uid, gid, mode, mtime) = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777, metadata.mtime());
    let is_right = (uid, gid, mode, mtime, metadata.mtime_nsec()) == (0, 0, 0o755, 0, 0);
    Ok(if is_right {
        Ok(())
    } else {
        Err(format!("the directory of the tree has the mode {mode:04o}, the owner {uid}:{gid} and the time {mtime}"))
    })
}

/// The digest of the listing of the directory `root`.
fn tree(root: &Path) -> Result<Digest, String> {
    let fail = |error: BuildError| format!("the tree that was made cannot be listed: {error}");
    let mut tree = SourceTree::new(None);
    read_directory(root, &Ownership::default(), &mut tree).map_err(fail)?;
    if let Some(note) = tree.notes().first() {
        return Err(format!("the tree that was made has what no image has: {}: {}", note.path, note.what));
    }
    let mut hasher = Hasher::default();
    let mut line = Vec::new();
    for entry in tree.write_layer(io::sink()).map_err(fail)? {
        line.clear();
        write_line(&mut line, &entry.path, &entry.node);
        hasher.update(&line);
    }
    Ok(hasher.finish())
}
