//! The config of an OCI image, as far as it is used.
//!
//! Names of members follow config.md of the OCI image specification; Healthcheck, OnBuild and Shell are
//! Docker's.

use std::collections::BTreeMap;

use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
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

/// A time of RFC 3339 as the format writes it; nothing if that is not in the years 1 to 9999. The second 60 becomes 59.
pub(crate) fn whole_seconds(time: &str) -> Option<String> {
    let pieces = Pieces::parse(time).ok()?;
    let local = pieces.date().to_datetime(pieces.time()?);
    let utc = local.checked_sub(pieces.to_numeric_offset()?.duration_since(Offset::UTC)).ok()?;
    (utc.year() > 0).then(|| utc.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::whole_seconds;

    #[test]
    fn times_are_in_utc_and_whole() {
        for (given, written) in [
            ("2024-05-06T07:08:09Z", Some("2024-05-06T07:08:09Z")),
            ("2024-05-06T07:08:09.999999999+02:00", Some("2024-05-06T05:08:09Z")),
            ("1969-12-31T23:59:59.5Z", Some("1969-12-31T23:59:59Z")),
            ("2016-12-31T23:59:60Z", Some("2016-12-31T23:59:59Z")),
            ("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00Z")),
            ("9999-12-31T23:59:60Z", Some("9999-12-31T23:59:59Z")),
            ("0001-01-01T00:00:00+00:01", None),
            ("0000-12-31T23:59:00-00:01", Some("0001-01-01T00:00:00Z")),
            ("9999-12-31T23:59:59-00:01", None),
            ("0000-06-01T00:00:00Z", None),
            ("yesterday", None),
        ] {
            assert_eq!(whole_seconds(given).as_deref(), written, "{given}");
        }
    }
}
