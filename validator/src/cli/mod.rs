//! The command `cornercast`: arguments, files and standard streams. Each subcommand has a module.

mod audit;
mod baseline;
#[cfg(target_os = "linux")]
mod bundle;
mod check;
mod configuration;
mod convert;
mod diff;
mod explain;
mod files;
mod fix;
mod image;
mod init;
mod inspect;
mod listing;
mod manual;
mod output;
mod pack;
mod progress;
mod signals;
pub(crate) mod trust;
#[cfg(target_os = "linux")]
mod unpack;

use std::io::{self, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::input::Kind;
use crate::report::{FailOn, Format};

/// Pack, list, check and unpack container images of the Cornercast format.
#[derive(Debug, Parser)]
#[command(name = "cornercast", version, max_term_width = 100, disable_help_subcommand = true)]
struct Cli {
    /// When to use colours; auto asks the terminal, NO_COLOR and CLICOLOR_FORCE
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Check(Check),
    Pack(Pack),
    Listing(Listing),
    Inspect(inspect::Inspect),
    Diff(diff::Diff),
    Audit(audit::AuditArgs),
    Convert(convert::Convert),
    #[cfg(target_os = "linux")]
    Unpack(unpack::Unpack),
    #[cfg(target_os = "linux")]
    Bundle(bundle::Bundle),
    Keygen(trust::keygen::Keygen),
    Sign(trust::sign::Sign),
    Keyring(trust::keyring::KeyringArgs),
    Catalog(trust::catalog::CatalogArgs),
    Log(trust::log::LogArgs),
    #[cfg(target_os = "linux")]
    Verify(trust::verify::Verify),
    /// Print a clause, why it is there, a bad and a good example
    Explain {
        /// The id of a clause, such as MAN-012
        id: String,
    },
    /// List the clauses that `check` judges
    Rules {
        /// As one JSON array, in the form of requirements.schema.json
        #[arg(long)]
        json: bool,
    },
    /// Print a JSON Schema, or the names of all
    Schema {
        /// The name of the schema
        name: Option<String>,
    },
    /// Print a script that completes the arguments of this command in a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a manual page, or write all
    Man {
        /// The command that the page is about, such as check; without one, the page of all
        command: Option<String>,
        /// Write all pages into this directory instead, which is made if it is not there
        #[arg(long, value_name = "DIR", conflicts_with = "command")]
        dir: Option<PathBuf>,
    },
}

/// Check images, layers and documents
///
/// Inputs are recognised by their content: stores, archives (also compressed), manifests, listings,
/// layers, store markers, signature indexes, OCI images and their layers, OCI runtime bundles. All
/// violations are reported in one run.
///
/// Exit status: 0 without violations at or above --fail-on, 1 with some, 2 if an input could not be checked.
#[derive(Debug, Args)]
struct Check {
    /// Files and directories to check; - is standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The form of the report on standard output; human if nothing else goes there
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write a report to a file too, such as sarif=check.sarif; - is standard output; can be given
    /// several times
    #[arg(long, value_name = "FORMAT=FILE", value_parser = parse_output)]
    output: Vec<(Format, PathBuf)>,
    /// Take the inputs as this kind instead of recognising them
    #[arg(long = "as", value_name = "KIND", value_parser = kinds())]
    kind: Option<Kind>,
    /// Check everything below directories that is recognised
    #[arg(long)]
    recursive: bool,
    /// Check documents, descriptors, sizes and digests of blobs as they are stored, and what is missing;
    /// layers are not opened, so nothing is said of what is in them
    #[arg(long)]
    digests_only: bool,
    /// What makes the exit status 1
    #[arg(long, value_enum, default_value_t = FailOn::Error)]
    fail_on: FailOn,
    /// Violations that are reported for one input
    #[arg(long, value_name = "N", default_value_t = 1000)]
    max_findings: usize,
    /// Threads that work at once; by default as many as there are processors
    #[arg(long, value_name = "N", value_parser = parse_jobs)]
    jobs: Option<NonZero<usize>>,
    /// A lint configuration; by default the cornercast.toml of this directory or the closest above
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// An earlier json report, whose findings are not reported again
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write documents that stand alone in canonical form before they are checked
    #[arg(long)]
    fix: bool,
    /// Show what --fix would change, and change and check nothing; the exit status is 1 if there is anything
    #[arg(long, conflicts_with_all = ["format", "output", "baseline", "fail_on"])]
    diff: bool,
}

/// Make an image from directories and tar archives
///
/// TREE is a directory or a tar archive of any dialect, plain or compressed with gzip or zstd; it becomes
/// the lowest layer (above those of --base). Prints the image id alone. What a layer cannot hold is named
/// on standard error.
///
/// SOURCE_DATE_EPOCH, if set, is the latest time that a file can have in the image.
///
/// If it is stopped by a signal, it leaves nothing behind. If it is killed (SIGKILL) or the machine stops, files or
/// directories whose names begin with `.cornercast-` can remain beside the output, in it if it is a store, and in the
/// directory for temporary files; they can be removed.
#[derive(Debug, Args)]
struct Pack {
    /// The directory or tar archive; - is an archive on standard input
    tree: PathBuf,
    /// The manifest in TOML or JSON, without cornercast, kind, layers and rootfs, which are filled in
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// A further layer above: a directory or a tar archive, with whiteouts as OCI layers have them
    #[arg(long, value_name = "TREE")]
    layer: Vec<PathBuf>,
    /// The image whose layers come first
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    base: Option<String>,
    /// Fail if anything is left out or changed
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    ownership: OwnershipArgs,
    /// A store directory, made or added to, or a new archive if the name ends in .ccast; - is an archive
    /// on standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

/// Whose the entries are.
#[derive(Debug, Args)]
struct OwnershipArgs {
    /// Give all entries to this user and group
    #[arg(long, value_name = "UID:GID", value_parser = parse_owner, conflicts_with_all = ["map_uids", "map_gids"])]
    owner: Option<(u32, u32)>,
    /// Map a range of user ids; ids outside all ranges are refused
    #[arg(long, value_name = "FROM:TO:COUNT", value_parser = parse_range)]
    map_uids: Vec<(u32, u32, u32)>,
    /// Map a range of group ids; ids outside all ranges are refused
    #[arg(long, value_name = "FROM:TO:COUNT", value_parser = parse_range)]
    map_gids: Vec<(u32, u32, u32)>,
}

impl OwnershipArgs {
    fn ownership(&self) -> crate::build::Ownership {
        crate::build::Ownership { all: self.owner, uids: self.map_uids.clone(), gids: self.map_gids.clone() }
    }
}

/// Print the canonical listing of a tree, a layer or an image
///
/// Of a directory: what `pack` would list, with SOURCE_DATE_EPOCH as there. Of a tar archive: of the layer that `pack` would make from it.
/// Of an image: of its merged rootfs.
#[derive(Debug, Args)]
struct Listing {
    /// A directory, a tar archive, or an image: a store, STORE@sha256:…, an archive, or - for standard input
    #[arg(value_name = "DIR|TAR|IMAGE", value_hint = ValueHint::AnyPath)]
    input: String,
    /// Take the input as this instead of recognising it
    #[arg(long = "as", value_enum, value_name = "KIND")]
    kind: Option<ListingOf>,
    /// Print the digest of the listing instead
    #[arg(long)]
    digest: bool,
    #[command(flatten)]
    ownership: OwnershipArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ListingOf {
    /// A directory or a tar archive
    Tree,
    /// A store or an archive
    Image,
}

/// Why a command fails, and the exit status.
#[derive(Debug)]
enum Failure {
    /// The input was refused: 1.
    Refused(String),
    /// Usage, input and output: 2.
    Error(String),
}

impl From<crate::build::BuildError> for Failure {
    fn from(error: crate::build::BuildError) -> Self {
        match error {
            crate::build::BuildError::Refused(message) => Self::Refused(message),
            error @ crate::build::BuildError::Io(..) => Self::Error(error.to_string()),
        }
    }
}

/// Runs the command that the arguments of the process name.
pub fn run() -> ExitCode {
    let Cli { color, command } = Cli::parse();
    match color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    }
    .write_global();
    signals::watch();
    let result = match command {
        Command::Init(arguments) => init::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Pack(arguments) => pack::run(&arguments),
        Command::Listing(arguments) => listing::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
        #[cfg(target_os = "linux")]
        Command::Unpack(arguments) => unpack::run(&arguments),
        #[cfg(target_os = "linux")]
        Command::Bundle(arguments) => bundle::run(&arguments),
        Command::Keygen(arguments) => trust::keygen::run(&arguments),
        Command::Sign(arguments) => trust::sign::run(&arguments),
        Command::Keyring(arguments) => trust::keyring::run(&arguments),
        Command::Catalog(arguments) => trust::catalog::run(&arguments),
        Command::Log(arguments) => trust::log::run(&arguments),
        #[cfg(target_os = "linux")]
        Command::Verify(arguments) => trust::verify::run(&arguments),
        Command::Explain { id } => explain::explain(&id),
        Command::Rules { json } => explain::rules(json),
        Command::Schema { name } => explain::schema(name.as_deref()),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { dir: Some(dir), .. } => manual::pages(&dir),
        Command::Man { command, dir: None } => manual::page(command.as_deref()),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            let (code, message) = match failure {
                Failure::Refused(message) => (1, message),
                Failure::Error(message) => (2, message),
            };
            let style = anstyle::AnsiColor::Red.on_default().bold();
            anstream::eprintln!("{style}error{style:#}: {message}");
            ExitCode::from(code)
        }
    }
}

fn parse_jobs(text: &str) -> Result<NonZero<usize>, String> {
    text.parse().map_err(|_| "write a number from 1".to_owned())
}

/// Threads that can run at once.
fn processors() -> NonZero<usize> {
    std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN)
}

/// Writes to standard output; a reader that has gone is no error.
fn print(text: &str) -> Result<(), Failure> {
    match anstream::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Error(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// The value of SOURCE_DATE_EPOCH, as reproducible-builds.org defines it.
fn source_date_epoch() -> Result<Option<u64>, Failure> {
    let Some(text) = std::env::var_os("SOURCE_DATE_EPOCH") else { return Ok(None) };
    let text = text.to_string_lossy();
    let latest = u64::try_from(crate::limits::Limits::FORMAT.mtime).unwrap_or_default();
    match text.parse() {
        Ok(epoch) if epoch <= latest => Ok(Some(epoch)),
        _ => Err(Failure::Error(format!(
            "SOURCE_DATE_EPOCH is \"{text}\"; it has to be a number of seconds from 0 to {latest}"
        ))),
    }
}

/// This machine's processor, as manifests call it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86" => "386",
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "loongarch64" => "loong64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        other => other,
    }
}

/// The kinds of inputs by their names.
fn kinds() -> impl TypedValueParser<Value = Kind> {
    let names = PossibleValuesParser::new(Kind::ALL.map(|(name, _)| name));
    names.try_map(|name| Kind::by_name(&name).ok_or("it is no kind"))
}

/// A suggestion in brackets, if one of `known` is close to `name`.
fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    crate::suggestion::closest(name, known).map_or_else(String::new, |close| format!(" (did you mean `{close}`?)"))
}

fn parse_output(text: &str) -> Result<(Format, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("write FORMAT=FILE, such as sarif=check.sarif")?;
    let format = Format::from_str(name, false).map_err(|_| {
        let names: Vec<String> = Format::value_variants()
            .iter()
            .filter_map(|format| Some(format.to_possible_value()?.get_name().to_owned()))
            .collect();
        let hint = did_you_mean(name, names.iter().map(String::as_str));
        format!("the format `{name}` is none of {}{hint}", names.join(", "))
    })?;
    if file.is_empty() {
        return Err(format!("the name of the file is missing; write {name}=FILE, or {name}=- for standard output"));
    }
    Ok((format, PathBuf::from(file)))
}

fn parse_owner(text: &str) -> Result<(u32, u32), String> {
    let ids = text.split_once(':').and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)));
    ids.filter(|(uid, gid)| *uid < u32::MAX && *gid < u32::MAX)
        .ok_or_else(|| format!("write UID:GID in numbers up to {}", crate::limits::Limits::FORMAT.id))
}

fn parse_range(text: &str) -> Result<(u32, u32, u32), String> {
    let numbers: Vec<u32> = text.split(':').filter_map(|number| number.parse().ok()).collect();
    match numbers.as_slice() {
        [from, to, count] if text.split(':').count() == 3 && *count > 0 => Ok((*from, *to, *count)),
        _ => Err(format!(
            "write FROM:TO:COUNT in numbers up to {}, with a COUNT from 1",
            crate::limits::Limits::FORMAT.id
        )),
    }
}
