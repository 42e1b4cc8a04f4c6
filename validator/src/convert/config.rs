//! The config of an OCI image, as far as it is used.
//!
//! Names of members follow config.md of the OCI image specification; Healthcheck, OnBuild and Shell are
//! Docker's.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::layout::normal;
use crate::manifest::Platform;

/// A configuration.
#[derive(Deserialize)]
pub(crate) struct Config {
    architecture: Option<String>,
    os: Option<String>,
    variant: Option<String>,
    pub(crate) created: Option<String>,
    pub(crate) config: Option<Execution>,
    rootfs: Option<DiffIds>,
}

#[derive(Deserialize)]
struct DiffIds {
    diff_ids: Option<Vec<String>>,
}

/// What it runs.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Execution {
    pub(crate) user: Option<String>,
    pub(crate) exposed_ports: Option<BTreeMap<String, IgnoredAny>>,
    pub(crate) env: Option<Vec<String>>,
    pub(crate) entrypoint: Option<Vec<String>>,
    pub(crate) cmd: Option<Vec<String>>,
    pub(crate) volumes: Option<BTreeMap<String, IgnoredAny>>,
    pub(crate) working_dir: Option<String>,
    pub(crate) labels: Option<BTreeMap<String, String>>,
    pub(crate) stop_signal: Option<String>,
    healthcheck: Option<IgnoredAny>,
    on_build: Option<Vec<String>>,
    shell: Option<Vec<String>>,
}

impl Config {
    pub(crate) fn platform(&self) -> Option<Platform> {
        let (os, architecture) = (self.os.clone()?, self.architecture.clone()?);
        Some(normal(Platform { os, architecture, variant: self.variant.clone() }))
    }

    pub(crate) fn diff_ids(&self) -> Vec<String> {
        self.rootfs.as_ref().and_then(|rootfs| rootfs.diff_ids.clone()).unwrap_or_default()
    }
}

impl Execution {
    /// The members that are there and have no counterpart.
    pub(crate) fn without_counterpart(&self) -> impl Iterator<Item = &'static str> {
        [
            ("Healthcheck", self.healthcheck.is_some()),
            ("OnBuild", self.on_build.as_ref().is_some_and(|steps| !steps.is_empty())),
            ("Shell", self.shell.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_there)| is_there.then_some(name))
    }
}

/// A time of RFC 3339 as the format writes it.
pub(crate) fn whole_seconds(time: &str) -> Option<String> {
    let time: jiff::Timestamp = time.parse().ok()?;
    // A fraction before 1970 counts down.
    let second = time.as_second() - i64::from(time.subsec_nanosecond() < 0);
    let whole = jiff::Timestamp::from_second(second).ok()?;
    Some(whole.to_string())
}
