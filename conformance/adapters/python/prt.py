"""Parts of a store (chapter "Store and archive"): paths, the marker and the signature index.

STO-002, STO-004, STO-005, STO-009 to STO-015, STO-028.
"""

import os
import re
from typing import NamedTuple

import jsn
import man
import nam
from findings import Findings

MARKER = "cornercast"
MAX_EVIDENCE = 64

_PLACES = (
    ("image", re.compile(r"images/sha256/(?P<hex>[^/]*)")),
    ("blob", re.compile(r"blobs/sha256/(?P<hex>[^/]*)")),
    ("packed", re.compile(r"packed/sha256/(?P<hex>[^/]*)\.zst")),
    ("torrent", re.compile(r"torrents/sha256/(?P<hex>[^/]*)\.torrent")),
    ("index", re.compile(r"(?P<area>signatures|attestations)/sha256/(?P<image>[^/]*)/index\.json")),
    ("envelope", re.compile(r"(?P<area>signatures|attestations)/sha256/(?P<image>[^/]*)/(?P<hex>[^/]*)\.json")),
    ("proof", re.compile(r"(?P<area>signatures|attestations)/sha256/(?P<image>[^/]*)/(?P<hex>[^/]*)\.proof")),
    ("keyring", re.compile(r"names/(?P<name>.*)/_/keyring/(?P<number>[^/]*)\.json", re.S)),
    ("catalog", re.compile(r"names/(?P<name>.*)/_/catalog\.json", re.S)),
)
_KEYRING_NUMBER = re.compile(r"[1-9][0-9]{0,15}")


class Blob(NamedTuple):
    """A file of a store, or of an archive, where it begins at an offset."""

    path: str
    size: int
    offset: int | None = None

    def open(self):
        """A stream of the file's bytes from its beginning."""
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) if self.offset is None else os.O_RDONLY
        stream = os.fdopen(os.open(self.path, flags), "rb")
        return stream if self.offset is None else Window(stream, self.offset, self.size)


class Window:
    """A part of a file, as a file."""

    def __init__(self, stream, offset, size):
        self._stream = stream
        self._end = offset + size
        stream.seek(offset)

    def read(self, length):
        return self._stream.read(max(0, min(length, self._end - self._stream.tell())))

    def readline(self, length):
        return self._stream.readline(max(0, min(length, self._end - self._stream.tell())))

    def seek(self, distance, whence):
        return self._stream.seek(distance, whence)

    def tell(self):
        return self._stream.tell()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.close()


def classify(path, archive, findings):
    """Judge a path: STO-004 in a store, STO-028 in an archive, STO-005, STO-009 and STO-010 in both.

    Return what the file is and the parts of its path, or (None, None) if it is to be passed over.
    """
    kind, parts = _look_up(path)
    if kind is None:
        findings.add("STO-028" if archive else "STO-004")
        return None, None
    sound = _check_parts(kind, parts, findings)
    if archive:
        sound &= findings.require(kind not in ("packed", "torrent"), "STO-028")
    return (kind, parts) if sound else (None, None)


def _look_up(path):
    if path == MARKER:
        return "marker", {}
    for kind, pattern in _PLACES:
        match = pattern.fullmatch(path)
        if match:
            return kind, match.groupdict()
    return None, None


def _check_parts(kind, parts, findings):
    sound = True
    for name in ("hex", "image"):
        if name in parts:
            sound &= findings.require(nam.HEX64.fullmatch(parts[name]), "STO-005")
    if "name" in parts:
        own = Findings()
        (nam.check_host if kind == "keyring" else nam.check_name)(parts["name"], own)
        sound &= findings.require(not own.ids, "STO-009")
    if "number" in parts:
        sound &= findings.require(_KEYRING_NUMBER.fullmatch(parts["number"]), "STO-010")
    return sound


def check_marker(data, findings):
    """Judge a store marker; return whether to read on."""
    value = jsn.read_document(data, findings, canonical=True)
    if value is None:
        return True
    if not man.check_format_version(value, findings):
        return False
    version = value.get("cornercast")
    right = isinstance(version, str) or version is jsn.UNJUDGED
    right &= value.get("kind") in ("store", jsn.UNJUDGED)
    right &= all(name in ("cornercast", "kind") for name, _ in jsn.judged_members(value))
    findings.require(right, "STO-002")
    return True


def check_index(data, findings, kinds=("signatures", "attestations")):
    """Judge a signature index; return {hex: (size, proof or None)} or None if it is broken."""
    own = Findings()
    listed = _read_index(data, own, kinds)
    findings.merge(own)
    return None if own.ids else listed


def _read_index(data, findings, kinds):
    value = jsn.read_document(data, findings, canonical=True)
    if value is None:
        return None
    _require_members(value, {"files", "kind"}, set(), findings)
    kind, files = value.get("kind"), value.get("files", jsn.UNJUDGED)
    if kind is not jsn.UNJUDGED and kind is not None and findings.require(isinstance(kind, str), "STO-011"):
        findings.require(kind in kinds, "STO-012")
    if files is jsn.UNJUDGED or not findings.require(isinstance(files, list), "STO-011"):
        return None
    findings.require(files, "STO-013")
    findings.require(len(files) <= MAX_EVIDENCE, "STO-015")
    listed = {}
    digests = []
    for element in files:
        if element is jsn.UNJUDGED or not findings.require(isinstance(element, dict), "STO-011"):
            continue
        if isinstance(element.get("digest"), str):
            digests.append(element["digest"].encode())
        envelope = _index_descriptor(element, {"proof"}, findings)
        proof = element.get("proof", jsn.UNJUDGED)
        if proof is jsn.UNJUDGED:
            proof = None
        elif findings.require(isinstance(proof, dict), "STO-011"):
            proof = _index_descriptor(proof, set(), findings)
        if envelope is not None:
            listed[envelope[0]] = (envelope[1], proof)
    ascending = all(before < after for before, after in zip(digests, digests[1:]))
    findings.require(ascending, "STO-014")
    return listed


def _require_members(obj, required, optional, findings):
    known = all(name in required | optional for name, _ in jsn.judged_members(obj))
    findings.require(known and all(name in obj for name in required), "STO-011")


def _index_descriptor(obj, optional, findings):
    _require_members(obj, {"digest", "size"}, optional, findings)
    for name, right in (("digest", lambda v: isinstance(v, str)), ("size", jsn.is_integer)):
        value = obj.get(name, jsn.UNJUDGED)
        findings.require(value is jsn.UNJUDGED or right(value), "STO-011")
    return nam.check_descriptor(obj, findings)
