//! Cases as files, for engines that the suite cannot call: images in all forms, and what is expected.

use std::fs;
use std::io;
use std::path::Path;

use cornercast::input::Kind;
use cornercast_engine::report::Outcome;
use serde::Serialize;

use super::image::{Form, Image};
use super::policy;
use super::scenario::{Place, Scenario};
use super::{INPUT, OPTIONS};
use crate::builtin;
use crate::making::{self, Failure};
use crate::suite::Entry;

/// The archive.
pub const ARCHIVE: &str = "image.ccast";

/// The image layout.
pub const LAYOUT: &str = "oci";

/// What `docker save` would write.
pub const SAVED: &str = "docker.tar";

/// What is known of the case.
pub const CASE: &str = "case.json";

/// The instance id in the options of a case that says nothing of it.
const INSTANCE: &str = "cornercast-conformance";

/// What stands in the options for the directory of the host's files.
pub const HOST: &str = "/HOST";

/// What is known of a case.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Description<'a> {
    name: &'a str,
    clauses: &'a [String],
    why: &'a str,
    /// Whether the image meets the specification, and so has the other forms beside the archive.
    valid: bool,
    expect: Expectation,
    /// How often the engine gets SIGTERM, once the application has written that it is ready.
    #[serde(skip_serializing_if = "is_zero")]
    stops: u32,
    /// The soft limit of the stack that the engine is started with, in KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<u32>,
    /// The instance of the image that is there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    /// Whether files of the host are needed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    host: bool,
    /// The reference by which the image is meant, if the engine is given a policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Expectation {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    /// The clause that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    clause: Option<&'static str>,
    /// The clause by which an engine can refuse it as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    or_refused: Option<&'static str>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The name of the folder of a case.
#[must_use]
pub fn folder_name(case: &str) -> String {
    case.replace('/', "---")
}

/// Writes a case into `folder`, which is empty.
///
/// # Errors
///
/// Errors of the file system, and of making the image.
pub fn export(entry: &Entry, scenario: &Scenario, probe: &[u8], folder: &Path) -> io::Result<()> {
    let mut image = Image::new(probe);
    scenario.make(&mut image);
    image.form = Form::Archive;
    let archive = folder.join(ARCHIVE);
    let packed = image.pack(&archive)?;
    if let Some(corrupt) = scenario.corrupt {
        let mut bytes = fs::read(&archive)?;
        corrupt(&mut bytes);
        fs::write(&archive, bytes)?;
    }
    let kind = Kind::by_name("archive").ok_or_else(|| io::Error::other("an archive is no kind of input"))?;
    let valid = builtin::findings(&archive, kind)?.errors == 0;
    if valid {
        convert(image, folder)?;
    }
    let place = Place::new(Path::new(HOST));
    fs::write(folder.join(OPTIONS), scenario.instance_options(&place, INSTANCE))?;
    fs::write(folder.join(INPUT), &scenario.input)?;
    policy::write(scenario, folder)?;
    let description = Description {
        name: &entry.name,
        clauses: &entry.clauses,
        why: &entry.why,
        valid,
        expect: Expectation {
            outcome: scenario.outcome.name(),
            exit_code: (scenario.outcome == Outcome::Exited).then_some(scenario.code),
            clause: scenario.reason,
            or_refused: scenario.alternative,
        },
        stops: scenario.stops,
        stack: scenario.stack,
        before: scenario.other.as_ref().map(|other| other.words()),
        host: scenario.has_host,
        reference: policy::reference(scenario, packed.id),
    };
    fs::write(folder.join(CASE), serde_json::to_string_pretty(&description)? + "\n")
}

/// Writes the other forms of an image.
fn convert(mut image: Image, folder: &Path) -> io::Result<()> {
    let scratch = tempfile::tempdir()?;
    let store = scratch.path().join("store");
    image.form = Form::Store;
    image.pack(&store)?;
    making::export_both(&store, &folder.join(LAYOUT), &folder.join(SAVED)).map_err(|failure| match failure {
        Failure::Refused(reason) => io::Error::other(reason),
        Failure::Error(error) => error,
        Failure::Unknown => io::Error::other("the image has no such form"),
    })
}
