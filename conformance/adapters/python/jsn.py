"""JSON (chapter "JSON"): strict and canonical documents, clauses JSN-001 to JSN-019.

A value or member name that breaks a clause of the section Values is kept, so
that the document can be judged further, but marked: `UNJUDGED` stands in the
place of such a value, and such a name is an `UnjudgedName`. The other chapters
pass over both, so that one defect gives one finding.
"""

import json
import re

MAX_DOCUMENT = 1 << 20
MAX_NAME = 256
MAX_STRING = 128 << 10
MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 16

_SPACE = re.compile(r"[ \t\n\r]*")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
# What runs on behind a number makes it none.
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)((?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![0-9A-Za-z.+-])")
_HEX4 = re.compile(r"[0-9A-Fa-f]{4}")
_SHORT = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_CANONICAL_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


class _Unjudged:
    """The place of a value that this chapter has already found wrong."""

    def __repr__(self):
        return "UNJUDGED"


UNJUDGED = _Unjudged()


class UnjudgedName(str):
    """A member name that this chapter has already found wrong."""


def judged_members(obj):
    """The members of an object whose names are worth judging."""
    return [(name, value) for name, value in obj.items() if not isinstance(name, UnjudgedName)]


def is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def canonical_form(value):
    """The canonical text of a value, as bytes."""
    return _write(value).encode("utf-8")


def read_document(data, findings, canonical, limit=MAX_DOCUMENT, limit_clause="JSN-005"):
    """Judge one document; return its outermost object, or None if there is none to judge."""
    if len(data) > limit:
        findings.add(limit_clause)
        return None
    if data.startswith(b"\xef\xbb\xbf"):
        findings.add("JSN-002")
        data = data[3:]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        findings.add("JSN-001")
        return None
    value = _read_plain(text)
    if value is None:
        try:
            value = _Parser(text, findings, canonical).document()
        except _GiveUp:
            return None
    if not isinstance(value, dict):
        findings.add("JSN-004")
        return None
    return value


def _write(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _refuse(_text):
    raise ValueError


def _read_plain(text):
    """A short cut for the many lines of a listing.

    A document is canonical if writing what was read gives the same text. Only
    a flat object, whose members hold no more than an object of strings, and
    which cannot touch a limit of this chapter is taken; all others return None.
    """
    if len(text) > 4096 or "\\u0000" in text:
        return None
    try:
        value = json.loads(text, parse_float=_refuse, parse_constant=_refuse)
        if not isinstance(value, dict) or _write(value) != text:
            return None
    except (ValueError, RecursionError):
        return None
    for name, member in value.items():
        if not (name.isascii() and len(name) <= MAX_NAME):
            return None
        if isinstance(member, dict):
            for inner_name, inner in member.items():
                if not (inner_name.isascii() and len(inner_name) <= MAX_NAME and isinstance(inner, str)):
                    return None
        elif isinstance(member, int):
            if abs(member) > MAX_INTEGER:
                return None
        elif not isinstance(member, str):
            return None
    return value


class _GiveUp(Exception):
    """The rest of the document cannot be told apart."""


class _Parser:
    def __init__(self, text, findings, canonical):
        self.text = text
        self.at = 0
        self.findings = findings
        self.canonical = canonical

    def document(self):
        self._space()
        value = self._value(1)
        self._space()
        if self.at != len(self.text):
            self._fail()
        return value

    def _fail(self):
        self.findings.add("JSN-003")
        raise _GiveUp

    def _space(self):
        end = _SPACE.match(self.text, self.at).end()
        if end > self.at and self.canonical:
            self.findings.add("JSN-017")
        self.at = end

    def _peek(self):
        return self.text[self.at : self.at + 1]

    def _take(self, token):
        if not self.text.startswith(token, self.at):
            self._fail()
        self.at += len(token)

    def _value(self, depth):
        first = self._peek()
        if first in ("{", "["):
            if depth > MAX_DEPTH:
                self.findings.add("JSN-016")
                raise _GiveUp
            return self._object(depth) if first == "{" else self._array(depth)
        if first == '"':
            text, sound = self._string()
            sound &= self.findings.require(_utf8_length(text) <= MAX_STRING, "JSN-011")
            return text if sound else UNJUDGED
        if first == "t":
            self._take("true")
            return True
        if first == "f":
            self._take("false")
            return False
        if first == "n":
            self._take("null")
            self.findings.add("JSN-015")
            return UNJUDGED
        return self._number()

    def _object(self, depth):
        self._take("{")
        result = {}
        previous = None
        first = True
        self._space()
        while self._peek() != "}":
            if not first:
                self._take(",")
                self._space()
            name, sound = self._string()
            if not _has_surrogate(name):
                sound &= self.findings.require(name.isascii(), "JSN-009")
                sound &= self.findings.require(_utf8_length(name) <= MAX_NAME, "JSN-010")
            self._space()
            self._take(":")
            self._space()
            value = self._value(depth + 1)
            if not sound:
                result[UnjudgedName(name)] = value
            elif name in result:
                self.findings.add("JSN-008")
            else:
                if self.canonical and previous is not None and name < previous:
                    self.findings.add("JSN-018")
                previous = name
                result[name] = value
            first = False
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
            result.append(self._value(depth + 1))
            self._space()
        self._take("]")
        return result

    def _number(self):
        match = _NUMBER.match(self.text, self.at)
        if not match:
            self._fail()
        self.at = match.end()
        if match[2]:
            self.findings.add("JSN-012")
            return UNJUDGED
        if match[0] == "-0":
            self.findings.add("JSN-013")
            return UNJUDGED
        if len(match[1]) > 16 or int(match[1]) > MAX_INTEGER:
            self.findings.add("JSN-014")
            return UNJUDGED
        return int(match[0])

    def _string(self):
        """Read a string; return its text and whether JSN-006 and JSN-007 hold."""
        self._take('"')
        pieces = []
        escapes_needed = True
        while True:
            match = _PLAIN.match(self.text, self.at)
            pieces.append(match[0])
            self.at = match.end()
            if self._peek() != "\\":
                self._take('"')
                break
            start = self.at
            character = self._escape()
            escapes_needed &= self.text[start : self.at] == _canonical_escape(character)
            pieces.append(character)
        text = "".join(pieces)
        if not self.findings.require(not _has_surrogate(text), "JSN-006"):
            return text, False
        sound = self.findings.require("\0" not in text, "JSN-007")
        if sound and self.canonical:
            self.findings.require(escapes_needed, "JSN-019")
        return text, sound

    def _escape(self):
        start = self.at
        letter = self.text[start + 1 : start + 2]
        if letter == "u":
            character = chr(self._hex4(start + 2))
            self.at = start + 6
            if "\ud800" <= character <= "\udbff" and self.text.startswith("\\u", self.at):
                low = self._hex4(self.at + 2)
                if 0xDC00 <= low <= 0xDFFF:
                    character = chr(0x10000 + ((ord(character) - 0xD800) << 10) + (low - 0xDC00))
                    self.at += 6
        elif letter in _SHORT and letter:
            character = _SHORT[letter]
            self.at = start + 2
        else:
            self._fail()
        return character

    def _hex4(self, at):
        match = _HEX4.match(self.text, at)
        if not match:
            self._fail()
        return int(match[0], 16)


def _canonical_escape(character):
    """How RFC 8785 writes a character, if it escapes it; otherwise the character itself."""
    if character in _CANONICAL_SHORT:
        return _CANONICAL_SHORT[character]
    return f"\\u{ord(character):04x}" if character < " " else character


def _has_surrogate(text):
    return any("\ud800" <= character <= "\udfff" for character in text)


def _utf8_length(text):
    return len(text.encode("utf-8", "surrogatepass"))
