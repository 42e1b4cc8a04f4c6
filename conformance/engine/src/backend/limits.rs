//! The resource limits of the application. They are set last: under some of them nothing can be prepared.

use libcontainer::oci_spec::runtime::{PosixRlimit, PosixRlimitType as Type};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A limit, and the words for it.
#[derive(Debug, Clone)]
pub(super) struct Limit {
    name: String,
    resource: Resource,
    limit: Rlimit,
}

impl Limit {
    pub(super) fn of(configured: &PosixRlimit) -> Self {
        let value = |value| (value != u64::MAX).then_some(value);
        Self {
            name: configured.typ().to_string(),
            resource: resource(configured.typ()),
            limit: Rlimit { current: value(configured.soft()), maximum: value(configured.hard()) },
        }
    }

    /// Makes room for the limit, where it is above that of this process, so that [`Limit::set`] only lowers.
    ///
    /// # Errors
    ///
    /// Why it cannot be, in words.
    pub(super) fn prepare(&self) -> Result<(), String> {
        let own = getrlimit(self.resource);
        if higher(self.limit.current, self.limit.maximum) {
            return Err(format!("the soft limit {} is above the hard one", self.name));
        }
        if !higher(self.limit.maximum, own.maximum) {
            return Ok(());
        }
        let room = Rlimit { maximum: self.limit.maximum, ..own };
        setrlimit(self.resource, room).map_err(|error| {
            let shown = |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |limit| limit.to_string());
            let (wanted, own) = (shown(self.limit.maximum), shown(own.maximum));
            format!("the hard limit {} {wanted} is above that of this process, {own}: {error}", self.name)
        })
    }

    /// What setrlimit(2) is called with.
    pub(super) fn values(&self) -> (Resource, Rlimit) {
        (self.resource, self.limit)
    }

    /// Sets the limit.
    ///
    /// # Errors
    ///
    /// Those of setrlimit(2).
    pub(super) fn set(&self) -> rustix::io::Result<()> {
        setrlimit(self.resource, self.limit)
    }
}

/// Whether a limit is above another one; `None` is unlimited.
fn higher(limit: Option<u64>, other: Option<u64>) -> bool {
    limit.unwrap_or(u64::MAX) > other.unwrap_or(u64::MAX)
}

fn resource(name: Type) -> Resource {
    match name {
        Type::RlimitCpu => Resource::Cpu,
        Type::RlimitFsize => Resource::Fsize,
        Type::RlimitData => Resource::Data,
        Type::RlimitStack => Resource::Stack,
        Type::RlimitCore => Resource::Core,
        Type::RlimitRss => Resource::Rss,
        Type::RlimitNproc => Resource::Nproc,
        Type::RlimitNofile => Resource::Nofile,
        Type::RlimitMemlock => Resource::Memlock,
        Type::RlimitAs => Resource::As,
        Type::RlimitLocks => Resource::Locks,
        Type::RlimitSigpending => Resource::Sigpending,
        Type::RlimitMsgqueue => Resource::Msgqueue,
        Type::RlimitNice => Resource::Nice,
        Type::RlimitRtprio => Resource::Rtprio,
        Type::RlimitRttime => Resource::Rttime,
    }
}
