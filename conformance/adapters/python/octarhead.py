"""Headers of tar archives and records of PAX (chapter "OCI images", section Layer archive), each by itself."""

import functools
import re
import zlib

# No size is as large (OCI-054).
END_OF_SIZES = 1 << 63
_OCTAL = re.compile(rb" *([0-7]+)(?:[ \0].*)?", re.S)
_DECIMAL = re.compile(rb"[0-9]+")


def checksum_is_right(header):
    """Whether the field is the sum of the bytes, unsigned or signed (OCI-053)."""
    number = _number(header[148:156])
    counted = header[:148] + b"        " + header[156:]
    # The low half of Adler-32 is 1 and the sum of the bytes, which 256 of them do not carry over its modulus.
    unsigned = (zlib.adler32(counted[:256]) & 0xFFFF) + (zlib.adler32(counted[256:]) & 0xFFFF) - 2
    return number == unsigned or number == unsigned - 256 * sum(byte > 127 for byte in counted)


@functools.lru_cache(maxsize=4096)
def numbers_of(fields):
    """The numbers in `mode`, `uid`, `gid`, `size` and `mtime`, each None if it is none."""
    return tuple(_number(fields[start:end]) for start, end in ((0, 8), (8, 16), (16, 24), (24, 36), (36, 48)))


@functools.lru_cache(maxsize=4096)
def _number(field):
    """The number in a field, or None if there is none."""
    if field[0] & 0x80:
        value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        return value - (1 << (8 * len(field) - 1)) if field[0] & 0x40 else value
    if not field.strip(b" \0"):
        return 0
    match = _OCTAL.fullmatch(field)
    return int(match[1], 8) if match else None


def decimal(digits):
    """The value of digits, or None if there are others; whatever has more than 19 of them exceeds every size alike."""
    if not _DECIMAL.fullmatch(digits):
        return None
    digits = digits.lstrip(b"0")
    return int(digits or b"0") if len(digits) < 20 else 10**20


def text(field):
    return field.partition(b"\0")[0]


def path_of(header):
    name = text(header[:100])
    if header[257:263] != b"ustar\0" or header[345] == 0:
        return name
    return text(header[345:500]) + b"/" + name


def split(body):
    """The records of PAX in a body, or None if it is none (OCI-058)."""
    records = []
    at = 0
    while at < len(body):
        begin = body.find(b" ", at) + 1
        length = decimal(body[at : begin - 1]) if begin else None
        if length is None:
            return None
        end = at + length
        keyword, equals, value = body[begin : max(end - 1, 0)].partition(b"=")
        if end > len(body) or body[end - 1 : end] != b"\n" or not equals or not keyword:
            return None
        records.append((keyword, value))
        at = end
    return records
