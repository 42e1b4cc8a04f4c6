"""Listing (chapter "Listing and rootfs"): reading and writing the lines of a listing."""

import base64
import binascii
import re

import ent
import jsn
from nam import HEX64

MAX_LISTING = 256 << 20
MAX_LINE = 256 << 10
MAX_MERGED_LINES = 1_000_000
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

_NUMBERS = {"gid", "mode", "mtime", "size", "uid"}
_STRINGS = {"path", "sha256", "target", "type"}
_REQUIRED = {
    ent.FILE: {"gid", "mode", "mtime", "path", "sha256", "size", "type", "uid"},
    ent.HARDLINK: {"gid", "mode", "mtime", "path", "sha256", "size", "target", "type", "uid"},
    ent.DIR: {"gid", "mode", "mtime", "path", "type", "uid"},
    ent.SYMLINK: {"gid", "mtime", "path", "target", "type", "uid"},
    ent.WHITEOUT: {"path", "type"},
}
_OPTIONAL = {ent.FILE: {"xattrs"}, ent.HARDLINK: {"xattrs"}, ent.DIR: {"opaque", "xattrs"}}
_UPPER_LIMITS = {
    "mode": (ent.MAX_MODE, "LAY-018"),
    "uid": (ent.MAX_ID, "LAY-020"),
    "gid": (ent.MAX_ID, "LAY-020"),
    "mtime": (ent.MAX_MTIME, "LAY-021"),
    "size": (ent.MAX_FILE_SIZE, "LAY-022"),
}
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


def line_of(entry):
    """The line of a layer's entry, or None if some value of it is not known or cannot be written."""
    if entry.components is None:
        return None
    record = {"type": entry.kind, "path": entry.path}
    if entry.kind != ent.WHITEOUT:
        names = _REQUIRED[entry.kind] - {"type", "path"}
        record.update((name, getattr(entry, name)) for name in names)
        if entry.xattrs and entry.kind != ent.SYMLINK:
            record["xattrs"] = {k.decode("latin-1"): base64.b64encode(v).decode() for k, v in entry.xattrs.items()}
        if entry.opaque:
            record["opaque"] = True
    if None in record.values():
        return None
    try:
        text = {k: v.decode("utf-8") if isinstance(v, bytes) else v for k, v in record.items()}
    except UnicodeDecodeError:
        return None
    return jsn.canonical_form(text) + b"\n"


def read_listing(stream, size, findings, merged, sink=None):
    """Judge a layer's listing or a merged one.

    `sink`, if given, is called with each line's Entry and bytes. Return
    whether the listing was read to its end.
    """
    if not findings.require(size <= MAX_LISTING, "LST-014"):
        return False
    order = ent.Order(findings)
    max_lines, limit_clause = (MAX_MERGED_LINES, "LST-020") if merged else (ent.MAX_LINES, "LAY-006")
    count = 0
    for line in _lines(stream, findings):
        count += 1
        if not findings.require(count <= max_lines, limit_clause):
            return False
        entry = _read_line(line, findings, merged) if line is not None else None
        if entry is None:
            order.gap = True
            continue
        if not (merged and entry.kind == ent.WHITEOUT):
            order.place(entry)
        if entry.kind == ent.HARDLINK and entry.target is not None and entry.components is not None:
            _check_link(order, entry, findings)
        if sink is not None and entry.components is not None:
            sink(entry, line)
    if not merged:
        findings.require(count, "LAY-001")
    order.finish()
    return True


def _lines(stream, findings):
    """The lines without their newlines; None for one that cannot be looked into."""
    while True:
        line = stream.readline(MAX_LINE + 1)
        if not line:
            return
        if len(line) == MAX_LINE + 1 and not line.endswith(b"\n"):
            findings.add("LST-015")
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE + 1)
            findings.require(line, "LST-001")
            yield None
            continue
        findings.require(line.endswith(b"\n"), "LST-001")
        line = line.removesuffix(b"\n")
        yield line if findings.require(line, "LST-002") else None


def _read_line(line, findings, merged):
    """Judge one line by itself; return its Entry, or None if it names none."""
    document = jsn.read_document(line, findings, canonical=True, limit=MAX_LINE, limit_clause="LST-015")
    if document is None:
        return None
    kind = document.get("type")
    if kind is jsn.UNJUDGED:
        return None
    if "type" not in document:
        findings.add("LST-004")
        return None
    if not isinstance(kind, str):
        findings.add("LST-006")
        return None
    if not findings.require(kind in _REQUIRED, "LST-003"):
        return None
    if merged:
        findings.require(kind != ent.WHITEOUT, "LST-021")
        findings.require("opaque" not in document, "LST-022")
        document.pop("opaque", None)
    values = _typed_members(document, kind, findings)
    entry = ent.Entry(kind, _components(values, kind, findings))
    for name, (limit, clause) in _UPPER_LIMITS.items():
        if name in values:
            setattr(entry, name, values[name])
            findings.require(0 <= values[name] <= limit, clause)
    if "sha256" in values and findings.require(HEX64.fullmatch(values["sha256"]), "LST-008"):
        entry.sha256 = values["sha256"]
        if kind == ent.FILE and entry.size == 0:
            findings.require(entry.sha256 == EMPTY_SHA256, "LST-012")
    if "target" in values:
        target = values["target"].encode("utf-8")
        entry.target = target if ent.check_target(target, findings) else None
    if "opaque" in values:
        entry.opaque = findings.require(values["opaque"], "LST-009")
    entry.xattrs = _xattrs(values, document, kind, findings)
    return entry if "path" in values else None


def _typed_members(document, kind, findings):
    """Judge LST-004 to LST-006; return the members that the type has and that can be judged further."""
    optional = _OPTIONAL.get(kind, set())
    findings.require(all(name in document for name in _REQUIRED[kind]), "LST-004")
    values = {}
    for name, value in jsn.judged_members(document):
        if not findings.require(name in _REQUIRED[kind] or name in optional, "LST-005"):
            continue
        if value is jsn.UNJUDGED:
            continue
        if name in _NUMBERS:
            right = jsn.is_integer(value)
        elif name in _STRINGS:
            right = isinstance(value, str)
        elif name == "opaque":
            right = isinstance(value, bool)
        else:
            right = isinstance(value, dict)
            right = right and all(isinstance(v, str) or v is jsn.UNJUDGED for v in value.values())
        if findings.require(right, "LST-006"):
            values[name] = value
    return values


def _components(values, kind, findings):
    """Judge the path; return its components, or None if it cannot be placed."""
    if "path" not in values:
        return None
    path = values["path"].encode("utf-8")
    if ent.names_root(path):
        findings.add("LAY-041")
        return None
    findings.require(not ent.has_control(path), "LAY-037")
    findings.require(not path.endswith(b"/"), "LST-007")
    sound = findings.require(not path.startswith(b"/"), "LAY-038")
    components = path.removesuffix(b"/").removeprefix(b"/").split(b"/")
    sound &= ent.check_components(components, kind, findings)
    return components if sound else None


def _xattrs(values, document, kind, findings):
    """Judge the extended attributes; return them decoded, or None if they are not all known."""
    if "xattrs" not in values:
        return None if "xattrs" in document else {}
    findings.require(values["xattrs"], "LST-010")
    members = jsn.judged_members(values["xattrs"])
    decoded = {}
    for name, text in members:
        value = None if text is jsn.UNJUDGED else _base64(text)
        if text is not jsn.UNJUDGED:
            findings.require(value is not None, "LST-011")
        decoded[name.encode("ascii")] = value
    ent.check_xattrs(kind, decoded, findings)
    known = len(members) == len(values["xattrs"]) and None not in decoded.values()
    return decoded if known else None


def _base64(text):
    """The bytes that a text in the one form of LST-011 stands for, or None."""
    if not _BASE64.fullmatch(text):
        return None
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return value if base64.b64encode(value).decode() == text else None


def _check_link(order, entry, findings):
    original = order.link(entry)
    if original is None:
        return
    for name in ("size", "sha256"):
        ours, theirs = getattr(entry, name), getattr(original, name)
        if ours is not None and theirs is not None:
            findings.require(ours == theirs, "LST-013")
