//! The members of a bundle's `config.json` (OCI-015, OCI-016).

use super::super::table::{Member, Range, Type};

static INT32: Range = Range::signed(32, "an integer of 32 bits with sign");
static INT64: Range = Range::signed(64, "an integer of 64 bits with sign");
static UINT16: Range = Range::unsigned(16, "an integer of 16 bits without sign");
static UINT32: Range = Range::unsigned(32, "an integer of 32 bits without sign");
static UINT64: Range = Range::unsigned(64, "an integer of 64 bits without sign");

const fn optional(name: &'static str, kind: Type) -> Member {
    (name, kind, false)
}

const fn required(name: &'static str, kind: Type) -> Member {
    (name, kind, true)
}

/// Bundles for Windows alone do without `root`, so it is judged apart.
pub(super) static BUNDLE: [Member; 9] = [
    required("ociVersion", Type::String),
    optional("root", Type::Object(&ROOT)),
    optional("mounts", Type::Objects(&MOUNT)),
    optional("process", Type::Object(&PROCESS)),
    optional("hostname", Type::String),
    optional("domainname", Type::String),
    optional("hooks", Type::Object(&HOOKS)),
    optional("annotations", Type::Texts),
    optional("linux", Type::Object(&LINUX)),
];

static ROOT: [Member; 2] = [required("path", Type::String), optional("readonly", Type::Boolean)];

static MOUNT: [Member; 6] = [
    required("destination", Type::String),
    optional("source", Type::String),
    optional("type", Type::String),
    optional("options", Type::Strings),
    optional("uidMappings", Type::Objects(&MAPPING)),
    optional("gidMappings", Type::Objects(&MAPPING)),
];

static MAPPING: [Member; 3] = [
    required("containerID", Type::Within(&UINT32)),
    required("hostID", Type::Within(&UINT32)),
    required("size", Type::Within(&UINT32)),
];

static HOOKS: [Member; 6] = [
    optional("prestart", Type::Objects(&HOOK)),
    optional("createRuntime", Type::Objects(&HOOK)),
    optional("createContainer", Type::Objects(&HOOK)),
    optional("startContainer", Type::Objects(&HOOK)),
    optional("poststart", Type::Objects(&HOOK)),
    optional("poststop", Type::Objects(&HOOK)),
];

static HOOK: [Member; 4] = [
    required("path", Type::String),
    optional("args", Type::Strings),
    optional("env", Type::Strings),
    optional("timeout", Type::Within(&INT64)),
];

static PROCESS: [Member; 16] = [
    optional("terminal", Type::Boolean),
    optional("consoleSize", Type::Object(&CONSOLE_SIZE)),
    required("cwd", Type::String),
    optional("env", Type::Strings),
    optional("args", Type::Strings),
    optional("commandLine", Type::String),
    optional("rlimits", Type::Objects(&RLIMIT)),
    optional("apparmorProfile", Type::String),
    optional("capabilities", Type::Object(&CAPABILITIES)),
    optional("noNewPrivileges", Type::Boolean),
    optional("oomScoreAdj", Type::Within(&INT64)),
    optional("scheduler", Type::Object(&SCHEDULER)),
    optional("selinuxLabel", Type::String),
    optional("ioPriority", Type::Object(&IO_PRIORITY)),
    optional("execCPUAffinity", Type::Object(&AFFINITY)),
    optional("user", Type::Object(&USER)),
];

static CONSOLE_SIZE: [Member; 2] =
    [required("height", Type::Within(&UINT64)), required("width", Type::Within(&UINT64))];

static RLIMIT: [Member; 3] =
    [required("type", Type::String), required("soft", Type::Within(&UINT64)), required("hard", Type::Within(&UINT64))];

static CAPABILITIES: [Member; 5] = [
    optional("effective", Type::Strings),
    optional("bounding", Type::Strings),
    optional("inheritable", Type::Strings),
    optional("permitted", Type::Strings),
    optional("ambient", Type::Strings),
];

static SCHEDULER: [Member; 7] = [
    required("policy", Type::String),
    optional("nice", Type::Within(&INT32)),
    optional("priority", Type::Within(&INT32)),
    optional("flags", Type::Strings),
    optional("runtime", Type::Within(&UINT64)),
    optional("deadline", Type::Within(&UINT64)),
    optional("period", Type::Within(&UINT64)),
];

static IO_PRIORITY: [Member; 2] = [required("class", Type::String), required("priority", Type::Within(&INT64))];

static AFFINITY: [Member; 2] = [optional("initial", Type::String), optional("final", Type::String)];

static USER: [Member; 4] = [
    required("uid", Type::Within(&UINT32)),
    required("gid", Type::Within(&UINT32)),
    optional("umask", Type::Within(&UINT32)),
    optional("additionalGids", Type::AllWithin(&UINT32)),
];

static LINUX: [Member; 17] = [
    optional("namespaces", Type::Objects(&NAMESPACE)),
    optional("uidMappings", Type::Objects(&MAPPING)),
    optional("gidMappings", Type::Objects(&MAPPING)),
    optional("timeOffsets", Type::Names),
    optional("devices", Type::Objects(&DEVICE)),
    optional("netDevices", Type::Names),
    optional("cgroupsPath", Type::String),
    optional("resources", Type::Object(&RESOURCES)),
    optional("intelRdt", Type::Object(&INTEL_RDT)),
    optional("memoryPolicy", Type::Object(&MEMORY_POLICY)),
    optional("sysctl", Type::Words),
    optional("seccomp", Type::Object(&SECCOMP)),
    optional("rootfsPropagation", Type::String),
    optional("maskedPaths", Type::Strings),
    optional("readonlyPaths", Type::Strings),
    optional("mountLabel", Type::String),
    optional("personality", Type::Object(&PERSONALITY)),
];

static PERSONALITY: [Member; 2] = [required("domain", Type::String), optional("flags", Type::Strings)];

static NAMESPACE: [Member; 2] = [required("type", Type::String), optional("path", Type::String)];

static DEVICE: [Member; 7] = [
    required("type", Type::String),
    required("path", Type::String),
    optional("major", Type::Within(&INT64)),
    optional("minor", Type::Within(&INT64)),
    optional("fileMode", Type::Within(&UINT32)),
    optional("uid", Type::Within(&UINT32)),
    optional("gid", Type::Within(&UINT32)),
];

static INTEL_RDT: [Member; 5] = [
    optional("closID", Type::String),
    optional("l3CacheSchema", Type::String),
    optional("memBwSchema", Type::String),
    optional("schemata", Type::Strings),
    optional("enableMonitoring", Type::Boolean),
];

static MEMORY_POLICY: [Member; 3] =
    [required("mode", Type::String), optional("nodes", Type::String), optional("flags", Type::Strings)];

static SECCOMP: [Member; 7] = [
    required("defaultAction", Type::String),
    optional("defaultErrnoRet", Type::Within(&UINT32)),
    optional("architectures", Type::Strings),
    optional("flags", Type::Strings),
    optional("listenerPath", Type::String),
    optional("listenerMetadata", Type::String),
    optional("syscalls", Type::Objects(&SYSCALL)),
];

static SYSCALL: [Member; 4] = [
    required("names", Type::Strings),
    required("action", Type::String),
    optional("errnoRet", Type::Within(&UINT32)),
    optional("args", Type::Objects(&ARGUMENT)),
];

static ARGUMENT: [Member; 4] = [
    required("index", Type::Within(&UINT32)),
    required("value", Type::Within(&UINT64)),
    optional("valueTwo", Type::Within(&UINT64)),
    required("op", Type::String),
];

static RESOURCES: [Member; 9] = [
    optional("unified", Type::Words),
    optional("devices", Type::Objects(&RULE)),
    optional("memory", Type::Object(&MEMORY)),
    optional("cpu", Type::Object(&CPU)),
    optional("blockIO", Type::Object(&BLOCK_IO)),
    optional("hugepageLimits", Type::Objects(&HUGEPAGE)),
    optional("network", Type::Object(&NETWORK)),
    optional("pids", Type::Object(&PIDS)),
    optional("rdma", Type::Names),
];

static RULE: [Member; 5] = [
    required("allow", Type::Boolean),
    optional("type", Type::String),
    optional("major", Type::Within(&INT64)),
    optional("minor", Type::Within(&INT64)),
    optional("access", Type::String),
];

static MEMORY: [Member; 9] = [
    optional("limit", Type::Within(&INT64)),
    optional("reservation", Type::Within(&INT64)),
    optional("swap", Type::Within(&INT64)),
    optional("kernel", Type::Within(&INT64)),
    optional("kernelTCP", Type::Within(&INT64)),
    optional("swappiness", Type::Within(&UINT64)),
    optional("disableOOMKiller", Type::Boolean),
    optional("useHierarchy", Type::Boolean),
    optional("checkBeforeUpdate", Type::Boolean),
];

static CPU: [Member; 9] = [
    optional("shares", Type::Within(&UINT64)),
    optional("quota", Type::Within(&INT64)),
    optional("burst", Type::Within(&UINT64)),
    optional("period", Type::Within(&UINT64)),
    optional("realtimeRuntime", Type::Within(&INT64)),
    optional("realtimePeriod", Type::Within(&UINT64)),
    optional("cpus", Type::String),
    optional("mems", Type::String),
    optional("idle", Type::Within(&INT64)),
];

static BLOCK_IO: [Member; 7] = [
    optional("weight", Type::Within(&UINT16)),
    optional("leafWeight", Type::Within(&UINT16)),
    optional("weightDevice", Type::Objects(&WEIGHT)),
    optional("throttleReadBpsDevice", Type::Objects(&RATE)),
    optional("throttleWriteBpsDevice", Type::Objects(&RATE)),
    optional("throttleReadIOPSDevice", Type::Objects(&RATE)),
    optional("throttleWriteIOPSDevice", Type::Objects(&RATE)),
];

static WEIGHT: [Member; 4] = [
    required("major", Type::Within(&INT64)),
    required("minor", Type::Within(&INT64)),
    optional("weight", Type::Within(&UINT16)),
    optional("leafWeight", Type::Within(&UINT16)),
];

static RATE: [Member; 3] = [
    required("major", Type::Within(&INT64)),
    required("minor", Type::Within(&INT64)),
    required("rate", Type::Within(&UINT64)),
];

static HUGEPAGE: [Member; 2] = [required("pageSize", Type::String), required("limit", Type::Within(&UINT64))];

static NETWORK: [Member; 2] =
    [optional("classID", Type::Within(&UINT32)), optional("priorities", Type::Objects(&PRIORITY))];

static PRIORITY: [Member; 2] = [required("name", Type::String), required("priority", Type::Within(&UINT32))];

static PIDS: [Member; 1] = [optional("limit", Type::Within(&INT64))];
