"""Layer (chapter "Layer"): what is said of a layer's entries, and the listing that they make."""

import hashlib

import ent
import lst
from findings import Findings
from tar import GiveUp, TarReader

_OPAQUE_NAME = b".wh..wh..opq"
_KEYWORDS = frozenset((b"gid", b"linkpath", b"path", b"size", b"uid"))


def check_layer(stream, size, findings):
    """Judge a layer; return (hex, size) of its listing, or None if the layer breaks a clause."""
    own = Findings()
    reader = _reader(stream, size, own)
    judge = _LayerJudge(own)
    try:
        for tar_entry in reader.entries():
            judge.order.gap |= reader.gap
            judge.take(tar_entry, reader)
        own.require(reader.any_entry, "LAY-001")
    except GiveUp:
        pass
    listing = judge.finish()
    findings.merge(own)
    return None if own.ids else listing


def read_head(stream, size, path, limit):
    """The first bytes of the file at a path of a sound layer."""
    reader = _reader(stream, size, Findings())
    for entry in reader.entries():
        if entry.kind == ent.FILE and entry.path == path:
            head = b""
            for piece in reader.data():
                head += piece
                if len(head) >= limit:
                    break
            return head[:limit]
    return b""


def _reader(stream, size, findings):
    return TarReader(stream, size, findings, _is_keyword, "LAY-028")


def _is_keyword(keyword):
    return keyword in _KEYWORDS or keyword.startswith(b"SCHILY.xattr.")


class _LayerJudge:
    """Judges a layer's entries one by one and computes its listing while there are no findings."""

    def __init__(self, findings):
        self.findings = findings
        self.order = ent.Order(findings)
        self._line_count = 0
        self._digest = hashlib.sha256()
        self._size = 0
        # A directory's line waits for its opaque marker, which comes next if there is one.
        self._directory = None

    def take(self, tar, reader):
        findings = self.findings
        entry = self._entry(tar)
        if entry.kind in (ent.WHITEOUT, ent.OPAQUE):
            values = (tar.mode, tar.uid, tar.gid, tar.mtime, tar.size)
            findings.require(all(v in (0, None) for v in values) and not tar.xattrs, "LAY-066")
        else:
            self._check_attributes(entry)
            ent.check_xattrs(entry.kind, entry.xattrs, findings)
        if entry.kind == ent.OPAQUE:
            findings.require(entry.components != [], "LAY-069")
        else:
            self._line_count += 1
            if not findings.require(self._line_count <= ent.MAX_LINES, "LAY-006"):
                raise GiveUp
        self.order.place(entry)
        if entry.target is not None and ent.check_target(entry.target, findings):
            self._follow(entry)
        if entry.kind == ent.FILE:
            entry.sha256 = _sha256_of(reader)
        if not findings.ids:
            self._list(entry)

    def _entry(self, tar):
        kind, components = self._path(tar)
        return ent.Entry(
            kind,
            components,
            mode=tar.mode,
            uid=tar.uid,
            gid=tar.gid,
            mtime=tar.mtime,
            size=tar.size,
            target=tar.target if kind in (ent.HARDLINK, ent.SYMLINK) else None,
            xattrs=tar.xattrs,
        )

    def _path(self, tar):
        """Judge LAY-036 to LAY-045, LAY-064 and LAY-065; return the kind of entry and its components."""
        findings = self.findings
        path, kind = tar.path, tar.kind
        if ent.names_root(path):
            findings.add("LAY-041")
            return kind, None
        sound = findings.require(ent.is_utf8(path), "LAY-036")
        findings.require(not ent.has_control(path), "LAY-037")
        findings.require(path.endswith(b"/") == (kind == ent.DIR), "LAY-042")
        path = path.removesuffix(b"/")
        sound &= findings.require(not path.startswith(b"/"), "LAY-038")
        components = path.removeprefix(b"/").split(b"/")
        last = components[-1]
        if kind == ent.FILE and last == _OPAQUE_NAME:
            kind = ent.OPAQUE
            components.pop()
        elif kind == ent.FILE and last.startswith(ent.MARKER_PREFIX):
            kind = ent.WHITEOUT
            components[-1] = last[len(ent.MARKER_PREFIX) :]
        sound &= ent.check_components(components, kind, findings)
        return kind, components if sound else None

    def _check_attributes(self, entry):
        findings = self.findings
        if findings.require(entry.mode <= ent.MAX_MODE, "LAY-018"):
            findings.require(entry.kind != ent.SYMLINK or entry.mode == 0o777, "LAY-019")
        for number in (entry.uid, entry.gid):
            findings.require(number is None or number <= ent.MAX_ID, "LAY-020")

    def _follow(self, entry):
        """A hard link with a place in the tree has the content of the file that it links to."""
        if entry.kind == ent.HARDLINK and entry.components is not None:
            original = self.order.link(entry)
            if original is not None:
                entry.size, entry.sha256 = original.size, original.sha256

    def _list(self, entry):
        """Add a sound entry's line to the listing."""
        if entry.kind == ent.OPAQUE:
            self._directory.opaque = True
            return
        self._write_directory()
        if entry.kind == ent.DIR:
            self._directory = entry
        else:
            self._write(entry)

    def _write_directory(self):
        if self._directory is not None:
            self._write(self._directory)
            self._directory = None

    def _write(self, entry):
        line = lst.line_of(entry)
        self._digest.update(line)
        self._size += len(line)

    def finish(self):
        """Judge what can only be judged at the end; return (hex, size) of the listing."""
        self.order.finish()
        self._write_directory()
        return self._digest.hexdigest(), self._size


def _sha256_of(reader):
    digest = hashlib.sha256()
    for piece in reader.data():
        digest.update(piece)
    return digest.hexdigest()
