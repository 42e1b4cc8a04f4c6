//! `cornercast pack`

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::image::Image;
use super::listing::read_tree;
use super::progress::{self, Counted};
use super::{Failure, Pack, print, source_date_epoch};
use crate::build::{
    BaseLayers, BuildError, BuiltLayer, ManifestInput, OutputFiles, build_layer, build_manifest, write_archive,
    write_store,
};
use crate::diagnostic::Findings;
use crate::layer::Tree;
use crate::limits::Limits;
use crate::manifest::{Base, Layer};
use crate::report;
use crate::store::FileKind;

pub(super) fn run(arguments: &Pack) -> Result<ExitCode, Failure> {
    let limits = Limits::FORMAT;
    let epoch = source_date_epoch()?;
    let input = read_manifest(&arguments.manifest, &limits)?;
    let base = arguments.base.as_deref().map(|base| Image::open_checked(base, "checking the base")).transpose()?;
    let base_layers = base.as_ref().map(|image| BaseLayers {
        base: Base {
            name: image.manifest.name.clone(),
            version: image.manifest.version.clone(),
            image: image.id,
            layers: image.manifest.layers.len() as u64,
        },
        layers: image.manifest.layers.clone(),
    });
    let mut merged = base.as_ref().map_or_else(|| Ok(Tree::default()), Image::tree)?;
    let folder = folder_of(&arguments.output);
    let mut layers = Vec::new();
    let mut notes = 0;
    for source in std::iter::once(&arguments.tree).chain(&arguments.layer) {
        let (tree, spool) = read_tree(source, &arguments.ownership.ownership(), epoch)?;
        for note in tree.notes() {
            notes += 1;
            let place = if note.path.is_empty() { source.display().to_string() } else { note.path };
            anstream::eprintln!("note: {}: {}", crate::shown::shown(&place), note.what);
        }
        let shown = progress::show("packing", tree.size());
        let mut layer = build_layer(&tree, &folder, &limits).map_err(|error| match error {
            BuildError::Refused(why) => Failure::Refused(format!("{}: {why}", source.display())),
            other => other.into(),
        })?;
        drop(shown);
        drop(spool);
        merged.merge(std::mem::take(&mut layer.entries));
        layers.push(layer);
    }
    if arguments.strict && notes > 0 {
        return Err(Failure::Refused(format!(
            "--strict: {} would be left out or changed (see above), so nothing was written",
            if notes == 1 { "1 thing".to_owned() } else { format!("{notes} things") }
        )));
    }
    let descriptors: Vec<Layer> = layers.iter().map(|layer| layer.descriptor).collect();
    let built = build_manifest(&input, base_layers.as_ref(), &descriptors, merged.summary(), &limits)
        .map_err(|violations| refused(&arguments.manifest, violations))?;
    let (outline, _) = crate::manifest::check(&built.manifest, &limits);
    let by_rootfs =
        outline.map(|outline| crate::manifest::check_rootfs(&outline, &merged, &limits)).unwrap_or_default();
    let (wrong, doubtful): (Vec<_>, Vec<_>) =
        by_rootfs.into_iter().partition(|violation| violation.clause.severity == crate::diagnostic::Severity::Error);
    if !wrong.is_empty() {
        return Err(refused(&arguments.manifest, wrong));
    }
    for violation in doubtful {
        let place = violation.place.pointer.as_deref().unwrap_or_default();
        let help = violation.help.as_deref().unwrap_or(violation.clause.help);
        let manifest = arguments.manifest.display();
        anstream::eprintln!("warning[{}]: {manifest}: {place}: {}; {help}", violation.clause.id, violation.message);
    }
    write(&arguments.output, &built, base.as_ref(), &layers)?;
    print(&format!("{}\n", built.id))?;
    Ok(ExitCode::SUCCESS)
}

/// Violations of the manifest in terms of the members that the author wrote.
fn refused(manifest: &Path, violations: Vec<crate::diagnostic::Violation>) -> Failure {
    let mut findings = Findings::new(manifest.display().to_string(), 100);
    for mut violation in violations {
        // Offsets are those of the canonical manifest, which the author has not seen.
        violation.place.bytes = None;
        violation.place.excerpt = None;
        let help = violation.help.clone().unwrap_or_else(|| violation.clause.help.to_owned());
        violation.message = format!("{}; {help}", violation.message);
        findings.add(violation);
    }
    Failure::Refused(format!("the manifest is not valid:\n{}", report::concise(findings.list()).trim_end()))
}

fn read_manifest(path: &Path, limits: &Limits) -> Result<ManifestInput, Failure> {
    let shown = path.display();
    let mut source = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limits.manifest + 1).read_to_end(&mut source))
        .map_err(|error| Failure::Error(format!("the manifest {shown} cannot be read: {error}")))?;
    ManifestInput::parse(&source, limits).map_err(|error| Failure::Refused(format!("{shown}: {error}")))
}

/// Where temporary files go: beside the output, so that they can be renamed.
fn folder_of(output: &Path) -> PathBuf {
    if output == Path::new("-") {
        return std::env::temp_dir();
    }
    output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

fn write(
    output: &Path,
    built: &crate::build::Built,
    base: Option<&Image>,
    layers: &[BuiltLayer],
) -> Result<(), Failure> {
    let mut files: OutputFiles<'_> = Vec::new();
    if let Some(image) = base {
        let open = move |digest| -> io::Result<Box<dyn Read>> { Ok(Box::new(Counted(image.open_blob(digest)?))) };
        for layer in &image.manifest.layers {
            let Layer { digest, size, listing } = *layer;
            files.push((FileKind::Blob(listing.digest), listing.size, Box::new(move || open(listing.digest))));
            files.push((FileKind::Blob(digest), size, Box::new(move || open(digest))));
        }
    }
    for layer in layers {
        let Layer { digest, size, listing } = layer.descriptor;
        let bytes = layer.listing.clone();
        let open_listing = move || -> io::Result<Box<dyn Read>> { Ok(Box::new(io::Cursor::new(bytes.clone()))) };
        files.push((FileKind::Blob(listing.digest), listing.size, Box::new(open_listing)));
        let path = layer.file.path().to_owned();
        files.push((FileKind::Blob(digest), size, Box::new(move || Ok(Box::new(Counted(File::open(&path)?))))));
    }
    let _shown = progress::show("writing", files.iter().map(|(_, size, _)| size).sum());
    let is_archive = output == Path::new("-") || output.extension().is_some_and(|extension| extension == "ccast");
    if is_archive {
        write_archive(output, built, &files)?;
    } else {
        write_store(output, built, &files)?;
    }
    Ok(())
}
