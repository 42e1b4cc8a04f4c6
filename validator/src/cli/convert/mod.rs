//! `cornercast convert`

mod export;
pub(super) mod import;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum, ValueHint};
use serde_json::json;

use super::image::{Image, is_image};
use super::init::parse_platform;
use super::progress;
use super::{Failure, print};
use crate::build::{Built, write_archive, write_store};
use crate::convert::Change;
use crate::convert::media::LayerForm;
use crate::manifest::Platform;
use crate::shown::escaped;

/// Convert images to OCI and back
///
/// IN is a store with one image, STORE@sha256:…, an archive, - for an archive on standard input; or an image of OCI:
/// an image layout (a directory or tar archive, with :TAG if there are several images) or an archive of `docker save`.
///
/// OUT is written anew: with --to cornercast a store directory, which can be there, or an archive if the name ends
/// in .ccast; with --to oci a directory, or a tar archive if the name ends in .tar; with --to docker a tar archive. -
/// is an archive on standard output.
///
/// Prints the image id alone with --to cornercast, else the digest of the manifest of OCI, with --to docker that of
/// the config. What an image of the other format cannot say is named on standard error.
///
/// Exit status: 0 done, 1 the input was refused, 2 usage, input or output.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(super) struct Convert {
    /// The image
    #[arg(value_name = "IN", value_hint = ValueHint::AnyPath)]
    input: String,
    /// Where the converted image goes
    #[arg(value_name = "OUT", value_hint = ValueHint::AnyPath)]
    output: PathBuf,
    /// What to convert it to
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: To,
    /// How the layers are stored, with --to oci
    #[arg(long, value_enum, value_name = "FORM", default_value_t = LayerForm::Plain)]
    layers: LayerForm,
    /// Make the store an OCI image layout as well, with --to cornercast
    #[arg(long)]
    with_oci: bool,
    /// The name of an image that is imported
    #[arg(long)]
    name: Option<String>,
    /// The version of an image that is imported
    #[arg(long)]
    version: Option<String>,
    /// What the image runs on; of an OCI image for several platforms, this one is taken
    #[arg(long, value_name = "OS/ARCHITECTURE[/VARIANT]", value_parser = parse_platform)]
    platform: Option<Platform>,
    /// Print what came of it as JSON instead
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    /// A store or an archive of this format
    Cornercast,
    /// An OCI image layout
    Oci,
    /// An archive as `docker save` writes it, for `docker load` and `podman load`
    Docker,
}

/// What a conversion came to.
struct Outcome {
    /// The image id, or the digest of the manifest or config of OCI.
    digest: String,
    changes: Vec<Change>,
}

pub(super) fn run(arguments: &Convert) -> Result<ExitCode, Failure> {
    let usage = |message: &str| Err(Failure::Error(message.to_owned()));
    if arguments.layers != LayerForm::Plain && arguments.to != To::Oci {
        return usage("--layers is for --to oci");
    }
    if arguments.with_oci && (arguments.to != To::Cornercast || is_archive(&arguments.output, "ccast")) {
        return usage("--with-oci is for --to cornercast and a store; an archive cannot be an image layout");
    }
    let outcome = if arguments.input == "-" || is_image(&arguments.input) {
        if arguments.name.is_some() || arguments.version.is_some() || arguments.platform.is_some() {
            return usage("--name, --version and --platform are for images of OCI; this one says them itself");
        }
        let image = Image::open_checked(&arguments.input, "checking the image")?;
        match arguments.to {
            To::Cornercast => copy(&image, arguments)?,
            To::Oci => export::to_layout(&image, &arguments.output, arguments.layers)?,
            To::Docker => export::to_docker(&image, &arguments.output)?,
        }
    } else {
        if arguments.to != To::Cornercast {
            return usage("an image of OCI is converted with --to cornercast, and the result to other forms");
        }
        import::run(arguments)?
    };
    report(&outcome, arguments)
}

fn report(outcome: &Outcome, arguments: &Convert) -> Result<ExitCode, Failure> {
    for Change { clause, place, what } in &outcome.changes {
        let place = if place.is_empty() { arguments.input.as_str() } else { place };
        anstream::eprintln!("note[{clause}]: {}: {}", escaped(place), escaped(what));
    }
    // What is on standard output is the archive.
    if arguments.output == Path::new("-") {
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.json {
        let changes = outcome.changes.iter();
        let changes: Vec<_> = changes
            .map(|Change { clause, place, what }| json!({"clause": clause, "place": place, "what": what}))
            .collect();
        let text = serde_json::to_string_pretty(&json!({"digest": outcome.digest, "changes": changes}));
        print(&format!("{}\n", text.unwrap_or_default()))?;
    } else {
        print(&format!("{}\n", outcome.digest))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The image as it is, as a store or an archive.
fn copy(image: &Image, arguments: &Convert) -> Result<Outcome, Failure> {
    let built = Built { manifest: image.source.clone(), id: image.id };
    let files = image.files();
    let _shown = progress::show("writing", files.iter().map(|(_, size, _)| size).sum());
    if is_archive(&arguments.output, "ccast") {
        write_archive(&arguments.output, &built, &files)?;
    } else {
        write_store(&arguments.output, &built, &files)?;
        if arguments.with_oci {
            export::make_layout(&arguments.output)?;
        }
    }
    Ok(Outcome { digest: image.id.to_string(), changes: Vec::new() })
}

/// Whether an output is one file, by its name.
fn is_archive(output: &Path, extension: &str) -> bool {
    output == Path::new("-") || output.extension().is_some_and(|own| own == extension)
}

/// Where temporary files go: beside the output, so that they can be renamed.
fn folder_of(output: &Path) -> PathBuf {
    if output == Path::new("-") {
        return std::env::temp_dir();
    }
    output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}
