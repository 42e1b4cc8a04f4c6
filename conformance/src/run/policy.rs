//! What an engine is given that runs an image under a policy.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cornercast::digest::Digest;

use super::scenario::Scenario;
use crate::runner::text;

/// The policy.
const POLICY: &str = "policy.json";
/// The directory of what verifiers remember.
const STATE: &str = "policy-state";
/// The reference by which the image is meant.
const REFERENCE: &str = "reference";

/// Policy, state and reference in the folder of a case.
#[derive(Debug)]
pub struct Given {
    policy: PathBuf,
    state: PathBuf,
    reference: String,
}

impl Given {
    /// Those that [`prepare`](super::prepare) will make in `folder`, if the case has a policy, with another reference.
    #[must_use]
    pub fn planned(scenario: &Scenario, folder: &Path, reference: &str) -> Option<Self> {
        scenario.policy.as_ref()?;
        let (policy, state) = (folder.join(POLICY), folder.join(STATE));
        Some(Self { policy, state, reference: reference.to_owned() })
    }

    /// The arguments of the reference engine.
    #[must_use]
    pub fn arguments(&self) -> [&OsStr; 6] {
        let (policy, state) = (self.policy.as_os_str(), self.state.as_os_str());
        let names = ["--policy", "--policy-state", "--reference"].map(OsStr::new);
        let [first, second, third] = names;
        [first, policy, second, state, third, OsStr::new(&self.reference)]
    }

    /// The members of `options` in a message.
    ///
    /// # Errors
    ///
    /// A path that is no text.
    pub fn members(&self) -> Result<[(String, String); 3], String> {
        let [policy, state, reference] = ["policy", "state", "reference"].map(str::to_owned);
        Ok([(policy, text(&self.policy)?), (state, text(&self.state)?), (reference, self.reference.clone())])
    }
}

/// Makes in `folder` what a case says of a policy; `image` is the id of its image.
pub(super) fn prepare(scenario: &Scenario, image: Digest, folder: &Path) -> io::Result<()> {
    let Some(reference) = reference(scenario, image) else { return Ok(()) };
    write(scenario, folder)?;
    fs::create_dir(folder.join(STATE))?;
    fs::write(folder.join(REFERENCE), reference)
}

/// Writes the policy of a case into `folder`; nobody else can have written it.
pub(super) fn write(scenario: &Scenario, folder: &Path) -> io::Result<()> {
    let Some((policy, _)) = &scenario.policy else { return Ok(()) };
    let path = folder.join(POLICY);
    fs::write(&path, policy.to_string())?;
    fs::set_permissions(path, Permissions::from_mode(0o600))
}

/// The reference of a case, with the image id where it has a place for it.
pub(super) fn reference(scenario: &Scenario, image: Digest) -> Option<String> {
    scenario.policy.as_ref().map(|(_, reference)| reference.replace("{image}", &image.to_string()))
}

/// What has been made in `folder`, if the case has a policy.
pub(super) fn given(folder: &Path) -> io::Result<Option<Given>> {
    let policy = folder.join(POLICY);
    if !policy.exists() {
        return Ok(None);
    }
    let reference = fs::read_to_string(folder.join(REFERENCE))?;
    Ok(Some(Given { policy, state: folder.join(STATE), reference }))
}
