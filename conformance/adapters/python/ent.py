"""Entries: what the chapter "Layer" says of a layer's entries and of a listing's lines alike.

A layer's entry and a listing's line both become an `Entry`; the clauses of the
sections Paths, Order, Links, Extended attributes and Whiteouts are judged here.
An attribute that could not be read is None, and clauses about it are passed over.
An entry whose path gives it no place in the tree has no components (None).
"""

import re
from dataclasses import dataclass, field

MAX_ID = 2**32 - 2
MAX_MODE = 0o7777
MAX_MTIME = 8**11 - 1
MAX_FILE_SIZE = 2**40
MAX_LINES = 500_000

FILE, HARDLINK, DIR, SYMLINK, WHITEOUT, OPAQUE = "file", "hardlink", "dir", "symlink", "whiteout", "opaque"
MARKER_PREFIX = b".wh."

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_XATTR_NAME = re.compile(rb"[\x21-\x3c\x3e-\x7e]{1,255}")


@dataclass(slots=True)
class Entry:
    """An entry or line; `components` is the path as a listing has it."""

    kind: str
    components: list | None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    mtime: int | None = None
    size: int | None = None
    sha256: str | None = None
    target: bytes | None = None
    xattrs: dict | None = field(default_factory=dict)
    opaque: bool = False

    @property
    def path(self):
        return b"/".join(self.components)


def has_control(data):
    return bool(_CONTROL.search(data.decode("utf-8", "replace")))


def is_utf8(data):
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def names_root(path):
    """Whether a path is empty or consists of `.` components and `/` only (LAY-041)."""
    return all(part in (b"", b".") for part in path.split(b"/"))


def check_components(components, kind, findings):
    """Judge LAY-039, LAY-040, LAY-043 to LAY-045, LAY-064 and LAY-065 on a path without marker prefix.

    Return whether the path has a place in the tree.
    """
    sound = True
    plain = components
    if kind == WHITEOUT:
        plain, hidden = components[:-1], components[-1]
        allowed = hidden not in (b"", b".", b"..") and not hidden.startswith(MARKER_PREFIX)
        findings.require(allowed, "LAY-065")
    for component in plain:
        sound &= findings.require(component not in (b".", b".."), "LAY-039")
        sound &= findings.require(component != b"", "LAY-040")
        findings.require(not component.startswith(MARKER_PREFIX), "LAY-064")
    findings.require(len(b"/".join(components)) <= 4095, "LAY-043")
    findings.require(len(components) <= 128, "LAY-044")
    findings.require(all(len(component) <= 255 for component in components), "LAY-045")
    return sound


def is_clean(path):
    """Whether a string is absolute and clean (chapter "Manifest", before MAN-014)."""
    data = path.encode("utf-8")
    if data == b"/":
        return True
    if not data.startswith(b"/") or data.endswith(b"/") or has_control(data):
        return False
    components = data[1:].split(b"/")
    return (
        not any(c in (b"", b".", b"..") or c.startswith(MARKER_PREFIX) or len(c) > 255 for c in components)
        and len(data) - 1 <= 4095
        and len(components) <= 128
    )


def check_target(target, findings):
    """Judge LAY-049 to LAY-052; return whether the target is sound."""
    sound = findings.require(target, "LAY-049")
    sound &= findings.require(is_utf8(target), "LAY-050")
    sound &= findings.require(not has_control(target), "LAY-051")
    return sound & findings.require(len(target) <= 4095, "LAY-052")


def check_xattrs(kind, xattrs, findings):
    """Judge LAY-056 to LAY-063 for the extended attributes of one entry."""
    if kind == SYMLINK:
        findings.require(not xattrs, "LAY-056")
        return
    findings.require(len(xattrs) <= 64, "LAY-057")
    for name, value in xattrs.items():
        findings.require(_XATTR_NAME.fullmatch(name), "LAY-059")
        capability = name == b"security.capability"
        user = name.startswith(b"user.") and name != b"user." and not name.startswith(b"user.overlay.")
        findings.require(name == b"" or capability or user, "LAY-058")
        if capability:
            findings.require(kind in (FILE, HARDLINK), "LAY-062")
        if value is None:
            continue
        findings.require(value, "LAY-060")
        if capability:
            revision_2 = len(value) == 20 and value[:4] in (b"\0\0\0\x02", b"\x01\0\0\x02")
            findings.require(revision_2, "LAY-063")
    findings.require(sum(len(value or b"") for value in xattrs.values()) <= 65_536, "LAY-061")


class Order:
    """What the entries of one layer or listing mean to each other.

    LAY-046 to LAY-048, LAY-053 to LAY-055, LAY-067 and LAY-068.
    """

    def __init__(self, findings):
        self.findings = findings
        # True once an entry could not be judged: something missing may have been that entry.
        self.gap = False
        self._previous = None
        # The paths of the entries so far: markers by the path that they hide, files with their entries.
        self._paths = set()
        self._directories = {b""}
        self._files = {}
        self._whiteouts = set()
        self._opaque_markers = set()
        # The directory of each marker, and whether it is an opaque one.
        self._markers = []

    def place(self, entry):
        if entry.components is None:
            self.gap = True
            return
        path = entry.path
        directory = path if entry.kind == OPAQUE else path.rpartition(b"/")[0]
        key = [(2, component) for component in entry.components]
        if entry.kind == OPAQUE:
            seen = self._opaque_markers
            key.append((0, b""))
        elif entry.kind == WHITEOUT:
            seen = self._whiteouts
            key[-1] = (1, entry.components[-1])
            self.findings.require(path not in self._paths, "LAY-067")
        else:
            seen = self._paths
            self.findings.require(path not in self._whiteouts, "LAY-067")
        in_order = True
        if path in seen:
            self.findings.add("LAY-048")
        else:
            in_order = self.findings.require(self._previous is None or self._previous < key, "LAY-047")
        if in_order and directory not in self._directories and not (self.gap and directory not in self._paths):
            self.findings.add("LAY-046")
        self._previous = key
        seen.add(path)
        self._keep(entry, path, directory)

    def _keep(self, entry, path, directory):
        if entry.kind in (WHITEOUT, OPAQUE):
            self._markers.append((directory, entry.kind == OPAQUE))
        elif entry.kind == FILE:
            self._files.setdefault(path, entry)
        elif entry.kind == DIR:
            self._directories.add(path)
            if entry.opaque:  # a listing has no line for the marker
                self._opaque_markers.add(path)
                self._markers.append((path, True))

    def link(self, entry):
        """Judge LAY-053 to LAY-055 for a hard link; return the file that it links to, or None."""
        original = self._files.get(entry.target)
        if original is None:
            self.findings.require(self.gap and entry.target not in self._paths, "LAY-053")
            return None
        for name in ("mode", "uid", "gid", "mtime"):
            ours, theirs = getattr(entry, name), getattr(original, name)
            if ours is not None and theirs is not None:
                self.findings.require(ours == theirs, "LAY-054")
        if entry.xattrs is not None and original.xattrs is not None:
            self.findings.require(entry.xattrs == original.xattrs, "LAY-055")
        return original

    def finish(self):
        """Judge LAY-068, which a marker out of order could hide until the end."""
        for directory, is_opaque in self._markers:
            # An opaque marker does not lie below its own directory's marker: it is that marker.
            above = _upwards(directory)[1:] if is_opaque else _upwards(directory)
            if not self._opaque_markers.isdisjoint(above):
                self.findings.add("LAY-068")
                return


def _upwards(directory):
    """A directory and all above it, the root as the last."""
    found = []
    while directory:
        found.append(directory)
        directory = directory.rpartition(b"/")[0]
    return [*found, b""]
