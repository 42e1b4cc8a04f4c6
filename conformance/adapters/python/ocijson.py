"""JSON of OCI images (chapter "OCI images", section Documents): OCI-010, OCI-011, OCI-013 and OCI-014.

This is the JSON of RFC 8259. Of members with the same name the first is kept. A
number with a fraction or an exponent is only known not to be an integer.
"""

import re

MAX_DOCUMENT = 4 << 20
_MAX_DEPTH = 64

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPACE = re.compile(r"[ \t\n\r]*")
# Bytes that are not UTF-8 are decoded to surrogates, which no string holds in the clear.
_PLAIN = re.compile('[^"\\\\\x00-\x1f\ud800-\udfff]*')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)((?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
_HEX4 = re.compile(r"[0-9A-Fa-f]{4}")
_SHORT = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {"true": True, "false": False, "null": None}
# An integer with more digits than this is larger than every other one.
_MAX_DIGITS = 1000


# What stands for the value of a document that could not be read.
UNREADABLE = object()


class NoInteger:
    """A number with a fraction or an exponent."""


class _GiveUp(Exception):
    """The rest of the document cannot be told apart."""


def read_document(data, findings):
    """The object that a document is, or None if it could not be read to its end."""
    value = _read(data, findings, _Parser.object)
    return None if value is UNREADABLE else value


def read_value(data, findings):
    """The value that a document is, object or not, or UNREADABLE."""
    return _read(data, findings, _Parser.value)


def _read(data, findings, outermost):
    if not findings.require(len(data) <= MAX_DOCUMENT, "OCI-013"):
        return UNREADABLE
    findings.require(not data.startswith(_BYTE_ORDER_MARK), "OCI-010")
    text = data.removeprefix(_BYTE_ORDER_MARK).decode("utf-8", "surrogateescape")
    try:
        return _Parser(text, findings).document(outermost)
    except _GiveUp:
        return UNREADABLE


class _Parser:
    def __init__(self, text, findings):
        self._text = text
        self._at = 0
        self._findings = findings

    def document(self, outermost):
        self._space()
        value = outermost(self, 1)
        self._space()
        if self._at != len(self._text):
            self._fail()
        return value

    def _fail(self):
        self._findings.add("OCI-010")
        raise _GiveUp

    def _space(self):
        self._at = _SPACE.match(self._text, self._at).end()

    def _peek(self):
        return self._text[self._at : self._at + 1]

    def _take(self, token):
        if not self._text.startswith(token, self._at):
            self._fail()
        self._at += len(token)

    def value(self, depth):
        first = self._peek()
        if first in ("{", "["):
            if not self._findings.require(depth <= _MAX_DEPTH, "OCI-014"):
                raise _GiveUp
            return self.object(depth) if first == "{" else self._array(depth)
        if first == '"':
            return self._string()
        for word, value in _WORDS.items():
            if self._text.startswith(word, self._at):
                self._at += len(word)
                return value
        return self._number()

    def object(self, depth):
        self._take("{")
        result = {}
        first = True
        self._space()
        while self._peek() != "}":
            if not first:
                self._take(",")
                self._space()
            first = False
            name = self._string()
            self._space()
            self._take(":")
            self._space()
            value = self.value(depth + 1)
            if self._findings.require(name not in result, "OCI-011"):
                result[name] = value
            self._space()
        self._take("}")
        return result

    def _array(self, depth):
        self._take("[")
        result = []
        self._space()
        while self._peek() != "]":
            if result:
                self._take(",")
                self._space()
            result.append(self.value(depth + 1))
            self._space()
        self._take("]")
        return result

    def _number(self):
        match = _NUMBER.match(self._text, self._at)
        if not match:
            self._fail()
        self._at = match.end()
        if match[1]:
            return NoInteger()
        if len(match[0]) > _MAX_DIGITS:
            return -(10**_MAX_DIGITS) if match[0].startswith("-") else 10**_MAX_DIGITS
        return int(match[0])

    def _string(self):
        self._take('"')
        pieces = []
        while True:
            match = _PLAIN.match(self._text, self._at)
            pieces.append(match[0])
            self._at = match.end()
            if self._peek() != "\\":
                self._take('"')
                return "".join(pieces)
            pieces.append(self._escape())

    def _escape(self):
        letter = self._text[self._at + 1 : self._at + 2]
        if letter == "u":
            character = chr(self._hex4(self._at + 2))
            self._at += 6
            if "\ud800" <= character <= "\udbff" and self._text.startswith("\\u", self._at):
                low = self._hex4(self._at + 2)
                if 0xDC00 <= low <= 0xDFFF:
                    self._at += 6
                    return chr(0x10000 + ((ord(character) - 0xD800) << 10) + (low - 0xDC00))
            return character
        if letter not in _SHORT or not letter:
            self._fail()
        self._at += 2
        return _SHORT[letter]

    def _hex4(self, at):
        match = _HEX4.match(self._text, at)
        if not match:
            self._fail()
        return int(match[0], 16)
