"""Which isolators the configuration shows that an engine has written for its runtime (`config.json`)."""

import calls
from demands import MASKED, READ_ONLY

# The devices of RUN-114, as major and minor number; those of terminals have any.
_DEVICES = {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (136, None)}


def shown(config, asked):
    """The isolators that are in force with what shows it, and why others are not."""
    enforced, missing = {}, {}
    process, linux = config["process"], config["linux"]
    resources = linux.get("resources") or {}

    def say(name, is_shown, what, why):
        if asked.value(name) is not None:
            (enforced if is_shown else missing)[name] = what if is_shown else why

    bounding = (process.get("capabilities") or {}).get("bounding") or []
    given = asked.value("cornercast/capabilities")
    says = f"capabilities.bounding is {' '.join(bounding)}"
    say("cornercast/capabilities", sorted(bounding) == sorted(given), says, says)
    for name, kind in (("ipc", "ipc"), ("process-view", "pid"), ("network", "network")):
        own = {"type": kind} in [{"type": one["type"]} for one in linux["namespaces"] if not one.get("path")]
        say(f"cornercast/{name}", own, f"a {kind} namespace of its own", f"no {kind} namespace of its own")
    others = _others(resources.get("devices") or [])
    say("cornercast/devices", not others, "all other devices are denied", f"allowed are {' '.join(others)}")
    allowed = calls.allowed(linux.get("seccomp"))
    why = "there is no filter" if allowed is None else f"the filter allows {' '.join(allowed)}"
    say("cornercast/syscalls", allowed == [], "a filter that denies all other calls", why)
    left = [path for path in MASKED if path not in linux.get("maskedPaths", [])]
    left += [path for path in READ_ONLY if path not in linux.get("readonlyPaths", [])]
    say("cornercast/sysinfo", not left, "the paths are masked or read-only", f"open are {' '.join(left)}")
    is_set = process.get("noNewPrivileges", False) == asked.value("cornercast/no-new-privileges")
    say("cornercast/no-new-privileges", is_set, "noNewPrivileges", "noNewPrivileges is another")
    is_read_only = config["root"].get("readonly", False) == asked.value("cornercast/readonly-rootfs")
    say("cornercast/readonly-rootfs", is_read_only, "root.readonly", "root.readonly is another")
    _limits(say, process, resources, asked)
    return enforced, missing


def _limits(say, process, resources, asked):
    memory, cpu, pids = (resources.get(name) or {} for name in ("memory", "cpu", "pids"))
    wanted = {name: asked.value(f"resource/{name}") or {} for name in ("memory", "cpu", "pids", "nofile")}
    limit = wanted["memory"].get("limit")
    is_limited = memory.get("limit") == memory.get("swap") == limit
    say("resource/memory", is_limited, "memory.limit and memory.swap", f"memory is {memory}")
    is_limited = cpu.get("quota", -1) * 1000 == wanted["cpu"].get("limit", 0) * cpu.get("period", 0)
    say("resource/cpu", is_limited, "cpu.quota and cpu.period", f"cpu is {cpu}")
    say("resource/pids", pids.get("limit") == wanted["pids"].get("limit"), "pids.limit", f"pids is {pids}")
    limits = [one for one in process.get("rlimits") or [] if one["type"] == "RLIMIT_NOFILE"]
    wanted = [{"type": "RLIMIT_NOFILE", **wanted["nofile"]}]
    say("resource/nofile", limits == wanted, "RLIMIT_NOFILE", f"rlimits are {limits}")


def _others(rules):
    """Which devices can be opened beside those of RUN-114. Of rules for one device, the last one holds."""
    found = []
    for rule in rules:
        kind, numbers = rule.get("type") or "a", (rule.get("major"), rule.get("minor"))
        is_everything = kind == "a" and numbers == (None, None)
        if is_everything and not rule["allow"] and set("rw") <= set(rule.get("access") or "rwm"):
            found = []
        elif not rule["allow"] or not set("rw") & set(rule.get("access") or "rwm"):
            continue
        elif kind != "c" or numbers not in _DEVICES:
            found.append(" ".join([kind, *("*" if number is None else str(number) for number in numbers)]))
    is_denied = any(not rule["allow"] and rule.get("type") in (None, "a") for rule in rules)
    return found if is_denied else ["all"]
