//! The clauses about a manifest that need the merged tree.

use super::document::Outline;
use super::types::{App, Mount, User};
use crate::clause;
use crate::diagnostic::{Place, Violation};
use crate::layer::{Attributes, Node, Resolved, Step, Summary, Tree, clean_absolute};
use crate::limits::Limits;
use crate::shown::{quoted, shown};

/// The file that `exec` resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecFile {
    /// The layer that it comes from, counted from 0.
    pub layer: usize,
    /// Its path in that layer; of a hard link the path of the file that it links to.
    pub path: String,
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
    let (Resolved::Entry { path, entry }, _) = tree.resolve(program, limits) else { return None };
    match &entry.node {
        Node::File { .. } => Some(ExecFile { layer: entry.layer, path }),
        Node::Hardlink { target, .. } => Some(ExecFile { layer: entry.layer, path: target.clone() }),
        _ => None,
    }
}

/// MAN-015, MAN-016, MAN-018
fn exec(outline: &Outline, app: &App, tree: &Tree, limits: &Limits, out: &mut Vec<Violation>) {
    let Some(program) = app.exec.first().filter(|program| clean_absolute(program, limits).is_none()) else { return };
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
            report(&clause::MAN_015, format!("the program {} is the root", quoted(program)));
            return;
        }
        Resolved::Nothing(reason) => {
            report(&clause::MAN_015, format!("the program {} is not in the rootfs: {reason}", quoted(program)));
            return;
        }
    };
    if attributes.mode & 0o111 == 0 {
        let message = format!("the file `/{}` has the mode 0{:o}, without an x bit", shown(path), attributes.mode);
        report(&clause::MAN_016, message);
        return;
    }
    let denied = steps.iter().find_map(|step| match step {
        Step::Searched(directory) if !may_execute(app, directory) => Some(format!(
            "a directory on the way to it has the mode 0{:o} and belongs to {}:{}",
            directory.mode, directory.uid, directory.gid
        )),
        _ => None,
    });
    let denied = denied.or_else(|| {
        (!may_execute(app, attributes)).then(|| {
            format!("the file has the mode 0{:o} and belongs to {}:{}", attributes.mode, attributes.uid, attributes.gid)
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
    if clean_absolute(path, limits).is_some() {
        return;
    }
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
    if clean_absolute(path, limits).is_some() || super::app::is_reserved(path) {
        return;
    }
    let place = || outline.place(&format!("/app/mounts/{index}/path"));
    let (resolved, steps) = tree.resolve(path, limits);
    let link = steps.iter().find_map(|step| match step {
        Step::Followed(link) => Some(link),
        Step::Searched(_) => None,
    });
    if let Some(link) = link {
        let message = format!("the path {} passes the symbolic link `/{}`", quoted(path), shown(link));
        out.push(Violation::new(&clause::MAN_042, place(), message));
        return;
    }
    let reason = match resolved {
        Resolved::Entry { entry, .. } if matches!(entry.node, Node::Dir { .. }) => return,
        Resolved::Entry { entry, .. } => format!("is {}", entry.node.type_name()),
        Resolved::Root => return,
        Resolved::Nothing(reason) => format!("is not in the rootfs: {reason}"),
    };
    let message = format!("the path {} {reason}", quoted(path));
    out.push(Violation::new(&clause::MAN_043, place(), message));
}

/// Judges the interpreter or loader that the program names in its first bytes (MAN-017).
#[must_use]
pub fn check_interpreter(outline: &Outline, head: &[u8], tree: &Tree, limits: &Limits) -> Option<Violation> {
    if !outline.sound {
        return None;
    }
    let (what, path) = match head {
        [b'#', b'!', rest @ ..] => ("interpreter", script_interpreter(rest)?),
        _ => ("loader", elf_loader(head)?),
    };
    let path = std::str::from_utf8(path).map_err(|_| ());
    // A relative or empty path is found nowhere.
    let reason = match path {
        Err(()) => "is not UTF-8".to_owned(),
        Ok(path) if !path.starts_with('/') => format!("{} is not absolute", quoted(path)),
        Ok(path) => match tree.resolve(path, limits).0 {
            Resolved::Entry { entry, .. } if matches!(entry.node, Node::File { .. } | Node::Hardlink { .. }) => {
                return None;
            }
            Resolved::Entry { entry, .. } => format!("{} is {}", quoted(path), entry.node.type_name()),
            Resolved::Root => format!("{} is the root", quoted(path)),
            Resolved::Nothing(reason) => format!("{} is not in the rootfs: {reason}", quoted(path)),
        },
    };
    let place: Place = outline.place("/app/exec/0");
    Some(Violation::new(&clause::MAN_017, place, format!("the {what} of the program {reason}")))
}

/// What a `#!` line names.
fn script_interpreter(line: &[u8]) -> Option<&[u8]> {
    let start = line.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    line.get(start..)?.split(|byte| matches!(byte, b' ' | b'\t' | b'\n')).next()
}

/// What the program header `PT_INTERP` of an ELF file names.
fn elf_loader(head: &[u8]) -> Option<&[u8]> {
    const PT_INTERP: u64 = 3;
    let [0x7F, b'E', b'L', b'F', class @ (1 | 2), order @ (1 | 2), ..] = head else { return None };
    let wide = *class == 2;
    let number = |at: usize, length: usize| -> Option<u64> {
        let bytes = head.get(at..at.checked_add(length)?)?;
        let fold = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
        Some(if *order == 2 { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    };
    let (table, entry_size, count) = if wide {
        (number(32, 8)?, number(54, 2)?, number(56, 2)?)
    } else {
        (number(28, 4)?, number(42, 2)?, number(44, 2)?)
    };
    for index in 0..count {
        let at = usize::try_from(table.checked_add(index.checked_mul(entry_size)?)?).ok()?;
        if number(at, 4)? != PT_INTERP {
            continue;
        }
        let (offset, size) = if wide {
            (number(at.checked_add(8)?, 8)?, number(at.checked_add(32)?, 8)?)
        } else {
            (number(at.checked_add(4)?, 4)?, number(at.checked_add(16)?, 4)?)
        };
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        return head.get(start..end)?.split(|byte| *byte == 0).next();
    }
    None
}
