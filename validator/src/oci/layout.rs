//! A check of an image layout.

use std::collections::BTreeSet;
use std::io::{self, Read};

use super::blobs::{Blob, Blobs};
use super::config::judge_config;
use super::descriptor::Descriptor;
use super::digest::{self, Hasher};
use super::document::Document;
use super::image::{Image, judge_layers, key};
use super::keep::Pass;
use super::manifest::{self, INDEX, is_config, is_index, is_manifest, judge_index, judge_manifest, judge_names};
use super::reading::Key;
use super::stored::Compression;
use crate::clause;
use crate::diagnostic::{Findings, Place, Violation};
use crate::limits::Limits;
use crate::shown::{quoted, shown};
use crate::store::{Extent, Files, Listed};

/// Checks an image layout and all images in it, and adds what is wrong to `findings`. The number of threads changes
/// nothing that is found.
///
/// # Errors
///
/// Errors of the file system, which leave the check incomplete.
pub fn check_layout(pass: Pass<'_>, files: &dyn Files, limits: &Limits, findings: &mut Findings) -> io::Result<()> {
    check_files(pass, files, true, Vec::new(), limits, findings)
}

/// The same of a layout in an archive with `violations`, whose files are all known if it is `complete`.
pub(super) fn check_files(
    pass: Pass<'_>,
    files: &dyn Files,
    complete: bool,
    violations: Vec<Violation>,
    limits: &Limits,
    findings: &mut Findings,
) -> io::Result<()> {
    let mut listed = files.list()?;
    listed.sort();
    let mut layout = Layout {
        limits,
        findings,
        present: BTreeSet::new(),
        blobs: Blobs::new(files, limits, complete),
        images: Vec::new(),
        read: BTreeSet::new(),
        complete: true,
        is_store: listed.iter().any(|file| file.path == STORE),
    };
    let of_files = layout.files(&listed, complete);
    if layout.marker()? {
        layout.findings.extend(violations.into_iter().chain(of_files));
        layout.index()?;
        layout.layers(pass)?;
    }
    Ok(())
}

const MARKER: &str = "oci-layout";
const ROOT: &str = "index.json";
/// The marker of a store.
const STORE: &str = "cornercast";

struct Layout<'a> {
    limits: &'a Limits,
    findings: &'a mut Findings,
    /// Which of [`MARKER`] and [`ROOT`] are there as files.
    present: BTreeSet<&'static str>,
    blobs: Blobs<'a>,
    images: Vec<Image>,
    /// The documents that have been read, by digest and what they were read as.
    read: BTreeSet<(String, As)>,
    /// Every index and manifest that can be reached has been read, and has nothing that hides what it names.
    complete: bool,
    /// The layout is a store as well, whose manifests name blobs that no index does.
    is_store: bool,
}

/// What a document is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum As {
    Index,
    Manifest,
    Config,
}

impl Layout<'_> {
    /// OCI-001, OCI-004, OCI-005, OCI-009
    fn files(&mut self, listed: &[Listed], complete: bool) -> Vec<Violation> {
        let mut out = Vec::new();
        for Listed { path, irregular } in listed {
            let place = || Place::default().file(shown(path));
            let known = [MARKER, ROOT].into_iter().find(|known| known == path);
            let blob = path.strip_prefix("blobs/");
            if known.is_none() && blob.is_none() {
                continue;
            }
            if let Some(irregular) = irregular {
                let message = format!("the file is {irregular}, which is not opened");
                out.push(Violation::new(&clause::OCI_009, place(), message));
            }
            self.present.extend(known.filter(|_| irregular.is_none()));
            let Some(blob) = blob else {
                self.complete &= irregular.is_none();
                continue;
            };
            let digest = blob.replacen('/', ":", 1);
            let flaw = if blob.contains('/') { digest::flaw(&digest) } else { Some("it has no algorithm".to_owned()) };
            match flaw {
                None => {
                    self.blobs.present.insert(digest, irregular.is_none().then(Blob::default));
                }
                Some(flaw) => {
                    let message = format!("the path is not that of a digest: {flaw}");
                    out.push(Violation::new(&clause::OCI_005, place(), message));
                }
            }
        }
        for (name, clause) in [(MARKER, &clause::OCI_001), (ROOT, &clause::OCI_004)] {
            if !listed.iter().any(|file| file.path == name) {
                self.complete &= name != ROOT;
                if complete {
                    let message = format!("the layout has no file `{name}`");
                    out.push(Violation::new(clause, Place::default(), message));
                }
            }
        }
        out
    }

    /// OCI-002, OCI-003. Whether the layout is of a version that can be judged.
    fn marker(&mut self) -> io::Result<bool> {
        if !self.present.contains(MARKER) {
            return Ok(true);
        }
        let mut document = self.open(MARKER)?;
        let mut is_known = true;
        if let Some(root) = document.root.take() {
            let member = root.get("imageLayoutVersion").filter(|node| !document.is_null(node));
            match member.map(|node| (node, node.as_str())) {
                Some((node, Some(version))) if version != "1.0.0" => {
                    let message = format!("the layout is of version {}", quoted(version));
                    document.report(&clause::OCI_003, node, "/imageLayoutVersion", message);
                    is_known = false;
                }
                Some((_, Some(_))) => {}
                Some((node, None)) => {
                    let message = format!("`imageLayoutVersion` is {}, not a string", node.value.type_name());
                    document.report(&clause::OCI_002, node, "/imageLayoutVersion", message);
                }
                None => {
                    document.report(&clause::OCI_002, &root, "", "the member `imageLayoutVersion` is missing");
                }
            }
        }
        let violations = document.take_violations();
        let is_judged = |violation: &Violation| is_known || violation.clause == &clause::OCI_003;
        self.findings.extend(violations.into_iter().filter(is_judged));
        Ok(is_known)
    }

    /// Reads at most one byte more of a document than the limit.
    fn open(&self, path: &str) -> io::Result<Document> {
        let mut source = Vec::new();
        self.blobs.files.open(path)?.take(self.limits.oci_document + 1).read_to_end(&mut source)?;
        Ok(Document::read(path, source, self.limits))
    }

    /// Everything that can be reached from `index.json`.
    fn index(&mut self) -> io::Result<()> {
        if !self.present.contains(ROOT) {
            return Ok(());
        }
        let mut document = self.open(ROOT)?;
        let index = judge_index(&mut document, INDEX);
        if let Some(index) = &index {
            judge_names(&mut document, index);
        }
        self.close(document);
        match index {
            Some(index) => self.follow(ROOT, index, 1),
            None => Ok(()),
        }
    }

    /// What is wrong with a document.
    fn close(&mut self, mut document: Document) {
        let violations = document.take_violations();
        let may_hide = |violation: &Violation| {
            matches!(violation.clause.id, "OCI-015" | "OCI-016" | "OCI-022" | "OCI-023" | "OCI-025")
        };
        self.complete &= document.root.is_some() && !violations.iter().any(may_hide);
        self.findings.extend(violations);
    }

    /// The documents that an index names.
    fn follow(&mut self, path: &str, index: manifest::Index, depth: usize) -> io::Result<()> {
        self.name(path, index.subject.as_ref(), false);
        self.name(path, &index.manifests, true);
        for descriptor in index.manifests {
            if is_index(&descriptor.media_type) {
                // OCI-032
                if depth == self.limits.oci_indexes {
                    let message = format!("indexes name one another more than {depth} deep");
                    self.findings.add(self.blobs.late(&clause::OCI_032, path, &descriptor.spot, message)?);
                    self.complete = false;
                    continue;
                }
                let Some(mut document) = self.document(&descriptor, As::Index)? else { continue };
                let nested = judge_index(&mut document, &descriptor.media_type);
                let path = document.path.clone();
                self.close(document);
                if let Some(nested) = nested {
                    self.follow(&path, nested, depth + 1)?;
                }
            } else if is_manifest(&descriptor.media_type) {
                let Some(mut document) = self.document(&descriptor, As::Manifest)? else { continue };
                let manifest = judge_manifest(&mut document, &descriptor.media_type);
                let path = document.path.clone();
                self.close(document);
                if let Some(manifest) = manifest {
                    self.manifest(path, &descriptor, manifest)?;
                }
            }
        }
        Ok(())
    }

    /// Remembers what a document names.
    fn name<'d>(&mut self, document: &str, descriptors: impl IntoIterator<Item = &'d Descriptor>, wanted: bool) {
        for descriptor in descriptors {
            self.blobs.name(document, descriptor, wanted);
        }
    }

    /// What a manifest names.
    fn manifest(&mut self, path: String, descriptor: &Descriptor, manifest: manifest::Manifest) -> io::Result<()> {
        self.name(&path, manifest.subject.as_ref(), false);
        self.name(&path, manifest.config.iter().chain(&manifest.layers), true);
        let layers = manifest.layers;
        let has_layer = layers.iter().any(|layer| Compression::of_media_type(&layer.media_type).is_some());
        let is_image = layers.is_empty() || has_layer;
        let Some(config) = manifest.config.filter(|config| is_image && is_config(&config.media_type)) else {
            return Ok(());
        };
        judge_layers(&path, manifest.layers_spot.as_ref(), &layers, &mut self.blobs, self.findings)?;
        let layers = manifest.layers_spot.map(|_| layers.iter().map(key).collect());
        let mut image = Image { layers, config: None };
        if let Some(mut document) = self.document(&config, As::Config)? {
            image.config = judge_config(&mut document, Some(descriptor));
            self.findings.extend(document.take_violations());
        }
        self.images.push(image);
        Ok(())
    }

    /// The document that a descriptor names, once for each way to read it; what is wrong with the blob is reported.
    fn document(&mut self, descriptor: &Descriptor, kind: As) -> io::Result<Option<Document>> {
        let Some(digest) = &descriptor.digest else { return Ok(None) };
        if !matches!(self.blobs.present.get(digest), Some(Some(_))) {
            self.complete &= kind == As::Config;
            return Ok(None);
        }
        if !self.read.insert((digest.clone(), kind)) {
            return Ok(None);
        }
        let path = digest::path(digest);
        let mut source = Vec::new();
        self.blobs.files.open(&path)?.take(self.limits.oci_document + 1).read_to_end(&mut source)?;
        let seen = Hasher::of(digest, &source);
        // One that is too long is hashed with the other blobs.
        let is_short = source.len() as u64 <= self.limits.oci_document;
        if is_short && !self.blobs.judge(digest, seen, self.findings)? {
            self.complete &= kind == As::Config;
            return Ok(None);
        }
        Ok(Some(Document::read(&path, source, self.limits)))
    }

    /// The blobs that are no documents, and what the images make of them.
    fn layers(&mut self, pass: Pass<'_>) -> io::Result<()> {
        let keys: BTreeSet<Key> = self.images.iter().flat_map(Image::keys).cloned().collect();
        let walked = self.blobs.read(pass, &keys, self.findings)?;
        let mut judged = BTreeSet::new();
        for image in &self.images {
            image.judge_config(&mut self.blobs, &walked, self.findings)?;
            if pass.extent == Extent::Whole {
                image.judge_tree(&mut self.blobs, &walked, &mut judged, self.findings)?;
            }
        }
        if self.complete && !self.is_store {
            self.blobs.judge_unnamed(self.findings);
        }
        Ok(())
    }
}
