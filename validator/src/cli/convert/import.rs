//! An image layout or an archive of `docker save` as an image of this format.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::{Convert, Outcome, export, folder_of, is_archive};
use crate::build::{BuildError, Ownership, write_archive, write_store};
use crate::cli::check::directory_kind;
use crate::cli::files::{Directory, Random, length};
use crate::cli::image::plain_file;
use crate::cli::init::split;
use crate::cli::listing::read_tree;
use crate::cli::{Failure, processors, progress};
use crate::convert::{ImportError, Imported, Wish, import};
use crate::diagnostic::{Findings, Severity};
use crate::input::{HEAD, Kind, check_directory, check_file, recognise};
use crate::limits::Limits;
use crate::manifest::Platform;
use crate::report;
use tempfile::NamedTempFile;

pub(super) fn run(arguments: &Convert) -> Result<Outcome, Failure> {
    let wish = Wish {
        name: arguments.name.clone(),
        version: arguments.version.clone(),
        platform: arguments.platform.clone(),
        ..Wish::default()
    };
    let (imported, spool) = read(&arguments.input, &wish, None, &folder_of(&arguments.output))?;
    write(&imported, arguments)?;
    drop(spool);
    Ok(Outcome { digest: imported.built.id.to_string(), changes: imported.changes })
}

/// The image of a layout or of what `docker save` writes, as `wish` says but for the tag, which `input` has, and the
/// platform of the host. `called` is the name and version of one that says none. The layers are in temporary files in
/// `folder`; what is returned beside the image keeps the input.
pub(in crate::cli) fn read(
    input: &str,
    wish: &Wish,
    called: Option<(&str, &str)>,
    folder: &Path,
) -> Result<(Imported, Option<NamedTempFile>), Failure> {
    let (path, tag) = split(input);
    let shown = path.display().to_string();
    let fail = |error: io::Error| Failure::Error(format!("{shown}: {error}"));
    let (file, spool) = if path.is_dir() { (path.clone(), None) } else { plain_file(&path).map_err(fail)? };
    check(&file, &shown)?;
    let (files, _) = read_tree(&file, &Ownership::default(), None)?;
    let refuse = |message: String| Failure::Refused(format!("{input}: {message}"));
    let wish = Wish { tag, host: host(), ..wish.clone() };
    let shown = progress::show("importing", length(&file));
    let imported = match (import(&files, &wish, folder, progress::add), called) {
        (Err(ImportError::Unsaid(_)), Some((name, version))) => {
            let wish = Wish { name: Some(name.to_owned()), version: Some(version.to_owned()), ..wish };
            import(&files, &wish, folder, progress::add)
        }
        (imported, _) => imported,
    };
    drop(shown);
    let imported = imported.map_err(|error| match error {
        ImportError::Build(BuildError::Refused(message)) => refuse(message),
        ImportError::Build(error) => error.into(),
        ImportError::Unsaid(message) => Failure::Error(message),
    })?;
    match imported {
        Some(imported) => Ok((imported, spool)),
        None => Err(refuse(NEITHER.to_owned())),
    }
}

const NEITHER: &str = "it is no image of this format, no OCI image layout and no archive of `docker save`";

/// Refuses an input in which `cornercast check` finds an error (OCI-130).
fn check(path: &Path, name: &str) -> Result<(), Failure> {
    let limits = Limits::FORMAT;
    let fail = |error: io::Error| Failure::Error(format!("{name}: {error}"));
    let mut findings = Findings::new(name.to_owned(), 20);
    let _shown = progress::show("checking", length(path));
    if path.is_dir() {
        match directory_kind(path).filter(|kind| *kind != Kind::Store) {
            Some(kind) => check_directory(kind, &Directory(path.to_owned()), &limits, processors(), &mut findings),
            None => return Err(Failure::Refused(format!("{name}: {NEITHER}"))),
        }
    } else {
        let mut head = Vec::new();
        let file = File::open(path).map_err(fail)?;
        (&file).take(HEAD as u64).read_to_end(&mut head).map_err(fail)?;
        match recognise(&head).filter(|kind| kind.needs_file()) {
            Some(kind) => check_file(kind, &Random(file), &limits, processors(), &mut findings),
            None => return Err(Failure::Refused(format!("{name}: {NEITHER}"))),
        }
    }
    .map_err(fail)?;
    if findings.errors == 0 {
        return Ok(());
    }
    let errors = findings.list().iter().filter(|finding| finding.severity == Severity::Error).cloned();
    let text = report::concise(&errors.collect::<Vec<_>>());
    Err(Failure::Refused(format!("{name} has errors:\n{}", text.trim_end())))
}

fn write(imported: &Imported, arguments: &Convert) -> Result<(), Failure> {
    let files = imported.files();
    let _shown = progress::show("writing", files.iter().map(|(_, size, _)| size).sum());
    if is_archive(&arguments.output, "ccast") {
        return Ok(write_archive(&arguments.output, &imported.built, &files)?);
    }
    write_store(&arguments.output, &imported.built, &files)?;
    if arguments.with_oci {
        export::make_layout(&arguments.output)?;
    }
    Ok(())
}

/// The platform of this machine, as far as its architecture tells.
fn host() -> Option<Platform> {
    let architecture = match std::env::consts::ARCH {
        "x86" => "386",
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "loongarch64" => "loong64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        other => other,
    };
    let (os, architecture) = (std::env::consts::OS.to_owned(), architecture.to_owned());
    Some(Platform { os, architecture, variant: None })
}
