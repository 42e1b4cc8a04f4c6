"""What is asked of an engine: by the manifest of an image, and by the instance options that are put over it.

An engine of other images reads neither. So an adapter hands over in the engine's own words what has such words, and
leaves it to the engine to take or to refuse it. One rule says what is judged and what is skipped:

- A case is *skipped* where the manifest or the options ask for something that the engine has no words for, or where the
  adapter would have to do a part of what the case is about: refuse, compare, merge or leave out.
- It is judged in all other cases, whatever the engine makes of it, and can fail. That is so of all that an application
  finds though nobody has asked for it, and of the level `separated`, which stands for what engines do without a word.

So `Inexpressible` are

- options that are malformed, or that name what the image does not have: only a reader of such options can refuse them;
- a thing that both the image and the options give, of which an engine would get the one that the adapter chooses;
- levels, and isolators and values that stand for nothing that the engine knows, required or not;
- policies, and mounts that have to be given a volume.
"""

import json
import os
import re
import subprocess
from typing import NamedTuple

CAPABILITIES = (
    "CAP_AUDIT_WRITE CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_MKNOD CAP_NET_BIND_SERVICE "
    "CAP_NET_RAW CAP_SETFCAP CAP_SETGID CAP_SETPCAP CAP_SETUID CAP_SYS_CHROOT"
).split()
DEVICES = ["full", "null", "random", "tty", "urandom", "zero"]
MASKED = (
    "/proc/acpi /proc/asound /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi /proc/timer_list "
    "/proc/timer_stats /sys/devices/virtual/powercap /sys/firmware"
).split()
READ_ONLY = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger".split()

# What the level `separated` asks for.
_LEVEL = {
    "cornercast/capabilities": CAPABILITIES,
    "cornercast/devices": DEVICES,
    "cornercast/ipc": "own",
    "cornercast/network": "private",
    "cornercast/process-view": "own",
    "cornercast/syscalls": "baseline",
    "cornercast/sysinfo": "masked",
}

# What cannot be said (RUN-118), so that no engine can be asked for it.
_UNSAID = {
    "cornercast/kernel-boundary": ["mediated", "separate"],
    "cornercast/network": ["none"],
    "cornercast/user-mapping": ["mapped"],
}
_KNOWN = {
    *_LEVEL,
    "cornercast/kernel-boundary",
    "cornercast/no-new-privileges",
    "cornercast/readonly-rootfs",
    "cornercast/user-mapping",
    "resource/cpu",
    "resource/memory",
    "resource/nofile",
    "resource/pids",
    "resource/storage",
}
_OF_SOMEBODY = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+/.+")
_MEMBERS = {
    "arguments": list,
    "environment": dict,
    "exec": list,
    "hostname": str,
    "instance": str,
    "isolation": dict,
    "volumes": dict,
}
_LONGEST = 1 << 20


class Inexpressible(Exception):
    """Why an engine cannot be asked for something; the name of the engine stands in front of it."""


class Volume(NamedTuple):
    path: str
    # The directory of the host; none where the volume is empty.
    source: str | None
    read_only: bool
    # Mode, user and group of the image's directory.
    attributes: tuple[int, int, int]


class Isolator(NamedTuple):
    value: object
    required: bool
    # Whether the image or the options give it, and not the level alone.
    given: bool


class Demands(NamedTuple):
    """What is asked for: strings as they stand, None where nothing is said."""

    image: str
    executed: list[str]
    arguments: list[str]
    # Whether the options give another argument vector than the image.
    replaced: bool
    # Variables of the options; the image has its own.
    environment: dict[str, str]
    hostname: str | None
    instance: str | None
    user: tuple[int, int, list[int]]
    stop: tuple[str, int]
    volumes: list[Volume]
    isolators: dict[str, Isolator]

    def value(self, name):
        """The value of an isolator, or None."""
        isolator = self.isolators.get(name)
        return isolator.value if isolator else None

    def given(self, name):
        """The same where the image or the options give it."""
        isolator = self.isolators.get(name)
        return isolator.value if isolator and isolator.given else None


def read(image, options):
    """The demands of the image at a path and of the options in a file."""
    if options.get("policy"):
        raise Inexpressible("no policies of this format")
    chosen = _read_options(options["instance-options"])
    shown = subprocess.run(["cornercast", "inspect", "--json", image], capture_output=True, check=False)
    if shown.returncode:
        raise Inexpressible(f"no image: {shown.stderr.decode(errors='replace').strip()}")
    shown = json.loads(shown.stdout)
    app = shown["manifest"].get("app") or {}
    user = app.get("user") or {}
    stop = app.get("stop") or {}
    executed = chosen.get("exec", app.get("exec", []))
    arguments = chosen.get("arguments", app.get("arguments", []))
    demands = Demands(
        image=shown["image"],
        executed=executed,
        arguments=arguments,
        replaced="exec" in chosen or "arguments" in chosen,
        environment=chosen.get("environment", {}),
        hostname=chosen.get("hostname"),
        instance=chosen.get("instance"),
        user=(user.get("uid", 0), user.get("gid", 0), user.get("supplementaryGids", [])),
        stop=(stop.get("signal", "SIGTERM"), stop.get("graceSeconds", 10)),
        volumes=list(_volumes(image, app.get("mounts", []), chosen.get("volumes", {}))),
        isolators=_isolators(app.get("isolation") or {}, chosen.get("isolation", {})),
    )
    _check_strings([*executed, *arguments, *demands.environment, *demands.environment.values()])
    _check_strings([text for text in (demands.hostname, demands.instance) if text is not None])
    return demands


def _read_options(path):
    with open(path, "rb") as file:
        text = file.read(_LONGEST + 1)
    why = "no instance options, and reads none, so it cannot refuse these: "
    if len(text) > _LONGEST:
        raise Inexpressible(f"{why}they are longer than 1 MiB")
    try:
        options = json.loads(text.decode(), object_pairs_hook=_once)
    except ValueError as error:
        raise Inexpressible(f"{why}{error}") from None
    if not isinstance(options, dict):
        raise Inexpressible(f"{why}they are no object")
    for name, value in options.items():
        if type(value) is not _MEMBERS.get(name):
            raise Inexpressible(f"{why}`{name}` is {json.dumps(value)[:80]}")
    texts = options.get("arguments", []) + options.get("exec", []) + list(options.get("environment", {}).values())
    if not all(isinstance(text, str) for text in texts):
        raise Inexpressible(f"{why}an argument or variable is no text")
    for name in options.get("environment", {}):
        if not name.isascii() or not name or "=" in name:
            raise Inexpressible(f"no words for a variable called {name!r}")
    return options


def _once(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands there twice")
    return members


def _check_strings(texts):
    for text in texts:
        try:
            if b"\0" in text.encode():
                raise Inexpressible("no command line with U+0000 in it")
        except UnicodeEncodeError:
            raise Inexpressible("no command line with half a pair of surrogates in it") from None


def fields(*texts):
    """One value of a flag that is read as a line of CSV, so that what has a comma stands in quotation marks."""
    for text in texts:
        if "\n" in text or "\r" in text:
            raise Inexpressible(f"no words for a line break in {text!r}")
    return ",".join('"' + text.replace('"', '""') + '"' if set(text) & set('",') else text for text in texts)


def without(characters, text):
    """The same text, unless it has a character that parts what stands in a flag, and for which there is no other form."""
    for character in characters:
        if character in text:
            raise Inexpressible(f"no words for `{character}` in {text!r}")
    return text


def _volumes(image, mounts, chosen):
    why = "no instance options, and reads none, so it cannot refuse these: "
    for name in chosen:
        if name not in [mount["name"] for mount in mounts]:
            raise Inexpressible(f"no names of mounts, so it cannot refuse a volume for `{name}`")
    for mount in mounts:
        volume = chosen.get(mount["name"])
        if volume is None:
            if mount.get("required"):
                raise Inexpressible(f"no mounts that have to be given a volume, as `{mount['name']}` has")
            continue
        source = volume.get("source") if isinstance(volume, dict) else None
        is_empty = volume == {"empty": True}
        is_source = source is not None and set(volume) <= {"source", "readOnly"} and isinstance(source, str)
        if not (is_empty or is_source) or type(volume.get("readOnly", False)) is not bool:
            raise Inexpressible(f"{why}a volume is {json.dumps(volume)}")
        if source is not None and (os.path.normpath(source) != source or not re.match("/[^/]", source)):
            raise Inexpressible(f"{why}a source is {source}")
        if mount.get("readOnly") and "readOnly" in volume:
            raise Inexpressible(f"one word for whether the volume `{mount['name']}` is read-only, and there are two")
        read_only = mount.get("readOnly", False) or volume.get("readOnly", False)
        yield Volume(mount["path"], source, read_only, _attributes(image, mount["path"]) if is_empty else (0o755, 0, 0))


def _attributes(image, path):
    """Mode, user and group of a directory of the image."""
    listing = subprocess.run(["cornercast", "listing", image], capture_output=True, check=True).stdout
    for line in listing.splitlines():
        entry = json.loads(line)
        if entry["path"] == path.lstrip("/"):
            return entry["mode"], entry["uid"], entry["gid"]
    return 0o755, 0, 0


def _isolators(of_image, of_options):
    """The isolators of the level, the image and the options, by name."""
    why = "no instance options, and reads none, so it cannot refuse these: "
    if not set(of_options) <= {"level", "isolators"} or type(of_options.get("isolators", {})) is not dict:
        raise Inexpressible(f"{why}`isolation` is {json.dumps(of_options)[:80]}")
    for level in (of_image.get("level", "separated"), of_options.get("level", "separated")):
        if level != "separated":
            raise Inexpressible(f"no isolation level {json.dumps(level)}")
    merged = {name: Isolator(value, True, False) for name, value in _LEVEL.items()}
    for isolators in (of_image.get("isolators", {}), of_options.get("isolators", {})):
        for name, isolator in isolators.items():
            if type(isolator) is not dict or not {"value"} <= set(isolator) <= {"value", "required"}:
                raise Inexpressible(f"{why}`{name}` is {json.dumps(isolator)[:80]}")
            if name not in _KNOWN and not _OF_SOMEBODY.fullmatch(name):
                raise Inexpressible(f"{why}there is an isolator `{name}`")
            earlier = merged.get(name)
            if earlier is not None and earlier.given:
                raise Inexpressible(f"one value of `{name}`, and the image and the options give one each")
            required = isolator.get("required", True) or earlier is not None
            merged[name] = Isolator(isolator["value"], required, True)
    for name, isolator in merged.items():
        _check(name, isolator.value)
    return merged


def _check(name, value):
    """Whether an engine can be asked for an isolator. Where it cannot, leaving it out would be the adapter's work."""
    is_known = name in _KNOWN and name != "resource/storage" and value not in _UNSAID.get(name, [])
    if not is_known or (name == "cornercast/devices" and value != DEVICES):
        raise Inexpressible(f"no means for `{name}` with the value {json.dumps(value)}")
    if not _has_form(name, value):
        raise Inexpressible(f"no words for the value {json.dumps(value)} of `{name}`")


def _has_form(name, value):
    """Whether a value is of the kind that an engine has words for, whatever it says to it."""
    if name.startswith("resource/"):
        members = {"hard", "soft"} if name == "resource/nofile" else {"limit"}
        return type(value) is dict and set(value) == members and all(type(one) is int for one in value.values())
    if name == "cornercast/capabilities":
        return type(value) is list and all(isinstance(one, str) for one in value)
    if name in ("cornercast/no-new-privileges", "cornercast/readonly-rootfs"):
        return type(value) is bool
    if name == "cornercast/network":
        return value in ("private", "loopback", "host")
    if name in ("cornercast/kernel-boundary", "cornercast/user-mapping"):
        return value in ("shared", "identity")
    return value == _LEVEL[name]
