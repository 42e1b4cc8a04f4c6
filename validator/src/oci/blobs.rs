//! The blobs of an image layout: what names them, and whether they are what their names say (OCI-006 to OCI-008,
//! OCI-026).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};

use super::descriptor::{Descriptor, Spot};
use super::digest;
use super::keep::Pass;
use super::reading::{Key, Layers, Read, Reading, run};
use super::stored::Compression;
use crate::clause::{self, Clause};
use crate::diagnostic::{Findings, MAX_VIOLATIONS, Place, Violation};
use crate::limits::Limits;
use crate::store::{Extent, Files};

/// The blobs of a layout.
pub(super) struct Blobs<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) limits: &'a Limits,
    /// By digest; `None` for what is no regular file.
    pub(super) present: BTreeMap<String, Option<Blob>>,
    /// The descriptors of each digest.
    named: BTreeMap<String, Vec<Mention>>,
    /// The digests that are named, in the order in which they were first.
    order: Vec<String>,
    /// Violations at places of documents that are no longer at hand.
    late: usize,
    /// All files of the layout are known, so that one can be missing.
    complete: bool,
}

/// A blob, as far as it has been looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Blob {
    #[default]
    Unread,
    /// It is not what its digest names.
    Other,
    /// It is, as far as that can be told, and has this length.
    Named(u64),
}

/// A descriptor in a document.
struct Mention {
    document: String,
    spot: Spot,
    size_spot: Spot,
    size: Option<u64>,
    /// Whether it is missed if it is not there.
    wanted: bool,
}

impl<'a> Blobs<'a> {
    pub(super) fn new(files: &'a dyn Files, limits: &'a Limits, complete: bool) -> Self {
        let (present, named) = (BTreeMap::new(), BTreeMap::new());
        Self { files, limits, present, named, order: Vec::new(), late: 0, complete }
    }

    /// Remembers a descriptor in the file `document`.
    pub(super) fn name(&mut self, document: &str, descriptor: &Descriptor, wanted: bool) {
        let Some(digest) = &descriptor.digest else { return };
        let mentions = self.named.entry(digest.clone()).or_default();
        if mentions.is_empty() {
            self.order.push(digest.clone());
        }
        mentions.push(Mention {
            document: document.to_owned(),
            spot: descriptor.spot.clone(),
            size_spot: descriptor.size_spot.clone(),
            size: descriptor.size,
            wanted: wanted && !descriptor.is_elsewhere,
        });
    }

    /// OCI-006, once for each blob. Whether it is the one that its digest names.
    pub(super) fn judge(
        &mut self,
        digest: &str,
        seen: (u64, Option<String>),
        findings: &mut Findings,
    ) -> io::Result<bool> {
        let (length, content) = seen;
        let is_named = content.as_ref().is_none_or(|content| content == digest);
        let Some(Some(blob)) = self.present.get_mut(digest) else { return Ok(is_named) };
        if *blob != Blob::Unread {
            return Ok(is_named);
        }
        *blob = if is_named { Blob::Named(length) } else { Blob::Other };
        if let Some(content) = content.filter(|_| !is_named) {
            let place = Place::bytes(0..length).file(digest::path(digest));
            let message = format!("the content has the digest {content}");
            let mut violation = Violation::new(&clause::OCI_006, place, message);
            if let Some(Mention { document, spot, .. }) = self.named.get(digest).and_then(|mentions| mentions.first()) {
                violation = violation.and(self.place(document, spot)?, "its descriptor is here");
            }
            findings.add(violation);
        }
        Ok(is_named)
    }

    /// A place of a document that is no longer at hand.
    fn place(&self, document: &str, spot: &Spot) -> io::Result<Place> {
        let bytes = spot.bytes.start as u64..spot.bytes.end as u64;
        let place = Place::value(&spot.pointer, bytes).file(document);
        // Where there are very many, they do without an excerpt.
        if self.late >= MAX_VIOLATIONS {
            return Ok(place);
        }
        let mut source = Vec::new();
        self.files.open(document)?.take(self.limits.oci_document).read_to_end(&mut source)?;
        Ok(place.text_excerpt(&source))
    }

    /// A violation at a place of a document that is no longer at hand.
    pub(super) fn late(
        &mut self,
        clause: &'static Clause,
        document: &str,
        spot: &Spot,
        message: impl Into<String>,
    ) -> io::Result<Violation> {
        let place = self.place(document, spot)?;
        self.late += 1;
        Ok(Violation::new(clause, place, message))
    }

    /// Reads every blob that is not a document, named or not, and walks `layers`; says what is wrong with them.
    pub(super) fn read(
        &mut self,
        pass: Pass<'_>,
        layers: &BTreeSet<Key>,
        findings: &mut Findings,
    ) -> io::Result<Layers> {
        let unnamed = self.present.keys().filter(|digest| !self.named.contains_key(*digest));
        let all: Vec<String> = self.order.iter().chain(unnamed).cloned().collect();
        let mut readings = Vec::new();
        for digest in &all {
            let Some(Some(blob)) = self.present.get(digest) else { continue };
            let path = digest::path(digest);
            // A plain layer is the same decoded; no other can be known without that.
            let is_known = |key: &&Key| {
                pass.extent == Extent::Whole
                    || key.compression == Some(Compression::Plain) && digest.starts_with("sha256:")
            };
            let as_layer = layers.iter().filter(|key| key.path == path).filter(is_known);
            let before = readings.len();
            readings.extend(as_layer.map(|key| Reading::of_layer(pass, key.clone(), digest, self.limits)));
            if readings.len() == before && *blob == Blob::Unread {
                readings.push(Reading::of_blob(&path, digest, self.limits));
            }
        }
        let mut read: BTreeMap<String, Vec<Read>> = BTreeMap::new();
        for (path, done) in run(readings, self.files, self.limits, pass.jobs)? {
            read.entry(path).or_default().push(done);
        }
        let mut walked = Layers::new();
        for digest in all {
            let path = digest::path(&digest);
            for Read { seen, layer } in read.remove(&path).unwrap_or_default() {
                let is_named = self.judge(&digest, seen, findings)?;
                if let (true, Some((key, mut layer))) = (is_named, layer) {
                    findings.extend(layer.take_violations());
                    walked.insert(key, layer);
                }
            }
            self.judge_mentions(&digest, findings)?;
        }
        Ok(walked)
    }

    /// OCI-007 and OCI-026: a blob against the descriptors that name it.
    fn judge_mentions(&mut self, digest: &str, findings: &mut Findings) -> io::Result<()> {
        let mentions = self.named.get_mut(digest).map(std::mem::take).unwrap_or_default();
        let length = match self.present.get(digest) {
            None => {
                let wanted = mentions.iter().find(|mention| mention.wanted && self.complete);
                if let Some(Mention { document, spot, .. }) = wanted {
                    let message = format!("the blob {digest} is missing");
                    findings.add(self.late(&clause::OCI_007, document, spot, message)?);
                }
                return Ok(());
            }
            Some(Some(Blob::Named(length))) => *length,
            Some(_) => return Ok(()),
        };
        for Mention { document, size_spot, size, .. } in &mentions {
            if let Some(size) = size.filter(|size| *size != length) {
                let message = format!("the size is {size}; the blob {digest} has {length} bytes");
                findings.add(self.late(&clause::OCI_026, document, size_spot, message)?);
            }
        }
        Ok(())
    }

    /// OCI-008
    pub(super) fn judge_unnamed(&self, findings: &mut Findings) {
        let unnamed = self
            .present
            .iter()
            .filter(|(digest, blob)| !self.named.contains_key(*digest) && **blob != Some(Blob::Other));
        for (digest, _) in unnamed {
            let place = Place::default().file(digest::path(digest));
            findings.add(Violation::new(&clause::OCI_008, place, "no index or manifest names the blob"));
        }
    }
}
