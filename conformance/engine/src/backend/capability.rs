//! Capabilities as bundles and as the kernel have them.

use libcontainer::capabilities::CapabilityExt;
use libcontainer::oci_spec::runtime::Capability;
use rustix::thread::CapabilitySet;

/// The bit of a capability.
pub(super) fn bit(name: &Capability) -> CapabilitySet {
    CapabilitySet::from_bits_retain(name.to_cap().bitmask())
}
