//! `cornercast unpack`

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum, ValueHint};
use rustix::fs::Mode;
use tempfile::NamedTempFile;

use super::check::directory_kind;
use super::convert::import;
use super::files::open_regular;
use super::image::{Located, is_image, split};
use super::init::split as oci_path;
use super::progress::{self, Counted};
use super::trust::asked::Trust;
use super::{Failure, diff, parse_jobs, print, processors};
use crate::build::{PrivateFolder, private_in, write_store};
use crate::convert::{Change, Wish};
use crate::diagnostic::Findings;
use crate::difference::Difference;
use crate::input::{HEAD, Kind, recognise};
use crate::limits::Limits;
use crate::report::{CheckedInput, FailOn, Format, Report};
use crate::shown::{escaped, quoted};
use crate::store::check_archive;
use crate::unpack::{self, Ids, Options, UnpackError, Unpacked};

/// Unpack an image into a directory
///
/// Prints the rootfs digest of the image alone: that of its merged listing, which `cornercast listing --digest DIR`
/// prints for a tree that has all that the image says. What the tree has not is named on standard error: other
/// owners, attributes that could not be set.
///
/// An image of OCI becomes the tree that `convert` would make of it, and what that changes is named as well. Its
/// layers are written while they are checked; one that was exported from this format is imported first.
///
/// The image is checked as `check` does, an archive as a whole, and of a store what the image needs. DIR must
/// not be there, or be an empty directory. The tree is written under a temporary name beside it, put on the disk
/// (syncfs) and then renamed: it is there as a whole or not at all. DIR itself gets the mode 0755, the owner of
/// root and the time 0. Nothing outside is changed, whatever the image says and whatever other programs do to the
/// tree meanwhile. The umask does not count.
///
/// If it is killed (SIGKILL) or the machine stops, a directory whose name begins with `.cornercast-` can remain
/// beside DIR, and a file in the directory for temporary files; they can be removed.
///
/// With --policy, nothing is written but the image that is accepted under it: refusals come before anything is
/// unpacked, and what is written is hashed on the way.
///
/// Exit status: 0 if the image was unpacked, 1 if it was refused or does not become the tree that it says, 2 if
/// it could not be read or the tree not be written.
#[derive(Debug, Args)]
pub(super) struct Unpack {
    /// The image: a store, STORE@sha256:…, an archive, also compressed with zstd, - for standard input; an OCI image
    /// layout, a directory or archive, with :TAG if it has several images; an archive of `docker save`
    #[arg(value_hint = ValueHint::AnyPath)]
    image: String,
    /// The directory
    #[arg(value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    /// List the tree anew when it is written, and hold it against the image; each entry is read once more
    #[arg(long)]
    verify: bool,
    /// Whose the entries are; by default those of the image for root, and the caller's for everyone else
    #[arg(long, value_enum, value_name = "WHOSE")]
    owner: Option<Owner>,
    /// Print one JSON object instead of the digest, with all that standard error tells but what importing has changed.
    /// Of an image of OCI, `image` is the digest of its manifest (of its config if `docker save` wrote it)
    #[arg(long)]
    json: bool,
    /// Threads that work at once; by default as many as there are processors
    #[arg(long, value_name = "N", value_parser = parse_jobs)]
    jobs: Option<NonZero<usize>>,
    #[command(flatten)]
    trust: Trust,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Owner {
    /// The users and groups of the image
    Image,
    /// The caller's user and group
    Caller,
}

pub(super) fn run(arguments: &Unpack) -> Result<ExitCode, Failure> {
    let options = options(arguments.owner, arguments.verify, arguments.jobs);
    let unpacked = unpack(&arguments.image, &arguments.dir, &arguments.trust, &options)?;
    tell(&unpacked);
    if arguments.json {
        let json = serde_json::to_string_pretty(&unpacked).map_err(|error| Failure::Error(error.to_string()))?;
        print(&format!("{json}\n"))?;
    } else {
        print(&format!("{}\n", unpacked.rootfs))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Unpacks any image, and says what importing it has changed.
fn unpack(image: &str, dir: &Path, trust: &Trust, options: &Options) -> Result<Unpacked, Failure> {
    prepare(dir)?;
    if is_foreign(image)
        && !trust.is_asked_for()
        && let Some((unpacked, changes)) = import::unpack(image, Some(UNNAMED), dir, options)?
    {
        tell_changes(&changes, image);
        return Ok(unpacked);
    }
    let source = Source::open(image, dir, trust, options.jobs)?;
    let shown = progress::show("unpacking", source.image.bytes(options.verify));
    let unpacked = unpack::unpack(&source.image, source.image.id, &source.shown, dir, options);
    drop(shown);
    let unpacked = unpacked.map_err(failure)?;
    source.tell();
    Ok(unpacked)
}

/// Sees whether a tree can be put to `dir`, and changes the umask of the process for it.
fn prepare(dir: &Path) -> Result<(), Failure> {
    // The owner can always write what is made here; the tree gets its own modes in the end.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    unpack::check_place(dir).map_err(failure)
}

/// An image that is going to be unpacked; an archive has been checked as a whole, an image of OCI imported.
pub(super) struct Source {
    pub(super) image: Located,
    /// What importing it has changed.
    changes: Vec<Change>,
    /// What messages call it.
    pub(super) shown: String,
    /// Keeps the copy of standard input.
    _spool: Option<NamedTempFile>,
    /// Keeps the store with the imported image.
    _store: Option<PrivateFolder>,
}

impl Source {
    /// Opens `argument`, if its tree can be put to `dir`. The umask of the process is changed for that.
    pub(super) fn open(argument: &str, dir: &Path, trust: &Trust, jobs: NonZero<usize>) -> Result<Self, Failure> {
        prepare(dir)?;
        if is_foreign(argument) {
            if trust.is_asked_for() {
                // What signatures are about is the manifest of this format.
                return Err(Failure::Refused(format!("{argument} is an image of OCI, which no policy is about")));
            }
            return Self::import(argument, dir);
        }
        let is_stdin = argument == "-";
        let name = if is_stdin { "standard input" } else { argument };
        let (file, spool) = if is_stdin { spool()? } else { (argument.to_owned(), None) };
        let named = |failure: Failure| match failure {
            // Nobody knows the copy by its name.
            Failure::Refused(message) if is_stdin => Failure::Refused(message.replace(&file, name)),
            Failure::Error(message) if is_stdin => Failure::Error(message.replace(&file, name)),
            other => other,
        };
        let (path, shown) = (split(&file).0, split(name).0.display().to_string());
        let judge = || if path.is_dir() { Ok(()) } else { check(&path, &shown, &Limits::FORMAT, jobs) };
        // Whom nobody trusts is not listened to for long.
        let image = if trust.is_asked_for() {
            let image = Located::trusted(&file, trust).map_err(named)?;
            judge()?;
            image
        } else {
            judge()?;
            Located::find(&file).map_err(named)?
        };
        Ok(Self { image, changes: Vec::new(), shown, _spool: spool, _store: None })
    }

    /// An image of OCI, by way of a store beside `dir`.
    fn import(argument: &str, dir: &Path) -> Result<Self, Failure> {
        let beside = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let fail = |error: io::Error| Failure::Error(format!("{} cannot be written: {error}", dir.display()));
        let folder = PrivateFolder::new_in(beside).map_err(fail)?;
        let store = folder.path().join("store");
        let (imported, _input) = import::read(argument, &Wish::default(), Some(UNNAMED), folder.path())?;
        let files = imported.files();
        let shown = progress::show("writing", files.iter().map(|(_, size, _)| size).sum());
        write_store(&store, &imported.built, &files)?;
        drop(shown);
        let image = Located::find(&store.to_string_lossy())?;
        drop(files);
        let (changes, shown) = (imported.changes, argument.to_owned());
        Ok(Self { image, changes, shown, _spool: None, _store: Some(folder) })
    }

    /// Says what importing has changed.
    pub(super) fn tell(&self) {
        tell_changes(&self.changes, &self.shown);
    }
}

/// How a command unpacks.
pub(super) fn options(owner: Option<Owner>, verify: bool, jobs: Option<NonZero<usize>>) -> Options {
    let is_root = rustix::process::geteuid().is_root();
    let owner = match owner.unwrap_or(if is_root { Owner::Image } else { Owner::Caller }) {
        Owner::Image => unpack::Owner::Image,
        Owner::Caller => unpack::Owner::Caller,
    };
    let jobs = jobs.unwrap_or_else(processors);
    Options { owner, verify, jobs, limits: Limits::FORMAT, on_read: Some(progress::add) }
}

fn tell_changes(changes: &[Change], image: &str) {
    for Change { clause, place, what } in changes {
        let place = if place.is_empty() { image } else { place };
        anstream::eprintln!("note[{clause}]: {}: {}", escaped(place), escaped(what));
    }
}

/// What an image of OCI is called that says no name or version: they are no part of the tree.
const UNNAMED: (&str, &str) = ("unnamed.invalid/image", "0.0.0");

/// Whether an argument is a layout or what `docker save` writes, perhaps with a tag.
fn is_foreign(argument: &str) -> bool {
    if argument == "-" || is_image(argument) {
        return false;
    }
    let (path, _) = oci_path(argument);
    if path.is_dir() {
        return matches!(directory_kind(&path), Some(Kind::OciLayout | Kind::DockerLayout));
    }
    let mut head = Vec::new();
    let read = open_regular(&path).and_then(|file| file.take(HEAD as u64).read_to_end(&mut head));
    read.is_ok() && (head.starts_with(&GZIP) || recognise(&head).is_some_and(Kind::needs_file))
}

/// How an archive that gzip has compressed begins; images of this format never are.
const GZIP: [u8; 2] = [0x1F, 0x8B];

/// Standard input as a file.
fn spool() -> Result<(String, Option<NamedTempFile>), Failure> {
    let folder = std::env::temp_dir();
    let fail = |error: io::Error| {
        let folder = folder.display();
        Failure::Error(format!(
            "the copy of standard input in {folder} cannot be written: {error}; set TMPDIR to another folder"
        ))
    };
    let shown = progress::show("reading", 0);
    let mut spool = private_in(&folder).map_err(fail)?;
    io::copy(&mut Counted(io::stdin()), spool.as_file_mut()).map_err(fail)?;
    spool.as_file_mut().flush().map_err(fail)?;
    drop(shown);
    Ok((spool.path().to_string_lossy().into_owned(), Some(spool)))
}

/// Checks an archive as a whole.
fn check(path: &Path, name: &str, limits: &Limits, jobs: NonZero<usize>) -> Result<(), Failure> {
    let fail = |error: io::Error| Failure::Error(format!("{name}: {error}"));
    let mut file = open_regular(path).map_err(fail)?;
    let mut head = Vec::new();
    (&mut file).take(HEAD as u64).read_to_end(&mut head).map_err(fail)?;
    if recognise(&head) != Some(Kind::Archive) {
        return Err(Failure::Refused(format!("{name} is neither a store nor an archive")));
    }
    let shown = progress::show("checking", super::files::length(path));
    let mut findings = Findings::new(name, 1000);
    let checked = File::open(path).and_then(|file| check_archive(&mut Counted(file), limits, jobs, &mut findings));
    drop(shown);
    checked.map_err(fail)?;
    if findings.errors > 0 { Err(failure(UnpackError::Rejected(findings))) } else { Ok(()) }
}

pub(super) fn failure(error: UnpackError) -> Failure {
    match error {
        UnpackError::Rejected(findings) => rejected(&findings),
        UnpackError::Differs(entries) => {
            let text = diff::text(&Difference { entries, ..Difference::default() });
            Failure::Refused(format!(
                "the tree on the disk is not that of the image, so it was removed; A is only on the disk, D only in the \
                 image:\n{}",
                text.trim_end()
            ))
        }
        error => Failure::Error(error.to_string()),
    }
}

/// What is wrong with an image goes to standard error as `check` shows it.
fn rejected(findings: &Findings) -> Failure {
    let input = CheckedInput {
        name: findings.input().to_owned(),
        is_directory: false,
        findings: findings.list().to_vec(),
        errors: findings.errors,
        warnings: findings.warnings,
    };
    let report = Report { inputs: vec![input], fail_on: FailOn::Error, known: None, digests_only: false };
    anstream::eprintln!("{}", report.render(Format::Human).trim_end());
    Failure::Refused(format!("{} is not valid, so nothing was written", findings.input()))
}

/// Says what the tree has not of what the image says.
pub(super) fn tell(unpacked: &Unpacked) {
    let entries = |count: u64| if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") };
    if let Some(Ids { uid, gid }) = unpacked.owner {
        anstream::eprintln!("note: everything belongs to {uid}:{gid}, whatever the image says");
        if let Some(count @ 1..) = unpacked.setid {
            anstream::eprintln!(
                "note: the set-user-ID or set-group-ID bit of {} gives the rights of {uid}:{gid} now",
                entries(count)
            );
        }
    }
    for unset in &unpacked.unset {
        let (name, first) = (escaped(&unset.name), quoted(&unset.first));
        anstream::eprintln!(
            "note: `{name}` of {} could not be set, first of {first}: {}",
            entries(unset.entries),
            unset.reason
        );
    }
}
