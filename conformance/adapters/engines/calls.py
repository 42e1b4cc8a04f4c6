"""The filter of system calls of RUN-115 in the form that podman, Docker and containerd read, and what a filter denies."""

import json
import os
import platform

# The calls that are denied whatever their arguments are.
DENIED = (
    "add_key bpf clock_adjtime clock_settime delete_module finit_module fsconfig fsmount fsopen fspick init_module "
    "kexec_file_load kexec_load keyctl mount mount_setattr move_mount open_by_handle_at open_tree perf_event_open "
    "pivot_root process_vm_readv process_vm_writev reboot request_key setns settimeofday swapoff swapon umount2 "
    "userfaultfd"
).split() + (["ioperm", "iopl"] if platform.machine() in ("i386", "i686", "x86_64") else [])

# The flags for new name spaces of users and of mounts, and the argument of each call that has them.
_NEW = (0x10000000, 0x00020000)
_FLAGS = {"clone": 1 if platform.machine() == "s390x" else 0, "unshare": 0}


def write(scratch):
    """Writes the filter into a directory; its path."""
    denied = {"action": "SCMP_ACT_ERRNO", "errnoRet": 1}
    calls = [denied | {"names": DENIED}]
    for name, index in _FLAGS.items():
        for flag in _NEW:
            argument = {"index": index, "op": "SCMP_CMP_MASKED_EQ", "value": flag, "valueTwo": flag}
            calls.append(denied | {"names": [name], "args": [argument]})
    calls.append({"action": "SCMP_ACT_ERRNO", "errnoRet": 38, "names": ["clone3"]})
    path = os.path.join(scratch, "filter.json")
    with open(path, "w", encoding="ascii") as file:
        json.dump({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": calls}, file)
    return path


_DENYING = ("SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD")


def allowed(filter_):
    """Which of the calls that are to be denied a filter allows, with the flag that matters; None without a filter."""
    if not filter_:
        return None
    rules = [(name, rule) for rule in filter_.get("syscalls") or [] for name in rule["names"]]
    found = [name for name in [*DENIED, "clone3"] if not _denies(filter_, rules, name, None)]
    for name, index in _FLAGS.items():
        for flag in _NEW:
            argument = {"index": index, "op": "SCMP_CMP_MASKED_EQ", "value": flag, "valueTwo": flag}
            if not _denies(filter_, rules, name, argument):
                found.append(f"{name}:{flag:#x}")
    return found


def _denies(filter_, rules, name, argument):
    """Whether a call is denied, with any arguments or with one that is like this."""
    of_call = [rule for of, rule in rules if of == name]
    # Of rules for one call, a filter can take the first or the strictest.
    if any(rule["action"] not in _DENYING for rule in of_call):
        return False
    if any(not rule.get("args") or rule["args"] == [argument] for rule in of_call):
        return True
    return filter_["defaultAction"] in _DENYING and not of_call
