"""Compression of OCI layers (chapter "OCI images", section Compression): OCI-042 to OCI-051.

The heads and tails of gzip members are read here, and the heads of Zstandard
frames and of their blocks; `zlib` and the optional package `zstandard` decode
what is between. A Zstandard block is handed over as it is, so that little more
than one block is decoded at a time.
"""

import zlib

import zst

_MAX_DECODED = 2**40
_SHOULD_WINDOW = 8 << 20
_MAX_WINDOW = 128 << 20
_MAX_BLOCK = 128 << 10
_CHUNK = 1 << 16
_PIECE = 1 << 18

PLAIN, GZIP, ZSTD = "plain", "gzip", "zstd"
_GZIP_MAGIC = b"\x1f\x8b"
_SKIPPABLE_TAIL = b"\x2a\x4d\x18"
_FHCRC, _FEXTRA, _FNAME, _FCOMMENT, _RESERVED = 0x02, 0x04, 0x08, 0x10, 0xE0
_RLE = 1


class TooLong(Exception):
    """A layer decodes to so much that it is not checked to its end."""


class _Broken(Exception):
    """Reading ends; the argument is the clause that is broken."""


def form_of(head):
    """How a layer is compressed that begins with these bytes, of which there are four if it is so long."""
    if head[:2] == _GZIP_MAGIC:
        return GZIP
    return ZSTD if head[:4] == zst.MAGIC or _is_skippable(head) else PLAIN


def _is_skippable(head):
    return len(head) >= 4 and 0x50 <= head[0] <= 0x5F and head[1:4] == _SKIPPABLE_TAIL


class Decoder:
    """Decodes a layer. `sound` tells whether no clause that is an error has been broken so far."""

    def __init__(self, stream, form, findings):
        self._input = _Input(stream)
        self._form = form
        self._findings = findings
        self._narrow = True  # No window so far was larger than recommended.
        self.sound = True

    def pieces(self):
        """The decoded content, piece by piece."""
        length = 0
        decode = {PLAIN: self._plain, GZIP: self._gzip, ZSTD: self._zstd}[self._form]
        try:
            for piece in decode():
                length += len(piece)
                if length > _MAX_DECODED:
                    raise TooLong
                yield piece
        except _Broken as broken:
            self._findings.add(broken.args[0])
            self.sound = False

    def _plain(self):
        while piece := self._input.read(_PIECE):
            yield piece

    def _exactly(self, length, clause):
        piece = self._input.read(length)
        if len(piece) < length:
            raise _Broken(clause)
        return piece

    # gzip

    def _gzip(self):
        number = 0
        while self._input.peek(2) == _GZIP_MAGIC:
            number += 1
            self._findings.require(number != 2, "OCI-046")
            self._gzip_head()
            yield from self._gzip_content()
        self._findings.require(not self._input.peek(1), "OCI-047")

    def _gzip_head(self):
        head = self._exactly(4, "OCI-044")
        method, flags = head[2], head[3]
        if method != 8 or flags & _RESERVED:
            raise _Broken("OCI-043")
        head += self._exactly(6, "OCI-044")
        if flags & _FEXTRA:
            length = self._exactly(2, "OCI-044")
            head += length + self._exactly(int.from_bytes(length, "little"), "OCI-044")
        checksum = zlib.crc32(head)
        for flag in (_FNAME, _FCOMMENT):
            byte = b"" if flags & flag else b"\0"
            while byte != b"\0":
                byte = self._exactly(1, "OCI-044")
                checksum = zlib.crc32(byte, checksum)
        if flags & _FHCRC and int.from_bytes(self._exactly(2, "OCI-044"), "little") != checksum & 0xFFFF:
            raise _Broken("OCI-043")

    def _gzip_content(self):
        decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        checksum = length = 0
        waiting = b""
        full = False  # Whether there may be more content in the decoder.
        while not decoder.eof:
            if not full:
                waiting = waiting or self._exactly_some()
            try:
                piece = decoder.decompress(waiting, _PIECE)
            except zlib.error:
                raise _Broken("OCI-043") from None
            waiting = decoder.unconsumed_tail
            full = len(piece) == _PIECE
            checksum = zlib.crc32(piece, checksum)
            length += len(piece)
            yield piece
        self._input.give_back(decoder.unused_data)
        tail = self._exactly(8, "OCI-044")
        if tail != checksum.to_bytes(4, "little") + (length % 2**32).to_bytes(4, "little"):
            raise _Broken("OCI-045")

    def _exactly_some(self):
        piece = self._input.read(_CHUNK)
        if not piece:
            raise _Broken("OCI-044")
        return piece

    # Zstandard

    def _zstd(self):
        number = 0
        while form_of(head := self._input.peek(4)) == ZSTD:
            number += 1
            skippable = _is_skippable(head)
            # Reported once: a second mention changes nothing.
            self._findings.require(number == 1 and not skippable, "OCI-051")
            if skippable:
                size = int.from_bytes(self._exactly(8, "OCI-048")[4:], "little")
                while size:
                    size -= len(self._exactly(min(size, _PIECE), "OCI-048"))
            else:
                yield from self._frame()
        self._findings.require(not self._input.peek(1), "OCI-047")

    def _frame(self):
        if zst.zstandard is None:
            raise zst.CannotDecode
        head, window, has_checksum = self._frame_head()
        if window > _MAX_WINDOW:
            raise _Broken("OCI-050")
        self._findings.require(window <= _SHOULD_WINDOW, "OCI-049")
        decoder = zst.zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).decompressobj()
        try:
            decoder.decompress(head)
            last = False
            while not last:
                last, block = self._block()
                yield decoder.decompress(block)
            if has_checksum:
                decoder.decompress(self._exactly(4, "OCI-048"))
        except zst.zstandard.ZstdError:
            raise _Broken("OCI-048") from None

    def _frame_head(self):
        """Read a frame's head; return it, the window, and whether a checksum ends the frame."""
        head = self._exactly(5, "OCI-048")
        descriptor = head[4]
        single_segment = bool(descriptor & 0x20)
        window_byte = b"" if single_segment else self._exactly(1, "OCI-048")
        dictionary = self._exactly((0, 1, 2, 4)[descriptor & 3], "OCI-048")
        size_field = self._exactly((int(single_segment), 2, 4, 8)[descriptor >> 6], "OCI-048")
        if descriptor & 0x08 or any(dictionary):  # reserved
            raise _Broken("OCI-048")
        if single_segment:
            window = int.from_bytes(size_field, "little") + (256 if len(size_field) == 2 else 0)
        else:
            base = 1 << (10 + (window_byte[0] >> 3))
            window = base + base // 8 * (window_byte[0] & 7)
        return head + window_byte + dictionary + size_field, window, bool(descriptor & 0x04)

    def _block(self):
        """Read one block; return whether it is the last one, and its bytes."""
        head = self._exactly(3, "OCI-048")
        number = int.from_bytes(head, "little")
        last, kind, size = number & 1, number >> 1 & 3, number >> 3
        if size > _MAX_BLOCK:
            raise _Broken("OCI-048")
        return bool(last), head + self._exactly(1 if kind == _RLE else size, "OCI-048")


class _Input:
    """A stream that one can look ahead in."""

    def __init__(self, stream):
        self._stream = stream
        self._ahead = b""

    def read(self, length):
        piece, self._ahead = self._ahead[:length], self._ahead[length:]
        if len(piece) < length:
            piece += self._stream.read(length - len(piece))
        return piece

    def peek(self, length):
        piece = self.read(length)
        self.give_back(piece)
        return piece

    def give_back(self, piece):
        self._ahead = piece + self._ahead
