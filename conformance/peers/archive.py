"""Tar archives and gzip files, byte for byte the same in every run."""

import struct
import zlib

BLOCK = 512
END = bytes(2 * BLOCK)

FILE, HARDLINK, SYMLINK, DIRECTORY = b"0", b"1", b"2", b"5"


def directory(name):
    """An entry for a directory; the name ends with a slash."""
    return _entry(name, DIRECTORY, mode=0o755)


def file(name, content, mode=0o644):
    """An entry for a file, with its content."""
    return _entry(name, FILE, content=content, mode=mode)


def symlink(name, target):
    """An entry for a symbolic link."""
    return _entry(name, SYMLINK, target=target, mode=0o777)


def hardlink(name, target):
    """An entry for a hard link to the path `target` of the archive."""
    return _entry(name, HARDLINK, target=target)


def archive(entries):
    """A whole archive: the entries and the two blocks of zeros that end it."""
    return b"".join(entries) + END


def _entry(name, kind, content=b"", mode=0o644, target=""):
    fields = [
        _text(name, 100),
        _octal(mode, 8),
        _octal(0, 8),  # uid
        _octal(0, 8),  # gid
        _octal(len(content), 12),
        _octal(0, 12),  # mtime
        b" " * 8,  # the checksum is made as if it were blanks
        kind,
        _text(target, 100),
        b"ustar\x0000",
        bytes(64),  # uname, gname
        _octal(0, 8),  # devmajor
        _octal(0, 8),  # devminor
        bytes(155 + 12),  # prefix, padding
    ]
    header = b"".join(fields)
    checksum = b"%06o\0 " % sum(header)
    return header[:148] + checksum + header[156:] + content + bytes(-len(content) % BLOCK)


def _text(text, width):
    value = text.encode()
    if len(value) > width:
        raise ValueError(f"longer than {width} bytes, use a shorter working folder: {text}")
    return value.ljust(width, b"\0")


def _octal(number, width):
    return b"%0*o\0" % (width - 1, number)


GZIP_HEADER = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"  # no flags, mtime 0, unknown system


def gzip(content):
    """A gzip file of one member."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(content) + deflate.flush()
    return GZIP_HEADER + body + struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)


def flip(content, position):
    """The content with one bit of one byte changed."""
    changed = bytearray(content)
    changed[position] ^= 1
    return bytes(changed)
