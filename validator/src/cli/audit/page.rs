//! What an audit says, as headings, rows and tables: the same for text and HTML.

use super::{inventory, trust};
use crate::audit::{Audit, Decision, ImageSeen, Privileges};
use crate::manifest::{Attachment, Platform};
use crate::shown::size;

/// A page.
pub(super) struct Page {
    pub(super) title: String,
    pub(super) parts: Vec<Part>,
}

/// A heading and what stands below it.
#[derive(Default)]
pub(super) struct Part {
    pub(super) title: String,
    /// Whether it belongs to the part before that is no detail.
    pub(super) is_detail: bool,
    pub(super) note: Option<&'static str>,
    /// Names and values.
    pub(super) rows: Vec<(&'static str, String)>,
    pub(super) table: Option<Table>,
}

/// A table with a row at least.
pub(super) struct Table {
    pub(super) columns: &'static [&'static str],
    pub(super) rows: Vec<Vec<String>>,
}

impl Part {
    pub(super) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    pub(super) fn detail(title: impl Into<String>) -> Self {
        Self { is_detail: true, ..Self::new(title) }
    }

    pub(super) fn note(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }

    pub(super) fn row(&mut self, name: &'static str, value: impl ToString) {
        self.rows.push((name, value.to_string()));
    }

    /// A row if there is a value.
    pub(super) fn maybe(&mut self, name: &'static str, value: Option<&impl ToString>) {
        self.rows.extend(value.map(|value| (name, value.to_string())));
    }

    /// A table; none without rows.
    pub(super) fn table(mut self, columns: &'static [&'static str], rows: Vec<Vec<String>>) -> Self {
        self.table = (!rows.is_empty()).then_some(Table { columns, rows });
        self
    }
}

/// The page of an audit.
pub(super) fn page(audit: &Audit) -> Page {
    let Audit { image, trust, verdict, privileges, inventory, attachments } = audit;
    let mut parts = vec![identity(image), layers(image)];
    parts.extend(verdict.as_ref().map(decision));
    trust::push(&mut parts, trust);
    parts.push(privileges.as_ref().map_or_else(no_app, asked));
    inventory::push(&mut parts, inventory);
    parts.push(documents(attachments));
    Page { title: format!("Audit of {}:{}", image.name, image.version), parts }
}

fn identity(image: &ImageSeen) -> Part {
    let mut part = Part::new("Image");
    part.row("name", &image.name);
    part.row("version", &image.version);
    part.row("platform", platform(&image.platform));
    part.row("image", image.id);
    part.row("manifest", format!("{} bytes", image.size));
    part.maybe("created", image.created.as_ref());
    if let Some(base) = &image.base {
        let layers = if base.layers == 1 { "layer" } else { "layers" };
        part.row("base", format!("{}:{}@{}, {} {layers}", base.name, base.version, base.image, base.layers));
    }
    part.row("rootfs", image.rootfs.digest);
    part.row("entries", image.rootfs.entries);
    part.row("directories", image.counts.directories);
    part.row("files", image.counts.files);
    part.row("hard links", image.counts.hardlinks);
    part.row("symbolic links", image.counts.symlinks);
    part.row("bytes of files", image.rootfs.size);
    part
}

fn layers(image: &ImageSeen) -> Part {
    let rows = image.layers.iter().enumerate().map(|(index, layer)| {
        let listing = layer.listing;
        let number = (index + 1).to_string();
        vec![number, layer.digest.to_string(), size(layer.size), listing.digest.to_string(), size(listing.size)]
    });
    Part::new("Layers").table(&["number", "layer", "size", "listing", "size of the listing"], rows.collect())
}

fn decision(decision: &Decision) -> Part {
    let evidence = &decision.evidence;
    let mut part = Part::new("Verdict of the policy").note("The blobs were not held against their digests.");
    part.row("verdict", if decision.accepted { "accepted" } else { "rejected" });
    part.row("reference", &decision.reference);
    part.row("as of", &decision.at);
    if let Some(rejected) = &decision.rejected {
        part.row("why", format!("{} [{}]", rejected.reason, rejected.clause));
        part.maybe("where", rejected.file.as_ref());
    }
    if let Some(rule) = &evidence.rule {
        let mode = evidence.mode.and_then(|mode| serde_json::to_value(mode).ok());
        let mode = mode.as_ref().and_then(|mode| mode.as_str()).unwrap_or_default();
        part.row("rule", format!("`{rule}`, {mode}"));
    }
    part.maybe("keyring", evidence.keyring.map(|keyring| keyring.version).as_ref());
    part.maybe("catalog", evidence.catalog.map(|serial| format!("serial {serial}")).as_ref());
    part.maybe("envelope", evidence.envelope.as_ref());
    evidence.signers.iter().for_each(|signer| part.row("signed by", signer));
    part.maybe("logged", evidence.proven.as_ref().map(|proven| format!("before {proven}")).as_ref());
    part
}

fn no_app() -> Part {
    let mut part = Part::new("Privileges");
    part.row("app", "none: the image holds files only");
    part
}

fn asked(privileges: &Privileges) -> Part {
    let declared = &privileges.declared;
    let rows = declared.iter().map(|declared| vec![declared.pointer.clone(), declared.value.to_string()]).collect();
    let mut part = Part::new("Privileges").table(&["member of the manifest", "value"], rows);
    part.row("isolation", &privileges.level);
    part
}

fn documents(attachments: &[Attachment]) -> Part {
    let rows = attachments
        .iter()
        .map(|attachment| vec![attachment.media_type.clone(), attachment.digest.to_string(), size(attachment.size)]);
    Part::new(counted("Attachments", attachments.len())).table(&["type", "digest", "size"], rows.collect())
}

/// A title with how many there are.
pub(super) fn counted(title: &str, count: usize) -> String {
    format!("{title}: {}", if count == 0 { "none".to_owned() } else { count.to_string() })
}

pub(super) fn platform(platform: &Platform) -> String {
    let variant = platform.variant.as_ref().map_or_else(String::new, |variant| format!("/{variant}"));
    format!("{}/{}{variant}", platform.os, platform.architecture)
}
