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
    """The line of a layer's sound entry."""
    record = {"type": entry.kind, "path": entry.path.decode("utf-8")}
    for name in _REQUIRED[entry.kind] - {"type", "path"}:
        value = getattr(entry, name)
        record[name] = value.decode("utf-8") if isinstance(value, bytes) else value
    if entry.xattrs:
        record["xattrs"] = {k.decode("ascii"): base64.b64encode(v).decode() for k, v in entry.xattrs.items()}
    if entry.opaque:
        record["opaque"] = True
    return jsn.canonical_form(record) + b"\n"


def read_listing(stream, size, findings, merged, sink=None):
    """Judge a layer's listing or a merged one.

    `sink`, if given, is called with each line's Entry and bytes.
    """
    if not findings.require(size <= MAX_LISTING, "LST-014"):
        return
    order = ent.Order(findings)
    max_lines, limit_clause = (MAX_MERGED_LINES, "LST-020") if merged else (ent.MAX_LINES, "LAY-006")
    count = 0
    for line in _lines(stream, findings):
        count += 1
        if not findings.require(count <= max_lines, limit_clause):
            break
        entry = _read_line(line, findings, merged) if line is not None else None
        if entry is None:
            order.gap = True
            continue
        order.place(entry)
        if entry.kind == ent.HARDLINK and entry.target is not None and entry.components is not None:
            _check_link(order, entry, findings)
        if sink is not None:
            sink(entry, line)
    if not merged:
        findings.require(count, "LAY-001")
    order.finish()


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
    """Judge one line by itself; return its Entry, or None if it is judged no further."""
    document = jsn.read_document(line, findings, canonical=True, limit=MAX_LINE, limit_clause="LST-015")
    if document is None:
        return None
    kind = document.get("type", jsn.UNJUDGED)
    named = findings.require("type" in document and "path" in document, "LST-004")
    if kind is jsn.UNJUDGED or not findings.require(isinstance(kind, str), "LST-006"):
        return None
    if not findings.require(kind in _REQUIRED, "LST-003") or not named:
        return None
    if merged:
        if not findings.require(kind != ent.WHITEOUT, "LST-021"):
            return None
        findings.require(document.pop("opaque", None) is None, "LST-022")
    values = _typed_members(document, kind, findings)
    entry = ent.Entry(kind, _components(values, kind, findings))
    for name, (limit, clause) in _UPPER_LIMITS.items():
        if name in values:
            setattr(entry, name, values[name])
            findings.require(0 <= values[name] <= limit, clause)
    if "sha256" in values:
        entry.sha256 = values["sha256"]
        findings.require(HEX64.fullmatch(entry.sha256), "LST-008")
        findings.require(kind != ent.FILE or entry.size != 0 or entry.sha256 == EMPTY_SHA256, "LST-012")
    if "target" in values:
        target = values["target"].encode("utf-8")
        entry.target = target if ent.check_target(target, findings) else None
    if "opaque" in values:
        entry.opaque = findings.require(values["opaque"], "LST-009")
    entry.xattrs = _xattrs(values, document, kind, findings)
    return entry


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
    decoded = {}
    for name, text in values["xattrs"].items():
        decoded[name] = value = None if text is jsn.UNJUDGED else _base64(text)
        findings.require(text is jsn.UNJUDGED or value is not None, "LST-011")
    judged = {name.encode("ascii"): value for name, value in jsn.judged_members(decoded)}
    ent.check_xattrs(kind, judged, findings)
    return judged if len(judged) == len(decoded) and None not in decoded.values() else None


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
