"""Manifest (chapter "Manifest"): what can be judged of a manifest by itself."""

import datetime
import re
from dataclasses import dataclass
from typing import NamedTuple

import ent
import jsn
import nam
from findings import Findings

MAX_MANIFEST = 1 << 20
MAX_ARGUMENT = 131_071
MAX_ID = 2**32 - 2
MAX_ATTACHMENT = 1 << 30

_FORMAT_VERSION = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")
_IMPLEMENTED = "1.0"
_CREATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_ANNOTATION = re.compile(r"[a-z][a-z0-9]*(\.[A-Za-z0-9_-]+)+")
_VARIABLE = re.compile(r"[\x21-\x3c\x3e-\x7e]*")
_PORT_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_ISOLATOR_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_MEDIA_HALF = r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(f"{_MEDIA_HALF}/{_MEDIA_HALF}")

_SIGNALS = frozenset(
    "SIGABRT SIGALRM SIGCONT SIGHUP SIGINT SIGIO SIGKILL SIGPWR SIGQUIT SIGTERM SIGUSR1 SIGUSR2 SIGWINCH".split()
) | {f"SIGRTMIN+{number}" for number in range(31)}
_ISOLATORS = frozenset(
    """cornercast/capabilities cornercast/devices cornercast/ipc cornercast/kernel-boundary cornercast/network
    cornercast/no-new-privileges cornercast/process-view cornercast/readonly-rootfs cornercast/syscalls
    cornercast/sysinfo cornercast/user-mapping resource/cpu resource/memory resource/nofile resource/pids
    resource/storage""".split()
)
_NO_MOUNT_AT = ("/", "/run", "/etc")
_NO_MOUNT_BELOW = ("/proc", "/sys", "/dev", "/run/cornercast")


# The tables of the chapter. A shape says which values a member can hold.


class Scalar(NamedTuple):
    type: type


class Array(NamedTuple):
    element: object
    limit: int = 1024
    clause: str = "MAN-008"


class Map(NamedTuple):
    """An object whose member names are free."""

    element: object


class Member(NamedTuple):
    shape: object
    required: bool = False
    default: object = None


STRING, INTEGER, BOOLEAN, ANYTHING = Scalar(str), Scalar(int), Scalar(bool), Scalar(object)
_DESCRIPTOR = {"digest": Member(STRING, True), "size": Member(INTEGER, True)}
_APP = {
    "exec": Member(Array(STRING), True),
    "arguments": Member(Array(STRING), default=[]),
    "user": Member(
        {
            "uid": Member(INTEGER, True),
            "gid": Member(INTEGER, True),
            "supplementaryGids": Member(Array(INTEGER), default=[]),
        },
        True,
    ),
    "workingDirectory": Member(STRING, default="/"),
    "environment": Member(Map(STRING), default={}),
    "stop": Member(
        {"signal": Member(STRING, default="SIGTERM"), "graceSeconds": Member(INTEGER, default=10)}, default={}
    ),
    "ports": Member(
        Array(
            {"name": Member(STRING, True), "protocol": Member(STRING, True), "port": Member(INTEGER, True)},
            64,
            "MAN-031",
        ),
        default=[],
    ),
    "mounts": Member(
        Array(
            {
                "name": Member(STRING, True),
                "path": Member(STRING, True),
                "readOnly": Member(BOOLEAN, default=False),
                "required": Member(BOOLEAN, default=False),
            },
            64,
            "MAN-037",
        ),
        default=[],
    ),
    "isolation": Member(
        {
            "level": Member(STRING, default="separated"),
            "isolators": Member(
                Map({"value": Member(ANYTHING, True), "required": Member(BOOLEAN, default=True)}), default={}
            ),
        },
        default={},
    ),
}
_MANIFEST = {
    "cornercast": Member(STRING, True),
    "kind": Member(STRING, True),
    "name": Member(STRING, True),
    "version": Member(STRING, True),
    "platform": Member(
        {"os": Member(STRING, True), "architecture": Member(STRING, True), "variant": Member(STRING)}, True
    ),
    "app": Member(_APP),
    "layers": Member(Array({**_DESCRIPTOR, "listing": Member(_DESCRIPTOR, True)}, 128, "MAN-048"), True),
    "rootfs": Member(
        {"digest": Member(STRING, True), "entries": Member(INTEGER, True), "size": Member(INTEGER, True)}, True
    ),
    "base": Member(
        {
            "name": Member(STRING, True),
            "version": Member(STRING, True),
            "image": Member(STRING, True),
            "layers": Member(INTEGER, True),
        }
    ),
    "attachments": Member(Array({"type": Member(STRING, True), **_DESCRIPTOR}, 64, "MAN-052"), default=[]),
    "created": Member(STRING),
    "annotations": Member(Map(STRING), default={}),
}


@dataclass
class App:
    """What the clauses about the rootfs need of `app`; None stands for what is absent or unsound."""

    program: bytes | None
    directory: bytes | None
    mounts: list
    user: tuple | None


@dataclass
class Manifest:
    """A manifest that has been judged, reduced to what can be trusted to have the right form."""

    value: dict
    layers: list  # of (layer, listing), each (hex, size) or None; None if MAN-005 or MAN-048 is broken
    attachments: list  # of (hex, size) or None
    app: App | None


def check_manifest(data, findings):
    """Judge a manifest; return a Manifest, or None if nothing can be taken from it."""
    value = jsn.read_document(data, findings, True, MAX_MANIFEST, "MAN-001")
    if value is None or not check_format_version(value, findings):
        return None
    findings.require(all(name in value for name, m in _MANIFEST.items() if m.required), "MAN-003")
    _check_members(value, _MANIFEST, findings)

    kind = _get(value, "kind", str)
    findings.require(kind in (None, "image"), "MAN-004")
    _check_name_and_version(value, findings)
    nam.check_platform(_get(value, "platform", dict) or {}, findings)
    _check_created(value, findings)
    for name, _ in jsn.judged_members(_get(value, "annotations", dict) or {}):
        findings.require(_ANNOTATION.fullmatch(name), "MAN-011")
    raw_app = _get(value, "app", dict)
    app = None if raw_app is None else _check_app(raw_app, findings)
    layers = _check_layers(value, findings)
    attachments = _check_attachments(value, findings)
    _check_equal_sizes(value, findings)
    _check_rootfs_and_base(value, findings)
    return Manifest(value, layers, attachments, app)


def check_format_version(value, findings):
    """MAN-002 and CNF-001 for a manifest or a store marker; return whether to read on."""
    version = value.get("cornercast")
    if not isinstance(version, str) or not findings.require(_FORMAT_VERSION.fullmatch(version), "MAN-002"):
        return True
    return findings.require(version == _IMPLEMENTED, "CNF-001")


def _check_members(obj, members, findings):
    """MAN-005 to MAN-008 and MAN-012 for one object, and all that is inside it."""
    for name, value in jsn.judged_members(obj):
        if not findings.require(name in members, "MAN-012"):
            continue
        member = members[name]
        if _check_shape(value, member.shape, findings) and member.default is not None:
            findings.require(value != member.default, "MAN-007")


def _check_shape(value, shape, findings):
    """Judge a value against its shape; return whether its own type is right."""
    if value is jsn.UNJUDGED or shape is ANYTHING:
        return False
    if isinstance(shape, Scalar):
        right = isinstance(value, shape.type) and (shape is not INTEGER or jsn.is_integer(value))
        return findings.require(right, "MAN-005")
    if isinstance(shape, Array):
        if not findings.require(isinstance(value, list), "MAN-005"):
            return False
        if findings.require(len(value) <= shape.limit, shape.clause):
            for element in value:
                _check_shape(element, shape.element, findings)
        return True
    if not findings.require(isinstance(value, dict), "MAN-005"):
        return False
    if isinstance(shape, Map):
        for _, element in jsn.judged_members(value):
            _check_shape(element, shape.element, findings)
    else:
        _check_members(value, shape, findings)
        findings.require(all(name in value for name, m in shape.items() if m.required), "MAN-006")
    return True


def _get(obj, name, kind):
    """The value of a member if it has the right type, otherwise None."""
    value = obj.get(name)
    if isinstance(value, bool) and kind is int:
        return None
    return value if isinstance(value, kind) else None


def _elements(obj, name, kind, limit=1024):
    """The elements of an array that is within its limit, each None where its type is wrong."""
    array = _get(obj, name, list) or []
    if len(array) > limit:
        return []
    return [_get({"element": element}, "element", kind) for element in array]


def _check_name_and_version(obj, findings):
    name, version = _get(obj, "name", str), _get(obj, "version", str)
    if name is not None:
        nam.check_name(name, findings)
    if version is not None:
        nam.check_version(version, findings)


def _check_created(value, findings):
    created = _get(value, "created", str)
    if created is None or not findings.require(_CREATED.fullmatch(created), "MAN-009"):
        return
    try:
        datetime.datetime(*(int(number) for number in re.findall("[0-9]+", created)))
    except ValueError:
        findings.add("MAN-010")


def _check_app(app, findings):
    program = _check_arguments(app, findings)
    directory = _get(app, "workingDirectory", str)
    if directory is not None and not findings.require(ent.is_clean(directory), "MAN-019"):
        directory = None
    if "workingDirectory" not in app:
        directory = "/"
    _check_environment(app, findings)
    user = _check_user(_get(app, "user", dict) or {}, findings)
    stop = _get(app, "stop", dict) or {}
    signal, grace = _get(stop, "signal", str), _get(stop, "graceSeconds", int)
    findings.require(signal is None or signal in _SIGNALS, "MAN-029")
    findings.require(grace is None or 0 <= grace <= 86_400, "MAN-030")
    _check_ports(app, findings)
    mounts = _check_mounts(app, findings)
    _check_isolation(_get(app, "isolation", dict) or {}, findings)
    return App(_encode(program), _encode(directory), [_encode(path) for path in mounts], user)


def _encode(text):
    return None if text is None else text.encode("utf-8")


def _check_arguments(app, findings):
    """MAN-013, MAN-014, MAN-021; return the program's path if it is sound."""
    if _get(app, "exec", list) == []:
        findings.add("MAN-013")
    program = None
    for member in ("exec", "arguments"):
        for number, argument in enumerate(_elements(app, member, str)):
            if argument is None or not findings.require(nam.byte_length(argument) <= MAX_ARGUMENT, "MAN-021"):
                continue
            if member == "exec" and number == 0 and findings.require(ent.is_clean(argument), "MAN-014"):
                program = argument
    return program


def _check_environment(app, findings):
    for name, value in jsn.judged_members(_get(app, "environment", dict) or {}):
        findings.require(_VARIABLE.fullmatch(name), "MAN-022")
        findings.require(1 <= len(name) <= 255, "MAN-023")
        findings.require(not name.startswith("CORNERCAST_"), "MAN-024")
        if isinstance(value, str):
            findings.require(len(name) + 1 + nam.byte_length(value) <= MAX_ARGUMENT, "MAN-025")


def _check_user(user, findings):
    """MAN-026 to MAN-028; return (uid, groups) if all of them are sound."""
    uid, gid = _get(user, "uid", int), _get(user, "gid", int)
    groups = _elements(user, "supplementaryGids", int)
    sound = True
    for number in (uid, gid, *groups):
        if number is None:
            sound = False
        else:
            sound &= findings.require(0 <= number <= MAX_ID, "MAN-026")
    known = [group for group in groups if group is not None]
    findings.require(_ascending(known), "MAN-027")
    findings.require(gid is None or gid not in known, "MAN-028")
    return (uid, {gid, *known}) if sound else None


def _ascending(values):
    return all(before < after for before, after in zip(values, values[1:]))


def _distinct(values):
    known = [value for value in values if value is not None]
    return len(known) == len(set(known))


def _check_ports(app, findings):
    ports = [port or {} for port in _elements(app, "ports", dict, 64)]
    names = [_get(port, "name", str) for port in ports]
    for name in names:
        findings.require(name is None or _PORT_NAME.fullmatch(name), "MAN-032")
    findings.require(_distinct(names), "MAN-033")
    places = []
    for port in ports:
        protocol, number = _get(port, "protocol", str), _get(port, "port", int)
        findings.require(protocol in (None, "tcp", "udp"), "MAN-034")
        findings.require(number is None or 1 <= number <= 65_535, "MAN-035")
        places.append(None if protocol is None or number is None else (protocol, number))
    findings.require(_distinct(places), "MAN-036")


def _check_mounts(app, findings):
    """MAN-032 and MAN-038 to MAN-041; return the paths that are fit to be looked up."""
    mounts = [mount or {} for mount in _elements(app, "mounts", dict, 64)]
    names = [_get(mount, "name", str) for mount in mounts]
    for name in names:
        findings.require(name is None or _PORT_NAME.fullmatch(name), "MAN-032")
    findings.require(_distinct(names), "MAN-038")
    sound = []
    for mount in mounts:
        path = _get(mount, "path", str)
        if path is None or not findings.require(ent.is_clean(path), "MAN-039"):
            continue
        reserved = path in _NO_MOUNT_AT or any(_at_or_below(path, top) for top in _NO_MOUNT_BELOW)
        if findings.require(not reserved, "MAN-040"):
            sound.append(path)
    for number, path in enumerate(sound):
        others = sound[:number] + sound[number + 1 :]
        findings.require(not any(_at_or_below(path, other) for other in others), "MAN-041")
    return sound


def _at_or_below(path, top):
    return path == top or path.startswith(top + "/")


def _check_isolation(isolation, findings):
    level = _get(isolation, "level", str)
    findings.require(level in (None, "open", "separated", "hardened", "sealed"), "MAN-044")
    for name, _ in jsn.judged_members(_get(isolation, "isolators", dict) or {}):
        owner, _, rest = name.partition("/")
        own = owner in ("cornercast", "resource")
        host = Findings()
        if not own:
            nam.check_host(owner, host)
        if findings.require(not host.ids and _ISOLATOR_NAME.fullmatch(rest), "MAN-045") and own:
            findings.require(name in _ISOLATORS, "MAN-046")


def _check_layers(value, findings):
    """NAM-024 to NAM-026 and MAN-047 to MAN-050; return the descriptors, None if they cannot all be known."""
    array = _get(value, "layers", list)
    if array is None:
        return None
    findings.require(array or "app" not in value, "MAN-047")
    if len(array) > 128:
        return None
    descriptors = []
    total = 0
    for layer in _elements(value, "layers", dict, 128):
        layer = layer or {}
        size = _get(layer, "size", int) or 0
        findings.require(size <= 2**40, "MAN-049")
        total += max(size, 0)
        listing = _get(layer, "listing", dict) or {}
        descriptors.append((nam.check_descriptor(layer, findings), nam.check_descriptor(listing, findings)))
    findings.require(total <= 2**42, "MAN-050")
    return descriptors


def _check_attachments(value, findings):
    descriptors = []
    digests = []
    for attachment in _elements(value, "attachments", dict, 64):
        attachment = attachment or {}
        kind, digest, size = _get(attachment, "type", str), _get(attachment, "digest", str), attachment.get("size")
        findings.require(kind is None or _MEDIA_TYPE.fullmatch(kind), "MAN-051")
        findings.require(not jsn.is_integer(size) or size <= MAX_ATTACHMENT, "MAN-054")
        descriptors.append(nam.check_descriptor(attachment, findings))
        if digest is not None:
            digests.append(digest.encode())
    findings.require(_ascending(digests), "MAN-053")
    return descriptors


def _check_equal_sizes(value, findings):
    """NAM-027, for the descriptors of layers, listings and attachments."""
    layers = [layer or {} for layer in _elements(value, "layers", dict, 128)]
    listings = [_get(layer, "listing", dict) or {} for layer in layers]
    attachments = [attachment or {} for attachment in _elements(value, "attachments", dict, 64)]
    sizes = {}
    for descriptor in (*layers, *listings, *attachments):
        digest, size = _get(descriptor, "digest", str), _get(descriptor, "size", int)
        if digest is not None and size is not None:
            findings.require(sizes.setdefault(digest, size) == size, "NAM-027")


def _check_rootfs_and_base(value, findings):
    rootfs = _get(value, "rootfs", dict) or {}
    digest = _get(rootfs, "digest", str)
    if digest is not None:
        nam.check_digest(digest, findings)
    for member in ("entries", "size"):
        number = _get(rootfs, member, int)
        findings.require(number is None or number >= 0, "MAN-058")
    base = _get(value, "base", dict) or {}
    _check_name_and_version(base, findings)
    image = _get(base, "image", str)
    if image is not None:
        nam.check_digest(image, findings)
    count, layers = _get(base, "layers", int), _get(value, "layers", list)
    if count is not None and layers is not None:
        findings.require(1 <= count <= len(layers), "MAN-055")
