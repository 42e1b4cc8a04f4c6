"""Mutants of tar archives: fields, records and entries are changed, and the checksums made right again."""

import re

import documents
import plain

_FIELDS = {
    "name": (0, 100),
    "mode": (100, 8),
    "uid": (108, 8),
    "gid": (116, 8),
    "size": (124, 12),
    "mtime": (136, 12),
    "chksum": (148, 8),
    "typeflag": (156, 1),
    "linkname": (157, 100),
    "magic": (257, 8),
    "uname": (265, 32),
    "gname": (297, 32),
    "devmajor": (329, 8),
    "devminor": (337, 8),
    "prefix": (345, 155),
    "rest": (500, 12),
}
_NUMERIC = ("mode", "uid", "gid", "size", "mtime")
_BLOCK = 512


def entries(data):
    """The entries of an archive: pieces of bytes, each with the PAX header before it; the end is the last piece."""
    pieces, at, start = [], 0, 0
    while len(data) - at >= _BLOCK and any(data[at : at + _BLOCK]):
        size = re.match(rb"[0-7]+", data[at + 124 : at + 136])
        end = at + _BLOCK + -(-int(size.group() if size else b"0", 8) // _BLOCK) * _BLOCK
        is_pax = data[at + 156 : at + 157] == b"x"
        at = end
        if not is_pax:
            pieces.append(data[start:end])
            start = end
    return [*pieces, data[start:]]


def mend(header):
    """A header with its checksum made right."""
    blank = header[:148] + b" " * 8 + header[156:]
    return header[:148] + b"%06o\0 " % sum(blank) + header[156:]


def change(numbers, data, pool, others):
    """An archive with one thing changed, seldom more."""
    while True:
        data = _change_once(numbers, data, pool, others)
        if not numbers.once_in(6):
            return data


def _change_once(numbers, data, pool, others):
    if numbers.once_in(10):
        return plain.change(numbers, data, others)
    pieces = entries(data)
    if len(pieces) < 2:
        return plain.change(numbers, data, others)
    at = numbers.below(len(pieces) - 1)
    action = numbers.below(16)
    if action == 0:
        del pieces[at]
    elif action == 1:
        pieces.insert(numbers.below(len(pieces)), pieces[at])
    elif action == 2:
        pieces.insert(numbers.below(len(pieces) - 1), pieces.pop(at))
    elif action == 3:
        pieces.insert(at, numbers.pick(entries(numbers.pick(others))[:-1] or [b""]))
    elif action == 4:
        pieces[-1] = numbers.pick(
            [b"", pieces[-1][:512], pieces[-1] + b"\0" * 512, pieces[-1][:-1], pieces[-1] + b"\1"]
        )
    elif action == 5:
        pieces[at] = plain.change(numbers, pieces[at], [pieces[at]])
    elif action in (6, 7) and pieces[at][156:157] == b"x":
        pieces[at] = _change_records(numbers, pieces[at], pool)
    elif action == 8 and pieces[at][156:157] != b"x":
        pieces[at] = pax(_records(numbers, [], pool)) + pieces[at]
    elif action == 9:
        start = numbers.below(len(pieces[at]))
        pieces[at] = pieces[at][:start] + bytes([numbers.below(256)]) + pieces[at][start + 1 :]
    else:
        pieces[at] = _change_header(numbers, pieces[at])
    return b"".join(pieces)


def _change_header(numbers, piece):
    # The header of the entry, or of the PAX header before it.
    last = len(entries(piece)[0]) if len(piece) >= _BLOCK else 0
    starts = [0]
    if piece[156:157] == b"x" and last:
        size = re.match(rb"[0-7]+", piece[124:136])
        second = _BLOCK + -(-int(size.group() if size else b"0", 8) // _BLOCK) * _BLOCK
        starts = [0, second, second] if second + _BLOCK <= len(piece) else [0]
    start = numbers.pick(starts)
    header = piece[start : start + _BLOCK]
    name = numbers.pick([*_FIELDS, *_NUMERIC, *_NUMERIC, "name", "name", "linkname", "typeflag", "typeflag"])
    offset, length = _FIELDS[name]
    header = header[:offset] + _field(numbers, name, header[offset : offset + length]) + header[offset + length :]
    if name != "chksum" and not numbers.once_in(12):
        header = mend(header)
    return piece[:start] + header + piece[start + _BLOCK :]


def _field(numbers, name, old):
    length = len(old)
    if numbers.once_in(5):
        at = numbers.below(length)
        return old[:at] + bytes([old[at] ^ (1 << numbers.below(8))]) + old[at + 1 :]
    if name == "typeflag":
        return numbers.pick([b"0", b"1", b"2", b"5", b"x", b"g", b"3", b"6", b"7", b"\0", b"L", b"S"])
    if name in _NUMERIC:
        digits = length - 1
        value = numbers.pick(
            [0, 1, 0o644, 0o755, 0o7777, 0o10000, 8**digits - 1, numbers.below(8**digits), numbers.below(1024)]
        )
        full = b"%0*o\0" % (digits, value)
        return numbers.pick(
            [full] * 6 + [full[:-1] + b" ", b" " + full[1:], full[1:] + b"\0", b"\x80" + full[1:], b"\0" * length]
        )
    text = old.split(b"\0")[0]
    changed = numbers.pick(
        [
            text + b"/",
            text[:-1],
            b"a",
            text + b"a",
            b"/" + text,
            b"../" + text,
            b".wh." + text,
            b"a/.wh.b",
            b"\xc3\xa9",
            text.rpartition(b"/")[0] + b"/.wh..wh..opq",
            b"",
            text.upper(),
            text + b"\n",
            b"z" * length,
            text + b"\0a",
        ]
    )
    return changed[:length].ljust(length, b"\0")


def _record(keyword, value):
    rest = b" " + keyword + b"=" + value + b"\n"
    length = len(rest)
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


def _records(numbers, records, pool):
    keys = [
        b"path",
        b"linkpath",
        b"size",
        b"uid",
        b"gid",
        b"SCHILY.xattr.user.a",
        b"SCHILY.xattr.security.capability",
        b"mtime",
        b"SCHILY.xattr.user.overlay.a",
        b"SCHILY.xattr.trusted.a",
        b"SCHILY.xattr.user." + b"n" * 250,
    ]
    values = [
        b"",
        b"0",
        b"1",
        b"2097152",
        b"8589934592",
        b"4294967294",
        b"4294967295",
        b"01",
        b"a" * 101,
        b"a" * 100,
        "é".encode(),
        b"\xff",
        b"a\nb",
        b"\1\0\0\2" + b"\0" * 16,
        b"x" * 65536,
    ]
    if not records or numbers.once_in(3):
        records = [*records, (numbers.pick(keys), numbers.pick(values))]
    else:
        at = numbers.below(len(records))
        keyword, value = records[at]
        new = [
            (keyword, numbers.pick(values)),
            (numbers.pick(keys), value),
            (keyword, plain.change(numbers, value or b"a", [value])),
        ]
        text = documents.change_value(numbers, value.decode("utf-8", "replace"), pool)
        new.append((keyword, str(text).encode("utf-8", "surrogatepass")))
        records = numbers.pick(
            [[*records[:at], pair, *records[at + 1 :]] for pair in new]
            + [records[:at] + records[at + 1 :], records[::-1]]
        )
    return records if numbers.once_in(6) else sorted(records)


def pax(records):
    """A PAX header with these records."""
    body = b"".join(_record(*pair) for pair in records)
    header = (
        b"PaxHeader".ljust(100, b"\0")
        + b"0000644\0"
        + b"0000000\0" * 2
        + b"%011o\0" % len(body)
        + b"00000000000\0"
        + b" " * 8
    )
    header += b"x" + b"\0" * 100 + b"ustar\x0000" + b"\0" * 64 + b"0000000\0" * 2
    return mend(header.ljust(_BLOCK, b"\0")) + body + b"\0" * (-len(body) % _BLOCK)


def _change_records(numbers, piece, pool):
    size = int(re.match(rb"[0-7]*", piece[124:136]).group() or b"0", 8)
    body, records = piece[_BLOCK : _BLOCK + size], []
    while match := re.match(rb"([1-9]\d{0,6}) ", body):
        record, body = body[: int(match.group(1))], body[int(match.group(1)) :]
        keyword, _, value = record[match.end() : -1].partition(b"=")
        records.append((keyword, value))
    rest = piece[_BLOCK + -(-size // _BLOCK) * _BLOCK :]
    return pax(_records(numbers, records, pool)) + rest
