//! Layers and the manifest of an image.

use std::io::{self, Write};

use serde_json::Value;
use tempfile::NamedTempFile;

use super::temporary::private_in;
use super::tree::{BuildError, SourceTree, UNWRITTEN};
use crate::clause;
use crate::diagnostic::Violation;
use crate::digest::{Digest, HashingWriter};
use crate::json::{self, Form, to_canonical};
use crate::layer::{Entry, Summary, write_line};
use crate::limits::Limits;
use crate::manifest::{self, Base, FORMAT_VERSION, Layer, ListingDescriptor, Manifest, Rootfs};

/// A layer that has been made, in a temporary file.
#[derive(Debug)]
pub struct BuiltLayer {
    /// Its descriptor and that of its listing.
    pub descriptor: Layer,
    /// The layer.
    pub file: NamedTempFile,
    /// Its listing.
    pub listing: Vec<u8>,
    /// The entries of the listing.
    pub entries: Vec<Entry>,
}

/// Makes a layer from a tree, in a temporary file beside the output.
///
/// # Errors
///
/// Errors of reading the contents and of writing; an empty tree; one that exceeds the limits of a layer.
pub fn build_layer(tree: &SourceTree, folder: &std::path::Path, limits: &Limits) -> Result<BuiltLayer, BuildError> {
    if tree.is_empty() {
        return Err(BuildError::Refused("it has no entry, and a layer needs one".to_owned()));
    }
    let mut file = private_in(folder)
        .map_err(BuildError::io(format!("a temporary file in {} cannot be made", folder.display())))?;
    let (entries, hasher) = {
        let out = io::BufWriter::with_capacity(1 << 20, file.as_file_mut());
        let mut hashing = HashingWriter::new(out);
        let entries = tree.write_layer(&mut hashing)?;
        hashing.flush().map_err(BuildError::io(UNWRITTEN))?;
        (entries, hashing.hasher)
    };
    let size = hasher.size();
    within("the layer has more bytes than a layer can have", size, limits.layer)?;
    let (listing, descriptor) = list(&entries, limits)?;
    let descriptor = Layer { digest: hasher.finish(), size, listing: descriptor };
    Ok(BuiltLayer { descriptor, file, listing, entries })
}

/// The entries of the layer of a tree, and what its listing is, without the layer.
///
/// # Errors
///
/// Those of [`build_layer`] but for writing.
pub(crate) fn list_layer(tree: &SourceTree, limits: &Limits) -> Result<(Vec<Entry>, ListingDescriptor), BuildError> {
    let entries = tree.entries()?;
    let (_, descriptor) = list(&entries, limits)?;
    Ok((entries, descriptor))
}

/// The listing of a layer with these entries.
fn list(entries: &[Entry], limits: &Limits) -> Result<(Vec<u8>, ListingDescriptor), BuildError> {
    let mut listing = Vec::new();
    for entry in entries {
        write_line(&mut listing, &entry.path, &entry.node);
    }
    let size = listing.len() as u64;
    within("the layer has more entries than a layer can have", entries.len() as u64, limits.layer_lines)?;
    within("the listing has more bytes than a listing can have", size, limits.listing)?;
    let descriptor = ListingDescriptor { digest: Digest::of(&listing), size };
    Ok((listing, descriptor))
}

fn within(what: &str, seen: u64, limit: u64) -> Result<(), BuildError> {
    if seen <= limit { Ok(()) } else { Err(BuildError::Refused(format!("{what}: {seen}; the limit is {limit}"))) }
}

/// What the author says of an image: the manifest's members but those that `pack` fills in.
#[derive(Debug, Clone)]
pub struct ManifestInput(Value);

/// The members that `pack` fills in.
const FILLED_IN: [&str; 4] = ["cornercast", "kind", "layers", "rootfs"];

impl ManifestInput {
    /// Reads JSON if `source` begins with `{`, else TOML.
    ///
    /// # Errors
    ///
    /// What is wrong with the form of the document, with its place.
    pub fn parse(source: &[u8], limits: &Limits) -> Result<Self, BuildError> {
        let refuse = |message: String| Err(BuildError::Refused(message));
        if source.len() as u64 > limits.manifest {
            return refuse(format!("the manifest has more than {} bytes, the limit", limits.manifest));
        }
        let is_json = source.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        let value = if is_json {
            let document = json::read(source, Form::Strict, limits);
            if let Some(violation) = document.violations.first() {
                let place = violation.place.excerpt.as_ref().and_then(|excerpt| excerpt.line_column);
                let place = place.map_or_else(String::new, |(line, column)| format!("line {line}, column {column}: "));
                return refuse(format!("{place}{} [{}]", violation.message, violation.clause.id));
            }
            document.root.map(|root| root.to_serde()).unwrap_or_default()
        } else {
            let text = std::str::from_utf8(source)
                .map_err(|error| BuildError::Refused(not_utf8(source, error.valid_up_to())))?;
            let table: toml::Table = toml::from_str(text).map_err(|error| BuildError::Refused(error.to_string()))?;
            from_toml(toml::Value::Table(table), "")?
        };
        for name in FILLED_IN {
            if value.get(name).is_some() {
                return refuse(format!("`{name}` is written by pack itself; remove it from the file"));
            }
        }
        if value.get("attachments").is_some() {
            return refuse("`attachments` names blobs that pack does not have; remove it from the file".to_owned());
        }
        Ok(Self(value))
    }
}

fn not_utf8(source: &[u8], at: usize) -> String {
    let before = String::from_utf8_lossy(source.get(..at).unwrap_or_default()).into_owned();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}: the file is not UTF-8; save it as UTF-8")
}

/// The value that stands at the member `path`.
fn from_toml(value: toml::Value, path: &str) -> Result<Value, BuildError> {
    Ok(match value {
        toml::Value::String(string) => string.into(),
        toml::Value::Integer(integer) => integer.into(),
        toml::Value::Float(float) => {
            return Err(BuildError::Refused(format!("`{path}` is the float {float:?}; write it as an integer")));
        }
        toml::Value::Boolean(boolean) => boolean.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(elements) => {
            let elements = elements.into_iter().enumerate();
            let elements = elements.map(|(index, element)| from_toml(element, &format!("{path}[{index}]")));
            elements.collect::<Result<Vec<_>, _>>()?.into()
        }
        toml::Value::Table(table) => {
            let members = table.into_iter().map(|(name, value)| {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                Ok((name, from_toml(value, &path)?))
            });
            members.collect::<Result<serde_json::Map<_, _>, _>>()?.into()
        }
    })
}

/// The layers of a base image, and what the manifest says of it.
#[derive(Debug, Clone)]
pub struct BaseLayers {
    /// Name, version, image id and number of layers.
    pub base: Base,
    /// Its layers.
    pub layers: Vec<Layer>,
}

/// A manifest that has been made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The canonical manifest.
    pub manifest: Vec<u8>,
    /// Its digest.
    pub id: Digest,
}

/// Makes the manifest of an image.
///
/// # Errors
///
/// The clauses that the manifest breaks by itself, in terms of the members that the author wrote.
pub fn build_manifest(
    input: &ManifestInput,
    base: Option<&BaseLayers>,
    layers: &[Layer],
    rootfs: Summary,
    limits: &Limits,
) -> Result<Built, Vec<Violation>> {
    let mut value = input.0.clone();
    let all: Vec<Layer> =
        base.map(|base| base.layers.clone()).unwrap_or_default().into_iter().chain(layers.iter().copied()).collect();
    let rootfs = Rootfs { digest: rootfs.digest, entries: rootfs.entries, size: rootfs.size };
    if let Some(members) = value.as_object_mut() {
        members.insert("cornercast".to_owned(), FORMAT_VERSION.into());
        members.insert("kind".to_owned(), "image".into());
        members.insert("layers".to_owned(), serde_json::to_value(all).unwrap_or_default());
        members.insert("rootfs".to_owned(), serde_json::to_value(rootfs).unwrap_or_default());
        if let Some(base) = base {
            members.entry("base").or_insert_with(|| serde_json::to_value(&base.base).unwrap_or_default());
        }
    }
    let written = to_canonical(&value).unwrap_or_default();
    let (_, violations) = manifest::check(&written, limits);
    // A default that the author wrote out is no mistake: it is left out below.
    let (defaults, wrong): (Vec<_>, Vec<_>) =
        violations.into_iter().partition(|violation| violation.clause == &clause::MAN_007);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let canonical = serde_json::from_value::<Manifest>(value)
        .ok()
        .and_then(|manifest| to_canonical(&serde_json::to_value(manifest).ok()?))
        .unwrap_or(written);
    let (_, left) = manifest::check(&canonical, limits);
    if left.is_empty() {
        Ok(Built { id: Digest::of(&canonical), manifest: canonical })
    } else {
        Err(if defaults.is_empty() { left } else { defaults })
    }
}
