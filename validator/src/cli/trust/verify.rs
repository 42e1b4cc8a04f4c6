//! `cornercast verify`

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use super::super::files::Directory;
use super::super::image::archive_files;
use super::super::{Failure, parse_jobs, print, processors, progress};
use super::compressed::{is_compressed, skim};
use super::{clock, parse_platform, parse_reference, parse_time, this_platform};
use crate::diagnostic::{Findings, Severity};
use crate::limits::Limits;
use crate::manifest::Platform;
use crate::name::Reference;
use crate::store::{FileKind, Files, check_store, path_of};
use crate::trust::{Accepted, Question, Rejection, Verdict, VerdictDocument, VerdictWord, decide, time};
use crate::unpack::OneImage;
use clap::{Args, ValueHint};

/// Decide whether an image is trusted
///
/// REFERENCE is NAME, NAME:CHANNEL, NAME:VERSION, or one with @sha256:…; keyrings, catalog, signatures and log proofs
/// are those of STORE, a store or an archive. The policy says whom to trust, and the state what was seen before. Nothing
/// is fetched. The image that is accepted is then checked as `check` does, unless --trust-only is given.
///
/// What was learned is stored in the state also if the image is rejected, so that no older keyring or catalog is accepted
/// later.
///
/// Exit status: 0 if the image is accepted, 1 if it is rejected, 2 if that could not be decided. Take everything but 0
/// as a rejection.
#[derive(Debug, Args)]
pub(in super::super) struct Verify {
    /// The store or archive
    #[arg(value_hint = ValueHint::AnyPath)]
    store: PathBuf,
    /// Which image is meant
    #[arg(value_parser = parse_reference)]
    reference: Reference,
    /// The policy
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    policy: PathBuf,
    /// The directory of the state; it is made if it is not there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    state: PathBuf,
    /// The platform, as OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT; by default this machine's
    #[arg(long, value_name = "PLATFORM", value_parser = parse_platform)]
    platform: Option<Platform>,
    /// Decide as if it were this time; the state is read and not changed
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<String>,
    /// Do not look at the blobs of the image: who uses them has to hold them against their digests
    #[arg(long)]
    trust_only: bool,
    /// Print the verdict as one line of JSON, in the form of verdict.schema.json
    #[arg(long)]
    json: bool,
    /// Threads that work at once; by default as many as there are processors
    #[arg(long, value_name = "N", value_parser = parse_jobs)]
    jobs: Option<std::num::NonZero<usize>>,
}

pub(in super::super) fn run(arguments: &Verify) -> Result<ExitCode, Failure> {
    let limits = Limits::FORMAT;
    let platform = arguments.platform.clone().unwrap_or_else(this_platform);
    let verdict = verdict(arguments, &platform, &limits)?;
    let code = if verdict.outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(1) };
    let document = VerdictDocument {
        verdict: if verdict.outcome.is_ok() { VerdictWord::Accepted } else { VerdictWord::Rejected },
        reference: arguments.reference.to_string(),
        at: arguments.at.clone(),
        rejected: verdict.outcome.as_ref().err().cloned(),
        accepted: verdict.outcome.ok(),
        evidence: verdict.evidence,
    };
    if arguments.json {
        let line = serde_json::to_string(&document).map_err(|error| Failure::Error(error.to_string()))?;
        print(&format!("{line}\n"))?;
    } else {
        print(&text(&document))?;
    }
    Ok(code)
}

fn verdict(arguments: &Verify, platform: &Platform, limits: &Limits) -> Result<Verdict, Failure> {
    if is_compressed(&arguments.store) {
        return of_compressed(arguments, platform, limits);
    }
    let (directory, archive);
    let files: &dyn Files = if arguments.store.is_dir() {
        directory = Directory::at(&arguments.store);
        &directory
    } else {
        archive = archive_files(&arguments.store)?;
        &archive.0
    };
    let mut verdict = decided(arguments, files, platform, limits)?;
    if let Ok(accepted) = &verdict.outcome
        && !arguments.trust_only
        && let Some(rejection) = check(arguments, files, accepted, limits)?
    {
        verdict.outcome = Err(rejection);
    }
    Ok(verdict)
}

fn decided(arguments: &Verify, files: &dyn Files, platform: &Platform, limits: &Limits) -> Result<Verdict, Failure> {
    let question = Question {
        policy: &arguments.policy,
        state: &arguments.state,
        reference: &arguments.reference,
        platform,
        now: arguments.at.as_deref().and_then(time::seconds).unwrap_or_else(clock),
        is_read_only: arguments.at.is_some(),
        store: &arguments.store.display().to_string(),
    };
    let decided = decide(files, &question, limits).map_err(|error| Failure::Error(error.to_string()))?;
    Ok(decided.verdict)
}

/// A compressed archive is read once, and checked as a whole meanwhile. If something is wrong, it may be about another
/// image, so that the one that is accepted is checked by itself.
fn of_compressed(arguments: &Verify, platform: &Platform, limits: &Limits) -> Result<Verdict, Failure> {
    let mut findings = Findings::new(arguments.store.display().to_string(), 1);
    let jobs = arguments.jobs.unwrap_or_else(processors);
    let files = skim(&arguments.store, Some(jobs).filter(|_| !arguments.trust_only), &mut findings)?;
    let mut verdict = decided(arguments, &files, platform, limits)?;
    if let Ok(accepted) = &verdict.outcome
        && findings.errors > 0
    {
        let (on_disk, _spool) = archive_files(&arguments.store)?;
        if let Some(rejection) = check(arguments, &on_disk, accepted, limits)? {
            verdict.outcome = Err(rejection);
        }
    }
    Ok(verdict)
}

/// Checks the image that is accepted; why it is rejected all the same.
fn check(
    arguments: &Verify,
    files: &dyn Files,
    accepted: &Accepted,
    limits: &Limits,
) -> Result<Option<Rejection>, Failure> {
    let fail = |error: std::io::Error| Failure::Error(format!("{}: {error}", arguments.store.display()));
    let image = OneImage::new(files, accepted.image, limits).map_err(fail)?;
    if !image.has_manifest() {
        let reason = "the manifest is no longer there, or no longer the same";
        return Ok(Some(Rejection::new("POL-029", reason).in_file(&path_of(&FileKind::Manifest(accepted.image)))));
    }
    let mut findings = Findings::new(arguments.store.display().to_string(), 100);
    let shown = progress::show("checking", super::super::files::length(&arguments.store));
    let checked = check_store(&image, limits, arguments.jobs.unwrap_or_else(processors), &mut findings);
    drop(shown);
    checked.map_err(fail)?;
    let error = findings.list().iter().find(|finding| finding.severity == Severity::Error);
    let Some(error) = error else {
        // What is kept are the first ones, which could all be warnings.
        let more = || Failure::Error("the image has more findings than are kept".to_owned());
        return if findings.errors == 0 { Ok(None) } else { Err(more()) };
    };
    let rejection = Rejection::new(error.id, error.message.clone());
    Ok(Some(match error.location.chain.get(1) {
        Some(file) => rejection.in_file(file),
        None => rejection,
    }))
}

fn platform_text(platform: &Platform) -> String {
    let variant = platform.variant.as_ref().map_or(String::new(), |variant| format!("/{variant}"));
    format!("{}/{}{variant}", platform.os, platform.architecture)
}

/// The verdict for people.
fn text(document: &VerdictDocument) -> String {
    let mut out = String::new();
    let good = anstyle::AnsiColor::Green.on_default().bold();
    let bad = anstyle::AnsiColor::Red.on_default().bold();
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(out, "  {name:<9} {value}");
    };
    let evidence = &document.evidence;
    if let Some(accepted) = &document.accepted {
        row("image", &accepted.image.to_string());
        row("name", &format!("{}:{} {}", accepted.name, accepted.version, platform_text(&accepted.platform)));
    }
    if let Some(rejected) = &document.rejected {
        row("why", &format!("{} [{}]", rejected.reason, rejected.clause));
        if let Some(file) = &rejected.file {
            row("where", file);
        }
    }
    if let Some(rule) = &evidence.rule {
        let mode = evidence.mode.and_then(|mode| serde_json::to_value(mode).ok());
        let mode = mode.and_then(|mode| mode.as_str().map(str::to_owned)).unwrap_or_default();
        row("rule", &format!("`{rule}`, {mode}"));
    }
    if let Some(keyring) = &evidence.keyring {
        row("keyring", &keyring.version.to_string());
    }
    if let Some(serial) = evidence.catalog {
        row("catalog", &format!("serial {serial}"));
    }
    for signer in &evidence.signers {
        row("signed by", signer);
    }
    if let Some(proven) = &evidence.proven {
        row("logged", &format!("before {proven}"));
    }
    if let Some(at) = &document.at {
        row("as of", &format!("{at}; the state was not changed"));
    }
    let (style, word) = match document.verdict {
        VerdictWord::Accepted => (good, "accepted"),
        VerdictWord::Rejected => (bad, "rejected"),
    };
    format!("{style}{word}{style:#} {}\n{out}", document.reference)
}
