"""Tar (chapter "Layer", sections Archive, Header and PAX headers): LAY-002 to LAY-035.

A reader of canonical tar archives, for layers and for archives of a store.
"""

import re

import ent

_BLOCK = 512
_CHUNK = 1 << 18
_MAX_PAX_BODY = 128 << 10
_XATTR_PREFIX = b"SCHILY.xattr."

_ZERO_BLOCK = bytes(_BLOCK)
_PAX_TYPE = b"x"
_RECORD_LENGTH = re.compile(rb"[1-9][0-9]*")
_DECIMAL = re.compile(rb"0|[1-9][0-9]*")
_OCTAL = re.compile(rb"[0-7]+\0")
_CHECKSUM = re.compile(rb"[0-7]{6}\0 ")
_CHECKSUM_NUMBER = re.compile(rb" *([0-7]+)")
_KINDS = {b"0": ent.FILE, b"1": ent.HARDLINK, b"2": ent.SYMLINK, b"5": ent.DIR}
_OCTAL_FIELDS = {"mode": (100, 8), "uid": (108, 8), "gid": (116, 8), "size": (124, 12), "mtime": (136, 12)}


class GiveUp(Exception):
    """The rest of the archive cannot be told apart, or a limit was exceeded."""


class _BodyGivenUp(Exception):
    """The rest of a PAX body cannot be told apart (LAY-026)."""


class TarEntry:
    """One entry: its values, with what the PAX header says put in; a number that cannot be read is None."""

    def __init__(self, kind, numbers, name, linkname, records):
        self.kind = kind
        self.path = records.get(b"path", name)
        self.target = records.get(b"linkpath", linkname)
        self.mode = numbers["mode"]
        self.uid = numbers["uid"]
        self.gid = numbers["gid"]
        self.mtime = numbers["mtime"]
        self.size = numbers["size"]
        self.xattrs = {k[len(_XATTR_PREFIX) :]: v for k, v in records.items() if k.startswith(_XATTR_PREFIX)}


class TarReader:
    """Reads the entries of a tar archive from a seekable file of known size.

    A keyword that `is_keyword` does not know breaks the clause `keyword_clause`.
    """

    def __init__(self, stream, size, findings, is_keyword, keyword_clause):
        self._stream = stream
        self._left = size
        self.findings = findings
        self._is_keyword = is_keyword
        self._keyword_clause = keyword_clause
        self.any_entry = False
        # Whether some entry could not be judged.
        self.gap = False
        # Whether the zero bytes at the end were reached.
        self.ended = False
        # Whether all of the current entry's data is there.
        self.data_is_there = False
        # The records for the next entry, or None if it is not to be judged.
        self._records = {}
        self._pax_pending = False
        self._data_left = 0

    @property
    def data_offset(self):
        """Where the data of the current entry begins in the stream, before any of it is read."""
        return self._stream.tell()

    def data(self):
        """The data of the current entry, in pieces."""
        while self._data_left:
            piece = self._read(min(self._data_left, _CHUNK))
            self._data_left -= len(piece)
            yield piece

    def entries(self):
        """Yield each entry that can be judged; raise GiveUp where reading has to stop."""
        wrong_before = False
        while (header := self._next_header()) is not None:
            right = _checksum_is_right(header)
            is_pax = header[156:157] == _PAX_TYPE
            self.any_entry |= not is_pax or not right
            if not right:
                self._wrong_header(header, is_pax, wrong_before)
            elif is_pax:
                self._pax_header(header)
            elif self._records is None:
                self._forget_pax()
                self._pass_over(header)
            else:
                yield from self._entry(header)
            wrong_before = not right

    def _read(self, length):
        """Read exactly so many bytes; the archive must not end before (LAY-004)."""
        piece = self._stream.read(length) if self._left >= length else b""
        if len(piece) < length:
            self.findings.add("LAY-004")
            raise GiveUp
        self._left -= length
        return piece

    def _skip_data(self):
        """Pass over what is left of an entry's data."""
        if self._data_left > self._left:
            self.findings.add("LAY-004")
            raise GiveUp
        self._stream.seek(self._data_left, 1)
        self._left -= self._data_left
        self._data_left = 0

    def _read_padding(self, size):
        self.findings.require(not any(self._read(-size % _BLOCK)), "LAY-005")

    def _pass_over(self, header):
        """Go on behind an entry that is not judged, by the size in its header."""
        self.gap = True
        size = _octal(header, "size")
        if size is None:
            raise GiveUp
        self._data_left = size + -size % _BLOCK
        self._skip_data()

    def _next_header(self):
        """The next header block, or None at the end of the archive (LAY-002 to LAY-004)."""
        block = self._read_block()
        if any(block):
            if len(block) < _BLOCK:
                self.findings.add("LAY-004")
                raise GiveUp
            return block
        if self._pax_pending:
            self.findings.add("LAY-023")
        self.ended = len(block) == _BLOCK and self._read_block() == _ZERO_BLOCK
        if self.any_entry:
            self.findings.require(self.ended, "LAY-002")
            self.findings.require(not self.ended or self._left == 0, "LAY-003")
        return None

    def _read_block(self):
        block = self._stream.read(min(_BLOCK, self._left))
        self._left -= len(block)
        return block

    def _forget_pax(self):
        self._records = {}
        self._pax_pending = False

    def _wrong_header(self, header, is_pax, wrong_before):
        """LAY-010: pass over a header that cannot be trusted, and over the entry behind it if it is a PAX header."""
        self.findings.add("LAY-010")
        if wrong_before:
            raise GiveUp
        self._forget_pax()
        self._pass_over(header)
        if is_pax:
            self._records = None

    def _check_form(self, header):
        """The clauses that hold for every header with a right checksum; return its numbers."""
        findings = self.findings
        findings.require(header[257:265] == b"ustar\x0000", "LAY-008")
        findings.require(_CHECKSUM.fullmatch(header[148:156]), "LAY-009")
        numbers = {name: _octal(header, name) for name in _OCTAL_FIELDS}
        findings.require(None not in numbers.values(), "LAY-011")
        findings.require(header[329:345] == b"0000000\0" * 2, "LAY-012")
        findings.require(not any(header[345:500]), "LAY-013")
        findings.require(not any(header[265:329]), "LAY-014")
        tails = _tail(header[0:100]) + header[500:512]
        if _KINDS.get(header[156:157]) in (ent.HARDLINK, ent.SYMLINK):
            tails += _tail(header[157:257])
        findings.require(not any(tails), "LAY-015")
        return {name: number or 0 for name, number in numbers.items()}

    def _pax_header(self, header):
        """LAY-023 to LAY-026, LAY-031 and LAY-032; a PAX header before this one is forgotten."""
        findings = self.findings
        findings.require(not self._pax_pending, "LAY-023")
        numbers = self._check_form(header)
        agrees = numbers["mode"] == 0o644 and numbers["uid"] == numbers["gid"] == numbers["mtime"] == 0
        agrees &= _head(header[0:100]) == b"PaxHeader" and not any(header[157:257])
        findings.require(agrees, "LAY-024")
        size = _octal(header, "size")
        if size is None:
            raise GiveUp
        if size > _MAX_PAX_BODY:
            findings.add("LAY-025")
            raise GiveUp
        body = self._read(size)
        findings.require(body, "LAY-031")
        self._pax_pending = True
        self._records = records = {}
        try:
            records.update(self._split(body))
        except _BodyGivenUp:
            findings.add("LAY-026")
            self._records = None
        for keyword in (b"size", b"uid", b"gid"):
            findings.require(_DECIMAL.fullmatch(records.get(keyword, b"0")), "LAY-032")
        self._read_padding(size)

    def _split(self, body):
        """The records of a PAX body: LAY-027 to LAY-029."""
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
            self.findings.require(self._is_keyword(keyword), self._keyword_clause)
            self.findings.require(previous is None or previous < keyword, "LAY-029")
            previous = keyword
            yield keyword, value
            at += len(record)

    def _entry(self, header):
        findings = self.findings
        records = self._records
        self._forget_pax()
        numbers = self._check_form(header)
        kind = _KINDS.get(header[156:157])
        if not findings.require(kind is not None, "LAY-007"):
            self._pass_over(header)
            return
        name, linkname = _head(header[0:100]), _head(header[157:257])
        unneeded = self._check_needed(kind, records)
        self._check_overridden(numbers, name, linkname, records, unneeded)
        known = b"size" in records or _octal(header, "size") is not None
        for keyword in ("uid", "gid", "size"):
            if keyword.encode() in records:
                numbers[keyword] = _decimal(records[keyword.encode()])
        size = numbers["size"]
        known &= size is not None
        if kind == ent.FILE:
            known &= findings.require(size is None or size <= ent.MAX_FILE_SIZE, "LAY-022")
        else:
            findings.require(size in (0, None), "LAY-017")
        if kind in (ent.FILE, ent.DIR):
            findings.require(not any(header[157:257]), "LAY-016")
        self._data_left = size if known else 0
        self.data_is_there = known and size <= self._left
        yield TarEntry(kind, numbers, name, linkname, records)
        if not known:
            raise GiveUp
        self._skip_data()
        self._read_padding(size)

    def _check_needed(self, kind, records):
        """LAY-030: the keywords of the records that hold what the field of the header can hold."""
        needed = {
            b"path": _needs_record,
            b"linkpath": lambda value: kind in (ent.HARDLINK, ent.SYMLINK) and _needs_record(value),
            b"size": lambda value: _decimal(value) is None or _decimal(value) > 8**11 - 1,
            b"uid": lambda value: _decimal(value) is None or _decimal(value) > 8**7 - 1,
            b"gid": lambda value: _decimal(value) is None or _decimal(value) > 8**7 - 1,
        }
        unneeded = {keyword for keyword, value in records.items() if keyword in needed and not needed[keyword](value)}
        self.findings.require(not unneeded, "LAY-030")
        return unneeded

    def _check_overridden(self, numbers, name, linkname, records, unneeded):
        """LAY-033 to LAY-035: what the header's fields hold beside a record, or without one."""
        for keyword in ("size", "uid", "gid"):
            if keyword.encode() in records and keyword.encode() not in unneeded:
                self.findings.require(numbers[keyword] == 0, "LAY-033")
        for keyword, held in ((b"path", name), (b"linkpath", linkname)):
            if keyword in records:
                self.findings.require(keyword in unneeded or held == _stub(records[keyword]), "LAY-034")
            else:
                self.findings.require(held.isascii(), "LAY-035")


def _checksum_is_right(header):
    """Whether the number in `chksum` is the sum, however it is written (LAY-010)."""
    field = header[148:156]
    number = _CHECKSUM_NUMBER.match(field)
    return bool(number) and int(number[1], 8) == sum(header) - sum(field) + 8 * ord(" ")


def _octal(header, name):
    """The value of an octal field, or None if it has another form."""
    offset, length = _OCTAL_FIELDS[name]
    field = header[offset : offset + length]
    return int(field[:-1], 8) if _OCTAL.fullmatch(field) else None


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
