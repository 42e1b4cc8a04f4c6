//! Images as `docker save` writes them (OCI-038, OCI-090 to OCI-092).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};

use super::blobs::Blobs;
use super::config::judge_config;
use super::digest::Hasher;
use super::document::{Document, below};
use super::image::Image;
use super::keep::Pass;
use super::reading::{Key, Layers, Reading, run};
use super::table;
use crate::clause;
use crate::diagnostic::{Findings, Place, Violation};
use crate::json::Node;
use crate::limits::Limits;
use crate::shown::{quoted, shown};
use crate::store::{Extent, Files, Listed};

/// The file that names the images.
pub(super) const MANIFEST: &str = "manifest.json";

/// Checks images as `docker save` writes them, in a directory, and adds what is wrong to `findings`. The number of
/// threads changes nothing that is found.
///
/// # Errors
///
/// Errors of the file system, which leave the check incomplete.
pub fn check_saved(pass: Pass<'_>, files: &dyn Files, limits: &Limits, findings: &mut Findings) -> io::Result<()> {
    check_saved_files(pass, files, true, limits, findings)
}

/// The same of an archive, whose files are all known if it is `complete`.
pub(super) fn check_saved_files(
    pass: Pass<'_>,
    files: &dyn Files,
    complete: bool,
    limits: &Limits,
    findings: &mut Findings,
) -> io::Result<()> {
    let listed = files.list()?.into_iter().map(|Listed { path, irregular }| (path, irregular)).collect();
    let mut saved = Saved { files, limits, complete, listed, reported: BTreeSet::new(), findings };
    let Some(images) = saved.manifest()? else { return Ok(()) };
    let mut keys = BTreeSet::new();
    let mut found = Vec::new();
    for named in images {
        let config = match &named.config {
            Some(path) => saved.config(path)?,
            None => None,
        };
        let layers: Option<Vec<Option<Key>>> = named.layers.map(|layers| layers.into_iter().map(layer).collect());
        let image = Image { layers, config };
        keys.extend(image.keys().cloned());
        found.push(image);
    }
    let readings = keys.into_iter().map(|key| Reading::of_layer(pass, key, "", limits)).collect();
    let mut walked = Layers::new();
    for (_, read) in run(readings, files, limits, pass.jobs)? {
        if let Some((key, mut layer)) = read.layer {
            findings.extend(layer.take_violations());
            walked.insert(key, layer);
        }
    }
    let mut blobs = Blobs::new(files, limits, complete);
    let mut judged = BTreeSet::new();
    for image in &found {
        image.judge_config(&mut blobs, &walked, findings)?;
        if pass.extent == Extent::Whole {
            image.judge_tree(&mut blobs, &walked, &mut judged, findings)?;
        }
    }
    Ok(())
}

/// What a layer is read as, if its file is there.
fn layer(path: Option<String>) -> Option<Key> {
    Some(Key { path: path?, compression: None })
}

/// An image as the manifest names it: its config and its layers, where they are there.
struct Named {
    config: Option<String>,
    layers: Option<Vec<Option<String>>>,
}

struct Saved<'a> {
    files: &'a dyn Files,
    limits: &'a Limits,
    complete: bool,
    /// The files, each with what it is if it is no regular file.
    listed: BTreeMap<String, Option<&'static str>>,
    /// Files that have been reported.
    reported: BTreeSet<String>,
    findings: &'a mut Findings,
}

impl Saved<'_> {
    fn open(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut source = Vec::new();
        self.files.open(path)?.take(self.limits.oci_document + 1).read_to_end(&mut source)?;
        Ok(source)
    }

    /// OCI-009: whether a file that is named can be opened, if it is there at all.
    fn can_open(&mut self, path: &str) -> Option<bool> {
        let irregular = *self.listed.get(path)?;
        if let Some(irregular) = irregular
            && self.reported.insert(path.to_owned())
        {
            let message = format!("the file is {irregular}, which is not opened");
            self.findings.add(Violation::new(&clause::OCI_009, Place::default().file(shown(path)), message));
        }
        Some(irregular.is_none())
    }

    /// OCI-090, OCI-091: the images that `manifest.json` names.
    fn manifest(&mut self) -> io::Result<Option<Vec<Named>>> {
        match self.can_open(MANIFEST) {
            Some(true) => {}
            Some(false) => return Ok(None),
            None => {
                if self.complete {
                    let message = format!("there is no file `{MANIFEST}`");
                    self.findings.add(Violation::new(&clause::OCI_091, Place::default(), message));
                }
                return Ok(None);
            }
        }
        let mut document = Document::read_array(MANIFEST, self.open(MANIFEST)?, self.limits);
        let elements = document.root.as_ref().map(|root| root.elements().to_vec());
        let mut images = Vec::new();
        for (number, element) in elements.iter().flatten().enumerate() {
            let pointer = format!("/{number}");
            if document.judge_element(element, &pointer, &table::SAVED) {
                images.push(self.named(&mut document, element, &pointer));
            }
        }
        self.findings.extend(document.take_violations());
        Ok(elements.map(|_| images))
    }

    fn named(&mut self, document: &mut Document, element: &Node, pointer: &str) -> Named {
        let config = element.get("Config").and_then(|node| self.file(document, node, &below(pointer, "Config")));
        let layers = element.get("Layers").filter(|node| document.is_array(node)).map(|node| {
            let pointer = below(pointer, "Layers");
            // OCI-038
            if node.elements().is_empty() {
                document.report(&clause::OCI_038, node, &pointer, "the image has no layer");
            }
            let each = node.elements().iter().enumerate();
            each.map(|(at, node)| self.file(document, node, &format!("{pointer}/{at}"))).collect()
        });
        Named { config, layers }
    }

    /// OCI-091: a file that the manifest names.
    fn file(&mut self, document: &mut Document, node: &Node, pointer: &str) -> Option<String> {
        let path = node.as_str()?;
        match self.can_open(path) {
            Some(can_open) => can_open.then(|| path.to_owned()),
            None => {
                if self.complete && self.reported.insert(path.to_owned()) {
                    let message = format!("the file {} is missing", quoted(path));
                    document.report(&clause::OCI_091, node, pointer, message);
                }
                None
            }
        }
    }

    /// OCI-092, and what is wrong with a config.
    fn config(&mut self, path: &str) -> io::Result<Option<super::config::Config>> {
        let source = self.open(path)?;
        let name = path.strip_prefix("blobs/sha256/").or_else(|| path.strip_suffix(".json")).unwrap_or_default();
        let digest = format!("sha256:{name}");
        if super::digest::flaw(&digest).is_none() && source.len() as u64 <= self.limits.oci_document {
            let (length, content) = Hasher::of(&digest, &source);
            if let Some(content) = content.filter(|content| *content != digest) {
                if self.reported.insert(path.to_owned()) {
                    let message = format!("the config has the digest {content}, not the one in its name");
                    let place = Place::bytes(0..length).file(path);
                    self.findings.add(Violation::new(&clause::OCI_092, place, message));
                }
                return Ok(None);
            }
        }
        let mut document = Document::read(path, source, self.limits);
        let config = judge_config(&mut document, None);
        let violations = document.take_violations();
        if self.reported.insert(path.to_owned()) {
            self.findings.extend(violations);
        }
        Ok(config)
    }
}
