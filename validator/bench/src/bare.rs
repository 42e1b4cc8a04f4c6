//! The work that no check can avoid: the same bytes decoded by the same library, the SHA-256 of each blob
//! and of each file, with the same threads. Nothing is looked at: a plan says where the files are.

use std::fs::{self, File};
use std::io::{self, Read};
use std::num::NonZero;
use std::path::Path;

use cornercast::store::lanes::{self, Lane, Sink};
use cornercast::store::{FileKind, path_of};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::image::plan_of;

/// Reads all layers and listings of the store and hashes them.
pub(crate) fn run(store: &Path, jobs: NonZero<usize>) -> io::Result<()> {
    let mut blobs = blobs(store)?;
    let lanes = blobs.iter_mut().map(Blob::lane).collect();
    if let Some(error) = lanes::run(lanes, jobs).into_iter().flatten().next() {
        return Err(error);
    }
    let digests = blobs.into_iter().map(|blob| (blob.name, blob.flat.finalize(), blob.files.done));
    for (name, flat, files) in digests {
        let hex: String = flat.iter().map(|byte| format!("{byte:02x}")).collect();
        if !name.ends_with(&hex) {
            return Err(io::Error::other(format!("{name} has the digest {hex}")));
        }
        println!("{name} {files}");
    }
    Ok(())
}

struct Blob {
    name: String,
    source: Option<Box<dyn Read + Send>>,
    path: std::path::PathBuf,
    is_packed: bool,
    flat: Sha256,
    files: Files,
}

impl Blob {
    fn lane(&mut self) -> Lane<'_> {
        let Self { source, path, is_packed, flat, files, .. } = self;
        let take: Sink<'_> = Box::new(|bytes| files.push(bytes));
        Lane::new(
            Box::new(move |buffer| {
                if source.is_none() {
                    let file = File::open(&*path)?;
                    *source = Some(if *is_packed { Box::new(zstd::Decoder::new(file)?) } else { Box::new(file) });
                }
                source.as_mut().map_or(Ok(0), |source| source.read(buffer))
            }),
            [Box::new(|bytes| flat.update(bytes)), take],
        )
    }
}

/// Hashes the files of a layer, whose places are known.
#[derive(Default)]
struct Files {
    plan: std::vec::IntoIter<(u64, u64)>,
    at: u64,
    /// Where the current file begins and how many bytes of it are to come.
    current: Option<(u64, u64)>,
    hash: Sha256,
    done: u64,
}

impl Files {
    fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Some((start, left)) = self.current.or_else(|| self.plan.next()) else { return };
            let skip = usize::try_from(start.saturating_sub(self.at)).unwrap_or(usize::MAX).min(bytes.len());
            self.at += skip as u64;
            bytes = bytes.get(skip..).unwrap_or_default();
            if self.at < start {
                self.current = Some((start, left));
                return;
            }
            let used = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            self.hash.update(bytes.get(..used).unwrap_or_default());
            self.at += used as u64;
            bytes = bytes.get(used..).unwrap_or_default();
            let left = left - used as u64;
            self.current = (left > 0).then_some((self.at, left));
            if left == 0 {
                let digest = std::mem::take(&mut self.hash).finalize();
                self.done += u64::from(digest.iter().any(|byte| *byte != 0));
            }
        }
    }
}

/// The listings and layers that the store's manifest names.
fn blobs(store: &Path) -> io::Result<Vec<Blob>> {
    let images = store.join("images/sha256").read_dir()?.collect::<io::Result<Vec<_>>>()?;
    let [image] = images.as_slice() else { return Err(io::Error::other("there is not one image")) };
    let manifest: Value = serde_json::from_slice(&fs::read(image.path())?)?;
    let plan = fs::read(plan_of(store))?;
    let (words, _) = plan.as_chunks::<8>();
    let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
    let mut blobs = Vec::new();
    for layer in manifest.pointer("/layers").and_then(Value::as_array).into_iter().flatten() {
        let digest = |pointer: &str| {
            let text = layer.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            cornercast::digest::Digest::parse(text).ok_or_else(|| io::Error::other("a digest is missing"))
        };
        let count = words.next().unwrap_or_default();
        let files = (0..count).filter_map(|_| Some((words.next()?, words.next()?))).collect::<Vec<_>>();
        for (digest, files) in [(digest("/listing/digest")?, Vec::new()), (digest("/digest")?, files)] {
            let plain = store.join(path_of(&FileKind::Blob(digest)));
            let is_packed = !plain.exists();
            blobs.push(Blob {
                name: digest.to_string(),
                source: None,
                path: if is_packed { store.join(path_of(&FileKind::Packed(digest))) } else { plain },
                is_packed,
                flat: Sha256::new(),
                files: Files { plan: files.into_iter(), ..Files::default() },
            });
        }
    }
    Ok(blobs)
}
