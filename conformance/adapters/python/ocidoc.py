"""Documents of OCI images: the members of an index, manifest and config, OCI-012 and OCI-015 to OCI-021."""

import re
import string

import ocidesc

INDEX_TYPES = frozenset(
    "application/vnd." + name for name in ("oci.image.index.v1+json", "docker.distribution.manifest.list.v2+json")
)
MANIFEST_TYPES = frozenset(
    "application/vnd." + name for name in ("oci.image.manifest.v1+json", "docker.distribution.manifest.v2+json")
)
CONFIG_TYPES = frozenset(
    "application/vnd." + name for name in ("oci.image.config.v1+json", "docker.container.image.v1+json")
)
CREATED = "org.opencontainers.image.created"
_SCHEMA_VERSION = 2

# The tables: object -> member -> (type, whether it must be there). A type is one
# of the basic ones, the name of another table, or `[...]` with either, an array.
TABLES = {
    "index": {
        "schemaVersion": ("integer", True),
        "mediaType": ("string", False),
        "artifactType": ("string", False),
        "manifests": ("[descriptor]", True),
        "subject": ("descriptor", False),
        "annotations": ("texts", False),
    },
    "manifest": {
        "schemaVersion": ("integer", True),
        "mediaType": ("string", False),
        "artifactType": ("string", False),
        "config": ("descriptor", True),
        "layers": ("[descriptor]", True),
        "subject": ("descriptor", False),
        "annotations": ("texts", False),
    },
    "descriptor": {
        "mediaType": ("string", True),
        "digest": ("string", True),
        "size": ("integer", True),
        "urls": ("[string]", False),
        "annotations": ("texts", False),
        "data": ("string", False),
        "artifactType": ("string", False),
        "platform": ("platform", False),
    },
    "platform": {
        "architecture": ("string", True),
        "os": ("string", True),
        "os.version": ("string", False),
        "os.features": ("[string]", False),
        "variant": ("string", False),
    },
    "config": {
        "created": ("string", False),
        "author": ("string", False),
        "architecture": ("string", True),
        "os": ("string", True),
        "os.version": ("string", False),
        "os.features": ("[string]", False),
        "variant": ("string", False),
        "config": ("run", False),
        "rootfs": ("rootfs", True),
        "history": ("[step]", False),
    },
    "run": {
        "User": ("string", False),
        "ExposedPorts": ("objects", False),
        "Env": ("[string]", False),
        "Entrypoint": ("[string]", False),
        "Cmd": ("[string]", False),
        "Volumes": ("objects", False),
        "WorkingDir": ("string", False),
        "Labels": ("texts", False),
        "StopSignal": ("string", False),
    },
    "rootfs": {
        "type": ("string", True),
        "diff_ids": ("[string]", True),
    },
    "step": {
        "created": ("string", False),
        "author": ("string", False),
        "created_by": ("string", False),
        "comment": ("string", False),
        "empty_layer": ("boolean", False),
    },
    "saved": {
        "Config": ("string", True),
        "RepoTags": ("[string]", False),
        "Layers": ("[string]", True),
    },
}
# The integers of a bundle, by the number of their bits.
_BITS = {
    **{f"uint{bits}": (0, 2**bits - 1) for bits in (16, 32, 64)},
    **{f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (32, 64)},
}
_SMALL = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_TIME = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})[Tt]"
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?P<zone_hour>[0-9]{2}):(?P<zone_minute>[0-9]{2}))"
)


class Members(dict):
    """The members of an object that its table has and that have the right type.

    `wrong` has the names of those that are there and were found wrong. Elements
    of an array of objects that are none are None.
    """

    def __init__(self):
        super().__init__()
        self.wrong = set()

    def drop(self, name):
        """Pass over a member that has been found wrong."""
        self.pop(name, None)
        self.wrong.add(name)


def check_index(value, findings):
    """Judge an index by itself; return its Members."""
    index = members(value, "index", findings)
    _check_head(value, index, ("config", "layers"), findings)
    for descriptor in [index.get("subject"), *index.get("manifests", [])]:
        _check_descriptor(descriptor, findings)
    return index


def check_manifest(value, findings):
    """Judge a manifest by itself; return its Members."""
    manifest = members(value, "manifest", findings)
    _check_head(value, manifest, ("manifests",), findings)
    for descriptor in [manifest.get("subject"), manifest.get("config"), *manifest.get("layers", [])]:
        _check_descriptor(descriptor, findings)
    return manifest


def check_config(value, findings):
    """OCI-012, OCI-015, OCI-016, OCI-020 and OCI-021 for a config; return its Members."""
    config = members(value, "config", findings)
    _check_time(config.get("created"), findings)
    for step in config.get("history", []):
        if step is not None:
            _check_time(step.get("created"), findings)
    return config


def check_saved(value, findings):
    """OCI-012, OCI-015, OCI-016 and OCI-090 for a `manifest.json`; return the Members of its objects."""
    if not findings.require(isinstance(value, list), "OCI-090"):
        return []
    objects = [element for element in value if findings.require(isinstance(element, dict), "OCI-090")]
    return [members(element, "saved", findings) for element in objects]


def _check_head(value, document, foreign, findings):
    """OCI-017, OCI-019 and what is said of the strings of an index or manifest."""
    findings.require(document.get("schemaVersion", _SCHEMA_VERSION) == _SCHEMA_VERSION, "OCI-017")
    findings.require(all(value.get(name) is None for name in foreign), "OCI-019")
    ocidesc.check_artifact_type(document, findings)
    _check_annotations(document, findings)


def _check_descriptor(descriptor, findings):
    if descriptor is not None:
        ocidesc.check_descriptor(descriptor, findings)
        _check_annotations(descriptor, findings)


def _check_annotations(document, findings):
    annotations = document.get("annotations", {})
    _check_time(annotations.get(CREATED), findings)
    ocidesc.check_ref_name(annotations, findings)


def members(value, kind, findings):
    """OCI-012, OCI-015 and OCI-016 for an object and what is in it."""
    table = TABLES[kind]
    result = Members()
    small = {name.translate(_SMALL) for name in table}
    for name in value:
        findings.require(name in table or name.translate(_SMALL) not in small, "OCI-012")
    for name, (form, required) in table.items():
        member = value.get(name)
        if member is None:
            findings.require(not required, "OCI-015")
        elif (read := _read(member, form, findings)) is None:
            result.drop(name)
        else:
            result[name] = read
    return result


def _read(value, form, findings):
    """The value as its type has it, or None if it is of another one (OCI-016, OCI-020)."""
    if form in TABLES:
        if findings.require(isinstance(value, dict), "OCI-016"):
            return members(value, form, findings)
        return None
    if form.startswith("["):
        if not findings.require(isinstance(value, list), "OCI-016"):
            return None
        elements = [_read(element, form[1:-1], findings) for element in value]
        # An array of strings in which one is none is no such array; objects are judged one by one.
        return None if form == "[string]" and None in elements else elements
    if form in ("texts", "objects"):
        if not findings.require(isinstance(value, dict), "OCI-016"):
            return None
        if form == "objects":
            findings.require(all(isinstance(member, dict) for member in value.values()), "OCI-016")
            return value
        findings.require(all(isinstance(member, str) for member in value.values()), "OCI-020")
        return {name: member for name, member in value.items() if isinstance(member, str)}
    if form == "words":
        right = isinstance(value, dict) and all(isinstance(member, str) for member in value.values())
        return value if findings.require(right, "OCI-016") else None
    if form in _BITS:
        least, most = _BITS[form]
        right = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return value if findings.require(right, "OCI-016") else None
    kinds = {"string": str, "integer": int, "boolean": bool}
    right = isinstance(value, kinds[form]) and (form != "integer" or not isinstance(value, bool))
    return value if findings.require(right, "OCI-016") else None


def _check_time(text, findings):
    """OCI-021."""
    findings.require(not text or _is_time(text), "OCI-021")


def _is_time(text):
    match = _TIME.fullmatch(text)
    if not match:
        return False
    part = {name: int(digits or 0) for name, digits in match.groupdict().items()}
    leap_year = part["year"] % 4 == 0 and (part["year"] % 100 != 0 or part["year"] % 400 == 0)
    days = (31, 29 if leap_year else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return (
        1 <= part["month"] <= 12
        and 1 <= part["day"] <= days[part["month"] - 1]
        and part["hour"] < 24
        and part["minute"] < 60
        and (part["second"] < 60 or (part["second"] == 60 and part["minute"] == 59))
        and part["zone_hour"] < 24
        and part["zone_minute"] < 60
    )
