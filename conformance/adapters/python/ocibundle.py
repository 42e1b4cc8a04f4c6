"""Runtime bundles (chapter "OCI images", section Runtime bundles): OCI-093 to OCI-119."""

import os
import re
import stat

import ocibundletree
import ocidoc
import ocijson
from findings import Findings

_CONFIG = "config.json"
_HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
_SETS = ("effective", "bounding", "inheritable", "permitted", "ambient")


def _table(text):
    """A table from its words: a member with its type, and a star before a type if the member has to be there."""
    words = text.split()
    return {name: (form.lstrip("*"), form.startswith("*")) for name, form in zip(words[::2], words[1::2])}


ocidoc.TABLES.update(
    {
        "bundle": _table(
            "ociVersion *string root bundle-root mounts [mount] process process hostname string domainname string"
            " hooks hooks annotations texts linux linux"
        ),
        "bundle-root": _table("path *string readonly boolean"),
        "mount": _table(
            "destination *string source string type string options [string] uidMappings [mapping]"
            " gidMappings [mapping]"
        ),
        "mapping": _table("containerID *uint32 hostID *uint32 size *uint32"),
        "hooks": {name: ("[hook]", False) for name in _HOOKS},
        "hook": _table("path *string args [string] env [string] timeout int64"),
        "process": _table(
            "terminal boolean consoleSize console cwd *string env [string] args [string] commandLine string"
            " rlimits [rlimit] apparmorProfile string capabilities capabilities noNewPrivileges boolean"
            " oomScoreAdj int64 scheduler scheduler selinuxLabel string ioPriority io-priority"
            " execCPUAffinity affinity user user"
        ),
        "console": _table("height *uint64 width *uint64"),
        "rlimit": _table("type *string soft *uint64 hard *uint64"),
        "capabilities": {name: ("[string]", False) for name in _SETS},
        "scheduler": _table(
            "policy *string nice int32 priority int32 flags [string] runtime uint64 deadline uint64 period uint64"
        ),
        "io-priority": _table("class *string priority *int64"),
        "affinity": _table("initial string final string"),
        "user": _table("uid *uint32 gid *uint32 umask uint32 additionalGids [uint32]"),
        "linux": _table(
            "namespaces [namespace] uidMappings [mapping] gidMappings [mapping] timeOffsets objects devices [device]"
            " netDevices objects cgroupsPath string resources resources intelRdt rdt memoryPolicy memory-policy"
            " sysctl words seccomp seccomp rootfsPropagation string maskedPaths [string] readonlyPaths [string]"
            " mountLabel string personality personality"
        ),
        "namespace": _table("type *string path string"),
        "device": _table(
            "type *string path *string major int64 minor int64 fileMode uint32 uid uint32 gid uint32"
        ),
        "rdt": _table(
            "closID string l3CacheSchema string memBwSchema string schemata [string] enableMonitoring boolean"
        ),
        "memory-policy": _table("mode *string nodes string flags [string]"),
        "personality": _table("domain *string flags [string]"),
        "seccomp": _table(
            "defaultAction *string defaultErrnoRet uint32 architectures [string] flags [string] listenerPath string"
            " listenerMetadata string syscalls [syscall]"
        ),
        "syscall": _table("names *[string] action *string errnoRet uint32 args [argument]"),
        "argument": _table("index *uint32 value *uint64 valueTwo uint64 op *string"),
        "resources": _table(
            "unified words devices [rule] memory memory cpu cpu blockIO block hugepageLimits [hugepage]"
            " network network pids pids rdma objects"
        ),
        "rule": _table("allow *boolean type string major int64 minor int64 access string"),
        "memory": _table(
            "limit int64 reservation int64 swap int64 kernel int64 kernelTCP int64 swappiness uint64"
            " disableOOMKiller boolean useHierarchy boolean checkBeforeUpdate boolean"
        ),
        "cpu": _table(
            "shares uint64 quota int64 burst uint64 period uint64 realtimeRuntime int64 realtimePeriod uint64"
            " cpus string mems string idle int64"
        ),
        "block": _table(
            "weight uint16 leafWeight uint16 weightDevice [weight] throttleReadBpsDevice [rate]"
            " throttleWriteBpsDevice [rate] throttleReadIOPSDevice [rate] throttleWriteIOPSDevice [rate]"
        ),
        "weight": _table("major *int64 minor *int64 weight uint16 leafWeight uint16"),
        "rate": _table("major *int64 minor *int64 rate *uint64"),
        "hugepage": _table("pageSize *string limit *uint64"),
        "network": _table("classID uint32 priorities [priority]"),
        "priority": _table("name *string priority *uint32"),
        "pids": _table("limit int64"),
    }
)


def _names(prefix, names):
    return frozenset(prefix + name for name in names.split())


_RLIMITS = _names(
    "RLIMIT_",
    "AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING STACK",
)
_POLICIES = _names("SCHED_", "OTHER FIFO RR BATCH ISO IDLE DEADLINE")
_SCHEDULER_FLAGS = _names(
    "SCHED_FLAG_", "RESET_ON_FORK RECLAIM DL_OVERRUN KEEP_POLICY KEEP_PARAMS UTIL_CLAMP_MIN UTIL_CLAMP_MAX"
)
_CLASSES = _names("IOPRIO_CLASS_", "RT BE IDLE")
_NAMESPACES = _names("", "pid network mount ipc uts user cgroup time")
_PROPAGATIONS = _names("", "shared slave private unbindable")
_MODES = _names("MPOL_", "DEFAULT BIND INTERLEAVE WEIGHTED_INTERLEAVE PREFERRED PREFERRED_MANY LOCAL")
_MODE_FLAGS = _names("MPOL_F_", "NUMA_BALANCING RELATIVE_NODES STATIC_NODES")
_ACTIONS = _names("SCMP_ACT_", "KILL KILL_PROCESS KILL_THREAD TRAP ERRNO TRACE ALLOW LOG NOTIFY")
_ARCHITECTURES = _names(
    "SCMP_ARCH_",
    "X86 X86_64 X32 ARM AARCH64 LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE"
    " S390 S390X SH SHEB PARISC PARISC64 RISCV64",
)
_FILTER_FLAGS = _names("SECCOMP_FILTER_FLAG_", "TSYNC LOG SPEC_ALLOW WAIT_KILLABLE_RECV")
_OPERATORS = _names("SCMP_CMP_", "NE LT LE EQ GE GT MASKED_EQ")
_CAPABILITIES = _names(
    "CAP_",
    "AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH"
    " FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN"
    " NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT"
    " SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM",
)

_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"({_NUMBER})\.{_NUMBER}\.{_NUMBER}(?:-{_IDENTIFIER}(?:\.{_IDENTIFIER})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_PAGE_SIZE = re.compile(r"[1-9][0-9]*[KMG]B")


def check_bundle(path, _scratch, findings):
    """Judge a bundle."""
    config = os.path.join(path, _CONFIG)
    mode = os.lstat(config).st_mode if os.path.lexists(config) else None
    if mode is None or stat.S_ISDIR(mode):
        findings.add("OCI-093")
    elif findings.require(stat.S_ISREG(mode), "OCI-009"):
        own = Findings()
        with open(config, "rb") as stream:
            value = ocijson.read_document(stream.read(ocijson.MAX_DOCUMENT + 1), own)
        version = value.get("ociVersion") if value is not None else None
        match = _VERSION.fullmatch(version) if isinstance(version, str) else None
        if match and match[1] != "1":
            findings.add("OCI-095")
            return
        findings.merge(own)
        if value is not None:
            findings.require(match or not isinstance(version, str), "OCI-094")
            _check_config(path, value, findings)


def _check_config(path, value, findings):
    config = ocidoc.members(value, "bundle", findings)
    findings.require("" not in config.get("annotations", {}) and "" not in _keys(value.get("annotations")), "OCI-111")
    if value.get("windows") is not None and value.get("linux") is None:
        return
    findings.require(value.get("root") is not None, "OCI-015")
    if "process" in config:
        _check_process(config["process"], findings)
    for mount in filter(None, config.get("mounts", [])):
        findings.require(mount.get("destination", "/").startswith("/"), "OCI-108")
        given = [name in mount or name in mount.wrong for name in ("uidMappings", "gidMappings")]
        findings.require(given[0] == given[1], "OCI-109")
    for name in _HOOKS:
        for hook in filter(None, config.get("hooks", {}).get(name, [])):
            _require_absolute(hook.get("path"), findings)
            _check_environment(hook, findings)
            findings.require(hook.get("timeout", 1) > 0, "OCI-110")
    if "linux" in config:
        _check_linux(config["linux"], findings)
    if "path" in config.get("root", {}):
        ocibundletree.check(path, config, findings)


def _keys(value):
    return value if isinstance(value, dict) else ()


def _require_absolute(path, findings):
    findings.require(path is None or path.startswith("/"), "OCI-099")


def _require_known(value, known, findings):
    return findings.require(value is None or value in known, "OCI-102")


def _check_environment(holder, findings):
    """OCI-101."""
    seen = set()
    for text in holder.get("env", []):
        name, sign, _ = text.partition("=")
        if findings.require(name and sign, "OCI-101"):
            findings.require(name not in seen, "OCI-101")
            seen.add(name)


def _check_types(elements, known, findings):
    """OCI-102 and OCI-103."""
    kinds = [element["type"] for element in elements if element is not None and "type" in element]
    kinds = [kind for kind in kinds if _require_known(kind, known, findings)]
    findings.require(len(set(kinds)) == len(kinds), "OCI-103")


def _check_process(process, findings):
    _require_absolute(process.get("cwd"), findings)
    findings.require(process.get("args") or "args" in process.wrong, "OCI-100")
    _check_environment(process, findings)
    limits = process.get("rlimits", [])
    _check_types(limits, _RLIMITS, findings)
    for limit in filter(None, limits):
        if "soft" in limit and "hard" in limit:
            findings.require(limit["soft"] <= limit["hard"], "OCI-105")
    for name in _SETS:
        findings.require(_CAPABILITIES.issuperset(process.get("capabilities", {}).get(name, [])), "OCI-104")
    scheduler = process.get("scheduler", {})
    _require_known(scheduler.get("policy"), _POLICIES, findings)
    findings.require(_SCHEDULER_FLAGS.issuperset(scheduler.get("flags", [])), "OCI-102")
    _require_known(process.get("ioPriority", {}).get("class"), _CLASSES, findings)


def _check_linux(linux, findings):
    _check_types(linux.get("namespaces", []), _NAMESPACES, findings)
    for namespace in filter(None, linux.get("namespaces", [])):
        _require_absolute(namespace.get("path") or None, findings)
    _check_devices(linux, findings)
    _require_known(linux.get("rootfsPropagation") or None, _PROPAGATIONS, findings)
    for name in ("maskedPaths", "readonlyPaths"):
        for path in linux.get(name, []):
            _require_absolute(path, findings)
    policy = linux.get("memoryPolicy", {})
    _require_known(policy.get("mode"), _MODES, findings)
    findings.require(_MODE_FLAGS.issuperset(policy.get("flags", [])), "OCI-102")
    _require_known(linux.get("personality", {}).get("domain"), ("LINUX", "LINUX32"), findings)
    if "seccomp" in linux:
        _check_seccomp(linux["seccomp"], findings)
    if "resources" in linux:
        _check_resources(linux["resources"], findings)


def _check_devices(linux, findings):
    """OCI-099, OCI-102, OCI-112 and OCI-113."""
    seen = set()
    for device in filter(None, linux.get("devices", [])):
        _require_absolute(device.get("path"), findings)
        _require_known(device.get("type"), ("c", "b", "u", "p"), findings)
        if device.get("type") in (None, "p"):
            continue
        for name in ("major", "minor"):
            findings.require(name in device or name in device.wrong, "OCI-112")
        key = device["type"], device.get("major"), device.get("minor")
        if None not in key:
            findings.require(key not in seen, "OCI-113")
            seen.add(key)


def _check_seccomp(seccomp, findings):
    _require_known(seccomp.get("defaultAction"), _ACTIONS, findings)
    findings.require(_ARCHITECTURES.issuperset(seccomp.get("architectures", [])), "OCI-102")
    findings.require(_FILTER_FLAGS.issuperset(seccomp.get("flags", [])), "OCI-102")
    has_path = seccomp.get("listenerPath") or "listenerPath" in seccomp.wrong
    findings.require(has_path or not seccomp.get("listenerMetadata"), "OCI-115")
    for call in filter(None, seccomp.get("syscalls", [])):
        findings.require(call.get("names") != [], "OCI-114")
        _require_known(call.get("action"), _ACTIONS, findings)
        for argument in filter(None, call.get("args", [])):
            _require_known(argument.get("op"), _OPERATORS, findings)


def _check_resources(resources, findings):
    for rule in filter(None, resources.get("devices", [])):
        _require_known(rule.get("type") or None, ("a", "c", "b"), findings)
        findings.require(set(rule.get("access", "")) <= set("rwm"), "OCI-118")
    cpu = resources.get("cpu", {})
    if cpu.get("quota", 0) > 0 and "burst" in cpu:
        findings.require(cpu["burst"] <= cpu["quota"], "OCI-116")
    for weight in filter(lambda element: element is not None, resources.get("blockIO", {}).get("weightDevice", [])):
        given = {"weight", "leafWeight"} & (weight.keys() | weight.wrong)
        findings.require(given, "OCI-117")
    for limit in filter(None, resources.get("hugepageLimits", [])):
        if "pageSize" in limit:
            findings.require(_PAGE_SIZE.fullmatch(limit["pageSize"]), "OCI-119")
