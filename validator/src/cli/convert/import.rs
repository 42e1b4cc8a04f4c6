//! An image layout or an archive of `docker save` as an image of this format.

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use super::super::architecture;
use super::{Convert, Outcome, export, folder_of, is_archive};
use crate::build::{BuildError, Ownership, write_archive, write_store};
use crate::cli::check::directory_kind;
use crate::cli::files::{Directory, Random, length};
use crate::cli::image::plain_file;
use crate::cli::init::split;
use crate::cli::listing::read_tree;
use crate::cli::{Failure, processors, progress, unpack};
use crate::convert::{Change, ImportError, Imported, Wish, import, import_tree, layer_paths};
use crate::diagnostic::{Findings, Severity};
use crate::input::{HEAD, Kind, check_directory_to, check_file_to, recognise};
use crate::limits::Limits;
use crate::manifest::Platform;
use crate::oci::{Keep, Pass};
use crate::report;
use crate::store::Extent;
use crate::unpack::{Keeping, Options, Unpacked};
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
    let (file, spool) = plain(&path)?;
    check(&file, &path.display().to_string(), processors(), None)?;
    let (files, _) = read_tree(&file, &Ownership::default(), None)?;
    let wish = Wish { tag, host: host(), ..wish.clone() };
    let shown = progress::show("importing", length(&file));
    let imported = with_name(&wish, called, |wish| import(&files, wish, folder, progress::add));
    drop(shown);
    match imported.map_err(|error| failure(input, error))? {
        Some(imported) => Ok((imported, spool)),
        None => Err(refused(input, NEITHER)),
    }
}

/// The tree of such an image in the directory `dir`, and what importing it has changed. Its layers are read once:
/// what is checked is written. `None` if it has to be imported for that, and if something is wrong with it before its
/// layers are read, which [`read`] says.
pub(in crate::cli) fn unpack(
    input: &str,
    called: Option<(&str, &str)>,
    dir: &Path,
    options: &Options,
) -> Result<Option<(Unpacked, Vec<Change>)>, Failure> {
    let (path, tag) = split(input);
    let (file, _spool) = plain(&path)?;
    let Ok((files, _)) = read_tree(&file, &Ownership::default(), None) else { return Ok(None) };
    let wish = Wish { tag, host: host(), ..Wish::default() };
    let Ok(Some(wanted)) = layer_paths(&files, &wish) else { return Ok(None) };
    let keeping = Keeping::new(dir, wanted, options).map_err(unpack::failure)?;
    check(&file, &path.display().to_string(), options.jobs, Some(&keeping))?;
    let layers = keeping.layers().map_err(unpack::failure)?;
    let tree = with_name(&wish, called, |wish| import_tree(&files, wish, &layers));
    let Some(tree) = tree.map_err(|error| failure(input, error))? else { return Err(refused(input, NEITHER)) };
    let unpacked = keeping.unpack(&tree, options).map_err(unpack::failure)?;
    Ok(Some((unpacked, tree.changes)))
}

/// The directory or uncompressed archive at `path`; what is returned beside it keeps it.
fn plain(path: &Path) -> Result<(PathBuf, Option<NamedTempFile>), Failure> {
    let fail = |error: io::Error| Failure::Error(format!("{}: {error}", path.display()));
    if path.is_dir() { Ok((path.to_owned(), None)) } else { plain_file(path).map_err(fail) }
}

/// What `import` makes, with the name and version `called` if the image has none.
fn with_name<T>(
    wish: &Wish,
    called: Option<(&str, &str)>,
    import: impl Fn(&Wish) -> Result<T, ImportError>,
) -> Result<T, ImportError> {
    match (import(wish), called) {
        (Err(ImportError::Unsaid(_)), Some((name, version))) => {
            import(&Wish { name: Some(name.to_owned()), version: Some(version.to_owned()), ..wish.clone() })
        }
        (imported, _) => imported,
    }
}

fn refused(input: &str, message: &str) -> Failure {
    Failure::Refused(format!("{input}: {message}"))
}

fn failure(input: &str, error: ImportError) -> Failure {
    match error {
        ImportError::Build(BuildError::Refused(message)) => refused(input, &message),
        ImportError::Build(error) => error.into(),
        ImportError::Unsaid(message) => Failure::Error(message),
    }
}

const NEITHER: &str = "it is no image of this format, no OCI image layout and no archive of `docker save`";

/// Refuses an input in which `cornercast check` finds an error (OCI-130); `keep` gets its layers.
fn check(path: &Path, name: &str, jobs: NonZero<usize>, keep: Option<&dyn Keep>) -> Result<(), Failure> {
    let limits = Limits::FORMAT;
    let pass = Pass { keep, ..Pass::new(Extent::Whole, jobs) };
    let fail = |error: io::Error| Failure::Error(format!("{name}: {error}"));
    let mut findings = Findings::new(name.to_owned(), 20);
    let _shown = progress::show(if keep.is_some() { "unpacking" } else { "checking" }, length(path));
    if path.is_dir() {
        match directory_kind(path).filter(|kind| *kind != Kind::Store) {
            Some(kind) => check_directory_to(pass, kind, &Directory::at(path), &limits, &mut findings),
            None => return Err(Failure::Refused(format!("{name}: {NEITHER}"))),
        }
    } else {
        let mut head = Vec::new();
        let file = File::open(path).map_err(fail)?;
        (&file).take(HEAD as u64).read_to_end(&mut head).map_err(fail)?;
        match recognise(&head).filter(|kind| kind.needs_file()) {
            Some(kind) => check_file_to(pass, kind, &Random(file), &limits, &mut findings),
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
    Some(Platform { os: std::env::consts::OS.to_owned(), architecture: architecture().to_owned(), variant: None })
}
