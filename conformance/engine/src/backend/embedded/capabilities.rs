//! The capabilities of the application, and those that the process needs before it becomes it.

use std::collections::BTreeSet;

use libcontainer::oci_spec::runtime::{Capabilities as Names, Capability, LinuxCapabilities};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::backend::capability::bit;

/// What the steps before the application need: to remove a link from `/dev`, to bring up an interface, to install a
/// filter.
const NEEDED: [Capability; 3] = [Capability::DacOverride, Capability::NetAdmin, Capability::SysAdmin];

/// What they can do without, unless a limit is to be raised.
const USEFUL: Capability = Capability::SysResource;

/// What the application is to have.
#[derive(Debug, Clone)]
pub(super) struct Capabilities {
    wanted: LinuxCapabilities,
    /// Whether this process has what is useful.
    useful: bool,
}

impl Capabilities {
    /// Those of a configuration.
    ///
    /// # Errors
    ///
    /// Which of them this process cannot give, in words.
    pub(super) fn of(wanted: &LinuxCapabilities) -> Result<Self, String> {
        let given = of_this_process()?;
        let capabilities = Self { wanted: wanted.clone(), useful: given.contains(bit(&USEFUL)) };
        let all = capabilities.before().into_iter().chain(names(wanted.bounding()));
        let missing = missing(all, given);
        if missing.is_empty() {
            return Ok(capabilities);
        }
        Err(format!("the application cannot be given {missing}, which this process does not have"))
    }

    /// What the process is to have, permitted and effective, until [`Capabilities::assume`].
    pub(super) fn before(&self) -> Vec<Capability> {
        let wanted = names(self.wanted.permitted()).chain(names(self.wanted.inheritable()));
        let mut before: Vec<Capability> = wanted.chain(NEEDED).chain(self.useful.then_some(USEFUL)).collect();
        before.sort_unstable_by_key(|name| bit(name).bits());
        before.dedup();
        before
    }

    /// Leaves this process exactly what is wanted. Its bounding set is so already.
    ///
    /// # Errors
    ///
    /// Those of capset(2) and prctl(2).
    pub(super) fn assume(&self) -> rustix::io::Result<()> {
        let set = |names: &Option<Names>| self::names(names).map(|name| bit(&name)).collect::<CapabilitySet>();
        let sets = CapabilitySets {
            effective: set(self.wanted.effective()),
            permitted: set(self.wanted.permitted()),
            inheritable: set(self.wanted.inheritable()),
        };
        rustix::thread::set_capabilities(None, sets)?;
        rustix::thread::clear_ambient_capability_set()?;
        set(self.wanted.ambient())
            .iter()
            .try_for_each(|one| rustix::thread::configure_capability_in_ambient_set(one, true))
    }
}

/// What this process may use, which has to be enough for making any container.
///
/// # Errors
///
/// What is missing, in words.
pub(super) fn of_this_process() -> Result<CapabilitySet, String> {
    let given = rustix::thread::capabilities(None).map_err(|error| format!("the capabilities: {error}"))?.permitted;
    let missing = missing(NEEDED, given);
    if missing.is_empty() { Ok(given) } else { Err(format!("making a container needs {missing}")) }
}

/// The names of those that are not given.
fn missing(names: impl IntoIterator<Item = Capability>, given: CapabilitySet) -> String {
    let missing = names.into_iter().filter(|name| !given.contains(bit(name)));
    let missing: BTreeSet<String> = missing.map(|name| format!("CAP_{name}")).collect();
    missing.into_iter().collect::<Vec<_>>().join(", ")
}

fn names(names: &Option<Names>) -> impl Iterator<Item = Capability> {
    names.iter().flatten().copied()
}
