//! `cornercast check`

use std::fs;
use std::io::{self, Read, Seek as _};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::baseline::Baseline;
use super::configuration::Configuration;
use super::files::{Directory, Random, length};
use super::output::{self, destinations};
use super::progress::{self, Counted};
use super::{Check, Failure, fix, processors};
use crate::clause::Clause;
use crate::diagnostic::{Findings, Place, Violation};
use crate::input::{HEAD, Kind, check_directory_to, check_file_to, check_stream, recognise};
use crate::limits::Limits;
use crate::notice;
use crate::oci::Pass;
use crate::report::{CheckedInput, Report};
use crate::store::{Extent, check_archive_to};

pub(super) fn run(arguments: &Check) -> Result<ExitCode, Failure> {
    let destinations = destinations(arguments.format, &arguments.output)?;
    let config = match Configuration::find(arguments.config.as_deref()) {
        Ok(config) => config,
        Err(input) => {
            let (inputs, fail_on, digests_only) = (vec![input], arguments.fail_on, arguments.digests_only);
            let report = Report { inputs, fail_on, known: None, digests_only };
            output::write(&report, &destinations)?;
            return Ok(ExitCode::from(report.status()));
        }
    };
    let inputs = inputs(arguments);
    let baseline = arguments.baseline.as_deref().map(Baseline::read).transpose()?;
    if arguments.diff {
        return Ok(ExitCode::from(u8::from(fix::print_diff(&inputs, arguments.kind)?)));
    }
    if arguments.fix {
        fix::fix_files(&inputs, arguments.kind)?;
    }
    let shown = progress::show("checking", inputs.iter().map(|input| length(input)).sum());
    let mut checked = check_all(&inputs, arguments, &config);
    drop(shown);
    let known = baseline.map(|baseline| baseline.hide(&mut checked));
    let (fail_on, digests_only) = (arguments.fail_on, arguments.digests_only);
    let report = Report { inputs: checked, fail_on, known, digests_only };
    output::write(&report, &destinations)?;
    Ok(ExitCode::from(report.status()))
}

/// The inputs that the arguments name, with everything recognised below directories if asked for.
fn inputs(arguments: &Check) -> Vec<PathBuf> {
    if !arguments.recursive {
        return arguments.paths.clone();
    }
    let mut out = Vec::new();
    arguments.paths.iter().for_each(|path| below(path, &mut out));
    out
}

/// What cannot be read is an input, too, so that the report says so.
fn below(path: &Path, out: &mut Vec<PathBuf>) {
    // Many a program has a config.json.
    let is_whole = directory_kind(path).is_some_and(|kind| kind != Kind::OciBundle || has_version(path));
    let entries = fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>());
    let Some(mut entries) = entries.ok().filter(|_| !is_whole) else {
        out.push(path.to_owned());
        return;
    };
    entries.sort();
    for entry in entries.into_iter().filter(|entry| !entry.is_symlink()) {
        if entry.is_dir() {
            below(&entry, out);
        } else if entry.is_file() {
            let mut head = Vec::new();
            let read =
                super::files::open_regular(&entry).and_then(|file| file.take(HEAD as u64).read_to_end(&mut head));
            // Files that are not ours stand beside images everywhere; JSON of others does, too.
            let is_ours = recognise(&head).is_some_and(|kind| kind != Kind::Manifest || is_manifest(&head));
            if read.is_err() || is_ours {
                out.push(entry);
            }
        }
    }
}

/// What a directory is, by the files in it. One in which the first of them is missing can be told by the others.
pub(super) fn directory_kind(path: &Path) -> Option<Kind> {
    if path.join("cornercast").exists() || path.join("images").is_dir() {
        Some(Kind::Store)
    } else if path.join("oci-layout").exists() || path.join("index.json").exists() && path.join("blobs").is_dir() {
        Some(Kind::OciLayout)
    } else if path.join("manifest.json").is_file() {
        Some(Kind::DockerLayout)
    } else if path.join("config.json").is_file() {
        Some(Kind::OciBundle)
    } else {
        None
    }
}

/// Whether the `config.json` of a directory looks like that of a bundle.
fn has_version(path: &Path) -> bool {
    let mut head = Vec::new();
    let config = super::files::open_regular(&path.join("config.json"));
    let read = config.and_then(|file| file.take(HEAD as u64).read_to_end(&mut head));
    read.is_ok() && head.windows(12).any(|window| window == b"\"ociVersion\"")
}

fn is_manifest(head: &[u8]) -> bool {
    head.windows(12).any(|window| window == b"\"cornercast\"")
}

/// Checks inputs in parallel; the results come in the order of the inputs.
fn check_all(inputs: &[PathBuf], arguments: &Check, config: &Configuration) -> Vec<CheckedInput> {
    let jobs = arguments.jobs.unwrap_or_else(processors);
    // As many inputs at once as there are threads; where there are fewer inputs, each gets several.
    let at_once = jobs.get().min(inputs.len());
    let each = NonZero::new(jobs.get() / at_once.max(1)).unwrap_or(NonZero::<usize>::MIN);
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, CheckedInput)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(input) = inputs.get(index) else { break };
                    let checked = check_one(input, each, arguments, config);
                    if let Ok(mut results) = results.lock() {
                        results.push((index, checked));
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, checked)| checked).collect()
}

fn check_one(path: &Path, jobs: NonZero<usize>, arguments: &Check, config: &Configuration) -> CheckedInput {
    let name = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let mut findings = Findings::new(name, arguments.max_findings);
    let extent = if arguments.digests_only { Extent::Digests } else { Extent::Whole };
    if let Err(notice) = read(path, arguments.kind, extent, jobs, &mut findings) {
        findings.interrupted(*notice);
    }
    config.apply(path, findings)
}

/// Checks one input; the notice says why it could not be checked, or not to its end.
fn read(
    path: &Path,
    kind: Option<Kind>,
    extent: Extent,
    jobs: NonZero<usize>,
    findings: &mut Findings,
) -> Result<(), Box<Violation>> {
    let limits = Limits::FORMAT;
    if path == Path::new("-") {
        return stream(&mut Counted(io::stdin()), kind, extent, &limits, jobs, findings);
    }
    if path.is_dir() {
        fs::read_dir(path).map_err(unreadable)?;
        if let Some(kind) = kind.filter(|kind| !kind.is_directory()) {
            let message = format!("the input is a directory, and --as {} takes a file", kind.name());
            return Err(Box::new(unchecked(&notice::INP_003, message)));
        }
        let Some(kind) = kind.or_else(|| directory_kind(path)) else {
            let message = "the directory is no store and no image: it has none of the files `cornercast`, `oci-layout`, `manifest.json` and `config.json`";
            let help = "use --as to say what it is, or --recursive to check what is in it";
            return Err(Box::new(unchecked(&notice::INP_002, message).help(help)));
        };
        let files = Directory::at(path);
        return check_directory_to(Pass::new(judged(extent, kind)?, jobs), kind, &files, &limits, findings)
            .map_err(unreadable);
    }
    let file = fs::File::open(path).map_err(unreadable)?;
    if let Some(kind) = kind.filter(|kind| kind.is_directory()) {
        let message = format!("the input is a file, and --as {} takes a directory", kind.name());
        return Err(Box::new(unchecked(&notice::INP_003, message)));
    }
    // What has to be read at several places is, unless it is a pipe.
    if file.metadata().map_err(unreadable)?.is_file() {
        let mut head = Vec::new();
        (&file).take(HEAD as u64).read_to_end(&mut head).map_err(unreadable)?;
        if let Some(kind) = kind.or_else(|| recognise(&head)).filter(|kind| kind.needs_file()) {
            return check_file_to(Pass::new(extent, jobs), kind, &Random(file), &limits, findings).map_err(unreadable);
        }
        (&file).rewind().map_err(unreadable)?;
    }
    stream(&mut Counted(file), kind, extent, &limits, jobs, findings)
}

/// Recognises a stream by its head, and checks it.
fn stream(
    input: &mut (dyn Read + Send),
    kind: Option<Kind>,
    extent: Extent,
    limits: &Limits,
    jobs: NonZero<usize>,
    findings: &mut Findings,
) -> Result<(), Box<Violation>> {
    let mut head = Vec::new();
    input.take(HEAD as u64).read_to_end(&mut head).map_err(unreadable)?;
    let Some(kind) = kind.or_else(|| recognise(&head)) else {
        let (what, help) = if head.is_empty() {
            ("the input is empty", Some("see whether the file was written whole"))
        } else if head.starts_with(&[0x1F, 0x8B]) {
            (
                "the input is an archive of images that is compressed by gzip",
                Some("decompress it, and check what comes out"),
            )
        } else {
            ("the input begins like none of the kinds that check knows", None)
        };
        let notice = unchecked(&notice::INP_002, what);
        return Err(Box::new(match help {
            Some(help) => notice.help(help),
            None => notice,
        }));
    };
    let mut input = head.as_slice().chain(input);
    if kind.needs_file() {
        let spooled = spool(&mut input).map_err(unreadable)?;
        return check_file_to(Pass::new(extent, jobs), kind, &spooled, limits, findings).map_err(unreadable);
    }
    if judged(extent, kind)? == Extent::Digests {
        return check_archive_to(extent, &mut input, limits, jobs, findings).map_err(unreadable);
    }
    check_stream(kind, &mut input, limits, jobs, findings).map_err(unreadable)
}

/// How far a check of this kind of input goes, if it can go so far.
fn judged(extent: Extent, kind: Kind) -> Result<Extent, Box<Violation>> {
    if extent == Extent::Digests && !kind.has_digests() {
        let message = format!("--digests-only takes images, and the input is of the kind {}", kind.name());
        return Err(Box::new(unchecked(&notice::INP_003, message).help("check it without --digests-only")));
    }
    Ok(extent)
}

/// A stream as a file, which nobody else sees.
fn spool(input: &mut dyn Read) -> io::Result<Random> {
    let mut file = tempfile::tempfile()?;
    io::copy(input, &mut file)?;
    Ok(Random(file))
}

fn unchecked(notice: &'static Clause, message: impl Into<String>) -> Violation {
    Violation::new(notice, Place::default(), message)
}

fn unreadable(error: io::Error) -> Box<Violation> {
    Box::new(unchecked(&notice::INP_001, format!("the input cannot be read: {error}")))
}
