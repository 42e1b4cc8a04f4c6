//! The document of the probe, as a type: what a program that looks says it sees.
//!
//! Cases read it by JSON pointers; the type is what its schema is made from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What was seen of one thing, or the symbol of the error that came in its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Seen<T> {
    /// What was seen.
    Value(T),
    /// An error: `{"error":"ENOENT"}`.
    Error(Failure),
}

/// An error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Its symbol.
    #[schemars(regex(pattern = r"^E[A-Z0-9_]+$"))]
    pub error: String,
}

/// Bytes: as a text, or as `{"hex":"…"}` if they are none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Bytes {
    /// A text.
    Text(String),
    /// Other bytes.
    Hex {
        /// In hexadecimal digits.
        hex: String,
    },
}

/// The document of the probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Document {
    /// The form of the document: 2.
    pub probe: u32,
    /// The argument vector.
    pub arguments: Seen<Vec<Bytes>>,
    /// The variables, as they stand.
    pub environment: Seen<Vec<Bytes>>,
    /// Where it began.
    pub working_directory: Seen<Bytes>,
    /// Its process id.
    pub pid: Seen<u32>,
    /// That of its parent; 0 if that is outside.
    pub ppid: Seen<u32>,
    /// Its session; 0 if its leader is outside.
    pub session: Seen<u32>,
    /// Its process group; 0 if its leader is outside.
    pub process_group: Seen<u32>,
    /// The bits that new files do not get.
    pub umask: Seen<u32>,
    /// Signals by name.
    pub signals: Seen<Signals>,
    /// Resource limits by name.
    pub limits: Seen<BTreeMap<String, Seen<Limit>>>,
    /// The nice value.
    pub nice: Seen<i32>,
    /// How likely it is to be killed for memory.
    pub oom_score_adj: Seen<i32>,
    /// How many processors it can run on.
    pub affinity: Seen<u32>,
    /// Open descriptors, ascending.
    pub descriptors: Seen<Vec<Value>>,
    /// The real user id.
    pub uid: Seen<u32>,
    /// The effective user id.
    pub euid: Seen<u32>,
    /// The saved user id.
    pub suid: Seen<u32>,
    /// The real group id.
    pub gid: Seen<u32>,
    /// The effective group id.
    pub egid: Seen<u32>,
    /// The saved group id.
    pub sgid: Seen<u32>,
    /// The supplementary groups.
    pub groups: Seen<Vec<u32>>,
    /// Capabilities by set.
    pub capabilities: Seen<Capabilities>,
    /// Whether executing a program can give no rights.
    pub no_new_privileges: Seen<bool>,
    /// 0 without a filter of system calls, 2 with one.
    pub seccomp: Seen<u32>,
    /// How user ids are mapped, as the kernel writes it.
    pub uid_map: Seen<Vec<String>>,
    /// How group ids are mapped.
    pub gid_map: Seen<Vec<String>>,
    /// Namespaces by kind.
    pub namespaces: Seen<BTreeMap<String, Seen<Bytes>>>,
    /// Control groups, as the kernel writes them.
    pub cgroup: Seen<Vec<String>>,
    /// The processes that are to be seen.
    pub processes: Seen<Vec<Value>>,
    /// The name of the host.
    pub hostname: Seen<Bytes>,
    /// The name of its domain.
    pub domainname: Seen<Bytes>,
    /// The kernel: name, release, version, machine.
    pub kernel: Seen<BTreeMap<String, Bytes>>,
    /// Network interfaces: name, whether up, whether loopback.
    pub interfaces: Seen<Vec<Value>>,
    /// Mounts in their order.
    pub mounts: Seen<Vec<Value>>,
    /// What is below `/dev`.
    pub devices: Seen<Vec<Value>>,
    /// The file system of `/dev/shm`.
    pub shm: Seen<Value>,
    /// Files of the engine.
    pub files: Seen<Vec<Value>>,
    /// Masked paths: `absent`, `empty`, `denied` or `readable`.
    pub masked: Seen<BTreeMap<String, String>>,
    /// Read-only paths: `absent`, `read-only`, `denied` or `writable`.
    pub read_only: Seen<BTreeMap<String, String>>,
    /// The root directory: mode, owner, time.
    pub root: Seen<BTreeMap<String, i64>>,
    /// The root tree: the lines of its listing, and their digest.
    pub rootfs: Seen<Tree>,
}

/// Signals that are not as they are by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signals {
    /// Those that are blocked.
    pub blocked: Vec<String>,
    /// Those that are ignored.
    pub ignored: Vec<String>,
}

/// A resource limit; null where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// The limit in force.
    pub soft: Option<u64>,
    /// The greatest that it can be set to.
    pub hard: Option<u64>,
}

/// Capabilities by name, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// The ambient set.
    pub ambient: Vec<String>,
    /// The bounding set.
    pub bounding: Vec<String>,
    /// The effective set.
    pub effective: Vec<String>,
    /// The inheritable set.
    pub inheritable: Vec<String>,
    /// The permitted set.
    pub permitted: Vec<String>,
}

/// The root tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Tree {
    /// The digest of the lines.
    pub digest: String,
    /// The lines, without those for what is mounted.
    pub listing: Vec<String>,
    /// What is mounted on, and was passed over.
    pub passed_over: Vec<String>,
    /// What could not be read.
    pub problems: Vec<String>,
}
