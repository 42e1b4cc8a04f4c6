//! The system calls that the baseline of `cornercast/syscalls` takes away (RUN-115).

use serde_json::{Value, json};

/// What fails with EPERM: mounting, other namespaces, modules, another kernel, time, swap, programs in the
/// kernel, keys, files by handle, the memory of others, faults handled in user space.
const REFUSED: [&str; 31] = [
    "add_key",
    "bpf",
    "clock_adjtime",
    "clock_settime",
    "delete_module",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "mount",
    "mount_setattr",
    "move_mount",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pivot_root",
    "process_vm_readv",
    "process_vm_writev",
    "reboot",
    "request_key",
    "setns",
    "settimeofday",
    "swapoff",
    "swapon",
    "umount2",
    "userfaultfd",
];

/// What there is on some processors only: direct access to their ports.
const PORTS: [&str; 2] = ["ioperm", "iopl"];

/// The bits of `clone` and `unshare` that make a namespace of users and one of mounts.
const NEW_NAMESPACES: [u64; 2] = [0x1000_0000, 0x0002_0000];

/// EPERM and ENOSYS.
const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// The filter for an architecture. System calls of another one, such as those of 32 bits on a processor of 64,
/// are none that it knows, and end the process.
pub(super) fn baseline(architecture: &str) -> Value {
    let mut refused = REFUSED.to_vec();
    if ["386", "amd64"].contains(&architecture) {
        refused.extend(PORTS);
        refused.sort_unstable();
    }
    let mut rules = vec![json!({"action": "SCMP_ACT_ERRNO", "errnoRet": EPERM, "names": refused})];
    // On s390x the flags of `clone` are its second argument.
    let flags = usize::from(architecture == "s390x");
    for (name, index) in [("clone", flags), ("unshare", 0)] {
        for bit in NEW_NAMESPACES {
            let argument = json!({"index": index, "op": "SCMP_CMP_MASKED_EQ", "value": bit, "valueTwo": bit});
            rules.push(json!({
                "action": "SCMP_ACT_ERRNO", "args": [argument], "errnoRet": EPERM, "names": [name],
            }));
        }
    }
    // Its flags are in memory, where no filter looks; programs take `clone` where there is no `clone3`.
    rules.push(json!({"action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS, "names": ["clone3"]}));
    json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules})
}
