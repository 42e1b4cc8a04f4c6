//! Unpacking an image of others, whose layers are kept while it is checked.
//!
//! What check decodes is written once, each file of each layer into a file of its own. They stand in the directory of
//! the tree, in a folder that is called as no entry can be. Those that the tree has get their names there, and the
//! folder goes.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::num::NonZero;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::disk::{Parents, Target};
use super::plan::Plan;
use super::{Options, UnpackError, Unpacked, complete, make_directories};
use crate::build::{Content, SplitArchive};
use crate::convert::{ImportedTree, KeptLayers};
use crate::digest::Hasher;
use crate::layer::{Attributes, Node};
use crate::oci::{Keep, KeepLayer};
use crate::shown::quoted;

/// The folder of the files: no entry has a name with a control character (LAY-037).
const FOLDER: &str = "\u{1}";

/// The layers of an image of others, kept in the directory that it is unpacked to.
pub struct Keeping {
    target: Target,
    /// The files that hold the layers that are wanted.
    wanted: BTreeSet<String>,
    layers: Mutex<KeptLayers>,
    failure: Mutex<Option<UnpackError>>,
}

impl Keeping {
    /// Keeps the layers in the files `wanted`, to unpack an image into the directory `to`, which must not be there or
    /// be empty.
    ///
    /// # Errors
    ///
    /// See [`UnpackError`].
    pub fn new(to: &Path, wanted: BTreeSet<String>, options: &Options) -> Result<Self, UnpackError> {
        let target = Target::create(to, options)?;
        target.make_directory(&mut Parents::default(), FOLDER)?;
        Ok(Self { target, wanted, layers: Mutex::default(), failure: Mutex::default() })
    }

    /// The layers, once they have been checked.
    ///
    /// # Errors
    ///
    /// What has failed when they were written.
    pub fn layers(&self) -> Result<KeptLayers, UnpackError> {
        match self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => Ok(std::mem::take(&mut *self.layers.lock().unwrap_or_else(PoisonError::into_inner))),
        }
    }

    /// Makes the tree of these layers, as [`super::unpack`] makes one; the image in what is returned is that of others.
    ///
    /// # Errors
    ///
    /// See [`UnpackError`].
    pub fn unpack(self, tree: &ImportedTree, options: &Options) -> Result<Unpacked, UnpackError> {
        let plan = Plan { entries: tree.tree().entries().collect(), files: Vec::new() };
        make_directories(&self.target, &plan)?;
        self.place(&plan, tree, options.jobs)?;
        let folder = self.target.itself().join(FOLDER);
        fs::remove_dir_all(folder).map_err(UnpackError::io("the folder of the files cannot be removed"))?;
        complete(self.target, &plan, tree.source, &tree.tree().summary(), options)
    }

    /// Gives the files of the tree their names and attributes.
    fn place(&self, plan: &Plan, tree: &ImportedTree, jobs: NonZero<usize>) -> Result<(), UnpackError> {
        let itself = self.target.itself();
        let mut parents = Parents::default();
        let (mut used, mut files) = (HashSet::new(), Vec::new());
        for (place, entry) in plan.entries.iter().enumerate() {
            let Node::File { attributes, size, .. } = &entry.node else { continue };
            let content = tree.content(&entry.path).ok_or(UnpackError::Changed)?;
            let kept = match content {
                Content::Kept(path, _) => path.strip_prefix(&itself).ok().and_then(Path::to_str),
                _ => None,
            };
            let from = kept.filter(|kept| used.insert(*kept));
            if from.is_none() {
                // Copied before the other one gets its attributes, which may forbid it.
                let mut copy = self.target.make_file(&mut parents, &entry.path)?;
                let copied = content.open().and_then(|mut content| io::copy(&mut content, &mut copy));
                if copied.map_err(unwritten(&quoted(&entry.path)))? != *size {
                    return Err(UnpackError::Changed);
                }
            }
            files.push(Placed { from, place, path: &entry.path, attributes });
        }
        let share = files.len().div_ceil(jobs.get()).max(1);
        std::thread::scope(|scope| {
            let shares: Vec<_> = files.chunks(share).map(|files| scope.spawn(|| self.settle(files))).collect();
            shares.into_iter().try_for_each(|share| share.join().unwrap_or(Err(UnpackError::Changed)))
        })
    }

    fn settle(&self, files: &[Placed<'_>]) -> Result<(), UnpackError> {
        let mut parents = <[Parents; 2]>::default();
        for Placed { from, place, path, attributes } in files {
            if self.target.is_stopped() {
                break;
            }
            if let Some(from) = from {
                self.target.make_link(&mut parents, from, path)?;
            }
            let [_, of_path] = &mut parents;
            let file = self.target.open_file(of_path, path)?;
            self.target.settle_file(&file, (*place, path), attributes)?;
        }
        Ok(())
    }

    fn fail(&self, error: UnpackError) {
        self.target.stop();
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    fn begin_layer(&self, number: usize) -> Result<(File, SplitArchive), UnpackError> {
        let (folder, frame) = (format!("{FOLDER}/{number}"), format!("{FOLDER}/{number}.frame"));
        let mut parents = Parents::default();
        self.target.make_directory(&mut parents, &folder)?;
        let file = self.target.make_file(&mut parents, &frame)?;
        let itself = self.target.itself();
        Ok((file, SplitArchive { frame: itself.join(frame), folder: itself.join(folder), files: BTreeMap::new() }))
    }
}

impl Keep for Keeping {
    fn layer(&self, path: &str) -> Option<Box<dyn KeepLayer + '_>> {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.wanted.contains(path) || layers.contains_key(path) {
            return None;
        }
        let number = layers.len();
        match self.begin_layer(number) {
            Ok((frame, split)) => {
                let folder = format!("{FOLDER}/{number}");
                layers.insert(path.to_owned(), split);
                let parents = Parents::default();
                Some(Box::new(Layer { keeping: self, path: path.to_owned(), folder, frame, parents, open: None }))
            }
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }
}

/// A file of the tree.
struct Placed<'a> {
    /// Where it was kept, if it is not at its place.
    from: Option<&'a str>,
    /// Its place in the plan.
    place: usize,
    path: &'a str,
    attributes: &'a Attributes,
}

/// A layer that is written.
struct Layer<'a> {
    keeping: &'a Keeping,
    /// The file of the layout.
    path: String,
    folder: String,
    frame: File,
    parents: Parents,
    open: Option<Open>,
}

/// A file of it.
struct Open {
    file: File,
    at: u64,
    size: u64,
    hasher: Hasher,
}

impl Layer<'_> {
    fn shown(&self) -> String {
        format!("the layer {}", quoted(&self.path))
    }

    fn settle(&mut self, result: Result<(), UnpackError>) {
        if let Err(error) = result {
            self.open = None;
            self.keeping.fail(error);
        }
    }

    fn end(&mut self, Open { at, size, hasher, .. }: Open) {
        let mut layers = self.keeping.layers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(split) = layers.get_mut(&self.path) {
            split.files.insert(at, (size, hasher.finish()));
        }
    }
}

impl KeepLayer for Layer<'_> {
    fn rest(&mut self, at: u64, bytes: &[u8]) {
        if !self.keeping.target.is_stopped() {
            let written = self.frame.write_all_at(bytes, at).map_err(unwritten(&self.shown()));
            self.settle(written);
        }
    }

    fn begin(&mut self, at: u64, size: u64) {
        self.open = None;
        if self.keeping.target.is_stopped() {
            return;
        }
        let path = format!("{}/{at}", self.folder);
        let made = self.keeping.target.make_file(&mut self.parents, &path);
        let made = made.map(|file| self.open = Some(Open { file, at, size, hasher: Hasher::default() }));
        self.settle(made);
    }

    fn data(&mut self, bytes: &[u8]) {
        let Some(open) = &mut self.open else { return };
        open.hasher.update(bytes);
        let written = open.file.write_all(bytes);
        if open.hasher.size() == open.size
            && let Some(open) = self.open.take()
        {
            self.end(open);
        }
        self.settle(written.map_err(unwritten(&self.shown())));
    }
}

fn unwritten(what: &str) -> impl FnOnce(io::Error) -> UnpackError {
    UnpackError::io(format!("{what} cannot be written"))
}
