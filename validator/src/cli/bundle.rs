//! `cornercast bundle`

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueHint};

use super::trust::asked::Trust;
use super::unpack::{Owner, Source, failure, options, tell};
use super::{Failure, parse_jobs, print, progress};
use crate::bundle::{self, BundleError};
use crate::digest::Digest;

/// Make an OCI runtime bundle of an image
///
/// DIR gets the tree of the image as `rootfs`, and a `config.json` that says how to run it, for runtimes such as
/// runc and crun: `runc run --bundle DIR NAME`. Prints the digest of the `config.json` alone.
///
/// What a bundle cannot say is never left out in silence: if the image requires it, no bundle is made, and all
/// reasons are named with their clauses; the rest is named on standard error. A runtime that is given a bundle is no
/// engine of this format: it makes no report, and gives the application no identity.
///
/// The image is checked and its tree written as `unpack` does, an image of OCI imported first; one that says no name or
/// version is called unnamed.invalid/image 0.0.0. DIR must not be there, or be an empty directory; it is
/// there as a whole or not at all, and can only be entered by its owner, since what is in the tree can have the
/// rights of others.
///
/// Exit status: 0 if the bundle was made, 1 if the image was refused, 2 if it could not be read or the bundle not be
/// written.
#[derive(Debug, Args)]
pub(super) struct Bundle {
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
    /// Threads that work at once; by default as many as there are processors
    #[arg(long, value_name = "N", value_parser = parse_jobs)]
    jobs: Option<NonZero<usize>>,
    #[command(flatten)]
    trust: Trust,
}

pub(super) fn run(arguments: &Bundle) -> Result<ExitCode, Failure> {
    let options = options(arguments.owner, arguments.verify, arguments.jobs);
    let source = Source::open(&arguments.image, &arguments.dir, &arguments.trust, options.jobs)?;
    let shown = progress::show("unpacking", source.image.bytes(arguments.verify));
    let made = bundle::make(&source.image, source.image.id, &source.shown, &arguments.dir, &options);
    drop(shown);
    let made = made.map_err(|error| match error {
        BundleError::Refused(refusals) => {
            let reasons: Vec<String> =
                refusals.iter().map(|refusal| format!("- {} [{}]", refusal.reason, refusal.clause)).collect();
            let reasons = reasons.join("\n");
            Failure::Refused(format!("no bundle can be made of {}:\n{reasons}", source.shown))
        }
        BundleError::Unpack(error) => failure(error),
    })?;
    source.tell();
    tell(&made.unpacked);
    for note in &made.config.notes {
        anstream::eprintln!("note: {note}");
    }
    print(&format!("{}\n", Digest::of(&made.config.bytes)))?;
    Ok(ExitCode::SUCCESS)
}
