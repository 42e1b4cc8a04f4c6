"""Manifest (chapter "Manifest"): what can be judged of a manifest by itself."""

import datetime
import re
from typing import NamedTuple

import ent
import jsn
import lst
import nam
import tables
from findings import Findings

MAX_MANIFEST = 1 << 20
MAX_ARGUMENT = 131_071
MAX_LAYER = 2**40
MAX_LAYERS_TOGETHER = 2**42
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
_NO_MOUNT_BELOW = frozenset(("/proc", "/sys", "/dev", "/run/cornercast"))


class Manifest(NamedTuple):
    """A manifest that has been judged, with its descriptors as `nam.check_descriptor` gives them."""

    value: dict
    layers: list | None  # of (layer, listing); None if there is no such array
    attachments: list


def check_manifest(data, findings):
    """Judge a manifest; return a Manifest, or None if nothing can be taken from it."""
    value = jsn.read_document(data, findings, True, MAX_MANIFEST, "MAN-001")
    if value is None or not check_format_version(value, findings):
        return None
    tables.check_manifest(value, findings)
    kind = _get(value, "kind", str)
    findings.require(kind in (None, "image"), "MAN-004")
    _check_name_and_version(value, findings)
    nam.check_platform(_get(value, "platform", dict) or {}, findings)
    _check_created(value, findings)
    for name, _ in jsn.judged_members(_get(value, "annotations", dict) or {}):
        findings.require(_ANNOTATION.fullmatch(name), "MAN-011")
    _check_app(_get(value, "app", dict) or {}, findings)
    layers = _check_layers(value, findings)
    attachments = _check_attachments(value, findings)
    _check_equal_sizes(value, findings)
    _check_rootfs_and_base(value, findings)
    return Manifest(value, layers, attachments)


def check_format_version(value, findings):
    """MAN-002 and CNF-001 for a manifest or a store marker; return whether to read on."""
    version = value.get("cornercast")
    if not isinstance(version, str) or not findings.require(_FORMAT_VERSION.fullmatch(version), "MAN-002"):
        return True
    return findings.require(version == _IMPLEMENTED, "CNF-001")


def _get(obj, name, kind):
    """The value of a member if it has the right type, otherwise None."""
    value = obj.get(name)
    if isinstance(value, bool) and kind is int:
        return None
    return value if isinstance(value, kind) else None


def _elements(obj, name, kind):
    """The elements of an array, each None where its type is wrong."""
    return [_get({name: element}, name, kind) for element in _get(obj, name, list) or []]


def _objects(obj, name):
    """The elements of an array of objects, each empty where its type is wrong."""
    return [element or {} for element in _elements(obj, name, dict)]


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
    _check_arguments(app, findings)
    directory = _get(app, "workingDirectory", str)
    findings.require(directory is None or ent.is_clean(directory), "MAN-019")
    _check_environment(app, findings)
    _check_user(_get(app, "user", dict) or {}, findings)
    stop = _get(app, "stop", dict) or {}
    signal, grace = _get(stop, "signal", str), _get(stop, "graceSeconds", int)
    findings.require(signal is None or signal in _SIGNALS, "MAN-029")
    findings.require(grace is None or 0 <= grace <= 86_400, "MAN-030")
    _check_ports(app, findings)
    _check_mounts(app, findings)
    _check_isolation(_get(app, "isolation", dict) or {}, findings)


def _check_arguments(app, findings):
    """MAN-013, MAN-014, MAN-021."""
    findings.require(_get(app, "exec", list) != [], "MAN-013")
    program = _elements(app, "exec", str)
    findings.require(not program or program[0] is None or ent.is_clean(program[0]), "MAN-014")
    for argument in program + _elements(app, "arguments", str):
        findings.require(argument is None or nam.byte_length(argument) <= MAX_ARGUMENT, "MAN-021")


def _check_environment(app, findings):
    for name, value in jsn.judged_members(_get(app, "environment", dict) or {}):
        findings.require(_VARIABLE.fullmatch(name), "MAN-022")
        findings.require(1 <= len(name) <= 255, "MAN-023")
        findings.require(not name.startswith("CORNERCAST_"), "MAN-024")
        if isinstance(value, str):
            findings.require(len(name) + 1 + nam.byte_length(value) <= MAX_ARGUMENT, "MAN-025")


def _check_user(user, findings):
    """MAN-026 to MAN-028."""
    uid, gid = _get(user, "uid", int), _get(user, "gid", int)
    groups = [group for group in _elements(user, "supplementaryGids", int) if group is not None]
    for number in (uid, gid, *groups):
        findings.require(number is None or 0 <= number <= ent.MAX_ID, "MAN-026")
    findings.require(_ascending(groups), "MAN-027")
    findings.require(gid is None or gid not in groups, "MAN-028")


def _ascending(values):
    return all(before < after for before, after in zip(values, values[1:]))


def _distinct(values):
    known = [value for value in values if value is not None]
    return len(known) == len(set(known))


def _check_ports(app, findings):
    ports = _objects(app, "ports")
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
    """MAN-032 and MAN-038 to MAN-041; where a path leads that is not clean, nobody can tell."""
    mounts = _objects(app, "mounts")
    names = [_get(mount, "name", str) for mount in mounts]
    for name in names:
        findings.require(name is None or _PORT_NAME.fullmatch(name), "MAN-032")
    findings.require(_distinct(names), "MAN-038")
    clean = []
    for mount in mounts:
        path = _get(mount, "path", str)
        if path is None or not findings.require(ent.is_clean(path), "MAN-039"):
            continue
        clean.append(path)
        findings.require(path not in _NO_MOUNT_AT and _NO_MOUNT_BELOW.isdisjoint([path, *_above(path)]), "MAN-040")
    findings.require(_distinct(clean), "MAN-041")
    findings.require(all(set(clean).isdisjoint(_above(path)) for path in clean), "MAN-041")


def _above(path):
    """The paths that a clean path lies below."""
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        yield path


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
    """NAM-024 to NAM-026, MAN-047, MAN-049, MAN-050 and LST-014; return the descriptors."""
    array = _get(value, "layers", list)
    if array is None:
        return None
    findings.require(array or "app" not in value, "MAN-047")
    descriptors = []
    total = 0
    for layer in _objects(value, "layers"):
        size = _get(layer, "size", int) or 0
        findings.require(size <= MAX_LAYER, "MAN-049")
        total += max(size, 0)
        listing = _get(layer, "listing", dict) or {}
        findings.require((_get(listing, "size", int) or 0) <= lst.MAX_LISTING, "LST-014")
        descriptors.append((nam.check_descriptor(layer, findings), nam.check_descriptor(listing, findings)))
    findings.require(total <= MAX_LAYERS_TOGETHER, "MAN-050")
    return descriptors


def _check_attachments(value, findings):
    descriptors = []
    digests = []
    for attachment in _objects(value, "attachments"):
        kind, digest = _get(attachment, "type", str), _get(attachment, "digest", str)
        findings.require(kind is None or _MEDIA_TYPE.fullmatch(kind), "MAN-051")
        findings.require((_get(attachment, "size", int) or 0) <= MAX_ATTACHMENT, "MAN-054")
        descriptors.append(nam.check_descriptor(attachment, findings))
        if digest is not None:
            digests.append(digest.encode())
    findings.require(_ascending(digests), "MAN-053")
    return descriptors


def _check_equal_sizes(value, findings):
    """NAM-027, for the descriptors of layers, listings and attachments."""
    layers = _objects(value, "layers")
    listings = [_get(layer, "listing", dict) or {} for layer in layers]
    sizes = {}
    for descriptor in (*layers, *listings, *_objects(value, "attachments")):
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
        findings.require(member != "entries" or number is None or number <= 1_000_000, "LST-020")
    base = _get(value, "base", dict) or {}
    _check_name_and_version(base, findings)
    image = _get(base, "image", str)
    if image is not None:
        nam.check_digest(image, findings)
    count, layers = _get(base, "layers", int), _get(value, "layers", list)
    if count is not None:
        findings.require(count >= 1 and (layers is None or count <= len(layers)), "MAN-055")
