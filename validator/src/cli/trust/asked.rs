//! Whom the commands trust that take an image and a policy.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::super::Failure;
use super::{clock, parse_platform, parse_reference, this_platform};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::manifest::Platform;
use crate::name::Reference;
use crate::store::Files;
use crate::trust::{Question, decide};

/// Under which policy an image is used.
#[derive(Debug, Args)]
pub(in super::super) struct Trust {
    /// Use no image but the one that is accepted under this policy, as `verify` decides
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires_all = ["state", "reference"])]
    policy: Option<PathBuf>,
    /// The directory of what verifiers remember, for --policy
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "policy")]
    state: Option<PathBuf>,
    /// Which image is meant, by its name, for --policy
    #[arg(long, value_parser = parse_reference, requires = "policy")]
    reference: Option<Reference>,
    /// The platform, as OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, for --policy; by default this machine's
    #[arg(long, value_name = "PLATFORM", value_parser = parse_platform, requires = "policy")]
    platform: Option<Platform>,
}

impl Trust {
    /// Whether a policy decides.
    pub(in super::super) fn is_asked_for(&self) -> bool {
        self.policy.is_some()
    }

    /// The image of a store that is accepted; nothing where no policy decides.
    pub(in super::super) fn decide(&self, files: &dyn Files, store: &str) -> Result<Option<Digest>, Failure> {
        let (Some(policy), Some(state), Some(reference)) = (&self.policy, &self.state, &self.reference) else {
            return Ok(None);
        };
        let platform = self.platform.clone().unwrap_or_else(this_platform);
        let question =
            Question { policy, state, reference, platform: &platform, now: clock(), is_read_only: false, store };
        let decided = decide(files, &question, &Limits::FORMAT).map_err(|error| Failure::Error(error.to_string()))?;
        match decided.verdict.outcome {
            Ok(accepted) => Ok(Some(accepted.image)),
            Err(rejection) => Err(Failure::Refused(format!("{reference} is not trusted: {rejection}"))),
        }
    }
}
