//! The files that the engine has put into the instance.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Seen;
use crate::{content, entry, errno, value};

const FILES: [&str; 3] = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];
const FOLDER: &str = "/run/cornercast";

/// How much is said of what is in the folder.
const MOST: usize = 100;

/// The three files, then the folder and what is below it, siblings in the order of their bytes.
pub(super) fn files() -> Seen {
    let mut below = Vec::new();
    collect(Path::new(FOLDER), &mut below);
    let paths = FILES.iter().map(PathBuf::from).chain(below);
    Ok(paths.map(|path| described(&path)).collect())
}

/// Collects a path, and what is below it if it is a folder.
fn collect(path: &Path, paths: &mut Vec<PathBuf>) {
    if paths.len() >= MOST {
        return;
    }
    paths.push(path.to_owned());
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        let names = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut names: Vec<PathBuf> = names.collect();
        names.sort();
        for path in names {
            collect(&path, paths);
        }
    }
}

fn described(path: &Path) -> Value {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return json!({"path": value::path(path), "error": errno::symbol(&error)}),
    };
    let mut members = entry::described_in_full(path, &metadata);
    members.insert("path".to_owned(), value::path(path));
    if metadata.is_file() {
        let content: io::Result<Value> = content::beginning(path).map(|bytes| value::text(&bytes));
        members.insert("content".to_owned(), value::or_error(content));
    }
    members.into()
}
