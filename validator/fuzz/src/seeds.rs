//! Where the fuzz targets begin: the inputs of the conformance cases.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cornercast::tar::{END, EntryHeader, header_bytes, padding};
use cornercast::zstd::MAGIC;
use serde_json::Value;

/// Longer inputs make fuzzing slow.
const LONGEST: usize = 32 << 10;

/// An input that a case keeps.
#[derive(Debug, Clone)]
pub struct Seed {
    /// The folder of the case below `fixtures/`.
    pub case: String,
    /// The kind of the input, as `check --as` calls it.
    pub kind: String,
    /// Whether the case is accepted, without a finding.
    pub accepted: bool,
    /// The input; for a store or layout a tar archive of its files in the order of their paths.
    pub bytes: Vec<u8>,
}

impl Seed {
    /// Whether the seed says something to a fuzz target, and is not too long for it.
    pub fn suits(&self, target: &str) -> bool {
        let suits = match target {
            "json" => {
                matches!(self.kind.as_str(), "strict" | "canonical" | "manifest" | "marker" | "index" | "listing")
            }
            "tar" => matches!(self.kind.as_str(), "layer" | "archive") && !self.bytes.starts_with(&MAGIC),
            "listing" => matches!(self.kind.as_str(), "listing" | "rootfs"),
            "zstd" => self.kind != "oci-layer" && self.bytes.starts_with(&MAGIC),
            "oci_layer" => self.kind == "oci-layer",
            "trusted" => {
                matches!(self.kind.as_str(), "release" | "keyring" | "catalog" | "attestation" | "policy" | "state")
            }
            // A log proof ends with a checkpoint.
            "checkpoint" => self.kind == "proof",
            // A layout is kept as an archive here.
            "oci_archive" => matches!(self.kind.as_str(), "oci-layout" | "oci-archive"),
            other => self.kind == other,
        };
        suits && self.bytes.len() <= LONGEST
    }
}

/// The inputs that the cases below `fixtures` keep, in the order of their folders.
///
/// # Errors
///
/// Errors of the file system; `InvalidData` if a `case.json` is not one.
pub fn seeds(fixtures: &Path) -> io::Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    for clause in folders(fixtures)? {
        for case in folders(&clause)? {
            if !case.join("case.json").is_file() {
                continue;
            }
            let description: Value = serde_json::from_slice(&fs::read(case.join("case.json"))?)?;
            let text = |pointer| description.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            let input = case.join(text("/input"));
            // The input of a recipe is not kept; of what something is made, the laws say nothing.
            if text("/input").is_empty() || text("/role") != "validate" {
                continue;
            }
            let bytes = if input.is_dir() { tar_of(&input)? } else { fs::read(&input)? };
            seeds.push(Seed {
                case: case.strip_prefix(fixtures).unwrap_or(&case).to_string_lossy().into_owned(),
                kind: text("/as"),
                accepted: text("/expect/verdict") == "accepted" && description.pointer("/expect/findings").is_none(),
                bytes,
            });
        }
    }
    Ok(seeds)
}

/// The folders in `folder`, sorted.
fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = entries(folder)?;
    paths.retain(|path| path.is_dir());
    Ok(paths)
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// The files of a store or layout as a tar archive.
fn tar_of(store: &Path) -> io::Result<Vec<u8>> {
    let mut files = Vec::new();
    let mut open = vec![store.to_owned()];
    while let Some(folder) = open.pop() {
        for path in entries(&folder)? {
            if path.is_dir() {
                open.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut tar = Vec::new();
    for file in files {
        let data = fs::read(&file)?;
        let path = file.strip_prefix(store).unwrap_or(&file).to_string_lossy().into_owned();
        let (size, mode) = (data.len() as u64, 0o644);
        tar.extend(header_bytes(&EntryHeader { typeflag: b'0', path: &path, mode, size, ..EntryHeader::default() }));
        tar.extend_from_slice(&data);
        tar.resize(tar.len() + padding(size), 0);
    }
    tar.extend_from_slice(&END);
    Ok(tar)
}
