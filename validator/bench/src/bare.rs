//! The work that no check can avoid: the same bytes decoded by the same library, the SHA-256 of each blob
//! and of each file, with the same threads. Nothing is looked at: a plan says where the files are.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::num::NonZero;
use std::path::Path;

use cornercast::store::lanes::{self, Lane, Sink};
use cornercast::store::{FileKind, path_of};
use cornercast::zstd::MAGIC;
use sha2::{Digest as _, Sha256};

use crate::image::layers;
use crate::plan::{self, Place};

/// Reads all layers and listings of a store or an archive and hashes them.
pub(crate) fn run(input: &Path, jobs: NonZero<usize>) -> io::Result<()> {
    if input.is_file() {
        return archive(input, jobs);
    }
    let mut blobs = blobs(input)?;
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

/// The same of an archive, in which the blobs come one after the other.
fn archive(path: &Path, jobs: NonZero<usize>) -> io::Result<()> {
    let mut plan = plan::read(path)?;
    let (blobs, files) = (plan.next().unwrap_or_default(), plan.next().unwrap_or_default());
    let count = blobs.len() as u64;
    let (mut flat, mut files) = (Files::new(blobs), Files::new(files));
    let mut file = File::open(path)?;
    let mut magic = [0; 4];
    file.read_exact(&mut magic)?;
    file.rewind()?;
    let mut source: Box<dyn Read + Send> =
        if magic == MAGIC { Box::new(zstd::Decoder::new(file)?) } else { Box::new(file) };
    let sinks: [Sink<'_>; 2] = [Box::new(|bytes| flat.push(bytes)), Box::new(|bytes| files.push(bytes))];
    let lane = Lane::new(Box::new(move |buffer| source.read(buffer)), sinks);
    if let Some(error) = lanes::run(vec![lane], jobs).into_iter().flatten().next() {
        return Err(error);
    }
    if flat.done != count {
        return Err(io::Error::other(format!("there are {} blobs, not {count}", flat.done)));
    }
    println!("{} {}", flat.done, files.done);
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

/// Hashes parts whose places are known, such as the files of a layer.
#[derive(Default)]
struct Files {
    plan: std::vec::IntoIter<Place>,
    at: u64,
    /// Where the current file begins and how many bytes of it are to come.
    current: Option<Place>,
    hash: Sha256,
    done: u64,
}

impl Files {
    fn new(plan: Vec<Place>) -> Self {
        Self { plan: plan.into_iter(), ..Self::default() }
    }

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
    let mut plan = plan::read(store)?;
    let mut blobs = Vec::new();
    for (listing, layer) in layers(store)? {
        for (digest, files) in [(listing, Vec::new()), (layer, plan.next().unwrap_or_default())] {
            let plain = store.join(path_of(&FileKind::Blob(digest)));
            let is_packed = !plain.exists();
            blobs.push(Blob {
                name: digest.to_string(),
                source: None,
                path: if is_packed { store.join(path_of(&FileKind::Packed(digest))) } else { plain },
                is_packed,
                flat: Sha256::new(),
                files: Files::new(files),
            });
        }
    }
    Ok(blobs)
}
