//! What the program sees, as one JSON document.
//!
//! What cannot be seen is `{"error":"ENOENT"}`, with the symbol of the error, in place of the value:
//! an image can be started where there is no `/proc`, and has something to say there as well.
//! Strings that are no UTF-8 are `{"hex":"…"}`. Modes, ids and device numbers are numbers.

mod descriptors;
mod devices;
mod exposure;
mod files;
mod mounts;
mod privileges;
mod process;
mod rootfs;
mod system;

use std::io;

use serde_json::{Map, Value};

pub(crate) use self::process::LIMITS;
use crate::value;

/// The form of the document; another number means another form.
const FORM: u32 = 2;

/// What was seen of one thing.
type Seen = io::Result<Value>;

/// A member of the document: its name, and what looks.
type Member = (&'static str, fn() -> Seen);

/// The members of the document.
const MEMBERS: [Member; 42] = [
    ("probe", || Ok(FORM.into())),
    ("arguments", process::arguments),
    ("environment", process::environment),
    ("workingDirectory", process::working_directory),
    ("pid", process::id),
    ("ppid", process::parent),
    ("session", process::session),
    ("processGroup", process::group),
    ("umask", process::umask),
    ("signals", process::signals),
    ("limits", process::limits),
    ("nice", process::nice),
    ("oomScoreAdj", process::oom_score_adj),
    ("affinity", process::affinity),
    ("descriptors", descriptors::descriptors),
    ("uid", privileges::uid),
    ("euid", privileges::euid),
    ("suid", privileges::suid),
    ("gid", privileges::gid),
    ("egid", privileges::egid),
    ("sgid", privileges::sgid),
    ("groups", privileges::groups),
    ("capabilities", privileges::capabilities),
    ("noNewPrivileges", privileges::no_new_privileges),
    ("seccomp", privileges::seccomp),
    ("uidMap", privileges::uid_map),
    ("gidMap", privileges::gid_map),
    ("namespaces", privileges::namespaces),
    ("cgroup", privileges::cgroup),
    ("processes", system::processes),
    ("hostname", system::hostname),
    ("domainname", system::domainname),
    ("kernel", system::kernel),
    ("interfaces", system::interfaces),
    ("mounts", mounts::mounts),
    ("devices", devices::devices),
    ("shm", devices::shared_memory),
    ("files", files::files),
    ("masked", exposure::masked),
    ("readOnly", exposure::read_only),
    ("root", rootfs::root),
    ("rootfs", rootfs::rootfs),
];

/// The whole document.
pub(crate) fn document() -> Value {
    let members: Map<String, Value> = MEMBERS.iter().map(seen).collect();
    members.into()
}

/// The document with these members only, if there are such members.
pub(crate) fn members<'a>(names: impl Iterator<Item = &'a str>) -> Option<Value> {
    let members: Option<Vec<&Member>> = names.map(|wanted| MEMBERS.iter().find(|(name, _)| *name == wanted)).collect();
    let members: Map<String, Value> = members?.into_iter().map(seen).collect();
    Some(members.into())
}

fn seen((name, see): &Member) -> (String, Value) {
    ((*name).to_owned(), value::or_error(see()))
}
