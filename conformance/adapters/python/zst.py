"""Compression (chapter "Store and archive"): one Zstandard frame, clauses STO-018 to STO-024.

The frame header, the block headers and what follows the frame are read here.
The blocks themselves are decoded by the optional package `zstandard`, which is
given a header of our own, without content size and dictionary: what the real
header says is compared with what came out, so that each clause can be told
from the others.
"""

try:
    import zstandard
except ImportError:
    zstandard = None

MAGIC = b"\x28\xb5\x2f\xfd"
MAX_WINDOW = 8 << 20
_MAX_BLOCK = 128 << 10
_RAW, _RLE, _COMPRESSED = 0, 1, 2


class CannotDecode(Exception):
    """There is no decoder on this machine."""


class _Broken(Exception):
    """The frame is truncated or its blocks cannot be decoded (STO-024)."""


class FrameReader:
    """Decodes a file that is to be one frame.

    After `pieces` has been read to its end, `complete` tells whether the
    content is all there.
    """

    def __init__(self, stream, findings):
        self._stream = stream
        self._findings = findings
        self.complete = False

    def pieces(self):
        """The decoded content, at most 128 KiB at a time."""
        if not self._findings.require(self._stream.read(4) == MAGIC, "STO-018"):
            return
        try:
            yield from self._frame()
        except _Broken:
            self._findings.add("STO-024")

    def _read(self, length):
        piece = self._stream.read(length)
        if len(piece) < length:
            raise _Broken
        return piece

    def _number(self, length):
        return int.from_bytes(self._read(length), "little")

    def _frame(self):
        findings = self._findings
        descriptor = self._number(1)
        single_segment = bool(descriptor & 0x20)
        has_checksum = bool(descriptor & 0x04)
        if descriptor & 0x08:  # reserved
            raise _Broken
        window_byte = None if single_segment else self._number(1)
        dictionary = self._number((0, 1, 2, 4)[descriptor & 3])
        content_size = self._content_size(descriptor >> 6, single_segment)
        window = content_size if single_segment else _window(window_byte)
        judged = findings.require(window <= MAX_WINDOW, "STO-020")
        judged &= findings.require(dictionary == 0, "STO-021")
        if not judged:
            return
        if single_segment:
            window_byte = _smallest_window_byte(content_size)
        decoder = _Decoder(bytes([0x04 if has_checksum else 0, window_byte]))
        largest_block = _MAX_BLOCK if single_segment else min(window, _MAX_BLOCK)
        length = 0
        last = False
        while not last:
            last, block = self._block(largest_block)
            piece = decoder.feed(block)
            length += len(piece)
            yield piece
        findings.require(content_size in (None, length), "STO-022")
        if has_checksum:
            findings.require(decoder.accepts_checksum(self._read(4)), "STO-023")
        findings.require(not self._stream.read(1), "STO-019")
        self.complete = True

    def _content_size(self, flag, single_segment):
        if flag == 0:
            return self._number(1) if single_segment else None
        if flag == 1:
            return self._number(2) + 256
        return self._number(4 if flag == 2 else 8)

    def _block(self, largest):
        """Read one block; return whether it is the last one, and its bytes."""
        header = self._read(3)
        number = int.from_bytes(header, "little")
        last, kind, size = number & 1, number >> 1 & 3, number >> 3
        if kind not in (_RAW, _RLE, _COMPRESSED) or size > largest:
            raise _Broken
        if kind == _COMPRESSED and size < 2:  # the headers of its two sections
            raise _Broken
        return bool(last), header + self._read(1 if kind == _RLE else size)


class _Decoder:
    """A decoder of the blocks of one frame."""

    def __init__(self, header):
        if zstandard is None:
            raise CannotDecode
        self._decoder = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj()
        self._decoder.decompress(MAGIC + header)

    def feed(self, block):
        try:
            return self._decoder.decompress(block)
        except zstandard.ZstdError:
            raise _Broken from None

    def accepts_checksum(self, checksum):
        try:
            self._decoder.decompress(checksum)
        except zstandard.ZstdError:
            return False
        return True


def _window(byte):
    base = 1 << (10 + (byte >> 3))
    return base + base // 8 * (byte & 7)


def _smallest_window_byte(content_size):
    exponent = max((content_size - 1).bit_length(), 10) - 10
    return exponent << 3
