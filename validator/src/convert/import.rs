//! An image of OCI as one of this format.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use tempfile::NamedTempFile;

use super::Change;
use super::artifact::{self, Original};
use super::config::{Execution, whole_seconds};
use super::layer::rebuild;
use super::layout::{self, Found, Wanted, normal};
use super::media;
use super::process::{
    DEFAULT_PATH, annotations, command, environment, mounts, ports, program, signal, working_directory,
};
use super::rootfs::Rootfs;
use super::user::user;
use crate::build::{BuildError, Built, BuiltLayer, Content, OutputFiles, SourceNode, SourceTree, build_layer};
use crate::diagnostic::{Severity, Violation};
use crate::digest::Digest;
use crate::json::to_canonical;
use crate::layer::{Attributes, Entry, Node, Tree, Walker};
use crate::limits::Limits;
use crate::manifest::{self, App, FORMAT_VERSION, ImageKind, Isolation, Layer, Manifest, Platform, Stop, check_rootfs};
use crate::name::{judge_name, judge_version};
use crate::shown::quoted;
use crate::store::FileKind;

/// What whoever imports an image says of it.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The tag of the image, where there are several.
    pub tag: Option<String>,
    /// Where there are several platforms and none is wished, this one is taken.
    pub host: Option<Platform>,
    /// The name.
    pub name: Option<String>,
    /// The version.
    pub version: Option<String>,
    /// The platform.
    pub platform: Option<Platform>,
}

/// Why an image is not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The input is not what it should be, or reading or writing failed.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Something has to be said that the image does not say.
    #[error("{0}")]
    Unsaid(String),
}

/// An image that was imported, in temporary files.
#[derive(Debug)]
pub struct Imported {
    /// The manifest.
    pub built: Built,
    /// What was lost or changed.
    pub changes: Vec<Change>,
    files: Vec<(FileKind, u64, Source)>,
}

/// Where the content of a file is.
#[derive(Debug)]
enum Source {
    Temporary(NamedTempFile),
    Memory(Vec<u8>),
    Part(Content),
}

impl Imported {
    /// The files of a store beside the manifest, in the order of an archive.
    #[must_use]
    pub fn files(&self) -> OutputFiles<'_> {
        let open = |source: &Source| -> io::Result<Box<dyn Read>> {
            Ok(match source {
                Source::Temporary(file) => Box::new(file.reopen()?),
                Source::Memory(bytes) => Box::new(io::Cursor::new(bytes.clone())),
                Source::Part(content) => content.open()?,
            })
        };
        let each = self.files.iter();
        each.map(|(kind, size, source)| (kind.clone(), *size, Box::new(move || open(source)) as _)).collect()
    }
}

/// Imports the image that is wished from `files`, those of an image layout or of images as `docker save` writes them,
/// which have to be checked before (OCI-130). Temporary files are in `folder`; `read` is told of the bytes that have
/// been read. `None` if the files are neither.
///
/// # Errors
///
/// What the format cannot hold, and what is damaged; errors of the file system; a name or version that nothing says.
pub fn import(files: &SourceTree, wish: &Wish, folder: &Path, read: fn(u64)) -> Result<Option<Imported>, ImportError> {
    let platform = wish.platform.clone().map(normal);
    let wanted = Wanted { tag: wish.tag.clone(), platform, host: wish.host.clone() };
    let Some(found) = layout::find(files, &wanted)? else { return Ok(None) };
    import_found(&found, wish, folder, read).map(Some)
}

fn import_found(found: &Found<'_>, wish: &Wish, folder: &Path, read: fn(u64)) -> Result<Imported, ImportError> {
    let mut changes = Vec::new();
    if let Some(original) = artifact::find(found)? {
        if agrees(&original.manifest, wish) {
            return Ok(restore(found, original, folder, read)?);
        }
        let Manifest { name, version, .. } = &original.manifest;
        let what =
            format!("the manifest of {} {version} in the layout, as it says other than the options", quoted(name));
        changes.push(Change::new("OCI-132", "", what));
    }
    let identity = identity(found, wish)?;
    let mut layers = Layers { rootfs: Rootfs::default(), built: Vec::new(), folder, changes };
    for layer in &found.layers {
        layers.add(layer, read)?;
    }
    let (name, version) = identity;
    let manifest = Draft { found, wish, name, version }.manifest(&mut layers)?;
    let built = judged(&manifest, &layers)?;
    let changes = layers.changes;
    let files = layers.built.into_iter().flat_map(|layer| {
        let Layer { digest, size, listing } = layer.descriptor;
        [
            (FileKind::Blob(listing.digest), listing.size, Source::Memory(layer.listing)),
            (FileKind::Blob(digest), size, Source::Temporary(layer.file)),
        ]
    });
    Ok(Imported { built, changes, files: files.collect() })
}

/// Whether a manifest says what is wished.
fn agrees(manifest: &Manifest, wish: &Wish) -> bool {
    wish.name.as_ref().is_none_or(|name| *name == manifest.name)
        && wish.version.as_ref().is_none_or(|version| *version == manifest.version)
        && wish.platform.as_ref().is_none_or(|platform| normal(platform.clone()) == manifest.platform)
}

/// The image that was exported, of which only the layers have to be decoded (OCI-132).
fn restore(found: &Found<'_>, original: Original, folder: &Path, read: fn(u64)) -> Result<Imported, BuildError> {
    let Original { id, source, manifest, files, attachments } = original;
    let mut out: Vec<(FileKind, u64, Source)> = Vec::new();
    out.extend(files.into_iter().map(|(kind, bytes)| (kind, bytes.len() as u64, Source::Memory(bytes))));
    out.extend(
        attachments.into_iter().map(|(digest, size, content)| (FileKind::Blob(digest), size, Source::Part(content))),
    );
    let mut tree = Tree::default();
    for (layer, stored) in manifest.layers.iter().zip(&found.layers) {
        let file = stored.decoded(folder, read)?;
        let (entries, listing) = listed(&file, &stored.name())?;
        let digest = Digest::of(&listing);
        if digest != layer.listing.digest || listing.len() as u64 != layer.listing.size {
            let message = format!("the listing of {} is {digest}, not the one in the manifest {id}", stored.name());
            return Err(BuildError::Refused(message));
        }
        tree.merge(entries);
        out.push((FileKind::Blob(layer.listing.digest), listing.len() as u64, Source::Memory(listing)));
        out.push((FileKind::Blob(layer.digest), layer.size, Source::Temporary(file)));
    }
    let violations =
        manifest::check(&source, &Limits::FORMAT).0.map(|outline| check_rootfs(&outline, &tree, &Limits::FORMAT));
    refuse_errors(&format!("the manifest {id} in the layout is not valid"), violations.unwrap_or_default())?;
    Ok(Imported { built: Built { manifest: source, id }, changes: Vec::new(), files: out })
}

/// The entries and the listing of a layer, which is canonical.
fn listed(layer: &NamedTempFile, name: &str) -> Result<(Vec<Entry>, Vec<u8>), BuildError> {
    let fail = |error| BuildError::io(name)(error);
    let mut walker = Walker::new(Limits::FORMAT);
    let (mut input, mut buffer, mut listing) = (layer.reopen().map_err(fail)?, vec![0; CHUNK], Vec::new());
    loop {
        let length = input.read(&mut buffer).map_err(fail)?;
        if length == 0 {
            break;
        }
        walker.push(buffer.get(..length).unwrap_or_default());
        listing.extend_from_slice(walker.lines());
    }
    let (walk, rest) = walker.finish();
    listing.extend_from_slice(&rest);
    refuse_errors(&format!("{name} is no layer of this format"), walk.violations)?;
    Ok((walk.entries, listing))
}

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// The name and version of the image (OCI-133).
fn identity(found: &Found<'_>, wish: &Wish) -> Result<(String, String), ImportError> {
    let limits = Limits::FORMAT;
    let said = |name: &str| found.annotations.get(name).cloned();
    let reference = found.reference.clone().unwrap_or_default();
    let (name, tag) = match reference.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((name, tag)) => (name.to_owned(), tag.to_owned()),
        None => (String::new(), reference),
    };
    let is_name = |name: &String| judge_name(name, &limits).is_empty();
    let is_version = |version: &String| judge_version(version, &limits).is_empty();
    let name = wish.name.clone().or_else(|| [said(media::NAME), Some(name)].into_iter().flatten().find(is_name));
    let versions = [said(media::VERSION), Some(tag), said(media::OCI_VERSION)];
    let version = wish.version.clone().or_else(|| versions.into_iter().flatten().find(is_version));
    let unsaid = |what: &str, example: &str| {
        let message = format!("the image does not say which {what} it has; add --{what}, such as --{what} {example}");
        ImportError::Unsaid(message)
    };
    let name = name.ok_or_else(|| unsaid("name", "example.com/team/api"))?;
    let version = version.ok_or_else(|| unsaid("version", "1.0.0"))?;
    Ok((name, version))
}

/// The layers of an image, written anew.
struct Layers<'a> {
    rootfs: Rootfs,
    built: Vec<BuiltLayer>,
    folder: &'a Path,
    changes: Vec<Change>,
}

impl Layers<'_> {
    fn add(&mut self, layer: &super::layout::FoundLayer, read: fn(u64)) -> Result<(), BuildError> {
        let name = layer.name();
        let decoded = layer.decoded(self.folder, read)?;
        let (tree, changes) = rebuild(decoded.path(), &name, &self.rootfs)?;
        self.changes.extend(changes);
        if tree.is_empty() {
            self.changes.push(Change::new("OCI-135", "", format!("{name} is left out: it has no entry")));
            return Ok(());
        }
        self.build(tree, Some(decoded)).map_err(|error| match error {
            BuildError::Refused(why) => BuildError::Refused(format!("{name}: {why}")),
            other => other,
        })
    }

    fn build(&mut self, tree: SourceTree, keeps: Option<NamedTempFile>) -> Result<(), BuildError> {
        let mut built = build_layer(&tree, self.folder, &Limits::FORMAT)?;
        self.rootfs.add(tree, std::mem::take(&mut built.entries), keeps);
        self.built.push(built);
        Ok(())
    }

    /// Where a clean absolute path leads, links followed, and the directories that are missing on the way (OCI-148).
    fn real(&self, path: &str) -> Result<(String, Vec<String>), String> {
        let mut todo: Vec<&str> = path.split('/').rev().collect();
        let mut at: Vec<&str> = Vec::new();
        let (mut followed, mut missing) = (0, Vec::new());
        while let Some(component) = todo.pop() {
            match component {
                "" | "." => continue,
                ".." => {
                    at.pop();
                    continue;
                }
                name => at.push(name),
            }
            let here = at.join("/");
            match self.rootfs.tree.get(&here).map(|entry| entry.node) {
                None => missing.push(here),
                Some(Node::Dir { .. }) => {}
                Some(Node::Symlink { target, .. }) => {
                    followed += 1;
                    if followed > Limits::FORMAT.links_followed {
                        return Err("more than 40 symbolic links lead to it".to_owned());
                    }
                    at.pop();
                    if target.starts_with('/') {
                        at.clear();
                    }
                    todo.extend(target.split('/').rev());
                }
                Some(other) => {
                    return Err(format!("{} is {}, no directory", quoted(&format!("/{here}")), other.type_name()));
                }
            }
        }
        Ok((format!("/{}", at.join("/")), missing))
    }

    /// Adds the directories that are missing in one layer, 0755 and 0:0, below the ones that are there.
    fn add_directories(&mut self, missing: &[String]) -> Result<(), BuildError> {
        if missing.is_empty() {
            return Ok(());
        }
        let mut tree = SourceTree::new(None);
        for path in missing {
            let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
            for directory in ends.filter_map(|end| path.get(..end)) {
                let attributes = match self.rootfs.tree.get(directory).map(|entry| entry.node) {
                    Some(Node::Dir { attributes, .. }) => attributes.clone(),
                    _ => Attributes { mode: 0o755, ..Attributes::default() },
                };
                tree.insert(directory.to_owned(), SourceNode::Dir { attributes, opaque: false });
            }
            self.changes.push(Change::new("OCI-148", format!("/{path}"), "the directory is added, as it is missing"));
        }
        self.build(tree, None)
    }
}

/// What the manifest will say.
struct Draft<'a, 'f> {
    found: &'a Found<'f>,
    wish: &'a Wish,
    name: String,
    version: String,
}

impl Draft<'_, '_> {
    fn manifest(self, layers: &mut Layers<'_>) -> Result<Manifest, BuildError> {
        let none = Execution::default();
        let execution = self.found.config.config.as_ref().unwrap_or(&none);
        let own = [media::NAME, media::VERSION, media::IMAGE, media::LOST];
        let others: BTreeMap<String, String> = self.found.annotations.clone();
        let mut changes = Vec::new();
        let mut annotations = annotations(execution, &others, &mut changes);
        annotations.retain(|name, _| !own.contains(&name.as_str()));
        annotations.insert(media::ORIGIN.to_owned(), self.found.digest.to_string());
        for name in execution.without_counterpart() {
            changes.push(Change::new("OCI-155", format!("config/{name}"), format!("{name}, which has no counterpart")));
        }
        let app = self.app(execution, layers, &mut changes)?;
        let created = self.found.config.created.as_deref().filter(|created| !created.is_empty());
        let whole = created.and_then(whole_seconds);
        match created {
            Some(created) if whole.is_none() => {
                let what = format!("the time {}, which is not in the years 1 to 9999", quoted(created));
                changes.push(Change::new("OCI-153", "created", what));
            }
            Some(created) if created.contains('.') => {
                let what = format!("the fraction of a second in {}", quoted(created));
                changes.push(Change::new("OCI-153", "created", what));
            }
            _ => {}
        }
        layers.changes.extend(
            changes.into_iter().map(|change| Change { what: format!("not taken over: {}", change.what), ..change }),
        );
        let summary = layers.rootfs.tree.summary();
        Ok(Manifest {
            cornercast: FORMAT_VERSION.to_owned(),
            kind: ImageKind::Image,
            platform: self.platform()?,
            app,
            layers: layers.built.iter().map(|layer| layer.descriptor).collect(),
            rootfs: manifest::Rootfs { digest: summary.digest, entries: summary.entries, size: summary.size },
            base: None,
            attachments: Vec::new(),
            created: whole,
            annotations,
            name: self.name,
            version: self.version,
        })
    }

    /// OCI-134
    fn platform(&self) -> Result<Platform, BuildError> {
        let own = self.found.config.platform();
        match (own, self.wish.platform.clone().map(normal)) {
            (Some(own), Some(wish)) if own.os != wish.os || own.architecture != wish.architecture => {
                let message = format!("the image is for {}/{}, not for what --platform says", own.os, own.architecture);
                Err(BuildError::Refused(message))
            }
            (_, Some(wish)) => Ok(wish),
            (Some(own), None) => Ok(own),
            (None, None) => Err(BuildError::Refused("the config does not say a platform; add --platform".to_owned())),
        }
    }

    fn app(
        &self,
        execution: &Execution,
        layers: &mut Layers<'_>,
        changes: &mut Vec<Change>,
    ) -> Result<Option<App>, BuildError> {
        let (mut exec, arguments) = command(execution);
        if exec.is_empty() {
            self.without_app(execution, changes);
            return Ok(None);
        }
        let mut environment = environment(execution, changes);
        let directory = working_directory(execution);
        let search = environment.get("PATH").map_or(DEFAULT_PATH, String::as_str);
        if let Some(first) = exec.first_mut() {
            match program(first, search, &directory, &layers.rootfs) {
                Ok(path) => *first = path,
                Err(tried) => {
                    let message =
                        format!("the program {} is not an executable file at {}", quoted(first), tried.join(", "));
                    return Err(BuildError::Refused(message));
                }
            }
        }
        let user = user(execution.user.as_deref().unwrap_or_default(), &layers.rootfs).map_err(BuildError::Refused)?;
        if let Some(home) = user.home {
            environment.entry("HOME".to_owned()).or_insert(home);
        }
        let stop =
            Stop { signal: signal(execution, changes).unwrap_or_else(|| Stop::default().signal), ..Stop::default() };
        let ports = ports(execution, changes);
        let mounts = mounts(execution, |path| layers.real(path).map(|(path, _)| path), changes);
        let refuse = |why| BuildError::Refused(format!("the working directory {}: {why}", quoted(&directory)));
        let (_, mut missing) = layers.real(&directory).map_err(refuse)?;
        for mount in &mounts {
            missing.extend(layers.real(&mount.path).map(|(_, missing)| missing).unwrap_or_default());
        }
        missing.sort();
        missing.dedup();
        layers.add_directories(&missing)?;
        let (user, isolation) = (user.ids, Isolation::default());
        Ok(Some(App {
            exec,
            arguments,
            user,
            working_directory: directory,
            environment,
            stop,
            ports,
            mounts,
            isolation,
        }))
    }

    /// What an image that runs nothing cannot say (OCI-144).
    fn without_app(&self, execution: &Execution, changes: &mut Vec<Change>) {
        let Execution { user, exposed_ports, env, volumes, working_dir, stop_signal, .. } = execution;
        let is_there = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        for (name, is_there) in [
            ("User", is_there(user)),
            ("ExposedPorts", exposed_ports.as_ref().is_some_and(|ports| !ports.is_empty())),
            ("Env", env.as_ref().is_some_and(|env| !env.is_empty())),
            ("Volumes", volumes.as_ref().is_some_and(|volumes| !volumes.is_empty())),
            ("WorkingDir", is_there(working_dir)),
            ("StopSignal", is_there(stop_signal)),
        ] {
            if is_there {
                let what = format!("{name}, as the image runs nothing");
                changes.push(Change::new("OCI-144", format!("config/{name}"), what));
            }
        }
    }
}

/// The manifest in canonical form, if nothing is wrong with it.
fn judged(manifest: &Manifest, layers: &Layers<'_>) -> Result<Built, BuildError> {
    let limits = Limits::FORMAT;
    let value = serde_json::to_value(manifest).unwrap_or_default();
    let bytes = to_canonical(&value).unwrap_or_default();
    let (outline, mut violations) = manifest::check(&bytes, &limits);
    if let Some(outline) = outline {
        violations.extend(check_rootfs(&outline, &layers.rootfs.tree, &limits));
    }
    refuse_errors("a manifest cannot say what the image does", violations)?;
    Ok(Built { id: Digest::of(&bytes), manifest: bytes })
}

/// Refuses what has errors among its violations, and shows them.
fn refuse_errors(what: &str, violations: Vec<Violation>) -> Result<(), BuildError> {
    let describe = |violation: Violation| {
        let place = violation.place.pointer.map(|pointer| format!("{pointer}: ")).unwrap_or_default();
        format!("\n{place}{} [{}]", violation.message, violation.clause.id)
    };
    let errors = violations.into_iter().filter(|violation| violation.clause.severity == Severity::Error);
    let wrong: String = errors.map(describe).collect();
    if wrong.is_empty() { Ok(()) } else { Err(BuildError::Refused(format!("{what}:{wrong}"))) }
}
