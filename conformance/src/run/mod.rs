//! The role `run`: images are made, handed to a runtime, and looked at from inside by the probe.
//!
//! The suite is the engine here: it packs an image, unpacks it, writes the bundle's `config.json`,
//! and has an OCI runtime start it. What the probe says is judged by the image alone.

pub mod bundle;
mod config;
mod image;
mod judge;
mod probe;
mod runc;
mod scenario;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use config::MOUNT_POINTS;
pub use image::PackedImage;
pub use runc::Runc;
pub use scenario::{Scenario, scenarios};

use crate::results::Verdict;

/// What came of a case: the verdict, why, and what was seen.
#[derive(Debug)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is that, unless it is `pass`.
    pub reason: Option<String>,
    /// What was seen.
    pub values: std::collections::BTreeMap<String, serde_json::Value>,
}

impl Judged {
    /// A verdict with a reason and without values.
    pub(crate) fn because(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { verdict, reason: Some(reason.into()), values: std::collections::BTreeMap::new() }
    }
}

/// Why a case could not be run.
#[derive(Debug)]
pub enum Obstacle {
    /// The host lacks something.
    Host(String),
    /// Something went wrong.
    Error(io::Error),
}

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Self {
        Self::Error(error)
    }
}

impl Obstacle {
    fn judged(self) -> Judged {
        match self {
            Self::Host(reason) => Judged::because(Verdict::Unsupported, reason),
            Self::Error(error) => Judged::because(Verdict::Errored, error.to_string()),
        }
    }
}

/// A bundle that is ready to be started.
#[derive(Debug)]
pub struct Bundle {
    /// Its folder: `config.json` and `rootfs`.
    pub folder: PathBuf,
    /// The image.
    pub image: PackedImage,
    /// The instance id.
    pub instance: String,
}

/// Makes the bundle of `scenario` in the empty folder `scratch`: packs the image, checks it with the
/// reference, unpacks it, writes `config.json`.
///
/// # Errors
///
/// What is missing or went wrong.
pub fn prepare(scenario: &Scenario, probe: Option<&Path>, instance: &str, scratch: &Path) -> Result<Bundle, Obstacle> {
    let probe = probe::read(probe)?;
    let store = scratch.join("store");
    let image = image::pack(scenario, &probe, &store)?;
    image::check(&store)?;
    let folder = scratch.join("bundle");
    bundle::fresh(&folder)?;
    bundle::unpack(&store, &image.manifest, &folder.join("rootfs"), &MOUNT_POINTS)?;
    let config = config::config(&image, instance)?;
    std::fs::write(folder.join("config.json"), serde_json::to_vec_pretty(&config).map_err(io::Error::from)?)?;
    Ok(Bundle { folder, image, instance: instance.to_owned() })
}

/// Runs a case on runc.
#[must_use]
pub fn run(
    runc: &Runc,
    scenario: &Scenario,
    probe: Option<&Path>,
    instance: &str,
    scratch: &Path,
    time: Duration,
) -> Judged {
    let outcome = runc.ready().map_err(Obstacle::Host).and_then(|()| {
        let bundle = prepare(scenario, probe, instance, scratch)?;
        let output = runc.run(&bundle, &scratch.join("state"), time)?;
        Ok((bundle, output))
    });
    match outcome {
        Ok((bundle, output)) => judge::judge(scenario, &bundle, &output),
        Err(obstacle) => obstacle.judged(),
    }
}
