"""Layer (chapter "Layer"): a reader of canonical tar archives, for layers and for archives.

`TarReader` judges the form of headers and PAX headers (LAY-002 to LAY-035);
`check_layer` adds everything that is said of a layer's entries and computes
the layer's listing.
"""

import hashlib
import re
from typing import NamedTuple

import ent
import lst
from findings import Findings

BLOCK = 512
CHUNK = 1 << 18
MAX_PAX_BODY = 128 << 10
XATTR_PREFIX = b"SCHILY.xattr."
OPAQUE_NAME = b".wh..wh..opq"

_ZERO_BLOCK = bytes(BLOCK)
_RECORD_LENGTH = re.compile(rb"[1-9][0-9]*")
_DECIMAL = re.compile(rb"0|[1-9][0-9]*")
_CHECKSUM = re.compile(rb"[0-7]{6}\0 ")
_KINDS = {b"0": ent.FILE, b"1": ent.HARDLINK, b"2": ent.SYMLINK, b"5": ent.DIR}
_KEYWORDS = frozenset((b"gid", b"linkpath", b"path", b"size", b"uid"))
_OCTAL_FIELDS = {"mode": (100, 8), "uid": (108, 8), "gid": (116, 8), "size": (124, 12), "mtime": (136, 12)}


class GiveUp(Exception):
    """The rest of the archive cannot be told apart, or a limit was exceeded."""


class _BodyGivenUp(Exception):
    """The rest of a PAX body cannot be told apart (LAY-026)."""


class TarEntry:
    """One entry: its values, with what the PAX header says put in."""

    def __init__(self, kind, numbers, name, linkname, records):
        self.kind = kind
        self.path = records.get(b"path", name)
        self.target = records.get(b"linkpath", linkname)
        self.mode = numbers["mode"]
        self.uid = numbers["uid"]
        self.gid = numbers["gid"]
        self.mtime = numbers["mtime"]
        self.size = numbers["size"]
        self.keywords = list(records)
        self.xattrs = {k[len(XATTR_PREFIX) :]: v for k, v in records.items() if k.startswith(XATTR_PREFIX)}


class TarReader:
    """Reads the entries of a tar archive from a seekable file of known size."""

    def __init__(self, stream, size, findings):
        self._stream = stream
        self._left = size
        self.findings = findings
        # Whether any header was found, and whether some entry could not be judged.
        self.any_header = False
        self.gap = False
        self._records = {}
        self._pax_pending = False
        self._skip_next = False
        self._data_left = 0

    @property
    def data_offset(self):
        """Where the data of the current entry begins in the stream, before any of it is read."""
        return self._stream.tell()

    def data(self):
        """The data of the current entry, in pieces."""
        while self._data_left:
            piece = self._read(min(self._data_left, CHUNK))
            self._data_left -= len(piece)
            yield piece

    def entries(self):
        """Yield each entry that can be judged; raise GiveUp where reading has to stop."""
        wrong_before = False
        while True:
            header = self._next_header()
            if header is None:
                return
            self.any_header = True
            wrong = not self._checksum_holds(header)
            if wrong:
                if wrong_before:
                    raise GiveUp
                self._pass_over_wrong(header)
            elif self._skip_next:
                self._pass_over_unjudged(header)
            elif header[156:157] == b"x":
                self._pax_header(header)
            else:
                yield from self._entry(header)
            wrong_before = wrong

    def _read(self, length):
        """Read exactly so many bytes; the archive must not end before (LAY-004)."""
        piece = self._stream.read(length) if self._left >= length else b""
        if len(piece) < length:
            self.findings.add("LAY-004")
            raise GiveUp
        self._left -= length
        return piece

    def _skip_data(self, size, judge_padding=True):
        """Pass over what is left of an entry's data, and its padding (LAY-005)."""
        if self._data_left > self._left:
            self.findings.add("LAY-004")
            raise GiveUp
        self._stream.seek(self._data_left, 1)
        self._left -= self._data_left
        self._data_left = 0
        padding = self._read(-size % BLOCK)
        if judge_padding:
            self.findings.require(not any(padding), "LAY-005")

    def _next_header(self):
        """The next header block, or None at the end of the archive (LAY-002 to LAY-004)."""
        block = self._stream.read(min(BLOCK, self._left))
        self._left -= len(block)
        if any(block):
            if len(block) < BLOCK:
                self.findings.add("LAY-004")
                raise GiveUp
            return block
        if self._pax_pending:
            self.findings.add("LAY-023")
        second = self._stream.read(min(BLOCK, self._left))
        self._left -= len(second)
        if len(block) == BLOCK and second == _ZERO_BLOCK:
            self.findings.require(self._left == 0, "LAY-003")
        elif self.any_header:
            self.findings.add("LAY-002")
        return None

    def _checksum_holds(self, header):
        """LAY-009 and LAY-010."""
        field = header[148:156]
        if not self.findings.require(_CHECKSUM.fullmatch(field), "LAY-009"):
            return False
        total = sum(header) - sum(field) + 8 * ord(" ")
        return self.findings.require(int(field[:6], 8) == total, "LAY-010")

    def _pass_over_wrong(self, header):
        """Go on behind an entry whose checksum is wrong, by the size that it states."""
        self.gap = True
        self._skip_next = header[156:157] == b"x"
        self._records = {}
        self._pax_pending = False
        self._pass_over(_octal(header, "size"))

    def _pass_over_unjudged(self, header):
        """Go on behind an entry whose PAX header could not be read (LAY-026)."""
        self._skip_next = header[156:157] == b"x"
        size = self._records.get(b"size", b"")
        self._records = {}
        self._pass_over(int(size) if _DECIMAL.fullmatch(size) and len(size) < 20 else _octal(header, "size"))

    def _pass_over(self, size):
        if size is None or size + -size % BLOCK > self._left:
            raise GiveUp
        self._data_left = size
        self._skip_data(size, judge_padding=False)

    def _check_form(self, header):
        """The clauses that hold for every header with a right checksum; return its numbers."""
        findings = self.findings
        findings.require(header[257:265] == b"ustar\x0000", "LAY-008")
        numbers = {name: _octal(header, name) for name in _OCTAL_FIELDS}
        findings.require(None not in numbers.values(), "LAY-011")
        findings.require(header[329:345] == b"0000000\0" * 2, "LAY-012")
        findings.require(not any(header[345:500]), "LAY-013")
        findings.require(not any(header[265:329]), "LAY-014")
        tails = _tail(header[0:100]) + header[500:512]
        if header[156:157] not in (b"0", b"5"):  # there LAY-016 speaks of the whole field
            tails += _tail(header[157:257])
        findings.require(not any(tails), "LAY-015")
        return numbers

    def _pax_header(self, header):
        findings = self.findings
        findings.require(not self._pax_pending, "LAY-023")
        numbers = self._check_form(header)
        expected = {"mode": 0o644, "uid": 0, "gid": 0, "mtime": 0}
        agrees = all(numbers[name] in (None, value) for name, value in expected.items())
        agrees &= _head(header[0:100]) == b"PaxHeader" and header[157] == 0
        findings.require(agrees, "LAY-024")
        size = numbers["size"]
        if size is None:
            raise GiveUp
        if size > MAX_PAX_BODY:
            findings.add("LAY-025")
            raise GiveUp
        body = self._read(size)
        self._skip_data(size)
        self._pax_pending = True
        self._records = {}
        findings.require(body, "LAY-031")
        try:
            self._read_records(body)
        except _BodyGivenUp:
            findings.add("LAY-026")
            self.gap = True
            self._skip_next = True
            self._pax_pending = False

    def _read_records(self, body):
        """LAY-026, LAY-027, LAY-029."""
        at = 0
        previous = None
        while at < len(body):
            digits, space, _ = body[at : at + 20].partition(b" ")
            if not space or not _RECORD_LENGTH.fullmatch(digits):
                raise _BodyGivenUp
            record = body[at : at + int(digits)]
            keyword, equals, value = record[len(digits) + 1 : -1].partition(b"=")
            if len(record) != int(digits) or not record.endswith(b"\n") or not equals or not keyword:
                raise _BodyGivenUp
            # Two lengths are right exactly where the larger one is a power of ten.
            self.findings.require(digits.rstrip(b"0") != b"1", "LAY-027")
            self.findings.require(previous is None or previous < keyword, "LAY-029")
            previous = keyword
            self._records[keyword] = value
            at += len(record)

    def _entry(self, header):
        findings = self.findings
        records, self._records = self._records, {}
        self._pax_pending = False
        numbers = self._check_form(header)
        kind = _KINDS.get(header[156:157])
        name, linkname = _head(header[0:100]), _head(header[157:257])
        if kind is not None:
            self._check_records(kind, records)
            self._check_overridden(kind, numbers, name, linkname, records)
        for keyword in ("uid", "gid", "size"):
            value = records.get(keyword.encode())
            if value is not None:
                numbers[keyword] = _decimal(value)
        size = numbers["size"]
        if size is None:
            raise GiveUp
        if kind is None:
            findings.add("LAY-007")
            self.gap = True
        elif not findings.require(kind != ent.FILE or size <= ent.MAX_FILE_SIZE, "LAY-022"):
            raise GiveUp
        elif kind != ent.FILE:
            findings.require(size == 0, "LAY-017")
        if kind in (ent.FILE, ent.DIR):
            findings.require(not any(header[157:257]), "LAY-016")
        self._data_left = size
        if kind is not None:
            yield TarEntry(kind, numbers, name, linkname, records)
        self._skip_data(size)

    def _check_records(self, kind, records):
        """LAY-030 and LAY-032: is each record needed, and is it a number where it has to be."""
        needed = {
            b"path": _needs_record,
            b"linkpath": lambda value: kind in (ent.HARDLINK, ent.SYMLINK) and _needs_record(value),
            b"size": lambda value: _decimal(value) > 8**11 - 1,
            b"uid": lambda value: _decimal(value) > 8**7 - 1,
            b"gid": lambda value: _decimal(value) > 8**7 - 1,
        }
        for keyword, value in records.items():
            if keyword in (b"size", b"uid", b"gid") and not self.findings.require(_DECIMAL.fullmatch(value), "LAY-032"):
                continue
            if keyword in needed:
                self.findings.require(needed[keyword](value), "LAY-030")

    def _check_overridden(self, kind, numbers, name, linkname, records):
        """LAY-033 to LAY-035: what the header's fields hold beside a record, or without one."""
        for keyword in ("size", "uid", "gid"):
            if keyword.encode() in records:
                self.findings.require(numbers[keyword] in (0, None), "LAY-033")
        fields = [(b"path", name)]
        if kind in (ent.HARDLINK, ent.SYMLINK):  # otherwise LAY-016 wants zero bytes
            fields.append((b"linkpath", linkname))
        for keyword, held in fields:
            if keyword in records:
                self.findings.require(held == _stub(records[keyword]), "LAY-034")
            else:
                self.findings.require(held.isascii(), "LAY-035")


def _octal(header, name):
    """The value of an octal field, or None if it has another form."""
    offset, length = _OCTAL_FIELDS[name]
    field = header[offset : offset + length]
    if field[-1] != 0 or not all(0x30 <= byte <= 0x37 for byte in field[:-1]):
        return None
    return int(field[:-1], 8)


def _decimal(value):
    """The value of a decimal record, or None; whatever has more than 19 digits exceeds every limit alike."""
    if not _DECIMAL.fullmatch(value):
        return None
    return int(value) if len(value) < 20 else 10**20


def _head(field):
    return field.partition(b"\0")[0]


def _tail(field):
    return field.partition(b"\0")[2]


def _needs_record(value):
    return len(value) > 100 or not value.isascii()


def _stub(value):
    return bytes(byte if byte < 0x80 else ord("_") for byte in value)[:100].partition(b"\0")[0]


class LayerResult(NamedTuple):
    """What a layer's listing has to be."""

    listing_sha256: str
    listing_size: int


def check_layer(stream, size, findings, emit=None):
    """Judge a layer; return a LayerResult, or None if some line of its listing cannot be known.

    `emit`, if given, is called with each line of the listing.
    """
    reader = TarReader(stream, size, findings)
    judge = _LayerJudge(findings, emit)
    complete = True
    try:
        for tar_entry in reader.entries():
            judge.order.gap |= reader.gap
            judge.take(tar_entry, reader)
        findings.require(reader.any_header, "LAY-001")
    except GiveUp:
        complete = False
    result = judge.finish()
    return result if complete and not reader.gap else None


def read_head(stream, size, path, limit):
    """The first bytes of the file at a path of a layer, or None if it has no such file."""
    reader = TarReader(stream, size, Findings())
    try:
        for entry in reader.entries():
            if entry.kind == ent.FILE and entry.path == path:
                head = b""
                for piece in reader.data():
                    head += piece
                    if len(head) >= limit:
                        break
                return head[:limit]
    except GiveUp:
        pass
    return None


class _LayerJudge:
    """Judges a layer's entries one by one and writes down its listing."""

    def __init__(self, findings, emit):
        self.findings = findings
        self.order = ent.Order(findings)
        self._emit = emit
        self._incomplete = False
        self._line_count = 0
        self._digest = hashlib.sha256()
        self._size = 0
        # A directory's line waits for its opaque marker, which comes next if there is one.
        self._directory = None

    def take(self, tar, reader):
        findings = self.findings
        for keyword in tar.keywords:
            known = keyword in _KEYWORDS or keyword.startswith(XATTR_PREFIX)
            findings.require(known, "LAY-028")
        entry = self._entry(tar)
        if entry.kind in (ent.WHITEOUT, ent.OPAQUE):
            values = (tar.mode, tar.uid, tar.gid, tar.mtime, tar.size)
            findings.require(all(v in (0, None) for v in values) and not tar.xattrs, "LAY-066")
        else:
            self._check_attributes(entry)
            ent.check_xattrs(entry.kind, entry.xattrs, findings)
        sound_target = entry.target is None or ent.check_target(entry.target, findings)
        if entry.kind == ent.FILE:
            entry.sha256 = _sha256_of(reader)
        if entry.kind == ent.OPAQUE and entry.components == []:
            findings.add("LAY-069")
            return
        self._count(entry)
        self.order.place(entry)
        self._list(entry, sound_target)

    def _count(self, entry):
        if entry.kind != ent.OPAQUE:
            self._line_count += 1
            if not self.findings.require(self._line_count <= ent.MAX_LINES, "LAY-006"):
                raise GiveUp

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
        findings.require(ent.is_utf8(path), "LAY-036")
        if ent.names_root(path):
            findings.add("LAY-041")
            return kind, None
        findings.require(not ent.has_control(path), "LAY-037")
        findings.require(path.endswith(b"/") == (kind == ent.DIR), "LAY-042")
        path = path.removesuffix(b"/")
        sound = findings.require(not path.startswith(b"/"), "LAY-038")
        components = path.removeprefix(b"/").split(b"/")
        last = components[-1]
        if kind == ent.FILE and last == OPAQUE_NAME:
            kind = ent.OPAQUE
            components.pop()
        elif kind == ent.FILE and last.startswith(ent.MARKER_PREFIX):
            kind = ent.WHITEOUT
            components[-1] = last[len(ent.MARKER_PREFIX) :]
        sound &= ent.check_components(components, kind, findings)
        return kind, components if sound else None

    def _check_attributes(self, entry):
        findings = self.findings
        if entry.mode is not None and findings.require(entry.mode <= ent.MAX_MODE, "LAY-018"):
            findings.require(entry.kind != ent.SYMLINK or entry.mode == 0o777, "LAY-019")
        for number in (entry.uid, entry.gid):
            findings.require(number is None or number <= ent.MAX_ID, "LAY-020")

    def _list(self, entry, sound_target):
        """Add the entry's line to the listing."""
        if entry.kind == ent.OPAQUE:
            if self._directory is not None and entry.components == self._directory.components:
                self._directory.opaque = True
            else:
                self._incomplete = True
            return
        self._write_directory()
        if entry.kind == ent.HARDLINK:
            original = self.order.link(entry) if sound_target and entry.components is not None else None
            if original is None:
                self._incomplete = True
                return
            entry.size, entry.sha256 = original.size, original.sha256
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
        if line is None:
            self._incomplete = True
            return
        self._digest.update(line)
        self._size += len(line)
        if self._emit is not None:
            self._emit(line)

    def finish(self):
        """Judge what can only be judged at the end; return a LayerResult if every line is known."""
        self._write_directory()
        self.order.finish()
        return None if self._incomplete else LayerResult(self._digest.hexdigest(), self._size)


def _sha256_of(reader):
    digest = hashlib.sha256()
    for piece in reader.data():
        digest.update(piece)
    return digest.hexdigest()
