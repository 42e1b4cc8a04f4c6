"""The root of a runtime bundle and what is run in it: OCI-096 to OCI-098, OCI-106 and OCI-107."""

import os
import stat

import octar

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MAX_LINKS = 40

# What a path leads to if that depends on a mount.
_UNKNOWN = object()


def check(bundle, config, findings):
    """Judge `root.path`, and the process if there is one."""
    path = config["root"]["path"]
    root = os.fsencode(bundle)
    if not path.startswith("/"):
        parts = octar.clean(_bytes(path))
        if not findings.require(parts is not None, "OCI-096"):
            return
        for part in parts:
            root = os.path.join(root, part)
            mode = _mode(root)
            if mode is not None and stat.S_ISLNK(mode):
                findings.add("OCI-098")
                return
            if not findings.require(mode is not None and stat.S_ISDIR(mode), "OCI-096"):
                return
    findings.require(path == "rootfs", "OCI-097")
    if "process" in config and not path.startswith("/"):
        mounts = [mount["destination"] for mount in config.get("mounts", []) if mount and "destination" in mount]
        mounts = [octar.clean(_bytes(destination)) for destination in mounts]
        _check_process(config["process"], _Root(root, [parts for parts in mounts if parts is not None]), findings)


def _check_process(process, root, findings):
    cwd = process.get("cwd")
    if process.wrong & {"args", "env", "cwd"} or (cwd is not None and not cwd.startswith("/")):
        return
    if cwd is not None:
        found = root.resolve(_bytes(cwd))
        findings.require(found is _UNKNOWN or (found is not None and stat.S_ISDIR(found)), "OCI-107")
    if not process.get("args"):
        return
    program = _bytes(process["args"][0])
    places = [program]
    if b"/" not in program:
        path = next((text[5:] for text in process.get("env", []) if text.startswith("PATH=")), _PATH)
        places = [(_bytes(place) or b".") + b"/" + program for place in path.split(":")]
    base = _bytes(cwd or "/")
    found = [root.resolve(place if place.startswith(b"/") else base + b"/" + place) for place in places]
    runs = (mode is _UNKNOWN or (mode is not None and stat.S_ISREG(mode) and mode & 0o111) for mode in found)
    findings.require(program and any(runs), "OCI-106")


class _Root:
    def __init__(self, path, mounts):
        self._path = path
        self._mounts = [list(parts) for parts in mounts]

    def resolve(self, path):
        """The mode of what a path leads to, links followed inside the root; None or _UNKNOWN."""
        if [] in self._mounts:
            return _UNKNOWN
        here, waiting, links = [], path.split(b"/")[::-1], 0
        mode = stat.S_IFDIR
        while waiting:
            part = waiting.pop()
            if part in (b"", b"."):
                continue
            if not stat.S_ISDIR(mode):
                return None
            if part == b"..":
                here = here[:-1]
                continue
            there = [*here, part]
            if there in self._mounts:
                return _UNKNOWN
            full = os.path.join(self._path, *there)
            found = _mode(full)
            if found is None:
                below = any(mount[: len(there)] == there for mount in self._mounts)
                return _UNKNOWN if below else None
            if stat.S_ISLNK(found):
                links += 1
                if links > _MAX_LINKS:
                    return None
                target = os.readlink(full)
                if target.startswith(b"/"):
                    here = []
                waiting.extend(target.split(b"/")[::-1])
            else:
                here, mode = there, found
        return mode


def _mode(path):
    try:
        return os.lstat(path).st_mode
    except (OSError, ValueError):
        return None


def _bytes(text):
    return text.encode("utf-8", "surrogatepass")
