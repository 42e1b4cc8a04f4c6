"""Tar archives of any dialect (chapter "OCI images", section Layer archive): OCI-053 to OCI-068, OCI-081 and OCI-082.

A reader for layers and for archives of an image layout. OCI-061 to OCI-068 are
judged where an entry is made of its headers; what only a layer has to keep is
judged elsewhere.
"""

from dataclasses import dataclass

import octarhead

MAX_ENTRIES = 1_000_000
_MAX_BODY = 1 << 20
_MAX_PATH = 4095
_MAX_COMPONENTS = 128
_BLOCK = 512
_CHUNK = 1 << 18

FILE, HARDLINK, SYMLINK, CHAR, BLOCK_DEVICE, DIR, FIFO = "file", "hardlink", "symlink", "char", "block", "dir", "fifo"
_KINDS = {
    b"0": FILE,
    b"\0": FILE,
    b"7": FILE,
    b"S": FILE,
    b"1": HARDLINK,
    b"2": SYMLINK,
    b"3": CHAR,
    b"4": BLOCK_DEVICE,
    b"5": DIR,
    b"6": FIFO,
}
_EXTENSIONS = frozenset((b"x", b"g", b"L", b"K"))
_GLOBAL_KEYWORDS = frozenset((b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime"))


class _GiveUp(Exception):
    """Reading ends."""


@dataclass(slots=True)
class Entry:
    """An entry; `parts` are the components of its clean path, `number` counts the entries of the archive."""

    kind: str
    path: bytes
    parts: tuple
    target: bytes
    mode: int
    size: int
    number: int


class Pieces:
    """Pieces of bytes, read as one stream."""

    def __init__(self, pieces):
        self._pieces = iter(pieces)
        self._piece = b""
        self._at = 0
        self.position = 0

    def read(self, length):
        """So many bytes, or less at the end."""
        end = self._at + length
        if end <= len(self._piece):
            part = self._piece[self._at : end]
            self._at = end
            self.position += length
            return part
        parts = list(self._take(length))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def skip(self, length):
        """Pass over so many bytes; return how many there were."""
        return sum(map(len, self._take(length)))

    def rest(self):
        """What is left, piece by piece."""
        while piece := self.read(_CHUNK):
            yield piece

    def _take(self, length):
        while length:
            if self._at == len(self._piece):
                self._piece = next(self._pieces, None)
                self._at = 0
                if self._piece is None:
                    self._piece = b""
                    return
            part = self._piece[self._at : self._at + length]
            self._at += len(part)
            self.position += len(part)
            length -= len(part)
            yield part


class TarReader:
    """Reads the entries of an archive from `Pieces`."""

    def __init__(self, pieces, findings):
        self.pieces = pieces
        self._findings = findings
        # Whether the archive was read to its end.
        self.ended = False
        # Whether some entry was passed over.
        self.gap = False
        self._data_left = 0
        self._number = 0
        self._forget()

    def _forget(self):
        """Forget the headers that stand before an entry."""
        self._pending = False  # whether there are any
        self._broken = False  # whether one of them has records that break OCI-058
        self._records = {}
        self._longname = None
        self._longlink = None
        # All values by the type or keyword that gave them.
        self._values = {b"L": set(), b"K": set(), b"path": set(), b"linkpath": set()}

    def entries(self):
        """Yield the entries that are not passed over."""
        try:
            while (header := self._next_header()) is not None:
                mode, size = self._numbers(header)
                kind_byte = header[156:157]
                if kind_byte in _EXTENSIONS:
                    self._extension(kind_byte, size)
                    continue
                entry = self._entry(header, kind_byte, mode, size)
                has_place = self._check(entry, kind_byte, size)
                if kind_byte == b"S":
                    self._pass_map(header)
                if self._pending:
                    self._forget()
                data = entry.size if entry.size and _has_data(kind_byte) else 0
                end = self.pieces.position + data
                if has_place:
                    self._data_left = data
                    yield entry
                else:
                    self.gap = True
                if data:
                    self._pass_data(end, data)
        except _GiveUp:
            return
        self.ended = True

    def head(self, limit):
        """The first bytes of the current entry's data."""
        piece = self._exactly(min(limit, self._data_left))
        self._data_left -= len(piece)
        return piece

    def _pass_data(self, end, size):
        """Pass over what is left of an entry's data, and over the padding."""
        self.pieces.skip(end - self.pieces.position)
        if self.pieces.position < end:
            self._end()
        self.pieces.skip(-size % _BLOCK)

    def _end(self):
        """The pieces have come to an end inside something (OCI-055)."""
        self._findings.add("OCI-055")
        raise _GiveUp

    def _exactly(self, length):
        piece = self.pieces.read(length)
        if len(piece) < length:
            self._end()
        return piece

    def _next_header(self):
        """The next header, or None at the end of the archive; OCI-053."""
        block = self.pieces.read(_BLOCK)
        if (not block or block[0] == 0) and _is_zero(block):
            self._finish(block)
            return None
        if len(block) < _BLOCK:
            self._end()
        if not octarhead.checksum_is_right(block):
            self._findings.add("OCI-053")
            raise _GiveUp
        return block

    def _finish(self, block):
        """OCI-056, OCI-057 and OCI-060, after a block of zero bytes or where there is none."""
        second = self.pieces.read(_BLOCK)
        clean_end = _is_zero(second) and all(map(_is_zero, self.pieces.rest()))
        if self._findings.require(clean_end, "OCI-057"):
            self._findings.require(len(block) == len(second) == _BLOCK, "OCI-056")
        self._findings.require(not self._pending, "OCI-060")

    def _numbers(self, header):
        """The mode, which can be None, and the size of a header; OCI-054."""
        mode, uid, gid, size, mtime = octarhead.numbers_of(header[100:148])
        if None in (mode, uid, gid, size, mtime):
            self._findings.add("OCI-054")
        if size is None or not 0 <= size < octarhead.END_OF_SIZES:
            self._findings.add("OCI-054")
            raise _GiveUp
        return mode, size

    def _extension(self, kind_byte, size):
        """A header for the next entry, or for all: OCI-058, OCI-059 and OCI-062."""
        if not self._findings.require(size <= _MAX_BODY, "OCI-059"):
            raise _GiveUp
        body = self._exactly(size)
        self.pieces.skip(-size % _BLOCK)
        if kind_byte in (b"x", b"g"):
            self._take_records(kind_byte, body)
        else:
            value = body.partition(b"\0")[0]
            self._values[kind_byte].add(value)
            if kind_byte == b"L":
                self._longname = value
            else:
                self._longlink = value
        self._pending |= kind_byte != b"g"

    def _take_records(self, kind_byte, body):
        records = octarhead.split(body)
        right = self._findings.require(records is not None, "OCI-058")
        last = dict(records or ())
        if kind_byte == b"g":
            foreign = (k in _GLOBAL_KEYWORDS or k.startswith(b"SCHILY.xattr.") for k, value in last.items() if value)
            self._findings.require(not any(foreign), "OCI-062")
            return
        self._broken |= not right
        # A record with an empty value counts as absent, and so do those before it.
        self._records = {keyword: value for keyword, value in last.items() if value}
        for keyword, value in records or ():
            if keyword in (b"path", b"linkpath") and value:
                self._values[keyword].add(value)
            elif keyword in (b"path", b"linkpath"):
                self._values[keyword].clear()

    def _entry(self, header, kind_byte, mode, size):
        """Put an entry together; OCI-081, and a record `size` that is none breaks OCI-054."""
        self._number += 1
        if self._number > MAX_ENTRIES:
            self._findings.add("OCI-081")
            raise _GiveUp
        path, target = self._longname, self._longlink
        records = self._records
        if records:
            path, target = records.get(b"path", path), records.get(b"linkpath", target)
        if path is None:
            path = octarhead.path_of(header)
        if target is None:
            target = octarhead.text(header[157:257])
        if b"size" in records:
            size = octarhead.decimal(records[b"size"])
            if size is None or size >= octarhead.END_OF_SIZES:
                self._findings.add("OCI-054")
                raise _GiveUp
        kind = _KINDS.get(kind_byte)
        if kind == FILE and kind_byte != b"S" and path.endswith(b"/"):
            kind = DIR
        return Entry(kind, path, (), target, mode, size, self._number)

    def _check(self, entry, kind_byte, field_size):
        """OCI-061, OCI-063 to OCI-068 and OCI-082; return whether the entry has a place in the tree."""
        if self._broken:
            return False
        findings = self._findings
        if not findings.require(entry.kind is not None, "OCI-064"):
            return False
        if self._pending:
            values = self._values
            findings.require(len(values[b"path"] | values[b"L"]) <= 1, "OCI-061")
            findings.require(len(values[b"linkpath"] | values[b"K"]) <= 1, "OCI-061")
            findings.require(field_size in (0, entry.size), "OCI-063")
            findings.require(not any(keyword.startswith(b"GNU.sparse.") for keyword in self._records), "OCI-065")
        if kind_byte == b"S":
            findings.add("OCI-065")
        if entry.size:
            findings.require(_has_data(kind_byte), "OCI-066")
        if not (_is_short(entry.path) and _is_short(entry.target)):
            findings.add("OCI-082")
            return False
        parts = clean(entry.path)
        if not findings.require(parts is not None, "OCI-067"):
            return False
        if entry.path[0:1] == b"/" or (b".." in entry.path and b".." in entry.path.split(b"/")):
            findings.add("OCI-068")
        entry.parts = parts
        return True

    def _pass_map(self, header):
        """Pass over the map of a sparse file of old GNU tar."""
        more = header[482]
        while more:
            more = self._exactly(_BLOCK)[504]


def _has_data(kind_byte):
    return _KINDS.get(kind_byte, FILE) == FILE


def _is_short(path):
    """Whether a path or target keeps the limits of OCI-082; empty components do not count."""
    if len(path) < 2 * _MAX_COMPONENTS:
        return True
    return len(path) <= _MAX_PATH and len([part for part in path.split(b"/") if part]) <= _MAX_COMPONENTS


def _is_zero(piece):
    return piece.count(0) == len(piece)


def clean(path, base=()):
    """The components of a clean path, from a directory, or None if a `..` leads above the root."""
    if not base and b"/" not in path and path not in (b"", b".", b".."):
        return (path,)
    parts = list(base)
    for part in path.split(b"/"):
        if part == b"..":
            if not parts:
                return None
            parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    return tuple(parts)
