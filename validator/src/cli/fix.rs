//! `check --fix` and `check --diff`: documents that stand alone, in canonical form.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use similar::TextDiff;

use super::files::open_regular;
use super::{Failure, print};
use crate::fix::{Fixed, fix};
use crate::input::{HEAD, Kind, recognise};
use crate::limits::Limits;

/// Writes what can be fixed in the files `paths` to them, and says so on standard error.
///
/// # Errors
///
/// A file cannot be written; it is as it was then.
pub(super) fn fix_files(paths: &[impl AsRef<Path>], kind: Option<Kind>) -> Result<(), Failure> {
    for path in paths.iter().map(AsRef::as_ref) {
        let Some((_, fixed)) = fixable(path, kind) else { continue };
        let shown = path.display();
        write(path, &fixed.bytes).map_err(|error| Failure::Error(format!("{shown}: it cannot be fixed: {error}")))?;
        let ids: Vec<&str> = fixed.ids.into_iter().collect();
        anstream::eprintln!("fixed: {shown} ({})", ids.join(", "));
    }
    Ok(())
}

/// Prints what [`fix_files`] would change as a unified diff, and whether there is anything.
///
/// # Errors
///
/// A file is missing, or standard output cannot be written.
pub(super) fn print_diff(paths: &[impl AsRef<Path>], kind: Option<Kind>) -> Result<bool, Failure> {
    let mut any = false;
    for path in paths.iter().map(AsRef::as_ref) {
        if path != Path::new("-") {
            // No check follows that would report it.
            fs::metadata(path).map_err(|error| Failure::Error(format!("{}: {error}", path.display())))?;
        }
        let Some((source, fixed)) = fixable(path, kind) else { continue };
        any = true;
        let (before, after) = (String::from_utf8_lossy(&source), String::from_utf8_lossy(&fixed.bytes));
        let shown = path.display().to_string();
        let diff = TextDiff::from_lines(&before, &after);
        print(&diff.unified_diff().header(&shown, &format!("{shown} (fixed)")).to_string())?;
    }
    Ok(any)
}

/// The file and what it should be, if it can be fixed. What cannot be read is for the check to report.
fn fixable(path: &Path, kind: Option<Kind>) -> Option<(Vec<u8>, Fixed)> {
    if path == Path::new("-") {
        return None;
    }
    let mut source = Vec::new();
    let limit = Limits::FORMAT.listing + 1;
    let mut file = open_regular(path).ok()?;
    (&mut file).take(HEAD as u64).read_to_end(&mut source).ok()?;
    let kind = kind.or_else(|| recognise(&source))?;
    // Archives and layers are large, and never fixed.
    if matches!(kind, Kind::Store | Kind::Archive | Kind::Layer) {
        return None;
    }
    file.take(limit).read_to_end(&mut source).ok()?;
    let fixed = fix(kind, &source, &Limits::FORMAT)?;
    if is_in_store(path) {
        anstream::eprintln!(
            "note: {} is not fixed: it is part of a store, where names are digests; make the image again",
            path.display()
        );
        return None;
    }
    Some((source, fixed))
}

/// Whether a file belongs to a store, where its name or that of another file is its digest.
fn is_in_store(path: &Path) -> bool {
    let is_digest = |name: &str| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if path.file_stem().and_then(|name| name.to_str()).is_some_and(is_digest) {
        return true;
    }
    // A program can be called `cornercast` as well.
    let is_marker = |path: &Path| {
        let mut head = Vec::new();
        let read = open_regular(path).and_then(|file| file.take(64).read_to_end(&mut head));
        read.is_ok() && head.trim_ascii_start().starts_with(b"{")
    };
    fs::canonicalize(path).is_ok_and(|path| path.ancestors().skip(1).any(|above| is_marker(&above.join("cornercast"))))
}

/// Writes the whole file or nothing, with the permissions that it had.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mode = fs::metadata(path)?.permissions().mode() & 0o7777;
    let mut file = crate::build::temporary_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(PermissionsExt::from_mode(mode))?;
    crate::build::finish(file, path)
}
