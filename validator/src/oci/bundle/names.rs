//! The values that OCI lists for members (OCI-102), and the capabilities of Linux (OCI-104).

use super::super::config::{strings, text};
use super::super::document::Document;
use crate::clause;
use crate::json::Node;
use crate::shown::quoted;

/// Names: what they begin with, and the rest.
pub(super) struct Names {
    prefix: &'static str,
    names: &'static str,
}

const fn names(prefix: &'static str, names: &'static str) -> Names {
    Names { prefix, names }
}

impl Names {
    /// Whether `text` is one of them.
    pub(super) fn has(&self, text: &str) -> bool {
        let name = text.strip_prefix(self.prefix);
        name.is_some_and(|name| self.names.split_ascii_whitespace().any(|known| known == name))
    }
}

pub(super) static RLIMITS: Names = names(
    "RLIMIT_",
    "AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING STACK",
);
pub(super) static POLICIES: Names = names("SCHED_", "OTHER FIFO RR BATCH ISO IDLE DEADLINE");
pub(super) static SCHEDULER_FLAGS: Names =
    names("SCHED_FLAG_", "RESET_ON_FORK RECLAIM DL_OVERRUN KEEP_POLICY KEEP_PARAMS UTIL_CLAMP_MIN UTIL_CLAMP_MAX");
pub(super) static IO_CLASSES: Names = names("IOPRIO_CLASS_", "RT BE IDLE");
pub(super) static NAMESPACES: Names = names("", "pid network mount ipc uts user cgroup time");
pub(super) static DEVICES: Names = names("", "c b u p");
pub(super) static RULES: Names = names("", "a c b");
pub(super) static PROPAGATIONS: Names = names("", "shared slave private unbindable");
pub(super) static MEMORY_MODES: Names =
    names("MPOL_", "DEFAULT BIND INTERLEAVE WEIGHTED_INTERLEAVE PREFERRED PREFERRED_MANY LOCAL");
pub(super) static MEMORY_FLAGS: Names = names("MPOL_F_", "NUMA_BALANCING RELATIVE_NODES STATIC_NODES");
pub(super) static DOMAINS: Names = names("", "LINUX LINUX32");
pub(super) static ACTIONS: Names =
    names("SCMP_ACT_", "KILL KILL_PROCESS KILL_THREAD TRAP ERRNO TRACE ALLOW LOG NOTIFY");
pub(super) static ARCHITECTURES: Names = names(
    "SCMP_ARCH_",
    "X86 X86_64 X32 ARM AARCH64 LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE \
     S390 S390X SH SHEB PARISC PARISC64 RISCV64",
);
pub(super) static FILTER_FLAGS: Names = names("SECCOMP_FILTER_FLAG_", "TSYNC LOG SPEC_ALLOW WAIT_KILLABLE_RECV");
pub(super) static OPERATORS: Names = names("SCMP_CMP_", "NE LT LE EQ GE GT MASKED_EQ");
static CAPABILITIES: Names = names(
    "CAP_",
    "AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH \
     FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN \
     NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT \
     SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM",
);

/// OCI-102: a member that has to be there.
pub(super) fn judge_required(document: &mut Document, node: &Node, pointer: &str, name: &str, known: &Names) {
    if let Some((member, value)) = text(node, name) {
        judge_name(document, member, value, &format!("{pointer}/{name}"), known);
    }
}

/// OCI-102: a member that can be absent, or empty.
pub(super) fn judge_optional(document: &mut Document, node: &Node, pointer: &str, name: &str, known: &Names) {
    if text(node, name).is_some_and(|(_, value)| !value.is_empty()) {
        judge_required(document, node, pointer, name, known);
    }
}

/// OCI-102: the elements of an array.
pub(super) fn judge_each(document: &mut Document, node: &Node, pointer: &str, name: &str, known: &Names) {
    for (at, (member, value)) in strings(node, name).unwrap_or_default().into_iter().enumerate() {
        judge_name(document, member, value, &format!("{pointer}/{name}/{at}"), known);
    }
}

/// OCI-102
fn judge_name(document: &mut Document, node: &Node, value: &str, pointer: &str, known: &Names) {
    if !known.has(value) {
        let message = format!("{} is none of the values that OCI lists", quoted(value));
        document.report(&clause::OCI_102, node, pointer, message);
    }
}

/// OCI-104
pub(super) fn judge_capabilities(document: &mut Document, process: &Node) {
    let Some(capabilities) = process.get("capabilities") else { return };
    for set in ["effective", "bounding", "inheritable", "permitted", "ambient"] {
        for (at, (node, name)) in strings(capabilities, set).unwrap_or_default().into_iter().enumerate() {
            if !CAPABILITIES.has(name) {
                let pointer = format!("/process/capabilities/{set}/{at}");
                document.report(&clause::OCI_104, node, &pointer, format!("{} is no capability", quoted(name)));
            }
        }
    }
}
