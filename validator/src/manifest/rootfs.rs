//! The clauses about a manifest that need the merged tree.

use super::document::Outline;
use super::types::{App, Mount, User};
use crate::clause;
use crate::diagnostic::{Place, Violation};
use crate::layer::{Attributes, Interpreter, Node, Resolved, Step, Summary, Tree, clean_absolute};
use crate::limits::Limits;
use crate::shown::{quoted, shown};

/// The file that `exec` resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecFile {
    /// The layer that it comes from, counted from 0.
    pub layer: usize,
    /// Its number among the entries of that layer; of a hard link that of the file that it links to.
    pub entry: usize,
}

/// Judges a manifest by what its layers merge to: MAN-015, MAN-016, MAN-018, MAN-020, MAN-042,
/// MAN-043, LST-014, LST-017 to LST-020.
///
/// A manifest with violations of its own is not compared with the tree; only what is wrong with the
/// tree itself is said.
#[must_use]
pub fn check_rootfs(outline: &Outline, tree: &Tree, limits: &Limits) -> Vec<Violation> {
    let mut out = Vec::new();
    if let Some(app) = outline.app.as_ref().filter(|_| outline.sound) {
        exec(outline, app, tree, limits, &mut out);
        working_directory(outline, app, tree, limits, &mut out);
        for (index, mount) in app.mounts.iter().enumerate() {
            self::mount(outline, index, mount, tree, limits, &mut out);
        }
    }
    summary(outline, &tree.summary(), limits, &mut out);
    out
}

/// LST-014, LST-017 to LST-020
fn summary(outline: &Outline, summary: &Summary, limits: &Limits, out: &mut Vec<Violation>) {
    let mut report = |clause, pointer: &str, message| out.push(Violation::new(clause, outline.place(pointer), message));
    if summary.bytes > limits.listing {
        let message = format!("the merged listing has {} bytes; the limit is {}", summary.bytes, limits.listing);
        report(&clause::LST_014, "/layers", message);
    }
    let Some(rootfs) = &outline.rootfs else { return };
    if summary.entries > limits.rootfs_lines && rootfs.entries <= limits.rootfs_lines {
        let message = format!("the merged listing has {} lines; the limit is {}", summary.entries, limits.rootfs_lines);
        report(&clause::LST_020, "/rootfs/entries", message);
    }
    if !outline.sound {
        return;
    }
    if rootfs.digest != summary.digest {
        let message = format!("the digest is {}; the layers merge to {}", rootfs.digest, summary.digest);
        report(&clause::LST_017, "/rootfs/digest", message);
    }
    if rootfs.entries != summary.entries {
        let message = format!("`entries` is {}; the merged listing has {} lines", rootfs.entries, summary.entries);
        report(&clause::LST_018, "/rootfs/entries", message);
    }
    if rootfs.size != summary.size {
        let message = format!("`size` is {}; the files of the merged listing have {} bytes", rootfs.size, summary.size);
        report(&clause::LST_019, "/rootfs/size", message);
    }
}

/// The file that `exec` resolves to, if it resolves to one.
#[must_use]
pub fn exec_file(outline: &Outline, tree: &Tree, limits: &Limits) -> Option<ExecFile> {
    let program = outline.app.as_ref()?.exec.first()?;
    if clean_absolute(program, limits).is_some() {
        return None;
    }
    let (Resolved::Entry { path, .. }, _) = tree.resolve(program, limits) else { return None };
    let (layer, entry) = tree.file(&path)?;
    Some(ExecFile { layer, entry })
}

/// MAN-015, MAN-016, MAN-018
fn exec(outline: &Outline, app: &App, tree: &Tree, limits: &Limits, out: &mut Vec<Violation>) {
    let Some(program) = app.exec.first() else { return };
    let mut report = |clause, message| out.push(Violation::new(clause, outline.place("/app/exec/0"), message));
    let (resolved, steps) = tree.resolve(program, limits);
    let (path, attributes) = match &resolved {
        Resolved::Entry { path, entry } => match &entry.node {
            Node::File { attributes, .. } | Node::Hardlink { attributes, .. } => (path, attributes),
            other => {
                report(
                    &clause::MAN_015,
                    format!("the program {} is {}, not a file", quoted(program), other.type_name()),
                );
                return;
            }
        },
        Resolved::Root => {
            report(&clause::MAN_015, format!("the program {} is the root directory, not a file", quoted(program)));
            return;
        }
        Resolved::Nothing(reason) => {
            report(&clause::MAN_015, format!("the program {} is not in the rootfs: {reason}", quoted(program)));
            return;
        }
    };
    if attributes.mode & 0o111 == 0 {
        let message = format!(
            "the file `/{}` has the mode 0{:03o}, in which nobody may execute it",
            shown(path),
            attributes.mode
        );
        report(&clause::MAN_016, message);
        return;
    }
    let denied = steps.iter().find_map(|step| match step {
        Step::Searched(directory) if !may_execute(app, directory) => Some(format!(
            "a directory on the way to it has the mode 0{:03o} and belongs to {}:{}",
            directory.mode, directory.uid, directory.gid
        )),
        _ => None,
    });
    let denied = denied.or_else(|| {
        (!may_execute(app, attributes)).then(|| {
            format!(
                "the file has the mode 0{:03o} and belongs to {}:{}",
                attributes.mode, attributes.uid, attributes.gid
            )
        })
    });
    if let Some(reason) = denied {
        let User { uid, gid, .. } = app.user;
        let message = format!("the user {uid}:{gid} cannot execute `/{}`: {reason}", shown(path));
        report(&clause::MAN_018, message);
    }
}

fn may_execute(app: &App, attributes: &Attributes) -> bool {
    let user = &app.user;
    let bit = if user.uid == 0 {
        return true;
    } else if user.uid == attributes.uid {
        0o100
    } else if user.gid == attributes.gid || user.supplementary_gids.contains(&attributes.gid) {
        0o010
    } else {
        0o001
    };
    attributes.mode & bit != 0
}

/// MAN-020
fn working_directory(outline: &Outline, app: &App, tree: &Tree, limits: &Limits, out: &mut Vec<Violation>) {
    let path = &app.working_directory;
    let reason = match tree.resolve(path, limits).0 {
        Resolved::Root => return,
        Resolved::Entry { entry, .. } => match &entry.node {
            Node::Dir { .. } => return,
            other => format!("is {}, not a directory", other.type_name()),
        },
        Resolved::Nothing(reason) => format!("is not in the rootfs: {reason}"),
    };
    let message = format!("the working directory {} {reason}", quoted(path));
    out.push(Violation::new(&clause::MAN_020, outline.place("/app/workingDirectory"), message));
}

/// MAN-042, MAN-043
fn mount(outline: &Outline, index: usize, mount: &Mount, tree: &Tree, limits: &Limits, out: &mut Vec<Violation>) {
    let path = &mount.path;
    let place = || outline.place(&format!("/app/mounts/{index}/path"));
    let (resolved, steps) = tree.resolve(path, limits);
    let link = steps.iter().find_map(|step| match step {
        Step::Followed(link) => Some(link),
        Step::Searched(_) => None,
    });
    if let Some(link) = link {
        let message = format!("the path {} leads through the symbolic link `/{}`", quoted(path), shown(link));
        out.push(Violation::new(&clause::MAN_042, place(), message));
        return;
    }
    let reason = match resolved {
        Resolved::Entry { entry, .. } if matches!(entry.node, Node::Dir { .. }) => return,
        Resolved::Entry { entry, .. } => format!("is {}, not a directory", entry.node.type_name()),
        Resolved::Root => return,
        Resolved::Nothing(reason) => format!("is not in the rootfs: {reason}"),
    };
    let message = format!("the path {} {reason}", quoted(path));
    out.push(Violation::new(&clause::MAN_043, place(), message));
}

/// Judges the interpreter or loader that the program names (MAN-017).
#[must_use]
pub fn check_interpreter(
    outline: &Outline,
    interpreter: &Interpreter,
    tree: &Tree,
    limits: &Limits,
) -> Option<Violation> {
    if !outline.sound {
        return None;
    }
    let what = match interpreter {
        Interpreter::Script(_) => "interpreter",
        Interpreter::Loader(_) => "loader",
    };
    let path = std::str::from_utf8(interpreter.path()).map_err(|_| ());
    // A relative or empty path is found nowhere.
    let reason = match path {
        Err(()) => "is not UTF-8".to_owned(),
        Ok(path) if !path.starts_with('/') => format!("{} is not absolute", quoted(path)),
        Ok(path) => match tree.resolve(path, limits).0 {
            Resolved::Entry { entry, .. } if matches!(entry.node, Node::File { .. } | Node::Hardlink { .. }) => {
                return None;
            }
            Resolved::Entry { entry, .. } => format!("{} is {}", quoted(path), entry.node.type_name()),
            Resolved::Root => format!("{} is the root directory", quoted(path)),
            Resolved::Nothing(reason) => format!("{} is not in the rootfs: {reason}", quoted(path)),
        },
    };
    let place: Place = outline.place("/app/exec/0");
    Some(Violation::new(&clause::MAN_017, place, format!("the program's {what} {reason}")))
}
