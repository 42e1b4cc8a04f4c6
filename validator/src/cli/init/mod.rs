//! `cornercast init`: a manifest to start from.

mod config;
mod draft;
mod elf;
mod naming;
mod rootfs;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueHint};

use self::draft::{Draft, Program};
use super::listing::read_tree;
use super::{Failure, print, progress};
use crate::build::{Ownership, SourceTree, finish, read_tar, temporary_in, unwritable};
use crate::convert::found::Found;
use crate::convert::layout::{self, Wanted};
use crate::convert::rootfs::Rootfs;
use crate::manifest::{Platform, User};
use crate::shown::quoted;

/// Print a manifest to start from
///
/// For a directory or tar archive: with the platform and program that are found in it. For an OCI image
/// layout (a directory or tar archive, with :TAG if there are several images) or an archive of `docker
/// save`: with what its configuration says. Comments explain each member, and say what has to be filled in.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(super) struct Init {
    /// A directory, a tar archive, an OCI image layout or a saved image; without one, everything is to be filled in
    #[arg(value_name = "TREE|OCI-IMAGE", value_hint = ValueHint::AnyPath)]
    input: Option<String>,
    /// The name of the image
    #[arg(long)]
    name: Option<String>,
    /// The version of the image
    #[arg(long)]
    version: Option<String>,
    /// What the image runs on; of an OCI image for several platforms, this one is taken
    #[arg(long, value_name = "OS/ARCHITECTURE[/VARIANT]", value_parser = parse_platform)]
    platform: Option<Platform>,
    /// Write the manifest to this file instead
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "output")]
    force: bool,
}

pub(super) fn run(arguments: &Init) -> Result<ExitCode, Failure> {
    let mut draft = draft(arguments)?;
    if let Some(name) = &arguments.name {
        draft.name.clone_from(name);
    }
    if let Some(version) = &arguments.version {
        draft.version.clone_from(version);
    }
    if let Some(platform) = &arguments.platform {
        draft.platform = Some(platform.clone());
    }
    let text = draft.to_toml();
    match &arguments.output {
        Some(file) => write(file, &text, arguments.force)?,
        None => print(&text)?,
    }
    if !draft.is_complete() {
        anstream::eprintln!("note: not everything could be determined; the comments say what to fill in");
    } else if !draft.remarks.is_empty() {
        anstream::eprintln!("note: not everything of the image was taken over; the comments say what was not");
    }
    Ok(ExitCode::SUCCESS)
}

fn draft(arguments: &Init) -> Result<Draft, Failure> {
    let Some(input) = &arguments.input else { return Ok(for_tree("nothing", "image".as_ref(), &Rootfs::default())) };
    let (path, tag) = split(input);
    let wanted = Wanted { tag, platform: arguments.platform.clone().map(layout::normal), host: None };
    let (files, spool) = read_tree(&path, &Ownership::default(), None)?;
    match layout::find(&files, &wanted).map_err(|error| at(input, error.into()))? {
        Some(found) => {
            let rootfs = rootfs(&found).map_err(|failure| at(input, failure))?;
            Ok(config::draft(input, &path, &found, &rootfs))
        }
        None if wanted.tag.is_some() => Err(Failure::Refused(format!(
            "{}: it is neither an OCI image layout nor an archive of docker save; leave \":{}\" out",
            path.display(),
            wanted.tag.unwrap_or_default()
        ))),
        None => {
            let mut rootfs = Rootfs::default();
            rootfs.add_source(files, spool)?;
            Ok(for_tree(input, &path, &rootfs))
        }
    }
}

/// A draft for a tree, of which only the files are known.
fn for_tree(source: &str, path: &Path, rootfs: &Rootfs) -> Draft {
    let candidates = rootfs.candidates();
    let program = match candidates.as_slice() {
        [only] => Program::Found(vec![only.clone()]),
        [] => Program::Missing("There is no program where programs usually stand".to_owned(), Vec::new()),
        _ => Program::Missing("There is more than one program".to_owned(), candidates.clone()),
    };
    let found = candidates.first().filter(|_| candidates.len() == 1);
    // Anyone but root, unless the program is for its owner only.
    let owner = found.and_then(|path| rootfs.program(path)).filter(|(_, attributes)| attributes.mode & 0o001 == 0);
    let (uid, gid) = owner.map_or((1000, 1000), |(_, attributes)| (attributes.uid, attributes.gid));
    Draft {
        source: source.to_owned(),
        name: naming::of_path(path),
        version: naming::FIRST_VERSION.to_owned(),
        platform: rootfs.platform(found.map(String::as_str)),
        created: None,
        program,
        arguments: Vec::new(),
        user: User { uid, gid, supplementary_gids: Vec::new() },
        working_directory: draft::Path { path: "/".to_owned(), exists: true },
        environment: BTreeMap::new(),
        signal: None,
        ports: Vec::new(),
        mounts: Vec::new(),
        annotations: BTreeMap::new(),
        remarks: Vec::new(),
    }
}

/// The merged tree of the layers, each of which has the digest that names it.
fn rootfs(found: &Found<'_>) -> Result<Rootfs, Failure> {
    let mut rootfs = Rootfs::default();
    for layer in &found.layers {
        let decoded = layer.decoded(&std::env::temp_dir(), progress::add)?;
        let mut tree = SourceTree::new(None);
        tree.on_read = Some(progress::add);
        read_tar(decoded.path(), &layer.name(), &Ownership::default(), &mut tree)?;
        rootfs.add_source(tree, Some(decoded))?;
    }
    Ok(rootfs)
}

/// A path, and the tag after a `:` if no file has that name.
pub(super) fn split(input: &str) -> (PathBuf, Option<String>) {
    match input.rsplit_once(':') {
        Some((path, tag)) if !Path::new(input).exists() => (PathBuf::from(path), Some(tag.to_owned())),
        _ => (PathBuf::from(input), None),
    }
}

fn at(input: &str, failure: Failure) -> Failure {
    match failure {
        Failure::Refused(message) => Failure::Refused(format!("{input}: {message}")),
        Failure::Error(message) => Failure::Error(format!("{input}: {message}")),
    }
}

fn write(file: &Path, text: &str, force: bool) -> Result<(), Failure> {
    if file.exists() && !force {
        let message =
            format!("{} is there already; choose another name, or use --force", quoted(&file.to_string_lossy()));
        return Err(Failure::Error(message));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = temporary_in(folder).and_then(|mut temporary| {
        temporary.write_all(text.as_bytes())?;
        finish(temporary, file)
    });
    written.map_err(|error| unwritable(file)(error).into())
}

pub(super) fn parse_platform(text: &str) -> Result<Platform, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let (os, architecture, variant) = match parts.as_slice() {
        [os, architecture] => (*os, *architecture, None),
        [os, architecture, variant] => (*os, *architecture, Some((*variant).to_owned())),
        _ => return Err("write OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, such as linux/arm/v7".to_owned()),
    };
    Ok(Platform { os: os.to_owned(), architecture: architecture.to_owned(), variant })
}
